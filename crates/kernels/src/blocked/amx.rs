//! Weighted sums of bytes by the tiles of AMX: 16 outputs by 16 positions, up to 64 channels a step.
//!
//! Planes of cells are what the instruction wants of its second operand: a row of 16 positions with four channels each,
//! rows a plane apart. So activations are loaded where they lie. The compiler has no functions for tiles yet, hence
//! assembly; it never uses tile registers by itself.

use std::arch::asm;
use std::ops::Range;
use std::sync::OnceLock;

use super::loops::put_rows;
use super::run::Part;
use super::sums::Layer;
use super::{Buffer, Place};

/// Whether processor and system have it; asks the system for the process's permission to use it.
pub(crate) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        use std::arch::x86_64::__cpuid_count;
        if !std::arch::is_x86_feature_detected!("avx512vnni") || !cfg!(target_os = "linux") {
            return false;
        }
        const TILES_AND_BYTES: u32 = 1 << 24 | 1 << 25;
        let features = __cpuid_count(7, 0).edx;
        features & TILES_AND_BYTES == TILES_AND_BYTES && permitted()
    })
}

/// Asks for the permission (`arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`), which the system gives only where it
/// saves tile registers.
fn permitted() -> bool {
    let mut result: i64 = 158;
    // Safety: a system call that reads and writes no memory of the process.
    unsafe {
        asm!("syscall", inlateout("rax") result, in("rdi") 0x1023, in("rsi") 18, out("rcx") _, out("r11") _,
            options(nostack));
    }
    result == 0
}

/// A layer's weights as tiles.
#[derive(Clone, Debug)]
pub(super) struct Tiles {
    /// Cells of a step: rows of a tile of activations, at most 16.
    rows: usize,
    /// For each step its first cell; the others are planes apart.
    pub offsets: Vec<u32>,
    /// `[block of 16 outputs][step][output][cell]`.
    weights: Buffer,
    outputs: usize,
    /// Vectors of positions whose activations stay in the nearest cache while blocks of outputs pass by.
    together: usize,
}

/// Outputs and positions of a tile.
const SIDE: usize = 16;

/// Half the bytes of activations that stay near.
const NEAR: usize = 8 << 10;

/// Steps of fewer cells are left to vectors.
const FEWEST: usize = 3;

/// For each group of so many rows its first plane and the first that groups before it have not. The last one begins
/// earlier rather than end beyond the planes; what it has twice has weight 0 there.
fn starts(planes: usize, rows: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..planes.div_ceil(rows)).map(move |g| ((g * rows).min(planes - rows), g * rows))
}

impl Tiles {
    /// How a layer would be arranged; `None` where tiles would stay mostly empty.
    pub fn new(layer: &Layer<'_>) -> Option<Self> {
        let (place, outputs) = (&layer.input, layer.output.channels);
        let planes = place.planes();
        let groups = planes.div_ceil(SIDE);
        let rows = planes.div_ceil(groups);
        if layer.groups > 1 || rows < FEWEST {
            return None;
        }
        let together = (NEAR / (planes * 4 * SIDE)).clamp(1, 8) * 2;
        let mut tiles = Self { rows, offsets: Vec::new(), weights: Buffer::default(), outputs, together };
        for [dy, dx] in layer.taps {
            let pixel = (place.lead as isize + dy * place.pitch as isize + dx) as usize;
            tiles.offsets.extend(starts(planes, rows).map(|(first, _)| (first * place.plane + pixel) as u32));
        }
        Some(tiles)
    }

    /// Arranges the layer's weights.
    pub fn arrange(&mut self, layer: &Layer<'_>) {
        let (place, taps) = (&layer.input, layer.taps.len());
        let (channels, each) = (place.channels, place.cell.channels());
        self.weights.reserve(self.blocks() * SIDE * self.offsets.len() * self.rows);
        let mut cells = self.weights.cells_mut().chunks_exact_mut(self.rows);
        for block in 0..self.outputs.div_ceil(SIDE) {
            for t in 0..taps {
                for (first, new) in starts(place.planes(), self.rows) {
                    for o in block * SIDE..(block + 1) * SIDE {
                        let row = cells.next().expect("there is room for every output of every step");
                        for (plane, cell) in (first..).zip(row) {
                            *cell = u32::from_le_bytes(std::array::from_fn(|c| {
                                let channel = plane * each + c;
                                let known = o < self.outputs && plane >= new && channel < channels;
                                if known { layer.weights[(o * channels + channel) * taps + t] as u8 } else { 0 }
                            }));
                        }
                    }
                }
            }
        }
    }

    /// Blocks of 16 outputs.
    pub fn blocks(&self) -> usize {
        self.outputs.div_ceil(SIDE)
    }

    /// Steps of vectors that take as long as a vector of positions with all outputs. Measured.
    pub fn cost(&self) -> f64 {
        2.6 * (SIDE * self.offsets.len() * self.blocks()) as f64
    }

    /// Cells from the first that a step reads to the row of the last.
    pub fn span(&self, input: &Place) -> usize {
        (self.rows - 1) * input.plane
    }

    /// Cells of weights for each position, with those that only fill tiles.
    pub fn cells(&self) -> usize {
        self.weights.cells().len()
    }
}

/// What tile registers hold.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

/// Sums of up to two by two tiles.
#[repr(align(64))]
struct Sums([[i32; SIDE * SIDE]; 4]);

/// The loop over steps: sums of blocks `A` and `B` of outputs at vectors `0` and `1` of positions.
macro_rules! steps {
    ($tiles:expr, $a:expr, $b:expr, $at:expr, $stride:expr, [$($line:literal),*]) => {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "mov {offset:e}, dword ptr [{list}]",
            "lea {cells}, [{at} + 4*{offset}]",
            $($line,)*
            "add {list}, 4",
            "add {a}, {step}",
            "add {b}, {step}",
            "dec {count}",
            "jnz 2b",
            offset = out(reg) _,
            cells = out(reg) _,
            list = inout(reg) $tiles.offsets.as_ptr() => _,
            a = inout(reg) $a => _,
            b = inout(reg) $b => _,
            at = in(reg) $at,
            row = in(reg) 4 * $tiles.rows,
            step = in(reg) 4 * SIDE * $tiles.rows,
            plane = in(reg) $stride,
            count = inout(reg) $tiles.offsets.len() => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack, readonly)
        )
    };
}

/// Works on a part: vectors of 16 positions, and blocks of 16 outputs.
///
/// # Safety
/// The processor has the instructions and the process the permission; the layer's offsets lie in the input.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn positions(part: &Part<'_>, tiles: &Tiles, blocks: Range<usize>) {
    let mut configuration = Configuration { palette: 1, start: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
    for tile in 0..8 {
        let (rows, bytes) = match tile {
            0..4 => (SIDE, 4 * SIDE),
            4 | 5 => (SIDE, 4 * tiles.rows),
            _ => (tiles.rows, 4 * SIDE),
        };
        (configuration.rows[tile], configuration.bytes[tile]) = (rows as u8, bytes as u16);
    }
    let mut sums = Sums([[0; SIDE * SIDE]; 4]);
    // Safety: the caller's.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &configuration, options(nostack, readonly));
        let mut start = part.vectors.start;
        while start < part.vectors.end {
            let end = (start + tiles.together).min(part.vectors.end);
            for first in blocks.clone().step_by(2) {
                for vector in (start..end).step_by(2) {
                    tile(part, tiles, first..blocks.end.min(first + 2), vector..end.min(vector + 2), &mut sums);
                }
            }
            start = end;
        }
        asm!("tilerelease", options(nostack, nomem));
    }
}

/// One or two blocks of outputs at one or two vectors.
///
/// # Safety
/// As [`positions`], which has configured the tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn tile(part: &Part<'_>, tiles: &Tiles, blocks: Range<usize>, vectors: Range<usize>, sums: &mut Sums) {
    let stride = 4 * part.sums.input.plane;
    let block = tiles.offsets.len() * SIDE * tiles.rows;
    // Safety: the caller's. Weights of a block are as long as the list of steps says, and a step reads `rows` planes.
    unsafe {
        let at = part.input.add(vectors.start * SIDE);
        let a = tiles.weights.cells().as_ptr().add(blocks.start * block);
        let b = a.add(if blocks.len() == 2 { block } else { 0 });
        match (blocks.len() == 2, vectors.len() == 2) {
            (true, true) => steps!(
                tiles,
                a,
                b,
                at,
                stride,
                [
                    "tileloadd tmm4, [{a} + {row}]",
                    "tileloadd tmm6, [{cells} + {plane}]",
                    "tdpbsud tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{cells} + {plane} + 64]",
                    "tdpbsud tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{b} + {row}]",
                    "tdpbsud tmm2, tmm5, tmm6",
                    "tdpbsud tmm3, tmm5, tmm7"
                ]
            ),
            (true, false) => steps!(
                tiles,
                a,
                b,
                at,
                stride,
                [
                    "tileloadd tmm4, [{a} + {row}]",
                    "tileloadd tmm6, [{cells} + {plane}]",
                    "tdpbsud tmm0, tmm4, tmm6",
                    "tileloadd tmm5, [{b} + {row}]",
                    "tdpbsud tmm2, tmm5, tmm6"
                ]
            ),
            (false, true) => steps!(
                tiles,
                a,
                b,
                at,
                stride,
                [
                    "tileloadd tmm4, [{a} + {row}]",
                    "tileloadd tmm6, [{cells} + {plane}]",
                    "tdpbsud tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{cells} + {plane} + 64]",
                    "tdpbsud tmm1, tmm4, tmm7"
                ]
            ),
            (false, false) => steps!(
                tiles,
                a,
                b,
                at,
                stride,
                ["tileloadd tmm4, [{a} + {row}]", "tileloadd tmm6, [{cells} + {plane}]", "tdpbsud tmm0, tmm4, tmm6"]
            ),
        }
        asm!(
            "tilestored [{to} + {row}], tmm0",
            "tilestored [{to} + {row} + 1024], tmm1",
            "tilestored [{to} + {row} + 2048], tmm2",
            "tilestored [{to} + {row} + 3072], tmm3",
            to = in(reg) &mut *sums, row = in(reg) 4 * SIDE, options(nostack)
        );
        for (i, own) in blocks.enumerate() {
            for (j, vector) in vectors.clone().enumerate() {
                let outputs = own * SIDE..((own + 1) * SIDE).min(tiles.outputs);
                put_rows(part, outputs, &sums.0[2 * i + j], vector);
            }
        }
    }
}
