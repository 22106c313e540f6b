//! Recipes: what the three stages are to do, as TOML. A key that is not known is refused with its line.
//!
//! A recipe says what and how much; carrying it out is the pipeline's. Those of the paper come with the program, by
//! name.

mod check;
mod stages;

use std::path::Path;

use serde::{Deserialize, Serialize};
use synapress_model::Net;
use synapress_model::census::census;

pub use stages::{
    Calibration, Correct, Fit, Group, Levels, Prune, Quantize, Range, Resolve, Retrain, Sensitivity, Widths,
};

use crate::report::{Paper, Stage};

/// Recipes that come with the program: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("paper-vgg16", include_str!("../../../../recipes/paper-vgg16.toml")),
    ("paper-googlenet", include_str!("../../../../recipes/paper-googlenet.toml")),
    ("eight-bits", include_str!("../../../../recipes/eight-bits.toml")),
];

/// Why there is no recipe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: {source} (recipes that need no file: {})", names())]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, or has unknown or missing keys, or values of the wrong kind. The message has the line.
    #[error("recipe {origin}: {source}")]
    Parse {
        /// Where the text came from.
        origin: String,
        /// What is wrong, and the line.
        source: Box<toml::de::Error>,
    },
    /// A value that makes no sense.
    #[error("recipe {origin}: {key}: {message}")]
    Value {
        /// Where the text came from.
        origin: String,
        /// The key with its table.
        key: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
}

fn names() -> String {
    BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// What the three stages are to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// What it is called.
    pub name: String,
    /// Rows of the table to compute besides the baseline; empty: as far as the stages that are given go.
    pub rows: Vec<Stage>,
    /// Images to calibrate and retrain with.
    pub calibration: Calibration,
    /// Synapse pruning; absent: none.
    pub prune: Option<Prune>,
    /// Synapse grouping.
    pub group: Option<Group>,
    /// Synapse quantization.
    pub quantize: Option<Quantize>,
    /// How networks are retrained, where a stage does not say otherwise.
    pub retrain: Retrain,
    /// Figures of the paper to print beside.
    pub paper: Vec<Paper>,
}

/// What the paper says of a network, if it is one of the paper's: the rows of its recipe that comes with the program.
pub fn paper_of(net: &Net) -> Vec<Paper> {
    let census = census(net);
    let recipe = match (census.convolutions, census.fully_connected, census.parameters) {
        (13, 3, 138_357_544) => "paper-vgg16",
        (57, 1, 6_998_552) => "paper-googlenet",
        _ => return Vec::new(),
    };
    Recipe::load(recipe).map(|r| r.paper).unwrap_or_default()
}

impl Recipe {
    /// A recipe by its name, or from a file.
    ///
    /// # Errors
    /// When there is neither, or as [`Recipe::parse`].
    pub fn load(name_or_path: &str) -> Result<Self, Error> {
        match BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            Some((name, text)) => Self::parse(text, name),
            None => {
                let text = std::fs::read_to_string(Path::new(name_or_path))
                    .map_err(|source| Error::Read { path: name_or_path.to_owned(), source })?;
                Self::parse(&text, name_or_path)
            }
        }
    }

    /// A recipe from TOML. `origin` is named in messages.
    ///
    /// # Errors
    /// [`Error::Parse`] with the line, or [`Error::Value`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, Error> {
        let recipe: Self =
            toml::from_str(text).map_err(|e| Error::Parse { origin: origin.to_owned(), source: Box::new(e) })?;
        match check::fault(&recipe) {
            None => Ok(recipe),
            Some((key, message)) => Err(Error::Value { origin: origin.to_owned(), key, message }),
        }
    }

    /// How a network is retrained after the rounds of pruning but the last, and after the last.
    pub fn prune_retrain(&self) -> [Retrain; 2] {
        let none = Prune::default();
        let prune = self.prune.as_ref().unwrap_or(&none);
        let each = prune.retrain.or(&self.retrain);
        [each.clone(), prune.last.or(&each)]
    }

    /// How centroids are trained.
    pub fn group_retrain(&self) -> Retrain {
        self.group.as_ref().map_or(Retrain::default(), |g| g.retrain.or(&self.retrain))
    }

    /// How a quantized network is retrained; without steps unless the stage itself names some.
    pub fn quantize_retrain(&self) -> Retrain {
        let own = self.quantize.as_ref().map(|q| q.retrain.clone()).unwrap_or_default();
        Retrain { steps: Some(own.steps.unwrap_or(0)), ..own.or(&self.retrain) }
    }

    /// Bit widths of convolution and fully connected weights that groups are fitted with in mind.
    pub fn widths(&self) -> Option<[u8; 2]> {
        self.group.as_ref()?.fit.as_ref()?;
        let quantize = self.quantize.as_ref()?;
        Some([quantize.conv_bits?, quantize.fc_bits?])
    }

    /// The rows to compute: those that are named, or as far as the stages go.
    pub fn stages(&self) -> Vec<Stage> {
        if !self.rows.is_empty() {
            return self.rows.clone();
        }
        match (self.prune.is_some(), self.group.is_some(), self.quantize.is_some()) {
            (true, false, false) => vec![Stage::Pruned],
            (false, true, false) => vec![Stage::Grouped],
            (false, false, true) => vec![Stage::Quantized],
            (true, true, false) => vec![Stage::Pruned, Stage::PrunedGrouped],
            (true, false, true) => vec![Stage::Pruned, Stage::PrunedQuantized],
            (true, true, true) => vec![Stage::Pruned, Stage::PrunedGrouped, Stage::PrunedQuantized, Stage::All],
            (false, ..) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
