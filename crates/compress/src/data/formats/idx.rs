//! IDX files as MNIST has them (LeCun): a file of grey images and one of labels beside it, both perhaps compressed by
//! gzip. Of a folder with the usual names those for training are taken.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use synapress_images::MOST_PIXELS;

use super::super::error::Fault;
use super::super::source::{Item, Place, Raw, Store};
use super::{Contents, Format, Kind, Look, MOST_IMAGES};

/// Images and labels in two files.
pub(super) const FORMAT: Format = Format {
    name: "IDX",
    what: "an IDX file of images such as MNIST's, perhaps .gz, with its labels beside it, or the folder of them",
    read,
};

/// Unsigned bytes of three dimensions, or of one.
const IMAGES: [u8; 4] = [0, 0, 8, 3];
const LABELS: [u8; 4] = [0, 0, 8, 1];

/// What a file compressed by gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes that a compressed file may inflate to: they are kept in memory.
const MOST_INFLATED: u64 = 1 << 30;

/// Deflate cannot make more of a byte.
const MOST_PER_BYTE: u64 = 1032;

fn read(look: &Look<'_>) -> Option<Result<Contents, Fault>> {
    match &look.kind {
        Kind::File { head, .. } => {
            let begins = if head.starts_with(&GZIP) { first_four(look.path)? } else { *head.first_chunk::<4>()? };
            match begins {
                IMAGES => Some(pair(look.path)),
                LABELS => Some(Err(Fault::at(look.path, "these are labels; name the file of images beside it"))),
                _ => None,
            }
        }
        Kind::Folder { .. } => {
            let plain = look.files(|name| name.starts_with("train-images"));
            plain.first().map(|name| pair(&look.path.join(name)))
        }
        Kind::Absent => None,
    }
}

fn first_four(path: &Path) -> Option<[u8; 4]> {
    let mut four = [0; 4];
    MultiGzDecoder::new(File::open(path).ok()?).read_exact(&mut four).ok()?;
    Some(four)
}

/// # Errors
/// When there are no labels beside the images, one of the two is damaged, or they are not of as many images.
fn pair(path: &Path) -> Result<Contents, Fault> {
    let images = Idx::open(path, IMAGES)?;
    let [count, height, width] = images.dimensions[..] else { return Err(damaged(path)) };
    if u64::from(height) * u64::from(width) > MOST_PIXELS || height == 0 || width == 0 || count == 0 {
        return Err(Fault::at(path, format!("{count} images of {width}x{height} pixels are no set of images")));
    }
    if u64::from(count) > MOST_IMAGES {
        return Err(Fault::at(path, format!("over {MOST_IMAGES} images are too many")));
    }
    let beside = labels_beside(path)?;
    let labels = Idx::open(&beside, LABELS)?;
    if labels.dimensions[0] != count {
        let message = format!("{} labels for the {count} images of {}", labels.dimensions[0], path.display());
        return Err(Fault::at(&beside, message));
    }
    let values = labels.store.read(labels.head, u64::from(count)).map_err(|e| Fault::at(&beside, e))?;
    let raw = Raw { width, height, coloured: false };
    let item = |(at, label): (u64, u8)| Item {
        name: format!("image {at}"),
        label: label.into(),
        line: None,
        place: Place::Pixels { store: 0, offset: images.head + at * raw.size(), raw },
    };
    let items = (0..).zip(values).map(item).collect();
    Ok(Contents { items, stores: vec![images.store], ..Contents::default() })
}

/// The file of labels by the usual names: `images` and `idx3` of the images' name are `labels` and `idx1`, with the
/// ending `.gz` or without.
fn labels_beside(path: &Path) -> Result<PathBuf, Fault> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    let bare = labels.strip_suffix(".gz").unwrap_or(&labels);
    let tried = [labels.clone(), bare.to_owned(), format!("{bare}.gz")];
    let found = tried.iter().filter(|n| **n != name).map(|n| path.with_file_name(n)).find(|p| p.is_file());
    found.ok_or_else(|| {
        Fault::at(path, format!("there are no labels beside it; their file is called {bare:?}, or that and .gz"))
    })
}

/// One IDX file of unsigned bytes.
struct Idx {
    dimensions: Vec<u32>,
    /// Bytes before the values.
    head: u64,
    store: Store,
}

impl Idx {
    /// # Errors
    /// When the file cannot be read, is of another kind, or does not have the values that it says.
    fn open(path: &Path, kind: [u8; 4]) -> Result<Self, Fault> {
        let fault = |message: String| Fault::at(path, message);
        let mut file = File::open(path).map_err(|e| Fault::at(path, e))?;
        let length = file.metadata().map_err(|e| Fault::at(path, e))?.len();
        let mut two = Vec::new();
        Read::by_ref(&mut file).take(2).read_to_end(&mut two).map_err(|e| Fault::at(path, e))?;
        let compressed = two == GZIP;
        let mut reader: Box<dyn Read> = match compressed {
            false => Box::new(two.chain(file)),
            true => Box::new(MultiGzDecoder::new(std::io::Cursor::new(two).chain(file))),
        };
        let count = usize::from(kind[3]);
        let mut head = vec![0; 4 + 4 * count];
        reader.read_exact(&mut head).map_err(|_| damaged(path))?;
        if head[..4] != kind {
            return Err(damaged(path));
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, &b| n << 8 | u32::from(b));
        let dimensions: Vec<u32> = head[4..].chunks(4).map(number).collect();
        let values = dimensions.iter().try_fold(1u64, |n, &d| n.checked_mul(d.into())).ok_or_else(|| damaged(path))?;
        let start = head.len() as u64;
        if !compressed {
            return match values.checked_add(start) == Some(length) {
                true => Ok(Self { dimensions, head: start, store: Store::File(path.to_owned()) }),
                false => Err(fault(format!("{length} bytes are not the {values} values that it says and {start}"))),
            };
        }
        if values > MOST_INFLATED || values > length.saturating_mul(MOST_PER_BYTE) {
            return Err(fault(format!("{values} values of {length} compressed bytes are too many; unpack it")));
        }
        let mut bytes = Vec::new();
        // One byte more than there should be tells a file that is too long.
        reader.take(values + 1).read_to_end(&mut bytes).map_err(|e| fault(format!("the gzip is damaged: {e}")))?;
        match bytes.len() as u64 == values {
            true => Ok(Self { dimensions, head: 0, store: Store::Memory(bytes) }),
            false => Err(fault(format!("it does not unpack to the {values} values that it says"))),
        }
    }
}

fn damaged(path: &Path) -> Fault {
    Fault::at(path, "not a whole IDX file of unsigned bytes")
}
