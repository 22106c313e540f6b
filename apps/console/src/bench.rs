//! How long a network takes, as a whole and layer by layer: the command `bench`, but for where its network comes from.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum, value_parser};
use serde_json::{Value, json};
use synapress_code::{Limits, Stored};
use synapress_kernels::integer::Kernel;
use synapress_model::{Graph, Net, Source as _};
use synapress_run::{Executor, Keep, Session};

use crate::memory;
use crate::output::{Output, table};
use crate::program::usage;
use crate::runner::{Layer, Runner};

/// A network to be measured.
pub struct Subject<'a> {
    /// Its file, or what it is called.
    pub path: &'a Path,
    /// Whether that file is synapse code: quantized networks are then decoded layer by layer.
    pub is_syn: bool,
    /// Opens it with all its weights.
    pub open: &'a dyn Fn() -> Result<Net>,
}

/// How to measure.
#[derive(Args, Debug)]
pub struct Measure {
    /// Images at a time: one is worked on by all threads together, of more every thread takes some
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Measure for so many seconds, after one to warm up
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    seconds: f64,
    /// Instructions to use, by name as the report has it, instead of the best that the processor has
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Execute a quantized network in floating point
    #[arg(long)]
    float: bool,
    /// What to hold in memory
    #[arg(long, value_enum, default_value_t = Memory::Fast)]
    memory: Memory,
    #[command(flatten)]
    output: Output,
}

/// What a session holds between runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Memory {
    /// All weights, arranged
    Fast,
    /// The file's bytes: every layer is decoded when it is due
    Small,
}

/// What was measured.
struct Measured {
    /// Milliseconds of a batch, sorted.
    batches: Vec<f64>,
    layers: Vec<Layer>,
    /// From the start until the network was ready to run, and until it had its first result.
    load: Duration,
    first: Duration,
}

impl Measure {
    /// Measures a network and prints what was found.
    ///
    /// # Errors
    /// When the network cannot be opened or executed, or arguments make no sense.
    pub fn run(self, subject: &Subject<'_>) -> Result<()> {
        if !(self.seconds > 0.0 && self.seconds <= 3600.0) {
            return Err(usage("--seconds must be above 0 and at most 3600"));
        }
        let kernel = self.kernel()?;
        let threads = rayon::current_num_threads();
        let batch = usize::from(self.batch);
        let start = Instant::now();
        let (graph, mut runner) = self.open(subject, kernel, threads, batch)?;
        let load = start.elapsed();
        let shape = graph.shape(graph.input()?);
        let images = picture(shape.len() * batch);
        runner.run(&images, batch)?;
        let first = start.elapsed();
        let mut layers = vec![Vec::new(); graph.nodes().len() + 1];
        for seconds in [1f64.min(self.seconds), self.seconds / 2.0] {
            layers.iter_mut().for_each(Vec::clear);
            let begin = Instant::now();
            while begin.elapsed().as_secs_f64() < seconds || layers.iter().all(Vec::is_empty) {
                runner.run_by_layer(&images, &mut layers)?;
            }
        }
        let mut batches = Vec::new();
        let begin = Instant::now();
        while begin.elapsed().as_secs_f64() < self.seconds || batches.len() < 3 {
            let start = Instant::now();
            runner.run(&images, batch)?;
            batches.push(start.elapsed().as_secs_f64() * 1e3);
        }
        batches.sort_by(f64::total_cmp);
        let layers = runner.layers(&graph, &mut layers);
        let measured = Measured { batches, layers, load, first };
        let mut answer = self.json(&runner, &measured, threads);
        answer["model"] = subject.path.display().to_string().into();
        self.output.answer(&answer, || self.text(&runner, &measured, threads))
    }

    /// The network's layers and what runs them.
    fn open(&self, subject: &Subject<'_>, kernel: Kernel, threads: usize, batch: usize) -> Result<(Graph, Runner)> {
        let place = || subject.path.display().to_string();
        let session = if subject.is_syn {
            let stored = Stored::read(subject.path, &Limits::default())?;
            let graph = stored.net().graph.clone();
            let integers = stored.net().integers.is_some() && !self.float;
            let keep = self.memory == Memory::Small;
            integers.then(|| Session::stored(Arc::new(stored), kernel, keep).map(|s| (graph, s))).transpose()
        } else {
            Ok(None)
        };
        if let Some((graph, session)) = session.with_context(place)? {
            let runner = Runner::Integers(match batch {
                1 => vec![session.with_threads(threads)],
                _ => vec![session; threads.min(batch)],
            });
            return Ok((graph, runner));
        }
        if self.memory == Memory::Small {
            return Err(usage("--memory small is for quantized networks in a .syn file"));
        }
        let net = (subject.open)()?;
        let executor = Executor::new(&net, batch, Keep::Output).with_context(place)?;
        Ok((net.graph, Runner::Float(Box::new(executor))))
    }

    fn kernel(&self) -> Result<Kernel> {
        let Some(name) = &self.kernel else { return Ok(Kernel::best()) };
        let all = Kernel::available();
        let found = all.iter().find(|k| k.name().eq_ignore_ascii_case(name)).copied();
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|k| k.name()).collect();
            usage(format!("--kernel {name:?} is not of this processor, which has: {}", names.join(", ")))
        })
    }

    fn json(&self, runner: &Runner, m: &Measured, threads: usize) -> Value {
        let layer = |l: &Layer| {
            json!({
                "name": l.name,
                "kind": l.kind,
                "loops": l.loops,
                "connections": l.connections,
                "multiplications": l.multiplications,
                "ms": l.milliseconds,
                "share": l.milliseconds / m.sum(),
                "gmac_per_second": l.speed(),
            })
        };
        json!({
            "execution": runner.name(),
            "kernel": runner.kernel(),
            "threads": threads,
            "batch": self.batch,
            "batches": m.batches.len(),
            "latency_ms": {
                "median": m.quantile(0.5), "p95": m.quantile(0.95), "least": m.quantile(0.0),
            },
            "images_per_second": self.images_per_second(m),
            "load_ms": m.load.as_secs_f64() * 1e3,
            "first_result_ms": m.first.as_secs_f64() * 1e3,
            "peak_memory_bytes": memory::peak(),
            "layers": m.layers.iter().map(layer).collect::<Vec<_>>(),
        })
    }

    fn images_per_second(&self, m: &Measured) -> f64 {
        f64::from(self.batch) * 1e3 / m.quantile(0.5)
    }

    fn text(&self, runner: &Runner, m: &Measured, threads: usize) -> String {
        let mut out = table(&["layer", "kind", "loops", "ms", "%", "connections x 10^6", "done %", "10^9/s"]);
        for l in &m.layers {
            let millions =
                if l.connections == 0 { String::new() } else { format!("{:.1}", l.connections as f64 / 1e6) };
            let done = l.multiplications.map(|n| format!("{:.1}", 100.0 * n as f64 / l.connections.max(1) as f64));
            out.add_row([
                l.name.clone(),
                l.kind.to_owned(),
                l.loops.clone(),
                format!("{:.3}", l.milliseconds),
                format!("{:.1}", 100.0 * l.milliseconds / m.sum()),
                millions,
                done.unwrap_or_default(),
                l.speed().map(|s| format!("{s:.1}")).unwrap_or_default(),
            ]);
        }
        let memory = memory::peak().map(|b| format!(", peak memory {:.1} MB", b as f64 / 1e6)).unwrap_or_default();
        format!(
            "{out}\n\n{}, {}, {threads} threads, batch {}: median {:.3} ms, 95th percentile {:.3} ms of {} batches, \
             {:.1} images/s\nready after {:.0} ms, first result after {:.0} ms{memory}",
            runner.name(),
            runner.kernel(),
            self.batch,
            m.quantile(0.5),
            m.quantile(0.95),
            m.batches.len(),
            self.images_per_second(m),
            m.load.as_secs_f64() * 1e3,
            m.first.as_secs_f64() * 1e3,
        )
    }
}

impl Measured {
    fn quantile(&self, q: f64) -> f64 {
        self.batches[((self.batches.len() - 1) as f64 * q).round() as usize]
    }

    /// Milliseconds of all layers.
    fn sum(&self) -> f64 {
        self.layers.iter().map(|l| l.milliseconds).sum()
    }
}

/// Pixels that no two neighbours share, in the range of preprocessed images.
fn picture(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919) % 251) as f32 - 120.0).collect()
}
