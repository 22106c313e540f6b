//! Batches of prepared images, loaded in parallel. Loading ahead of their use is [`super::Loader`].

use rayon::prelude::*;
use synapress_images::{Draw, Resizer, check_shape, prepare};
use synapress_model::{Preprocess, Shape};

use super::augment::Augment;
use super::dataset::Dataset;
use super::error::{Error, Fault};

impl Dataset {
    /// Decodes and prepares images in parallel: `out` becomes `(images.len(), C, H, W)`. With augmentation, its seed
    /// stands for the epoch or the step.
    ///
    /// # Errors
    /// [`Error::Options`] when the options do not fit; [`Error::Image`] for the first image that cannot be read.
    pub fn load_batch(
        &self,
        images: &[usize],
        preprocess: &Preprocess,
        shape: Shape,
        augment: Option<(&Augment, u64)>,
        out: &mut Vec<f32>,
    ) -> Result<(), Error> {
        match self.load_good(images, preprocess, shape, augment, out)?.into_iter().flatten().next() {
            Some(fault) => Err(Error::Image(fault)),
            None => Ok(()),
        }
    }

    /// The same, with a fault or none for each image; those with a fault are zeros in `out`.
    ///
    /// # Errors
    /// [`Error::Options`] when the options do not fit.
    pub fn load_good(
        &self,
        images: &[usize],
        preprocess: &Preprocess,
        shape: Shape,
        augment: Option<(&Augment, u64)>,
        out: &mut Vec<f32>,
    ) -> Result<Vec<Option<Fault>>, Error> {
        check_shape(preprocess, shape)?;
        if let Some((augment, _)) = augment {
            augment.check()?;
        }
        out.resize(images.len() * shape.len(), 0.0);
        let one = |resizer: &mut Resizer, (out, &i): (&mut [f32], &usize)| match self.image(i) {
            Ok(image) => {
                let draw = augment.map_or(Draw::NONE, |(a, seed)| a.draw(seed, self.id(i) as u64));
                prepare(&image, preprocess, shape, &draw, resizer, out);
                Ok(None)
            }
            Err(Error::Image(fault)) => {
                out.fill(0.0);
                Ok(Some(fault))
            }
            Err(other) => Err(other),
        };
        out.par_chunks_mut(shape.len()).zip(images).map_init(Resizer::default, one).collect()
    }
}
