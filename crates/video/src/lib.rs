//! Frames of cameras and videos, labels drawn into them, and videos written. What is seen in a frame is others' affair.
//!
//! A source of frames is anything that is [`Frames`]: one file for each kind here, and a line in `open.rs`. A frame that
//! is damaged costs that frame alone; lengths that a file claims are checked before memory is taken for them.
//!
//! ```
//! use synapress_video::y4m::Y4m;
//!
//! let file = b"YUV4MPEG2 W2 H1 F25:1 Cmono\nFRAME\n\x10\xeb";
//! let mut video = Y4m::new(&file[..])?;
//! let image = video.next().unwrap()?.decode()?;
//! assert_eq!(image.pixels(), [0, 0, 0, 255, 255, 255]);
//! # Ok::<(), synapress_video::Error>(())
//! ```

pub mod ahead;
pub mod avi;
pub mod camera;
mod error;
mod ffmpeg;
mod frame;
pub mod jpeg;
pub mod mjpeg;
mod open;
pub mod overlay;
mod rate;
pub mod write;
pub mod y4m;
pub mod yuv;

pub use error::Error;
pub use frame::{Frame, Frames, MOST_BYTES};
pub use open::{open, open_stdin, read};
pub use rate::Rate;

#[cfg(test)]
mod tests;
