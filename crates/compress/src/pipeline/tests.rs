//! A whole compression of a tiny network: rows, budgets, and that interruptions change nothing.

use synapress_code as code;
use synapress_import::fill;
use synapress_model::layers::{BatchNorm, Convolution, InnerProduct, Input, Relu, Scale, Softmax};
use synapress_model::{Graph, Net, Preprocess, Shape};

use super::*;
use crate::blocks;
use crate::data::synthetic::Synthetic;
use crate::data::{Augment, Dataset};
use crate::recipe::{Recipe, Retrain};
use crate::report::Stage;

struct Tiny {
    net: Net,
    training: Dataset,
    validation: Dataset,
    preprocess: Preprocess,
}

fn tiny() -> Tiny {
    tiny_of(false)
}

fn tiny_of(normalized: bool) -> Tiny {
    let shapes = Synthetic { width: 12, height: 12, difficulty: 0.2, ..Synthetic::default() };
    let mut g = Graph::new();
    let at = g.add("data", Input { shape: Shape::new(3, 12, 12).unwrap() }, &[]).unwrap();
    let at = g.add("conv", Convolution::square(6, 3, 2, 1), &[at]).unwrap();
    let at = if normalized {
        let at = g.add("conv/bn", BatchNorm::default(), &[at]).unwrap();
        g.add("conv/scale", Scale { bias: true }, &[at]).unwrap()
    } else {
        at
    };
    let at = g.add("relu", Relu::default(), &[at]).unwrap();
    let at = g.add("fc", InnerProduct { outputs: 10, bias: true }, &[at]).unwrap();
    g.add("prob", Softmax::default(), &[at]).unwrap();
    let mut net = Net { name: "tiny".into(), weights: vec![None; g.nodes().len()], graph: g, ..Net::default() };
    fill(&mut net, 1).unwrap();
    Tiny {
        net,
        training: shapes.dataset(0..40).unwrap(),
        validation: shapes.dataset(100..130).unwrap(),
        preprocess: Preprocess { mean: [128.0; 3], scale: 1.0 / 64.0, ..Preprocess::default() },
    }
}

impl Tiny {
    fn job<T>(&self, work: &Work, watch: &mut Watch<'_>, act: impl FnOnce(&mut Job<'_>) -> T) -> T {
        let augment = Augment { flip: true, ..Augment::default() };
        act(&mut Job {
            peers: std::sync::Arc::new(synapress_peers::Alone),
            calibration: &self.training,
            preprocess: &self.preprocess,
            augment: &augment,
            batch: 8,
            work,
            watch,
        })
    }
}

const RECIPE: &str = "
    [prune]
    sparsity = [0.3, 0.6]
    rounds = 2
    resolve = { images = 16, positions = 8 }
    correct = { images = 8 }
    blocks = { images = 32, steps = 3, layers = 1 }
    retrain = { steps = 6 }
    [group]
    bits = 3
    correct = { images = 8 }
    blocks = { images = 32, steps = 3, layers = 1 }
    retrain = { steps = 5 }
    [quantize]
    conv_bits = 8
    fc_bits = 6
    output_bits = 8
    images = 8
    blocks = { images = 32, steps = 3, layers = 1 }
    retrain = { steps = 4 }
    [retrain]
    batch = 8
    learning_rate = 0.01
";

fn bytes(net: &Net) -> Vec<u8> {
    code::encode(net, &code::Options::default()).unwrap()
}

#[test]
fn a_recipe_gives_the_rows_of_the_paper_and_the_network_of_the_last() {
    let tiny = tiny();
    let recipe = Recipe::parse(RECIPE, "test").unwrap();
    let Outcome { net, report } =
        tiny.job(&Work::none(), &mut |_| true, |job| job.compress(&tiny.net, &tiny.validation, &recipe)).unwrap();
    let stages: Vec<Stage> = report.rows.iter().map(|r| r.stage).collect();
    use Stage::{All, Baseline, Pruned, PrunedGrouped, PrunedQuantized};
    assert_eq!(stages, [Baseline, Pruned, Pruned, PrunedGrouped, PrunedQuantized, All]);
    assert!((report.rows[1].sparsity - 30.0).abs() < 1.0 && (report.rows[2].sparsity - 60.0).abs() < 1.0);
    assert_eq!(report.rows[3].index_bits_mean, Some(3.0));
    assert!(net.integers.is_some());
    let rebuilt = net.about.history.iter().filter(|h| h.contains("rebuild 2 blocks")).count();
    assert_eq!(rebuilt, 4, "two levels, groups and integers: {:?}", net.about.history);
    assert_eq!(report.rows[5].size_bytes, bytes(&net).len() as u64);
    assert!(report.rows[2..].iter().all(|r| r.sparsity >= report.rows[2].sparsity - 1e-9), "zero stays zero");
}

#[test]
fn a_network_with_batch_normalization_is_retrained_with_it_and_becomes_integers_without() {
    let tiny = tiny_of(true);
    let recipe = format!("{RECIPE}    labels = true\n    batch_statistics = true\n");
    let recipe = Recipe::parse(&recipe, "test").unwrap();
    let Outcome { net, report } =
        tiny.job(&Work::none(), &mut |_| true, |job| job.compress(&tiny.net, &tiny.validation, &recipe)).unwrap();
    assert!(net.integers.is_some() && net.graph.find("conv/bn").is_none());
    // The pruned rows are of the network as it was given, and what follows holds their zeros.
    assert!((report.rows[2].sparsity - 60.0).abs() < 1.0 && report.rows[5].sparsity >= report.rows[2].sparsity - 1e-9);
    assert!(report.rows.iter().skip(1).all(|row| row.layers.iter().any(|layer| layer.name == "conv")));
    let pruned: Vec<&str> = report.rows[2].layers.iter().map(|layer| &layer.name[..]).collect();
    assert!(pruned.contains(&"conv/bn"), "{pruned:?}");

    let plain = Recipe::parse("[quantize]\n conv_bits = 8\n fc_bits = 8\n output_bits = 8", "test").unwrap();
    let alone =
        tiny.job(&Work::none(), &mut |_| true, |job| job.compress(&tiny.net, &tiny.validation, &plain)).unwrap();
    assert!(alone.net.integers.is_some());
}

/// Runs a job as a whole, and stopped after every few events until it ends; both must end with the same bits.
fn ends_alike(tiny: &Tiny, run: &dyn Fn(&mut Job<'_>) -> Result<Outcome, Error>) -> Outcome {
    let mut events = 0usize;
    let mut count = |_: Event<'_>| {
        events += 1;
        true
    };
    let whole = tiny.job(&Work::none(), &mut count, run).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for stop_every in [1, 3, 7, events / 2] {
        let path = folder.path().join(stop_every.to_string());
        let mut runs = 0;
        let ended = loop {
            let work = Work::open(&path, "job", 2).unwrap();
            let mut seen = 0;
            let mut watch = |_: Event<'_>| {
                seen += 1;
                seen <= stop_every
            };
            runs += 1;
            match tiny.job(&work, &mut watch, run) {
                Err(Error::Stopped) => assert!(runs < 2 * events, "it never ends"),
                ended => break ended.unwrap(),
            }
        };
        assert!(runs > 1);
        assert!(bytes(&ended.net) == bytes(&whole.net), "stopped after every {stop_every} events");
        assert_eq!(ended.report.rows.len(), whole.report.rows.len());
    }
    assert!(matches!(Work::open(&folder.path().join("1"), "another job", 2), Err(Error::OtherJob(_))));
    whole
}

#[test]
fn wherever_a_job_is_stopped_it_goes_on_and_ends_with_the_same_bits() {
    let tiny = tiny();
    let recipe = Recipe::parse(RECIPE, "test").unwrap();
    ends_alike(&tiny, &|job| job.compress(&tiny.net, &tiny.validation, &recipe));
}

fn within(goal: Goal, steps: usize) -> Budget {
    let retrain = Retrain { steps: Some(steps), batch: Some(8), ..Retrain::default() };
    let blocks = (steps > 0).then(|| blocks::Options { steps: 3, layers: 1, ..blocks::Options::default() });
    Budget { goal, images: 40, rate: crate::rate::Options::default(), output_bits: 8, blocks, retrain }
}

#[test]
fn a_file_is_as_small_as_asked_for_and_a_stopped_job_ends_with_the_same() {
    let tiny = tiny();
    for (wanted, steps) in [(1900, 0), (1700, 5)] {
        let budget = within(Goal::Bytes(wanted), steps);
        let outcome = ends_alike(&tiny, &|job| job.compress_within(&tiny.net, &tiny.validation, &budget));
        let row = outcome.report.rows.last().unwrap();
        assert_eq!(row.size_bytes, bytes(&outcome.net).len() as u64);
        assert!(row.size_bytes <= wanted && row.size_bytes > wanted * 3 / 4, "{row:?}");
        assert!(row.agreement.unwrap() > 30.0 && row.divergence.unwrap() < 1.0, "{row:?}");
        assert!(outcome.net.integers.is_some() && row.index_bits_mean.unwrap() <= 8.0);
    }
}

#[test]
fn a_size_that_no_file_can_have_is_refused() {
    let tiny = tiny();
    let found = tiny.job(&Work::none(), &mut |_| true, |job| {
        job.compress_within(&tiny.net, &tiny.validation, &within(Goal::Bytes(100), 0)).unwrap_err().to_string()
    });
    assert!(found.contains("more bytes"), "{found}");
}

#[test]
fn a_search_of_ratios_is_resumed_too() {
    let tiny = tiny();
    let text = "[prune]\nsearch = { tolerance = 20, step = 0.5, rounds = 2 }\nretrain = { steps = 3, batch = 8 }";
    let recipe = Recipe::parse(text, "test").unwrap();
    let run = |work: &Work, watch: &mut Watch<'_>| {
        tiny.job(work, watch, |job| job.compress(&tiny.net, &tiny.validation, &recipe))
    };
    let whole = run(&Work::none(), &mut |_| true).unwrap();
    assert!(whole.report.rows[1].sparsity > 1.0);
    let folder = tempfile::tempdir().unwrap();
    let work = Work::open(folder.path(), "job", 1).unwrap();
    let mut ended = None;
    for _ in 0..200 {
        let mut left = 9;
        let mut watch = |_: Event<'_>| {
            left -= 1;
            left > 0
        };
        match run(&work, &mut watch) {
            Err(Error::Stopped) => {}
            other => {
                ended = Some(other.unwrap());
                break;
            }
        }
    }
    assert!(bytes(&ended.unwrap().net) == bytes(&whole.net));
}

#[test]
fn a_budget_of_points_is_kept_or_the_gentlest_outcome_returned() {
    let tiny = tiny();
    for points in [0.0, 7.0] {
        let budget = within(Goal::Points(points), 0);
        let outcome = ends_alike(&tiny, &|job| job.compress_within(&tiny.net, &tiny.validation, &budget));
        let stages: Vec<Stage> = outcome.report.rows.iter().map(|r| r.stage).collect();
        assert_eq!(stages, [Stage::Baseline, Stage::PrunedGrouped, Stage::All]);
        let last = outcome.report.rows.last().unwrap();
        assert!(last.loss_of_top1.unwrap().points <= points + 1e-9, "{last:?}");
        assert!(last.ratio > 3.0 && last.size_bytes == bytes(&outcome.net).len() as u64, "{last:?}");
    }
}
