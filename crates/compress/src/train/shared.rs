//! Training that is shared out to several: bits are those of one who does it alone.

use synapress_model::layers::{
    BatchNorm, Convolution, Dropout, Eltwise, InnerProduct, Input, Operation, PRelu, Pooling, Relu, Scale, Softmax,
};
use synapress_model::{Graph, Shape, Weights};
use synapress_peers::{Alone, threads};

use super::*;
use crate::prune::tests::numbers;

const IMAGE: usize = 3 * 64;

/// Two convolutions of which one is grouped, everything that normalizes and drops out, in place and not, a sum of two ways.
pub(super) fn net() -> Net {
    let mut g = Graph::new();
    let at = g.add("data", Input { shape: Shape::new(3, 8, 8).unwrap() }, &[]).unwrap();
    let conv = Convolution { bias: false, ..Convolution::square(6, 3, 1, 1) };
    let at = g.add("conv", conv, &[at]).unwrap();
    let at = g.add("bn", BatchNorm { moving_average_fraction: 0.9, ..BatchNorm::default() }, &[at]).unwrap();
    let at = g.add("scale", Scale { bias: true }, &[at]).unwrap();
    let way = g.add("relu", Relu::default(), &[at]).unwrap();
    let grouped = Convolution { groups: 2, ..Convolution::square(6, 3, 1, 1) };
    let at = g.add("grouped", grouped, &[way]).unwrap();
    let at = g.add("bn2", BatchNorm::default(), &[at]).unwrap();
    let at = g.add("prelu", PRelu { shared: false }, &[at]).unwrap();
    let at = g.add("sum", Eltwise { operation: Operation::Sum(vec![1.0; 2]) }, &[at, way]).unwrap();
    let at = g.add("drop", Dropout { ratio: 0.3 }, &[at]).unwrap();
    let at = g.add("pool", Pooling::average(4, 4, 0), &[at]).unwrap();
    let at = g.add("fc", InnerProduct { outputs: 7, bias: true }, &[at]).unwrap();
    let at = g.add("drop2", Dropout { ratio: 0.2 }, &[at]).unwrap();
    let at = g.add("fc2", InnerProduct { outputs: 3, bias: true }, &[at]).unwrap();
    g.add("prob", Softmax { loss_weight: 1.0 }, &[at]).unwrap();
    let mut net = Net { weights: vec![None; g.nodes().len()], graph: g, ..Net::default() };
    for id in 0..net.weights.len() {
        let Some(shape) = net.graph.weight_shape(id) else { continue };
        let (len, channels) = (shape.len(), shape.len() / 2);
        let values = match net.graph.node(id).layer.kind().name {
            "BatchNorm" => [vec![0.1; channels], vec![0.7; channels]].concat(),
            "Scale" => vec![1.0; len],
            // Some are pruned.
            _ => numbers(len, id as u64)
                .iter()
                .enumerate()
                .map(|(i, w)| if i % 5 == 1 { 0.0 } else { w * 0.4 })
                .collect(),
        };
        net.weights[id] = Some(Weights::dense(shape.dims, values, vec![0.05; shape.bias_len()]));
    }
    net
}

struct Random(usize);

impl Batches for Random {
    fn batch(&mut self, step: usize, images: &mut Vec<f32>, labels: &mut Vec<usize>) -> Result<(), Fault> {
        *images = numbers(self.0 * IMAGE, step as u64);
        *labels = (0..self.0).map(|i| (i * i + step) % 3).collect();
        Ok(())
    }
}

/// What each of some peers gets from training.
fn each(count: usize, f: impl Fn(&Arc<dyn Peers>) -> Result<Net, Fault> + Sync) -> Vec<Result<Net, Fault>> {
    std::thread::scope(|scope| {
        let f = &f;
        let work = threads(count).into_iter().map(|one| {
            scope.spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
                let peers: Arc<dyn Peers> = Arc::new(one);
                pool.install(|| f(&peers))
            })
        });
        work.collect::<Vec<_>>().into_iter().map(|w| w.join().unwrap()).collect()
    })
}

fn options(batch: usize) -> Options {
    Options {
        steps: 8,
        batch,
        learning_rate: 0.05,
        clip: 1.0,
        batch_statistics: true,
        nesterov: true,
        ..Options::default()
    }
}

#[test]
fn peers_get_the_bits_of_one_alone() {
    let net = net();
    let mut other = net.clone();
    let last = net.graph.find("fc2").unwrap();
    let shape = net.graph.weight_shape(last).unwrap();
    other.weights[last] = Some(Weights::dense(shape.dims, numbers(shape.len(), 5), vec![0.1; shape.bias_len()]));
    // Of 127 images the last lane has fewer; 5 images are lanes of 2, 2 and 1.
    for (batch, counts) in [(8, &[2, 4][..]), (127, &[2, 4]), (5, &[2]), (4, &[4])] {
        for teacher in [None, Some(&other)] {
            for batch_statistics in [true, false] {
                let options = Options { batch_statistics, ..options(batch) };
                let run = |peers: &Arc<dyn Peers>| {
                    let mut losses = 0.0;
                    let mut told = |p: Progress, _: &mut dyn FnMut() -> Net| {
                        losses += p.loss;
                        true
                    };
                    let trained =
                        train(&net, teacher, &mut Random(batch), true, None, &options, None, peers, &mut told)?;
                    assert!(losses.is_finite());
                    Ok(trained)
                };
                let alone = run(&(Arc::new(Alone) as Arc<dyn Peers>)).unwrap();
                assert_ne!(alone.weights, net.weights);
                for &count in counts {
                    for found in each(count, run) {
                        let found = found.unwrap();
                        for (id, weights) in found.weights.iter().enumerate() {
                            let name = &net.graph.node(id).name;
                            assert_eq!(weights, &alone.weights[id], "{name}, {batch} images, {count} peers");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_shared_job_goes_on_with_another_number_of_peers() {
    let (net, options, folder) = (net(), options(8), tempfile::tempdir().unwrap());
    let checkpoint = Checkpoint { path: folder.path().join("training.syn"), every: 2 };
    let run = |peers: &Arc<dyn Peers>, until: usize, kept: Option<&Checkpoint>| {
        // One of them alone wants to stop.
        let mut told = |p: Progress, _: &mut dyn FnMut() -> Net| p.step < until || peers.rank() + 1 < peers.count();
        train(&net, None, &mut Random(8), true, None, &options, kept, peers, &mut told)
    };
    let alone = run(&(Arc::new(Alone) as Arc<dyn Peers>), usize::MAX, None).unwrap();
    for stopped in each(2, |peers| run(peers, 3, Some(&checkpoint))) {
        assert!(matches!(stopped, Err(Fault::Stopped { step: 3 })));
    }
    for found in each(4, |peers| run(peers, usize::MAX, Some(&checkpoint))) {
        assert_eq!(found.unwrap().weights, alone.weights);
    }
    // The job is whole on disk; a peer that does not see it is found out.
    let elsewhere = Checkpoint { path: folder.path().join("none.syn"), every: 2 };
    for found in each(2, |peers| run(peers, usize::MAX, Some([&checkpoint, &elsewhere][peers.rank()]))) {
        assert!(matches!(found, Err(Fault::Peers { rank: 1 })));
    }
}

#[test]
fn batches_that_cannot_be_shared_out_are_refused() {
    let net = net();
    for (batch, count, what) in [(8, 3, "1, 2 or 4"), (3, 4, "multiple of 4")] {
        let run = |peers: &Arc<dyn Peers>| {
            train(&net, None, &mut Random(batch), true, None, &options(batch), None, peers, &mut |_, _| true)
        };
        for refused in each(count, run) {
            let message = refused.unwrap_err().to_string();
            assert!(message.contains(what), "{message}");
        }
    }
}
