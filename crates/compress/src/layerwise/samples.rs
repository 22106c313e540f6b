//! Where layers are looked at: sampled positions, the patches that a window reads there, and the float network's
//! outputs there.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;
use synapress_kernels::columns::Window;
use synapress_model::linear::Linear;
use synapress_model::{NodeId, Shape};

use super::pooled;

/// Which positions of which images are sampled; the same for both networks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Positions {
    pub images: usize,
    /// The most positions of one image.
    pub most: usize,
    pub seed: u64,
}

impl Positions {
    /// How many positions of one image are sampled of outputs of this shape.
    pub fn count(&self, output: Shape) -> usize {
        output.area().min(self.most)
    }

    /// The sampled positions of one image, ascending.
    fn of(&self, id: NodeId, image: usize, output: Shape) -> Vec<usize> {
        let area = output.area();
        if area <= self.most {
            return (0..area).collect();
        }
        let place = (id as u64) << 32 | image as u64;
        let mut rng = Pcg64Mcg::seed_from_u64(self.seed ^ (place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut chosen = rand::seq::index::sample(&mut rng, area, self.most).into_vec();
        chosen.sort_unstable();
        chosen
    }

    /// Outputs `(n, C, H, W)` at the sampled positions: `(samples, C)`, the first image being `first`.
    pub fn outputs(&self, id: NodeId, first: usize, shape: Shape, outputs: &[f32], to: &mut [f32]) {
        let (area, count) = (shape.area(), self.count(shape));
        to.par_chunks_mut(count * shape.channels).zip(outputs.par_chunks(shape.len())).enumerate().for_each(
            |(image, (to, from))| {
                for (&p, row) in self.of(id, first + image, shape).iter().zip(to.chunks_mut(shape.channels)) {
                    row.iter_mut().enumerate().for_each(|(c, y)| *y = from[c * area + p]);
                }
            },
        );
    }

    /// What a classifier reads if not the whole plane but parts of it are averaged: planes `(n, C, H, W)`, the first
    /// image being `first`, to `(n x samples of an image, C)`.
    pub fn means(&self, id: NodeId, first: usize, planes: Shape, values: &[f32]) -> Vec<f32> {
        pooled::means(self.seed ^ (id as u64) << 32, first, planes, values, self.most)
    }

    /// The patches that one group of a layer reads at the sampled positions of all images: `(samples, taps)`.
    pub fn patches(&self, id: NodeId, linear: &Linear, group: usize, inputs: &[f32]) -> Vec<f32> {
        let taps = linear.taps();
        let count = self.count(linear.output);
        let mut patches = vec![0.0; self.images * count * taps];
        patches.par_chunks_mut(count * taps).zip(inputs.par_chunks(linear.input.len())).enumerate().for_each(
            |(image, (to, from))| {
                for (&p, row) in self.of(id, image, linear.output).iter().zip(to.chunks_mut(taps)) {
                    patch(linear, group, p, from, row);
                }
            },
        );
        patches
    }
}

/// What the window reads of one image at one position, zero beyond the border.
fn patch(linear: &Linear, group: usize, position: usize, image: &[f32], to: &mut [f32]) {
    let channels = linear.input.channels / linear.groups;
    let Window { kernel, stride, pad, dilation, .. } = linear.window;
    let [height, width] = linear.input.size();
    let (y, x) = (position / linear.output.width, position % linear.output.width);
    let mut taps = to.iter_mut();
    for c in group * channels..(group + 1) * channels {
        let plane = &image[c * height * width..][..height * width];
        for ky in 0..kernel[0] {
            let iy = (y * stride[0] + ky * dilation[0]).wrapping_sub(pad[0]);
            for (kx, tap) in (0..kernel[1]).zip(&mut taps) {
                let ix = (x * stride[1] + kx * dilation[1]).wrapping_sub(pad[1]);
                *tap = if iy < height && ix < width { plane[iy * width + ix] } else { 0.0 };
            }
        }
    }
}
