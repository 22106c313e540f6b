//! Training images from a data set: every epoch in its own order, each image varied anew.

use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use synapress_model::{Preprocess, Shape};

use super::{Batches, Fault};
use crate::data::{Augment, Dataset, mix};

/// Batches drawn from a data set. Which images a step gets, and how they vary, depends on seed and step alone.
#[derive(Debug)]
pub struct Images<'a> {
    dataset: &'a Dataset,
    preprocess: &'a Preprocess,
    shape: Shape,
    augment: Augment,
    batch: usize,
    seed: u64,
    order: Option<(usize, Vec<usize>)>,
}

impl<'a> Images<'a> {
    /// Batches of `batch` images, prepared for inputs of `shape`.
    pub fn new(
        dataset: &'a Dataset,
        preprocess: &'a Preprocess,
        shape: Shape,
        augment: Augment,
        batch: usize,
        seed: u64,
    ) -> Self {
        Self { dataset, preprocess, shape, augment, batch, seed, order: None }
    }

    /// The image at a place of the endless sequence of epochs, and its epoch.
    fn at(&mut self, place: usize) -> (usize, usize) {
        let (epoch, within) = (place / self.dataset.len(), place % self.dataset.len());
        if self.order.as_ref().is_none_or(|(of, _)| *of != epoch) {
            let mut order: Vec<usize> = (0..self.dataset.len()).collect();
            order.shuffle(&mut Pcg64Mcg::seed_from_u64(mix(self.seed, epoch as u64)));
            self.order = Some((epoch, order));
        }
        (self.order.as_ref().map_or(within, |(_, order)| order[within]), epoch)
    }
}

impl Batches for Images<'_> {
    fn batch(&mut self, step: usize, images: &mut Vec<f32>, labels: &mut Vec<usize>) -> Result<(), Fault> {
        self.share(step, 0..self.batch, images, labels)
    }

    fn share(
        &mut self,
        step: usize,
        wanted: Range<usize>,
        images: &mut Vec<f32>,
        labels: &mut Vec<usize>,
    ) -> Result<(), Fault> {
        let places: Vec<(usize, usize)> = (step * self.batch..(step + 1) * self.batch).map(|p| self.at(p)).collect();
        let chosen: Vec<usize> = places.iter().map(|&(image, _)| image).collect();
        labels.clear();
        labels.extend(chosen.iter().map(|&i| self.dataset.label(i)));
        // A batch seldom spans two epochs; an image that occurs in both is then varied alike, which does no harm.
        let seed = mix(self.seed ^ 0x5eed, places[0].1 as u64);
        let augment = Some((&self.augment, seed));
        self.dataset
            .load_batch(&chosen[wanted], self.preprocess, self.shape, augment, images)
            .map_err(|e| Fault::Data(Box::new(e)))
    }
}
