//! What reads files of others, fed with bytes that nobody wrote. A target is a function of bytes that panics when the
//! program does something wrong; what it must refuse it may refuse.
//!
//! libFuzzer drives the targets through `fuzz_targets/`, and [`replay`] through the same programs where there is no
//! nightly compiler. Seeds lie in `seeds/TARGET` and are written by the program `seeds`.

mod caffe;
mod code;
mod data;
pub mod draw;
mod onnx;
pub mod replay;
mod report;
mod video;

pub use caffe::{CLASSIFIER, caffemodel, prototxt};
pub use code::{decode_syn, roundtrip_syn, tiles_syn};
pub use data::{dataset, image, recipe, records};
pub use onnx::onnx_model;
pub use report::report;
pub use video::video;

/// A function of bytes that panics when the program does something wrong.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("decode_syn", decode_syn),
    ("roundtrip_syn", roundtrip_syn),
    ("tiles_syn", tiles_syn),
    ("prototxt", prototxt),
    ("caffemodel", caffemodel),
    ("onnx_model", onnx_model),
    ("image", image),
    ("dataset", dataset),
    ("records", records),
    ("recipe", recipe),
    ("video", video),
    ("report", report),
];
