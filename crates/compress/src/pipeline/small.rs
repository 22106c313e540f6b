//! A small network in the manner of GoogLeNet (Szegedy et al. 2015): a stem, three inception modules, average pooling
//! and a classifier, for images of 32x32 pixels. What the demonstration trains and compresses.

use synapress_model::layers::{Concat, Convolution, InnerProduct, Input, Method, Pooling, Relu, Softmax};
use synapress_model::{Error, Filler, Graph, Layer, Learning, Net, Node, NodeId, Shape};

/// The network for so many classes, without weights.
///
/// # Errors
/// [`synapress_model::ErrorKind::Shape`] for no classes.
pub fn network(classes: usize) -> Result<Net, Error> {
    let mut build = Build(Graph::new());
    let at = build.0.add("data", Input { shape: Shape::new(3, 32, 32)? }, &[])?;
    let at = build.convolution("conv1", at, 24, 3)?;
    let at = build.pool("pool1", at, 3, 2)?;
    let at = build.convolution("conv2", at, 32, 3)?;
    let at = build.pool("pool2", at, 3, 2)?;
    let at = build.inception("inception_a", at, [16, 16, 24, 4, 8, 8])?;
    let at = build.inception("inception_b", at, [24, 24, 32, 6, 12, 12])?;
    let at = build.pool("pool3", at, 3, 2)?;
    let at = build.inception("inception_c", at, [32, 32, 48, 8, 16, 16])?;
    let mean = Pooling { method: Method::Average, global: true, ..PLAIN };
    let at = build.node("pool4", mean, &[at])?;
    let at = build.node("classifier", InnerProduct { outputs: classes, bias: true }, &[at])?;
    build.node("prob", Softmax::default(), &[at])?;
    let Build(graph) = build;
    Ok(Net { name: "demo".to_owned(), weights: vec![None; graph.nodes().len()], graph, ..Net::default() })
}

const PLAIN: Pooling = Pooling {
    method: Method::Max,
    global: false,
    kernel: [1; 2],
    stride: [1; 2],
    pad: [0; 2],
    pad_end: [0; 2],
    round_up: true,
    count_padding: true,
};

struct Build(Graph);

impl Build {
    fn node(&mut self, name: &str, layer: impl Layer + 'static, inputs: &[NodeId]) -> Result<NodeId, Error> {
        // He's start suits layers that rectifiers follow.
        let learning = Learning { weight_filler: Filler::Msra, ..Learning::default() };
        self.0.push(Node { name: name.to_owned(), layer: Box::new(layer), inputs: inputs.to_vec(), learning })
    }

    /// A convolution of the same size and its rectifier.
    fn convolution(&mut self, name: &str, from: NodeId, outputs: usize, kernel: usize) -> Result<NodeId, Error> {
        let at = self.node(name, Convolution::square(outputs, kernel, 1, kernel / 2), &[from])?;
        self.node(&format!("{name}/relu"), Relu::default(), &[at])
    }

    fn pool(&mut self, name: &str, from: NodeId, kernel: usize, stride: usize) -> Result<NodeId, Error> {
        let pad = if stride == 1 { kernel / 2 } else { 0 };
        self.node(name, Pooling { kernel: [kernel; 2], stride: [stride; 2], ..PLAIN }.padded([pad; 2]), &[from])
    }

    /// Four branches; `sizes` as in the paper: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection.
    fn inception(&mut self, name: &str, from: NodeId, sizes: [usize; 6]) -> Result<NodeId, Error> {
        let [one, reduce3, three, reduce5, five, project] = sizes;
        let of = |part: &str| format!("{name}/{part}");
        let a = self.convolution(&of("1x1"), from, one, 1)?;
        let b = self.convolution(&of("3x3_reduce"), from, reduce3, 1)?;
        let b = self.convolution(&of("3x3"), b, three, 3)?;
        let c = self.convolution(&of("5x5_reduce"), from, reduce5, 1)?;
        let c = self.convolution(&of("5x5"), c, five, 5)?;
        let d = self.pool(&of("pool"), from, 3, 1)?;
        let d = self.convolution(&of("pool_proj"), d, project, 1)?;
        self.node(&of("output"), Concat, &[a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synapress_model::census::census;

    #[test]
    fn it_has_three_inception_modules() {
        let census = census(&network(10).unwrap());
        assert_eq!((census.inception_modules, census.fully_connected, census.convolutions), (3, 1, 20));
        assert!((20_000..200_000).contains(&census.parameters), "{}", census.parameters);
        assert!(network(0).is_err());
    }
}
