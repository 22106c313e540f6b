//! Folders of classes: the images of each class lie in a folder of the class's name. The same rule serves archives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use synapress_images::ENDINGS;

use super::super::error::Fault;
use super::super::source::{Item, Place};
use super::{Contents, Format, Kind, Look};

/// Class folders.
pub(super) const FORMAT: Format = Format {
    name: "class folders",
    what: "a folder of class folders",
    read: |look: &Look<'_>| match look.kind {
        Kind::Folder { .. } => Some(read(look.path)),
        _ => None,
    },
};

/// How deep folders may lie in one another; more is a link that leads back.
const DEEPEST: usize = 16;

/// Finds the images below a folder: in the order of their paths, with the classes' names.
///
/// # Errors
/// When a folder cannot be read, or there are no images in class folders.
fn read(root: &Path) -> Result<Contents, Fault> {
    let mut found = Vec::new();
    walk(root, &mut Vec::new(), &mut found)?;
    let files = found.into_iter().map(|(name, path)| (name, Place::File(path))).collect();
    let (items, class_names) = classified(&root.display().to_string(), files)?;
    Ok(Contents { items, class_names, ..Contents::default() })
}

fn walk(folder: &Path, names: &mut Vec<String>, found: &mut Vec<(String, PathBuf)>) -> Result<(), Fault> {
    if names.len() > DEEPEST {
        return Err(Fault::at(folder, format!("folders lie more than {DEEPEST} deep")));
    }
    for entry in std::fs::read_dir(folder).map_err(|e| Fault::at(folder, e))? {
        let path = entry.map_err(|e| Fault::at(folder, e))?.path();
        let name = path.file_name().unwrap_or_default();
        let name = name.to_str().ok_or_else(|| Fault::at(&path, "the name is not UTF-8"))?.to_owned();
        names.push(name);
        if path.is_dir() {
            walk(&path, names, found)?;
        } else {
            found.push((names.join("/"), path));
        }
        names.pop();
    }
    Ok(())
}

/// Sorts files into classes: past the folders that all images have in common, the first folder's name is the class.
/// Classes are numbered in the order of their names. Files that are not images, or hidden, are left out.
///
/// # Errors
/// When there are no images, or an image lies in no class folder.
pub(super) fn classified(source: &str, files: Vec<(String, Place)>) -> Result<(Vec<Item>, Vec<String>), Fault> {
    let mut images: Vec<(String, Place)> = files.into_iter().filter(|(name, _)| is_image(name)).collect();
    images.sort_by(|a, b| a.0.cmp(&b.0));
    let folders = |name: &str| name.split('/').rev().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let Some((first, _)) = images.first() else {
        return Err(Fault::new(source, format!("no images in class folders ({})", ENDINGS.join(", "))));
    };
    let first: Vec<String> = folders(first).into_iter().rev().collect();
    let mut common = first.len();
    for (name, _) in &images {
        let folders: Vec<String> = folders(name).into_iter().rev().collect();
        if folders.is_empty() {
            return Err(Fault::new(source, format!("the image {name:?} lies in no class folder")));
        }
        let alike = folders.iter().zip(&first).take_while(|(a, b)| a == b).count();
        // The last folder is the class, even if there is no other.
        common = common.min(alike).min(folders.len() - 1);
    }
    let class = |name: &str| name.split('/').nth(common).unwrap_or_default().to_owned();
    let mut classes: BTreeMap<String, u32> = images.iter().map(|(name, _)| (class(name), 0)).collect();
    for (number, label) in (0..).zip(classes.values_mut()) {
        *label = number;
    }
    let items = images
        .into_iter()
        .map(|(name, place)| Item { label: classes[&class(&name)], name, line: None, place })
        .collect();
    Ok((items, classes.into_keys().collect()))
}

/// Whether a file is an image by its name, and not hidden.
pub(super) fn is_image(name: &str) -> bool {
    let hidden = name.split('/').any(|part| part.starts_with('.') && part != "." && part != "..");
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    !hidden && ending.is_some_and(|e| ENDINGS.contains(&e.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_folders_past_the_common_ones() {
        struct Case(&'static [&'static str], &'static [&'static str], &'static [u32]);
        for Case(files, classes, labels) in [
            Case(&["b/1.jpg", "a/2.PNG", "a/x.txt", "a/.h.png"], &["a", "b"], &[0, 1]),
            Case(&["test/b/1.jpg", "test/a/2.jpg"], &["a", "b"], &[0, 1]),
            Case(&["test/b/1.jpg"], &["b"], &[0]),
            Case(&["b/images/1.jpg", "a/images/1.jpg", "a/0.jpg"], &["a", "b"], &[0, 0, 1]),
        ] {
            let files = files.iter().map(|f| ((*f).to_owned(), Place::File(PathBuf::from(f)))).collect();
            let (items, names) = classified("set", files).unwrap();
            assert_eq!(names, classes);
            assert_eq!(items.iter().map(|i| i.label).collect::<Vec<_>>(), labels);
        }
        let bare = vec![("1.jpg".to_owned(), Place::File(PathBuf::new()))];
        assert!(classified("set", bare).unwrap_err().message.contains("no class folder"));
        assert!(classified("set", Vec::new()).unwrap_err().message.contains("no images"));
    }
}
