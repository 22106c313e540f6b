//! Arguments of training and retraining, and the loop around them: checkpoint, progress, ctrl-C.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use synapress_compress::data::Augment;
use synapress_compress::recipe::Retrain;
use synapress_compress::train::{Options, Policy};
use synapress_import::caffe::Solver;

use anyhow::Result;

use crate::commands::usage;

/// Learning-rate policies: Caffe's, and cosine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    /// The base rate throughout
    Fixed,
    /// base * gamma^floor(step / step-size)
    Step,
    /// base * gamma^step
    Exp,
    /// base * (1 + gamma * step)^-power
    Inv,
    /// base * gamma^(number of step-values passed)
    Multistep,
    /// base * (1 - step / steps)^power
    Poly,
    /// base / (1 + exp(-gamma * (step - step-size)))
    Sigmoid,
    /// Half a cosine from the base rate to zero
    Cosine,
}

/// How a network learns. What is not given has a default that the command knows.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Training")]
pub struct Training {
    /// Number of steps
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    pub steps: Option<usize>,
    /// Number of passes over the training images
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Images of one step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: Option<u16>,
    /// Base learning rate
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// How the learning rate changes
    #[arg(long, value_enum)]
    pub policy: Option<PolicyName>,
    /// Factor or pace of the policy; 0.1 by default
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub gamma: Option<f64>,
    /// Exponent of inv and poly; 1 by default
    #[arg(long, value_name = "X")]
    pub power: Option<f64>,
    /// Steps between changes (step), or the step of half the rate (sigmoid)
    #[arg(long, value_name = "N")]
    pub step_size: Option<usize>,
    /// Steps at which the rate changes (multistep)
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    pub step_values: Vec<usize>,
    /// Steps of linear rise before the cosine
    #[arg(long, value_name = "N")]
    pub warmup: Option<usize>,
    /// Momentum
    #[arg(long, value_name = "X")]
    pub momentum: Option<f32>,
    /// Momentum of Nesterov's kind
    #[arg(long)]
    pub nesterov: bool,
    /// Weight decay; none by default, 5e-4 is usual when training from nothing
    #[arg(long, value_name = "X")]
    pub decay: Option<f32>,
    /// Largest norm of all gradients together; 0 for no limit
    #[arg(long, value_name = "X")]
    pub clip: Option<f32>,
    /// Temperature of distillation from a teacher
    #[arg(long, value_name = "T")]
    pub temperature: Option<f32>,
    /// Share of true labels that is given to all classes evenly
    #[arg(long, value_name = "X")]
    pub label_smoothing: Option<f32>,
    /// A Caffe solver's file; what is given besides goes before it
    #[arg(long, value_name = "PROTOTXT")]
    pub solver: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Steps between checkpoints; the next run goes on from the last one
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub checkpoint_every: usize,
    /// Do not mirror training images
    #[arg(long)]
    pub no_flip: bool,
    /// Cut training images at the centre, not at random
    #[arg(long)]
    pub no_random_crop: bool,
    /// Also vary scale, aspect ratio, brightness and colour of training images
    #[arg(long)]
    pub strong: bool,
    /// Shift training images at random by up to N pixels
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub shift: u32,
    /// Blank a square of N pixels a side at a random place of each training image; 16 is usual for images of 32x32
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub cutout: u32,
}

impl Training {
    /// What is given, over a command's defaults; `images` is the number of training images.
    pub fn options(&self, images: usize, base: Options) -> Result<Options> {
        let base = self.solver.as_deref().map_or_else(|| Ok(base.clone()), |path| of_solver(path, &base))?;
        let batch = self.batch.map_or(base.batch, usize::from);
        let steps = match (self.steps, self.epochs) {
            (Some(steps), _) => steps,
            (None, Some(epochs)) => epochs.saturating_mul(images).div_ceil(batch),
            (None, None) => base.steps,
        };
        let options = Options {
            steps,
            batch,
            learning_rate: self.learning_rate.unwrap_or(base.learning_rate),
            policy: self.policy(base.policy, steps)?,
            momentum: self.momentum.unwrap_or(base.momentum),
            nesterov: self.nesterov || base.nesterov,
            decay: self.decay.unwrap_or(base.decay),
            clip: self.clip.unwrap_or(base.clip),
            temperature: self.temperature.unwrap_or(base.temperature),
            smoothing: self.label_smoothing.unwrap_or(base.smoothing),
            batch_statistics: base.batch_statistics,
            seed: self.seed.unwrap_or(base.seed),
        };
        let sound = |x: f64| x.is_finite() && x >= 0.0;
        let Options { learning_rate, momentum, decay, clip, temperature, .. } = options;
        if !sound(learning_rate) || ![momentum, decay, clip].iter().all(|&x| sound(x.into())) || momentum >= 1.0 {
            return Err(usage("learning rate, momentum (below 1), decay and clip are numbers from 0"));
        }
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(usage("the temperature is a number above 0"));
        }
        if !(0.0..1.0).contains(&options.smoothing) {
            return Err(usage("--label-smoothing is a share from 0 to below 1"));
        }
        Ok(options)
    }

    /// Steps between evaluations, if the solver says it.
    pub fn test_interval(&self) -> Result<Option<usize>> {
        Ok(self.solver.as_deref().map(Solver::read).transpose()?.and_then(|s| s.test_interval))
    }

    /// The same for a retraining, from soft labels or from true ones.
    pub fn retrain(&self, images: usize, base: Options, labels: bool) -> Result<Retrain> {
        let o = self.options(images, base)?;
        Ok(Retrain {
            steps: Some(o.steps),
            batch: Some(o.batch),
            learning_rate: Some(o.learning_rate),
            policy: Some(o.policy),
            momentum: Some(o.momentum),
            nesterov: Some(o.nesterov),
            decay: Some(o.decay),
            clip: Some(o.clip),
            temperature: Some(o.temperature),
            labels: Some(labels),
            smoothing: Some(o.smoothing),
            batch_statistics: Some(o.batch_statistics),
            seed: Some(o.seed),
        })
    }

    fn policy(&self, base: Policy, steps: usize) -> Result<Policy> {
        let gamma = self.gamma.unwrap_or(0.1);
        let power = self.power.unwrap_or(1.0);
        let size = || self.step_size.ok_or_else(|| usage("this policy takes --step-size"));
        let name = match self.policy {
            Some(name) => name,
            None if self.warmup.is_some() => PolicyName::Cosine,
            None => return Ok(base),
        };
        Ok(match name {
            PolicyName::Fixed => Policy::Fixed,
            PolicyName::Step => Policy::Step { gamma, every: size()? },
            PolicyName::Exp => Policy::Exp { gamma },
            PolicyName::Inv => Policy::Inv { gamma, power },
            PolicyName::Multistep if self.step_values.is_empty() => {
                return Err(usage("the policy multistep takes --step-values"));
            }
            PolicyName::Multistep => Policy::Multistep { gamma, at: self.step_values.clone() },
            PolicyName::Poly => Policy::Poly { power },
            PolicyName::Sigmoid => Policy::Sigmoid { gamma, middle: size().unwrap_or(steps / 2) },
            PolicyName::Cosine => Policy::Cosine { warmup: self.warmup.unwrap_or(0) },
        })
    }

    /// How training images vary.
    pub fn augment(&self) -> Augment {
        let base = if self.strong { Augment::strong() } else { Augment::default() };
        Augment { flip: !self.no_flip, position: !self.no_random_crop, shift: self.shift, cutout: self.cutout, ..base }
    }
}

/// A command's defaults with what a Caffe solver says.
fn of_solver(path: &Path, base: &Options) -> Result<Options> {
    let solver = Solver::read(path)?;
    let absent = |what: &str| usage(format!("{}: the policy {} takes {what}", path.display(), solver.lr_policy));
    let (gamma, power) =
        (|| solver.gamma.ok_or_else(|| absent("gamma")), || solver.power.ok_or_else(|| absent("power")));
    let size = || solver.stepsize.filter(|&n| n > 0).ok_or_else(|| absent("stepsize"));
    let policy = match solver.lr_policy.as_str() {
        "fixed" => Policy::Fixed,
        "step" => Policy::Step { gamma: gamma()?, every: size()? },
        "exp" => Policy::Exp { gamma: gamma()? },
        "inv" => Policy::Inv { gamma: gamma()?, power: power()? },
        "multistep" => Policy::Multistep { gamma: gamma()?, at: solver.stepvalue.clone() },
        "poly" => Policy::Poly { power: power()? },
        "sigmoid" => Policy::Sigmoid { gamma: gamma()?, middle: size()? },
        other => return Err(usage(format!("{}: the policy {other:?} is not known", path.display()))),
    };
    Ok(Options {
        steps: solver.max_iter.unwrap_or(base.steps),
        learning_rate: solver.base_lr,
        policy,
        momentum: solver.momentum,
        nesterov: solver.nesterov,
        decay: solver.weight_decay,
        clip: solver.clip_gradients.unwrap_or(0.0),
        seed: solver.random_seed.unwrap_or(base.seed),
        ..base.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solver_goes_before_the_commands_defaults_and_behind_what_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("solver.prototxt");
        let read = |text: &str, given: Training| {
            std::fs::write(&path, text).unwrap();
            Training { solver: Some(path.clone()), ..given }.options(20, Options::default())
        };
        let text = "base_lr: 0.1 lr_policy: 'step' gamma: 0.5 stepsize: 10 max_iter: 70 momentum: 0.8 type: 'Nesterov'";
        let found = read(text, Training { momentum: Some(0.5), ..Training::default() }).unwrap();
        let policy = Policy::Step { gamma: 0.5, every: 10 };
        assert_eq!((found.steps, found.learning_rate, found.momentum, found.nesterov), (70, 0.1, 0.5, true));
        assert_eq!((found.policy, found.batch), (policy, Options::default().batch));
        for (text, what) in [
            ("base_lr: 0.1 lr_policy: 'step' gamma: 0.5", "stepsize"),
            ("base_lr: 0.1 lr_policy: 'inv' gamma: 0.5", "power"),
            ("base_lr: 0.1 lr_policy: 'mine'", "mine"),
            ("base_lr: 0.1 weight_decay: -1", "decay"),
        ] {
            let error = read(text, Training::default()).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_given_goes_before_the_commands_defaults() {
        let base = Options { batch: 8, ..Options::default() };
        let training = Training { epochs: Some(3), momentum: Some(0.5), ..Training::default() };
        let options = training.options(20, base.clone()).unwrap();
        assert_eq!(options, Options { steps: 8, momentum: 0.5, ..base.clone() });
        let strong = Training { strong: true, no_flip: true, ..Training::default() }.augment();
        assert!(!strong.flip && strong.scale[0] < 1.0 && strong.colour > 0.0 && strong.check().is_ok());
        let step = Training { policy: Some(PolicyName::Step), step_size: Some(7), ..Training::default() };
        assert_eq!(step.options(20, base.clone()).unwrap().policy, Policy::Step { gamma: 0.1, every: 7 });
        for wrong in [
            Training { policy: Some(PolicyName::Step), ..Training::default() },
            Training { policy: Some(PolicyName::Multistep), ..Training::default() },
            Training { momentum: Some(1.0), ..Training::default() },
            Training { learning_rate: Some(f64::NAN), ..Training::default() },
            Training { temperature: Some(0.0), ..Training::default() },
            Training { label_smoothing: Some(1.0), ..Training::default() },
            Training { solver: Some("there is none".into()), ..Training::default() },
        ] {
            assert!(wrong.options(20, base.clone()).is_err(), "{wrong:?}");
        }
    }
}
