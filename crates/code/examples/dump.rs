//! What the decoder finds in a `.syn` file, as text: `dump FILE.syn`. `golden/decode.py`, which shares no code with it,
//! prints the same.
//!
//! Floats are printed as the hexadecimal digits of their bits, text with `%XX` for what is no letter or digit.

use std::fmt::{Display, Write};

use synapress_code::{Limits, read_with_extras};
use synapress_model::{Attributes, Bias, Centroids, Channels, Filler, Fixed, Form, Learning, Net, Value, Weights};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a .syn file")?;
    let (net, extras) = read_with_extras(path, &Limits::default())?;
    let mut out = String::new();
    graph(&mut out, &net)?;
    about(&mut out, &net)?;
    for (node, weights) in net.weights.iter().enumerate() {
        if let Some(weights) = weights {
            layer(&mut out, node, weights)?;
        }
    }
    for (node, (format, table)) in net.integers.iter().flat_map(|i| i.outputs.iter().zip(&i.tables)).enumerate() {
        writeln!(out, "output {node} {}{}", fixed(format), plain(table))?;
    }
    for (title, bytes) in &extras {
        let bytes: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        writeln!(out, "extra {} {bytes}", name(title))?;
    }
    print!("{out}");
    Ok(())
}

fn name(text: &str) -> String {
    let letter = |&b: &u8| match char::from(b) {
        c if c.is_ascii_alphanumeric() || "._/".contains(c) => c.to_string(),
        _ => format!("%{b:02x}"),
    };
    text.as_bytes().iter().map(letter).collect()
}

fn digits(values: &[f32]) -> String {
    values.iter().map(|v| format!(" {:08x}", v.to_bits())).collect()
}

fn plain<T: Display>(values: &[T]) -> String {
    values.iter().map(|v| format!(" {v}")).collect()
}

fn fixed(format: &Fixed) -> String {
    format!("{}:{}:{}", format.bits, format.frac, u8::from(format.signed))
}

fn attributes(attributes: &Attributes) -> String {
    let field = |name: String, value: &Value| match value {
        Value::Text(text) => format!("{name}={}", self::name(text)),
        Value::Message(message) => format!("{name}{}", self::attributes(message)),
    };
    let fields: Vec<String> = attributes.fields().iter().map(|f| field(name(&f.name), &f.value)).collect();
    format!("{{{}}}", fields.join(" "))
}

fn learning(learning: &Learning) -> String {
    if *learning == Learning::default() {
        return "default".to_owned();
    }
    let filler = |filler: Filler| match filler {
        Filler::Constant(value) => format!(" constant{}", digits(&[value])),
        Filler::Uniform(low, high) => format!(" uniform{}", digits(&[low, high])),
        Filler::Gaussian(mean, deviation) => format!(" normal{}", digits(&[mean, deviation])),
        Filler::Xavier => " xavier".to_owned(),
        Filler::Msra => " msra".to_owned(),
    };
    let Learning { weights, bias, weight_filler, bias_filler } = *learning;
    let rates = digits(&[weights.learn, weights.decay, bias.learn, bias.decay]);
    format!("{rates}{}{}", filler(weight_filler), filler(bias_filler)).trim().to_owned()
}

fn graph(out: &mut String, net: &Net) -> std::fmt::Result {
    writeln!(out, "name {}", name(&net.name))?;
    for (i, node) in net.graph.nodes().iter().enumerate() {
        let (title, kind, inputs) = (name(&node.name), name(node.layer.kind().name), plain(&node.inputs));
        let (attributes, learning) = (attributes(&node.layer.attributes()), learning(&node.learning));
        writeln!(out, "node {i} {title} {kind} inputs{inputs} {attributes} learning {learning}")?;
    }
    Ok(())
}

fn about(out: &mut String, net: &Net) -> std::fmt::Result {
    if let Some(p) = &net.about.preprocess {
        let side = |side: Option<u32>| side.map_or(0, |n| u64::from(n) + 1);
        let ([a, b, c], channels) = (p.mean, u8::from(p.channels == Channels::Rgb));
        let numbers = digits(&[a, b, c, p.scale]);
        writeln!(out, "preprocess {} {} {channels}{numbers}", side(p.resize), side(p.crop))?;
    }
    net.about.labels.iter().try_for_each(|label| writeln!(out, "label {}", name(label)))?;
    net.about.history.iter().try_for_each(|line| writeln!(out, "history {}", name(line)))
}

fn layer(out: &mut String, node: usize, weights: &Weights) -> std::fmt::Result {
    write!(out, "weights {node}{} form ", plain(&weights.dims))?;
    let values = match &weights.form {
        Form::Dense(values) => {
            writeln!(out, "0")?;
            digits(values)
        }
        Form::Coded { centroids, index } => {
            match centroids {
                Centroids::Float(values) => write!(out, "1\ncodebook{}\n", digits(values))?,
                Centroids::Fixed { q, format } => write!(out, "2 {}\ncodebook{}\n", fixed(format), plain(q))?,
            }
            plain(index)
        }
        Form::Fixed { q, format } => {
            writeln!(out, "3 {}", fixed(format))?;
            plain(q)
        }
    };
    match &weights.bias {
        Bias::None => {}
        Bias::Float(values) => writeln!(out, "bias{}", digits(values))?,
        Bias::Fixed { q, frac } => writeln!(out, "bias * 2^-{frac}{}", plain(q))?,
    }
    writeln!(out, "{values}")
}
