//! Frames of a video or a camera: which of them are looked at, what is written, and how it ends.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use synapress_images::Image;
use synapress_video::ahead::{Ahead, Late, Next, Numbered};
use synapress_video::write::Recording;
use synapress_video::{Error, Frame, Frames, Rate, camera, open, open_stdin, overlay};

use super::Look;
use super::view::{Seen, View};
use crate::interrupt::Interrupt;
use crate::output::{detail, note};
use crate::recognizer::{Named, Recognizer};

/// How often an interruption is looked for while there is no frame.
const PATIENCE: Duration = Duration::from_millis(100);
/// A camera that sends no frame for so long is lost.
const SILENCE: Duration = Duration::from_secs(10);
/// Labels that are drawn into a frame.
const DRAWN: usize = 3;

/// Counts of frames.
#[derive(Debug, Default)]
struct Tally {
    /// Frames that came, damaged ones too.
    came: u64,
    damaged: u64,
    looked_at: u64,
    /// Time that looking took.
    busy: Duration,
}

/// A stream that is looked at.
struct Watch<'a> {
    look: &'a Look,
    recognizer: Recognizer,
    view: View,
    recording: Option<Recording>,
    rate: Option<Rate>,
    started: Instant,
    tally: Tally,
    /// The number of the frame that is looked at next, or the first good one behind it.
    due: u64,
    /// What was seen last, and how long it took.
    seen: Option<(Vec<Named>, Duration)>,
}

impl Look {
    pub(super) fn watch(&self, recognizer: Recognizer) -> Result<()> {
        let moving = &self.moving;
        let (place, source) = match (&moving.video, &moving.camera) {
            (_, Some(device)) => (device, camera::open(device, moving.camera_size)),
            (Some(file), _) if file == Path::new("-") => (file, open_stdin()),
            (Some(file), _) => (file, open(file)),
            (None, None) => bail!("there is neither a video nor a camera"),
        };
        let name = || match place.to_str() {
            Some("-") => "standard input".to_owned(),
            _ => place.display().to_string(),
        };
        let source = source.with_context(name)?;
        let rate = source.rate();
        detail(&format!("{}: {}{}", name(), source.about(), rate.map(|r| format!(", {r}")).unwrap_or_default()));
        let recording = moving
            .annotate
            .as_deref()
            .map(|out| Recording::create(out, rate.unwrap_or(Rate::USUAL)).with_context(|| out.display().to_string()));
        let mut watch = Watch {
            look: self,
            recognizer,
            recording: recording.transpose()?,
            view: View::new(self.output.json),
            rate,
            started: Instant::now(),
            tally: Tally::default(),
            due: 0,
            seen: None,
        };
        let is_camera = moving.camera.is_some();
        let interrupt = Interrupt::watch("ending after this frame; ctrl-C again to stop at once")?;
        let ended = watch.through(source, is_camera, &interrupt);
        // Whatever ended it: what was written is the user's.
        let written = watch.finish(is_camera);
        ended.with_context(name)?;
        written
    }
}

impl Watch<'_> {
    /// Takes frame by frame until the source, the user, or whoever reads what is printed has enough.
    fn through(&mut self, source: Box<dyn Frames>, is_camera: bool, interrupt: &Interrupt) -> Result<()> {
        let ahead = Ahead::start(source, if is_camera { Late::Drop } else { Late::Wait });
        let mut last = Instant::now();
        let most = self.look.moving.frames.map_or(u64::MAX, Into::into);
        while !interrupt.asked() && self.tally.came < most {
            let frame = match ahead.next(PATIENCE) {
                Next::End => break,
                Next::Nothing if is_camera && last.elapsed() > SILENCE => {
                    bail!("the camera has sent no frame for {} seconds; check its cable", SILENCE.as_secs())
                }
                Next::Nothing => continue,
                // Ctrl-C may have ended the source too, such as another program.
                Next::Frame(Numbered { frame: Err(Error::Source(_)), .. }) if interrupt.asked() => break,
                Next::Frame(Numbered { frame: Err(Error::Source(message)), .. }) => bail!(message),
                Next::Frame(frame) => frame,
            };
            last = Instant::now();
            if !self.frame(frame)? {
                break;
            }
        }
        match ahead.dropped() {
            0 => {}
            dropped => detail(&format!("{dropped} frames of the camera came too fast and were left out")),
        }
        if self.tally.came == 0 && !interrupt.asked() {
            bail!("there is no frame in it");
        }
        if self.tally.came > 0 && self.tally.came == self.tally.damaged {
            bail!("every one of its {} frames is damaged", self.tally.came);
        }
        Ok(())
    }

    /// False when nobody wants more.
    fn frame(&mut self, frame: Numbered) -> Result<bool> {
        let Numbered { number, at, frame } = frame;
        self.tally.came += 1;
        let due = number >= self.due;
        if !due && self.recording.is_none() {
            return Ok(true);
        }
        let image = match frame.and_then(|f: Frame| f.decode()) {
            Ok(image) => image,
            Err(error) => {
                self.tally.damaged += 1;
                return self.view.damaged(number, &error.to_string());
            }
        };
        let mut go_on = true;
        if due {
            self.due = number + u64::from(self.look.moving.every);
            let start = Instant::now();
            let seen = self.recognizer.look(&image, self.look.top.into())?;
            let took = start.elapsed();
            self.tally.looked_at += 1;
            self.tally.busy += took;
            go_on = self.view.seen(&Seen {
                number,
                seconds: match self.rate {
                    Some(rate) => rate.time_of(number),
                    None => at.saturating_duration_since(self.started).as_secs_f64(),
                },
                named: &seen,
                scores: self.look.scores.then(|| self.recognizer.scores()),
                took,
                per_second: self.per_second(),
                damaged: self.tally.damaged,
            })?;
            self.seen = Some((seen, took));
        }
        self.record(&image)?;
        Ok(go_on)
    }

    fn record(&mut self, image: &Image) -> Result<()> {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        let drawn = match &self.seen {
            Some((seen, took)) => {
                let lines: Vec<overlay::Line<'_>> =
                    seen.iter().take(DRAWN).map(|(guess, label)| (label.as_str(), guess.probability)).collect();
                overlay::draw(image, &lines, &format!("{:.1} ms", took.as_secs_f64() * 1e3))
            }
            None => image.clone(),
        };
        let out = || self.look.moving.annotate.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        recording.write(&drawn).with_context(out)
    }

    /// Frames that were looked at in a second, all in all.
    fn per_second(&self) -> f64 {
        self.tally.looked_at as f64 / self.started.elapsed().as_secs_f64().max(1e-9)
    }

    /// Completes what is written and says how much there was.
    fn finish(self, is_camera: bool) -> Result<()> {
        let Tally { came, damaged, looked_at, busy } = self.tally;
        let seconds = self.started.elapsed();
        let per_second = self.per_second();
        self.view.end();
        let mut said = format!("{came} frames, {looked_at} looked at");
        if damaged > 0 {
            said += &format!(", {damaged} damaged and left out");
        }
        if let (Some(mut recording), Some(out)) = (self.recording, &self.look.moving.annotate) {
            let written = recording.frames();
            if is_camera {
                // It plays as fast as the frames came.
                recording.set_rate(Rate::of(written, seconds));
            }
            recording.finish().with_context(|| out.display().to_string())?;
            said += &match written {
                0 => ", none written".to_owned(),
                _ => format!(", {written} written to {}", out.display()),
            };
        }
        if looked_at > 0 {
            let each = busy.as_secs_f64() * 1e3 / looked_at as f64;
            said += &format!("; {each:.1} ms a frame, {per_second:.1} frames/s");
        }
        note(&said);
        Ok(())
    }
}
