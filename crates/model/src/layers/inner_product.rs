//! InnerProduct: a fully connected layer.

use rayon::prelude::*;
use synapress_kernels::columns::Window;
use synapress_kernels::real::{Left, Mat, Real};

use super::relu::rectify;
use crate::attributes::Attributes;
use crate::error::Error;
use crate::fixed::Fixed;
use crate::layer::{IntegerForward, Kind, Layer};
use crate::linear::{IntegerWeights, Linear};
use crate::pass::{Backward, Float, Forward};
use crate::shape::Shape;
use crate::share;
use crate::weights::WeightShape;

pub(super) const KIND: Kind = Kind {
    name: "InnerProduct",
    caffe: &["InnerProduct", "INNER_PRODUCT"],
    parameter: "inner_product_param",
    inputs: [1, 1],
    read: |a| {
        let outputs = a.get::<usize>("num_output")?.ok_or_else(|| super::senseless("num_output is missing"))?;
        let bias = a.get_or("bias_term", true)?;
        if a.get_or::<i64>("axis", 1)? != 1 || a.get_or("transpose", false)? {
            return Err(super::senseless("only axis: 1 and transpose: false are supported"));
        }
        a.ignore(&["weight_filler", "bias_filler"]);
        a.finish()?;
        if outputs == 0 {
            return Err(super::senseless("num_output must be at least 1"));
        }
        super::boxed(InnerProduct { outputs, bias })
    },
};

/// Weighted sums over the whole input.
#[derive(Clone, Copy, Debug)]
pub struct InnerProduct {
    /// Number of outputs.
    pub outputs: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

/// Up to this many images a row of weights is read once for all of them by plain dot products; a GEMM would spend its
/// time on arranging weights that are used once.
const FEW: usize = 2;

/// Rows of weights in one piece of work, the same for any number of threads.
const ROWS: usize = 64;

impl Layer for InnerProduct {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        Attributes::new().with("num_output", self.outputs).with_unless("bias_term", self.bias, true)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        super::only(inputs)?;
        Shape::new(self.outputs, 1, 1)
    }

    fn weight_shape(&self, inputs: &[Shape]) -> Option<WeightShape> {
        Some(WeightShape { dims: [self.outputs, inputs.first()?.len(), 1, 1], bias: self.bias })
    }

    fn sums_over_peers(&self) -> bool {
        true
    }

    fn forgets_output(&self) -> bool {
        true
    }

    fn linear(&self, inputs: &[Shape]) -> Option<Linear> {
        let input = super::only(inputs).ok()?;
        let window = Window { kernel: input.size(), stride: [1; 2], pad: [0; 2], pad_end: [0; 2], dilation: [1; 2] };
        let output = Shape::new(self.outputs, 1, 1).ok()?;
        Some(Linear { fully_connected: true, groups: 1, window, input, output })
    }

    fn verify_integer(
        &self,
        inputs: &[Fixed],
        _output: Fixed,
        weights: Option<&IntegerWeights>,
        _table: &[i16],
    ) -> Result<(), Error> {
        weights.map_or(Ok(()), |w| w.verify(inputs[0]))
    }

    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        let g = self.linear(io.input_shapes).ok_or_else(|| super::senseless("one input is needed"))?;
        super::integer_sums(&g, io)
    }
}

/// Sums in 16 interleaved parts, which vectorize, added pairwise at the end.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut parts = [T::default(); 16];
    let (a16, b16) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest = a16.remainder().iter().zip(b16.remainder()).fold(T::default(), |s, (&x, &y)| s + x * y);
    for (x, y) in a16.zip(b16) {
        for i in 0..16 {
            parts[i] += x[i] * y[i];
        }
    }
    let mut width = 8;
    while width > 0 {
        for i in 0..width {
            let other = parts[i + width];
            parts[i] += other;
        }
        width /= 2;
    }
    parts[0] + rest
}

impl<T: Real> Float<T> for InnerProduct {
    fn forward(&self, io: Forward<'_, T>) {
        let (n, k, m) = (io.images(), io.input_shapes[0].len(), self.outputs);
        let input = io.inputs[0];
        let product = crate::pass::front(&mut io.scratch.lanes[0].matrix, m * n);
        // The product is outputs x images; images come first in the result.
        product.par_chunks_mut(ROWS * n).zip(io.weights.par_chunks(ROWS * k)).enumerate().for_each(|(i, (out, w))| {
            let rows = w.len() / k;
            let bias = (!io.bias.is_empty()).then(|| &io.bias[i * ROWS..][..rows]);
            if io.batch <= FEW {
                for (r, row) in w.chunks_exact(k).enumerate() {
                    for (image, x) in input.chunks_exact(k).enumerate() {
                        out[r * n + image] = dot(row, x) + bias.map_or(T::default(), |b| b[r]);
                    }
                }
            } else {
                let packed = T::pack(Mat::new(w, rows, k), None);
                T::gemm(Left::Packed(&packed), Mat::new(input, n, k).transposed(), out, false, bias);
            }
        });
        for (image, out) in io.output.chunks_exact_mut(m).enumerate() {
            for (o, y) in out.iter_mut().enumerate() {
                let sum = product[o * n + image];
                *y = if io.rectified { rectify(sum) } else { sum };
            }
        }
    }

    fn backward(&self, io: Backward<'_, T>) {
        let (n, k, m) = (io.images(), io.input_shapes[0].len(), self.outputs);
        let gradient = Mat::new(io.output_gradient, n, m);
        let peers = &*io.scratch.peers;
        if !(io.weight_gradient.is_empty() && io.bias_gradient.is_empty()) {
            // What peers read and what they are told is less than their gradients of the weights.
            let whole = share::rows(peers, io.batch, m, io.output_gradient);
            if !io.weight_gradient.is_empty() {
                let packed = T::pack(Mat::new(&whole, io.batch, m).transposed(), None);
                let inputs = share::rows(peers, io.batch, k, io.inputs[0]);
                T::gemm(Left::Packed(&packed), Mat::new(&inputs, io.batch, k), io.weight_gradient, true, None);
            }
            if !io.bias_gradient.is_empty() {
                for image in whole.chunks_exact(m) {
                    super::add_all(io.bias_gradient, image);
                }
            }
        }
        if let Some(target) = &mut io.input_gradients[0] {
            // Packed, because a single row would take a path whose blocks depend on the number of threads.
            let packed = T::pack(gradient, None);
            T::gemm(Left::Packed(&packed), Mat::new(io.weights, m, k), target.data, target.add, None);
        }
    }
}
