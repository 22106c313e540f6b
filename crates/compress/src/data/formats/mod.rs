//! The formats that data sets come in, and the list of them. What is at a path tells its format: what a folder holds,
//! how a file begins, how long it is. What is done with the images is [`super::Dataset`]'s affair.

mod cifar;
mod folder;
mod idx;
mod list;
mod tar;
mod webdataset;

use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::Fault;
use super::source::{Item, Store};

/// A format of data sets.
pub struct Format {
    /// Its name.
    pub name: &'static str,
    /// What is named to open one.
    pub what: &'static str,
    /// Reads what is at a path, or `None` when it is of another format.
    read: fn(&Look<'_>) -> Option<Result<Contents, Fault>>,
}

/// Every format, in the order in which they are tried: what one of them takes, those after it do not see.
pub const FORMATS: &[Format] =
    &[cifar::FORMAT, idx::FORMAT, webdataset::FORMAT, tar::FORMAT, folder::FORMAT, list::FORMAT];

/// The most classes that labels may name.
const MOST_CLASSES: u32 = 1 << 20;

/// The most images of a set whose images take no file name each: a list of more would not fit memory.
const MOST_IMAGES: u64 = 1 << 24;

/// What there is to open, in words for a help text.
pub fn formats() -> String {
    let all: Vec<&str> = FORMATS.iter().map(|f| f.what).collect();
    all.join("; ")
}

/// What a data set consists of.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) items: Vec<Item>,
    /// In the order of labels; empty where nothing names them.
    pub(super) class_names: Vec<String>,
    /// The larger files that images lie in.
    pub(super) stores: Vec<Store>,
}

/// What there is at a path.
struct Look<'a> {
    path: &'a Path,
    kind: Kind,
    members: OnceCell<Result<Vec<tar::Member>, Fault>>,
}

enum Kind {
    /// A folder with files of these names, in their order, and whether there are folders in it.
    Folder { files: Vec<String>, folders: bool },
    /// A file that begins so, and its length.
    File { head: Vec<u8>, length: u64 },
    /// Nothing is there, or it cannot be read.
    Absent,
}

/// Bytes of a file's beginning that are looked at.
const HEAD: u64 = 512;

impl<'a> Look<'a> {
    fn at(path: &'a Path) -> Self {
        Self { path, kind: Self::kind(path).unwrap_or(Kind::Absent), members: OnceCell::new() }
    }

    fn kind(path: &Path) -> std::io::Result<Kind> {
        if path.is_dir() {
            let (mut files, mut folders) = (Vec::new(), false);
            // A folder that cannot be read is told of by whoever takes it in the end.
            for entry in path.read_dir().into_iter().flatten() {
                let path = entry?.path();
                match (path.is_dir(), path.file_name().and_then(|n| n.to_str())) {
                    (true, _) => folders = true,
                    (false, Some(name)) => files.push(name.to_owned()),
                    (false, None) => {}
                }
            }
            files.sort();
            return Ok(Kind::Folder { files, folders });
        }
        let mut head = Vec::new();
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        file.take(HEAD).read_to_end(&mut head)?;
        Ok(Kind::File { head, length })
    }

    /// The files of a folder that a name fits.
    fn files(&self, fits: impl Fn(&str) -> bool) -> Vec<&str> {
        match &self.kind {
            Kind::Folder { files, .. } => files.iter().map(String::as_str).filter(|name| fits(name)).collect(),
            _ => Vec::new(),
        }
    }

    /// The members of an archive, or `None` when there is none.
    fn members(&self) -> Option<Result<&[tar::Member], Fault>> {
        let is = match &self.kind {
            Kind::File { head, .. } => tar::is_one(self.path, head),
            _ => false,
        };
        is.then(|| match self.members.get_or_init(|| tar::members(self.path)) {
            Ok(members) => Ok(&members[..]),
            Err(fault) => Err(fault.clone()),
        })
    }
}

/// Reads the data set at a path. Images are not looked at yet.
///
/// # Errors
/// When there is none, or it is damaged, naming the file and the place in it.
pub(super) fn read(path: &Path) -> Result<Contents, Fault> {
    let look = Look::at(path);
    FORMATS.iter().find_map(|format| (format.read)(&look)).unwrap_or_else(|| Err(Fault::at(path, "no data set")))
}

/// Reads a text of class names beside a set, one a line; nothing when there is no such file of as many names.
fn names_beside(path: &Path, file: &str, classes: usize) -> Vec<String> {
    let text = super::source::read_text(&path.with_file_name(file)).unwrap_or_default();
    let names: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    if names.len() == classes { names } else { Vec::new() }
}

#[cfg(test)]
mod tests;
