//! Sets in large files, whole and damaged: CIFAR's records, IDX files, shards of samples.

use std::io::Write;
use std::path::Path;

use ::tar::{Builder, Header};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::super::{Bad, Dataset};
use super::*;

fn folder_of(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(folder: &TempDir, name: &str) -> Result<Dataset, String> {
    Dataset::open(&folder.path().join(name)).map_err(|e| e.to_string())
}

fn refused(files: &[(&str, Vec<u8>)], name: &str, says: &[&str]) {
    let error = open(&folder_of(files), name).expect_err(name);
    assert!(says.iter().all(|part| error.contains(part)), "{error}, not {says:?}");
}

/// Records of CIFAR with these labels; every pixel's value follows from its record, plane and place.
fn cifar(labels: &[&[u8]]) -> Vec<u8> {
    let pixel = |record: usize, i: usize| (record * 50 + i / 1024 * 70 + i % 1024 % 32) as u8;
    let record = |(at, labels): (usize, &&[u8])| [labels.to_vec(), (0..3072).map(|i| pixel(at, i)).collect()].concat();
    labels.iter().enumerate().flat_map(record).collect()
}

fn idx(magic: u8, dimensions: &[u32], values: Vec<u8>) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, magic];
    bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three images of 5x4 grey pixels and their labels.
fn digits() -> [Vec<u8>; 2] {
    [idx(3, &[3, 4, 5], (0..60).collect()), idx(1, &[3], vec![7, 0, 9])]
}

fn ppm(grey: u8) -> Vec<u8> {
    [&b"P6 2 1 255\n"[..], &[grey; 6]].concat()
}

fn shard(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn records_of_cifar_are_images_plane_by_plane() {
    let names: Vec<String> = (0..10).map(|i| format!("class {i}")).collect();
    let folder = folder_of(&[
        ("data_batch_2.bin", cifar(&[&[3], &[9]])),
        ("data_batch_1.bin", cifar(&[&[0]])),
        ("test_batch.bin", cifar(&[&[1], &[2], &[4]])),
        ("batches.meta.txt", (names.join("\n") + "\n\n").into_bytes()),
    ]);
    let set = open(&folder, "").unwrap();
    assert_eq!((set.len(), set.classes(), set.labels()), (3, 10, vec![0, 3, 9]));
    assert_eq!((set.name(2), set.class_names()[9].as_str()), ("data_batch_2.bin, record 1", "class 9"));
    let image = set.image(2).unwrap();
    assert_eq!((image.width(), image.height()), (32, 32));
    assert_eq!(image.pixels()[3 * 33..][..3], [51, 121, 191]);
    assert_eq!(open(&folder, "test_batch.bin").unwrap().labels(), [1, 2, 4]);

    let hundred = folder_of(&[("train.bin", cifar(&[&[19, 99], &[0, 7]])), ("test.bin", cifar(&[&[3, 4]]))]);
    let set = open(&hundred, "").unwrap();
    assert_eq!((set.labels(), set.classes(), set.class_names().len()), (vec![99, 7], 100, 0));
    assert_eq!(set.image(0).unwrap().pixels()[..3], [0, 70, 140]);
}

#[test]
fn damaged_records_are_named() {
    let two = cifar(&[&[3], &[9]]);
    refused(
        &[("data_batch_1.bin", cifar(&[&[3], &[12]]))],
        "data_batch_1.bin",
        &["data_batch_1.bin", "record 1", "12"],
    );
    let cut = ("data_batch_2.bin", two[..two.len() - 1].to_vec());
    refused(&[("data_batch_1.bin", two.clone()), cut], "", &["data_batch_2.bin", "6145", "3073"]);
    refused(&[("data_batch_1.bin", Vec::new())], "", &["data_batch_1.bin", "records"]);
    // A file that is cut after it was opened is a fault of its images alone.
    let folder = folder_of(&[("x.bin", two)]);
    let set = open(&folder, "x.bin").unwrap();
    std::fs::write(folder.path().join("x.bin"), cifar(&[&[3]])).unwrap();
    let (good, faults) = set.check(Bad::Skip).unwrap();
    assert_eq!((good.len(), faults.len()), (1, 1));
    assert!(faults[0].to_string().contains("x.bin, record 1") && faults[0].message.contains("cut short"), "{faults:?}");
}

#[test]
fn idx_images_find_their_labels() {
    let [images, labels] = digits();
    for (image_name, label_name, packed) in [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", [false, false]),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", [false, false]),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", [true, true]),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", [false, true]),
        ("my images", "my labels", [false, false]),
    ] {
        let pack = |bytes: &[u8], packed| if packed { gzip(bytes) } else { bytes.to_vec() };
        let folder = folder_of(&[(image_name, pack(&images, packed[0])), (label_name, pack(&labels, packed[1]))]);
        let train = if image_name.starts_with("train") { "" } else { image_name };
        for set in [open(&folder, image_name).unwrap(), open(&folder, train).unwrap()] {
            assert_eq!((set.labels(), set.name(1)), (vec![7, 0, 9], "image 1"));
            let image = set.image(2).unwrap();
            assert_eq!((image.width(), image.height()), (5, 4));
            assert_eq!(image.pixels()[..6], [40, 40, 40, 41, 41, 41]);
        }
        assert!(open(&folder, label_name).unwrap_err().contains("name the file of images"));
    }
}

#[test]
fn damaged_and_hostile_idx_files_are_refused() {
    let [images, labels] = digits();
    let (name, beside) = ("a-images-idx3-ubyte", "a-labels-idx1-ubyte");
    let with =
        |images: Vec<u8>, labels: Vec<u8>, says: &[&str]| refused(&[(name, images), (beside, labels)], name, says);
    refused(&[(name, images.clone())], name, &["a-labels-idx1-ubyte"]);
    with(images.clone(), idx(1, &[2], vec![0; 2]), &[beside, "2 labels", "3 images"]);
    with(images.clone(), labels[..9].to_vec(), &[beside]);
    with(images.clone(), images.clone(), &[beside, "IDX"]);
    for cut in [5, 15, 16, images.len() - 1] {
        with(images[..cut].to_vec(), labels.clone(), &[name]);
    }
    with(gzip(&images)[..30].to_vec(), labels.clone(), &[name]);
    with(gzip(&images[..images.len() - 1]), labels.clone(), &[name, "unpack"]);
    with(gzip(&[&images[..], &[0]].concat()), labels.clone(), &[name, "unpack"]);
    for dimensions in
        [[u32::MAX; 3], [u32::MAX, 1, 1], [3, 0, 5], [0, 4, 5], [1, 1 << 20, 1 << 20], [1 << 20, 1 << 10, 1]]
    {
        for packed in [false, true] {
            let bytes = idx(3, &dimensions, vec![0; 60]);
            with(if packed { gzip(&bytes) } else { bytes }, labels.clone(), &[name]);
        }
    }
}

/// Two samples of a shard, whose first class is `first`.
fn samples(first: u8) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("about.txt", b"words".to_vec()),
        ("a/0001.ppm", ppm(first)),
        ("a/0001.cls", format!("{first}\n").into_bytes()),
        ("a/0001.json", b"{}".to_vec()),
        ("b.cls", b"4".to_vec()),
        ("a/0002.cls", b" 5 ".to_vec()),
        ("a/0002.ppm", ppm(100)),
    ]
}

#[test]
fn shards_are_one_set_in_their_order() {
    let mut files = samples(1);
    files.remove(4);
    let mut others = samples(2);
    others.remove(4);
    let folder = folder_of(&[("t-09.tar", shard(&files)), ("t-10.tar", shard(&others))]);
    let check = |set: Dataset, labels: &[usize]| {
        assert_eq!((set.labels(), set.classes(), set.class_names().len()), (labels.to_vec(), 6, 0));
        assert_eq!(set.name(0), "t-09.tar/a/0001.ppm");
        let first: Vec<u8> = (0..set.len()).map(|i| set.image(i).unwrap().pixels()[0]).collect();
        assert_eq!(first, labels.iter().map(|&l| if l == 5 { 100 } else { l as u8 }).collect::<Vec<_>>());
    };
    check(open(&folder, "t-09.tar").unwrap(), &[1, 5]);
    check(open(&folder, "").unwrap(), &[1, 5, 2, 5]);
    check(open(&folder, "t-{09..10}.tar").unwrap(), &[1, 5, 2, 5]);
    assert!(open(&folder, "t-{09..11}.tar").unwrap_err().contains("t-11.tar"));
    assert!(open(&folder, "t-{9..1}.tar").unwrap_err().contains("range"));
}

#[test]
fn damaged_shards_are_named() {
    let with = |files: &[(&str, Vec<u8>)], says: &[&str]| refused(&[("t.tar", shard(files))], "t.tar", says);
    with(&samples(1), &["t.tar", "\"b\"", "no image"]);
    with(&[("x.ppm", ppm(1)), ("y.cls", b"1".to_vec()), ("y.ppm", ppm(1))], &["t.tar", "\"x\"", "x.cls"]);
    with(&[("x.ppm", ppm(1)), ("x.cls", b"dog".to_vec())], &["t.tar", "x.cls", "dog"]);
    with(&[("x.ppm", ppm(1)), ("x.cls", b"1048576".to_vec())], &["x.cls", "1048575"]);
    with(&[("x.ppm", ppm(1)), ("x.cls", vec![b'1'; 65])], &["x.cls", "65 bytes"]);
    with(&[("x.ppm", ppm(1)), ("x.cls", vec![b'1'; 2]), ("x.png", ppm(1))], &["\"x\"", "two files"]);
    let folder = folder_of(&[("t.tar", shard(&[("x.jpg", b"nothing".to_vec()), ("x.cls", b"1".to_vec())]))]);
    let error = open(&folder, "t.tar").unwrap().image(0).unwrap_err().to_string();
    assert!(error.contains("t.tar/x.jpg") && error.contains("not an image"), "{error}");
    let whole = shard(&samples(1)[1..4]);
    refused(&[("t.tar", whole[..whole.len() - 1024].to_vec())], "", &["t.tar", "ends early"]);
}

#[test]
fn every_format_says_what_it_opens() {
    let text = formats();
    assert!(FORMATS.iter().all(|f| text.contains(f.what) && !f.name.is_empty()));
    assert!(Dataset::open(Path::new("nowhere")).unwrap_err().to_string().contains("no such file"));
}
