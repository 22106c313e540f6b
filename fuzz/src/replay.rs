//! The targets without libFuzzer: every seed, then seeds that were altered at random, for a given time. Same seconds
//! or not, the order of the inputs is always the same. It finds less than a fuzzer that sees which code was reached,
//! but needs no more than a stable compiler.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::{TARGETS, Target};

/// One input may take this long.
const MOST_TIME: Duration = Duration::from_secs(10);

/// An altered input has at most this many bytes, so that inputs stay quick.
const MOST_BYTES: usize = 1 << 16;

/// Runs targets for as many seconds each as the first argument says (5 without one), on the seeds and the folders that
/// the other arguments name. An input that fails is written to `fuzz/artifacts`.
pub fn main(targets: &[&str]) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = match arguments.next().map(|a| a.parse()) {
        None => 5,
        Some(Ok(seconds)) => seconds,
        Some(Err(_)) => {
            eprintln!("the first argument is a number of seconds for each target, the others are folders of inputs");
            return ExitCode::from(2);
        }
    };
    let folders: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    for (name, target) in TARGETS.iter().filter(|(name, _)| targets.contains(name)) {
        match run(name, *target, Duration::from_secs(seconds), &folders) {
            Ok(inputs) => println!("{name}: {inputs} inputs"),
            Err(message) => {
                eprintln!("{name}: {message}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Runs one target for a time; how many inputs it saw.
fn run(name: &str, target: Target, time: Duration, folders: &[PathBuf]) -> Result<u64, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = inputs(&home.join("seeds").join(name))?;
    for folder in folders {
        seeds.extend(inputs(folder)?);
    }
    if seeds.is_empty() {
        return Err("there are no seeds; run the program `seeds`".to_owned());
    }
    let started = Instant::now();
    let mut random = Random(0x5eed);
    let mut count = 0;
    let altered = std::iter::from_fn(|| (started.elapsed() < time).then(|| random.altered(&seeds)));
    for input in seeds.iter().cloned().chain(altered) {
        let at = Instant::now();
        let whole = catch_unwind(AssertUnwindSafe(|| target(&input))).is_ok();
        count += 1;
        if !whole || at.elapsed() > MOST_TIME {
            let folder = home.join("artifacts").join(name);
            let path = folder.join(format!("replay-{count}"));
            let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, &input));
            let what = if whole { "takes too long" } else { "panics" };
            let place = written.map_or_else(|e| format!("{e}: {input:?}"), |()| path.display().to_string());
            return Err(format!("input {count} {what}: {place}"));
        }
    }
    Ok(count)
}

/// The files of a folder in the order of their names.
fn inputs(folder: &Path) -> Result<Vec<Vec<u8>>, String> {
    let fault = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()))).collect()
}

/// Random numbers (SplitMix64) that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// A seed after one to eight changes.
    fn altered(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..1 + self.below(8) {
            self.change(&mut input, seeds);
        }
        input.truncate(MOST_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len());
        let run = 1 + self.below(8);
        let end = (at + run).min(input.len());
        match self.below(9) {
            _ if input.is_empty() => input.push(self.next() as u8),
            0 | 1 => input[at] ^= 1 << self.below(8),
            2 => input[at] = self.next() as u8,
            // Lengths and sizes that are absurd, or one off.
            3 => input[at..end].fill([0x00, 0x7f, 0x80, 0xff][self.below(4)]),
            4 => input[at] = input[at].wrapping_add(if self.below(2) == 0 { 1 } else { 0xff }),
            5 => input.truncate(at),
            6 => drop(input.drain(at..end)),
            7 => {
                let copy = input[at..end].to_vec();
                let to = self.below(input.len());
                input.splice(to..to, copy);
            }
            _ => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                let to = (from + 1 + self.below(64)).min(other.len());
                input.splice(at..end, other[from.min(to)..to].iter().copied());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_panics_is_found_and_its_input_kept() {
        let name = "recipe";
        let fails = |bytes: &[u8]| assert!(bytes.len() < 20, "a long input");
        let message = run(name, fails, Duration::from_secs(5), &[]).unwrap_err();
        let path = message.split(": ").last().unwrap();
        assert!(message.contains("panics") && fs::read(path).unwrap().len() >= 20, "{message}");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn inputs_are_the_same_in_every_run() {
        let seeds = [b"one seed".to_vec(), b"another, longer one".to_vec(), Vec::new()];
        let draw = || {
            let mut random = Random(3);
            (0..500).map(|_| random.altered(&seeds)).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
        let distinct: std::collections::BTreeSet<_> = draw().into_iter().collect();
        assert!(distinct.len() > 300, "{}", distinct.len());
    }
}
