//! Recipes that are right, and how wrong ones are refused.

use super::*;
use crate::{group, train};

#[test]
fn recipes_that_come_with_the_program_say_what_the_paper_says() {
    let vgg = Recipe::load("paper-vgg16").unwrap();
    let targets = vgg.prune.as_ref().unwrap().targets();
    assert_eq!(targets.iter().map(|t| t.sparsity).collect::<Vec<_>>(), [0.7540, 0.9161]);
    let q = vgg.quantize.as_ref().unwrap();
    assert_eq!((q.conv_bits, q.fc_bits, q.output_bits), (Some(10), Some(6), Some(8)));
    let search = vgg.group.as_ref().unwrap().search.as_ref().unwrap();
    assert_eq!((search.min, search.max), (4, 8));

    let googlenet = Recipe::load("paper-googlenet").unwrap();
    assert_eq!(googlenet.prune.as_ref().unwrap().targets()[0].sparsity, 0.6713);
    let q = googlenet.quantize.as_ref().unwrap();
    assert_eq!((q.conv_bits, q.fc_bits, q.output_bits), (Some(16), Some(4), Some(16)));
    let losses: Vec<_> = googlenet.paper[1..].iter().map(|p| (p.stage.name(), p.loss_of_top1.unwrap())).collect();
    assert_eq!(losses, [("SP", 2.40), ("SP+SG", 3.79), ("SP+SQ", 6.44)]);
    assert_eq!(googlenet.stages().len(), 4);
    for recipe in [&vgg, &googlenet] {
        // The paper's losses are against its own float network.
        let [float, rows @ ..] = &recipe.paper[..] else { panic!("no rows") };
        assert_eq!(float.stage.name(), "baseline");
        for row in rows {
            for (loss, float, own) in
                [(row.loss_of_top1, float.top1, row.top1), (row.loss_of_top5, float.top5, row.top5)]
            {
                assert!((loss.unwrap() - (float.unwrap() - own.unwrap())).abs() < 1e-9, "{row:?}");
            }
        }
    }
    for (name, _) in BUILT_IN {
        let recipe = Recipe::load(name).unwrap();
        assert_eq!(recipe.name, *name);
        let again = Recipe::parse(&toml::to_string(&recipe).unwrap(), name).unwrap();
        assert_eq!(again, recipe);
    }
}

#[test]
fn unknown_keys_and_wrong_kinds_are_refused_with_their_line() {
    for (text, line, says) in [
        ("[prune]\nsparsity = 0.5\nsparsty = 0.6\n", "line 3", "sparsty"),
        ("[group]\nbits = 300\n", "line 2", "300"),
        ("[grouping]\nbits = 4\n", "line 1", "grouping"),
        ("[prune]\nsparsity = 0.5\n[prune.retrain]\nstep = 5\n", "line 4", "step"),
        ("rows = [\"SP+XX\"]\n", "line 1", "SP+XX"),
        ("[prune]\nsearch = { tolerence = 1 }\n", "line 2", "tolerence"),
        ("[retrain]\npolicy = { kind = \"linear\" }\n", "line 2", "linear"),
        ("[prune\n", "line 1", ""),
    ] {
        let message = Recipe::parse(text, "mine.toml").unwrap_err().to_string();
        assert!(message.contains("mine.toml") && message.contains(line) && message.contains(says), "{message}");
    }
}

#[test]
fn senseless_values_are_refused_by_their_key() {
    for (text, key) in [
        ("", "prune, group, quantize"),
        ("[prune]", "prune:"),
        ("[prune]\nsparsity = 0.5\nratio = 1.0", "prune:"),
        ("[prune]\nsparsity = 91.61", "prune.sparsity"),
        ("[prune]\nsparsity = [0.9, 0.8]", "prune.sparsity"),
        ("[prune]\nsparsity = []", "prune.sparsity"),
        ("[prune]\nratio = -1.0", "prune.ratio"),
        ("[prune]\nsparsity = 0.5\nrounds = 0", "prune.rounds"),
        ("[prune]\nsparsity = 0.5\nlayers = { conv1 = 3.0 }", "prune.layers"),
        ("[prune]\nsparsity = 0.5\nblocks = { batch = 0 }", "prune.blocks"),
        ("[group]\ncorrect = { images = 0 }", "group.correct"),
        ("[group]\nblocks = { held_out = 1.0 }", "group.blocks"),
        ("[group]\nbits = 17", "group.bits"),
        ("[group]\nsearch = { min = 9 }", "group.search"),
        ("[quantize]\nconv_bits = 8", "quantize"),
        ("[quantize]\nconv_bits = 8\nfc_bits = 8\noutput_bits = 1", "quantize"),
        ("rows = [\"SP+SG\"]\n[prune]\nsparsity = 0.5", "rows"),
    ] {
        let message = Recipe::parse(text, "mine.toml").unwrap_err().to_string();
        assert!(message.contains(key), "{text:?}: {message}");
    }
    let missing = Recipe::load("no-such-recipe").unwrap_err().to_string();
    assert!(missing.contains("no-such-recipe") && missing.contains("paper-vgg16"), "{missing}");
}

#[test]
fn a_stage_takes_what_it_does_not_say_from_the_recipe() {
    let text = "[prune]\nsparsity = 0.5\n[prune.retrain]\nsteps = 7\n[prune.last]\nsteps = 9\n\
                [retrain]\nsteps = 5\nbatch = 4\nlabels = true\n[quantize]\nsearch = {}\n";
    let recipe = Recipe::parse(text, "x").unwrap();
    let [each, last] = recipe.prune_retrain();
    assert_eq!((each.steps, each.batch, last.steps, last.labels), (Some(7), Some(4), Some(9), Some(true)));
    assert_eq!(recipe.quantize_retrain().steps, Some(0));
    assert_eq!(train::Options::from(&last).steps, 9);
    assert_eq!(recipe.stages(), [Stage::Pruned, Stage::PrunedQuantized]);
    let group = Recipe::parse("[group]\nsearch = { max = 6 }", "x").unwrap();
    assert_eq!(group::Options::from(group.group.as_ref().unwrap()).bits, 6);
}

#[test]
fn networks_of_the_paper_are_known_by_their_layers() {
    let rows = |name| paper_of(&synapress_import::zoo::net(name).unwrap()).len();
    assert_eq!([rows("googlenet"), rows("vgg16"), rows("vgg19"), rows("alexnet")], [4, 7, 0, 0]);
}
