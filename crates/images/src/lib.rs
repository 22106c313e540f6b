//! From an image to a network's input: decoding, resizing, cropping, mean, scale, order of channels. Part of the
//! runtime: what prepares images for calibration and retraining prepares them for a phone and a browser too.
//!
//! ```
//! use synapress_images::{Image, apply};
//! use synapress_model::{Preprocess, Shape};
//!
//! let image = Image::new(2, 1, vec![10, 20, 30, 40, 50, 60])?;
//! let (preprocess, mut input) = (Preprocess { crop: Some(1), ..Preprocess::default() }, [0.0; 3]);
//! apply(&image, &preprocess, Shape::new(3, 1, 1)?, &mut input)?;
//! assert_eq!(input, [30.0, 20.0, 10.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "decode")]
mod decode;
mod draw;
mod error;
mod image;
mod preprocess;
mod resize;

#[cfg(feature = "decode")]
pub use decode::{ENDINGS, MOST_BYTES};
pub use draw::{Draw, Hole};
pub use error::Unfit;
pub use image::{Image, MOST_PIXELS};
pub use preprocess::{MOST_SIDE, apply, check, check_shape, prepare};
pub use resize::Resizer;
