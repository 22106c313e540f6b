//! What every layer kind provides.

use std::fmt::Debug;

use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::fixed::Fixed;
use crate::linear::{IntegerWeights, Linear};
use crate::pass::Float;
use crate::shape::Shape;
use crate::structure::Structure;
use crate::weights::WeightShape;

/// A layer kind: its names and how its attributes are read. The list of all is [`crate::layers::LAYERS`].
#[derive(Debug)]
pub struct Kind {
    /// Its name here, which is Caffe's current one.
    pub name: &'static str,
    /// Every name Caffe has for it: the current one and the enumerators of the old `layers` encoding.
    pub caffe: &'static [&'static str],
    /// The field of a Caffe layer that holds its attributes; empty when it has none.
    pub parameter: &'static str,
    /// The fewest and the most inputs.
    pub inputs: [usize; 2],
    /// Makes the layer from its attributes, which are those of Caffe and are also stored in a `.syn` file.
    /// Fails with [`ErrorKind::Attribute`] or [`ErrorKind::Unsupported`].
    pub read: fn(&Attributes) -> Result<Box<dyn Layer>, Error>,
}

/// One image through a layer in integers.
#[derive(Debug)]
pub struct IntegerForward<'a> {
    /// Each input, `(C, H, W)`.
    pub inputs: &'a [&'a [i16]],
    /// Shape of each input.
    pub input_shapes: &'a [Shape],
    /// Format of each input.
    pub input_formats: &'a [Fixed],
    /// The output, `(C, H, W)`.
    pub output: &'a mut [i16],
    /// Its shape.
    pub output_shape: Shape,
    /// Its format.
    pub output_format: Fixed,
    /// Integer weights, for kinds that have any.
    pub weights: Option<&'a IntegerWeights>,
    /// The node's table; empty when the kind needs none.
    pub table: &'a [i16],
}

/// A layer of some kind.
pub trait Layer: Float<f32> + Float<f64> + Debug + Send + Sync {
    /// Its kind.
    fn kind(&self) -> &'static Kind;

    /// Its attributes, such that [`Kind::read`] gives the same layer again. Defaults are left out.
    fn attributes(&self) -> Attributes;

    /// A copy.
    fn boxed(&self) -> Box<dyn Layer>;

    /// The shape it puts out for inputs of these shapes.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when they do not suit it.
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error>;

    /// The shape of its weights; `None` when the kind has none.
    fn weight_shape(&self, _inputs: &[Shape]) -> Option<WeightShape> {
        None
    }

    /// Its geometry when it is a convolution or a fully connected layer: what the three stages compress.
    fn linear(&self, _inputs: &[Shape]) -> Option<Linear> {
        None
    }

    /// Whether its weights are trained by gradients; statistics (BatchNorm) are not.
    fn learns(&self) -> bool {
        true
    }

    /// Whether its weights are running averages of what it [saves](crate::pass::Memo::saved) of each batch in training:
    /// the share of the past that is kept from batch to batch.
    fn running_average(&self) -> Option<f32> {
        None
    }

    /// Whether its backward pass gives the parameters' gradients of the whole batch where it is shared out to peers. Of
    /// other layers these are of the images here, and each [lane](crate::pass::Lane)'s is left there to be added up.
    fn sums_over_peers(&self) -> bool {
        false
    }

    /// Whether, in floating point, this is `max(x, 0)` and nothing else.
    fn is_rectifier(&self) -> bool {
        false
    }

    /// Whether this is a factor and a bias for each channel, which may join a layer that [takes](Layer::takes_scale)
    /// it.
    fn is_scale(&self) -> bool {
        false
    }

    /// Whether it can [scale](crate::pass::Forward::scaled) what it writes; its backward pass then reads its input and
    /// not its output.
    fn takes_scale(&self) -> bool {
        false
    }

    /// Whether its backward pass does not read its output, so that another layer may overwrite that; such a layer can
    /// also [rectify](crate::pass::Forward::rectified) what it writes.
    fn forgets_output(&self) -> bool {
        false
    }

    /// Whether it can work in place: output over input, and gradient over gradient.
    fn in_place(&self) -> bool {
        false
    }

    /// Whether at inference the output is the input's memory as it is (Flatten, Reshape, Dropout). Such a layer also
    /// works in place.
    fn is_view(&self) -> bool {
        false
    }

    /// The weight of this layer's loss when it ends a classifier (softmax with cross-entropy); `None` for others.
    /// Such a layer has no integer form: it turns the integer scores into float probabilities.
    fn loss_weight(&self) -> Option<f32> {
        None
    }

    /// Whether integer output has the input's format by nature (max pooling, flatten), so that none is chosen for it.
    fn keeps_format(&self) -> bool {
        false
    }

    /// The table of integers that its integer form reads, for these formats; empty when it needs none.
    fn table(&self, _inputs: &[Fixed], _output: Fixed, _shapes: &[Shape]) -> Vec<i16> {
        Vec::new()
    }

    /// What its integer form does, for runtimes that can do the same faster.
    fn structure(&self, _inputs: &[Shape]) -> Structure {
        Structure::Other
    }

    /// Refuses formats, weights or tables that its integer form could not compute without overflow.
    ///
    /// # Errors
    /// [`ErrorKind::Format`].
    fn verify_integer(
        &self,
        _inputs: &[Fixed],
        _output: Fixed,
        _weights: Option<&IntegerWeights>,
        _table: &[i16],
    ) -> Result<(), Error> {
        Ok(())
    }

    /// The meaning of the layer in integers, one image at a time: plain loops, exact on every machine.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for kinds without an integer form.
    fn forward_integer(&self, _io: IntegerForward<'_>) -> Result<(), Error> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} has no integer form; fold it first or leave the network unquantized", self.kind().name),
        ))
    }
}

impl Clone for Box<dyn Layer> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}
