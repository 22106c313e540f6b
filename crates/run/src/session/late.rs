//! Steps whose weights stay as a file stores them: decoded anew for every run, large layers some outputs at a time.

use std::sync::Arc;

use synapress_kernels::blocked::{Buffer, Team};
use synapress_model::linear::IntegerWeights;
use synapress_model::{Error, Graph, Source};

use super::linear::Product;
use super::plan::Way;
use super::step::{Recipe, Work};

/// Work that is prepared when it is due, and where its weights lie until then.
#[derive(Debug)]
pub(super) struct Late {
    pub recipe: Recipe,
    pub source: Arc<dyn Source>,
}

impl Late {
    /// The work, with all weights.
    pub fn work(&self, graph: &Graph) -> Result<Work, Error> {
        let weights = self.source.weights(self.recipe.planned.node)?;
        Ok(self.recipe.work(graph, weights.map(IntegerWeights::consume).transpose()?))
    }

    /// Computes a layer of many weights some outputs at a time. Whether that was possible.
    pub fn run_pieces(
        &self,
        input: &[u32],
        output: &mut [u32],
        apart: &mut Buffer,
        team: &Team,
    ) -> Result<bool, Error> {
        let Recipe { kernel, planned, places, output: to, input_formats, output_format, .. } = &self.recipe;
        let Way::Sums(g) = planned.way else { return Ok(false) };
        let rows = (PIECE / g.taps().max(1) / ALIGNED).max(1) * ALIGNED;
        if rows >= g.output.channels || g.groups > 1 {
            return Ok(false);
        }
        let mut all = true;
        self.source.pieces(planned.node, rows, &mut |first, weights| {
            let weights = IntegerWeights::consume(weights)?;
            let outputs = first..first + weights.dims[0];
            let mut g = g;
            g.output.channels = outputs.len();
            let product = to.part(outputs).and_then(|to| {
                let (maps, formats) = ([places[0], to], [input_formats[0], *output_format]);
                Some((Product::new(*kernel, &g, &weights, maps, formats, &planned.later)?, to))
            });
            match product {
                Some((product, to)) if all => product.run([&places[0], &to], input, output, apart, team),
                _ => all = false,
            }
            Ok(())
        })?;
        Ok(all)
    }
}

/// Weights of a piece, more or less, and what its outputs come in multiples of: those of a tile, of any cell.
const PIECE: usize = 1 << 15;
const ALIGNED: usize = 16;
