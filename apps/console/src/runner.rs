//! A network that can be run and timed, in integers or in floating point.

use std::time::Instant;

use anyhow::Result;
use synapress_model::{Graph, Mode, NodeId};
use synapress_run::{Executor, Session};

/// A network that is measured.
pub enum Runner {
    /// One session for all threads, or one for each.
    Integers(Vec<Session>),
    Float(Box<Executor<f32>>),
}

/// One step.
pub struct Layer {
    pub name: String,
    pub kind: &'static str,
    pub loops: String,
    /// Multiply-accumulates of the layer, and those that were done.
    pub connections: u64,
    pub multiplications: Option<u64>,
    pub milliseconds: f64,
}

impl Layer {
    /// Multiply-accumulates in 10^9 a second, zeros counted.
    pub fn speed(&self) -> Option<f64> {
        (self.connections > 0 && self.milliseconds > 0.0).then(|| self.connections as f64 / self.milliseconds / 1e6)
    }
}

impl Runner {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Integers(_) => "integers",
            Self::Float(_) => "floating point",
        }
    }

    pub fn kernel(&self) -> &'static str {
        match self {
            Self::Integers(sessions) => sessions[0].kernel().name(),
            Self::Float(_) => "GEMM",
        }
    }

    pub fn run(&mut self, images: &[f32], batch: usize) -> Result<()> {
        match self {
            Self::Float(executor) => {
                executor.forward(images, Mode::Infer);
            }
            Self::Integers(sessions) => {
                let len = images.len() / batch;
                if let [session] = &mut sessions[..] {
                    for image in images.chunks(len) {
                        session.run(image)?;
                    }
                    return Ok(());
                }
                let count = sessions.len();
                std::thread::scope(|scope| {
                    let work = |(i, session): (usize, &mut Session)| -> Result<(), synapress_model::Error> {
                        images.chunks(len).skip(i).step_by(count).try_for_each(|image| session.run(image).map(|_| ()))
                    };
                    let threads: Vec<_> =
                        sessions.iter_mut().enumerate().map(|part| scope.spawn(move || work(part))).collect();
                    threads.into_iter().try_for_each(|t| t.join().expect("a thread that runs a session does not panic"))
                })?;
            }
        }
        Ok(())
    }

    /// Adds the milliseconds of every step to those of its node; the last entry is for the image itself.
    pub fn run_by_layer(&mut self, images: &[f32], layers: &mut [Vec<f64>]) -> Result<()> {
        let image_at = layers.len() - 1;
        let mut last = Instant::now();
        let mut observe = |node: Option<NodeId>| {
            layers[node.unwrap_or(image_at)].push(last.elapsed().as_secs_f64() * 1e3);
            last = Instant::now();
        };
        match self {
            Self::Float(executor) => {
                executor.forward_observed(images, Mode::Infer, |node| observe(Some(node)));
            }
            Self::Integers(sessions) => {
                let session = &mut sessions[0];
                let len = session.input_shape().len();
                session.run_observed(&images[..len], observe)?;
            }
        }
        Ok(())
    }

    /// Medians of the layers' times. For integers those of one image.
    pub fn layers(&self, graph: &Graph, times: &mut [Vec<f64>]) -> Vec<Layer> {
        let mut median = |i: usize| {
            let times = &mut times[i];
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied()
        };
        let node = |id: NodeId, loops: String, multiplications: Option<u64>, milliseconds: f64| {
            let node = graph.node(id);
            Layer {
                name: node.name.clone(),
                kind: node.layer.kind().name,
                loops,
                connections: node.layer.linear(&graph.input_shapes(id)).map_or(0, |g| g.connections()),
                multiplications,
                milliseconds,
            }
        };
        match self {
            Self::Float(_) => {
                let all = (0..graph.nodes().len()).filter_map(|id| Some((id, median(id)?)));
                all.map(|(id, ms)| node(id, String::new(), None, ms)).collect()
            }
            Self::Integers(sessions) => {
                let image = Layer {
                    name: "image".to_owned(),
                    kind: "Input",
                    loops: String::new(),
                    connections: 0,
                    multiplications: None,
                    milliseconds: median(graph.nodes().len()).unwrap_or(0.0),
                };
                let steps = sessions[0].steps();
                let rest = steps
                    .map(|(id, how)| node(id, how.loops.to_owned(), how.multiplications, median(id).unwrap_or(0.0)));
                std::iter::once(image).chain(rest).collect()
            }
        }
    }
}
