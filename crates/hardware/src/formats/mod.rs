//! One file for each format of memory images; this list is the only place that names them all.

mod bin;
mod c_header;
mod coe;
mod memh;

use crate::image::Image;
use crate::memory::{Memory, Storage};

/// A format of memory images.
#[derive(Debug)]
pub struct Format {
    /// Its name on the command line and in the manifest.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// How wide words are where they are stored, which decides how weights are packed.
    pub storage: Storage,
    /// Turns the memories of a layer into files.
    pub write: fn(&Image) -> Vec<File>,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path inside the folder, with `/`.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// The memories in it by name, and where each begins: the byte of a binary file, the word of another.
    pub memories: Vec<(&'static str, usize)>,
}

/// Every format.
pub const FORMATS: &[&Format] = &[&memh::FORMAT, &coe::FORMAT, &bin::FORMAT, &c_header::FORMAT];

/// The format of this name.
pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|f| f.name == name)
}

/// A word in hexadecimal digits, as many as its width needs.
fn hex(word: u32, memory: &Memory) -> String {
    let digits = memory.word_bits.div_ceil(4) as usize;
    format!("{word:0digits$x}")
}

/// A memory as a text file of its own.
fn text(image: &Image, memory: &Memory, ending: &str, text: String) -> File {
    let path = format!("{}.{}.{ending}", image.path, memory.name);
    File { path, bytes: text.into_bytes(), memories: vec![(memory.name, 0)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two memories, and the constants of a layer.
    fn image() -> Image {
        Image {
            path: "layers/001_conv".to_owned(),
            memories: vec![
                Memory::unsigned("weights", 11, vec![0, 0x7ff, 0x12a]),
                Memory::signed("bias", 24, [-2, 300].into_iter()),
            ],
            constants: vec![("GAP_BITS", 3), ("BIAS_SHIFT", -4)],
            names: vec![("OUTPUT", "001_conv".to_owned())],
        }
    }

    fn texts(format: &Format) -> Vec<(String, String)> {
        (format.write)(&image()).into_iter().map(|f| (f.path, String::from_utf8(f.bytes).unwrap())).collect()
    }

    #[test]
    fn memh_has_a_word_a_line_and_the_parameters_beside_it() {
        let expected = [
            ("layers/001_conv.weights.memh", "000\n7ff\n12a\n"),
            ("layers/001_conv.bias.memh", "fffffe\n00012c\n"),
            (
                "layers/001_conv.vh",
                "localparam GAP_BITS = 3;\nlocalparam BIAS_SHIFT = -4;\nlocalparam OUTPUT = \"001_conv\";\n\
                 localparam WEIGHTS_FILE = \"layers/001_conv.weights.memh\";\n\
                 localparam ROWS_FILE = \"\";\nlocalparam CODEBOOK_FILE = \"\";\n\
                 localparam BIAS_FILE = \"layers/001_conv.bias.memh\";\n",
            ),
        ];
        assert_eq!(texts(&memh::FORMAT), expected.map(|(p, t)| (p.to_owned(), t.to_owned())));
    }

    #[test]
    fn coe_names_its_radix() {
        let (path, text) = &texts(&coe::FORMAT)[1];
        assert_eq!(path, "layers/001_conv.bias.coe");
        assert_eq!(text, "memory_initialization_radix=16;\nmemory_initialization_vector=\nfffffe,\n00012c;\n");
    }

    #[test]
    fn bin_extends_the_sign_to_whole_bytes_and_aligns() {
        let [file] = &(bin::FORMAT.write)(&image())[..] else { panic!("one file") };
        assert_eq!(file.path, "layers/001_conv.bin");
        assert_eq!(file.memories, [("weights", 0), ("bias", 8)]);
        let bytes = [0, 0, 0xff, 7, 0x2a, 1, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x2c, 1, 0, 0];
        assert_eq!(file.bytes, bytes);
    }

    #[test]
    fn a_c_header_has_the_same_numbers_in_decimal() {
        let [(path, text)] = &texts(&c_header::FORMAT)[..] else { panic!("one file") };
        assert_eq!(path, "layers/001_conv.h");
        for part in [
            "#define LAYERS_001_CONV_BIAS_SHIFT (-4)\n",
            "static const uint16_t layers_001_conv_weights[3] = {\n0, 2047, 298\n};\n",
            "static const int32_t layers_001_conv_bias[2] = {\n-2, 300\n};\n",
        ] {
            assert!(text.contains(part), "{part}{text}");
        }
    }

    #[test]
    fn names_are_unlike() {
        for format in FORMATS {
            assert_eq!(by_name(format.name).unwrap().about, format.about);
            assert_eq!(FORMATS.iter().filter(|f| f.name == format.name).count(), 1);
        }
        assert!(by_name("hex").is_none());
    }
}
