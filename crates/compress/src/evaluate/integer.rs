//! Integer execution as a classifier: a session for each thread.

use rayon::prelude::*;
use synapress_model::{Error, Net, Shape};
use synapress_run::{Scores, Session};

use super::Classifier;

/// A quantized network, executed in integers alone: what accuracy after quantization is the accuracy of.
#[derive(Clone, Debug)]
pub struct IntegerClassifier {
    sessions: Vec<Session>,
    batch: usize,
}

impl IntegerClassifier {
    /// Prepares integer execution of up to `batch` images at a time, each by one thread.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn new(net: &Net, batch: usize) -> Result<Self, Error> {
        let session = Session::new(net)?;
        Ok(Self { sessions: vec![session; rayon::current_num_threads().max(1)], batch: batch.max(1) })
    }

    fn first(&self) -> &Session {
        &self.sessions[0]
    }
}

impl Classifier for IntegerClassifier {
    fn input(&self) -> Shape {
        self.first().input_shape()
    }

    fn classes(&self) -> usize {
        self.first().classes()
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn kind(&self) -> Scores {
        self.first().kind()
    }

    fn scores(&mut self, images: &[f32], out: &mut Vec<f32>) -> Result<(), Error> {
        let (len, classes) = (self.input().len(), self.classes());
        let each = (images.len() / len).div_ceil(self.sessions.len()).max(1);
        out.clear();
        out.resize(images.len() / len * classes, 0.0);
        let parts = images.par_chunks(each * len).zip(out.par_chunks_mut(each * classes));
        parts.zip(&mut self.sessions).try_for_each(|((images, out), session)| {
            for (image, scores) in images.chunks(len).zip(out.chunks_mut(classes)) {
                scores.copy_from_slice(session.run(image)?);
            }
            Ok(())
        })
    }
}
