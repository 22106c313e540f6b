//! ONNX: any bytes as a model.

use std::path::Path;

use synapress_code::{Options as CodeOptions, encode};
use synapress_import::onnx::{self, Options};
use synapress_model::ErrorKind;
use synapress_model::census::census;

/// Networks of more weights are read, but not written again.
const MOST_WEIGHTS: u64 = 1 << 16;

/// Bytes as a model, whose external data would lie in a folder that is not there. A network that comes of it goes through
/// synapse code, and as a model it comes back with the same weights.
pub fn onnx_model(bytes: &[u8]) {
    let folder = Path::new("/nowhere");
    let parsed = onnx::parse(bytes, bytes.len() as u64);
    let net = match parsed.and_then(|model| onnx::net(&model, folder, &Options::default())) {
        Ok(net) => net,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    net.verify().expect("a network that was read holds together");
    census(&net);
    if net.parameters() > MOST_WEIGHTS {
        return;
    }
    encode(&net, &CodeOptions::default()).expect("a network with all weights is encoded");
    let model = match onnx::single(&net) {
        Ok(model) => model,
        Err(e) => return assert!(e.kind() == ErrorKind::Unsupported, "{e}"),
    };
    let mut bytes = Vec::new();
    onnx::write_to(&mut bytes, &model).expect("memory takes it");
    let model = onnx::parse(&bytes[..], bytes.len() as u64).expect("what was written is read");
    let again = onnx::net(&model, folder, &Options::default()).expect("a network that was read is read again");
    assert_eq!(again.graph.nodes().len(), net.graph.nodes().len());
    assert_eq!(again.weights, net.weights);
}
