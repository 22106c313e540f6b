//! What reads files of others, fed with bytes that nobody wrote. A target is a function of bytes that panics when the
//! program does something wrong; what it must refuse it may refuse.
//!
//! libFuzzer drives the targets through `fuzz_targets/`, and [`replay`] through the same programs where there is no
//! nightly compiler. Seeds lie in `seeds/TARGET` and are written by the program `seeds`.

mod caffe;
mod code;
mod data;
pub mod draw;
pub mod replay;
mod report;

pub use caffe::{CLASSIFIER, caffemodel, prototxt};
pub use code::{decode_syn, roundtrip_syn, tiles_syn};
pub use data::{dataset, image, recipe};
pub use report::report;

/// A function of bytes that panics when the program does something wrong.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("decode_syn", decode_syn),
    ("roundtrip_syn", roundtrip_syn),
    ("tiles_syn", tiles_syn),
    ("prototxt", prototxt),
    ("caffemodel", caffemodel),
    ("image", image),
    ("dataset", dataset),
    ("recipe", recipe),
    ("report", report),
];
