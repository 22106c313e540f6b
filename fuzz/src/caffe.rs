//! Caffe's files: any text as a prototxt, any bytes as the weights of a small network.

use synapress_code::{Limits, Options as CodeOptions, decode, encode};
use synapress_import::caffe::{self, Options, Phase};
use synapress_import::{caffemodel as weights, fill, prototxt as text};
use synapress_model::census::census;

/// The network that [`caffemodel`] reads weights for: one layer of each kind that has any.
pub const CLASSIFIER: &str = "
name: 'small'
layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 2, 6, 6] } } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: 'bn' type: 'BatchNorm' bottom: 'conv' top: 'conv' }
layer { name: 'scale' type: 'Scale' bottom: 'conv' top: 'conv' scale_param { bias_term: true } }
layer { name: 'prelu' type: 'PReLU' bottom: 'conv' top: 'conv' }
layer { name: 'fc' type: 'InnerProduct' bottom: 'conv' top: 'fc' inner_product_param { num_output: 3 } }
layer { name: 'prob' type: 'Softmax' bottom: 'fc' top: 'prob' }
";

/// Networks of more weights are read, but not filled and encoded.
const MOST_WEIGHTS: u64 = 1 << 16;

/// Bytes as a prototxt, in both phases. A network that comes of it goes through synapse code.
pub fn prototxt(bytes: &[u8]) {
    let _ = text::parse_bytes(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for phase in [Phase::Test, Phase::Train] {
        let options = Options { phase, ..Options::default() };
        let mut net = match caffe::parse(text, "net.prototxt", &options) {
            Ok(net) => net,
            Err(e) => {
                assert!(e.to_string().starts_with("net.prototxt: "), "{e}");
                continue;
            }
        };
        census(&net);
        if net.parameters() > MOST_WEIGHTS || fill(&mut net, 1).is_err() {
            continue;
        }
        let code = encode(&net, &CodeOptions::default()).expect("a network with all weights is encoded");
        let same = decode(&code, &Limits::default()).expect("an encoded network is read");
        assert!(code == encode(&same, &CodeOptions::default()).expect("a decoded network is whole"));
    }
}

/// Bytes as the weights of [`CLASSIFIER`].
pub fn caffemodel(bytes: &[u8]) {
    let mut net = caffe::parse(CLASSIFIER, "net.prototxt", &Options::default()).expect("the text is right");
    let parsed = weights::parse(bytes, bytes.len() as u64);
    match parsed.and_then(|weights| caffe::attach(&mut net, weights)) {
        Ok(()) => net.verify().expect("weights that were taken fit"),
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}
