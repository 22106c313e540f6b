//! What the commands that change a network have in common: images to work with, a teacher, a working directory beside
//! the output, progress and ctrl-C, and an evaluation at the end.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;
use synapress_compress::data::{Augment, Dataset};
use synapress_compress::evaluate::{Evaluation, Paired, compare};
use synapress_compress::pipeline::{Error, Event, Job, Work, fingerprint};
use synapress_compress::report::Report;
use synapress_images::Image;
use synapress_model::{Net, Preprocess};
use synapress_peers::{Alone, Peers};

use crate::commands::usage;
use crate::images::{Preparation, Selection, preprocess_of, what};
use crate::interrupt::Interrupt;
use crate::model::{Source, Target};
use crate::output::{Progress, bytes, table};
use crate::peers;
use crate::training::Training;

/// Images to work with.
#[derive(Args, Clone, Debug)]
pub struct Material {
    /// Images to calibrate and retrain with
    #[arg(long, value_name = "LIST", long_help = what("Images to calibrate and retrain with"))]
    pub data: Option<PathBuf>,
    /// Images to evaluate on, before and after
    #[arg(long, value_name = "LIST", long_help = what("Images to evaluate on, before and after"))]
    pub val: Option<PathBuf>,
    #[command(flatten)]
    pub preparation: Preparation,
    #[command(flatten)]
    pub selection: Selection,
}

/// Where a network's soft labels come from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Distillation")]
pub struct Teaching {
    /// The network whose scores are learned; by default the one that is compressed, as it is given
    #[arg(long, value_name = "MODEL")]
    teacher: Option<PathBuf>,
    /// The teacher's weights
    #[arg(long, value_name = "WEIGHTS", requires = "teacher")]
    teacher_weights: Option<PathBuf>,
    /// Learn from the images' labels instead
    #[arg(long, conflicts_with = "teacher")]
    pub from_labels: bool,
}

/// What becomes of the working directory.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Keeping {
    /// Keep the working directory OUT.syn.work with every stage when all is done
    #[arg(long)]
    pub keep_work: bool,
}

impl Teaching {
    /// Whether anything is said of a teacher.
    pub fn is_given(&self) -> bool {
        self.teacher.is_some()
    }

    /// The teacher: another network, or the one given.
    pub fn teacher(&self, net: &Net) -> Result<Net> {
        match &self.teacher {
            Some(model) => Source::new(model, self.teacher_weights.as_deref()).open_complete(),
            None => Ok(net.clone()),
        }
    }
}

/// A network at work, and what it is worked with.
#[derive(Debug)]
pub struct Bench {
    /// The network as it was given, with its preprocessing.
    pub net: Net,
    /// Calibration and training images; a single grey image when none are given and none are needed.
    pub calibration: Option<Dataset>,
    /// Images to evaluate on.
    pub validation: Option<Dataset>,
    preprocess: Preprocess,
    peers: Arc<dyn Peers>,
}

impl Material {
    /// Opens what is given, for a network.
    pub fn bench(&self, mut net: Net) -> Result<Bench> {
        self.preparation.apply(&mut net)?;
        let calibration = self.data.as_deref().map(|p| self.selection.open_checked(p, &mut net)).transpose()?;
        let everything = Selection { limit: None, ..self.selection };
        let validation = self.val.as_deref().map(|p| everything.open_checked(p, &mut net)).transpose()?;
        let preprocess = match (&calibration, &validation) {
            (None, None) => net.about.preprocess.clone().unwrap_or_default(),
            _ => preprocess_of(&net),
        };
        if calibration.is_some() || validation.is_some() {
            // From here on it travels with the network.
            net.about.preprocess = Some(preprocess.clone());
        }
        Ok(Bench { net, calibration, validation, preprocess, peers: Arc::new(Alone) })
    }
}

impl Bench {
    /// The calibration images, which this command cannot do without.
    pub fn calibration(&self, what: &str) -> Result<&Dataset> {
        self.calibration.as_ref().ok_or_else(|| usage(format!("{what} needs images; give --data")))
    }

    /// A network with images that are in memory.
    pub fn new(net: Net, calibration: Dataset, validation: Dataset) -> Self {
        let preprocess = net.about.preprocess.clone().unwrap_or_default();
        Self { net, calibration: Some(calibration), validation: Some(validation), preprocess, peers: Arc::new(Alone) }
    }

    /// The same for one of several processes that work on it.
    pub fn shared(self, peers: Arc<dyn Peers>) -> Self {
        Self { peers, ..self }
    }

    /// Does a job and evaluates the network before and after on the validation images.
    pub fn work(
        &self,
        target: &Target,
        settings: &str,
        training: &Training,
        keeping: Keeping,
        act: impl FnOnce(&mut Job<'_>) -> Result<(Net, Value, String), Error>,
    ) -> Result<Done> {
        let mut evaluated = None;
        let done = self.work_without_evaluation(target, settings, training, keeping, |job| {
            let made = act(job)?;
            if let Some(set) = &self.validation {
                let before = match self.net.verify().is_ok() {
                    true => Some(job.measure("before", &self.net, set)?),
                    false => None,
                };
                evaluated = Some((before, job.measure("after", &made.0, set)?));
            }
            Ok(made)
        })?;
        match evaluated {
            Some((before, after)) => done.with(before, after),
            None => Ok(done),
        }
    }

    /// Does a job with a working directory beside the output, which is removed when the output is written. `settings`
    /// describes all that the result depends on besides network and images.
    pub fn work_without_evaluation(
        &self,
        target: &Target,
        settings: &str,
        training: &Training,
        keeping: Keeping,
        act: impl FnOnce(&mut Job<'_>) -> Result<(Net, Value, String), Error>,
    ) -> Result<Done> {
        let folder = target.beside(".work");
        let augment = training.augment();
        if self.peers.count() == 1 {
            peers::refuse("this command")?;
        }
        // Of several processes the first one writes.
        let writes = self.peers.rank() == 0;
        let work = match writes {
            true => Work::open(&folder, &self.describe(settings, &augment), training.checkpoint_every)?,
            false => Work::follow(&folder, training.checkpoint_every),
        };
        let interrupt = Interrupt::watch("stopping after this step; ctrl-C again to stop at once")?;
        let mut progress = Progress::new();
        let mut watch = |e: Event<'_>| {
            progress.at(e.doing, e.done, e.all, &e.remark);
            !interrupt.asked()
        };
        let nothing;
        let calibration = match (&self.calibration, &self.validation) {
            (Some(set), _) | (None, Some(set)) => set,
            (None, None) => {
                let grey = Image::new(1, 1, vec![128; 3]).map_err(anyhow::Error::msg)?;
                nothing = Dataset::from_images("no images", vec![(grey, 0)], Vec::new())?;
                &nothing
            }
        };
        let mut job = Job {
            calibration,
            preprocess: &self.preprocess,
            augment: &augment,
            batch: 16,
            work: &work,
            peers: Arc::clone(&self.peers),
            watch: &mut watch,
        };
        let (mut net, json, text) = act(&mut job)?;
        drop(progress);
        let size = if writes { target.write(&mut net, None)? } else { 0 };
        if writes && !keeping.keep_work {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        Ok(Done::new(&net, target, size, json, text))
    }

    /// A report of a network that was made here and written to a place: what the file tells, and how it was made.
    /// `settings` and `seed` are those of the job.
    pub fn report(&self, target: &Target, net: &Net, settings: &str, seed: u64) -> Result<Report> {
        let place = || target.path.display().to_string();
        let bytes = std::fs::read(&target.path).with_context(place)?;
        let source = |set: &Option<Dataset>| set.as_ref().map(|d| d.source().to_owned());
        let len = |set: &Option<Dataset>| set.as_ref().map_or(0, Dataset::len);
        let mut report = Report::of_file(net, &bytes).with_context(place)?;
        (report.calibration_images, report.images) = (len(&self.calibration), len(&self.validation));
        if let Some(making) = &mut report.making {
            making.version = Some(env!("CARGO_PKG_VERSION").to_owned());
            (making.settings, making.seed) = (Some(settings.to_owned()), Some(seed));
            (making.calibration, making.evaluation) = (source(&self.calibration), source(&self.validation));
            making.threads = Some(std::thread::available_parallelism().map_or(1, usize::from));
        }
        Ok(report)
    }

    /// All that a result depends on, as text.
    fn describe(&self, settings: &str, augment: &Augment) -> String {
        let images = |d: &Dataset| {
            let labels = (0..d.len()).fold(0usize, |h, i| h.wrapping_mul(31).wrapping_add(d.id(i) ^ d.label(i) << 20));
            format!("{} ({} images, {labels:x})", d.source(), d.len())
        };
        format!(
            "synapress {} {settings}\nnetwork {:016x}\ncalibration {}\nvalidation {}\n{:?}\n{augment:?}\n",
            env!("CARGO_PKG_VERSION"),
            fingerprint(&self.net),
            self.calibration.as_ref().map_or_else(String::new, images),
            self.validation.as_ref().map_or_else(String::new, images),
            self.preprocess,
        )
    }
}

/// A job that is done.
#[derive(Debug)]
pub struct Done {
    /// What is printed with `--json`.
    pub json: Value,
    /// What is printed without.
    pub text: String,
}

impl Done {
    fn new(net: &Net, target: &Target, size: u64, mut json: Value, mut text: String) -> Self {
        let float = net.parameters() * 4;
        let ratio = float as f64 / size as f64;
        json["output"] = target.path.display().to_string().into();
        json["bytes"] = size.into();
        json["float_bytes"] = float.into();
        json["ratio"] = ratio.into();
        text += &format!("\n{}: {} ({ratio:.2}x smaller than float)", target.path.display(), bytes(size));
        Self { json, text: text.trim_start().to_owned() }
    }

    /// The same with accuracy before and after.
    fn with(mut self, before: Option<Evaluation>, after: Evaluation) -> Result<Self> {
        let paired = before.as_ref().map(|b| compare(&after, b)).transpose()?;
        let mut out = table(&["validation", "top-1 %", "top-5 %"]);
        let row = |name: &str, e: &Evaluation| [name.to_owned(), format!("{:.2}", e.top1), format!("{:.2}", e.top5)];
        if let Some(before) = &before {
            out.add_row(row("before", before));
        }
        out.add_row(row("after", &after));
        self.text += &format!("\n{out}");
        if let Some(Paired { images, top1, .. }) = paired {
            let [low, high] = top1.interval;
            let points = top1.points;
            self.text +=
                &format!("\n{points:+.2} points of top-1 on {images} images (95% interval {low:+.2} to {high:+.2})");
        }
        self.json["before"] = serde_json::to_value(&before)?;
        self.json["after"] = serde_json::to_value(&after)?;
        self.json["difference"] = serde_json::to_value(paired)?;
        Ok(self)
    }
}

/// Whether a layer's option `NAME=VALUE` parses; the name may hold `=` itself.
pub fn parse_layer<T: std::str::FromStr>(text: &str) -> Result<(String, T), String> {
    let (name, value) = text.rsplit_once('=').ok_or("give LAYER=VALUE")?;
    let value = value.parse().map_err(|_| format!("{value:?} is not a number that fits"))?;
    Ok((name.to_owned(), value))
}
