//! Videos and cameras through the command line: what is seen, what is written, and how it ends.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Folder, texts, words};
use serde_json::Value;
use synapress_compress::data::synthetic::Synthetic;
use synapress_video::write::Recording;
use synapress_video::{Rate, open};

const FRAMES: u64 = 6;

/// `float.syn`, and a video of the validation images.
fn folder() -> Folder {
    let folder = Folder::trained();
    record(&folder.path("v.y4m"), FRAMES);
    folder
}

fn record(path: &Path, frames: u64) {
    let shapes = Synthetic { width: 16, height: 16, difficulty: 0.3, ..Synthetic::default() };
    let mut recording = Recording::create(path, Rate::USUAL).unwrap();
    for n in 0..frames {
        recording.write(&shapes.image(1000 + n).unwrap()).unwrap();
    }
    recording.finish().unwrap();
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Good frames of a video, and others.
fn count(path: &Path) -> (usize, usize) {
    let frames: Vec<bool> = open(path).unwrap().map(|f| f.and_then(|f| f.decode()).is_ok()).collect();
    let good = frames.iter().filter(|&&good| good).count();
    (good, frames.len() - good)
}

fn with_input(folder: &Folder, args: &[&str], input: &[u8]) -> Output {
    let mut command = folder.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever has read enough closes it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn frames_are_seen_as_the_images_that_they_are() {
    let folder = folder();
    folder.ok(&words("classify float.syn --video v.y4m --annotate plain/*.png --top 1"));
    let mut recording = Recording::create(&folder.path("same"), Rate::USUAL).unwrap();
    for frame in open(&folder.path("v.y4m")).unwrap() {
        recording.write(&frame.unwrap().decode().unwrap()).unwrap();
    }
    recording.finish().unwrap();
    let frames = lines(&folder.ok(&words("classify float.syn --video v.y4m --json")));
    let images = folder.json(&words("classify float.syn same"));
    assert_eq!(frames.len() as u64, FRAMES);
    for (number, (frame, image)) in frames.iter().zip(images["images"].as_array().unwrap()).enumerate() {
        assert_eq!((frame["frame"].as_u64(), &frame["top"]), (Some(number as u64), &image["top"]));
        assert!((frame["seconds"].as_f64().unwrap() - number as f64 / 25.0).abs() < 1e-9 && frame["ms"].is_f64());
    }
    let text = folder.ok(&words("classify float.syn --video v.y4m --top 2"));
    assert_eq!(text.lines().count() as u64, FRAMES);
    assert!(text.starts_with("frame 0, 0.00 s: ") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn every_nth_frame_is_seen_and_every_frame_is_written() {
    let folder = folder();
    for (name, more, seen) in [("a.y4m", "", 6), ("a.avi", "--every 4", 2), ("a.mjpeg", "--every 3 --frames 5", 2)] {
        let line = format!("classify float.syn --video v.y4m --json --annotate {name} {more}");
        let output = folder.run(&words(&line));
        let (out, err) = texts(&output);
        let written = if more.contains("frames") { 5 } else { 6 };
        assert!(output.status.success() && err.contains(&format!("{written} frames, {seen} looked at")), "{err}");
        assert!(err.contains(&format!("{written} written to {name}")), "{err}");
        assert_eq!((lines(&out).len(), count(&folder.path(name))), (seen, (written, 0)), "{line}");
        assert!(!folder.path(&format!("{name}.part")).exists());
    }
    assert_eq!(folder.run(&words("-q classify float.syn --video v.y4m")).stderr, b"");
}

#[test]
fn damaged_frames_are_counted_and_left_out() {
    let folder = folder();
    let whole = folder.read("v.y4m");
    let frame = 6 + 3 * 16 * 16;
    folder.write("cut.y4m", &whole[..whole.len() - 5]);
    let mut holed = whole.clone();
    holed[whole.len() - 3 * frame] = b'X';
    folder.write("holed.y4m", &holed);
    folder.ok(&words("classify float.syn --video v.y4m --annotate v.mjpeg"));
    let mut jpegs = folder.read("v.mjpeg");
    let last = jpegs.windows(2).rposition(|w| w == [0xff, 0xd8]).unwrap();
    jpegs.drain(last - 40..last);
    folder.write("holed.mjpeg", &jpegs);
    for (name, seen) in [("cut.y4m", 5), ("holed.y4m", 5), ("holed.mjpeg", 5)] {
        let output = folder.run(&words(&format!("classify float.syn --video {name} --json --annotate out.avi")));
        let (out, err) = texts(&output);
        assert!(output.status.success() && err.contains("1 damaged"), "{name}: {err}");
        let faults = lines(&out).iter().filter(|l| l["error"].is_string()).count();
        assert_eq!((lines(&out).len(), faults, count(&folder.path("out.avi"))), (seen + 1, 1, (seen, 0)), "{name}");
    }
}

#[test]
fn standard_input_is_a_video_too() {
    let folder = folder();
    let args = words("classify float.syn --video - --json");
    let output = with_input(&folder, &args, &folder.read("v.y4m"));
    assert_eq!(lines(&texts(&output).0).len() as u64, FRAMES);
    for (input, says) in [(&b""[..], "nothing in it"), (b"YUV4MPEG2 W99999 H99999\n", "99999x99999")] {
        let output = with_input(&folder, &args, input);
        let (out, err) = texts(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains("standard input") && err.contains(says), "{err}");
    }
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let folder = folder();
    folder.write("none.y4m", "YUV4MPEG2 W16 H16\n");
    folder.write("movie.mp4", "a text");
    for (code, line, says) in [
        (1, "--video none.y4m --annotate out.avi", &["none.y4m", "no frame"][..]),
        (1, "--video missing.y4m", &["missing.y4m"]),
        (1, "--camera /dev/no-such-camera", &["/dev/no-such-camera", "plugged in"]),
        (1, "--camera /dev/null", &["/dev/null", "no camera"]),
        (1, "--video v.y4m --annotate out.mp4", &["out.mp4", ".avi"]),
        (1, "--video v.y4m --annotate none/out.avi", &["none/out.avi"]),
        (2, "--video v.y4m val1000.ppm", &["cannot be used"]),
        (2, "--video v.y4m --camera /dev/video0", &["cannot be used"]),
        (2, "--video v.y4m --every 0", &["--every"]),
        (2, "val1000.ppm --annotate out.avi", &["--annotate"]),
        (2, "val1000.ppm --scores", &["--json"]),
        (2, "", &["IMAGE"]),
    ] {
        if cfg!(target_os = "linux") || !line.contains("camera /") {
            folder.fails(code, &words(&format!("classify float.syn {line}")), says);
        }
    }
    let output = folder.command(&words("classify float.syn --video movie.mp4")).env("PATH", "").output().unwrap();
    let (_, err) = texts(&output);
    assert!(output.status.code() == Some(1) && err.contains("movie.mp4") && err.contains("ffmpeg"), "{err}");
    assert!(!folder.path("out.avi").exists() && !folder.path("out.avi.part").exists());
}

/// A source that goes on for ever, and a user who has seen enough.
#[cfg(unix)]
#[test]
fn ctrl_c_completes_what_is_written() {
    let folder = folder();
    let mut command = folder.command(&words("classify float.syn --video - --json --annotate out.avi"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&folder.read("v.y4m")).unwrap();
    let seen = BufReader::new(child.stdout.take().unwrap()).lines().take(FRAMES as usize).count();
    assert_eq!(seen as u64, FRAMES);
    assert!(!folder.path("out.avi").exists());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    // The input is still open: nothing but the signal ends it.
    let ended = child.wait().unwrap();
    drop(input);
    assert!(ended.success(), "{ended}");
    assert_eq!(count(&folder.path("out.avi")), (FRAMES as usize, 0));
    assert!(!folder.path("out.avi.part").exists());
}

#[test]
fn a_folder_stands_for_its_images_and_scores_are_integers() {
    let folder = folder();
    folder.ok(&words("quantize float.syn --data train.txt -o q.syn"));
    std::fs::create_dir(folder.path("images")).unwrap();
    for n in [1003, 1001, 1002] {
        folder.write(&format!("images/{n}.ppm"), folder.read(&format!("val{n}.ppm")));
    }
    folder.write("images/notes.txt", "no image");
    let seen = folder.json(&words("classify q.syn images val1000.ppm --scores"));
    let images = seen["images"].as_array().unwrap();
    let names: Vec<&str> = images.iter().map(|i| i["image"].as_str().unwrap()).collect();
    assert_eq!(names, ["images/1001.ppm", "images/1002.ppm", "images/1003.ppm", "val1000.ppm"]);
    for image in images {
        let codes = image["scores"]["codes"].as_array().unwrap();
        let most = (0..codes.len()).max_by_key(|&i| (codes[i].as_i64(), std::cmp::Reverse(i))).unwrap();
        assert_eq!((codes.len(), image["top"][0]["class"].as_u64()), (10, Some(most as u64)));
    }
    std::fs::create_dir(folder.path("empty")).unwrap();
    folder.fails(1, &words("classify q.syn empty"), &["empty", "no images"]);
}
