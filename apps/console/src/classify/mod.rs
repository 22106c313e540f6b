//! Looking at images, videos and cameras: the command `classify`, but for where its network comes from.

mod images;
mod stream;
mod view;

use std::num::NonZeroU64;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, value_parser};

pub use images::read;

use crate::output::Output;
use crate::program::usage;
use crate::recognizer::Recognizer;

/// What is looked at, and how it is told.
#[derive(Args, Debug)]
pub struct Look {
    /// JPEG, PNG, BMP or PNM files, or folders of them
    #[arg(value_name = "IMAGE", required_unless_present_any = ["camera", "video"], conflicts_with_all = ["camera", "video"])]
    images: Vec<PathBuf>,
    /// How many classes to print for each image
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u16).range(1..))]
    top: u16,
    /// With --json: also the integers that probabilities are made of
    #[arg(long, requires = "json")]
    scores: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    moving: Moving,
}

/// What is looked at frame by frame.
#[derive(Args, Debug)]
#[command(next_help_heading = "Video (live on a terminal, a line a frame elsewhere and with --json)")]
struct Moving {
    /// A video, or - for standard input: Motion JPEG, bare or in AVI, Y4M, and what an ffmpeg on the PATH can decode
    #[arg(long, value_name = "FILE|-", conflicts_with = "camera")]
    video: Option<PathBuf>,
    /// A camera of Linux, such as /dev/video0
    #[arg(long, value_name = "DEVICE")]
    camera: Option<PathBuf>,
    /// Size of the camera's frames, or the nearest to it that the camera has; 640x480 by default
    #[arg(long, value_name = "WxH", requires = "camera", value_parser = parse_size)]
    camera_size: Option<[u32; 2]>,
    /// Look at every Nth frame alone
    #[arg(long, value_name = "N", default_value = "1")]
    every: NonZeroU64,
    /// End after N frames of the video or camera
    #[arg(long, value_name = "N")]
    frames: Option<NonZeroU64>,
    /// Write all frames with what is seen drawn in: a .y4m, .avi or .mjpeg, a folder (for PNG files) or 'FOLDER/*.jpg'
    #[arg(long, value_name = "OUT")]
    annotate: Option<PathBuf>,
}

impl Look {
    /// Looks, and tells what is seen.
    ///
    /// # Errors
    /// When nothing can be looked at, or the network cannot be executed. Damaged frames of videos are no error.
    pub fn run(self, recognizer: Recognizer) -> Result<()> {
        let moving = &self.moving;
        match (&moving.video, &moving.camera) {
            (None, None) => {
                for (given, name) in [
                    (moving.annotate.is_some(), "--annotate"),
                    (moving.frames.is_some(), "--frames"),
                    (moving.every.get() > 1, "--every"),
                ] {
                    if given {
                        return Err(usage(format!("{name} is for --video and --camera")));
                    }
                }
                self.images(recognizer)
            }
            _ => self.watch(recognizer),
        }
    }
}

/// Reads `WxH`.
fn parse_size(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    sides
        .filter(|s| s.iter().all(|s| (1..=1 << 14).contains(s)))
        .ok_or_else(|| "give a size such as 640x480".to_owned())
}
