//! What readers take of the memory, counted: a damaged file never makes them take much more than the whole one, whatever
//! it claims to hold.

use std::sync::{Mutex, MutexGuard};

use peak_alloc::PeakAlloc;
use synapress_code as code;
use synapress_compress::group;
use synapress_compress::pipeline::small_network;
use synapress_compress::prune;
use synapress_images::Image;
use synapress_import::{caffe, caffemodel, fill};
use synapress_model::Net;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test at a time: the count is of the whole program.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|e| e.into_inner())
}

/// What errors, tables of a layer and the like may take beside the numbers themselves.
const SLACK: usize = 1 << 16;

/// The most bytes that were held at once while `work` ran, beyond those held before, and what came of it.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = work();
    (MEMORY.peak_usage().saturating_sub(before), result)
}

fn net() -> Net {
    let mut net = small_network(10).unwrap();
    fill(&mut net, 5).unwrap();
    net
}

/// Networks of the demonstration's size in several stages, coded in every way.
fn files() -> Vec<Vec<u8>> {
    let dense = net();
    let ratios = prune::ratios_for(&dense, &0.8.into()).unwrap();
    let pruned = prune::apply(&dense, &ratios).unwrap();
    let grouped = group::group(&pruned, &group::Options { bits: 5, ..group::Options::default() }).unwrap();
    let encode = |net: &Net, effort| code::encode(net, &code::Options { effort }).unwrap();
    let efforts = [code::Effort::Quick, code::Effort::Fast, code::Effort::Max];
    [&dense, &pruned, &grouped].into_iter().flat_map(|net| efforts.map(|effort| encode(net, effort))).collect()
}

/// `whole` cut at every 64th byte, and with single bytes altered.
fn damaged(whole: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let step = (whole.len() / 200).max(1);
    let cuts = (0..whole.len()).step_by(step.max(64)).map(|n| whole[..n].to_vec());
    let altered = (0..whole.len()).step_by(step).chain(0..whole.len().min(300)).flat_map(move |at| {
        [0x01, 0x80, 0xff].map(|flip| {
            let mut bytes = whole.to_vec();
            bytes[at] ^= flip;
            bytes
        })
    });
    cuts.chain(altered)
}

#[test]
fn a_damaged_syn_takes_no_more_than_the_whole_one() {
    let _alone = alone();
    for whole in files() {
        let (need, read) = peak(|| code::decode(&whole, &code::Limits::default()));
        read.unwrap();
        for bytes in damaged(&whole) {
            let (taken, read) = peak(|| code::decode(&bytes, &code::Limits::default()).map(drop));
            assert!(read.is_err() || bytes == whole);
            assert!(taken <= need + SLACK, "{taken} bytes for one that needs {need}");
        }
    }
}

/// Past the checksums a file may hold another network than it did, but no larger one than its bytes can stand for.
#[test]
fn an_altered_syn_takes_no_more_than_its_bytes_can_stand_for() {
    let _alone = alone();
    let trusting = code::Limits { checksums: false, ..code::Limits::default() };
    let mut refused = 0;
    for whole in files().into_iter().step_by(2) {
        let (need, _) = peak(|| code::decode(&whole, &trusting).map(drop));
        for bytes in damaged(&whole) {
            let (taken, read) = peak(|| code::decode(&bytes, &trusting).map(drop));
            refused += usize::from(read.is_err());
            assert!(taken <= 2 * need + SLACK, "{taken} bytes for one that needed {need}: {read:?}");
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn a_damaged_caffemodel_takes_no_more_than_the_whole_one() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.caffemodel");
    let net = net();
    caffemodel::write(&path, &net).unwrap();
    let whole = std::fs::read(path).unwrap();
    let read = |bytes: &[u8]| {
        let mut copy = net.clone();
        peak(|| caffemodel::parse(bytes, bytes.len() as u64).and_then(|w| caffe::attach(&mut copy, w)))
    };
    let (need, whole_is_read) = read(&whole);
    whole_is_read.unwrap();
    for bytes in damaged(&whole) {
        let (taken, result) = read(&bytes);
        assert!(taken <= need + SLACK, "{taken} bytes for one that needs {need}: {result:?}");
    }
}

#[test]
fn a_damaged_prototxt_takes_no_more_than_the_whole_one() {
    let _alone = alone();
    let whole = include_str!("../../../crates/import/zoo/googlenet_train_val.prototxt");
    let read = |text: &str| peak(|| caffe::parse(text, "net.prototxt", &caffe::Options::default()).map(drop));
    let (need, whole_is_read) = read(whole);
    whole_is_read.unwrap();
    for bytes in damaged(whole.as_bytes()) {
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        let (taken, result) = read(text);
        assert!(taken <= 2 * need + SLACK, "{taken} bytes for one that needs {need}: {result:?}");
    }
}

/// Pixels that no file of this length holds are refused before room is made for them.
#[test]
fn a_small_image_file_takes_no_more_than_it_can_hold() {
    let _alone = alone();
    let side = |n: u32| n.to_be_bytes();
    let mut forged: Vec<Vec<u8>> = Vec::new();
    for n in [60_000, 8_000, 1_000_000, u32::MAX] {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        png.extend([&side(n)[..], &side(n), &[8, 2, 0, 0, 0]].concat());
        png.extend(crc32fast::hash(&png[12..]).to_be_bytes());
        png.extend([0, 0, 0, 0]);
        png.extend(b"IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82");
        forged.push(png);
        forged.push(format!("P6 {n} {n} 255\nabc").into_bytes());
        let mut bmp = b"BM".to_vec();
        bmp.extend([58u32, 0, 54, 40, n, n].iter().flat_map(|v| v.to_le_bytes()));
        bmp.extend([1, 0, 24, 0]);
        bmp.extend([0; 24]);
        bmp.extend([1, 2, 3, 0]);
        forged.push(bmp);
    }
    // The readers' own windows and tables.
    const OWN: usize = 1 << 18;
    for bytes in forged {
        let (taken, image) = peak(|| Image::decode(&bytes));
        assert!(image.is_err(), "{:?}", &bytes[..12]);
        assert!(taken <= OWN, "{taken} bytes for {} of {:?}: {image:?}", bytes.len(), &bytes[..4]);
    }
}
