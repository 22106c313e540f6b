//! Reads the tensors of a model file, and where those lie that it has not inside.

use std::io::BufRead;

use super::numbers::{self, Numbers};
use super::proto::{Data, External, Tensor, kinds};
use super::read::{MOST_THINGS, Messages};
use crate::error::Fault;
use crate::wire::Wire;

/// Sizes that a tensor may have.
const AXES: usize = 16;

impl<R: BufRead> Messages<R> {
    pub(super) fn tensor(&mut self, len: u64) -> Result<Tensor, Fault> {
        self.count(1)?;
        let start = self.wire.offset();
        let end = self.wire.end_of(len);
        let (mut name, mut dims, mut kind) = (String::new(), Vec::new(), 0);
        let mut numbers = Numbers::default();
        let (mut external, mut elsewhere) = (External::default(), false);
        while let Some((field, wire)) = self.wire.field(end)? {
            match (field, wire) {
                (1, wire) => self.whole(wire, &mut dims)?,
                (2, Wire::Varint(v)) => kind = v,
                (3, _) => {
                    let message = "tensors in segments are not supported; save the model anew";
                    return Err(Fault::encoding(start, message));
                }
                (4, Wire::Bytes(n)) => self.wire.packed(n, &mut numbers.floats, f32::from_le_bytes)?,
                (4, Wire::Fixed32(bytes)) => numbers.floats.push(f32::from_le_bytes(bytes)),
                (5 | 7, wire) => self.whole(wire, &mut numbers.ints)?,
                (8, Wire::Bytes(n)) => name = self.text(n)?,
                // Sizes of numbers are known where the type comes first, as it does in nearly every file.
                (9, Wire::Bytes(n)) if kind == kinds::FLOAT => {
                    self.wire.packed(n, &mut numbers.floats, f32::from_le_bytes)?;
                }
                (9, Wire::Bytes(n)) => numbers.raw = self.wire.bytes(n)?,
                (10, Wire::Bytes(n)) => {
                    self.wire.packed(n, &mut numbers.floats, |b| numbers::narrow(f64::from_le_bytes(b)))?;
                }
                (10, Wire::Fixed64(bytes)) => numbers.floats.push(numbers::narrow(f64::from_le_bytes(bytes))),
                (13, Wire::Bytes(n)) => self.external(n, &mut external)?,
                (14, Wire::Varint(v)) => elsewhere = v == 1,
                _ => self.wire.skip(wire)?,
            }
        }
        let at = |message: String| Fault::encoding(start, format!("tensor {name:?}: {message}"));
        if dims.len() > AXES {
            return Err(at(format!("over {AXES} axes")));
        }
        let sizes: Result<Vec<u64>, _> = dims.iter().map(|&d| u64::try_from(d)).collect();
        let dims = sizes.map_err(|_| at("a size is negative".to_owned()))?;
        let data = if elsewhere {
            Data::External(external)
        } else {
            let most = MOST_THINGS - self.things;
            let data = numbers.typed(kind, most).map_err(at)?;
            if let Data::Ints(ints) = &data {
                self.count(ints.len())?;
            }
            numbers::check(&data, &dims).map_err(|m| Fault::encoding(start, format!("tensor {name:?}: {m}")))?;
            data
        };
        Ok(Tensor { name, kind, dims, data })
    }

    fn external(&mut self, len: u64, external: &mut External) -> Result<(), Fault> {
        let at = self.wire.offset();
        let end = self.wire.end_of(len);
        let (mut key, mut value) = (String::new(), String::new());
        while let Some((field, wire)) = self.wire.field(end)? {
            match (field, wire) {
                (1, Wire::Bytes(n)) => key = self.text(n)?,
                (2, Wire::Bytes(n)) => value = self.text(n)?,
                _ => self.wire.skip(wire)?,
            }
        }
        let number = || {
            let message = format!("external data: {key} must be a whole number, not {value:?}");
            value.parse::<u64>().map_err(|_| Fault::encoding(at, message))
        };
        match key.as_str() {
            "location" => external.location = value,
            "offset" => external.offset = number()?,
            "length" => external.length = Some(number()?),
            // Of no use without a trusted sum.
            _ => {}
        }
        Ok(())
    }
}
