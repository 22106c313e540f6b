//! Iterative synapse pruning: ratios raised layer by layer as far as accuracy allows, then retraining, and again.
//!
//! In a round every layer's ratio is raised step by step while the accuracy on calibration images stays within the
//! tolerance; then the network is retrained with its zeros held, which makes room for the next round. What judges and
//! what retrains are the caller's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use synapress_model::{Error, ErrorKind, Net, NodeId};

use super::{Pattern, Ratios, layer_named, prune, weights_of};

/// How ratios are searched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How far the judge's figure may fall below that of the network the search started from: points of accuracy if
    /// the judge gives percent. The i-th of n layers may use up to i/n of it, so that the first layers leave room for
    /// the later ones.
    pub tolerance: f64,
    /// The pruning ratio that the first try of a layer takes.
    pub start: f64,
    /// What each further try adds.
    pub step: f64,
    /// The largest ratio.
    pub most: f64,
    /// The most rounds.
    pub rounds: usize,
    /// Layers that are left as they are, by name.
    pub exclude: BTreeSet<String>,
    /// Which weights fall together.
    pub pattern: Pattern,
}

impl Default for Options {
    fn default() -> Self {
        let (exclude, pattern) = (BTreeSet::new(), Pattern::Single);
        Self { tolerance: 1.0, start: 0.25, step: 0.25, most: 3.0, rounds: 3, exclude, pattern }
    }
}

/// How far a search has come: all that is needed, besides the network, to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Rounds that are complete, retraining included. The network that goes with a state is the one at the start of
    /// the next round.
    pub rounds: usize,
    /// Layers of the round in progress that are settled.
    pub layers: usize,
    /// The ratio of each layer so far.
    pub ratios: Ratios,
    /// The judge's figure of the network that the search started from.
    pub baseline: Option<f64>,
    /// Layers that the round in progress has raised.
    pub raised: BTreeSet<String>,
    /// Whether no layer can be raised any more, or all rounds are complete.
    pub finished: bool,
}

/// One try.
#[derive(Clone, Debug, PartialEq)]
pub struct Try {
    /// Round, from 1.
    pub round: usize,
    /// The layer's place among those searched, from 0, and their number.
    pub layer: [usize; 2],
    /// Its name.
    pub name: String,
    /// The ratio that was tried.
    pub ratio: f64,
    /// By how much the judge's figure is below the baseline.
    pub loss: f64,
    /// Whether that is within the tolerance.
    pub accepted: bool,
}

/// What a search asks of its caller.
pub trait Steps {
    /// What can go wrong.
    type Error: From<Error>;

    /// How good a network is on the calibration images; higher is better.
    ///
    /// # Errors
    /// Ends the search.
    fn judge(&mut self, net: &Net) -> Result<f64, Self::Error>;

    /// Retrains a network with its zeros held, after this round (from 1).
    ///
    /// # Errors
    /// Ends the search.
    fn retrain(&mut self, net: &Net, round: usize) -> Result<Net, Self::Error>;

    /// Is told of every try.
    ///
    /// # Errors
    /// Ends the search, such as when the user wants it to stop.
    fn tried(&mut self, _try: &Try) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Is given the state whenever a layer is settled and, with the network that goes with it, after every round, to
    /// be kept for [`search`] to go on from.
    ///
    /// # Errors
    /// Ends the search.
    fn settled(&mut self, _state: &State, _net: Option<&Net>) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Searches the ratios of all convolution and fully connected layers and prunes by them. `state` is the default one to
/// begin, or one that [`Steps::settled`] was given, together with the network of that round.
///
/// # Errors
/// Those of the steps; [`ErrorKind::Attribute`] for options out of range; [`ErrorKind::Weights`] when a layer has no
/// weights, or when retraining brought a pruned weight back.
pub fn search<S: Steps>(
    net: &Net,
    steps: &mut S,
    options: &Options,
    mut state: State,
) -> Result<(Net, State), S::Error> {
    check(net, options)?;
    let layers: Vec<NodeId> =
        net.synaptic().into_iter().filter(|&id| !options.exclude.contains(&net.graph.node(id).name)).collect();
    let mut at = net.clone();
    let baseline = match state.baseline {
        Some(known) => known,
        None => steps.judge(&at)?,
    };
    state.baseline = Some(baseline);
    while !state.finished && state.rounds < options.rounds {
        let start = at.clone();
        // A round that was interrupted: what it had settled is pruned again from the same weights.
        for name in &state.raised {
            prune_from(&start, &mut at, layer_named(&start, name)?, state.ratios[name], options.pattern)?;
        }
        while state.layers < layers.len() {
            let place = state.layers;
            raise(&start, &mut at, layers[place], [place, layers.len()], steps, options, baseline, &mut state)?;
            state.layers += 1;
            steps.settled(&state, None)?;
        }
        state.finished = state.raised.is_empty();
        if !state.finished {
            let trained = steps.retrain(&at, state.rounds + 1)?;
            held(&at, &trained)?;
            at = trained;
        }
        state.rounds += 1;
        state.finished |= state.rounds == options.rounds;
        state.layers = 0;
        state.raised.clear();
        steps.settled(&state, Some(&at))?;
    }
    Ok((at, state))
}

/// Raises one layer's ratio as far as it goes. Every try prunes the weights of the start of the round, so that the
/// outcome is that of the last ratio alone.
fn raise<S: Steps>(
    start: &Net,
    at: &mut Net,
    id: NodeId,
    place: [usize; 2],
    steps: &mut S,
    options: &Options,
    baseline: f64,
    state: &mut State,
) -> Result<(), S::Error> {
    let name = start.graph.node(id).name.clone();
    let allowed = options.tolerance * (place[0] + 1) as f64 / place[1] as f64;
    let mut ratio = state.ratios.get(&name).map_or(options.start, |r| r + options.step);
    while ratio <= options.most * (1.0 + 1e-9) {
        let before = at.weights[id].clone();
        prune_from(start, at, id, ratio, options.pattern)?;
        let loss = baseline - steps.judge(at)?;
        let accepted = loss <= allowed;
        steps.tried(&Try { round: state.rounds + 1, layer: place, name: name.clone(), ratio, loss, accepted })?;
        if !accepted {
            at.weights[id] = before;
            break;
        }
        state.ratios.insert(name.clone(), ratio);
        state.raised.insert(name.clone());
        ratio += options.step;
    }
    Ok(())
}

fn prune_from(start: &Net, at: &mut Net, id: NodeId, ratio: f64, pattern: Pattern) -> Result<(), Error> {
    let mut weights = weights_of(start, id)?.clone();
    prune(&mut weights, ratio, pattern);
    at.weights[id] = Some(weights);
    Ok(())
}

fn check(net: &Net, options: &Options) -> Result<(), Error> {
    let senseless = |message: String| Err(Error::new(ErrorKind::Attribute, message));
    if !(options.step > 0.0 && options.step.is_finite() && options.most.is_finite()) {
        return senseless(format!("ratios cannot rise by {} to {}", options.step, options.most));
    }
    if options.start.is_nan() || options.start < 0.0 || options.tolerance.is_nan() || options.tolerance < 0.0 {
        return senseless(format!("start {} and tolerance {} must be from 0", options.start, options.tolerance));
    }
    options.exclude.iter().try_for_each(|name| layer_named(net, name).map(|_| ()))?;
    net.synaptic().into_iter().try_for_each(|id| weights_of(net, id).map(|_| ()))
}

/// Refuses a retrained network in which a pruned weight lives again.
///
/// # Errors
/// [`ErrorKind::Weights`], naming the layer.
pub fn held(pruned: &Net, trained: &Net) -> Result<(), Error> {
    for id in pruned.synaptic() {
        let (before, after) = (weights_of(pruned, id)?, weights_of(trained, id)?);
        let revived = before.len() != after.len()
            || before.values().iter().zip(after.values().iter()).any(|(b, a)| *b == 0.0 && *a != 0.0);
        if revived {
            let error = Error::new(ErrorKind::Weights, "retraining brought pruned weights back; hold zeros at zero");
            return Err(error.at_layer(&pruned.graph.node(id).name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::sparsity;
    use crate::prune::tests::small_net;

    /// Ten points are lost for each share of weights that is zero; retraining gains back half of what was lost.
    #[derive(Default)]
    struct Toy {
        gained: f64,
        judged: usize,
        tries: Vec<Try>,
        kept: Vec<(State, Option<Net>)>,
        stop_after: usize,
    }

    impl Steps for Toy {
        type Error = Error;
        fn judge(&mut self, net: &Net) -> Result<f64, Error> {
            self.judged += 1;
            Ok(90.0 - 10.0 * sparsity(net) + self.gained)
        }
        fn retrain(&mut self, net: &Net, _round: usize) -> Result<Net, Error> {
            self.gained += 5.0 * sparsity(net);
            Ok(net.clone())
        }
        fn tried(&mut self, t: &Try) -> Result<(), Error> {
            self.tries.push(t.clone());
            Ok(())
        }
        fn settled(&mut self, state: &State, net: Option<&Net>) -> Result<(), Error> {
            self.kept.push((state.clone(), net.cloned()));
            match self.kept.len() == self.stop_after {
                true => Err(Error::new(ErrorKind::Unsupported, "stopped")),
                false => Ok(()),
            }
        }
    }

    fn options() -> Options {
        Options { tolerance: 3.0, start: 0.2, step: 0.1, rounds: 3, ..Options::default() }
    }

    #[test]
    fn ratios_rise_while_the_loss_is_within_the_share_of_the_tolerance() {
        let net = small_net(20);
        let mut toy = Toy::default();
        let (pruned, state) = search(&net, &mut toy, &options(), State::default()).unwrap();
        assert!(state.finished && state.rounds <= 3);
        for t in &toy.tries {
            let allowed = 3.0 * (t.layer[0] + 1) as f64 / 3.0;
            assert_eq!(t.accepted, t.loss <= allowed, "{t:?}");
        }
        assert!(sparsity(&pruned) > 0.3, "{}", sparsity(&pruned));
        assert_eq!(state.ratios.len(), 3);
        // The first round prunes by the ratios alone.
        let first = toy.kept[3].1.as_ref().unwrap();
        let expected = crate::prune::apply(&net, &toy.kept[2].0.ratios).unwrap();
        assert_eq!(first.weights, expected.weights);
        assert!(sparsity(&pruned) > sparsity(first));
    }

    #[test]
    fn a_search_that_was_stopped_ends_as_one_that_was_not() {
        let net = small_net(21);
        let whole = search(&net, &mut Toy::default(), &options(), State::default()).unwrap();
        for stop_after in 1..=6 {
            let mut toy = Toy { stop_after, ..Toy::default() };
            search(&net, &mut toy, &options(), State::default()).unwrap_err();
            let (state, _) = toy.kept.last().unwrap().clone();
            let state: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            let at = toy.kept.iter().rev().find_map(|(_, net)| net.clone()).unwrap_or_else(|| net.clone());
            let mut toy = Toy { gained: toy.gained, ..Toy::default() };
            let resumed = search(&at, &mut toy, &options(), state).unwrap();
            assert_eq!(resumed.0.weights, whole.0.weights, "{stop_after}");
            assert_eq!(resumed.1, whole.1);
        }
    }

    #[test]
    fn a_search_ends_when_no_layer_moves() {
        let net = small_net(22);
        let mut toy = Toy::default();
        let none = Options { tolerance: 0.0, ..options() };
        let (same, state) = search(&net, &mut toy, &none, State::default()).unwrap();
        assert_eq!(same.weights, net.weights);
        assert_eq!((state.rounds, state.finished, toy.judged), (1, true, 4));
        let nothing = Options { exclude: ["conv1", "conv2", "fc"].map(str::to_owned).into(), ..options() };
        assert_eq!(search(&net, &mut toy, &nothing, State::default()).unwrap().0.weights, net.weights);
    }

    #[test]
    fn retraining_that_revives_pruned_weights_is_refused() {
        struct Careless(Net);
        impl Steps for Careless {
            type Error = Error;
            fn judge(&mut self, _: &Net) -> Result<f64, Error> {
                Ok(50.0)
            }
            fn retrain(&mut self, _: &Net, _: usize) -> Result<Net, Error> {
                Ok(self.0.clone())
            }
        }
        let net = small_net(23);
        let error = search(&net, &mut Careless(net.clone()), &options(), State::default()).unwrap_err();
        assert!(error.to_string().contains("hold zeros"), "{error}");
        for wrong in [Options { step: 0.0, ..options() }, Options { tolerance: f64::NAN, ..options() }] {
            assert!(search(&net, &mut Toy::default(), &wrong, State::default()).is_err());
        }
    }
}
