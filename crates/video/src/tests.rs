//! Videos written and read again, whole and damaged.

use std::fs;
use std::path::Path;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use proptest::prelude::*;
use synapress_images::Image;

use crate::write::Recording;
use crate::{Error, Frames, Rate, open, read};

/// A picture that its number tells from others.
fn picture(width: u32, height: u32, number: u8) -> Image {
    let pixels =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8 * 3, y as u8 * 3, number.wrapping_mul(40)]));
    Image::new(width, height, pixels.collect()).unwrap()
}

/// The same as a JPEG file.
pub(crate) fn jpeg(width: u32, height: u32, number: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = picture(width, height, number);
    JpegEncoder::new(&mut bytes).encode(image.pixels(), width, height, ExtendedColorType::Rgb8).unwrap();
    bytes
}

const RATE: Rate = Rate { frames: 30000, seconds: 1001 };

fn record(path: &Path, frames: u8) {
    let mut recording = Recording::create(path, RATE).unwrap();
    for number in 0..frames {
        recording.write(&picture(42, 30, number)).unwrap();
        assert!(!path.is_file(), "not before it is complete");
    }
    assert_eq!(recording.frames(), u64::from(frames));
    recording.finish().unwrap();
}

/// What there is of a video: its pictures, and how many frames were bad.
fn all(frames: &mut dyn Frames) -> (Vec<Image>, usize) {
    let (mut images, mut bad) = (Vec::new(), 0);
    for frame in frames {
        match frame.and_then(|f| f.decode()) {
            Ok(image) => images.push(image),
            Err(_) => bad += 1,
        }
    }
    (images, bad)
}

fn assert_near(a: &Image, b: &Image) {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let far: i64 = a.pixels().iter().zip(b.pixels()).map(|(&a, &b)| i64::from(a.abs_diff(b))).sum();
    assert!(far < 4 * a.pixels().len() as i64, "{far}");
}

#[test]
fn what_is_written_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rate) in [("a.y4m", Some(RATE)), ("a.avi", Some(RATE)), ("a.mjpeg", None), ("a.MJPG", None)] {
        let path = folder.path().join(name);
        record(&path, 5);
        let mut frames = open(&path).unwrap();
        assert_eq!(frames.rate(), rate, "{name}: {}", frames.about());
        let (images, bad) = all(&mut *frames);
        assert_eq!((images.len(), bad), (5, 0), "{name}");
        for (number, image) in images.iter().enumerate() {
            assert_near(image, &picture(42, 30, number as u8));
        }
    }
    for (name, ending) in [("p", "png"), ("q/", "png"), ("r/*.jpg", "jpg"), ("s/*.png", "png")] {
        record(&folder.path().join(name), 3);
        let image = folder.path().join(&name[..1]).join(format!("000003.{ending}"));
        assert_near(&Image::decode(&fs::read(image).unwrap()).unwrap(), &picture(42, 30, 2));
    }
    assert!(fs::read_dir(folder.path()).unwrap().all(|e| !e.unwrap().path().ends_with(".part")));
}

#[test]
fn pictures_of_other_sizes_are_fitted_to_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.y4m");
    let mut recording = Recording::create(&path, RATE).unwrap();
    for (width, height) in [(8, 6), (4, 9), (20, 2)] {
        recording.write(&Image::new(width, height, vec![255; 3 * (width * height) as usize]).unwrap()).unwrap();
    }
    recording.finish().unwrap();
    let (images, bad) = all(&mut *open(&path).unwrap());
    let lit = |i: &Image| i.pixels().iter().filter(|&&v| v > 128).count() / 3;
    assert_eq!((images.iter().map(lit).collect::<Vec<_>>(), bad), (vec![48, 24, 16], 0));
}

#[test]
fn places_that_cannot_be_written_to_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("x"), "mine").unwrap();
    fs::create_dir(folder.path().join("d.avi")).unwrap();
    for (name, says) in [
        ("full", "files in it"),
        ("full/*.jpg", "files in it"),
        ("a.mp4", ".y4m"),
        ("d.avi", "folder"),
        ("none/a.avi", ""),
        ("full/x/y", ""),
    ] {
        let error = Recording::create(&folder.path().join(name), RATE).err().unwrap_or_else(|| panic!("{name}"));
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
    assert_eq!(fs::read(full.join("x")).unwrap(), b"mine");
    // Nothing came: nothing is left, and what was there stays.
    fs::write(folder.path().join("old.y4m"), "old").unwrap();
    Recording::create(&folder.path().join("old.y4m"), RATE).unwrap().finish().unwrap();
    assert_eq!(fs::read(folder.path().join("old.y4m")).unwrap(), b"old");
    assert!(!folder.path().join("old.y4m.part").exists());
}

#[test]
fn what_is_no_video_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    assert!(open(&path).is_err(), "it is missing");
    assert!(matches!(open(folder.path()), Err(Error::Source(_))), "it is a folder");
    for bytes in [&b""[..], b"RIFF", b"RIFF....AVI LIST", b"YUV", b"a text of no kind"] {
        fs::write(&path, bytes).unwrap();
        assert!(open(&path).is_err(), "{bytes:?}");
    }
}

/// A video of each kind, of two frames and a second of them.
fn files() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let file = |name| {
        let path = folder.path().join(name);
        record(&path, 3);
        fs::read(path).unwrap()
    };
    ["a.y4m", "a.avi", "a.mjpeg"].map(file).to_vec()
}

/// Everything that can be had of bytes that pretend to be a video.
fn look(bytes: &[u8]) -> Option<(Vec<Image>, usize)> {
    read(std::io::Cursor::new(bytes.to_vec())).ok().map(|mut frames| all(&mut *frames))
}

#[test]
fn a_cut_video_has_the_frames_before_the_cut() {
    for bytes in files() {
        let whole = look(&bytes).unwrap().0;
        let mut last = 0;
        for end in (0..bytes.len()).step_by(37) {
            let Some((images, bad)) = look(&bytes[..end]) else { continue };
            assert_eq!(images, whole[..images.len()], "{end}");
            assert!(images.len() >= last && bad <= 1, "{end}");
            last = images.len();
        }
        assert!(last >= 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn altered_videos_never_panic_and_end(
        kind in 0usize..3, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        early in any::<bool>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = files().swap_remove(kind);
        let room = if early { 400 } else { bytes.len() };
        for (at, value) in changes {
            bytes[at.index(room)] = value;
        }
        bytes.remove(cut.index(bytes.len()));
        if let Some((images, bad)) = look(&bytes) {
            prop_assert!(images.len() + bad < 3000, "{} {bad}", images.len());
        }
    }
}
