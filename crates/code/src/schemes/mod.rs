//! One file for each coding scheme; this list is the only place that names them all.
//!
//! A scheme turns one tile of weights (whole rows of a layer) into bytes and back, exactly. Weights come as floats, or
//! as levels: a code is its own level, an index is the rank of its centroid among those of its sign, 0 stays 0.

mod bitmap;
mod gap;
mod range;
mod raw;
mod split;

use crate::bytes::Reader;
use crate::coder::Bits;
use crate::error::Error;
use crate::options::Effort;

/// Where a tile lies: its rows and the shape of one row, `(inputs, height, width)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// Rows (outputs).
    pub rows: usize,
    /// Inputs, height and width of a row.
    pub row: [usize; 3],
}

impl Tile {
    /// Weights of one row.
    pub fn taps(&self) -> usize {
        self.row.iter().fold(1, |n, &d| n.saturating_mul(d))
    }

    /// Number of weights.
    pub fn len(&self) -> usize {
        self.rows.saturating_mul(self.taps())
    }
}

/// The values of a codebook by rank: those of positive levels from 1 up, those of negative levels from -1 down.
pub(crate) type Book = [Vec<f32>; 2];

/// Levels of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels<'a> {
    /// One for each weight, -65535 to 65535.
    pub values: &'a [i32],
    /// The codebook, if a level is a rank in one; both signs then have distributions of their own.
    pub book: Option<&'a Book>,
}

/// What takes the levels of a tile in their order, some at a time.
pub(crate) type Sink<'a> = dyn FnMut(&[i32]) -> Result<(), Error> + 'a;

/// Levels that decoders give at a time, more or less.
const STRIDE: usize = 4096;

/// From the bytes of a tile to its levels, and what they cost.
type LevelDecoder = fn(&Tile, Option<&Book>, Reader<'_>, Option<&mut Bits>, &mut Sink<'_>) -> Result<(), Error>;

/// From the bytes of a tile to its floats, and what they cost.
type FloatDecoder = fn(&Tile, Reader<'_>, Option<&mut Bits>) -> Result<Vec<f32>, Error>;

/// The two directions of a scheme. Decoders give exactly as many weights as the tile has, as they read, and
/// never beyond 2^14 weights for each byte read. Where they are given bits they add what each part of a weight cost; what
/// the tile takes beyond that is its header and the ends of codes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Codec {
    /// For weights in floating point.
    Floats {
        /// To bytes; `None` when the scheme does not suit them.
        encode: fn(&Tile, &[f32]) -> Option<Vec<u8>>,
        /// From bytes.
        decode: FloatDecoder,
    },
    /// For grouped and quantized weights.
    Levels {
        /// To bytes; `None` when the scheme does not suit them.
        encode: fn(&Tile, &Levels<'_>) -> Option<Vec<u8>>,
        /// From bytes; the codebook is there if levels are ranks in it.
        decode: LevelDecoder,
    },
}

/// A coding scheme.
#[derive(Clone, Copy, Debug)]
pub struct Scheme {
    /// What stands for it in a file; never given to another.
    pub id: u8,
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// The least effort of the encoder at which it is tried.
    pub effort: Effort,
    pub(crate) codec: Codec,
}

/// Every coding scheme.
pub const SCHEMES: &[Scheme] = &[raw::SCHEME, bitmap::SCHEME, gap::SCHEME, split::SCHEME, range::SCHEME, range::MIXED];

/// The scheme of this id.
pub(crate) fn by_id(id: u8) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|s| s.id == id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_and_names_are_unique() {
        for (i, a) in SCHEMES.iter().enumerate() {
            assert!(SCHEMES[..i].iter().all(|b| b.id != a.id && b.name != a.name), "{}", a.name);
        }
    }

    /// All levels that a decoder gives.
    fn all(decode: impl FnOnce(&mut Sink<'_>) -> Result<(), Error>) -> Result<Vec<i32>, Error> {
        let mut levels = Vec::new();
        decode(&mut |some| {
            levels.extend_from_slice(some);
            Ok(())
        })?;
        Ok(levels)
    }

    fn tile() -> impl Strategy<Value = Tile> {
        (0usize..5, 0usize..6, 0usize..4, 0usize..4).prop_map(|(rows, c, h, w)| Tile { rows, row: [c, h, w] })
    }

    fn levels(tile: Tile) -> impl Strategy<Value = Vec<i32>> {
        let level = |most: i32| prop_oneof![3 => Just(0), 2 => -most..=most, 1 => 0..=most];
        let of = move |most| proptest::collection::vec(level(most), tile.len());
        prop_oneof![of(1), of(9), of(200), of(65535)]
    }

    fn floats(tile: Tile) -> impl Strategy<Value = Vec<f32>> {
        let value = prop_oneof![
            3 => Just(0.0f32),
            1 => Just(-0.0),
            4 => -1.0f32..1.0,
            1 => any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |v| v.is_finite())
        ];
        proptest::collection::vec(value, tile.len())
    }

    proptest! {
        #[test]
        fn levels_come_back((tile, values) in tile().prop_flat_map(|t| (Just(t), levels(t))), ranked in any::<bool>()) {
            let side = |sign: i32| {
                let most = values.iter().map(|v| v * sign).max().unwrap_or(0).max(0);
                (0..=u16::MAX).map(f32::from).skip(1).zip(1..=most).map(|(n, _)| n.powf(1.5)).collect()
            };
            let book = [side(1), side(-1)];
            let book = ranked.then_some(&book);
            for scheme in SCHEMES {
                let Codec::Levels { encode, decode } = scheme.codec else { continue };
                let Some(bytes) = encode(&tile, &Levels { values: &values, book }) else { continue };
                let decode = |bytes: &[u8], bits: Option<&mut Bits>| {
                    all(|sink| decode(&tile, book, Reader::new(bytes, 0, "test"), bits, sink))
                };
                let back = decode(&bytes, None).unwrap();
                prop_assert_eq!(&back, &values, "{}", scheme.name);
                let mut bits = Bits::default();
                prop_assert_eq!(decode(&bytes, Some(&mut bits)).unwrap(), back);
                // The header has 42 bytes at most; the code of near nothing may end before its last bits.
                let spent = (bits.significance + bits.sign + bits.magnitude) / 8.0;
                let len = crate::bytes::count(bytes.len());
                prop_assert!(spent < len + 1.0 && len < spent + 45.0, "{}: {spent} of {len}", scheme.name);
                if !bytes.is_empty() {
                    let _ = decode(&bytes[..bytes.len() / 2], None);
                }
            }
        }

        #[test]
        fn floats_come_back((tile, values) in tile().prop_flat_map(|t| (Just(t), floats(t)))) {
            for scheme in SCHEMES {
                let Codec::Floats { encode, decode } = scheme.codec else { continue };
                let Some(bytes) = encode(&tile, &values) else { continue };
                let back = decode(&tile, Reader::new(&bytes, 0, "test"), None).unwrap();
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&back), bits(&values), "{}", scheme.name);
            }
        }

        #[test]
        fn no_bytes_make_a_decoder_panic(tile in tile(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let book = [vec![0.5, f32::NAN, f32::INFINITY], vec![-0.0, -1e-40, -3.0]];
            for scheme in SCHEMES {
                let reader = Reader::new(&bytes, 0, "test");
                let len = match scheme.codec {
                    Codec::Levels { decode, .. } => {
                        all(|sink| decode(&tile, Some(&book), reader, None, sink)).map(|v| v.len())
                    }
                    Codec::Floats { decode, .. } => decode(&tile, reader, None).map(|v| v.len()),
                };
                prop_assert!(len.is_err() || len == Ok(tile.len()), "{}", scheme.name);
            }
        }
    }

    /// A tile that claims to be large is refused when its bytes run out, whatever the scheme.
    #[test]
    fn absurd_sizes_are_refused_early() {
        let tile = Tile { rows: 1 << 40, row: [1 << 20, 1, 1] };
        for scheme in SCHEMES {
            for byte in [0u8, 1, 255] {
                let bytes = [byte; 100];
                let reader = Reader::new(&bytes, 0, "test");
                match scheme.codec {
                    Codec::Levels { decode, .. } => {
                        let levels = all(|sink| decode(&tile, None, reader, None, sink));
                        assert!(levels.is_err(), "{}", scheme.name)
                    }
                    Codec::Floats { decode, .. } => assert!(decode(&tile, reader, None).is_err(), "{}", scheme.name),
                }
            }
        }
    }
}
