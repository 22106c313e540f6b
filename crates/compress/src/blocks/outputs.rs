//! What is computed with a block: its outputs, the spread of these, and the pace at which its parameters learn.

use synapress_model::{Error, Graph, Mode, Net};
use synapress_run::{Executor, Keep};

use super::cut::{Block, part};
use crate::quantize::requantize;

/// Images of one pass; activations are held for whole passes, so that they do not depend on when images were added.
pub(super) const PASS: usize = 16;

/// The outputs of a block of a network for what it reads, `count` images of it; through the integers of a quantized
/// network if there is one. A block without nodes passes what it reads.
pub(super) fn run(
    net: &Net,
    through: Option<&Net>,
    block: Block,
    inputs: &[f32],
    count: usize,
) -> Result<Vec<f32>, Error> {
    let [from, to] = [block.from, block.to].map(|id| net.graph.shape(id).len());
    let inputs = &inputs[..count * from];
    if block.from == block.to || count == 0 {
        return Ok(inputs.to_vec());
    }
    let (mut own, _) = part(net, block)?;
    let mut formats = None;
    if let Some(through) = through {
        let (like, _) = part(through, block)?;
        own = requantize(&own, &like)?;
        formats = like.integers.map(|integers| integers.outputs);
    }
    let mut executor = Executor::<f32>::new(&own, PASS.min(count), Keep::Output)?;
    if let Some(formats) = formats {
        executor.round_outputs(&formats);
    }
    let mut outputs = Vec::with_capacity(count * to);
    for batch in inputs.chunks(PASS * from) {
        outputs.extend_from_slice(executor.forward(batch, Mode::Infer));
    }
    Ok(outputs)
}

/// The same network, whose parameters learn in proportion to the size of their layer's weights.
pub(super) fn paced(net: &Net) -> Net {
    let mut paced = net.clone();
    let mut graph = Graph::new();
    for (node, weights) in net.graph.nodes().iter().zip(&net.weights) {
        let mut node = node.clone();
        if let Some(weights) = weights {
            let values = weights.values();
            let survivors = (values.len() - weights.zeros()).max(1) as f64;
            let square = values.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / survivors;
            node.learning.weights.learn *= square.sqrt() as f32;
            node.learning.bias.learn *= square.sqrt() as f32;
        }
        graph.push(node).expect("it is the same graph");
    }
    paced.graph = graph;
    paced
}

/// The squared distance of outputs `(n, C, H, W)` from the means of their channels, summed up.
pub(super) fn spread(outputs: &[f32], channels: usize, area: usize) -> f64 {
    let mut sums = vec![[0.0f64; 3]; channels];
    for (plane, values) in outputs.chunks(area).enumerate() {
        let [count, sum, square] = &mut sums[plane % channels];
        for &x in values {
            let x = f64::from(x);
            *count += 1.0;
            *sum += x;
            *square += x * x;
        }
    }
    sums.iter().map(|[count, sum, square]| (square - sum * sum / count.max(1.0)).max(0.0)).sum()
}
