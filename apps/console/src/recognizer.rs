//! A network that names what is in a picture: preprocessing, execution, class names.

use anyhow::Result;
use serde_json::{Value, json};
use synapress_images::{Draw, Image, Resizer, check_shape, prepare};
use synapress_kernels::integer::Kernel;
use synapress_model::{Channels, Mode, Net, Preprocess, Shape};
use synapress_run::{Executor, Guess, Keep, Scores, Session, guesses};

use crate::output::{detail, note};

/// A class, how probable it is, and its name.
pub type Named = (Guess, String);

/// A network with all that it takes to look at pictures.
pub struct Recognizer {
    engine: Engine,
    preprocess: Preprocess,
    shape: Shape,
    labels: Vec<String>,
    resizer: Resizer,
    pixels: Vec<f32>,
}

enum Engine {
    Integers(Box<Session>),
    Float(Box<Executor<f32>>, Scores),
}

/// How a network's images are prepared; says so when nobody said how.
pub fn preprocess_of(net: &Net) -> Preprocess {
    net.about.preprocess.clone().unwrap_or_else(|| {
        note(
            "note: nothing says how images are prepared, so pixels go in as they are; see --mean, --scale, --channels",
        );
        Preprocess { channels: Channels::Bgr, ..Preprocess::default() }
    })
}

impl Recognizer {
    /// Prepares a network with all its weights: in integers if it is quantized and not forced into floating point. All
    /// threads work on one picture.
    ///
    /// # Errors
    /// When the network cannot be executed, or its input is no image.
    pub fn new(net: Net, float: bool) -> Result<Self> {
        let preprocess = preprocess_of(&net);
        let shape = net.graph.shape(net.graph.input()?);
        check_shape(&preprocess, shape)?;
        let labels = net.about.labels.clone();
        let threads = rayon::current_num_threads();
        let engine = if net.integers.is_some() && !float {
            let session = Session::consume(net, Kernel::best())?.with_threads(threads);
            detail(&format!("integers, {}, {threads} threads, input {shape}", session.kernel().name()));
            Engine::Integers(Box::new(session))
        } else {
            let softmax = net.graph.node(net.graph.output()).layer.kind().name == "Softmax";
            let scores = if softmax { Scores::Probabilities } else { Scores::Logits };
            detail(&format!("floating point, {threads} threads, input {shape}"));
            Engine::Float(Box::new(Executor::new(&net, 1, Keep::Output)?), scores)
        };
        let pixels = vec![0.0; shape.len()];
        Ok(Self { engine, preprocess, shape, labels, resizer: Resizer::default(), pixels })
    }

    /// The most probable classes of a picture, at most `top` of them, the most probable first.
    ///
    /// # Errors
    /// When the network cannot be executed.
    pub fn look(&mut self, image: &Image, top: usize) -> Result<Vec<Named>> {
        prepare(image, &self.preprocess, self.shape, &Draw::NONE, &mut self.resizer, &mut self.pixels);
        let found = match &mut self.engine {
            Engine::Integers(session) => {
                let kind = session.kind();
                guesses(session.run(&self.pixels)?, kind, top)
            }
            Engine::Float(executor, kind) => guesses(executor.forward(&self.pixels, Mode::Infer), *kind, top),
        };
        let label = |class: usize| self.labels.get(class).cloned().unwrap_or_else(|| format!("class {class}"));
        Ok(found.into_iter().map(|guess| (guess, label(guess.class))).collect())
    }

    /// The integers that the last picture's probabilities are made of, and their fractional length; of a network in
    /// floating point there are none.
    pub fn scores(&self) -> Value {
        match &self.engine {
            Engine::Integers(session) => {
                let (codes, format) = session.codes();
                json!({ "codes": codes, "frac": format.frac })
            }
            Engine::Float(..) => Value::Null,
        }
    }
}
