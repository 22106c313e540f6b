//! The page's server, asked as browsers and as others ask, and the page as a folder.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use common::{Folder, words};
use serde_json::Value;

/// A module of WebAssembly that does nothing: what is served is not looked at.
const RUNTIME: &[u8] = b"\0asm\x01\0\0\0";

/// `tiny.syn`, quantized, and `runtime.wasm`.
fn folder() -> Folder {
    let folder = Folder::trained();
    folder.ok(&words("quantize float.syn --data train.txt -o tiny.syn"));
    folder.write("runtime.wasm", RUNTIME);
    folder
}

/// The program while it serves.
struct Serving {
    program: Child,
    address: String,
}

impl Serving {
    fn new(folder: &Folder, args: &str) -> Self {
        let line = format!("serve {args} --runtime runtime.wasm --address 127.0.0.1:0");
        let mut program = folder.command(&words(&line)).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.strip_prefix("http://").and_then(|s| s.split_once('/')).unwrap_or_else(|| panic!("{said}"));
        Self { program, address: address.0.to_owned() }
    }

    /// Sends bytes and reads all that comes back.
    fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // Who is refused early may be cut off while it still sends.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// Head and content of the answer to a request.
    fn ask(&self, method: &str, target: &str, fields: &str) -> (String, Vec<u8>) {
        split(&self.send(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes()))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn split(answer: &[u8]) -> (String, Vec<u8>) {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[test]
fn what_is_served_is_what_is_exported() {
    let folder = folder();
    fs::copy(folder.path("tiny.syn"), folder.path("other one.syn")).unwrap();
    let exported =
        folder.json(&["serve", "tiny.syn", "other one.syn", "--runtime", "runtime.wasm", "--export", "site"]);
    let models: Value = serde_json::from_slice(&folder.read("site/models.json")).unwrap();
    let serving = Serving::new(&folder, "tiny.syn tiny.syn");
    let files = exported["files"].as_array().unwrap();
    for file in files {
        let path = file["path"].as_str().unwrap();
        let bytes = folder.read(&format!("site/{path}"));
        assert_eq!(file["bytes"], bytes.len(), "{path}");
        // Both have two networks, whose cards and paths differ by the second one's file name.
        if path.contains("other") || path == "models.json" {
            continue;
        }
        let (head, content) = serving.ask("GET", &format!("/{path}"), "");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert_eq!(content, bytes, "{path}");
        assert_eq!(field(&head, "Content-Length"), bytes.len().to_string());
        let kind = match path.rsplit_once('.').unwrap().1 {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "json" => "application/json",
            "wasm" => "application/wasm",
            "png" => "image/png",
            "svg" => "image/svg+xml",
            _ => "application/octet-stream",
        };
        assert_eq!(field(&head, "Content-Type"), kind, "{path}");
        assert_eq!(field(&head, "X-Content-Type-Options"), "nosniff");
        assert!(field(&head, "Content-Security-Policy").contains("'wasm-unsafe-eval'"));
    }
    assert_eq!(serving.ask("GET", "/?x=1", "").1, folder.read("site/index.html"));
    assert_eq!(folder.read("site/synapress.wasm"), RUNTIME);
    for (at, file) in [(0, "models/tiny.syn"), (1, "models/other-one.syn")] {
        let model = &models["models"][at];
        assert_eq!(model["file"], file);
        assert_eq!(folder.read(&format!("site/{file}")), folder.read("tiny.syn"));
        let labels: Vec<String> =
            serde_json::from_slice(&folder.read(&format!("site/{}", model["labels"].as_str().unwrap()))).unwrap();
        assert_eq!(labels.join("\n").as_bytes(), folder.read("names.txt"));
        assert_eq!(model["name"], ["tiny (tiny)", "tiny (other one)"][at]);
        assert_eq!((&model["classes"], &model["weight_bits"]), (&10.into(), &[8].into()));
        assert_eq!(model["preprocess"]["mean"], Value::from([128.0; 3].to_vec()));
        assert!(model["ratio"].as_f64().unwrap() > 1.0 && model["sparsity"].as_f64().unwrap() < 0.5);
    }
    assert_eq!(models["samples"].as_array().unwrap().len(), 10);
    assert_eq!(models["samples"][0]["name"], "disc");
    // Nothing of anybody is overwritten.
    folder.fails(1, &words("serve tiny.syn --runtime runtime.wasm --export site"), &["site", "holds something"]);
}

/// The card of `c.syn` on the page with these options, and what is noted.
fn card(folder: &Folder, options: &str) -> (Value, String) {
    let _ = fs::remove_dir_all(folder.path("site"));
    let output = folder.run(&words(&format!("serve c.syn --runtime runtime.wasm --export site {options}")));
    let (out, err) = common::texts(&output);
    assert!(output.status.success(), "{out}\n{err}");
    let models: Value = serde_json::from_slice(&folder.read("site/models.json")).unwrap();
    (models["models"][0].clone(), err)
}

#[test]
fn a_card_has_the_accuracy_of_the_report_beside_the_very_file() {
    let folder = folder();
    folder.ok(&words("compress float.syn --ratio 4 --data train.txt --val val.txt --fit-images 20 -o c.syn"));
    let report: Value = serde_json::from_slice(&folder.read("c.json")).unwrap();
    let row = report["rows"].as_array().unwrap().last().unwrap();
    let (known, notes) = card(&folder, "");
    assert_eq!((&known["accuracy"]["images"], notes.as_str()), (&30.into(), ""));
    for key in ["top1", "top1_interval", "top5", "top5_interval", "loss_of_top1"] {
        assert!(!row[key].is_null());
        assert_eq!(known["accuracy"][key], row[key], "{key}");
    }
    // Of images that are prepared in another way nobody knows.
    assert_eq!(card(&folder, "--mean 128").0, known);
    let (other, notes) = card(&folder, "--mean 100");
    assert!(other.get("accuracy").is_none() && notes.is_empty(), "{notes}");

    let quantized = fs::copy(folder.path("tiny.syn"), folder.path("c.syn")).unwrap();
    let (other, notes) = card(&folder, "");
    assert!(other.get("accuracy").is_none() && notes.contains("of another file than c.syn"), "{notes}");
    // As many bytes are not enough.
    let size = |r: &Value| r["rows"].as_array().unwrap().last().unwrap()["size_bytes"].as_u64().unwrap();
    let text = String::from_utf8(folder.read("c.json")).unwrap();
    folder.write("c.json", text.replace(&size(&report).to_string(), &quantized.to_string()));
    let (other, notes) = card(&folder, "");
    assert!(other.get("accuracy").is_none() && notes.contains("of another file than c.syn"), "{notes}");
    for bad in ["", "[]", "{\"rows\": 3}"] {
        folder.write("c.json", bad);
        let (other, notes) = card(&folder, "");
        assert!(other.get("accuracy").is_none() && notes.contains("c.json"), "{notes}");
    }
    fs::remove_file(folder.path("c.json")).unwrap();
    assert_eq!(card(&folder, "").1, "");
}

#[test]
fn requests_that_are_none_of_a_browser_are_refused() {
    let folder = folder();
    folder.write("secret.txt", "secret");
    let serving = Serving::new(&folder, "tiny.syn");
    for (method, target, fields, status) in [
        ("GET", "/nothing", "", "404"),
        ("GET", "/models/", "", "404"),
        ("GET", "/../secret.txt", "", "404"),
        ("GET", "/models/../../secret.txt", "", "404"),
        ("GET", "/%2e%2e/secret.txt", "", "404"),
        ("GET", "/..%5csecret.txt", "", "404"),
        ("GET", "//etc/passwd", "", "404"),
        ("GET", "index.html", "", "404"),
        ("GET", "http://localhost/index.html", "", "404"),
        ("HEAD", "/nothing", "", "404"),
        ("POST", "/", "", "405"),
        ("PUT", "/models/tiny.syn", "Content-Length: 5\r\n", "405"),
        ("OPTIONS", "*", "", "405"),
        ("get", "/", "", "405"),
        ("GET", "/", "Content-Length: 5\r\n", "413"),
        ("GET", "/", "Transfer-Encoding: chunked\r\n", "413"),
        ("GET", "/", &"X: y\r\n".repeat(100), "431"),
        ("GET", "/", &format!("X: {}\r\n", "y".repeat(20_000)), "431"),
        ("GET", &format!("/{}", "a".repeat(100_000)), "", "431"),
        ("GET", "/ /", "", "400"),
        ("GET", "/", "no field\r\n", "400"),
    ] {
        let (head, content) = serving.ask(method, target, fields);
        let what = &target[..target.len().min(40)];
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {what}: {head}");
        assert_eq!(field(&head, "Allow"), "GET, HEAD");
        assert!(!content.windows(6).any(|w| w == b"secret"), "{method} {what}");
        assert_eq!(content.is_empty(), method == "HEAD", "{method} {what}");
    }
    for bytes in [&b"\0\xff\x17\x03"[..], b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n: \r\n\r\n"] {
        let (head, _) = split(&serving.send(bytes));
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    }
    let (head, content) = serving.ask("HEAD", "/models/tiny.syn", "");
    assert!(head.starts_with("HTTP/1.1 200 ") && content.is_empty());
    assert_eq!(field(&head, "Content-Length"), folder.read("tiny.syn").len().to_string());
    // Who says nothing keeps nobody else waiting.
    let silent: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(&serving.address).unwrap()).collect();
    assert!(serving.ask("GET", "/", "").0.starts_with("HTTP/1.1 200 "));
    drop(silent);
}

#[test]
fn samples_and_class_names_are_those_that_are_given() {
    let folder = folder();
    folder.fails(1, &words("serve tiny.syn --runtime runtime.wasm --samples . --export site"), &["holds no picture"]);
    fs::create_dir(folder.path("pictures")).unwrap();
    let grey = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\x80\x80\0";
    folder.write("pictures/a <b> & c.bmp", grey);
    folder.write("pictures/A.BMP", grey);
    folder.write("pictures/notes.txt", "no picture");
    folder.write("ten.txt", ('a'..='j').map(|c| format!("class {c}\n")).collect::<String>());
    let line = "serve tiny.syn --runtime runtime.wasm --samples pictures --labels ten.txt --resize 20 --export site";
    folder.ok(&words(line));
    let models: Value = serde_json::from_slice(&folder.read("site/models.json")).unwrap();
    let samples = models["samples"].as_array().unwrap();
    assert_eq!(samples.iter().map(|s| s["name"].as_str().unwrap()).collect::<Vec<_>>(), ["A", "a <b> & c"]);
    for sample in samples {
        let file = sample["file"].as_str().unwrap();
        assert!(file.bytes().all(|c| c.is_ascii_alphanumeric() || b"-./".contains(&c)), "{file}");
        assert_eq!(folder.read(&format!("site/{file}")), grey);
    }
    assert_eq!(models["models"][0]["preprocess"]["resize"], 20);
    let labels = folder.read(&format!("site/{}", models["models"][0]["labels"].as_str().unwrap()));
    assert!(String::from_utf8(labels).unwrap().contains("\"class j\""));
    folder.write("pictures/bad.png", "not a picture");
    folder.fails(1, &words("serve tiny.syn --runtime runtime.wasm --samples pictures --export x"), &["bad.png"]);
}

#[test]
fn what_the_page_cannot_run_is_refused_at_once() {
    let folder = folder();
    let export = "--runtime runtime.wasm --export site";
    for (line, code, says) in [
        (format!("serve float.syn {export}"), 1, &["float.syn", "not quantized"][..]),
        (format!("serve tiny.prototxt {export}"), 1, &["tiny.prototxt"]),
        (format!("serve none.syn {export}"), 1, &["none.syn"]),
        (format!("serve tiny.syn --labels val.txt {export}"), 1, &["30 class names for 10 classes"]),
        (format!("serve tiny.syn --scale 0 {export}"), 1, &["scale"]),
        ("serve tiny.syn --runtime tiny.syn --export site".to_owned(), 1, &["tiny.syn", "not WebAssembly"]),
        (format!("serve tiny.syn --address 127.0.0.1:0 {export}"), 2, &["--address"]),
        ("serve tiny.syn --address nowhere".to_owned(), 2, &["--address"]),
        (format!("serve {export}"), 2, &["MODEL"]),
    ] {
        folder.fails(code, &words(&line), says);
        assert!(!folder.path("site").exists(), "{line}");
    }
    let serving = Serving::new(&folder, "tiny.syn");
    let line = format!("serve tiny.syn --runtime runtime.wasm --address {}", serving.address);
    folder.fails(1, &words(&line), &[&serving.address, "--address"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_well() {
    let folder = folder();
    let mut serving = Serving::new(&folder, "tiny.syn");
    let id = serving.program.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(serving.program.wait().unwrap().code(), Some(0));
}
