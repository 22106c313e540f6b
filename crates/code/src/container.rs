//! The container: a header and chunks, each with a tag, a length and a checksum. What chunks mean is not known here.

use std::io::{self, Write};

use crate::bytes::{Reader, put_size, wide};
use crate::error::{Error, ErrorKind};

/// The first bytes. As in PNG, one beyond ASCII and both line ends betray transfers that alter either.
pub(crate) const MAGIC: [u8; 8] = *b"\x93SYN\r\n\x1a\n";

/// The version that is written, and the only one that is read.
pub(crate) const VERSION: u16 = 2;

/// Bytes of the header: the magic, the version and two zeros.
const HEADER: usize = 12;

/// What identifies a chunk: four ASCII letters. A decoder skips a chunk it does not know if the first is a small one,
/// and refuses the file otherwise.
pub(crate) type Tag = [u8; 4];

/// Layers and what feeds them.
pub(crate) const GRAPH: Tag = *b"GRPH";
/// Preprocessing, class names, history.
pub(crate) const ABOUT: Tag = *b"ABUT";
/// One layer's weights.
pub(crate) const WEIGHTS: Tag = *b"WGHT";
/// Layer output formats and tables.
pub(crate) const INTEGERS: Tag = *b"INTG";
/// A caller's own bytes under a name.
pub(crate) const EXTRA: Tag = *b"xtra";
/// The end, with the length of all before it.
pub(crate) const END: Tag = *b"TAIL";

/// One chunk.
#[derive(Clone, Debug)]
pub(crate) struct Chunk<'a> {
    /// What it is.
    pub tag: Tag,
    /// Its content.
    pub body: Reader<'a>,
}

/// Writes header and chunks one after another.
#[derive(Debug)]
pub(crate) struct ChunkWriter<W> {
    to: W,
    written: u64,
}

impl<W: Write> ChunkWriter<W> {
    /// Writes the header.
    pub fn new(mut to: W) -> io::Result<Self> {
        to.write_all(&MAGIC)?;
        to.write_all(&VERSION.to_le_bytes())?;
        to.write_all(&[0; 2])?;
        Ok(Self { to, written: wide(HEADER) })
    }

    /// Writes a chunk.
    pub fn put(&mut self, tag: Tag, body: &[u8]) -> io::Result<()> {
        let length = length(body.len());
        let mut sum = crc32fast::Hasher::new();
        for bytes in [&tag[..], &length, body] {
            sum.update(bytes);
            self.to.write_all(bytes)?;
        }
        self.to.write_all(&sum.finalize().to_le_bytes())?;
        self.written += wide(whole(body.len()));
        Ok(())
    }

    /// Writes the end.
    pub fn finish(mut self) -> io::Result<()> {
        let before = self.written.to_le_bytes();
        self.put(END, &before)?;
        self.to.flush()
    }
}

/// How the length of a body is written.
fn length(body: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_size(&mut bytes, body);
    bytes
}

/// Bytes of a chunk with a body of so many: tag, length, body and checksum.
pub(crate) fn whole(body: usize) -> usize {
    8 + length(body).len() + body
}

/// The chunks of a file before its end, all checked.
pub(crate) fn chunks(bytes: &[u8], checksums: bool) -> Result<Vec<Chunk<'_>>, Error> {
    let mut reader = Reader::new(bytes, 0, "header");
    let common = bytes.iter().zip(&MAGIC).take_while(|(a, b)| a == b).count();
    if common < MAGIC.len().min(bytes.len()) || bytes.is_empty() {
        return Err(reader.fault(ErrorKind::Magic, "this is not a .syn file"));
    }
    reader.take(MAGIC.len())?;
    let at_version = reader.clone();
    let version = u16::from_le_bytes(reader.array()?);
    if version != VERSION {
        let advice = if version > VERSION { "newer; update synapress" } else { "older; encode the network again" };
        let message = format!("the file has version {version}, this release reads version {VERSION}: it is {advice}");
        return Err(at_version.fault(ErrorKind::Version, message));
    }
    if reader.array()? != [0; 2] {
        return Err(reader.malformed("the two bytes after the version must be zero"));
    }
    let mut chunks = Vec::new();
    loop {
        let start = reader.clone().named("chunk header");
        let tag: Tag = reader.array().map_err(|_| cut(&start))?;
        let length = reader.varint().map_err(|e| if e.kind() == ErrorKind::Truncated { cut(&start) } else { e })?;
        if !tag.iter().all(u8::is_ascii_alphabetic) {
            return Err(start.malformed(format!("{} is no chunk's name", tag.escape_ascii())));
        }
        let length = match usize::try_from(length) {
            Ok(n) if n <= reader.left() => n,
            _ => {
                let message = format!(
                    "the chunk {} should be {length} bytes long, but the file has only {} more; it is cut off or damaged",
                    tag.escape_ascii(),
                    reader.left()
                );
                return Err(start.fault(ErrorKind::Truncated, message));
            }
        };
        let body = reader.part(length)?.named(section(tag));
        let stored = u32::from_le_bytes(reader.array().map_err(|_| cut(&start))?);
        if checksums && stored != checksum(tag, &body) {
            let message = "the checksum does not match: the file is damaged; fetch or encode it again";
            return Err(start.named(section(tag)).fault(ErrorKind::Checksum, message));
        }
        if tag == END {
            return finish(&start, body, &reader, checksums).map(|()| chunks);
        }
        chunks.push(Chunk { tag, body });
    }
}

fn cut(start: &Reader<'_>) -> Error {
    start.fault(ErrorKind::Truncated, "the file ends before its last chunk; it is cut off")
}

fn finish(start: &Reader<'_>, mut body: Reader<'_>, after: &Reader<'_>, checksums: bool) -> Result<(), Error> {
    let length = u64::from_le_bytes(body.array()?);
    body.finish()?;
    if checksums && length != start.offset() {
        let message = format!("the file was {length} bytes long up to here; a part is missing or was added");
        return Err(body.malformed(message));
    }
    match after.left() {
        0 => Ok(()),
        n => Err(after.clone().named("after the end").malformed(format!("{n} bytes are left over"))),
    }
}

fn checksum(tag: Tag, body: &Reader<'_>) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&tag);
    sum.update(&length(body.left()));
    sum.update(body.clone().rest());
    sum.finalize()
}

/// What a chunk is called in messages.
pub(crate) fn section(tag: Tag) -> &'static str {
    match tag {
        GRAPH => "graph",
        ABOUT => "about",
        WEIGHTS => "weights",
        INTEGERS => "layer output formats",
        EXTRA => "extra chunk",
        END => "end",
        _ => "unknown chunk",
    }
}
