//! Floating point execution as a classifier.

use synapress_model::{Error, Float, Layer, Mode, Shape};
use synapress_run::{Executor, Scores};

use super::Classifier;

impl Classifier for Executor<f32>
where
    dyn Layer: Float<f32>,
{
    fn input(&self) -> Shape {
        self.input_shape()
    }

    fn classes(&self) -> usize {
        Executor::classes(self)
    }

    fn batch(&self) -> usize {
        Executor::batch(self)
    }

    fn kind(&self) -> Scores {
        match self.graph().node(self.graph().output()).layer.kind().name {
            "Softmax" => Scores::Probabilities,
            _ => Scores::Logits,
        }
    }

    fn scores(&mut self, images: &[f32], out: &mut Vec<f32>) -> Result<(), Error> {
        out.clear();
        out.extend_from_slice(self.forward(images, Mode::Infer));
        Ok(())
    }
}
