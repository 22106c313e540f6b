//! Archives, read in place: the headers once, the images where they lie; nothing is ever extracted. Those of class
//! folders are a format of their own, those of samples are [`super::webdataset`]'s.

use std::fs::File;
use std::path::Path;

use super::super::error::Fault;
use super::super::source::{Place, Store};
use super::folder::classified;
use super::{Contents, Format, Look};

/// Class folders in an archive.
pub(super) const FORMAT: Format = Format {
    name: "archive of class folders",
    what: "a .tar of class folders",
    read: |look: &Look<'_>| Some(look.members()?.and_then(|members| class_folders(look.path, members))),
};

/// A block of a tar file, in bytes.
const BLOCK: u64 = 512;

/// A file of an archive.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Whether a file is an archive, by its name or its beginning.
pub(super) fn is_one(path: &Path, head: &[u8]) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tar")) || head.get(257..262) == Some(b"ustar")
}

/// Reads the headers of an archive: its files in the order in which they lie.
///
/// # Errors
/// When the file cannot be read, is no tar or ends early.
pub(super) fn members(path: &Path) -> Result<Vec<Member>, Fault> {
    let io = |e: std::io::Error| Fault::at(path, e);
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut members: Vec<Member> = Vec::new();
    let mut end = 0;
    let mut archive = tar::Archive::new(&mut file);
    for entry in archive.entries_with_seek().map_err(|e| not_tar(path, &e))? {
        let entry = entry.map_err(|e| not_tar(path, &e))?;
        let (offset, size) = (entry.raw_file_position(), entry.size());
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        let whole = offset.checked_add(size).filter(|&e| e <= length);
        end = whole.ok_or_else(|| ends_early(path, &name))?;
        if entry.header().entry_type().is_file() || entry.header().entry_type().is_contiguous() {
            members.push(Member { name, offset, size });
        }
    }
    // An archive ends with blocks of zeros; without any it was cut between two members.
    if end.next_multiple_of(BLOCK) + BLOCK > length {
        return Err(ends_early(path, members.last().map_or("", |m| &m.name)));
    }
    Ok(members)
}

/// # Errors
/// When there are no images in class folders.
fn class_folders(path: &Path, members: &[Member]) -> Result<Contents, Fault> {
    let place = |m: &Member| (m.name.clone(), Place::Part { store: 0, offset: m.offset, size: m.size });
    let (items, class_names) = classified(&path.display().to_string(), members.iter().map(place).collect())?;
    Ok(Contents { items, class_names, stores: vec![Store::File(path.to_owned())] })
}

fn not_tar(path: &Path, error: &std::io::Error) -> Fault {
    Fault::at(path, format!("not a whole tar file (unpack a compressed one to .tar first): {error}"))
}

fn ends_early(path: &Path, name: &str) -> Fault {
    Fault::at(path, format!("the archive ends early, after {name:?}"))
}
