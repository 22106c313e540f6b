//! A Caffe solver's settings: how a network is trained.

use std::fs;
use std::path::Path;

use synapress_model::{Attributes, Error as ModelError, ErrorKind};

use crate::error::{Error, Fault};
use crate::prototxt;

/// What a `solver.prototxt` says. Names and defaults are Caffe's; files and machines (`net`, `snapshot_prefix`,
/// `solver_mode`, ...) are left to whoever reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Solver {
    /// Base learning rate.
    pub base_lr: f64,
    /// How the rate changes: `fixed`, `step`, `exp`, `inv`, `multistep`, `poly` or `sigmoid`.
    pub lr_policy: String,
    /// Factor or pace of the policy.
    pub gamma: Option<f64>,
    /// Exponent of the policy.
    pub power: Option<f64>,
    /// Steps between changes, or the middle of the sigmoid.
    pub stepsize: Option<usize>,
    /// Steps at which the rate changes.
    pub stepvalue: Vec<usize>,
    /// Momentum.
    pub momentum: f32,
    /// Whether momentum is Nesterov's.
    pub nesterov: bool,
    /// Weight decay.
    pub weight_decay: f32,
    /// Largest norm of all gradients together.
    pub clip_gradients: Option<f32>,
    /// Steps.
    pub max_iter: Option<usize>,
    /// Steps between evaluations.
    pub test_interval: Option<usize>,
    /// Steps between snapshots.
    pub snapshot: Option<usize>,
    /// Seed.
    pub random_seed: Option<u64>,
}

/// What has no bearing on the result, or is decided by the command.
const IGNORED: &[&str] = &[
    "net",
    "net_param",
    "train_net",
    "train_net_param",
    "test_net",
    "test_net_param",
    "test_iter",
    "test_initialization",
    "test_compute_loss",
    "display",
    "average_loss",
    "snapshot_prefix",
    "snapshot_format",
    "snapshot_after_train",
    "snapshot_diff",
    "solver_mode",
    "device_id",
    "debug_info",
    "train_state",
    "test_state",
    "layer_wise_reduce",
];

impl Solver {
    /// Reads a solver's file.
    ///
    /// # Errors
    /// Names the file and the line: a grammar that is not followed, settings that nobody knows, another kind of solver
    /// than SGD and Nesterov, another regularization than L2.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|e| Fault::from(e).of(path))?;
        prototxt::parse_bytes(&bytes).and_then(|a| Ok(Self::of(&a)?)).map_err(|fault| fault.of(path))
    }

    /// The settings of a solver's message.
    ///
    /// # Errors
    /// As [`Solver::read`].
    pub fn of(a: &Attributes) -> Result<Self, ModelError> {
        let unsupported = |what: String| Err(ModelError::new(ErrorKind::Unsupported, what));
        let kind = match (a.text("type")?, a.text("solver_type")?) {
            (Some(kind), _) => kind.to_ascii_lowercase(),
            (None, Some(kind)) => match kind {
                "0" => "sgd".to_owned(),
                "1" => "nesterov".to_owned(),
                other => other.to_ascii_lowercase(),
            },
            (None, None) => "sgd".to_owned(),
        };
        if !["sgd", "nesterov"].contains(&kind.as_str()) {
            return unsupported(format!("the solver {kind:?} is not supported; SGD and Nesterov are"));
        }
        if let Some(regularization) = a.text("regularization_type")?.filter(|r| *r != "L2") {
            return unsupported(format!("the regularization {regularization:?} is not supported; L2 is"));
        }
        if a.get::<usize>("iter_size")?.is_some_and(|n| n != 1) {
            return unsupported("iter_size is not supported; give the whole batch to each step".to_owned());
        }
        let solver = Self {
            base_lr: a.get("base_lr")?.ok_or_else(|| {
                ModelError::new(ErrorKind::Attribute, "base_lr is missing: a solver needs a learning rate")
            })?,
            lr_policy: a.text("lr_policy")?.unwrap_or("fixed").to_owned(),
            gamma: a.get("gamma")?,
            power: a.get("power")?,
            stepsize: a.get("stepsize")?,
            stepvalue: a.list("stepvalue")?,
            momentum: a.get_or("momentum", 0.0)?,
            nesterov: kind == "nesterov",
            weight_decay: a.get_or("weight_decay", 0.0)?,
            clip_gradients: a.get::<f32>("clip_gradients")?.filter(|c| *c > 0.0),
            max_iter: a.get("max_iter")?,
            test_interval: a.get::<usize>("test_interval")?.filter(|n| *n > 0),
            snapshot: a.get::<usize>("snapshot")?.filter(|n| *n > 0),
            random_seed: a.get::<i64>("random_seed")?.and_then(|seed| u64::try_from(seed).ok()),
        };
        a.ignore(IGNORED);
        a.finish()?;
        Ok(solver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solver(text: &str) -> Result<Solver, String> {
        prototxt::parse(text).map_err(|e| e.to_string()).and_then(|a| Solver::of(&a).map_err(|e| e.to_string()))
    }

    #[test]
    fn the_quick_solver_of_cifar_is_understood() {
        let found = solver(
            "net: \"train.prototxt\"\ntest_iter: 100\ntest_interval: 500\nbase_lr: 0.001\nmomentum: 0.9\n\
             weight_decay: 0.004\nlr_policy: \"multistep\"\ngamma: 0.1\nstepvalue: 5000\nstepvalue: 7000\ndisplay: 100\n\
             max_iter: 8000\nsnapshot: 4000\nsnapshot_prefix: \"x\"\nsolver_mode: GPU\ntype: \"Nesterov\"\n",
        )
        .unwrap();
        assert_eq!((found.base_lr, found.momentum, found.weight_decay), (0.001, 0.9, 0.004));
        assert_eq!((found.lr_policy.as_str(), found.stepvalue.as_slice()), ("multistep", &[5000, 7000][..]));
        assert_eq!((found.max_iter, found.test_interval, found.snapshot), (Some(8000), Some(500), Some(4000)));
        assert!(found.nesterov && found.gamma == Some(0.1) && found.random_seed.is_none());
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, what) in [
            ("momentum: 0.9", "base_lr"),
            ("base_lr: 0.1 type: \"Adam\"", "adam"),
            ("base_lr: 0.1 regularization_type: \"L1\"", "L1"),
            ("base_lr: 0.1 iter_size: 4", "iter_size"),
            ("base_lr: 0.1 momentums: 4", "momentums"),
            ("base_lr: fast", "base_lr"),
        ] {
            let error = solver(text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
        assert!(!solver("base_lr: 0.1 solver_type: SGD iter_size: 1").unwrap().nesterov);
    }
}
