//! How images are prepared, as a TOML table says it, and files of class names. Applying it is
//! [`synapress_images`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use synapress_images::check;
use synapress_model::{Channels, Preprocess};

use super::error::{Error, Fault};
use super::source::read_text;

/// The table `[preprocess]` of a TOML file. Keys that are left out keep the default.
///
/// ```
/// # use synapress_compress::data::PreprocessTable;
/// let text = "[preprocess]\nresize = 256\nmean = [104, 117, 123]\nchannels = 'bgr'\nlabels = 'names.txt'";
/// let table = PreprocessTable::parse(text).unwrap();
/// assert_eq!(table.preprocess().unwrap().resize, Some(256));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessTable {
    /// Length in pixels that the short side is resized to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<u32>,
    /// Side in pixels of the centre crop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<u32>,
    /// Subtracted from each channel, in the order of `channels`: three numbers, or one for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Multiplied after the mean was subtracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
    /// `bgr` or `rgb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<String>,
    /// A file of class names, relative to the TOML file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    preprocess: PreprocessTable,
}

impl PreprocessTable {
    /// Reads a TOML text whose only table is `[preprocess]`.
    ///
    /// # Errors
    /// Says which line and key is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str::<Whole>(text).map(|w| w.preprocess).map_err(|e| e.to_string())
    }

    /// Reads a TOML file whose only table is `[preprocess]`; the path of `labels` becomes relative to the file's
    /// folder.
    ///
    /// # Errors
    /// [`Error::Source`], naming the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_text(path).map_err(Error::Source)?;
        let mut table = Self::parse(&text).map_err(|e| Error::Source(Fault::at(path, e)))?;
        table.labels = table.labels.map(|l| path.parent().unwrap_or(Path::new("")).join(l));
        Ok(table)
    }

    /// What the table says, checked.
    ///
    /// # Errors
    /// [`Error::Options`] when a value makes no sense.
    pub fn preprocess(&self) -> Result<Preprocess, Error> {
        let wrong = |message: String| Err(Error::Options(message));
        let base = Preprocess::default();
        let mean = match self.mean.as_deref() {
            None => base.mean,
            Some(&[all]) => [all; 3],
            Some(&[a, b, c]) => [a, b, c],
            Some(other) => return wrong(format!("mean takes three numbers, or one for all, not {}", other.len())),
        };
        let channels = match self.channels.as_deref() {
            None => base.channels,
            Some("bgr") => Channels::Bgr,
            Some("rgb") => Channels::Rgb,
            Some(other) => return wrong(format!("channels is \"bgr\" or \"rgb\", not {other:?}")),
        };
        let scale = self.scale.unwrap_or(base.scale);
        let preprocess = Preprocess { resize: self.resize, crop: self.crop, mean, scale, channels };
        check(&preprocess)?;
        Ok(preprocess)
    }
}

impl From<&Preprocess> for PreprocessTable {
    fn from(from: &Preprocess) -> Self {
        let channels = match from.channels {
            Channels::Bgr => "bgr",
            Channels::Rgb => "rgb",
        };
        Self {
            resize: from.resize,
            crop: from.crop,
            mean: Some(from.mean.to_vec()),
            scale: Some(from.scale),
            channels: Some(channels.to_owned()),
            labels: None,
        }
    }
}

/// Reads class names, one a line. A name follows a WordNet id (`n01440764 tench, Tinca tinca`) or is the whole line.
///
/// # Errors
/// [`Error::Source`] when the file cannot be read, is empty, or has an empty line before its end.
pub fn read_labels(path: &Path) -> Result<Vec<String>, Error> {
    let text = read_text(path).map_err(Error::Source)?;
    let mut names = Vec::new();
    for (number, line) in (1..).zip(text.trim_end().lines()) {
        let line = line.trim();
        if line.is_empty() {
            return Err(Error::Source(Fault::at(path, "a class without a name").line(number)));
        }
        let name = match line.split_once(char::is_whitespace) {
            Some((id, name)) if is_synset(id) => name.trim_start(),
            _ => line,
        };
        names.push(name.to_owned());
    }
    match names.is_empty() {
        true => Err(Error::Source(Fault::at(path, "there are no class names"))),
        false => Ok(names),
    }
}

fn is_synset(word: &str) -> bool {
    word.strip_prefix('n').is_some_and(|d| d.len() == 8 && d.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_round_trip_and_refuse_what_they_do_not_know() {
        let preprocess = Preprocess {
            resize: Some(256),
            crop: Some(224),
            mean: [104.0, 117.0, 123.0],
            scale: 0.5,
            channels: Channels::Rgb,
        };
        let text = toml::to_string(&PreprocessTable::from(&preprocess)).unwrap();
        let table = PreprocessTable::parse(&format!("[preprocess]\n{text}")).unwrap();
        assert_eq!(table.preprocess().unwrap(), preprocess);
        assert_eq!(PreprocessTable::default().preprocess().unwrap(), Preprocess::default());
        for (text, what) in
            [("[preprocess]\nsize = 3", "size"), ("[other]\nx = 3", "other"), ("[preprocess]\nresize = -3", "resize")]
        {
            let error = PreprocessTable::parse(text).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        for text in ["resize = 0", "crop = 99999", "mean = [1, 2]", "mean = [nan]", "scale = 0", "channels = 'grb'"] {
            let table = PreprocessTable::parse(&format!("[preprocess]\n{text}")).unwrap();
            assert!(matches!(table.preprocess(), Err(Error::Options(_))), "{text}");
        }
    }

    #[test]
    fn class_names_follow_the_synset() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.txt");
        let names = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_labels(&path)
        };
        let expected = ["tench, Tinca tinca", "n0144 fish", "n01440765"];
        assert_eq!(names("n01440764 tench, Tinca tinca\r\nn0144 fish\nn01440765\n\n").unwrap(), expected);
        assert!(names("a\n\nb").unwrap_err().to_string().contains("line 2"));
        assert!(names("\n").is_err());
        std::fs::write(&path, b"a\nb\n\xff").unwrap();
        assert!(read_labels(&path).unwrap_err().to_string().contains("line 3"));
    }
}
