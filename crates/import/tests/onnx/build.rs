//! Small models, made here, and what comes of them.

use std::path::Path;

use synapress_import::onnx::proto::{Attribute, Dim, Graph, Model, Node, Tensor, Value, ValueInfo, kinds};
use synapress_import::onnx::{self, Options};
use synapress_model::{Mode, Net};
use synapress_run::{Executor, Keep};

/// An attribute.
pub fn attribute(name: &str, value: Value) -> Attribute {
    Attribute { name: name.to_owned(), value }
}

pub fn int(name: &str, value: i64) -> Attribute {
    attribute(name, Value::Int(value))
}

pub fn float(name: &str, value: f32) -> Attribute {
    attribute(name, Value::Float(value))
}

pub fn ints(name: &str, values: &[i64]) -> Attribute {
    attribute(name, Value::Ints(values.to_vec()))
}

pub fn text(name: &str, value: &str) -> Attribute {
    attribute(name, Value::Text(value.to_owned()))
}

/// A model that is being made.
#[derive(Clone, Debug)]
pub struct Build {
    pub model: Model,
}

impl Build {
    /// A model of this operator set whose input `x` has these sizes after the batch.
    pub fn new(opset: u64, sizes: &[i64]) -> Self {
        let dims = [Dim::Free("batch".to_owned())].into_iter().chain(sizes.iter().map(|&s| Dim::Size(s))).collect();
        let input = ValueInfo { name: "x".to_owned(), kind: kinds::FLOAT, dims };
        let output = ValueInfo { name: "y".to_owned(), kind: kinds::FLOAT, dims: Vec::new() };
        let graph = Graph { name: "test".to_owned(), inputs: vec![input], outputs: vec![output], ..Graph::default() };
        let model = Model { ir_version: 7, opsets: vec![(String::new(), opset)], graph, ..Model::default() };
        Self { model }
    }

    /// Adds a node; it is called as its operator and output are.
    pub fn node(mut self, op: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) -> Self {
        let strings = |v: &[&str]| v.iter().map(|&s| s.to_owned()).collect();
        self.model.graph.nodes.push(Node {
            name: format!("{op}:{output}"),
            op: op.to_owned(),
            inputs: strings(inputs),
            outputs: vec![output.to_owned()],
            attributes: attributes.to_vec(),
            ..Node::default()
        });
        self
    }

    /// Adds a constant.
    pub fn floats(mut self, name: &str, dims: &[usize], numbers: &[f32]) -> Self {
        self.model.graph.initializers.push(Tensor::floats(name, dims, numbers.to_vec()));
        self
    }

    /// Adds a list of whole numbers.
    pub fn ints(mut self, name: &str, numbers: &[i64]) -> Self {
        self.model.graph.initializers.push(Tensor::ints(name, &[numbers.len()], numbers.to_vec()));
        self
    }

    /// Its bytes as a file.
    pub fn bytes(&self) -> Vec<u8> {
        bytes(&self.model)
    }

    /// The network of its bytes.
    pub fn net(&self) -> Result<Net, String> {
        self.net_with(&Options::default())
    }

    pub fn net_with(&self, options: &Options) -> Result<Net, String> {
        let bytes = self.bytes();
        let model = onnx::parse(&bytes[..], bytes.len() as u64).map_err(|e| e.to_string())?;
        onnx::net(&model, Path::new("."), options).map_err(|e| e.to_string())
    }

    /// What it puts out for an image, and that the same comes of it once it was written and read again.
    pub fn run(&self, image: &[f32]) -> Vec<f32> {
        let net = self.net().unwrap_or_else(|e| panic!("{e}\n{:?}", self.model.graph.nodes));
        let output = run(&net, image);
        let again = again(&net);
        same(&net, &again);
        let rates = |net: &Net| net.graph.nodes().iter().map(|n| n.learning).collect::<Vec<_>>();
        assert_eq!(rates(&net), rates(&again));
        assert_eq!(run(&again, image), output);
        output
    }

    /// The kinds of its layers behind the input.
    pub fn layers(&self) -> Vec<&'static str> {
        let net = self.net().unwrap_or_else(|e| panic!("{e}"));
        net.graph.nodes().iter().skip(1).map(|n| n.layer.kind().name).collect()
    }
}

pub fn bytes(model: &Model) -> Vec<u8> {
    let mut bytes = Vec::new();
    onnx::write_to(&mut bytes, model).unwrap();
    bytes
}

/// Numbers that depend on their place alone.
pub fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + 11) % 101) as f32 / 20.0 - 2.5).collect()
}

pub fn run(net: &Net, image: &[f32]) -> Vec<f32> {
    Executor::<f32>::new(net, 1, Keep::Output).unwrap().forward(image, Mode::Infer).to_vec()
}

/// A network written as a model and read again.
pub fn again(net: &Net) -> Net {
    let bytes = bytes(&onnx::single(net).unwrap());
    let model = onnx::parse(&bytes[..], bytes.len() as u64).unwrap();
    onnx::net(&model, Path::new("."), &Options::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// Asserts that two networks are equal: names, layers, inputs and the bits of weights.
pub fn same(a: &Net, b: &Net) {
    assert_eq!(a.graph.nodes().len(), b.graph.nodes().len(), "{:#?}\n{:#?}", a.graph, b.graph);
    for (a, b) in a.graph.nodes().iter().zip(b.graph.nodes()) {
        assert_eq!((&a.name, &a.inputs), (&b.name, &b.inputs));
        assert_eq!(format!("{:?}", a.layer), format!("{:?}", b.layer), "{}", a.name);
    }
    assert_eq!(a.name, b.name);
    for (a, b) in a.weights.iter().zip(&b.weights) {
        let bits = |w: &Option<synapress_model::Weights>| {
            w.as_ref().map(|w| {
                let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                (w.dims, bits(&w.values()), bits(&w.bias.values()))
            })
        };
        assert_eq!(bits(a), bits(b));
    }
}

/// Asserts that numbers agree to some digits.
pub fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= 1e-5 * e.abs().max(1.0), "{i}: {f}, expected {e}");
    }
}
