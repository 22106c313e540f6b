//! `eval`: accuracy and speed on labelled images, alone or against a second network on the same images.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use synapress_compress::data::Dataset;
use synapress_compress::evaluate::{
    Classifier, Difference, Evaluation, IntegerClassifier, Options, Paired, compare, evaluate,
};
use synapress_model::Net;
use synapress_peers::Peers;
use synapress_run::{Executor, Keep};

use super::{Run, usage};
use crate::images::{Preparation, Selection, preprocess_of, what};
use crate::model::Source;
use crate::output::{Output, Progress, note, table};
use crate::peers::together;

/// Measure accuracy and speed; against a second network also the paired difference
///
/// Started by mpirun as several processes (of a build with MPI) these share the images, and all figures but the speed are
/// the same.
#[derive(Args, Debug)]
pub struct Eval {
    #[command(flatten)]
    source: Source,
    /// Labelled images
    #[arg(long, value_name = "LIST", long_help = what("Labelled images"))]
    data: PathBuf,
    /// A second network to compare with, on the same images
    #[arg(long, value_name = "MODEL2")]
    against: Option<PathBuf>,
    /// The second network's weights
    #[arg(long, value_name = "W2", requires = "against")]
    against_weights: Option<PathBuf>,
    /// Images of one pass
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Execute a quantized network in floating point, as a simulation
    #[arg(long)]
    float: bool,
    #[command(flatten)]
    preparation: Preparation,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: Output,
}

impl Run for Eval {
    const NAME: &'static str = "eval";

    fn run(self) -> Result<()> {
        together(|peers| self.shared(&*peers))
    }
}

impl Eval {
    fn shared(self, peers: &dyn Peers) -> Result<()> {
        let mut net = self.source.open_complete()?;
        self.preparation.apply(&mut net)?;
        let dataset = self.selection.open(&self.data, &mut net)?;
        let second = match &self.against {
            None => None,
            Some(model) => {
                let source = Source::new(model, self.against_weights.as_deref());
                let mut second = source.open_complete()?;
                if second.about.preprocess.is_none() {
                    second.about.preprocess.clone_from(&net.about.preprocess);
                }
                if classes(&second) != classes(&net) {
                    return Err(usage(format!(
                        "{} has {} classes and {source} has {}; they cannot be compared",
                        self.source,
                        classes(&net),
                        classes(&second)
                    )));
                }
                Some((source, second))
            }
        };
        let first = self.measure(&self.source.model, &net, &dataset, peers)?;
        let mut json = serde_json::to_value(&first)?;
        json["model"] = self.source.to_string().into();
        json["execution"] = self.execution(&net).into();
        let mut rows = vec![(self.source.to_string(), self.execution(&net), &first)];
        let against;
        let mut paired = None;
        if let Some((source, second)) = &second {
            against = self.measure(&source.model, second, &dataset, peers)?;
            let difference = compare(&first, &against)?;
            json["against"] = serde_json::to_value(&against)?;
            json["against"]["model"] = source.to_string().into();
            json["against"]["execution"] = self.execution(second).into();
            json["difference"] = serde_json::to_value(difference)?;
            rows.push((source.to_string(), self.execution(second), &against));
            paired = Some(difference);
        }
        if peers.rank() > 0 {
            return Ok(());
        }
        self.output.answer(&json, || text(&rows, paired.as_ref()))
    }
}

fn classes(net: &Net) -> usize {
    net.graph.shape(net.graph.output()).len()
}

impl Eval {
    fn execution(&self, net: &Net) -> &'static str {
        match (&net.integers, self.float) {
            (Some(_), false) => "integer",
            _ => "float",
        }
    }

    fn measure(&self, model: &Path, net: &Net, dataset: &Dataset, peers: &dyn Peers) -> Result<Evaluation> {
        let mut classifier =
            classifier(net, self.batch.into(), self.float).with_context(|| model.display().to_string())?;
        let progress = std::cell::RefCell::new(Progress::new());
        let step = |done: usize| progress.borrow_mut().at("evaluating", done, dataset.len(), "images");
        let bad = self.selection.bad();
        let options = Options { bad, peers: Some(peers), progress: Some(&step), ..Options::default() };
        let evaluation = evaluate(&mut *classifier, dataset, &preprocess_of(net), &options)?;
        drop(progress);
        for fault in &evaluation.skipped {
            note(&format!("skipped: {fault}"));
        }
        Ok(evaluation)
    }
}

/// What executes a network: integers if it is quantized, unless floating point is forced.
pub fn classifier(net: &Net, batch: usize, float: bool) -> Result<Box<dyn Classifier>> {
    Ok(match &net.integers {
        Some(_) if !float => Box::new(IntegerClassifier::new(net, batch)?),
        _ => Box::new(Executor::<f32>::new(net, batch, Keep::Output)?),
    })
}

fn text(rows: &[(String, &str, &Evaluation)], paired: Option<&Paired>) -> String {
    let mut out =
        table(&["model", "execution", "images", "top-1 %", "95% interval", "top-5 %", "95% interval", "images/s"]);
    let interval = |[low, high]: [f64; 2]| format!("{low:.2} to {high:.2}");
    for (name, execution, e) in rows {
        out.add_row([
            name.clone(),
            (*execution).to_owned(),
            e.images.to_string(),
            format!("{:.2}", e.top1),
            interval(e.top1_interval),
            format!("{:.2}", e.top5),
            interval(e.top5_interval),
            format!("{:.1}", e.images_per_second),
        ]);
    }
    let mut text = out.to_string();
    if let Some(paired) = paired {
        let line = |name: &str, d: &Difference| {
            format!(
                "\n{name}: first minus second {:+.2} points (95% interval {:+.2} to {:+.2}; {} images against {}; p = {:.3})",
                d.points, d.interval[0], d.interval[1], d.only_first, d.only_second, d.p_value
            )
        };
        text += &format!("\n\npaired on {} images", paired.images);
        text += &line("top-1", &paired.top1);
        text += &line("top-5", &paired.top5);
    }
    for (name, _, e) in rows.iter().filter(|(_, _, e)| !e.skipped.is_empty()) {
        text += &format!("\n{name}: {} images were skipped", e.skipped.len());
    }
    text
}
