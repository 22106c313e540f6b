//! Data sets of every kind, whole and damaged; loading; and the real images where they are at hand.

use std::path::{Path, PathBuf};

use ::tar::{Builder, Header};
use image::ImageFormat;
use synapress_model::{Preprocess, Shape};
use tempfile::TempDir;

use super::*;

/// A picture with smooth colours, as a file of the format.
fn file(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, (x + y) as u8]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn folder_of(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn tar_of(files: &[(&str, Vec<u8>)], make: impl Fn() -> Header) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = make();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn open(folder: &TempDir, name: &str) -> Result<Dataset, String> {
    Dataset::open(&folder.path().join(name)).map_err(|e| e.to_string())
}

fn shape(side: usize) -> Shape {
    Shape::new(3, side, side).unwrap()
}

#[test]
fn lists_take_spaces_tabs_and_windows_lines() {
    let folder = folder_of(&[
        ("sub/a cat.png", file(ImageFormat::Png, 5, 6)),
        ("b.jpg", file(ImageFormat::Jpeg, 7, 8)),
        ("list.txt", b"sub/a cat.png 3\r\n\r\nb.jpg\t0\r\n  b.jpg   1  ".to_vec()),
    ]);
    let set = open(&folder, "list.txt").unwrap();
    assert_eq!((set.len(), set.classes(), set.labels()), (3, 4, vec![3, 0, 1]));
    assert_eq!((set.name(0), set.name(2)), ("sub/a cat.png", "b.jpg"));
    assert_eq!((set.image(0).unwrap().width(), set.image(1).unwrap().height()), (5, 8));
    assert!(set.class_names().is_empty());
    set.check_labels(4).unwrap();
    let error = set.check_labels(3).unwrap_err().to_string();
    assert!(error.contains("list.txt, line 1") && error.contains("label 3"), "{error}");
    let part = set.select(&[2, 0]);
    assert_eq!((part.len(), part.id(0), part.label(1), part.classes()), (2, 2, 3, 4));
    assert_eq!(part.first(1).name(0), "b.jpg");
}

#[test]
fn damaged_lists_name_the_line() {
    for (text, what) in [
        (&b""[..], "names no images"),
        (b"\n \n", "names no images"),
        (b"a.jpg 1\nb.jpg", "line 2: \"b.jpg\" is not a path and a label"),
        (b"a.jpg 1\nb.jpg x", "line 2: the label \"x\""),
        (b"a.jpg -1", "line 1: the label \"-1\""),
        (b"a.jpg 4294967296", "line 1: the label"),
        (b"a.jpg 1048576", "line 1: the label"),
        (b"a.jpg 1\nb\xff.jpg 2", "line 2: not a text file"),
    ] {
        let folder = folder_of(&[("list.txt", text.to_vec())]);
        let error = open(&folder, "list.txt").unwrap_err();
        assert!(error.contains(what) && error.contains("list.txt"), "{error}");
    }
    assert!(open(&folder_of(&[]), "list.txt").unwrap_err().contains("no such file"));
}

#[test]
fn images_that_cannot_be_read_are_named() {
    let jpeg = file(ImageFormat::Jpeg, 30, 20);
    let folder = folder_of(&[
        ("short.jpg", jpeg[..jpeg.len() / 2].to_vec()),
        ("empty.jpg", Vec::new()),
        ("folder/x", Vec::new()),
        ("list.txt", b"short.jpg 0\nempty.jpg 0\nmissing.jpg 0\nfolder 0\nlist.txt 0".to_vec()),
    ]);
    let set = open(&folder, "list.txt").unwrap();
    for (i, what) in ["ends early", "empty", "no such file", "not a file", "not an image"].into_iter().enumerate() {
        let error = set.image(i).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains(set.name(i)), "{error}");
        assert!(error.contains(&format!("line {}", i + 1)), "{error}");
    }
    let error = set.check(Bad::Refuse).unwrap_err().to_string();
    assert!(error.starts_with("5 of 5 images cannot be read") && error.contains("missing.jpg"), "{error}");
}

const LONG: &str = "test/frog/a-name-that-is-longer-than-a-hundred-bytes-so-that-the-header-of-a-tar-file-does-not-\
                    have-room-for-it-and-so-something-else-must-hold-it-0123456789-0123456789-0123456789.png";

fn members() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("test/frog/2.jpg", file(ImageFormat::Jpeg, 9, 8)),
        ("test/cat/1.png", file(ImageFormat::Png, 5, 4)),
        ("test/README", b"words".to_vec()),
        (LONG, file(ImageFormat::Png, 3, 2)),
    ]
}

fn check_members(set: &Dataset, long: bool) {
    let names: &[&str] = if long { &["test/cat/1.png", "test/frog/2.jpg", LONG] } else { &["cat/1.png", "frog/2.jpg"] };
    assert_eq!((0..set.len()).map(|i| set.name(i)).collect::<Vec<_>>(), names);
    assert_eq!(set.labels(), if long { vec![0, 1, 1] } else { vec![0, 1] });
    assert_eq!(set.class_names(), ["cat", "frog"]);
    let widths: Vec<u32> = (0..set.len()).map(|i| set.image(i).unwrap().width()).collect();
    assert_eq!(widths, if long { vec![5, 9, 3] } else { vec![5, 9] });
}

#[test]
fn folders_and_tars_of_classes_are_alike() {
    let folder = folder_of(&members()[..3]);
    check_members(&open(&folder, "test").unwrap(), false);
    let files = members();
    let mut pax = Builder::new(Vec::new());
    for (name, bytes) in &files {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        let short = if name.len() > 99 { "test/frog/short.png" } else { name };
        pax.append_pax_extensions([("path", name.as_bytes())]).unwrap();
        pax.append_data(&mut header, short, &bytes[..]).unwrap();
    }
    let folder = folder_of(&[
        ("gnu.tar", tar_of(&files, Header::new_gnu)),
        ("pax.tar", pax.into_inner().unwrap()),
        ("ustar.TAR", tar_of(&files[..3], Header::new_ustar)),
    ]);
    check_members(&open(&folder, "gnu.tar").unwrap(), true);
    check_members(&open(&folder, "pax.tar").unwrap(), true);
    let ustar = open(&folder, "ustar.TAR").unwrap();
    assert_eq!((ustar.len(), ustar.image(1).unwrap().width()), (2, 9));
}

#[test]
fn damaged_tars_are_refused() {
    let bytes = tar_of(&members(), Header::new_gnu);
    let folder = folder_of(&[]);
    let path = folder.path().join("set.tar");
    for end in (0..bytes.len() - 1024).step_by(64) {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let error = open(&folder, "set.tar").expect_err("cut short");
        assert!(error.contains("set.tar"), "cut to {end}: {error}");
    }
    // Headers whose size field is absurd, or whose bytes are flipped.
    for at in 0..bytes.len().min(512) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x40;
        std::fs::write(&path, &flipped).unwrap();
        assert!(open(&folder, "set.tar").is_err(), "flipped byte {at}");
    }
    let mut header = Header::new_gnu();
    header.set_path("a/b.jpg").unwrap();
    header.set_size(u64::MAX / 2);
    header.set_cksum();
    std::fs::write(&path, [header.as_bytes(), &[0; 512][..], &[0; 512]].concat()).unwrap();
    assert!(open(&folder, "set.tar").is_err());
    std::fs::write(&path, [0; 1024]).unwrap();
    assert!(open(&folder, "set.tar").unwrap_err().contains("no images"));
}

fn colourful(images: u64) -> Dataset {
    synthetic::Synthetic { width: 40, height: 36, ..Default::default() }.dataset(0..images).unwrap()
}

#[test]
fn batches_have_the_same_bits_whatever_the_threads_and_the_cache() {
    let set = colourful(12);
    let augment = Augment { shift: 2, cutout: 5, ..Augment::strong() };
    let preprocess = Preprocess { mean: [100.0; 3], ..Preprocess::default() };
    let numbers = [3, 1, 11, 3];
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut out = Vec::new();
        pool.install(|| set.load_batch(&numbers, &preprocess, shape(32), Some((&augment, 5)), &mut out)).unwrap();
        out
    };
    let one = run(1);
    assert_eq!(one, run(3));
    let len = shape(32).len();
    assert_eq!((one.len(), &one[..len]), (4 * len, &one[3 * len..]));
    let mut alone = Vec::new();
    set.select(&[11]).load_batch(&[0], &preprocess, shape(32), Some((&augment, 5)), &mut alone).unwrap();
    assert_eq!(alone, one[2 * len..3 * len]);
    set.load_batch(&[11], &preprocess, shape(32), Some((&augment, 6)), &mut alone).unwrap();
    assert_ne!(alone, one[2 * len..3 * len]);

    let folder = folder_of(&[("a/1.png", file(ImageFormat::Png, 9, 9)), ("b/2.png", file(ImageFormat::Png, 8, 8))]);
    let [mut with, mut without] = [Vec::new(), Vec::new()];
    for _ in 0..2 {
        Dataset::open(folder.path()).unwrap().load_batch(&[0, 1], &preprocess, shape(8), None, &mut with).unwrap();
        let bare = Dataset::open_with_cache(folder.path(), 200).unwrap();
        bare.load_batch(&[0, 1], &preprocess, shape(8), None, &mut without).unwrap();
        assert_eq!(with, without);
    }
}

#[test]
fn the_cache_keeps_what_fits() {
    let folder = folder_of(&[("a/1.png", file(ImageFormat::Png, 8, 8)), ("b/2.png", file(ImageFormat::Png, 9, 9))]);
    let set = Dataset::open_with_cache(folder.path(), 200).unwrap();
    assert!(set.check(Bad::Refuse).is_ok());
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert!(set.image(0).is_ok() && set.image(1).is_err());
}

#[test]
fn the_loader_keeps_order_and_leaves_out_what_cannot_be_read() {
    let mut files: Vec<(String, Vec<u8>)> =
        (0..7).map(|i| (format!("{i}.png"), file(ImageFormat::Png, 4 + i, 4))).collect();
    files[3].1.truncate(40);
    let list: String = (0..7).map(|i| format!("{i}.png {i}\n")).collect();
    files.push(("list.txt".into(), list.into_bytes()));
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    let folder = folder_of(&files);
    let set = open(&folder, "list.txt").unwrap();
    let plain = Preprocess::default();
    let jobs = || (0..20u64).map(|i| Job { images: vec![(i % 7) as usize, 2, 3], seed: i });
    let mut loader = Loader::start(&set, &plain, shape(4), None, 3, jobs());
    let mut expected = Vec::new();
    for i in 0..20 {
        let batch = loader.next().unwrap().unwrap();
        let images: Vec<usize> = [i % 7, 2].into_iter().filter(|&i| i != 3).collect();
        assert_eq!(batch.images, images);
        assert_eq!(batch.labels, images);
        assert_eq!(batch.faults.len(), 3 - images.len());
        set.load_batch(&images, &plain, shape(4), None, &mut expected).unwrap();
        assert_eq!(batch.pixels, expected);
        loader.recycle(batch);
    }
    assert!(loader.next().is_none());
    drop(Loader::start(&set, &plain, shape(4), None, 1, jobs()));
    let mut wrong = Loader::start(&set, &plain, Shape::new(2, 4, 4).unwrap(), None, 1, jobs());
    assert!(matches!(wrong.next(), Some(Err(Error::Options(_)))) && wrong.next().is_none());
}

fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
    }
    path.exists().then_some(path)
}

#[test]
fn real_lists_are_decoded() {
    let Some(path) = shared("imagenet-val500/imagenet-val500.txt") else { return };
    let set = Dataset::open(&path).unwrap();
    assert_eq!((set.len(), set.label(0)), (500, 472));
    set.check_labels(1000).unwrap();
    let (good, faults) = set.check(Bad::Refuse).unwrap();
    assert_eq!((good.len(), faults.len()), (500, 0));
    assert!((0..500).all(|i| set.image(i).unwrap().width() == 227));
    let mut out = Vec::new();
    let preprocess = Preprocess { mean: [104.0, 117.0, 123.0], ..Preprocess::default() };
    set.load_batch(&(0..50).collect::<Vec<_>>(), &preprocess, shape(224), None, &mut out).unwrap();
    let mean = out.iter().sum::<f32>() / out.len() as f32;
    assert!(mean.abs() < 25.0, "{mean}");
}

#[test]
fn real_tars_are_read_in_place() {
    let Some(path) = shared("cifar10-test.tar") else { return };
    let set = Dataset::open(&path).unwrap();
    assert_eq!((set.len(), set.classes(), set.class_names()[6].as_str()), (10_000, 10, "frog"));
    let frog = (0..set.len()).find(|&i| set.name(i).starts_with("test/frog/")).unwrap();
    assert_eq!(set.label(frog), 6);
    for i in (0..10_000).step_by(97) {
        assert_eq!(set.image(i).unwrap().width(), 32);
    }
}

#[test]
fn real_class_names_are_read() {
    let Some(path) = shared("synset_words.txt") else { return };
    let names = read_labels(&path).unwrap();
    assert_eq!((names.len(), names[0].as_str()), (1000, "tench, Tinca tinca"));
}
