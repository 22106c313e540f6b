//! Memories: words of a fixed width. What the words mean is the affair of whoever fills them.

/// How many bits a word takes where it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Those of the word: memories whose width is free.
    Bits,
    /// One, two or four bytes: memories that a processor addresses.
    Bytes,
}

impl Storage {
    /// Bits that a word of 1 to 32 bits takes.
    pub fn bits(self, word_bits: u32) -> u32 {
        match self {
            Self::Bits => word_bits,
            Self::Bytes => word_bits.next_power_of_two().max(8),
        }
    }
}

/// One memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What it holds: `weights`, `rows`, `codebook`, `bias`, `table` or `output`.
    pub name: &'static str,
    /// Bits of a word, 1 to 32.
    pub word_bits: u32,
    /// Whether words are two's complement.
    pub signed: bool,
    /// The words; bits above the lowest `word_bits` are zero.
    pub words: Vec<u32>,
}

impl Memory {
    /// A memory of words from zero.
    pub fn unsigned(name: &'static str, word_bits: u32, words: Vec<u32>) -> Self {
        Self { name, word_bits, signed: false, words }
    }

    /// A memory of integers in two's complement of so many bits.
    pub fn signed(name: &'static str, word_bits: u32, integers: impl Iterator<Item = i32>) -> Self {
        let words = integers.map(|q| q.cast_unsigned() & mask(word_bits)).collect();
        Self { name, word_bits, signed: true, words }
    }

    /// A word as the integer that it stands for.
    pub fn integer(&self, word: u32) -> i64 {
        if self.signed { i64::from(extend(word, self.word_bits)) } else { i64::from(word) }
    }

    /// Bits of the whole memory.
    pub fn bits(&self, storage: Storage) -> u64 {
        self.words.len() as u64 * u64::from(storage.bits(self.word_bits))
    }
}

/// The lowest bits.
pub(crate) fn mask(bits: u32) -> u32 {
    u32::MAX >> (32 - bits.clamp(1, 32))
}

/// A word of so many bits, in two's complement.
pub(crate) fn extend(word: u32, bits: u32) -> i32 {
    let unused = 32 - bits.clamp(1, 32);
    (word << unused).cast_signed() >> unused
}

/// The fewest bits, at least one, that hold an integer from zero.
pub(crate) fn unsigned_bits(integer: u32) -> u32 {
    (u32::BITS - integer.leading_zeros()).max(1)
}

/// The fewest bits that hold an integer in two's complement.
pub(crate) fn signed_bits(integer: i32) -> u32 {
    let magnitude = if integer < 0 { !integer } else { integer };
    u32::BITS - magnitude.leading_zeros() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_the_fewest() {
        for (q, bits) in [(0, 1), (-1, 1), (1, 2), (-2, 2), (127, 8), (-128, 8), (128, 9), (i32::MIN, 32)] {
            assert_eq!(signed_bits(q), bits, "{q}");
            assert_eq!(extend(q.cast_unsigned() & mask(bits), bits), q);
        }
        for (n, bits) in [(0, 1), (1, 1), (2, 2), (255, 8), (256, 9), (u32::MAX, 32)] {
            assert_eq!(unsigned_bits(n), bits, "{n}");
        }
        for (word, bits) in [(1, 8), (8, 8), (9, 16), (17, 32), (32, 32)] {
            assert_eq!((Storage::Bits.bits(word), Storage::Bytes.bits(word)), (word, bits));
        }
    }
}
