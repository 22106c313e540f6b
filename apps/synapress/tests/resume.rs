//! Long jobs: killed in the middle they go on and end with the same bits; the number of threads changes nothing.

mod common;

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Folder, words};

/// Runs a job, kills it (SIGKILL on Unix) once `file` is there, and says whether it was still at work.
fn killed(folder: &Folder, args: &[&str], file: &str) -> bool {
    let mut child = folder.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !folder.path(file).exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "{file} does not appear");
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_millis(5));
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[test]
fn a_killed_training_goes_on_and_ends_with_the_same_bits() {
    let folder = Folder::new();
    let line = |out: &str| {
        format!("train tiny.prototxt --data train.txt --steps 300 --batch 10 --checkpoint-every 20 -o {out}")
    };
    folder.ok(&words(&line("whole.syn")));
    let cut = line("cut.syn");
    assert!(
        killed(&folder, &words(&cut), "cut.syn.work/train.checkpoint.syn"),
        "the job was over before it was killed"
    );
    assert!(!folder.path("cut.syn").exists());
    folder.ok(&words(&cut));
    assert!(folder.read("cut.syn") == folder.read("whole.syn"));
    assert!(!folder.path("cut.syn.work").exists());
}

#[test]
fn a_killed_pruning_goes_on_and_ends_with_the_same_bits() {
    let folder = Folder::trained();
    let line = |out: &str| {
        format!(
            "prune float.syn --data train.txt --sparsity 0.7 --rounds 2 --steps 200 --batch 10 --checkpoint-every 10 -o {out}"
        )
    };
    folder.ok(&words(&line("whole.syn")));
    let cut = line("cut.syn");
    for at in ["prune-1.checkpoint.syn", "prune-2.checkpoint.syn"] {
        assert!(killed(&folder, &words(&cut), &format!("cut.syn.work/{at}")), "{at}");
    }
    folder.ok(&words(&cut));
    assert!(folder.read("cut.syn") == folder.read("whole.syn"));
}

#[test]
fn another_job_in_the_same_place_is_refused() {
    let folder = Folder::new();
    let line = "train tiny.prototxt --data train.txt --steps 5000 --batch 10 --checkpoint-every 1 -o x.syn";
    assert!(killed(&folder, &words(line), "x.syn.work/train.checkpoint.syn"));
    folder.fails(1, &words(&line.replace("5000", "6000")), &["x.syn.work", "delete it"]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let folder = Folder::trained();
    let line = "train tiny.prototxt --data train.txt --steps 20 --batch 10 -o";
    let prune = "prune float.syn --data train.txt --sparsity 0.6 --steps 10 --batch 10 -o";
    let group = "group float.syn --data train.txt --bits 4 --init kmeans++ --steps 10 --batch 10 -o";
    let quantize = "quantize float.syn --data train.txt --conv-bits 8 --fc-bits 6 --output-bits 8 -o";
    folder.write(
        "recipe.toml",
        "name = 'all'\n[prune]\nsparsity = 0.5\nrounds = 2\nresolve = { images = 20 }\nretrain = { steps = 5 }\n\
         [group]\nsearch = { min = 2, max = 4, tolerance = 5 }\nretrain = { steps = 5 }\n\
         [quantize]\nconv_bits = 8\nfc_bits = 6\noutput_bits = 8\n[retrain]\nbatch = 10\n",
    );
    let compress = "compress float.syn --recipe recipe.toml --data train.txt --val val.txt -o";
    for line in [line, prune, group, quantize, compress] {
        for threads in ["1", "2"] {
            let out = format!("{threads}.syn");
            let args = [words(line), vec![&out]].concat();
            let status =
                folder.command(&args).env("RAYON_NUM_THREADS", threads).stderr(Stdio::null()).output().unwrap();
            assert!(status.status.success(), "{line}");
        }
        assert!(folder.read("1.syn") == folder.read("2.syn"), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_a_checkpoint_and_says_how_to_go_on() {
    let folder = Folder::new();
    let line = |out: &str| {
        format!("train tiny.prototxt --data train.txt --steps 400 --batch 10 --checkpoint-every 100 -o {out}")
    };
    let mut child =
        folder.command(&words(&line("x.syn"))).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while !folder.path("x.syn.work/train.checkpoint.syn").exists() && started.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(said.contains("same command again"), "{said}");
    folder.ok(&words(&line("x.syn")));
    folder.ok(&words(&line("whole.syn")));
    assert!(folder.read("x.syn") == folder.read("whole.syn"));
}
