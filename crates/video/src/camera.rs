//! Cameras of Linux (V4L2): Motion JPEG where a camera has it, else YUYV.

use std::path::Path;

use crate::{Error, Frames};

/// Opens a camera such as `/dev/video0`, with frames of `size` pixels or what the camera has that is nearest to it.
///
/// # Errors
/// [`Error::Source`] when there is none, it is another's at the time, or it has no format that is supported; with what
/// can be done.
#[cfg(target_os = "linux")]
pub fn open(path: &Path, size: Option<[u32; 2]>) -> Result<Box<dyn Frames>, Error> {
    Ok(Box::new(v4l2::Camera::new(path, size)?))
}

/// Cameras are read on Linux alone.
///
/// # Errors
/// [`Error::Source`] always.
#[cfg(not(target_os = "linux"))]
pub fn open(_path: &Path, _size: Option<[u32; 2]>) -> Result<Box<dyn Frames>, Error> {
    Err(Error::source(
        "cameras are read on Linux alone; elsewhere let `ffmpeg -i CAMERA -f yuv4mpegpipe -` feed --video -",
    ))
}

#[cfg(target_os = "linux")]
mod v4l2 {
    use std::io::{Error as IoError, ErrorKind};
    use std::path::Path;

    use linuxvideo::format::{PixFormat, PixelFormat};
    use linuxvideo::stream::ReadStream;
    use linuxvideo::{BufType, CapabilityFlags, Device};

    use crate::yuv::{Layout, Packing};
    use crate::{Error, Frame, Frames, Rate};

    /// Formats in the order of choice: compressed ones let USB carry more frames.
    const FORMATS: [PixelFormat; 3] = [PixelFormat::MJPG, PixelFormat::JPEG, PixelFormat::YUYV];
    /// The size that is asked for if nobody says: networks look at less.
    const SIZE: [u32; 2] = [640, 480];

    /// A camera that streams.
    pub struct Camera {
        stream: ReadStream,
        /// The layout of frames that are no JPEG files.
        layout: Option<Layout>,
        about: String,
        ended: bool,
    }

    impl Camera {
        pub fn new(path: &Path, size: Option<[u32; 2]>) -> Result<Self, Error> {
            let fault = |e: IoError| Error::Source(explain(path, &e));
            let device = Device::open(path).map_err(fault)?;
            let capabilities = device.capabilities().map_err(fault)?;
            if !capabilities.device_capabilities().contains(CapabilityFlags::VIDEO_CAPTURE) {
                let message = "gives no pictures: many cameras have two devices, of which the first does; see \
                               `v4l2-ctl --list-devices`";
                return Err(Error::source(message));
            }
            let card = capabilities.card().to_owned();
            let formats: Vec<PixelFormat> = device
                .formats(BufType::VIDEO_CAPTURE)
                .map(|f| f.map(|f| f.pixel_format()))
                .collect::<Result<_, _>>()
                .map_err(fault)?;
            let Some(&format) = FORMATS.iter().find(|f| formats.contains(f)) else {
                return Err(Error::source(format!(
                    "{card} has neither MJPG nor YUYV, but {formats:?}: let \
                     `ffmpeg -f v4l2 -i CAMERA -f yuv4mpegpipe -` feed --video -"
                )));
            };
            let [width, height] = size.unwrap_or(SIZE);
            let device = device.video_capture(PixFormat::new(width, height, format)).map_err(fault)?;
            let got = device.format();
            let [width, height] = [got.width(), got.height()];
            let layout = match got.pixel_format() {
                PixelFormat::YUYV => {
                    let stride = match got.bytes_per_line() as usize {
                        0 => 4 * width.div_ceil(2) as usize,
                        stride => stride,
                    };
                    Some(Layout::new(width, height, Packing::Yuyv { stride })?)
                }
                PixelFormat::MJPG | PixelFormat::JPEG => None,
                other => return Err(Error::source(format!("{card} gives {other} where {format} was asked for"))),
            };
            let about = format!("{card}, {width}x{height} {}", got.pixel_format());
            let stream = device.into_stream().map_err(fault)?;
            Ok(Self { stream, layout, about, ended: false })
        }
    }

    fn explain(path: &Path, error: &IoError) -> String {
        let hint = match (error.kind(), error.raw_os_error()) {
            (ErrorKind::NotFound, _) => "is the camera plugged in? `ls /dev/video*` lists those that are there",
            (ErrorKind::PermissionDenied, _) => "the user has to be in the group `video`",
            (ErrorKind::ResourceBusy, _) => "another program is using the camera",
            // ENOTTY, EINVAL.
            (_, Some(25 | 22)) => "it is no camera",
            // ENODEV, EIO.
            (_, Some(19 | 5)) => "the camera is gone; check its cable",
            _ if path.is_dir() => "it is a folder",
            _ => return error.to_string(),
        };
        format!("{error}: {hint}")
    }

    impl Iterator for Camera {
        type Item = Result<Frame, Error>;

        fn next(&mut self) -> Option<Self::Item> {
            if self.ended {
                return None;
            }
            let got = self.stream.dequeue(|view| Ok((view.is_error(), view.to_vec())));
            Some(match got {
                Ok((true, _)) => Err(Error::frame("the camera says that the frame is damaged")),
                Ok((false, bytes)) if bytes.is_empty() => Err(Error::frame("the camera gave an empty frame")),
                Ok((false, mut bytes)) => Ok(match self.layout {
                    Some(layout) => {
                        // Some drivers say more than there is of the picture.
                        bytes.truncate(layout.bytes());
                        Frame::Yuv(layout, bytes)
                    }
                    None => Frame::Jpeg(bytes),
                }),
                Err(error) if error.kind() == ErrorKind::Interrupted => Err(Error::frame("interrupted")),
                Err(error) => {
                    self.ended = true;
                    Err(Error::Source(explain(Path::new(""), &error)))
                }
            })
        }
    }

    impl Frames for Camera {
        fn rate(&self) -> Option<Rate> {
            None
        }

        fn about(&self) -> String {
            self.about.clone()
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_is_refused_with_a_hint() {
        for (path, says) in [("/dev/no-such-video", "plugged in"), ("/dev/null", "no camera")] {
            let error = open(Path::new(path), None).err().unwrap().to_string();
            assert!(error.contains(says), "{path}: {error}");
        }
        assert!(open(Path::new("/"), None).is_err());
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(open(file.path(), None).is_err());
    }
}
