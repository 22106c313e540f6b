//! The `.syn` file in figures: what its bytes are spent on, layer by layer, and what the layers' weights are like.

use serde::{Deserialize, Serialize};
use synapress_code::{self as code, Cost, LayerSummary, Limits};
use synapress_model::{Centroids, Form, Net, Weights};

use super::weights::Distribution;
use crate::group;

/// A file and its layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Bytes in all.
    pub bytes: u64,
    /// How many times smaller than its parameters in single precision.
    pub ratio: f64,
    /// Numbers that were learned, biases included.
    pub parameters: u64,
    /// Bytes of these in single precision.
    pub float_bytes: u64,
    /// Share of the weights that are zero, in percent.
    pub sparsity: f64,
    /// Bits of weights and codebooks for each weight.
    pub bits_per_weight: f64,
    /// Index width in bits, mean over layers; absent where nothing is grouped.
    pub index_bits_mean: Option<f64>,
    /// Index width in bits, mean over weights.
    pub index_bits_weighted: Option<f64>,
    /// All layers' bytes.
    pub layers_bytes: LayerBytes,
    /// Bytes of the graph.
    pub graph_bytes: u64,
    /// Bytes of preprocessing, class names and history.
    pub about_bytes: u64,
    /// Bytes of layer output formats and tables.
    pub format_bytes: u64,
    /// Bytes of everything else: extra chunks, header and end of the file.
    pub other_bytes: u64,
    /// The layers with weights, in order.
    pub layers: Vec<LayerFigures>,
}

/// A layer with weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerFigures {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Number of its weights.
    pub weights: u64,
    /// Share of them that is zero, in percent.
    pub sparsity: f64,
    /// Index width in bits; absent where it is not grouped.
    pub index_bits: Option<u8>,
    /// Bit width of a weight as it is computed with: 32 in floating point.
    pub weight_bits: u8,
    /// Fractional length of weights; absent in floating point.
    pub frac: Option<i8>,
    /// Bits of weights and codebook for each weight.
    pub bits_per_weight: f64,
    /// What its bytes say.
    pub bytes: LayerBytes,
    /// How its weights are distributed.
    pub distribution: Distribution,
}

/// Bytes of a layer by what they say; fractions, because decisions of arithmetic code share bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerBytes {
    /// Which weights are zero.
    pub significance: f64,
    /// Signs.
    pub sign: f64,
    /// Which centroid an index names, or a code's magnitude.
    pub magnitude_or_index: f64,
    /// The codebook.
    pub codebook: f64,
    /// The bias.
    pub bias: f64,
    /// The rest of the layer's chunk.
    pub overhead: f64,
    /// All of them.
    pub sum: f64,
}

impl LayerBytes {
    /// Those of a layer.
    pub fn of(cost: &Cost) -> Self {
        Self {
            significance: cost.significance,
            sign: cost.sign,
            magnitude_or_index: cost.magnitude,
            codebook: cost.codebook,
            bias: cost.bias,
            overhead: cost.overhead,
            sum: cost.bytes(),
        }
    }

    fn add(self, other: Self) -> Self {
        Self {
            significance: self.significance + other.significance,
            sign: self.sign + other.sign,
            magnitude_or_index: self.magnitude_or_index + other.magnitude_or_index,
            codebook: self.codebook + other.codebook,
            bias: self.bias + other.bias,
            overhead: self.overhead + other.overhead,
            sum: self.sum + other.sum,
        }
    }
}

impl File {
    /// Of a network and the bytes that it is stored in; beside its weights those of the float network, if that is
    /// known. Decodes the file once more.
    ///
    /// # Errors
    /// As [`code::costs`].
    pub fn of(net: &Net, bytes: &[u8], float: Option<&Net>) -> Result<Self, code::Error> {
        let summary = code::summary(bytes)?;
        let costs = code::costs(bytes, &Limits::default())?;
        let layers: Vec<LayerFigures> =
            summary.layers.iter().zip(&costs).map(|(layer, cost)| figures(net, layer, cost, float)).collect();
        let chunks: u64 = summary.layers.iter().map(|l| l.bytes).sum();
        let named = chunks + summary.graph_bytes + summary.about_bytes + summary.integer_bytes;
        let widths = group::widths(net);
        Ok(Self {
            bytes: summary.bytes,
            ratio: summary.ratio(),
            parameters: summary.parameters(),
            float_bytes: summary.parameters() * 4,
            sparsity: 100.0 * crate::prune::sparsity(net),
            bits_per_weight: summary.bits_per_weight(),
            index_bits_mean: widths.as_ref().map(|w| w.mean),
            index_bits_weighted: widths.as_ref().map(|w| w.weighted),
            layers_bytes: layers.iter().fold(LayerBytes::default(), |sum, l| sum.add(l.bytes)),
            graph_bytes: summary.graph_bytes,
            about_bytes: summary.about_bytes,
            format_bytes: summary.integer_bytes,
            other_bytes: summary.bytes.saturating_sub(named),
            layers,
        })
    }
}

fn figures(net: &Net, layer: &LayerSummary, cost: &Cost, float: Option<&Net>) -> LayerFigures {
    let own = weights_of(net, &layer.name);
    let index_bits = match own.map(|w| &w.form) {
        Some(Form::Coded { centroids, .. }) => Some(group::index_bits(centroids.len())),
        _ => None,
    };
    let before = float.and_then(|net| weights_of(net, &layer.name));
    LayerFigures {
        name: layer.name.clone(),
        kind: layer.kind.clone(),
        weights: layer.weights,
        sparsity: 100.0 * (1.0 - layer.nonzero as f64 / layer.weights.max(1) as f64),
        index_bits,
        weight_bits: layer.bits,
        frac: own.and_then(frac),
        bits_per_weight: layer.bits_per_weight(),
        bytes: LayerBytes::of(cost),
        distribution: own.map(|w| Distribution::of(w, before)).unwrap_or_default(),
    }
}

fn weights_of<'n>(net: &'n Net, name: &str) -> Option<&'n Weights> {
    net.weights.get(net.graph.find(name)?)?.as_ref()
}

fn frac(weights: &Weights) -> Option<i8> {
    match &weights.form {
        Form::Fixed { format, .. } | Form::Coded { centroids: Centroids::Fixed { format, .. }, .. } => {
            Some(format.frac)
        }
        Form::Dense(_) | Form::Coded { centroids: Centroids::Float(_), .. } => None,
    }
}
