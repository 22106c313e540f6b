//! The chunks of what travels with the layers: preprocessing, class names and history; layer output formats and
//! tables.

use synapress_model::{About, Channels, Integers, Preprocess};

use crate::bytes::{Reader, put_floats, put_size, put_text, put_varint};
use crate::error::{Error, ErrorKind};
use crate::layer::{fixed, put_fixed};

/// The chunk of [`About`].
pub(crate) fn encode(about: &About) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    match &about.preprocess {
        None => out.push(0),
        Some(p) => {
            out.push(1);
            for side in [p.resize, p.crop] {
                put_varint(&mut out, side.map_or(0, |n| u64::from(n) + 1));
            }
            out.push(match p.channels {
                Channels::Bgr => 0,
                Channels::Rgb => 1,
            });
            let [a, b, c] = p.mean;
            let numbers = [a, b, c, p.scale];
            if let Some(n) = numbers.iter().find(|n| !n.is_finite()) {
                let message = format!("a mean or the scale of the preprocessing is {n}; give a finite number");
                return Err(Error::new(ErrorKind::Net, message).in_section("about"));
            }
            put_floats(&mut out, &numbers);
        }
    }
    for list in [&about.labels, &about.history] {
        put_size(&mut out, list.len());
        list.iter().for_each(|text| put_text(&mut out, text));
    }
    Ok(out)
}

/// What [`encode`] wrote.
pub(crate) fn decode(mut reader: Reader<'_>) -> Result<About, Error> {
    let preprocess = match reader.flag("the mark of preprocessing")? {
        false => None,
        true => Some(preprocess(&mut reader)?),
    };
    let mut list = |what: &str| {
        let n = reader.count(what, 1)?;
        (0..n).map(|_| reader.text(what)).collect::<Result<Vec<_>, _>>()
    };
    let about = About { preprocess, labels: list("class names")?, history: list("lines of history")? };
    reader.finish()?;
    Ok(about)
}

fn preprocess(reader: &mut Reader<'_>) -> Result<Preprocess, Error> {
    let mut side = || match reader.varint()? {
        0 => Ok(None),
        n => match u32::try_from(n - 1) {
            Ok(n) => Ok(Some(n)),
            Err(_) => Err(reader.malformed(format!("a side of {n} pixels is too large"))),
        },
    };
    let (resize, crop) = (side()?, side()?);
    let channels = if reader.flag("the order of channels")? { Channels::Rgb } else { Channels::Bgr };
    let mean = [reader.float("a mean")?, reader.float("a mean")?, reader.float("a mean")?];
    Ok(Preprocess { resize, crop, mean, scale: reader.float("the scale")?, channels })
}

/// The chunk of [`Integers`].
pub(crate) fn encode_integers(integers: &Integers) -> Vec<u8> {
    let mut out = Vec::new();
    put_size(&mut out, integers.outputs.len());
    for (format, table) in integers.outputs.iter().zip(&integers.tables) {
        put_fixed(&mut out, *format);
        put_size(&mut out, table.len());
        table.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
    }
    out
}

/// What [`encode_integers`] wrote.
pub(crate) fn decode_integers(mut reader: Reader<'_>) -> Result<Integers, Error> {
    let mut integers = Integers { outputs: Vec::new(), tables: Vec::new() };
    for _ in 0..reader.count("formats", 4)? {
        integers.outputs.push(fixed(&mut reader)?);
        let n = reader.count("entries of a table", 2)?;
        let (entries, _) = reader.take(n.saturating_mul(2))?.as_chunks::<2>();
        integers.tables.push(entries.iter().map(|b| i16::from_le_bytes(*b)).collect());
    }
    reader.finish()?;
    Ok(integers)
}
