//! A quantized network that takes pixels as a browser has them. Crossing the border to JavaScript is [`crate::abi`]'s
//! affair.

use std::sync::Arc;

use synapress_code::{Limits, Stored};
use synapress_images::{Draw, Image, Resizer, check_shape, prepare};
use synapress_kernels::integer::Kernel;
use synapress_model::{Preprocess, Shape, Source as _};
use synapress_run::{Guess, Session, guesses};

/// A network, ready to classify pictures of any size.
#[derive(Debug)]
pub struct Classifier {
    session: Session,
    preprocess: Preprocess,
    resizer: Resizer,
    input: Vec<f32>,
}

impl Classifier {
    /// Reads a `.syn`. Pictures are prepared as the file says.
    ///
    /// # Errors
    /// Says what is wrong with the file, with the network when it is not quantized, or with its preprocessing.
    pub fn open(bytes: Vec<u8>) -> Result<Self, String> {
        let stored = Stored::new(bytes, &Limits::default()).map_err(|e| e.to_string())?;
        let preprocess = stored.net().about.preprocess.clone().unwrap_or_default();
        let session = Session::stored(Arc::new(stored), Kernel::best(), false).map_err(|e| e.to_string())?;
        let mut classifier =
            Self { session, preprocess: Preprocess::default(), resizer: Resizer::default(), input: Vec::new() };
        classifier.prepare(preprocess)?;
        Ok(classifier)
    }

    /// Prepares pictures otherwise from now on.
    ///
    /// # Errors
    /// When values make no sense, or the network takes no pictures.
    pub fn prepare(&mut self, preprocess: Preprocess) -> Result<(), String> {
        check_shape(&preprocess, self.shape()).map_err(|e| e.to_string())?;
        self.preprocess = preprocess;
        Ok(())
    }

    /// Shape of the network's input.
    pub fn shape(&self) -> Shape {
        self.session.input_shape()
    }

    /// Name of the instructions that it runs on.
    pub fn kernel(&self) -> &'static str {
        self.session.kernel().name()
    }

    /// Classifies a picture of pixels `(height, width, 4)`: red, green, blue and transparency, which is dropped. Gives
    /// the most probable classes, at most `count`.
    ///
    /// # Errors
    /// When the pixels do not fit the sides, or the network cannot be executed.
    pub fn classify(&mut self, width: u32, height: u32, rgba: &[u8], count: usize) -> Result<Vec<Guess>, String> {
        let image = Image::from_rgba(width, height, rgba)?;
        let shape = self.shape();
        self.input.resize(shape.len(), 0.0);
        prepare(&image, &self.preprocess, shape, &Draw::NONE, &mut self.resizer, &mut self.input);
        let kind = self.session.kind();
        let scores = self.session.run(&self.input).map_err(|e| e.to_string())?;
        Ok(guesses(scores, kind, count))
    }

    /// The integer scores of the last picture, one for each class: the same on every machine. Empty before the first.
    pub fn scores(&self) -> &[i16] {
        self.session.codes().0
    }
}
