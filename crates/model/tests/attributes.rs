//! What layer kinds refuse to read, by name.

use synapress_model::layers::by_caffe_name;
use synapress_model::{Attributes, ErrorKind, Shape, Value};

struct Case {
    kind: &'static str,
    /// `name value` fields, separated by commas; `dim` stands in a nested `shape`.
    fields: &'static str,
    /// A word of the message; `None` where the attributes are good.
    refused: Option<&'static str>,
}

const fn good(kind: &'static str, fields: &'static str) -> Case {
    Case { kind, fields, refused: None }
}

const fn bad(kind: &'static str, fields: &'static str, word: &'static str) -> Case {
    Case { kind, fields, refused: Some(word) }
}

const CASES: &[Case] = &[
    good("ELTWISE", "operation SUM, coeff 1, coeff -1"),
    good("Eltwise", "operation 0, stable_prod_grad true"),
    bad("Eltwise", "operation MIN", "MIN"),
    bad("Eltwise", "operation PROD, coeff 1", "coeff"),
    bad("Eltwise", "coeff nan", "finite"),
    bad("Eltwise", "coeff_blob true", "coeff_blob"),
    good("BatchNorm", "use_global_stats true, moving_average_fraction 0.9, eps 0.001"),
    bad("BatchNorm", "eps 0", "eps"),
    bad("BatchNorm", "eps inf", "eps"),
    bad("BatchNorm", "eps small", "a number"),
    good("Scale", "axis 1, num_axes 1, bias_term true"),
    bad("Scale", "axis 0", "axis"),
    bad("Scale", "num_axes 3", "num_axes"),
    good("PReLU", "channel_shared true"),
    bad("PReLU", "channel_shared 2", "true or false"),
    good("SIGMOID", "engine CAFFE"),
    bad("TanH", "slope 1", "slope"),
    good("FLATTEN", "axis 1, end_axis -1"),
    bad("Flatten", "axis 2", "axis"),
    bad("Flatten", "end_axis 2", "axis"),
    good("Reshape", "dim 0, dim -1"),
    bad("Reshape", "axis 0", "shape"),
    bad("Reshape", "dim 0, dim -1, axis 1", "axis"),
    bad("Reshape", "dim 32, dim -1", "batch"),
    good("SPLIT", ""),
    good("POWER", "power 2, scale 0.5, shift 1"),
    bad("Power", "power inf", "finite"),
];

fn attributes(fields: &str) -> Attributes {
    let (mut all, mut shape) = (Attributes::new(), Attributes::new());
    for (i, field) in fields.split(',').map(str::trim).filter(|f| !f.is_empty()).enumerate() {
        let (name, value) = field.split_once(' ').unwrap();
        let to = if name == "dim" { &mut shape } else { &mut all };
        to.push(name, Value::Text(value.to_owned()), i as u32 + 1);
    }
    if !shape.fields().is_empty() {
        all.push("shape", Value::Message(shape), 1);
    }
    all
}

#[test]
fn what_is_not_supported_is_named() {
    for Case { kind, fields, refused } in CASES {
        let read = by_caffe_name(kind).unwrap().read;
        match (read(&attributes(fields)), refused) {
            (Ok(_), None) => {}
            (Ok(layer), Some(word)) => panic!("{kind} {{ {fields} }} became {layer:?} in spite of {word:?}"),
            (Err(e), None) => panic!("{kind} {{ {fields} }}: {e}"),
            (Err(e), Some(word)) => {
                assert!(e.to_string().contains(word), "{kind} {{ {fields} }}: {e}");
                assert!([ErrorKind::Attribute, ErrorKind::Unsupported].contains(&e.kind()));
            }
        }
    }
}

#[test]
fn inputs_that_do_not_suit_a_layer_are_refused() {
    let shape = |c, h, w| Shape::new(c, h, w).unwrap();
    let refused = |kind: &str, fields: &str, inputs: &[Shape], word: &str| {
        let layer = (by_caffe_name(kind).unwrap().read)(&attributes(fields)).unwrap();
        let error = layer.output_shape(inputs).unwrap_err();
        assert!(error.to_string().contains(word), "{kind}: {error}");
    };
    let (a, b) = (shape(3, 4, 4), shape(3, 4, 5));
    refused("Scale", "", &[a, a], "Scale with two inputs");
    refused("Eltwise", "", &[a, b], "3x4x5");
    refused("Eltwise", "coeff 1", &[a, a], "1 coeff");
    refused("Reshape", "dim 0, dim 5, dim -1", &[a], "3x4x4");
}
