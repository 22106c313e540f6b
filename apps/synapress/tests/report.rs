//! Pages of compressions: each figure on them is that of the JSON, whatever names say; what is not known is left out.

mod common;

use common::page::hold;
use common::{Folder, words};
use serde_json::Value;

const RECIPE: &str = "name = 'all'\n[prune]\nsparsity = [0.3, 0.6]\nresolve = { images = 20 }\n[group]\nbits = 3\n\
                      [quantize]\nconv_bits = 8\nfc_bits = 6\noutput_bits = 8\n";

fn compressed(how: &str, out: &str, folder: &Folder) {
    folder.write("recipe.toml", RECIPE);
    folder.ok(&words(&format!("compress float.syn {how} --data train.txt --val val.txt --fit-images 40 -o {out}")));
}

fn page(folder: &Folder, name: &str) -> String {
    String::from_utf8(folder.read(name)).unwrap()
}

fn json(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice(&folder.read(name)).unwrap()
}

#[test]
fn every_figure_of_a_page_is_that_of_the_json() {
    let folder = Folder::trained();
    for (how, out) in [("--recipe recipe.toml", "r"), ("--ratio 6", "b")] {
        compressed(how, &format!("{out}.syn"), &folder);
        let (page, json) = (page(&folder, &format!("{out}.html")), json(&folder, &format!("{out}.json")));
        let held = hold(&page, &json);
        assert!(held.figures > 100 && held.words > 10 && held.places > 40 && held.outlines >= 3, "{held:?}");
        let class = json["classes"]["classes"].as_array().unwrap();
        let sum = |key: &str| class.iter().map(|c| c[key].as_u64().unwrap()).sum::<u64>();
        let hits = |row: &Value| (row["top1"].as_f64().unwrap() * 30.0 / 100.0).round() as u64;
        let rows = json["rows"].as_array().unwrap();
        assert_eq!((sum("images"), sum("before")), (30, hits(&rows[0])));
        assert_eq!(sum("after"), hits(rows.last().unwrap()));
        let bytes = &json["file"]["layers_bytes"]["sum"].as_f64().unwrap();
        let others = ["graph_bytes", "about_bytes", "format_bytes", "other_bytes"];
        let others: f64 = others.iter().map(|k| json["file"][k].as_f64().unwrap()).sum();
        assert!((bytes + others - folder.read(&format!("{out}.syn")).len() as f64).abs() < 1e-3);
        assert!(json["making"]["peak_memory_bytes"].as_u64() > Some(1 << 20) || !cfg!(target_os = "linux"));
    }
    let trials = json(&folder, "b.json")["trials"].as_array().unwrap().len();
    assert!(trials >= 2, "{trials}");

    // The same page comes from the file and the JSON beside it.
    let before = folder.read("r.html");
    let printed = folder.json(&words("report r.syn"));
    assert!(folder.read("r.html") == before);
    assert_eq!(printed, json(&folder, "r.json"));

    let compared = folder.json(&words("report r.syn b.syn float.syn"));
    let held = hold(&page(&folder, "report.html"), &compared);
    assert!(held.figures > 40 && held.places > 40, "{held:?}");
    assert_eq!(compared["files"][1]["name"], "b.syn");
}

#[test]
fn a_file_alone_has_a_page_that_says_what_it_does_not_know() {
    let folder = Folder::trained();
    compressed("--recipe recipe.toml", "r.syn", &folder);
    for (take, says) in [(true, "is not there"), (false, "of another file")] {
        if take {
            std::fs::rename(folder.path("r.json"), folder.path("other.json")).unwrap();
        } else {
            folder.ok(&words("quantize float.syn --data train.txt --conv-bits 8 --fc-bits 8 --output-bits 8 -o r.syn"));
            std::fs::rename(folder.path("other.json"), folder.path("r.json")).unwrap();
        }
        let output = folder.run(&words("report r.syn -o page.html --json"));
        let (out, err) = common::texts(&output);
        assert!(err.contains(says), "{err}");
        let html = page(&folder, "page.html");
        let held = hold(&html, &serde_json::from_str(&out).unwrap());
        assert!(held.figures > 30 && held.words > 5, "{held:?}");
        assert!(html.contains("not known from the file alone") && !html.contains("Beside the paper"));
    }
}

#[test]
fn hostile_names_are_only_text() {
    let folder = Folder::new();
    let evil = "<script>alert('1')</script>\"&amp;<!--";
    folder.write("names.txt", (0..10).map(|i| format!("{evil}{i}")).collect::<Vec<_>>().join("\n"));
    let hostile = common::TINY
        .replace("conv2", "</svg><img/src=x onerror=alert(2)>&quot;")
        .replace("\"tiny\"", "\"</title><b>\"");
    folder.write("tiny.prototxt", hostile);
    let train = words("train tiny.prototxt --data train.txt -o float.syn --steps 5 --batch 10 --labels names.txt");
    folder.ok(&[&train[..], common::PREPARED].concat());
    compressed("--recipe recipe.toml", "r.syn", &folder);
    let html = page(&folder, "r.html");
    hold(&html, &json(&folder, "r.json"));
    for raw in ["<script", "<img", "<b>", "<!--"] {
        assert!(!html.replace("<b title", "").contains(raw), "{raw}");
    }
    folder.ok(&words("report r.syn float.syn"));
    let html = page(&folder, "report.html");
    assert!(!html.contains("<img") && !html.contains("<script"));
}

#[test]
fn what_cannot_be_reported_on_is_refused_in_words() {
    let folder = Folder::trained();
    // Training has left one.
    std::fs::remove_file(folder.path("float.html")).unwrap();
    folder.write("damaged.syn", &folder.read("float.syn")[..1000]);
    folder.fails(1, &words("report damaged.syn"), &["damaged.syn"]);
    folder.fails(1, &words("report nowhere.syn"), &["nowhere.syn"]);
    folder.fails(2, &words("report"), &["FILE.syn"]);
    folder.fails(2, &words("report float.syn -o float.syn"), &["float.syn", "another"]);
    folder.fails(1, &words("report float.syn -o nowhere/page.html"), &["nowhere"]);
    for bad in ["[]", "{}", "{\"network\": 3", "{\"rows\": [{\"top1\": \"x\"}]}"] {
        folder.write("float.json", bad);
        folder.fails(1, &words("report float.syn"), &["float.json", "report"]);
    }
    assert!(!folder.path("float.html").exists());
}
