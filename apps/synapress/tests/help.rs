//! What shells and manuals are given: all commands, and their options.

mod common;

use common::{Folder, words};

const COMMANDS: [&str; 4] = ["classify", "compress", "completions", "man"];

#[test]
fn completions_and_manual_pages_know_every_command() {
    let folder = Folder::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.ok(&["completions", shell]);
        for word in COMMANDS.iter().chain(&["video", "annotate", "max-drop"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    folder.fails(2, &words("completions abacus"), &["abacus", "bash"]);
    folder.ok(&words("man pages/man1"));
    for name in COMMANDS.map(|c| format!("synapress-{c}")).iter().chain(&["synapress".to_owned()]) {
        let page = String::from_utf8(folder.read(&format!("pages/man1/{name}.1"))).unwrap();
        assert!(page.starts_with(".ie") && page.contains(".SH NAME"), "{name}: {page}");
    }
    let page = String::from_utf8(folder.read("pages/man1/synapress-classify.1")).unwrap();
    assert!(page.contains("annotate") && page.contains("quiet") && page.contains(".SH SYNOPSIS"), "{page}");
    let written = folder.json(&words("man pages/man1"));
    let count = std::fs::read_dir(folder.path("pages/man1")).unwrap().count();
    assert_eq!(written["pages"].as_array().unwrap().len(), count);
    folder.write("file", "");
    folder.fails(1, &words("man file/man1"), &["file/man1"]);
}

#[test]
fn piped_output_is_plain_and_quiet_unless_more_is_asked_for() {
    let folder = Folder::new();
    let line = "train tiny.prototxt --data train.txt -o x.syn --steps 6 --batch 10 --mean 128 --scale 0.0156";
    assert_eq!(folder.run(&words(line)).stderr, b"");
    let told = folder.run(&words(&format!("-v {line}"))).stderr;
    assert!(String::from_utf8(told).unwrap().contains("6/6"));
    folder.fails(2, &words(&format!("-v -q {line}")), &["cannot be used"]);
}
