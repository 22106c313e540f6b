//! What a training tells of itself: curves of loss and accuracy, which change nothing of the network.

mod common;

use common::page::hold;
use common::{Folder, words};
use serde_json::Value;

fn json(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice(&folder.read(name)).unwrap()
}

fn page(folder: &Folder, name: &str) -> String {
    String::from_utf8(folder.read(name)).unwrap()
}

fn numbers(list: &Value, key: &str) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|v| v[key].as_f64().unwrap()).collect()
}

#[test]
fn evaluation_on_the_way_changes_no_bit_and_is_drawn() {
    let folder = Folder::new();
    let train = "train tiny.prototxt --data train.txt --steps 20 --batch 10";
    folder.ok(&words(&format!("{train} -o alone.syn")));
    let printed = folder.json(&words(&format!("{train} --val val.txt --test-interval 7 -o tested.syn")));
    folder.ok(&words(&format!("{train} --val val.txt -o epochs.syn")));
    folder.write("solver.prototxt", "base_lr: 0.01 lr_policy: 'fixed' test_interval: 9");
    folder.ok(&words(&format!("{train} --val val.txt --solver solver.prototxt -o solved.syn")));
    assert!(folder.read("tested.syn") == folder.read("alone.syn"));
    assert!(folder.read("epochs.syn") == folder.read("alone.syn"));

    let tested = json(&folder, "tested.json");
    let training = &tested["training"];
    assert_eq!(training, &printed["training"]);
    assert_eq!(numbers(&training["tests"], "step"), [7.0, 14.0, 20.0]);
    assert_eq!(numbers(&json(&folder, "epochs.json")["training"]["tests"], "step"), [6.0, 12.0, 18.0, 20.0]);
    assert_eq!(numbers(&json(&folder, "solved.json")["training"]["tests"], "step"), [9.0, 18.0, 20.0]);
    assert_eq!((training["losses"].as_array().unwrap().len(), training["test_images"].as_u64()), (20, Some(30)));
    // The last evaluation is that of the network that is written.
    assert_eq!(training["tests"][2]["top1"], printed["after"]["top1"]);
    assert_eq!(training["tests"][2]["loss"], printed["after"]["cross_entropy"]);

    let held = hold(&page(&folder, "tested.html"), &tested);
    assert!(held.figures > 40 && held.places > 60, "{held:?}");
    let alone = json(&folder, "alone.json");
    assert!(alone["training"]["tests"].as_array().unwrap().is_empty());
    hold(&page(&folder, "alone.html"), &alone);
    let before = page(&folder, "tested.html");
    folder.ok(&words("report tested.syn"));
    assert!(page(&folder, "tested.html") == before && before.contains("id=\"training\""));

    folder.fails(2, &words("train tiny.prototxt --data train.txt --test-interval 7 -o x.syn"), &["--val"]);
    folder.fails(2, &words(&format!("{train} --val val.txt --test-interval 0 -o x.syn")), &["--test-interval"]);
}

#[test]
fn cutout_is_part_of_the_job_and_depends_on_the_seed_alone() {
    let folder = Folder::new();
    let train = "train tiny.prototxt --data train.txt --steps 6 --batch 10";
    for (how, out) in [("", "plain"), ("--cutout 6", "cut"), ("--cutout 6", "again"), ("--cutout 6 --seed 2", "other")]
    {
        folder.ok(&words(&format!("{train} {how} -o {out}.syn")));
    }
    assert!(folder.read("cut.syn") == folder.read("again.syn"));
    assert!(folder.read("cut.syn") != folder.read("plain.syn") && folder.read("cut.syn") != folder.read("other.syn"));
    folder.fails(1, &words(&format!("{train} --cutout 99999999 -o x.syn")), &["cutout"]);
}
