//! The backward pass: from gradients of the scores to gradients of all parameters.

use bytemuck::Pod;
use rayon::prelude::*;
use synapress_kernels::real::Real;
use synapress_model::pass::{InputGradient, LANES, Lane, Memo, Scaled, Scratch};
use synapress_model::{Backward, Float, Graph, Layer, NodeId, Rate, share};
use synapress_peers::sum_in_order;
use synapress_run::{Executor, Parameters, Parts, Plan, Rounded};

/// Gradients of one batch. Buffers are kept from step to step.
#[derive(Debug)]
pub struct Gradients<T: Real> {
    /// Gradients of each node's weights and bias by the whole batch, also where it is shared out to peers; empty for nodes
    /// without parameters.
    pub parameters: Vec<Parameters<T>>,
    /// Gradients of nodes' outputs that are known so far; buffers may be longer than what they hold.
    activations: Vec<Option<Vec<T>>>,
    /// Buffers that hold nothing: never shortened, as growing again would clear them.
    spare: Vec<Vec<T>>,
}

impl<T: Real> Default for Gradients<T> {
    fn default() -> Self {
        Self { parameters: Vec::new(), activations: Vec::new(), spare: Vec::new() }
    }
}

impl<T: Real + Pod> Gradients<T>
where
    dyn Layer: Float<T>,
{
    /// Computes the gradients of the batch of the executor's last pass, which was one in training mode, from the
    /// gradients `(n, C, H, W)` of some nodes' outputs. Peers call it together.
    pub fn compute(&mut self, executor: &mut Executor<T>, from: Vec<(NodeId, Vec<T>)>) {
        let Parts { graph, plan, rectified, count, whole, buffers, parameters, memos, scratch, rounded } =
            executor.parts();
        let parts = Fixed { graph, plan, rectified, count, whole, buffers, parameters, rounded };
        let count = parts.graph.nodes().len();
        if self.parameters.is_empty() {
            self.parameters = parts
                .parameters
                .iter()
                .map(|p| Parameters {
                    weights: vec![T::default(); p.weights.len()],
                    bias: vec![T::default(); p.bias.len()],
                })
                .collect();
        }
        self.parameters.par_iter_mut().for_each(|p| {
            p.weights.fill(T::default());
            p.bias.fill(T::default());
        });
        self.activations.resize_with(count, || None);
        let input = parts.graph.input().expect("an executor has one input");
        // Only what the parameters can influence needs a gradient: not the image.
        let mut wanted = vec![false; count];
        for (id, node) in parts.graph.nodes().iter().enumerate() {
            wanted[id] = !self.parameters[id].weights.is_empty() || node.inputs.iter().any(|&i| wanted[i]);
        }
        wanted[input] = false;
        for (id, gradient) in from {
            self.activations[id] = Some(gradient);
        }
        for id in (0..count).rev() {
            if let Some(gradient) = self.activations[id].take() {
                self.node(&parts, id, gradient, &wanted, memos, scratch);
            }
        }
    }

    fn node(
        &mut self,
        parts: &Fixed<'_, T>,
        id: NodeId,
        mut gradient: Vec<T>,
        wanted: &[bool],
        memos: &mut [Memo<T>],
        scratch: &mut Scratch<T>,
    ) {
        let graph = parts.graph;
        let node = graph.node(id);
        if let Some(input) = parts.joined(id) {
            self.activations[input] = Some(gradient);
            return;
        }
        let len = |i: NodeId| parts.count * graph.shape(i).len();
        let activation = |i: NodeId| &parts.buffers[parts.plan.buffer[i]][..len(i)];
        let in_place = parts.plan.in_place[id];
        parts.rounded.pass(id, activation(id), &mut gradient[..len(id)]);
        let input_shapes = graph.input_shapes(id);
        let inputs: Vec<&[T]> = node.inputs.iter().map(|&i| if in_place { &[] } else { activation(i) }).collect();
        let mut targets: Vec<Option<(Vec<T>, bool)>> = if in_place {
            vec![Some((std::mem::take(&mut gradient), false))]
        } else {
            node.inputs.iter().map(|&i| self.target(parts, i, wanted)).collect()
        };
        let mut input_gradients: Vec<Option<InputGradient<'_, T>>> = targets
            .iter_mut()
            .zip(&node.inputs)
            .map(|(t, &i)| t.as_mut().map(|(data, add)| InputGradient { data: &mut data[..len(i)], add: *add }))
            .collect();
        let rates = &node.learning;
        let mut scaled = None;
        let own = match parts.plan.scaled[id] {
            None => &mut self.parameters[id],
            Some(scale) => {
                let [own, of_scale] =
                    self.parameters.get_disjoint_mut([id, scale]).expect("a layer is not its own scale");
                let (rates, parameters) = (&graph.node(scale).learning, &parts.parameters[scale]);
                scaled = Some(Scaled {
                    factors: &parameters.weights,
                    bias: &parameters.bias,
                    factor_gradient: wanted_by(rates.weights, &mut of_scale.weights),
                    bias_gradient: wanted_by(rates.bias, &mut of_scale.bias),
                    rectified: parts.rectified[scale],
                });
                own
            }
        };
        node.layer.backward(Backward {
            batch: parts.whole,
            inputs: &inputs,
            input_shapes: &input_shapes,
            output: activation(id),
            output_shape: graph.shape(id),
            output_gradient: if in_place { &[] } else { &gradient[..len(id)] },
            input_gradients: &mut input_gradients,
            weights: &parts.parameters[id].weights,
            weight_gradient: wanted_by(rates.weights, &mut own.weights),
            bias_gradient: wanted_by(rates.bias, &mut own.bias),
            memo: &mut memos[id],
            scratch,
            scaled,
        });
        if scratch.peers.count() > 1 && node.layer.running_average().is_none() && !node.layer.sums_over_peers() {
            sum_lanes(parts, &mut own.weights, rates.weights.learn, scratch, |lane| &lane.weight_gradient);
            sum_lanes(parts, &mut own.bias, rates.bias.learn, scratch, |lane| &lane.bias_gradient);
        }
        for (target, &i) in targets.into_iter().zip(&node.inputs) {
            let Some((data, _)) = target else { continue };
            match &mut self.activations[i] {
                // The node reads this input a second time.
                Some(sum) => {
                    sum[..len(i)].iter_mut().zip(&data).for_each(|(s, d)| *s += *d);
                    self.spare.push(data);
                }
                none => *none = Some(data),
            }
        }
        if !gradient.is_empty() {
            self.spare.push(gradient);
        }
    }

    /// The buffer for the gradient of a node's input, and whether another reader has written to it already.
    fn target(&mut self, parts: &Fixed<'_, T>, input: NodeId, wanted: &[bool]) -> Option<(Vec<T>, bool)> {
        if !wanted[input] {
            return None;
        }
        if let Some(data) = self.activations[input].take() {
            return Some((data, true));
        }
        let len = parts.count * parts.graph.shape(input).len();
        let best =
            (0..self.spare.len()).min_by_key(|&i| (self.spare[i].len() < len, self.spare[i].len().abs_diff(len)));
        let mut data = best.map(|i| self.spare.swap_remove(i)).unwrap_or_default();
        data.resize(len.max(data.len()), T::default());
        Some((data, false))
    }
}

/// A gradient, or nothing where the numbers do not learn.
fn wanted_by<T>(rate: Rate, gradient: &mut [T]) -> &mut [T] {
    if rate.learn == 0.0 { &mut [] } else { gradient }
}

/// Replaces a gradient of the images here by that of all peers' images, lanes added up in the order of the whole batch.
fn sum_lanes<T: Real + Pod>(
    parts: &Fixed<'_, T>,
    gradient: &mut [T],
    rate: f32,
    scratch: &Scratch<T>,
    of: impl Fn(&Lane<T>) -> &[T],
) {
    if gradient.is_empty() || rate == 0.0 {
        return;
    }
    let peers = &*scratch.peers;
    let used = share::runs(parts.whole, parts.count).count();
    let nothing = vec![T::default(); if used < LANES / peers.count() { gradient.len() } else { 0 }];
    let lane = |l: usize| if l < used { &of(&scratch.lanes[l])[..gradient.len()] } else { &nothing[..] };
    let lanes: Vec<&[T]> = (0..LANES / peers.count()).map(lane).collect();
    gradient.fill(T::default());
    sum_in_order(peers, &lanes, gradient);
}

/// The parts of an executor that a backward pass only reads.
struct Fixed<'a, T: Real> {
    graph: &'a Graph,
    plan: &'a Plan,
    rectified: &'a [bool],
    count: usize,
    whole: usize,
    buffers: &'a [Vec<T>],
    parameters: &'a [Parameters<T>],
    rounded: Rounded<'a, T>,
}

impl<T: Real> Fixed<'_, T> {
    /// The node that this one is a part of for the backward pass too, if it is: a scale that joined, or the rectifier of one.
    fn joined(&self, id: NodeId) -> Option<NodeId> {
        let &input = self.graph.node(id).inputs.first()?;
        let is_scale = |id: NodeId, input: NodeId| self.plan.scaled[input] == Some(id);
        let scaled = self.graph.node(input).inputs.first().is_some_and(|&before| is_scale(input, before));
        (is_scale(id, input) || self.rectified[input] && scaled).then_some(input)
    }
}
