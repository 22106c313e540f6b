//! `classify`: labels and probabilities of single images.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use synapress_images::apply;
use synapress_run::{Guess, guesses};

use super::Run;
use super::eval::classifier;
use crate::images::{Preparation, preprocess_of, read};
use crate::model::Source;
use crate::output::{Output, table};

/// Name the classes of single images, the most probable five
#[derive(Args, Debug)]
pub struct Classify {
    /// The network: FILE.syn (any other MODEL must have its weights inside)
    model: PathBuf,
    /// JPEG, PNG, BMP or PNM files
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// How many classes to print for each image
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Weights of a MODEL that is no .syn
    #[arg(long, value_name = "WEIGHTS")]
    weights: Option<PathBuf>,
    /// Execute a quantized network in floating point, as a simulation
    #[arg(long)]
    float: bool,
    #[command(flatten)]
    preparation: Preparation,
    #[command(flatten)]
    output: Output,
}

/// A class and its name.
type Named = (Guess, String);

impl Run for Classify {
    const NAME: &'static str = "classify";

    fn run(self) -> Result<()> {
        let mut net = Source::new(&self.model, self.weights.as_deref()).open_complete()?;
        self.preparation.apply(&mut net)?;
        let mut classifier = classifier(&net, 1, self.float).with_context(|| self.model.display().to_string())?;
        let preprocess = preprocess_of(&net);
        let shape = classifier.input();
        let (mut pixels, mut scores) = (vec![0.0; shape.len()], Vec::new());
        let mut answers = Vec::new();
        for path in &self.images {
            let place = || path.display().to_string();
            let image = read(path).with_context(place)?;
            apply(&image, &preprocess, shape, &mut pixels)?;
            classifier.scores(&pixels, &mut scores).with_context(place)?;
            let label = |class: usize| net.about.labels.get(class).cloned().unwrap_or_else(|| format!("class {class}"));
            let guesses = guesses(&scores, classifier.kind(), self.top.max(1));
            answers.push((place(), guesses.into_iter().map(|guess| (guess, label(guess.class))).collect()));
        }
        self.output.answer(&json(&answers), || text(&answers))
    }
}

fn json(answers: &[(String, Vec<Named>)]) -> Value {
    let guess = |(g, label): &Named| json!({ "class": g.class, "label": label, "probability": g.probability });
    let image = |(name, guesses): &(String, Vec<Named>)| json!({ "image": name, "top": guesses.iter().map(guess).collect::<Vec<_>>() });
    json!({ "images": answers.iter().map(image).collect::<Vec<_>>() })
}

fn text(answers: &[(String, Vec<Named>)]) -> String {
    let mut text = String::new();
    for (name, guesses) in answers {
        let mut out = table(&["label", "class", "probability"]);
        for (g, label) in guesses {
            out.add_row([label.clone(), g.class.to_string(), format!("{:.2}%", 100.0 * g.probability)]);
        }
        text += &format!("{name}\n{out}\n");
    }
    text
}
