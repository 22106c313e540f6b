//! What every [`Backend`] must pass: it computes what the network's layers define, to the bit the same however often and
//! with however many threads, alone and shared out.

use std::sync::Arc;

use synapress_model::layers::{BatchNorm, Convolution, Dropout, InnerProduct, Input, Pooling, Relu, Scale};
use synapress_model::{Error, Graph, Mode, Net, Shape, Weights, share};
use synapress_peers::{Alone, Peers, threads};
use synapress_run::{Executor, Keep};

use super::backend::Backend;
use super::loss::{Target, loss};
use super::trainer::{Rates, Trainer, logits};

const CLASSES: usize = 3;
const BATCH: usize = 8;
const IMAGE: usize = 2 * 36;
const SEED: u64 = 7;
const LABELS: Target<'static> = Target::Labels { labels: &[0, 2, 1, 1, 0, 2, 0, 1], smoothing: 0.1 };

/// Holds what `make` makes, for a network and the most images of a pass, against the layers' definition in `f64`, on a
/// network with all that has a state: batch statistics, dropout, running averages, pruned weights.
///
/// # Panics
/// When it does not conform; the message says in what.
pub fn conformance<B: Backend>(make: impl Fn(&Net, usize) -> Result<B, Error> + Sync) {
    let net = net();
    outputs_and_gradients(&net, &make);
    statistics(&net, &make);
    dropout(&net, &make);
    threads_and_peers(&net, &make);
    masks(&net, &make);
}

/// A pass in training.
fn mode(seed: u64, batch_statistics: bool) -> Mode {
    Mode::Train { seed, batch_statistics }
}

/// Numbers from -1 to 1.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let mut state = seed as u64 * 0x9e37_79b9_7f4a_7c15 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn images() -> Vec<f32> {
    numbers(BATCH * IMAGE, 99)
}

fn net() -> Net {
    build().expect("the network of the test is sound")
}

fn build() -> Result<Net, Error> {
    let mut g = Graph::new();
    let at = g.add("data", Input { shape: Shape::new(2, 6, 6)? }, &[])?;
    let at = g.add("conv", Convolution { bias: false, ..Convolution::square(4, 3, 1, 1) }, &[at])?;
    let at = g.add("bn", BatchNorm { moving_average_fraction: 0.9, ..BatchNorm::default() }, &[at])?;
    let at = g.add("scale", Scale { bias: true }, &[at])?;
    let at = g.add("relu", Relu::default(), &[at])?;
    let at = g.add("pool", Pooling::average(2, 2, 0), &[at])?;
    let at = g.add("conv2", Convolution::square(5, 3, 1, 1), &[at])?;
    let at = g.add("bn2", BatchNorm { moving_average_fraction: 0.9, ..BatchNorm::default() }, &[at])?;
    let at = g.add("scale2", Scale { bias: false }, &[at])?;
    let at = g.add("drop", Dropout { ratio: 0.25 }, &[at])?;
    g.add("fc", InnerProduct { outputs: CLASSES, bias: true }, &[at])?;
    let mut net = Net { weights: vec![None; g.nodes().len()], graph: g, ..Net::default() };
    for id in 0..net.weights.len() {
        let Some(shape) = net.graph.weight_shape(id) else { continue };
        let mut values = numbers(shape.len(), id);
        match net.graph.node(id).layer.kind().name {
            "BatchNorm" => values[shape.dims[1]..].fill(0.6),
            "Scale" => values.iter_mut().for_each(|w| *w = 1.0 + 0.2 * *w),
            _ => values.iter_mut().step_by(3).for_each(|w| *w = 0.0),
        }
        net.weights[id] = Some(Weights::dense(shape.dims, values, numbers(shape.bias_len(), id + 50)));
    }
    Ok(net)
}

/// The layers as they define themselves, each by itself.
struct Oracle(Executor<f64>);

impl Oracle {
    fn new(net: &Net) -> Self {
        Self(Executor::new(net, BATCH, Keep::All).expect("the network of the test is sound"))
    }

    fn scores(&mut self, mode: Mode) -> Vec<f64> {
        let images: Vec<f64> = images().into_iter().map(f64::from).collect();
        self.0.forward(&images, mode).to_vec()
    }

    fn loss(&mut self, mode: Mode) -> f64 {
        let scores = self.scores(mode);
        loss(&scores, CLASSES, LABELS, 1.0, &mut vec![0.0; scores.len()])
    }

    /// The slope of the loss along a weight, or else a bias, of a node.
    fn slope(&mut self, node: usize, bias: bool, at: usize, mode: Mode) -> f64 {
        let mut value = |by: f64| {
            let parts = self.0.parts();
            let of = &mut parts.parameters[node];
            (if bias { &mut of.bias } else { &mut of.weights })[at] += by;
            parts.memos[node].weights_changed();
            self.loss(mode)
        };
        const BY: f64 = 1e-5;
        let above = value(BY);
        let below = value(-2.0 * BY);
        value(BY);
        (above - below) / (2.0 * BY)
    }
}

fn near(found: f32, wanted: f64, what: &str) {
    assert!((f64::from(found) - wanted).abs() < 2e-4 * (1.0 + wanted.abs()), "{what}: {found}, not {wanted}");
}

fn made<B: Backend>(net: &Net, make: &impl Fn(&Net, usize) -> Result<B, Error>) -> B {
    make(net, BATCH).expect("the backend takes the network of the test")
}

/// Loss and gradients of one pass, and what the layer that normalizes found.
fn pass<B: Backend>(backend: &mut B, peers: &dyn Peers, mode: Mode) -> (f64, Vec<Vec<f32>>) {
    let heads = logits(backend.graph());
    let own = share::own(BATCH, peers);
    let loss = backend.learn(peers, &images()[own.start * IMAGE..own.end * IMAGE], LABELS, &heads, mode);
    let found = backend.statistics(2).into_owned();
    let gradients = backend.state().gradients.iter().flat_map(|g| [g.weights.clone(), g.bias.clone()]);
    (loss, gradients.chain([found]).collect())
}

fn outputs_and_gradients<B: Backend>(net: &Net, make: &impl Fn(&Net, usize) -> Result<B, Error>) {
    let (mut backend, mut oracle) = (made(net, make), Oracle::new(net));
    backend.forward(&images(), Mode::Infer);
    let output = backend.output(net.graph.output()).into_owned();
    for (found, wanted) in output.iter().zip(oracle.scores(Mode::Infer)) {
        near(*found, wanted, "a score of inference");
    }
    for batch_statistics in [false, true] {
        let mode = mode(SEED, batch_statistics);
        let (loss, gradients) = pass(&mut backend, &Alone, mode);
        near(loss as f32, oracle.loss(mode), "the loss");
        for (id, node) in
            net.graph.nodes().iter().enumerate().filter(|(_, node)| node.layer.running_average().is_none())
        {
            for (bias, found) in [false, true].iter().zip(&gradients[2 * id..]) {
                for (at, &found) in found.iter().enumerate().step_by(5) {
                    let wanted = oracle.slope(id, *bias, at, mode);
                    near(found, wanted, &format!("gradient {at} of {}, bias: {bias}, {mode:?}", node.name));
                }
            }
        }
    }
    // What is changed is computed with.
    backend.state().parameters[1].weights.iter_mut().for_each(|w| *w *= 0.5);
    backend.changed(1);
    oracle.0.parts().parameters[1].weights.iter_mut().for_each(|w| *w *= 0.5);
    oracle.0.parts().memos[1].weights_changed();
    near(
        pass(&mut backend, &Alone, mode(SEED, false)).0 as f32,
        oracle.loss(mode(SEED, false)),
        "the loss after a change",
    );
}

fn statistics<B: Backend>(net: &Net, make: &impl Fn(&Net, usize) -> Result<B, Error>) {
    let (mut backend, mut oracle) = (made(net, make), Oracle::new(net));
    backend.forward(&images(), mode(SEED, true));
    oracle.scores(mode(SEED, true));
    let (found, wanted) = (backend.statistics(2).into_owned(), &oracle.0.memo(2).saved);
    assert_eq!(found.len(), wanted.len(), "a mean and a variance of each channel");
    found.iter().zip(wanted).for_each(|(&found, &wanted)| near(found, wanted, "a statistic of the batch"));
    backend.forward(&images(), mode(SEED, false));
    assert!(backend.statistics(2).is_empty(), "statistics where none were to be taken");
}

fn dropout<B: Backend>(net: &Net, make: &impl Fn(&Net, usize) -> Result<B, Error>) {
    let mut backend = made(net, make);
    let mut drawn = |seed| pass(&mut backend, &Alone, mode(seed, true));
    let (first, other) = (drawn(1), drawn(2));
    assert_ne!(first, other, "what drops out follows the seed");
    assert_eq!(first, drawn(1), "the same drops out again for a seed");
    backend.without_dropout();
    assert_eq!(
        pass(&mut backend, &Alone, mode(1, true)),
        pass(&mut backend, &Alone, mode(2, true)),
        "nothing drops out"
    );
}

fn threads_and_peers<B: Backend>(net: &Net, make: &(impl Fn(&Net, usize) -> Result<B, Error> + Sync)) {
    let mode = mode(SEED, true);
    let alone = pass(&mut made(net, make), &Alone, mode);
    for count in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().expect("threads can be started");
        let found = pool.install(|| pass(&mut made(net, make), &Alone, mode));
        assert_eq!(found, alone, "bits of {count} threads");
    }
    for count in [2, 4] {
        std::thread::scope(|scope| {
            for one in threads(count) {
                let alone = &alone;
                scope.spawn(move || {
                    let peers: Arc<dyn Peers> = Arc::new(one);
                    let mut backend = made(net, make);
                    backend.share(Arc::clone(&peers), BATCH).expect("the batch can be shared out");
                    assert_eq!(&pass(&mut backend, &*peers, mode), alone, "bits of {count} peers");
                });
            }
        });
    }
}

fn masks<B: Backend>(net: &Net, make: &impl Fn(&Net, usize) -> Result<B, Error>) {
    let mut trainer = Trainer::with(made(net, make), net, true, None).expect("the backend can be trained");
    trainer.normalize_by_batch(0);
    let rates = Rates { learn: 0.05, momentum: 0.9, nesterov: false, decay: 0.01, clip: f32::INFINITY };
    let losses: Vec<f64> = (0..30).map(|step| trainer.step(&images(), LABELS, rates, step)).collect();
    assert!(losses[29] < 0.8 * losses[0], "nothing is learned: {} after {}", losses[29], losses[0]);
    let trained = trainer.net();
    for (id, (before, after)) in net.weights.iter().zip(&trained.weights).enumerate() {
        let (Some(before), Some(after), true) = (before, after, net.graph.node(id).layer.running_average().is_none())
        else {
            continue;
        };
        let pairs = || before.values().into_owned().into_iter().zip(after.values().into_owned());
        assert!(pairs().filter(|(w, _)| *w == 0.0).all(|(_, w)| w == 0.0), "pruned weights stay zero");
        assert!(pairs().any(|(before, after)| before != after), "weights learn");
    }
}
