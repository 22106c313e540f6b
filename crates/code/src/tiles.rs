//! A layer's weights as they lie in a file, tile by tile: whole rows that are decoded by themselves, in any order. Joining
//! them is not done here.

use std::ops::Range;

use synapress_model::{Bias, Form, Weights};

use crate::error::Error;
use crate::layer::{EXPECTED, Head};
use crate::net::{Parts, in_layer};
use crate::options::Limits;
use crate::part::{Part, Values};
use crate::ranks::Ranks;
use crate::schemes::Book;

/// The weights of one layer in a file, not decoded yet.
///
/// ```
/// # use synapress_code::{Limits, Options, encode, layers};
/// # use synapress_model::{Net, Shape, layers::{InnerProduct, Input}, Weights};
/// # let mut net = Net::default();
/// # let image = net.graph.add("data", Input { shape: Shape::new(3, 1, 1)? }, &[])?;
/// # net.graph.add("scores", InnerProduct { outputs: 2, bias: true }, &[image])?;
/// # net.weights = vec![None, Some(Weights::dense([2, 3, 1, 1], vec![0.0, 0.5, -1.0, 0.0, 2.0, 0.0], vec![0.0, 1.0]))];
/// let bytes = encode(&net, &Options::default())?;
/// for layer in layers(&bytes, &Limits::default())? {
///     for tile in 0..layer.tiles() {
///         println!("{}: rows {:?} are {:?}", layer.name(), layer.rows(tile), layer.tile(tile)?);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CodedLayer<'a> {
    name: String,
    head: Head<'a>,
    ranked: Option<(Ranks, Book)>,
}

/// The layers of a file that have weights, by rising node.
///
/// # Errors
/// As [`decode`](crate::decode), but for what only the weights themselves show.
pub fn layers<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<CodedLayer<'a>>, Error> {
    let parts = Parts::of(bytes, limits)?;
    parts.within(bytes.len(), limits)?;
    parts.layers()
}

impl<'a> CodedLayer<'a> {
    pub(crate) fn new(name: String, head: Head<'a>) -> Self {
        let ranked = head.ranked();
        Self { name, head, ranked }
    }

    /// The layer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The node.
    pub fn node(&self) -> usize {
        self.head.node
    }

    /// Outputs, inputs (of one group), kernel height and width.
    pub fn dims(&self) -> [usize; 4] {
        self.head.dims
    }

    /// Number of tiles.
    pub fn tiles(&self) -> usize {
        self.head.tiles.len()
    }

    /// The rows (outputs) of a tile; none if there is no such tile.
    pub fn rows(&self, tile: usize) -> Range<usize> {
        let rows = |tiles: usize| self.head.tiles.iter().take(tiles).map(|(tile, ..)| tile.rows).sum();
        rows(tile)..rows(tile.saturating_add(1))
    }

    /// The weights of the rows of a tile in row-major order, with the layer's codebook or format. Equal to that part of what
    /// [`decode`](crate::decode) makes of the file.
    ///
    /// # Panics
    /// If there is no such tile.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind) or [`ErrorKind::Truncated`](crate::ErrorKind) of bytes that are not the
    /// tile's code.
    pub fn tile(&self, tile: usize) -> Result<Form, Error> {
        let mut form = self.head.form.clone();
        self.part(tile)?.fill(&mut form);
        Ok(form)
    }

    /// Gives all weights in their order, `rows` outputs at a time and fewer at the end, with the layer's codebook or format,
    /// and the first of these outputs. Beside the file no more weights are in memory than that, and what is decoded at once.
    ///
    /// # Errors
    /// As [`Self::tile`], and whatever `take` says.
    pub fn pieces(&self, rows: usize, take: &mut dyn FnMut(usize, Form) -> Result<(), Error>) -> Result<(), Error> {
        let row = self.head.dims[1..].iter().fold(1usize, |n, &d| n.saturating_mul(d)).max(1);
        let rows = rows.clamp(1, self.head.dims[0].max(1));
        let (mut values, mut first, mut nonzero) = (self.head.nothing(), 0, 0);
        let mut give = |values: Values, nonzero: &mut usize| {
            let count = values.len() / row;
            let part = Part::new(values);
            *nonzero += part.nonzero();
            let mut form = self.head.form.clone();
            part.fill(&mut form);
            take(first, form)?;
            first += count;
            Ok::<(), Error>(())
        };
        let piece = rows.saturating_mul(row);
        for tile in 0..self.tiles() {
            self.head.tile(tile, self.ranked.as_ref(), piece, &mut values, &mut |values| {
                while values.len() >= piece {
                    give(values.take(piece), &mut nonzero)?;
                }
                Ok(())
            })?;
        }
        if values.len() > 0 {
            give(values, &mut nonzero)?;
        }
        self.head.check_nonzero(nonzero)
    }

    /// The weights of some outputs, the first of which is given, with their share of the bias.
    pub(crate) fn rows_of(&self, first: usize, form: Form) -> Weights {
        let [_, inputs, height, width] = self.head.dims;
        let mut weights = Weights { dims: [0, inputs, height, width], form, bias: Bias::None };
        let rows = weights.len() / (inputs * height * width).max(1);
        weights.dims[0] = rows;
        weights.bias = self.head.bias.part(first..first + rows);
        weights
    }

    /// The weights of a tile, to be joined with others.
    pub(crate) fn part(&self, tile: usize) -> Result<Part, Error> {
        let mut values = self.head.nothing();
        let decoded = self.head.tile(tile, self.ranked.as_ref(), EXPECTED, &mut values, &mut |_| Ok(()));
        decoded.map_err(|e| in_layer(e, &self.name)).map(|()| Part::new(values))
    }

    /// The layer of all its tiles' weights, and its node.
    pub(crate) fn finish(self, all: Option<Part>) -> Result<(usize, Weights), Error> {
        self.head.finish(all).map_err(|e| in_layer(e, &self.name))
    }
}
