//! More samples for a classifier behind a global mean: an image gives it but one vector, fewer than it has inputs. The
//! mean over any part of the pooled plane is as good an input, so parts are sampled too.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;
use synapress_model::{Graph, NodeId, Shape};

/// The pooling layer whose output, a mean over the whole plane, a fully connected layer (or one on a plane of a single
/// pixel) reads; nothing but views and dropout lies between.
pub(crate) fn source(graph: &Graph, id: NodeId) -> Option<NodeId> {
    let linear = graph.node(id).layer.linear(&graph.input_shapes(id))?;
    if linear.input.area() != 1 || linear.groups != 1 || linear.taps() != linear.input.channels {
        return None;
    }
    let mut at = *graph.node(id).inputs.first()?;
    loop {
        let node = graph.node(at);
        let &[input] = &node.inputs[..] else { return None };
        let shape = graph.shape(input);
        if node.layer.kind().name == "Pooling" {
            let is_mean = matches!(node.layer.attributes().text("pool"), Ok(Some("AVE")));
            let whole = graph.shape(at).area() == 1 && shape.area() > 1;
            return (is_mean && whole).then_some(at);
        }
        if !(node.layer.is_view() || node.layer.kind().name == "Dropout") {
            return None;
        }
        at = input;
    }
}

/// Parts of a plane: first and past-the-last row, then column.
type Part = [usize; 4];

/// The parts sampled of one image: first the whole plane, then rectangles of at least half its sides.
fn parts(seed: u64, image: usize, shape: Shape, count: usize) -> Vec<Part> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed ^ (image as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut side = |size: usize| {
        let length = rng.random_range(size.div_ceil(2)..=size);
        let start = rng.random_range(0..=size - length);
        [start, start + length]
    };
    let mut all = vec![[0, shape.height, 0, shape.width]];
    for _ in 1..count {
        let ([top, bottom], [left, right]) = (side(shape.height), side(shape.width));
        all.push([top, bottom, left, right]);
    }
    all
}

/// Means over the sampled parts of planes `(n, C, H, W)`, the first image being `first`: `(n x count, C)`.
pub(crate) fn means(seed: u64, first: usize, shape: Shape, planes: &[f32], count: usize) -> Vec<f32> {
    let mut out = vec![0.0; planes.len() / shape.len() * count * shape.channels];
    out.par_chunks_mut(count * shape.channels).zip(planes.par_chunks(shape.len())).enumerate().for_each(
        |(image, (to, planes))| {
            for (part, to) in parts(seed, first + image, shape, count).iter().zip(to.chunks_mut(shape.channels)) {
                let &[top, bottom, left, right] = part;
                let scale = 1.0 / ((bottom - top) * (right - left)) as f32;
                for (plane, mean) in planes.chunks(shape.area()).zip(to) {
                    let rows = plane[top * shape.width..bottom * shape.width].chunks(shape.width);
                    *mean = scale * rows.map(|row| row[left..right].iter().sum::<f32>()).sum::<f32>();
                }
            }
        },
    );
    out
}
