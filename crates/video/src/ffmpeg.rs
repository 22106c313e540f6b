//! Videos of any other kind, decoded by an `ffmpeg` on the `PATH`, which hands its frames over as Y4M.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use crate::y4m::Y4m;
use crate::{Error, Frame, Frames, Rate};

/// The most bytes of what it complains of.
const MOST_SAID: u64 = 1 << 12;

/// The frames that ffmpeg decodes.
#[derive(Debug)]
pub struct Ffmpeg {
    frames: Y4m<ChildStdout>,
    child: Child,
    said: Option<JoinHandle<String>>,
    any: bool,
    ended: bool,
}

/// What ffmpeg reads.
pub enum Input<'a> {
    File(&'a Path),
    Stream(Box<dyn Read + Send>),
}

impl Ffmpeg {
    /// Starts ffmpeg.
    ///
    /// # Errors
    /// [`Error::Source`] when there is none, or it cannot decode the input; with what it says.
    pub fn new(input: Input<'_>) -> Result<Self, Error> {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin"]);
        // What a playlist in a file asks for from elsewhere is not fetched.
        command.args(["-protocol_whitelist", "file,pipe", "-i"]);
        match &input {
            Input::File(path) => {
                let mut name = std::ffi::OsString::from("file:");
                name.push(path);
                command.arg(name).stdin(Stdio::null())
            }
            Input::Stream(_) => command.arg("pipe:0").stdin(Stdio::piped()),
        };
        command.args(["-map", "0:v:0", "-vf", "scale=out_color_matrix=bt601:out_range=tv,format=yuv444p"]);
        command.args(["-f", "yuv4mpegpipe", "pipe:1"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::source(
                "neither Motion JPEG, bare or in AVI, nor Y4M, and there is no ffmpeg on the PATH, which would decode \
                 other videos: install it, or convert the video elsewhere with `ffmpeg -i IN OUT.y4m`",
            ),
            _ => Error::source(format!("ffmpeg cannot be started: {e}")),
        })?;
        if let (Input::Stream(mut stream), Some(mut to)) = (input, child.stdin.take()) {
            // Ends when ffmpeg does; what it does not want is not read.
            std::thread::spawn(move || std::io::copy(&mut stream, &mut to));
        }
        let said = child.stderr.take().map(|err| std::thread::spawn(move || read_some(err)));
        let frames = child.stdout.take().map(Y4m::new);
        match frames {
            Some(Ok(frames)) => Ok(Self { frames, child, said, any: false, ended: false }),
            _ => Err(Error::source(format!("ffmpeg cannot decode it: {}", end(&mut child, said)))),
        }
    }
}

/// The beginning of what ffmpeg says; the rest is read too, so that it does not wait.
fn read_some(mut err: ChildStderr) -> String {
    let mut bytes = Vec::new();
    let _ = err.by_ref().take(MOST_SAID).read_to_end(&mut bytes);
    let _ = std::io::copy(&mut err, &mut std::io::sink());
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")
}

fn end(child: &mut Child, said: Option<JoinHandle<String>>) -> String {
    let _ = child.kill();
    let _ = child.wait();
    match said.map(|s| s.join().unwrap_or_default()) {
        Some(said) if !said.is_empty() => said,
        _ => "it says nothing".into(),
    }
}

impl Iterator for Ffmpeg {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let frame = self.frames.next();
        self.any |= frame.is_some();
        if frame.is_some() {
            return frame;
        }
        self.ended = true;
        // It has closed its output, so that it is about to end.
        let good = self.child.wait().is_ok_and(|status| status.success());
        let fault = match (good, self.any) {
            (true, true) => return None,
            (_, false) => "ffmpeg finds no frame",
            (false, true) => "ffmpeg ends early",
        };
        Some(Err(Error::Source(format!("{fault}: {}", end(&mut self.child, self.said.take())))))
    }
}

impl Frames for Ffmpeg {
    fn rate(&self) -> Option<Rate> {
        self.frames.rate()
    }

    fn about(&self) -> String {
        format!("decoded by ffmpeg, {}", self.frames.about())
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
