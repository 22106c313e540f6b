//! WebDataset shards: archives in which each sample is files of one key, here an image (`key.jpg`) and its class as a
//! number (`key.cls`). Several shards are a folder of them or a range in braces, such as `train-{000..012}.tar`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::error::Fault;
use super::super::source::{Item, Place, Store};
use super::tar::{Member, members};
use super::{Contents, Format, Kind, Look, MOST_CLASSES};
use crate::data::formats::folder::is_image;

/// Samples in shards.
pub(super) const FORMAT: Format = Format {
    name: "WebDataset",
    what: "a .tar of `key.jpg` and `key.cls`, a folder of such shards, or a range of them as in train-{000..012}.tar",
    read,
};

/// The most shards of a set.
const MOST_SHARDS: u64 = 1 << 16;

/// Bytes of a class at most: a number with space around it.
const MOST_CLASS: u64 = 64;

fn read(look: &Look<'_>) -> Option<Result<Contents, Fault>> {
    match &look.kind {
        Kind::File { .. } => {
            // What is wrong with an archive is told by whoever takes it in the end.
            let members = look.members()?.ok()?;
            let samples = members.iter().any(|m| m.name.ends_with(".cls"));
            samples.then(|| {
                let mut contents = Contents::default();
                add(&mut contents, look.path, members)?;
                Ok(contents)
            })
        }
        Kind::Folder { folders, .. } => {
            let shards = look.files(|name| name.to_ascii_lowercase().ends_with(".tar"));
            let paths: Vec<PathBuf> = shards.into_iter().map(|name| look.path.join(name)).collect();
            (!folders && !paths.is_empty()).then(|| shards_of(&paths))
        }
        Kind::Absent => Some(range(look.path)?.and_then(|paths| shards_of(&paths))),
    }
}

/// # Errors
/// Those of the shards.
fn shards_of(paths: &[PathBuf]) -> Result<Contents, Fault> {
    let mut contents = Contents::default();
    paths.iter().try_for_each(|path| add(&mut contents, path, &members(path)?))?;
    Ok(contents)
}

/// The paths that `{first..last}` in a path stands for, or `None` when there is none: numbers of as many digits as the
/// first one has.
fn range(path: &Path) -> Option<Result<Vec<PathBuf>, Fault>> {
    let text = path.to_str()?;
    let (before, rest) = text.split_once('{')?;
    let (range, after) = rest.split_once('}')?;
    let (first, last) = range.split_once("..")?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| digits)
    };
    let (from, to) = (number(first)?, number(last)?);
    if from > to || to - from >= MOST_SHARDS {
        return Some(Err(Fault::at(path, format!("{{{range}}} is not a range of 1 to {MOST_SHARDS} shards"))));
    }
    let digits = first.len();
    Some(Ok((from..=to).map(|n| format!("{before}{n:0digits$}{after}").into()).collect()))
}

/// Adds the samples of a shard, in the order in which their first files lie.
///
/// # Errors
/// When a sample lacks its image or its class, a class is no number, or there are no samples.
fn add(contents: &mut Contents, path: &Path, members: &[Member]) -> Result<(), Fault> {
    let store = contents.stores.len() as u32;
    let file = Store::File(path.to_owned());
    let shard = path.file_name().unwrap_or_default().to_string_lossy();
    let (mut keys, mut samples) = (Vec::new(), BTreeMap::new());
    for member in members {
        let (key, ending) = split(&member.name);
        let (image, class) = samples.entry(key).or_insert_with(|| {
            keys.push(key);
            (None, None)
        });
        let slot = match ending {
            "cls" => class,
            _ if is_image(&member.name) => image,
            _ => continue,
        };
        if slot.replace(member).is_some() {
            return Err(Fault::at(path, format!("the sample {key:?} has two files that end in .{ending}")));
        }
    }
    let before = contents.items.len();
    for key in keys {
        let (image, class) = match samples[key] {
            (Some(image), Some(class)) => (image, class),
            // Other files alone, such as a text about the shard, are no sample.
            (None, None) => continue,
            (None, Some(_)) => return Err(Fault::at(path, format!("the sample {key:?} has a class and no image"))),
            (Some(_), None) => return Err(Fault::at(path, format!("the sample {key:?} has no class, {key}.cls"))),
        };
        let label = label(&file, class).map_err(|e| Fault::at(path, format!("{}: {e}", class.name)))?;
        let place = Place::Part { store, offset: image.offset, size: image.size };
        contents.items.push(Item { name: format!("{shard}/{}", image.name), label, line: None, place });
    }
    if contents.items.len() == before {
        return Err(Fault::at(path, "no images with a class: the archive holds no key.jpg and key.cls"));
    }
    contents.stores.push(file);
    Ok(())
}

/// The key of a sample, folders and all, and the ending: all that follows the first dot of the file's name.
fn split(name: &str) -> (&str, &str) {
    let start = name.rfind('/').map_or(0, |at| at + 1);
    match name[start..].find('.') {
        Some(dot) => (&name[..start + dot], &name[start + dot + 1..]),
        None => (name, ""),
    }
}

fn label(file: &Store, class: &Member) -> Result<u32, String> {
    if class.size > MOST_CLASS {
        return Err(format!("{} bytes are no class", class.size));
    }
    let bytes = file.read(class.offset, class.size)?;
    let text = String::from_utf8_lossy(&bytes);
    let label = text.trim().parse::<u32>().ok().filter(|&l| l < MOST_CLASSES);
    label.ok_or_else(|| format!("{:?} is not a class, a number from 0 to {}", text.trim(), MOST_CLASSES - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_out() {
        let all = |text: &str| range(Path::new(text)).map(|r| r.map(|r| r.len()).map_err(|e| e.message));
        let names = range(Path::new("a/t-{008..011}.tar")).unwrap().unwrap();
        assert_eq!(names[0], Path::new("a/t-008.tar"));
        assert_eq!(names[3], Path::new("a/t-011.tar"));
        assert_eq!(all("t-{0..0}"), Some(Ok(1)));
        assert!(all("t-{5..4}").unwrap().is_err() && all("t-{0..99999999999}").unwrap().is_err());
        for none in ["t.tar", "t-{a..b}", "t-{1..}", "t-{1,2}", "t-{1..2", "t-{+1..2}", "t-{0..99999999999999999999}"] {
            assert_eq!(all(none), None, "{none}");
        }
    }

    #[test]
    fn keys_end_at_the_first_dot_of_the_name() {
        assert_eq!(split("a.b/c.seg.png"), ("a.b/c", "seg.png"));
        assert_eq!(split("000017.jpg"), ("000017", "jpg"));
        assert_eq!(split("a.b/README"), ("a.b/README", ""));
    }
}
