//! Gap: for each nonzero level the number of zeros before it and the level, both of fixed width (Han et al. 2016,
//! Deep Compression, section 2). A gap too long for its width is bridged by entries of level zero. The widths are
//! those that make the tile smallest; a gap of no bits is the plain fixed-width code of every level.

use super::{Book, Codec, Levels, STRIDE, Scheme, Sink, Tile};
use crate::bits::{BitReader, BitWriter, packed_len};
use crate::bytes::{Reader, bit_length, count, place, put_varint, wide};
use crate::coder::{Bits, Part};
use crate::error::{Error, ErrorKind};
use crate::options::Effort;

/// The widest gap: no entry stands for more than 4096 weights, and each takes a bit at least.
const WIDEST: u32 = 12;

/// Widths from none to the widest.
const WIDTHS: usize = 13;

/// The largest magnitude of a level.
const MOST: u64 = 65535;

pub(super) const SCHEME: Scheme = Scheme {
    id: 2,
    name: "gap",
    about: "index and gap to the next, of fixed widths",
    effort: Effort::Quick,
    codec: Codec::Levels { encode, decode },
};

/// The number of zeros before each nonzero level, and after the last.
fn runs(values: &[i32]) -> impl Iterator<Item = (u64, i32)> {
    let mut zeros = 0u64;
    let end = (!values.is_empty()).then_some(0);
    let inner = values.iter().take(values.len().saturating_sub(1)).copied();
    // The last level ends a run whether it is zero or not, so that entries cover all weights.
    inner.map(|v| (v, false)).chain(values.last().or(end.as_ref()).map(|&v| (v, true))).filter_map(move |(v, last)| {
        if v == 0 && !last {
            zeros += 1;
            return None;
        }
        Some((std::mem::take(&mut zeros), v))
    })
}

fn encode(_: &Tile, levels: &Levels<'_>) -> Option<Vec<u8>> {
    let values = levels.values;
    let low = values.iter().map(|v| v.min(&0).unsigned_abs()).max().unwrap_or(0);
    let high = values.iter().map(|v| v.max(&0).unsigned_abs()).max().unwrap_or(0);
    let width = bit_length(low + high);
    let mut entries = [0u64; WIDTHS];
    for (zeros, _) in runs(values) {
        for (bits, entries) in (0u32..).zip(&mut entries) {
            *entries += (zeros >> bits) + 1;
        }
    }
    let gap_widths = (0u32..).zip(entries);
    let (gap, _) = gap_widths.min_by_key(|&(bits, n)| packed_len(n, bits + width.max(1)))?;
    let width = if gap == 0 { width.max(1) } else { width };
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(low));
    put_varint(&mut out, u64::from(high));
    put_varint(&mut out, u64::from(gap));
    let mut bits = BitWriter::after(out);
    let longest = (1u32 << gap) - 1;
    for (mut zeros, level) in runs(values) {
        while zeros > u64::from(longest) {
            bits.put(longest, gap);
            bits.put(0, width);
            zeros -= u64::from(longest) + 1;
        }
        bits.put(u32::try_from(zeros).unwrap_or(longest), gap);
        bits.put(if level < 0 { high + level.unsigned_abs() } else { level.unsigned_abs() }, width);
    }
    Some(bits.finish())
}

fn decode(
    tile: &Tile,
    _: Option<&Book>,
    mut reader: Reader<'_>,
    spent: Option<&mut Bits>,
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    let mut header = |what: &str, most: u64| match reader.varint()? {
        n if n <= most => Ok(u32::try_from(n).unwrap_or(u32::MAX)),
        n => Err(reader.malformed(format!("the {what} is {n}, not at most {most}"))),
    };
    let (low, high) = (header("largest negative level", MOST)?, header("largest level", MOST)?);
    let gap = header("width of the gap", u64::from(WIDEST))?;
    let width = bit_length(low + high);
    let width = if gap == 0 { width.max(1) } else { width };
    if packed_len(wide(tile.len() >> gap), gap + width) > wide(reader.left()) {
        return Err(reader.fault(ErrorKind::Truncated, "the entries are too few for the weights"));
    }
    let (mut values, mut left) = (Vec::new(), tile.len());
    let (mut bits, mut entries) = (BitReader::new(&mut reader), 0);
    while left > 0 {
        let (zeros, level) = (place(bits.get(gap)?), bits.get(width)?);
        entries += 1;
        if zeros >= left {
            return Err(reader.malformed("a gap leads beyond the last weight"));
        }
        left -= zeros + 1;
        values.resize(values.len() + zeros, 0);
        values.push(match level {
            n if n <= high => n.cast_signed(),
            n if n - high <= low => -(n - high).cast_signed(),
            n => return Err(reader.malformed(format!("{n} stands for no level"))),
        });
        if values.len() >= STRIDE || left == 0 {
            sink(&values)?;
            values.clear();
        }
    }
    bits.finish()?;
    reader.finish()?;
    if let Some(spent) = spent {
        // The sign is within the value; a bit of it where both occur.
        let sign = u32::from(low > 0 && high > 0).min(width);
        spent.add(Part::Significance, f64::from(gap) * count(entries));
        spent.add(Part::Sign, f64::from(sign) * count(entries));
        spent.add(Part::Magnitude, f64::from(width - sign) * count(entries));
    }
    Ok(())
}
