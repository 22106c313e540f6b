//! CIFAR-10 and CIFAR-100 in their binary version (Krizhevsky 2009): records of a label, in CIFAR-100 a coarse and a
//! fine one, and 32x32 pixels, plane by plane.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::super::error::Fault;
use super::super::source::{Item, Place, Raw, Store};
use super::{Contents, Format, Kind, Look, MOST_IMAGES, names_beside};

/// Both sets.
pub(super) const FORMAT: Format = Format {
    name: "CIFAR",
    what: "a binary batch of CIFAR-10 or CIFAR-100, or the folder of them for all training batches",
    read,
};

/// One of the two sets.
#[derive(Clone, Copy)]
struct Set {
    /// Labels before the pixels, and how many classes each of them knows.
    classes: &'static [u8],
    /// The file of class names that lies beside.
    names: &'static str,
}

const SETS: [Set; 2] = [
    Set { classes: &[10], names: "batches.meta.txt" },
    // The fine label, the last one, is the class.
    Set { classes: &[20, 100], names: "fine_label_names.txt" },
];

const PIXELS: Raw = Raw { width: 32, height: 32, coloured: true };

impl Set {
    fn record(self) -> u64 {
        self.classes.len() as u64 + PIXELS.size()
    }

    /// Whether a file of this beginning and length is of whole records, the first one with sound labels.
    fn fits(self, head: &[u8], length: u64) -> bool {
        let sound = self.classes.iter().zip(head).filter(|(classes, label)| label < classes).count();
        sound == self.classes.len() && length > 0 && length.is_multiple_of(self.record())
    }
}

fn read(look: &Look<'_>) -> Option<Result<Contents, Fault>> {
    let paths: Vec<PathBuf> = match &look.kind {
        Kind::File { .. } => vec![look.path.to_owned()],
        _ => {
            let ten = look.files(|name| name.starts_with("data_batch") && name.ends_with(".bin"));
            let files = if ten.is_empty() { look.files(|name| name == "train.bin") } else { ten };
            files.into_iter().map(|name| look.path.join(name)).collect()
        }
    };
    let set = match (&look.kind, paths.first()) {
        (Kind::File { head, length }, _) => SETS.into_iter().find(|set| set.fits(head, *length))?,
        (_, Some(first)) => match Look::at(first).kind {
            Kind::File { head, length } => match SETS.into_iter().find(|set| set.fits(&head, length)) {
                Some(set) => set,
                None => return Some(Err(Fault::at(first, "not whole records of CIFAR-10 or CIFAR-100"))),
            },
            _ => return Some(Err(Fault::at(first, "cannot be read"))),
        },
        _ => return None,
    };
    Some(records(&paths, set))
}

/// The records of files.
///
/// # Errors
/// When a file cannot be read, does not end with a record, or a record has a label that no class has.
fn records(paths: &[PathBuf], set: Set) -> Result<Contents, Fault> {
    let mut contents = Contents::default();
    for (store, path) in (0..).zip(paths) {
        let file = File::open(path).map_err(|e| Fault::at(path, e))?;
        let length = file.metadata().map_err(|e| Fault::at(path, e))?.len();
        let (count, record) = (length / set.record(), set.record());
        if !length.is_multiple_of(record) || count == 0 {
            let message = format!("{length} bytes are not whole records of {record}; the file ends early");
            return Err(Fault::at(path, message));
        }
        if contents.items.len() as u64 + count > MOST_IMAGES {
            return Err(Fault::at(path, format!("over {MOST_IMAGES} images are too many")));
        }
        let name = file_name(path);
        let mut reader = BufReader::new(file);
        let mut labels = vec![0; set.classes.len()];
        for at in 0..count {
            reader.read_exact(&mut labels).map_err(|e| Fault::at(path, format!("record {at}: {e}")))?;
            if let Some((label, classes)) = labels.iter().zip(set.classes).find(|(label, classes)| label >= classes) {
                let message = format!("record {at} (from 0) has the label {label}; there are only {classes} classes");
                return Err(Fault::at(path, message));
            }
            reader.seek_relative(PIXELS.size() as i64).map_err(|e| Fault::at(path, e))?;
            let label = u32::from(labels[labels.len() - 1]);
            let offset = at * record + labels.len() as u64;
            let place = Place::Pixels { store, offset, raw: PIXELS };
            contents.items.push(Item { name: format!("{name}, record {at}"), label, line: None, place });
        }
        contents.stores.push(Store::File(path.clone()));
    }
    let classes = set.classes.last().copied().unwrap_or(0);
    contents.class_names = paths.first().map_or_else(Vec::new, |p| names_beside(p, set.names, classes.into()));
    Ok(contents)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
