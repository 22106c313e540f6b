//! Iterative pruning: what the rounds do, what they tell, and where they end.

mod common;

use common::page::hold;
use common::{Folder, PREPARED, words};
use serde_json::Value;
use synapress_code::{Limits, read};

fn told(folder: &Folder, name: &str) -> Value {
    let json: Value = serde_json::from_slice(&folder.read(&format!("{name}.json"))).unwrap();
    let page = String::from_utf8(folder.read(&format!("{name}.html"))).unwrap();
    hold(&page, &json);
    assert!(page.contains("id=\"rounds\""));
    json["pruning"].clone()
}

fn rounds(pruning: &Value) -> &[Value] {
    pruning["rounds"].as_array().unwrap()
}

/// Which weights are zero.
fn zeros(folder: &Folder, name: &str) -> Vec<bool> {
    let net = read(folder.path(name), &Limits::default()).unwrap();
    let values = |id: usize| net.weights[id].as_ref().unwrap().values().into_owned();
    net.synaptic().into_iter().flat_map(values).map(|w| w == 0.0).collect()
}

#[test]
fn masks_only_grow_unless_zeros_may_come_back() {
    let folder = Folder::trained();
    let line =
        "prune float.syn --data train.txt --val val.txt --sparsity 0.8 --rounds 3 --steps 8 --batch 10 --keep-work";
    for (how, out) in [("", "kept"), ("--regrow 3", "regrown")] {
        let printed = folder.json(&words(&format!("{line} {how} -o {out}.syn")));
        let pruning = told(&folder, out);
        assert_eq!(pruning, printed["pruning"]);
        let all = rounds(&pruning);
        let sparsities: Vec<f64> = all.iter().map(|r| r["sparsity"].as_f64().unwrap()).collect();
        // 1 - (1 - round / 3)^3 of 80%.
        for (found, wanted) in sparsities.iter().zip([56.3, 77.04, 80.0]) {
            assert!((found - wanted).abs() < 1.0, "{sparsities:?}");
        }
        for round in all {
            assert!(round["top1_before"].is_f64() && round["top1"].is_f64() && round["undone"] == false);
            let layers = round["layers"].as_array().unwrap();
            let positive = |key: &str| layers.iter().all(|l| l[key].as_f64() > Some(0.0));
            assert!(layers.len() == 3 && positive("ratio") && positive("threshold") && positive("sparsity"));
        }
        assert_eq!(all[2]["top1"], printed["after"]["top1"]);
        let masks: Vec<Vec<bool>> =
            (1..=3).map(|round| zeros(&folder, &format!("{out}.syn.work/prune-{round}.syn"))).collect();
        let back = masks.windows(2).flat_map(|m| m[0].iter().zip(&m[1])).filter(|(a, b)| **a && !**b).count();
        assert_eq!(back > 0, out == "regrown", "{out}: {back}");
    }
}

#[test]
fn rounds_end_where_the_budget_is_spent() {
    let folder = Folder::new();
    // The images that it was trained on are what it knows well enough to lose something.
    let train = "train tiny.prototxt --data train.txt --steps 400 --batch 10 --learning-rate 0.02 -o float.syn";
    folder.ok(&[&words(train)[..], PREPARED].concat());
    let line = "prune float.syn --data train.txt --val train.txt --sparsity 0.98 --rounds 6 --steps 2 --batch 10 \
                --max-drop 10 --resolve-images 0";
    let printed = folder.json(&words(&format!("{line} -o p.syn")));
    let pruning = told(&folder, "p");
    let (baseline, budget) = (pruning["baseline"].as_f64().unwrap(), pruning["budget"].as_f64().unwrap());
    let (last, before) = rounds(&pruning).split_last().unwrap();
    let lost = |round: &Value| baseline - round["top1"].as_f64().unwrap();
    assert!(budget == 10.0 && last["undone"] == true && lost(last) > 10.0, "{pruning}");
    assert!(before.iter().all(|r| r["undone"] == false && lost(r) <= 10.0));
    assert!((1..6).contains(&before.len()) && printed["before"]["top1"].as_f64() == Some(baseline));
    // What is written is the network of the last round that stood.
    let sparsity = before.last().map_or(0.0, |r| r["sparsity"].as_f64().unwrap());
    assert!((printed["sparsity"].as_f64().unwrap() * 100.0 - sparsity).abs() < 1e-9);
    let after = before.last().map_or(baseline, |r| r["top1"].as_f64().unwrap());
    assert_eq!(printed["after"]["top1"].as_f64(), Some(after));
    for (flags, says) in [("--max-drop=-1", "--max-drop"), ("--regrow 2 --resolve-images 0", "--regrow")] {
        let line = format!("prune float.syn --data train.txt --sparsity 0.5 {flags} -o x.syn");
        folder.fails(2, &words(&line), &[says]);
    }
}

#[test]
fn a_search_tells_its_rounds() {
    let folder = Folder::trained();
    let line = "prune float.syn --data train.txt --search --rounds 2 --tolerance 20 --steps 5 --batch 10 -o s.syn";
    let printed = folder.json(&words(line));
    let pruning = told(&folder, "s");
    let all = rounds(&pruning);
    assert!(!all.is_empty() && all.len() <= 2 && pruning["budget"] == 20.0, "{pruning}");
    let last = all.last().unwrap()["sparsity"].as_f64().unwrap();
    assert!((last - 100.0 * printed["sparsity"].as_f64().unwrap()).abs() < 1e-9);
    assert!(all[0]["layers"].as_array().unwrap().iter().all(|l| l["ratio"].as_f64() >= Some(0.25)));
}
