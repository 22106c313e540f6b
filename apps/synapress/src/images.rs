//! Arguments about images: which ones, and how they are prepared for a network. What the command line does not say is
//! taken from a TOML file, then from what the network itself carries.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use clap::{Args, ValueEnum};
use synapress_compress::data::{Bad, Dataset, PreprocessTable, formats, read_labels};
pub use synapress_console::classify::read;
pub use synapress_console::preprocess_of;
use synapress_images::check_shape;
use synapress_model::Net;

use crate::commands::usage;
use crate::output::note;

/// What an option names that takes labelled images, for its help.
pub fn what(images: &str) -> String {
    format!("{images}: {}", formats())
}

/// A length in pixels, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side(Option<u32>);

impl FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            _ => text.parse().map(|n| Self(Some(n))).map_err(|_| "give a number of pixels, or none".to_owned()),
        }
    }
}

/// Order of colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Blue, green, red: Caffe's
    Bgr,
    /// Red, green, blue
    Rgb,
}

/// How images are prepared.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Preprocessing (travels inside the .syn)")]
pub struct Preparation {
    /// Resize the short side to N pixels; none by default
    #[arg(long, value_name = "N|none")]
    pub resize: Option<Side>,
    /// Centre crop of N pixels a side; the network's input by default
    #[arg(long, value_name = "N|none")]
    pub crop: Option<Side>,
    /// Subtracted from the channels, in their order: three numbers, or one for all
    #[arg(long, value_name = "B,G,R", value_delimiter = ',', allow_negative_numbers = true)]
    pub mean: Option<Vec<f32>>,
    /// Multiplied after the mean was subtracted; 1 by default
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub scale: Option<f32>,
    /// Order of the channels; bgr by default
    #[arg(long, value_enum)]
    pub channels: Option<Order>,
    /// Names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// A TOML file with a table `preprocess` of the same names; flags go before it
    #[arg(long, value_name = "FILE.toml")]
    pub preprocess: Option<PathBuf>,
}

impl Preparation {
    /// Whether the command line says anything of it.
    fn given(&self) -> bool {
        self.resize.is_some()
            || self.crop.is_some()
            || self.mean.is_some()
            || self.scale.is_some()
            || self.channels.is_some()
            || self.preprocess.is_some()
    }

    /// Writes what is given into the network, over what it carries.
    pub fn apply(&self, net: &mut Net) -> Result<()> {
        let file = self.preprocess.as_deref().map(PreprocessTable::read).transpose()?.unwrap_or_default();
        let carried = net.about.preprocess.as_ref().map(PreprocessTable::from).unwrap_or_default();
        let order = self.channels.map(|o| if o == Order::Bgr { "bgr" } else { "rgb" }.to_owned());
        let side = |flag: Option<Side>, file, carried: Option<u32>| match flag {
            Some(Side(side)) => side,
            None => Option::or(file, carried),
        };
        let table = PreprocessTable {
            resize: side(self.resize, file.resize, carried.resize),
            crop: side(self.crop, file.crop, carried.crop),
            mean: self.mean.clone().or(file.mean).or(carried.mean),
            scale: self.scale.or(file.scale).or(carried.scale),
            channels: order.or(file.channels).or(carried.channels),
            labels: None,
        };
        if self.given() {
            let preprocess = table.preprocess()?;
            if let Ok(input) = net.graph.input() {
                check_shape(&preprocess, net.graph.shape(input))?;
            }
            net.about.preprocess = Some(preprocess);
        }
        if let Some(path) = self.labels.as_ref().or(file.labels.as_ref()) {
            net.about.labels = read_labels(path)?;
        }
        Ok(())
    }
}

/// Which of the images.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Selection {
    /// Leave out images that cannot be read, and name them
    #[arg(long)]
    pub skip_bad: bool,
    /// Use the first N images alone
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

impl Selection {
    /// What is done with images that cannot be read.
    pub fn bad(self) -> Bad {
        if self.skip_bad { Bad::Skip } else { Bad::Refuse }
    }

    /// Opens a data set for a network, which takes its class names when it has none.
    pub fn open(self, path: &Path, net: &mut Net) -> Result<Dataset> {
        let dataset = self.cut(Dataset::open(path)?)?;
        let classes = net.graph.shape(net.graph.output()).len();
        dataset.check_labels(classes)?;
        if net.about.labels.is_empty() && dataset.class_names().len() == classes {
            net.about.labels = dataset.class_names().to_vec();
        }
        Ok(dataset)
    }

    /// The same, and every image was decoded once, so that a long job does not stop at one of them.
    pub fn open_checked(self, path: &Path, net: &mut Net) -> Result<Dataset> {
        let (dataset, faults) = self.open(path, net)?.check(self.bad())?;
        for fault in &faults {
            note(&format!("skipped: {fault}"));
        }
        Ok(dataset)
    }

    fn cut(self, dataset: Dataset) -> Result<Dataset> {
        match self.limit {
            Some(0) => Err(usage("--limit 0 leaves no image")),
            // Classes lie one after another in a folder: the first of them would all be of one class.
            Some(limit) if limit < dataset.len() && !dataset.class_names().is_empty() => {
                let step = dataset.len() as f64 / limit as f64;
                Ok(dataset.select(&(0..limit).map(|i| (i as f64 * step) as usize).collect::<Vec<_>>()))
            }
            Some(limit) => Ok(dataset.first(limit)),
            None => Ok(dataset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synapress_model::layers::Input;
    use synapress_model::{Channels, Graph, Preprocess};

    #[test]
    fn flags_go_before_the_file_and_the_file_before_what_the_net_carries() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.toml");
        std::fs::write(&file, "[preprocess]\nresize = 100\nscale = 0.5\nlabels = 'names.txt'").unwrap();
        std::fs::write(folder.path().join("names.txt"), "cat\ndog").unwrap();
        let mut graph = Graph::new();
        graph.add("data", Input { shape: synapress_model::Shape::new(3, 8, 8).unwrap() }, &[]).unwrap();
        let mut net = Net { weights: vec![None], graph, ..Net::default() };
        net.about.preprocess = Some(Preprocess {
            resize: Some(50),
            crop: Some(40),
            mean: [1.0, 2.0, 3.0],
            scale: 2.0,
            ..Preprocess::default()
        });
        let flags = Preparation {
            resize: Some("none".parse().unwrap()),
            channels: Some(Order::Rgb),
            preprocess: Some(file),
            ..Preparation::default()
        };
        flags.apply(&mut net).unwrap();
        let expected =
            Preprocess { resize: None, crop: Some(40), mean: [1.0, 2.0, 3.0], scale: 0.5, channels: Channels::Rgb };
        assert_eq!(net.about.preprocess, Some(expected.clone()));
        assert_eq!(net.about.labels, ["cat", "dog"]);
        Preparation::default().apply(&mut net).unwrap();
        assert_eq!(net.about.preprocess, Some(expected));
        assert!(Preparation { scale: Some(0.0), ..Preparation::default() }.apply(&mut net).is_err());
    }
}
