//! The direction that writes.

use super::Coder;
use crate::bytes::place;

/// Writes bits.
#[derive(Debug)]
pub(crate) struct Encoder {
    out: Vec<u8>,
    low: u64,
    range: u64,
}

impl Encoder {
    /// Appends to bytes that are there already.
    pub fn after(out: Vec<u8>) -> Self {
        Self { out, low: 0, range: u64::MAX }
    }

    fn carry(&mut self) {
        for byte in self.out.iter_mut().rev() {
            let (sum, again) = byte.overflowing_add(1);
            *byte = sum;
            if !again {
                return;
            }
        }
    }

    #[inline]
    fn add(&mut self, n: u64) {
        let (low, carry) = self.low.overflowing_add(n);
        self.low = low;
        if carry {
            self.carry();
        }
    }

    #[inline]
    fn normalize(&mut self) {
        if self.range < 1 << 32 {
            let [a, b, c, d, ..] = self.low.to_be_bytes();
            self.out.extend_from_slice(&[a, b, c, d]);
            self.low <<= 32;
            self.range <<= 32;
        }
    }

    /// Ends the code with the fewest bytes that identify it, zeros being read beyond the end.
    pub fn finish(mut self) -> Vec<u8> {
        for bytes in 0..=8 {
            let mask = u64::MAX.checked_shr(8 * bytes).unwrap_or(0);
            let (sum, carry) = self.low.overflowing_add(mask);
            let end = sum & !mask;
            if end.wrapping_sub(self.low) < self.range {
                if carry {
                    self.carry();
                }
                self.out.extend_from_slice(&end.to_be_bytes()[..place(bytes)]);
                break;
            }
        }
        self.out
    }
}

impl Coder for Encoder {
    #[inline]
    fn coin(&mut self, probability: u32, bit: bool) -> bool {
        let bound = (self.range >> 16) * u64::from(probability);
        if bit {
            self.range = bound;
        } else {
            self.add(bound);
            self.range -= bound;
        }
        self.normalize();
        bit
    }

    #[inline]
    fn direct(&mut self, value: u32, width: u32) -> u32 {
        self.range >>= width;
        self.add(self.range * u64::from(value));
        self.normalize();
        value
    }

    fn uniform(&mut self, value: u32, count: u32) -> u32 {
        self.range /= u64::from(count);
        self.add(self.range * u64::from(value));
        self.normalize();
        value
    }

    fn is_beyond(&self) -> bool {
        false
    }
}
