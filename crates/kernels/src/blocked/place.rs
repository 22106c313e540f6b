//! Where the codes of a feature map lie: cells of some channels each, plane after plane, with zeros around.

use std::ops::Range;

/// A cell has 32 bits: what is multiplied and added at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// Four channels of 8 bits, unsigned: signed codes are stored with 128 added.
    Bytes,
    /// Two channels of 16 bits.
    Words,
}

impl Cell {
    /// Channels in a cell.
    pub fn channels(self) -> usize {
        match self {
            Self::Bytes => 4,
            Self::Words => 2,
        }
    }

    /// Bits of a channel.
    fn bits(self) -> u32 {
        match self {
            Self::Bytes => 8,
            Self::Words => 16,
        }
    }
}

/// Cells of a cache line: planes begin at lines.
pub(super) const LINE: usize = 16;

/// Cells that may be read beyond the last plane.
pub(super) const SLACK: usize = 128;

/// The layout of a feature map in a buffer of cells: `[channels / cell][row][column]`, channels innermost.
///
/// Columns to the right of a row are also those to the left of the next one. Cells around the map hold code 0 as far as
/// [`Place::border`] says, and so do channels beyond the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What a cell holds.
    pub cell: Cell,
    /// Channels.
    pub channels: usize,
    /// Height and width of the map.
    pub size: [usize; 2],
    /// Rows of zeros above and below, columns of zeros at both sides.
    pub border: [usize; 2],
    /// Whether codes may be negative.
    pub signed: bool,
    /// The first cell of the first plane.
    pub start: usize,
    /// Cells from a row to the next.
    pub pitch: usize,
    /// Cells from the start of a plane to its first pixel.
    pub lead: usize,
    /// Cells from a plane to the next.
    pub plane: usize,
}

impl Place {
    /// A map of its own, from the start of a buffer.
    pub fn new(cell: Cell, channels: usize, size: [usize; 2], border: [usize; 2], signed: bool) -> Self {
        let pitch = size[1] + border[1];
        let lead = (border[0] * pitch + border[1]).next_multiple_of(LINE);
        let lines = (lead + (size[0] + border[0]) * pitch + border[1]).div_ceil(LINE);
        // An odd number of lines keeps the planes of one pixel in different sets of the cache.
        let plane = if size == [1, 1] && border == [0, 0] { 1 } else { (lines | 1) * LINE };
        Self { cell, channels, size, border, signed, start: 0, pitch, lead, plane }
    }

    /// Some of the channels, which lie in the planes of this map. `None` unless they begin at a cell, and end at one
    /// or with this map.
    pub fn part(&self, channels: Range<usize>) -> Option<Self> {
        let each = self.cell.channels();
        let whole =
            channels.start.is_multiple_of(each) && (channels.end.is_multiple_of(each) || channels.end == self.channels);
        let start = self.start + channels.start / each * self.plane;
        whole.then_some(Self { channels: channels.len(), start, ..*self })
    }

    /// Number of planes.
    pub fn planes(&self) -> usize {
        self.channels.div_ceil(self.cell.channels())
    }

    /// How many cells a buffer must have for this map.
    pub fn end(&self) -> usize {
        self.start + self.planes() * self.plane + SLACK
    }

    /// What is added to a code where it is stored.
    pub fn offset(&self) -> i16 {
        if self.cell == Cell::Bytes && self.signed { 128 } else { 0 }
    }

    /// A cell whose channels are all of code 0.
    pub fn zero(&self) -> u32 {
        if self.offset() == 0 { 0 } else { u32::from_ne_bytes([128; 4]) }
    }

    /// The place of a pixel's cell in its plane.
    pub fn pixel(&self, y: usize, x: usize) -> usize {
        self.lead + y * self.pitch + x
    }

    /// The first cell of a row.
    pub(super) fn row(&self, plane: usize, y: usize) -> usize {
        self.start + plane * self.plane + self.pixel(y, 0)
    }

    /// The sum of one channel's codes in some cells.
    pub(super) fn sum(&self, cells: &[u32], channel: usize) -> i64 {
        let shift = channel as u32 * self.cell.bits();
        match self.cell {
            Cell::Bytes => {
                let sum: u64 = cells.iter().map(|cell| u64::from(cell >> shift & 0xff)).sum();
                sum as i64 - i64::from(self.offset()) * cells.len() as i64
            }
            Cell::Words => cells.iter().map(|cell| i64::from((cell >> shift) as i16)).sum(),
        }
    }

    /// Sets everything that is no pixel to code 0.
    pub fn clear_borders(&self, cells: &mut [u32]) {
        if self.border == [0, 0] {
            return;
        }
        let zero = self.zero();
        let [height, width] = self.size;
        for plane in cells[self.start..][..self.planes() * self.plane].chunks_exact_mut(self.plane) {
            plane[..self.lead].fill(zero);
            for y in 0..height {
                plane[self.pixel(y, width)..][..self.border[1]].fill(zero);
            }
            plane[self.pixel(height, 0)..].fill(zero);
        }
    }

    /// Writes codes `(C, H, W)`, and zeros around them.
    pub fn pack(&self, codes: &[i16], cells: &mut [u32]) {
        let (area, each) = (self.size[0] * self.size[1], self.cell.channels());
        let (bits, offset, width) = (self.cell.bits(), self.offset(), self.size[1]);
        let mask = ((1u64 << bits) - 1) as u32;
        self.clear_borders(cells);
        for (plane, codes) in codes[..self.channels * area].chunks(each * area).enumerate() {
            for y in 0..self.size[0] {
                let cells = &mut cells[self.row(plane, y)..][..width];
                cells.fill(self.zero());
                for (c, codes) in codes.chunks_exact(area).enumerate() {
                    let shift = c as u32 * bits;
                    for (cell, &q) in cells.iter_mut().zip(&codes[y * width..]) {
                        *cell = *cell & !(mask << shift) | (i32::from(q + offset) as u32 & mask) << shift;
                    }
                }
            }
        }
    }

    /// Reads codes `(C, H, W)`.
    pub fn unpack(&self, cells: &[u32], codes: &mut [i16]) {
        let (area, each) = (self.size[0] * self.size[1], self.cell.channels());
        let (bits, offset, width) = (self.cell.bits(), self.offset(), self.size[1]);
        for (plane, codes) in codes[..self.channels * area].chunks_mut(each * area).enumerate() {
            for y in 0..self.size[0] {
                let cells = &cells[self.row(plane, y)..][..width];
                for (c, codes) in codes.chunks_exact_mut(area).enumerate() {
                    let shift = c as u32 * bits;
                    for (q, cell) in codes[y * width..].iter_mut().zip(cells) {
                        let stored = cell >> shift;
                        *q = if bits == 8 { i16::from(stored as u8) - offset } else { stored as i16 };
                    }
                }
            }
        }
    }
}

/// Cells that begin at a cache line.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
struct Line([u32; LINE]);

impl Buffer {
    /// Makes it at least so long; what it holds stays.
    pub fn reserve(&mut self, cells: usize) {
        if self.len < cells {
            self.lines.resize(cells.div_ceil(LINE), Line::default());
            self.len = cells;
        }
    }

    /// Cells of other memory.
    pub(super) fn of(cells: &[u32]) -> Self {
        let mut buffer = Self::default();
        buffer.reserve(cells.len());
        buffer.cells_mut().copy_from_slice(cells);
        buffer
    }

    /// All cells.
    pub fn cells(&self) -> &[u32] {
        // Safety: lines are arrays of cells without gaps, and there are enough for `len`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    /// All cells, to be written.
    pub fn cells_mut(&mut self) -> &mut [u32] {
        let len = self.len;
        // Safety: lines are arrays of cells without gaps, and there are enough for `len`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }
}
