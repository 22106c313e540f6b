//! Damaged and forged files: a clear error with section and offset, never a panic, never memory beyond need.

mod common;

use common::{assert_same, net, plan, tiny};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use synapress_code::{Effort, ErrorKind, Limits, Options, Stored, decode, encode, encode_with_extras, read, summary};
use synapress_model::Source;

const TRUSTING: Limits = Limits { weights: 1 << 24, layers: 1000, expansion: 1 << 14, checksums: false };

fn bytes() -> Vec<u8> {
    encode_with_extras(&tiny(), &[("state".to_owned(), vec![7; 20])], &Options::default()).unwrap()
}

#[test]
fn every_truncation_is_an_error_with_its_place() {
    let bytes = bytes();
    for n in 0..bytes.len() {
        let error = decode(&bytes[..n], &Limits::default()).unwrap_err();
        assert!(error.section().is_some() && error.offset().is_some_and(|o| o <= n as u64), "{n}: {error}");
        assert!(summary(&bytes[..n]).is_err());
        assert!(decode(&bytes[..n], &TRUSTING).is_err());
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(decode(&longer, &Limits::default()).unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn larger_networks_cut_at_every_64th_byte_are_refused() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let bytes = encode(&net(&plan().new_tree(&mut runner).unwrap().current()), &Options::default()).unwrap();
        for n in (0..bytes.len()).step_by(64) {
            assert!(decode(&bytes[..n], &Limits::default()).is_err());
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let error = decode(&damaged, &Limits::default()).unwrap_err();
            assert!(error.section().is_some() && error.offset().is_some(), "{at}.{bit}: {error}");
        }
    }
}

/// Past the checksums: whatever the bytes say, the decoder refuses it or makes a network that can be encoded.
#[test]
fn bytes_altered_under_the_checksums_make_no_panic() {
    let mut runner = TestRunner::deterministic();
    let mut nets = vec![bytes()];
    for i in 0..12 {
        let effort = if i % 3 == 0 { Effort::Max } else { Effort::Fast };
        nets.push(encode(&net(&plan().new_tree(&mut runner).unwrap().current()), &Options { effort }).unwrap());
    }
    for (i, bytes) in nets.iter().enumerate() {
        for at in 0..bytes.len() {
            let values: &[u8] = if i == 0 { &[0, 1, 2, 5, 0x7f, 0x80, 0xfe, 0xff] } else { &[0, 0xff] };
            for &value in values {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let _ = summary(&damaged);
                let stored = Stored::new(damaged.clone(), &TRUSTING);
                let layers = |s: &Stored| (0..s.net().weights.len()).all(|id| s.decode(id).is_ok());
                // Layer by layer the same is refused as at once.
                assert_eq!(stored.as_ref().is_ok_and(layers), decode(&damaged, &TRUSTING).is_ok(), "{i} {at} {value}");
                if let Ok(net) = decode(&damaged, &TRUSTING) {
                    let again = encode(&net, &Options::default()).unwrap();
                    assert_same(&net, &decode(&again, &Limits::default()).unwrap());
                }
            }
        }
    }
}

#[test]
fn other_versions_are_refused_with_advice() {
    for (version, advice) in
        [(0u16, "older"), (1, "older; encode the network again"), (3, "newer; update synapress"), (999, "newer")]
    {
        let mut bytes = bytes();
        bytes[8..10].copy_from_slice(&version.to_le_bytes());
        let error = decode(&bytes, &Limits::default()).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Version, Some(8)));
        assert!(error.to_string().contains(advice) && error.to_string().contains(&version.to_string()), "{error}");
    }
}

/// Tag, length, body and checksum of a chunk.
fn chunk(tag: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = tag.to_vec();
    let mut length = body.len();
    while length >= 128 {
        out.push(length as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(body);
    let sum = crc32fast::hash(&out);
    out.extend(sum.to_le_bytes());
    out
}

fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"\x93SYN\r\n\x1a\n\x02\0\0\0".to_vec();
    out.extend(chunks.concat());
    let length = out.len() as u64;
    out.extend(chunk(b"TAIL", &length.to_le_bytes()));
    out
}

/// The chunks of a file before its end.
fn chunks(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut out, mut at) = (Vec::new(), 12);
    while &bytes[at..at + 4] != b"TAIL" {
        let (mut length, mut end) = (0, at + 4);
        for shift in (0..).step_by(7) {
            length |= usize::from(bytes[end] & 127) << shift;
            end += 1;
            if bytes[end - 1] < 128 {
                break;
            }
        }
        out.push(bytes[at..end + length + 4].to_vec());
        at = end + length + 4;
    }
    out
}

#[test]
fn unknown_chunks_are_skipped_if_they_may_be() {
    let mut parts = chunks(&bytes());
    assert_eq!(file(&parts), bytes());
    parts.insert(1, chunk(b"futr", b"whatever"));
    assert_same(&decode(&file(&parts), &Limits::default()).unwrap(), &tiny());
    parts[1] = chunk(b"FUTR", b"whatever");
    let error = decode(&file(&parts), &Limits::default()).unwrap_err();
    assert!(error.kind() == ErrorKind::Version && error.to_string().contains("FUTR"), "{error}");
}

#[test]
fn missing_and_repeated_chunks_are_refused() {
    let parts = chunks(&bytes());
    for i in 0..parts.len() {
        let is = |tag: &[u8]| &parts[i][..4] == tag;
        let mut without = parts.clone();
        without.remove(i);
        assert!(decode(&file(&without), &Limits::default()).is_ok() == (is(b"ABUT") || is(b"xtra")));
        let mut twice = parts.clone();
        twice.insert(i, parts[i].clone());
        assert!(decode(&file(&twice), &Limits::default()).is_ok() == is(b"xtra"));
    }
    let error = decode(&file(&[]), &Limits::default()).unwrap_err();
    assert_eq!((error.kind(), error.section()), (ErrorKind::Malformed, Some("graph")));
}

/// A graph of an image and one fully connected layer, as its bytes.
fn forged(channels: &str, outputs: &str) -> Vec<u8> {
    let text = |s: &str| [&[s.len() as u8], s.as_bytes()].concat();
    let field = |name: &str, value: &str| [text(name), vec![0], text(value)].concat();
    let dims = [vec![4], field("dim", "1"), field("dim", channels), field("dim", "1"), field("dim", "1")].concat();
    let input = [text("data"), text("Input"), vec![0, 1], text("shape"), vec![1], dims, vec![0]].concat();
    let fields = [vec![1], field("num_output", outputs)].concat();
    let fully = [text("fc"), text("InnerProduct"), vec![1, 0], fields, vec![0]].concat();
    chunk(b"GRPH", &[vec![0], text("forged"), vec![2], input, fully].concat())
}

#[test]
fn absurd_dimensions_are_refused_before_anything_is_allocated() {
    for (channels, outputs) in [
        ("100000000", "1"),
        ("268435456", "268435456"),
        ("18446744073709551615", "1"),
        ("1", "18446744073709551615"),
        ("99999999999999999999", "1"),
        ("10000", "4000"),
        ("0", "1"),
    ] {
        let bytes = file(&[forged(channels, outputs), chunk(b"WGHT", &[1, 0, 0, 0, 0])]);
        let error = decode(&bytes, &Limits::default()).unwrap_err();
        assert!([ErrorKind::Limit, ErrorKind::Net].contains(&error.kind()), "{error}");
        assert_eq!(error.section(), Some("graph"));
        assert!(error.kind() == ErrorKind::Limit || error.to_string().contains("layer"), "{error}");
    }
}

#[test]
fn a_layer_of_countless_tiles_is_refused() {
    let small = [1, 0x80, 0x10, 0x80, 0x10, 1, 1, 0, 0, 0, 1];
    let error = decode(
        &file(&[forged("2048", "2048"), chunk(b"WGHT", &small)]),
        &Limits { expansion: 1 << 20, ..Limits::default() },
    );
    let error = error.unwrap_err();
    assert!(error.kind() == ErrorKind::Malformed && error.to_string().contains("tile"), "{error}");
}

#[test]
fn limits_are_the_callers() {
    let bytes = bytes();
    let refused = |limits| decode(&bytes, &limits).unwrap_err().kind();
    assert_eq!(refused(Limits { weights: 78, ..Limits::default() }), ErrorKind::Limit);
    assert!(decode(&bytes, &Limits { weights: 79, ..Limits::default() }).is_ok());
    assert_eq!(refused(Limits { layers: 2, ..Limits::default() }), ErrorKind::Limit);
}

#[test]
fn networks_that_cannot_come_back_are_not_written() {
    let mut net = tiny();
    net.about.preprocess.as_mut().unwrap().mean[1] = f32::NAN;
    assert_eq!(encode(&net, &Options::default()).unwrap_err().kind(), ErrorKind::Net);
    let mut net = tiny();
    net.weights[1].as_mut().unwrap().form = synapress_model::Form::Dense(vec![f32::INFINITY; 24]);
    let error = encode(&net, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("conv"), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let with = |mean: f32| {
        let numbers: Vec<u8> = [104.0, mean, 123.0, 1.0].iter().flat_map(|n: &f32| n.to_le_bytes()).collect();
        // As it is, with preprocessing: no resize, crop of the input's side, BGR; neither labels nor history.
        let about = [&[0, 1, 0, 0, 0][..], &numbers, &[0, 0]].concat();
        let mut parts = chunks(&bytes());
        let at = parts.iter().position(|p| &p[..4] == b"ABUT").unwrap();
        parts[at] = chunk(b"ABUT", &about);
        decode(&file(&parts), &TRUSTING)
    };
    assert_eq!(with(117.0).unwrap().about.preprocess.unwrap().mean[1], 117.0);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = with(bad).unwrap_err();
        assert!(error.to_string().contains("mean") && error.section().is_some(), "{error}");
    }
}

#[test]
fn faults_of_files_name_them() {
    let error = read("no/such.syn", &Limits::default()).unwrap_err();
    assert!(error.kind() == ErrorKind::Io && error.to_string().starts_with("no/such.syn: cannot read"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.syn");
    let mut bytes = bytes();
    let at = 40;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = read(&path, &Limits::default()).unwrap_err();
    assert!(error.kind() == ErrorKind::Checksum && error.to_string().contains("damaged.syn"), "{error}");
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decode(&bytes, &Limits::default()).is_err());
        let header = b"\x93SYN\r\n\x1a\n\x02\0\0\0";
        prop_assert!(decode(&[&header[..], &bytes].concat(), &TRUSTING).is_err());
        for tag in [b"GRPH", b"ABUT", b"INTG", b"WGHT"] {
            let mut parts = chunks(&encode(&tiny(), &Options::default()).unwrap());
            parts.retain(|p| &p[..4] != tag);
            parts.push(chunk(tag, &bytes));
            let _ = decode(&file(&parts), &Limits::default());
        }
    }
}
