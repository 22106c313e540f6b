//! The hardware profile of a layer's weights, and its inverse. Each entry is one word: the number of zeros before a
//! weight, and the weight's code (the relative index of Deep Compression, Han et al. 2016, section 2). An output's
//! entries stand on their own, so that any output can be decoded by itself.

use synapress_model::{Centroids, Error as NetError, ErrorKind, Fixed, Form, WeightShape, Weights};

use crate::error::Error;
use crate::memory::{Storage, extend, mask, signed_bits, unsigned_bits};

/// One more than the widest gap, in bits: an entry fits 32 bits with the widest code.
const WIDTHS: usize = 16;

/// The weights of a layer as entries.
///
/// An entry has its code in the lowest `code_bits`, above it `gap_bits` of gap. It stands for as many zeros as the gap
/// says and for one weight. An output's zeros after its last entry are not stored; a gap that is too long is bridged
/// by entries of code zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// Weights of one output.
    pub taps: usize,
    /// Bits of a gap; none where every weight up to an output's last is stored.
    pub gap_bits: u32,
    /// Bits of a code.
    pub code_bits: u32,
    /// All entries, output after output.
    pub words: Vec<u32>,
    /// For each output the place of its first entry, then the number of entries.
    pub rows: Vec<u32>,
    /// Entries that are there to bridge a gap alone.
    pub fillers: usize,
    /// Grouped weights: codes are places in this codebook. Otherwise codes are the weights, in two's complement.
    pub codebook: Option<Vec<i16>>,
    /// What an integer weight stands for.
    pub format: Fixed,
}

/// What is coded, one number a weight; zero is a pruned weight.
enum Codes<'a> {
    Index(&'a [u16]),
    Weights(&'a [i16]),
}

impl Codes<'_> {
    fn at(&self, place: usize) -> i32 {
        match self {
            Self::Index(index) => i32::from(index[place]),
            Self::Weights(q) => i32::from(q[place]),
        }
    }

    /// The codes of one output that are not zero, each with the zeros before it.
    fn runs(&self, output: usize, taps: usize) -> impl Iterator<Item = (usize, i32)> {
        let mut next = 0;
        (0..taps).filter_map(move |tap| match self.at(output * taps + tap) {
            0 => None,
            code => {
                let zeros = tap - next;
                next = tap + 1;
                Some((zeros, code))
            }
        })
    }
}

/// Packs quantized weights. The width of the gap is the one that makes entries and row table smallest where they are
/// stored.
///
/// # Errors
/// [`Error::Net`] when the weights are not quantized or do not hold together.
pub fn pack(weights: &Weights, storage: Storage) -> Result<Packed, Error> {
    weights.check(&WeightShape { dims: weights.dims, bias: !weights.bias.is_empty() })?;
    let (codes, codebook, format) = match &weights.form {
        Form::Coded { centroids: Centroids::Fixed { q, format }, index } => (Codes::Index(index), Some(q), *format),
        Form::Fixed { q, format } => (Codes::Weights(q), None, *format),
        Form::Dense(_) | Form::Coded { centroids: Centroids::Float(_), .. } => {
            return Err(NetError::new(ErrorKind::Format, "the layer is not quantized; run `quantize` first").into());
        }
    };
    let code_bits = match (&codes, codebook) {
        (Codes::Weights(q), _) => q.iter().map(|&q| signed_bits(q.into())).max().unwrap_or(1),
        (Codes::Index(_), book) => unsigned_bits(u32::try_from(book.map_or(0, |b| b.len() - 1)).unwrap_or(u32::MAX)),
    };
    let outputs = weights.dims[0];
    let taps = weights.len().checked_div(outputs).unwrap_or(0);
    let gap_bits = narrowest(&codes, [outputs, taps], code_bits, storage);
    let longest = mask_of(gap_bits);
    let mut packed = Packed {
        taps,
        gap_bits,
        code_bits,
        words: Vec::new(),
        rows: vec![0],
        fillers: 0,
        codebook: codebook.cloned(),
        format,
    };
    for output in 0..outputs {
        for (mut zeros, code) in codes.runs(output, taps) {
            while zeros > longest {
                packed.words.push((longest as u32) << code_bits);
                packed.fillers += 1;
                zeros -= longest + 1;
            }
            packed.words.push((zeros as u32) << code_bits | code.cast_unsigned() & mask(code_bits));
        }
        let end = u32::try_from(packed.words.len()).map_err(|_| {
            NetError::new(ErrorKind::Weights, "the layer has over 2^32 entries, more than the row table addresses")
        })?;
        packed.rows.push(end);
    }
    Ok(packed)
}

/// The longest gap of so many bits.
fn mask_of(gap_bits: u32) -> usize {
    (1 << gap_bits) - 1
}

/// The width of a gap that takes the fewest bits in all.
fn narrowest(codes: &Codes<'_>, [outputs, taps]: [usize; 2], code_bits: u32, storage: Storage) -> u32 {
    let mut entries = [0u64; WIDTHS];
    for output in 0..outputs {
        for (zeros, _) in codes.runs(output, taps) {
            for (bits, entries) in entries.iter_mut().enumerate() {
                *entries += (zeros >> bits) as u64 + 1;
            }
        }
    }
    let size = |&(gap, entries): &(u32, u64)| {
        let row_bits = unsigned_bits(u32::try_from(entries).unwrap_or(u32::MAX));
        entries.saturating_mul(storage.bits(gap + code_bits).into())
            + (outputs as u64 + 1).saturating_mul(storage.bits(row_bits).into())
    };
    (0..).zip(entries).min_by_key(size).map_or(0, |(gap, _)| gap)
}

impl Packed {
    /// Bits of an entry.
    pub fn word_bits(&self) -> u32 {
        self.gap_bits + self.code_bits
    }

    /// The codes of one output, its zeros at the end included.
    ///
    /// # Errors
    /// [`Error::Words`] when there is no such output, or its entries lead beyond its weights.
    pub fn row(&self, output: usize) -> Result<Vec<i32>, Error> {
        let fault = |what: &str| Error::Words(format!("output {output} {what}"));
        let place = |at: usize| self.rows.get(at).and_then(|&row| usize::try_from(row).ok());
        let (Some(from), Some(to)) = (place(output), place(output + 1)) else {
            return Err(fault("is not in the row table"));
        };
        let words = self.words.get(from..to).ok_or_else(|| fault("lies beyond the entries"))?;
        let mut codes = vec![0; self.taps];
        let mut position = 0;
        for &word in words {
            let gap = word.checked_shr(self.code_bits).unwrap_or(0) as usize;
            let code = word & mask(self.code_bits);
            let weight = codes.get_mut(position + gap).ok_or_else(|| fault("has entries beyond its last weight"))?;
            *weight = if self.codebook.is_some() { code.cast_signed() } else { extend(code, self.code_bits) };
            position += gap + 1;
        }
        Ok(codes)
    }

    /// The very weights that were packed.
    ///
    /// # Errors
    /// [`Error::Words`] for words that [`pack`] does not write.
    pub fn unpack(&self) -> Result<Form, Error> {
        let mut all = Vec::new();
        for output in 0..self.rows.len().saturating_sub(1) {
            all.extend(self.row(output)?);
        }
        let beyond = |q: &i32| Error::Words(format!("the code {q} is out of range"));
        Ok(match &self.codebook {
            Some(book) => Form::Coded {
                index: all
                    .iter()
                    .map(|q| u16::try_from(*q).ok().filter(|&i| usize::from(i) < book.len()).ok_or_else(|| beyond(q)))
                    .collect::<Result<_, _>>()?,
                centroids: Centroids::Fixed { q: book.clone(), format: self.format },
            },
            None => Form::Fixed {
                q: all.iter().map(|q| i16::try_from(*q).map_err(|_| beyond(q))).collect::<Result<_, _>>()?,
                format: self.format,
            },
        })
    }
}
