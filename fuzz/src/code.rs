//! Synapse code: whatever the bytes, they are refused or give a network that goes to bytes and back unchanged; and any
//! network comes back as it was and is executed; and tiles decoded by themselves are the whole.

use synapress_code::{Limits, Options, decode, decode_with_extras, encode, encode_with_extras, layers, summary};
use synapress_model::{Form, Mode, Net, Weights};
use synapress_run::{Executor, Keep, Session, definition};

use crate::draw;

/// Without checksums, which random bytes never have, and few weights, so that the memory limit of a run finds what is
/// taken beyond them.
const LIMITS: Limits = Limits { weights: 1 << 20, layers: 1000, expansion: 1 << 14, checksums: false };

/// Multiplications and activations that a drawn network may take to be executed as well.
const MOST_WORK: u64 = 1 << 20;

/// Any bytes to the decoder.
pub fn decode_syn(bytes: &[u8]) {
    let _ = summary(bytes);
    let _ = decode(bytes, &Limits::default());
    if let Ok((net, extras)) = decode_with_extras(bytes, &LIMITS) {
        let again = encode_with_extras(&net, &extras, &Options::default()).expect("a decoded network is whole");
        let (same, same_extras) = decode_with_extras(&again, &Limits::default()).expect("an encoded network is read");
        assert_same(&net, &same);
        assert!(extras == same_extras, "extra chunks differ");
    }
}

/// A network drawn from the bytes: encoded, decoded, encoded again and executed.
pub fn roundtrip_syn(bytes: &[u8]) {
    let Some(net) = draw::net(bytes) else { return };
    let code = encode(&net, &Options::default()).expect("a network that holds together is encoded");
    let same = decode(&code, &Limits::default()).expect("an encoded network is read");
    assert_same(&net, &same);
    assert!(code == encode(&same, &Options::default()).expect("a decoded network is whole"), "the bytes differ");
    summary(&code).expect("an encoded network is summed up");
    execute(&same);
}

/// Any bytes to the decoder, whole and tile by tile from the last to the first.
pub fn tiles_syn(bytes: &[u8]) {
    // Tiles are large: a layer of several has more weights than other targets take.
    let limits = Limits { weights: 1 << 21, ..LIMITS };
    let whole = decode(bytes, &limits);
    let Ok(layers) = layers(bytes, &limits) else {
        assert!(whole.is_err(), "a file whose layers are refused is decoded");
        return;
    };
    for layer in layers.iter().rev() {
        let weights = whole.as_ref().ok().map(|net| net.weights[layer.node()].as_ref().expect("the layer has weights"));
        for tile in (0..layer.tiles()).rev() {
            match (layer.tile(tile), weights) {
                (Ok(found), Some(weights)) => assert!(found == rows(weights, layer.rows(tile)), "a tile differs"),
                (Err(e), Some(_)) => panic!("a tile of a file that is decoded is refused: {e}"),
                (_, None) => {}
            }
        }
        assert_eq!(layer.rows(layer.tiles()).len(), 0);
    }
}

/// These rows of a layer's weights.
fn rows(weights: &Weights, rows: std::ops::Range<usize>) -> Form {
    let taps: usize = weights.dims[1..].iter().product();
    let range = rows.start * taps..rows.end * taps;
    match weights.form.clone() {
        Form::Dense(w) => Form::Dense(w[range].to_vec()),
        Form::Coded { centroids, index } => Form::Coded { centroids, index: index[range].to_vec() },
        Form::Fixed { q, format } => Form::Fixed { q: q[range].to_vec(), format },
    }
}

/// Runs a network on one image, in floating point and, if it is quantized, in integers by both ways.
fn execute(net: &Net) {
    let nodes = 0..net.graph.nodes().len();
    let activations: u64 = nodes.clone().map(|id| net.graph.shape(id).len() as u64).sum();
    let products: u64 = nodes.filter_map(|id| net.linear(id)).map(|linear| linear.connections()).sum();
    if activations + products > MOST_WORK {
        return;
    }
    let Ok(input) = net.graph.input() else { return };
    let image: Vec<f32> = (0..net.graph.shape(input).len()).map(|i| (i * 7919 % 255) as f32 - 117.0).collect();
    let mut executor: Executor = Executor::new(net, 1, Keep::Output).expect("the network was checked");
    executor.forward(&image, Mode::Infer);
    let Ok(mut session) = Session::new(net) else { return };
    session.run(&image).expect("the image fits");
    // The definition computes also what nobody reads, and may refuse that.
    if let Ok(wanted) = definition(net, &image) {
        let output = net.graph.output();
        let scores = match net.graph.node(output).layer.loss_weight() {
            Some(_) => net.graph.node(output).inputs[0],
            None => output,
        };
        assert_eq!(session.codes().0, wanted[scores], "a session equals the definition");
    }
}

/// Panics unless two networks are the same; their bytes stand for what has no comparison of its own.
fn assert_same(a: &Net, b: &Net) {
    assert_eq!((&a.name, &a.about, &a.integers), (&b.name, &b.about, &b.integers));
    for (x, y) in a.graph.nodes().iter().zip(b.graph.nodes()) {
        assert_eq!((&x.name, &x.inputs, &x.learning), (&y.name, &y.inputs, &y.learning));
        assert_eq!(x.layer.kind().name, y.layer.kind().name);
        assert_eq!(x.layer.attributes(), y.layer.attributes());
    }
    assert!(a.weights == b.weights, "weights differ");
    let code = |net| encode(net, &Options::default()).expect("a network that holds together is encoded");
    assert!(code(a) == code(b), "the bytes differ");
}
