//! A training that is killed again and again, at moments drawn at random, and started again by the same command.

#![cfg(unix)]

mod common;

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Instant;

use common::{Folder, words};
use serde_json::Value;
use synapress_compress::data::mix;

const KILLS: usize = 10;
const SEED: u64 = 20_261_126;

#[test]
fn ten_kills_at_random_moments_change_no_bit() {
    let folder = Folder::new();
    let line = |out: &str| {
        format!(
            "train tiny.prototxt --data train.txt --val val.txt --test-interval 35 --shift 2 --cutout 5 --steps 400 \
             --batch 10 --checkpoint-every 15 -o {out}"
        )
    };
    let started = Instant::now();
    folder.ok(&words(&line("whole.syn")));
    let whole = started.elapsed();
    let same = || {
        assert!(folder.read("cut.syn") == folder.read("whole.syn"));
        let [cut, whole] =
            ["cut.json", "whole.json"].map(|name| serde_json::from_slice::<Value>(&folder.read(name)).unwrap());
        assert_eq!(cut["training"], whole["training"]);
        assert!(!folder.path("cut.syn.work").exists());
    };
    let cut = line("cut.syn");
    let (mut kills, mut moments) = (0, 0..);
    while kills < KILLS {
        let share = mix(SEED, moments.next().unwrap()) as f64 / u64::MAX as f64;
        let mut child = folder.command(&words(&cut)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(whole.mul_f64(share / 3.0));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        if status.signal() == Some(9) {
            kills += 1;
            continue;
        }
        // It was over before it was killed: from the start once more.
        assert!(status.success(), "{status}");
        same();
        std::fs::remove_file(folder.path("cut.syn")).unwrap();
    }
    folder.ok(&words(&cut));
    same();
}
