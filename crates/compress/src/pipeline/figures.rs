//! The report of a job: to the rows of its table what became of weights, layer outputs and classes, and how it was made.

use synapress_code as code;
use synapress_model::Net;

use super::{Error, Job};
use crate::data::Dataset;
use crate::evaluate::Evaluation;
use crate::report::{Classes, File, Making, OutputFigures, Paper, Report, Rounds, Row, Trial};

/// Calibration images that layer outputs are measured on.
const IMAGES: usize = 32;

/// What a job has told so far.
pub(super) struct Table {
    pub recipe: String,
    pub rows: Vec<Row>,
    pub paper: Vec<Paper>,
    pub trials: Vec<Trial>,
    pub pruning: Option<Rounds>,
    /// All settings as TOML.
    pub settings: Option<String>,
    pub seed: u64,
}

impl Job<'_> {
    /// A report of the network `made` from `float`, with evaluations of both.
    pub(super) fn report(
        &mut self,
        table: Table,
        float: &Net,
        made: &Net,
        [before, after]: [&Evaluation; 2],
        validation: &Dataset,
    ) -> Result<Report, Error> {
        self.tell("figures of the report", 0, 1, "")?;
        let bytes = code::encode(made, &code::Options::default())?;
        let (images, labels) = self.images(IMAGES, made.graph.shape(made.graph.input()?))?;
        let making = Making {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            settings: table.settings,
            seed: Some(table.seed),
            calibration: Some(self.calibration.source().to_owned()),
            evaluation: Some(validation.source().to_owned()),
            threads: Some(rayon::current_num_threads()),
            ..Making::of(made)
        };
        Ok(Report {
            network: float.name.clone(),
            recipe: table.recipe,
            calibration_images: self.calibration.len(),
            images: before.images,
            rows: table.rows,
            paper: table.paper,
            trials: table.trials,
            file: Some(File::of(made, &bytes, Some(float))?),
            pruning: table.pruning,
            output_images: labels.len(),
            outputs: OutputFigures::of(made, &images)?,
            classes: Classes::of(before, after, &made.about.labels),
            making: Some(making),
            ..Report::default()
        })
    }
}
