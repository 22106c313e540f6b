//! A network whose scores are the colours of one pixel, from a file's bytes to guesses; and what is refused.

use synapress_browser::{Classifier, abi};
use synapress_code::{Options, encode};
use synapress_model::layers::{InnerProduct, Input, Softmax};
use synapress_model::{Bias, Channels, Fixed, Form, Integers, Net, Preprocess, Shape, Weights};

/// Takes one pixel, and gives its channels as scores.
fn mirror(preprocess: Option<Preprocess>) -> Net {
    let mut net = Net::default();
    let data = net.graph.add("data", Input { shape: Shape::new(3, 1, 1).unwrap() }, &[]).unwrap();
    let scores = net.graph.add("scores", InnerProduct { outputs: 3, bias: false }, &[data]).unwrap();
    net.graph.add("prob", Softmax::default(), &[scores]).unwrap();
    let q = vec![1, 0, 0, 0, 1, 0, 0, 0, 1];
    let form = Form::Fixed { q, format: Fixed::new(8, 0).unwrap() };
    net.weights = vec![None, Some(Weights { dims: [3, 3, 1, 1], form, bias: Bias::None }), None];
    net.integers = Some(Integers { outputs: vec![Fixed::new(16, 0).unwrap(); 3], tables: vec![vec![]; 3] });
    net.about.preprocess = preprocess;
    net
}

fn bytes(net: &Net) -> Vec<u8> {
    encode(net, &Options::default()).unwrap()
}

#[test]
fn pixels_become_scores_as_the_file_or_the_page_says() {
    let mut classifier = Classifier::open(bytes(&mirror(None))).unwrap();
    assert!(classifier.scores().is_empty());
    let rgba = [10, 20, 30, 0];
    let guesses = classifier.classify(1, 1, &rgba, 2).unwrap();
    assert_eq!((guesses.len(), guesses[0].class), (2, 0));
    assert_eq!(classifier.scores(), [30, 20, 10]);
    let rgb = Preprocess { mean: [1.0, 2.0, 3.0], channels: Channels::Rgb, ..Preprocess::default() };
    classifier.prepare(rgb.clone()).unwrap();
    assert_eq!(classifier.classify(1, 1, &rgba, 5).unwrap()[0].class, 2);
    assert_eq!(classifier.scores(), [9, 18, 27]);
    let mut classifier = Classifier::open(bytes(&mirror(Some(rgb)))).unwrap();
    // A larger picture: its centre.
    let mut picture = [0; 9 * 4];
    picture[16..20].copy_from_slice(&rgba);
    classifier.classify(3, 3, &picture, 1).unwrap();
    assert_eq!(classifier.scores(), [9, 18, 27]);
}

#[test]
fn what_cannot_be_run_is_refused_in_words() {
    let whole = bytes(&mirror(None));
    for end in 0..whole.len() {
        assert!(!Classifier::open(whole[..end].to_vec()).unwrap_err().is_empty());
    }
    let mut float = mirror(None);
    float.integers = None;
    float.weights[1] = Some(Weights::dense([3, 3, 1, 1], vec![0.5; 9], vec![]));
    assert!(Classifier::open(bytes(&float)).unwrap_err().contains("not quantized"));
    let mut classifier = Classifier::open(whole).unwrap();
    assert!(classifier.prepare(Preprocess { scale: 0.0, ..Preprocess::default() }).unwrap_err().contains("scale"));
    for (width, height, length) in [(1, 1, 3), (1, 1, 8), (0, 1, 0), (u32::MAX, u32::MAX, 4)] {
        assert!(classifier.classify(width, height, &vec![0; length], 5).is_err(), "{width}x{height} of {length}");
    }
    assert_eq!(classifier.classify(1, 1, &[1, 2, 3, 4], 5).unwrap().len(), 3);
}

#[test]
fn failures_cross_the_border_as_a_number_and_a_text() {
    assert!(!abi::synapress_buffer(4).is_null());
    assert_eq!(abi::synapress_classify(1, 1, 5), -1);
    assert!(abi::synapress_text_length() > 0 && !abi::synapress_text().is_null());
    assert_eq!(abi::synapress_open(), -1);
    assert_eq!(abi::synapress_prepare(0, 0, 0.0, 0.0, 0.0, 1.0, 0), -1);
    assert_eq!(abi::synapress_scores_length(), 0);
    assert!(abi::synapress_buffer(usize::MAX).is_null());
}
