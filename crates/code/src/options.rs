//! What a caller may choose: how hard the encoder tries, and how much the decoder may take.

/// How hard the encoder tries to make the file small. Each level takes more time than the one before, for the decoder too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Only schemes that cost little more than copying: for checkpoints and quick starts.
    Quick,
    /// All schemes that decode tens of millions of weights a second; the smallest is kept.
    #[default]
    Fast,
    /// Every scheme: about one hundredth smaller, at half the speed. For archives.
    Max,
}

/// How a network is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How hard to try.
    pub effort: Effort,
}

/// How much a file may claim. A file beyond them is refused before anything of that size is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most weights of the whole network.
    pub weights: u64,
    /// The most layers.
    pub layers: u64,
    /// The most weights for each byte of the file, the first [`Limits::FREE`] weights aside. The encoder never needs
    /// more than the default, so that the default refuses only files that no encoder wrote.
    pub expansion: u64,
    /// Whether checksums must match. Without it a damaged file may be read for what is left of it.
    pub checksums: bool,
}

impl Limits {
    /// Weights that a file of any size may have.
    pub const FREE: u64 = 1 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { weights: 1 << 30, layers: 1 << 16, expansion: 1 << 14, checksums: true }
    }
}
