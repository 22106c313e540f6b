//! Opens the network that a command line names: a prototxt with or without weights, an ONNX model, a `.syn`, or one of
//! the zoo.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use synapress_code as code;
use synapress_import::{caffe, caffemodel, deep_compression, onnx, zoo};
use synapress_model::{Net, Shape};

use crate::commands::usage;

/// A network and its weights.
#[derive(Args, Clone, Debug)]
pub struct Source {
    /// The network: FILE.prototxt, FILE.onnx, FILE.syn or zoo:NAME
    pub model: PathBuf,
    /// The weights of a prototxt or of a network of the zoo: FILE.caffemodel, or FILE.net of Deep Compression
    pub weights: Option<PathBuf>,
    /// Shape of the input image, where a prototxt or ONNX model does not tell or tells otherwise
    #[arg(long, value_name = "C,H,W", value_parser = parse_shape)]
    pub input: Option<Shape>,
}

impl Source {
    /// A network without further options.
    pub fn new(model: &Path, weights: Option<&Path>) -> Self {
        Self { model: model.to_owned(), weights: weights.map(Path::to_owned), input: None }
    }

    /// Opens it; weights may be missing.
    pub fn open(&self) -> Result<Net> {
        self.open_for(caffe::Phase::Test)
    }

    /// Opens it as it is trained, with auxiliary classifiers; weights may be missing.
    pub fn open_for_training(&self) -> Result<Net> {
        self.open_for(caffe::Phase::Train)
    }

    /// Opens it with all its weights.
    pub fn open_complete(&self) -> Result<Net> {
        let net = self.open()?;
        net.verify().with_context(|| format!("{}", self.model.display()))?;
        Ok(net)
    }

    fn open_for(&self, phase: caffe::Phase) -> Result<Net> {
        if let Some(path) = self.weights.as_ref().filter(|w| w.extension().is_some_and(|e| e == "net")) {
            let mut net = Self { weights: None, ..self.clone() }.open_for(phase)?;
            deep_compression::load(&mut net, path)?;
            deep_compression::sort(&mut net);
            return Ok(net);
        }
        if let Some(name) = self.model.to_str().and_then(|m| m.strip_prefix("zoo:")) {
            let mut net = zoo::net_with(name, &self.options(phase))?;
            if let Some(path) = &self.weights {
                caffe::attach(&mut net, caffemodel::read(path)?)
                    .map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
            }
            return Ok(net);
        }
        if self.is_syn() {
            if self.weights.is_some() || self.input.is_some() {
                return Err(usage("a .syn holds its weights and its input; give nothing besides"));
            }
            return Ok(code::read(&self.model, &code::Limits::default())?);
        }
        if self.is_onnx() {
            return self.open_onnx(onnx::Options::default());
        }
        Ok(caffe::load(&self.model, self.weights.as_deref(), &self.options(phase))?)
    }

    /// Opens an ONNX model with further options.
    pub fn open_onnx(&self, options: onnx::Options) -> Result<Net> {
        if let Some(weights) = &self.weights {
            return Err(usage(format!("an ONNX model holds its weights; {} is too much", weights.display())));
        }
        Ok(onnx::load(&self.model, &onnx::Options { input_shape: self.input, ..options })?)
    }

    fn options(&self, phase: caffe::Phase) -> caffe::Options {
        caffe::Options { phase, input_shape: self.input, ..caffe::Options::default() }
    }

    /// Whether it is synapse code, by its name.
    pub fn is_syn(&self) -> bool {
        self.ends_in("syn")
    }

    /// Whether it is an ONNX model, by its name.
    pub fn is_onnx(&self) -> bool {
        self.ends_in("onnx")
    }

    fn ends_in(&self, ending: &str) -> bool {
        self.model.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = |p: &Path| p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned();
        f.write_str(&file(&self.model))?;
        match &self.weights {
            Some(weights) => write!(f, " {}", file(weights)),
            None => Ok(()),
        }
    }
}

/// Reads `C,H,W`.
fn parse_shape(text: &str) -> Result<Shape, String> {
    let numbers: Vec<usize> = text
        .split([',', 'x'])
        .map(|n| n.trim().parse().map_err(|_| format!("{n:?} is not a whole number")))
        .collect::<Result<_, _>>()?;
    match numbers[..] {
        [channels, height, width] => Shape::new(channels, height, width).map_err(|e| e.to_string()),
        _ => Err("give channels, height and width, such as 3,224,224".to_owned()),
    }
}

/// Where a network is written.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// The file to write
    #[arg(short = 'o', long = "output", value_name = "OUT.syn")]
    pub path: PathBuf,
}

impl Target {
    /// Refuses a place that cannot be written to before hours of work go there.
    pub fn check(&self) -> Result<()> {
        if self.path.is_dir() {
            return Err(usage(format!("{} is a folder; name the file to write", self.path.display())));
        }
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            anyhow::bail!("{}: there is no folder {}", self.path.display(), folder.display());
        }
        Ok(())
    }

    /// Writes the network, with one more line of how it was made; returns the number of bytes.
    pub fn write(&self, net: &mut Net, made: Option<String>) -> Result<u64> {
        self.write_with(net, made, &code::Options::default())
    }

    /// As [`Self::write`], with options of the code.
    pub fn write_with(&self, net: &mut Net, made: Option<String>, options: &code::Options) -> Result<u64> {
        net.about.history.extend(made);
        code::write_with(&self.path, net, &[], options)?;
        Ok(std::fs::metadata(&self.path).with_context(|| self.path.display().to_string())?.len())
    }

    /// A file beside it: the whole name and an ending.
    pub fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_or_refused_in_words() {
        assert_eq!(parse_shape("3,224,225"), Ok(Shape::new(3, 224, 225).unwrap()));
        assert_eq!(parse_shape("1x28x28"), Ok(Shape::new(1, 28, 28).unwrap()));
        for (text, says) in
            [("3,224", "channels"), ("a,1,1", "\"a\""), ("0,1,1", "no elements"), ("9999999,99999,99", "over")]
        {
            let error = parse_shape(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
