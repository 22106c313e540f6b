//! What JavaScript calls. One buffer takes in what comes from there (a file, pixels), others give out classes,
//! probabilities, integer scores, text; addresses hold until the next call. A function that can fail returns -1 and
//! leaves a message. `page/classifier.js` is the other side.
//!
//! The functions are safe; that their names are fixed for the linker is what the language calls unsafe, since two
//! symbols of one name would clash. Hence the prefix.

#![expect(unsafe_code, reason = "fixed names of exported functions; no memory is touched by hand")]

use std::cell::RefCell;

use synapress_model::{Channels, Preprocess};

use crate::Classifier;

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    classifier: Option<Classifier>,
    classes: Vec<u32>,
    probabilities: Vec<f64>,
    text: String,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(work)
}

/// Runs what may fail; -1 stands for a failure.
fn trying(work: impl FnOnce(&mut State) -> Result<i32, String>) -> i32 {
    with(|state| {
        work(state).unwrap_or_else(|message| {
            state.text = message;
            -1
        })
    })
}

fn opened(classifier: &mut Option<Classifier>) -> Result<&mut Classifier, String> {
    classifier.as_mut().ok_or_else(|| "no network has been opened".to_owned())
}

/// Makes room for `length` bytes and gives its address; null when there is not so much memory.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_buffer(length: usize) -> *mut u8 {
    with(|state| {
        state.buffer.clear();
        if state.buffer.try_reserve_exact(length).is_err() {
            return std::ptr::null_mut();
        }
        state.buffer.resize(length, 0);
        state.buffer.as_mut_ptr()
    })
}

/// Opens the `.syn` that the buffer holds, in place of any other; 0, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_open() -> i32 {
    trying(|state| {
        state.classifier = None;
        state.classifier = Some(Classifier::open(std::mem::take(&mut state.buffer))?);
        Ok(0)
    })
}

/// Prepares pictures otherwise than the file says: lengths in pixels of which 0 stands for none, means of the channels in
/// their order, a factor, and whether that order is red, green, blue; 0, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_prepare(
    resize: u32,
    crop: u32,
    first: f32,
    second: f32,
    third: f32,
    scale: f32,
    rgb: u32,
) -> i32 {
    let side = |pixels: u32| (pixels > 0).then_some(pixels);
    let preprocess = Preprocess {
        resize: side(resize),
        crop: side(crop),
        mean: [first, second, third],
        scale,
        channels: if rgb == 0 { Channels::Bgr } else { Channels::Rgb },
    };
    trying(|state| opened(&mut state.classifier)?.prepare(preprocess).map(|()| 0))
}

/// Classifies the picture that the buffer holds, `(height, width, 4)`; how many classes are told, at most `count`, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_classify(width: u32, height: u32, count: usize) -> i32 {
    trying(|state| {
        let found = opened(&mut state.classifier)?.classify(width, height, &state.buffer, count)?;
        state.classes = found.iter().map(|guess| guess.class as u32).collect();
        state.probabilities = found.iter().map(|guess| guess.probability).collect();
        i32::try_from(found.len()).map_err(|e| e.to_string())
    })
}

/// Address of the classes that were told last, 32 bits each, the most probable first.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_classes() -> *const u32 {
    with(|state| state.classes.as_ptr())
}

/// Address of their probabilities, 64-bit floats.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_probabilities() -> *const f64 {
    with(|state| state.probabilities.as_ptr())
}

/// Address of the integer scores of the last picture, 16 bits each, one for each class.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_scores() -> *const i16 {
    with(|state| state.classifier.as_ref().map_or(std::ptr::null(), |classifier| classifier.scores().as_ptr()))
}

/// How many they are.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_scores_length() -> usize {
    with(|state| state.classifier.as_ref().map_or(0, |classifier| classifier.scores().len()))
}

/// Makes the text the name of the instructions that the network runs on.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_kernel() {
    with(|state| state.text = state.classifier.as_ref().map_or("", Classifier::kernel).to_owned());
}

/// Address of the text in UTF-8: what the last failure was, or what was asked for.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_text() -> *const u8 {
    with(|state| state.text.as_ptr())
}

/// Its length in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn synapress_text_length() -> usize {
    with(|state| state.text.len())
}
