//! Compares the gradients of a layer with central finite differences in `f64`, and its two float types with each
//! other. A case is a layer, the shapes of its inputs and, where it matters, the range its weights are drawn from.
//!
//! The loss is a random weighting of the outputs, so every output counts. Inputs are a random permutation of an even
//! grid: no value lies at zero and no two are closer than the step of the differences, so that kinks (ReLU, maxima)
//! are never straddled.

#![allow(dead_code, reason = "each test takes what it needs")]

use synapress_kernels::real::Real;
use synapress_model::pass::{InputGradient, Memo, Scratch};
use synapress_model::{Backward, Float, Forward, Layer, Mode, Shape, WeightShape};

/// Images of a batch.
pub const BATCH: usize = 3;
/// Step of the finite differences.
const STEP: f64 = 1e-5;
/// Allowed difference of gradients, relative to 1 + magnitude.
const TOLERANCE: f64 = 1e-6;
/// The same seed for every pass, so that what is drawn (dropout) stays the same.
const TRAIN: Mode = Mode::Train { seed: 7, batch_statistics: false };

/// A layer to be checked.
#[derive(Debug)]
pub struct Case {
    /// The layer.
    pub layer: Box<dyn Layer>,
    /// Shapes of its inputs.
    pub inputs: Vec<Shape>,
    /// Weights and biases are drawn evenly from this range.
    pub weights: [f64; 2],
    /// Whether its weights take no gradient at all.
    pub frozen: bool,
    /// Inputs lie between minus and plus this.
    pub spread: f64,
    /// How it is trained.
    pub mode: Mode,
}

impl Case {
    /// A case of inputs `[channels, height, width]`.
    pub fn new(layer: impl Layer + 'static, inputs: &[[usize; 3]]) -> Self {
        let inputs = inputs.iter().map(|&[c, h, w]| Shape::new(c, h, w).unwrap()).collect();
        Self { layer: Box::new(layer), inputs, weights: [-1.0, 1.0], frozen: false, spread: 2.0, mode: TRAIN }
    }

    /// The same with weights from this range.
    pub fn weights(mut self, low: f64, high: f64) -> Self {
        self.weights = [low, high];
        self
    }

    /// The same with weights that must take no gradient.
    pub fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// The same, normalized by the statistics of a batch.
    pub fn by_batch(mut self) -> Self {
        self.mode = Mode::Train { seed: 7, batch_statistics: true };
        self
    }

    /// The same with inputs up to this magnitude.
    pub fn spread(mut self, spread: f64) -> Self {
        self.spread = spread;
        self
    }
}

/// Numbers by seed (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// So many numbers of a range.
    pub fn even(&mut self, n: usize, [low, high]: [f64; 2]) -> Vec<f64> {
        (0..n).map(|_| low + (high - low) * ((self.bits() >> 11) as f64 / (1u64 << 53) as f64)).collect()
    }

    /// A permutation of `n` evenly spaced numbers between `-spread` and `spread`, none of them zero.
    pub fn grid(&mut self, n: usize, spread: f64) -> Vec<f64> {
        let step = 2.0 * spread / (n + n % 2) as f64;
        let mut values: Vec<f64> = (0..n).map(|i| (i as f64 + 0.5) * step - spread).collect();
        for i in (1..n).rev() {
            values.swap(i, (self.bits() % (i as u64 + 1)) as usize);
        }
        values
    }
}

/// A layer's numbers, in either type.
#[derive(Clone, Debug)]
struct Data<T> {
    inputs: Vec<Vec<T>>,
    weights: Vec<T>,
    bias: Vec<T>,
}

impl Data<f64> {
    /// Numbers that `f32` holds exactly would hide its rounding: these are any.
    fn single(&self) -> Data<f32> {
        let narrow = |v: &Vec<f64>| v.iter().map(|&x| x as f32).collect::<Vec<_>>();
        Data {
            inputs: self.inputs.iter().map(narrow).collect(),
            weights: narrow(&self.weights),
            bias: narrow(&self.bias),
        }
    }
}

struct Run<T: Real> {
    output: Vec<T>,
    memo: Memo<T>,
    scratch: Scratch<T>,
}

fn forward<T: Real>(case: &Case, data: &Data<T>, batch: usize, mode: Mode, in_place: bool) -> Run<T>
where
    dyn Layer: Float<T>,
{
    let output_shape = case.layer.output_shape(&case.inputs).unwrap();
    let mut memo = Memo::default();
    let mut scratch = Scratch::default();
    let nan = T::of64(f64::NAN);
    let mut output = if in_place { data.inputs[0].clone() } else { vec![nan; batch * output_shape.len()] };
    let whole: Vec<&[T]> = data.inputs.iter().zip(&case.inputs).map(|(x, s)| &x[..batch * s.len()]).collect();
    case.layer.forward(Forward {
        batch,
        inputs: if in_place { &[&[]] } else { &whole },
        input_shapes: &case.inputs,
        output: &mut output,
        output_shape,
        weights: &data.weights,
        bias: &data.bias,
        memo: &mut memo,
        scratch: &mut scratch,
        mode,
        rectified: false,
        scaled: None,
    });
    Run { output, memo, scratch }
}

/// Gradients of the inputs, the weights and the bias.
type Gradients = (Vec<Vec<f64>>, Vec<f64>, Vec<f64>);

/// What a backward pass is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ask {
    /// Everything, the inputs' gradients overwritten.
    Overwrite,
    /// Everything, the inputs' gradients added to.
    Add,
    /// Everything, output and gradient over the input's.
    InPlace,
    /// The parameters' gradients alone.
    Parameters,
    /// The inputs' gradients alone.
    Inputs,
}

fn backward(case: &Case, data: &Data<f64>, loss: &[f64], ask: Ask) -> Gradients {
    let mut run = forward::<f64>(case, data, BATCH, case.mode, ask == Ask::InPlace);
    let mut numbers = Numbers(99);
    let mut start = |n: usize| numbers.even(n, [-1.0, 1.0]);
    let before: Vec<Vec<f64>> = match ask {
        Ask::Add => data.inputs.iter().map(|x| start(x.len())).collect(),
        Ask::InPlace => vec![loss.to_vec()],
        // Whoever reads what is to be overwritten is found out.
        _ => data.inputs.iter().map(|x| vec![f64::NAN; x.len()]).collect(),
    };
    let (weights_before, bias_before) = match ask {
        Ask::Inputs => (vec![], vec![]),
        _ => (start(data.weights.len()), start(data.bias.len())),
    };
    let mut after = before.clone();
    let (mut weight_gradient, mut bias_gradient) = (weights_before.clone(), bias_before.clone());
    let mut targets: Vec<Option<InputGradient<f64>>> = after
        .iter_mut()
        .map(|data| (ask != Ask::Parameters).then_some(InputGradient { data, add: ask == Ask::Add }))
        .collect();
    let whole: Vec<&[f64]> = data.inputs.iter().map(Vec::as_slice).collect();
    let in_place = ask == Ask::InPlace;
    case.layer.backward(Backward {
        batch: BATCH,
        inputs: if in_place { &[&[]] } else { &whole },
        input_shapes: &case.inputs,
        output: &run.output,
        output_shape: case.layer.output_shape(&case.inputs).unwrap(),
        output_gradient: if in_place { &[] } else { loss },
        input_gradients: &mut targets,
        weights: &data.weights,
        weight_gradient: &mut weight_gradient,
        bias_gradient: &mut bias_gradient,
        memo: &mut run.memo,
        scratch: &mut run.scratch,
        scaled: None,
    });
    if ask == Ask::Add {
        for (after, before) in after.iter_mut().zip(&before) {
            subtract(after, before);
        }
    }
    subtract(&mut weight_gradient, &weights_before);
    subtract(&mut bias_gradient, &bias_before);
    (after, weight_gradient, bias_gradient)
}

fn subtract(from: &mut [f64], what: &[f64]) {
    from.iter_mut().zip(what).for_each(|(a, b)| *a -= b);
}

/// The slope of the loss along each of the numbers that `select` picks.
fn slopes(case: &Case, data: &Data<f64>, loss: &[f64], select: impl Fn(&mut Data<f64>) -> &mut Vec<f64>) -> Vec<f64> {
    let mut moved = data.clone();
    let count = select(&mut moved).len();
    let value = |data: &Data<f64>| {
        let output = forward(case, data, BATCH, case.mode, false).output;
        output.iter().zip(loss).map(|(y, r)| y * r).sum::<f64>()
    };
    (0..count)
        .map(|i| {
            let x = select(&mut moved)[i];
            select(&mut moved)[i] = x + STEP;
            let above = value(&moved);
            select(&mut moved)[i] = x - STEP;
            let below = value(&moved);
            select(&mut moved)[i] = x;
            (above - below) / (2.0 * STEP)
        })
        .collect()
}

fn compare(case: &Case, what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what} of {:?}", case.layer);
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let far = (f - e).abs() > tolerance * (1.0 + e.abs());
        assert!(!far && f.is_finite(), "{what} {i} of {:?} on {:?}: {f}, expected {e}", case.layer, case.inputs);
    }
}

/// Checks everything the float execution of a layer promises.
///
/// # Panics
/// When something does not hold, naming it.
pub fn check(case: &Case) {
    let mut numbers = Numbers(1);
    let total = case.inputs.iter().map(Shape::len).sum::<usize>() * BATCH;
    let mut grid = numbers.grid(total, case.spread);
    let inputs = case.inputs.iter().map(|s| grid.split_off(grid.len() - BATCH * s.len())).collect();
    let shape = case.layer.weight_shape(&case.inputs).unwrap_or(WeightShape { dims: [0; 4], bias: false });
    let (weights, bias) = (numbers.even(shape.len(), case.weights), numbers.even(shape.bias_len(), case.weights));
    let data = Data { inputs, weights, bias };
    let output = forward(case, &data, BATCH, case.mode, false).output;
    let loss = numbers.even(output.len(), [-1.0, 1.0]);

    let input_slopes: Vec<Vec<f64>> =
        (0..data.inputs.len()).map(|i| slopes(case, &data, &loss, |d| &mut d.inputs[i])).collect();
    let (mut weight_slopes, mut bias_slopes) =
        (slopes(case, &data, &loss, |d| &mut d.weights), slopes(case, &data, &loss, |d| &mut d.bias));
    if case.frozen {
        weight_slopes.fill(0.0);
        bias_slopes.fill(0.0);
    }
    let mut asks = vec![Ask::Overwrite, Ask::Add, Ask::Parameters, Ask::Inputs];
    if case.layer.in_place() {
        asks.push(Ask::InPlace);
        for mode in [case.mode, Mode::Infer] {
            let apart = forward(case, &data, BATCH, mode, false).output;
            assert_eq!(forward(case, &data, BATCH, mode, true).output, apart, "{:?} in place", case.layer);
        }
    }
    assert!(!case.layer.is_view() || case.layer.in_place(), "{:?}: a view works in place", case.layer);
    for ask in asks {
        let (inputs, weights, bias) = backward(case, &data, &loss, ask);
        if ask != Ask::Parameters {
            for (i, (found, expected)) in inputs.iter().zip(&input_slopes).enumerate() {
                compare(case, &format!("{ask:?}: gradient of input {i}, element"), found, expected, TOLERANCE);
            }
        }
        if ask != Ask::Inputs {
            compare(case, &format!("{ask:?}: gradient of weight"), &weights, &weight_slopes, TOLERANCE);
            compare(case, &format!("{ask:?}: gradient of bias"), &bias, &bias_slopes, TOLERANCE);
        }
    }
    check_inference(case, &data);
}

fn check_inference(case: &Case, data: &Data<f64>) {
    let output = forward(case, data, BATCH, Mode::Infer, false).output;
    let one = forward(case, data, 1, Mode::Infer, false).output;
    compare(case, "one image alone: output", &one, &output[..one.len()], 1e-12);
    if case.layer.is_view() {
        assert_eq!(output, data.inputs[0], "{:?}: a view passes on its input", case.layer);
    }
    let single = forward(case, &data.single(), BATCH, Mode::Infer, false).output;
    let single: Vec<f64> = single.into_iter().map(f64::from).collect();
    compare(case, "single precision: output", &single, &output, 1e-4);
}
