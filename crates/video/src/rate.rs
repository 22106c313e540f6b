//! Frames a second.

use std::fmt;

/// Frames a second, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many frames,
    pub frames: u32,
    /// in so many seconds; not zero.
    pub seconds: u32,
}

impl Rate {
    /// What a video has that does not say.
    pub const USUAL: Self = Self { frames: 25, seconds: 1 };

    /// `None` when either is zero, which stands for a rate that nobody knows.
    pub fn new(frames: u32, seconds: u32) -> Option<Self> {
        (frames > 0 && seconds > 0).then_some(Self { frames, seconds })
    }

    /// The rate of so many frames that came within a time.
    pub fn of(frames: u64, within: std::time::Duration) -> Self {
        let thousandths = frames as f64 * 1e3 / within.as_secs_f64().max(1e-3);
        Self { frames: thousandths.clamp(1.0, 1e6) as u32, seconds: 1000 }
    }

    /// Seconds from the first frame to that of the number.
    pub fn time_of(self, frame: u64) -> f64 {
        frame as f64 * f64::from(self.seconds) / f64::from(self.frames)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = f64::from(self.frames) / f64::from(self.seconds);
        write!(f, "{} frames/s", (rate * 1e3).round() / 1e3)
    }
}
