//! Values of a recipe that are well-formed but make no sense.

use super::{Fit, Levels, Recipe};

const FIT: &str = "images and positions are at least 1, damping is above 0 and price a number from 0";

fn senseless(fit: &Fit) -> bool {
    let sound = fit.damping > 0.0 && fit.damping.is_finite() && fit.price >= 0.0 && fit.price.is_finite();
    fit.images == 0 || fit.positions == 0 || !sound
}

/// The first value that makes no sense, and why.
pub(super) fn fault(recipe: &Recipe) -> Option<(&'static str, String)> {
    let share = |s: f64| (0.0..1.0).contains(&s);
    let mut faults: Vec<(&'static str, bool, String)> = Vec::new();
    if recipe.prune.is_none() && recipe.group.is_none() && recipe.quantize.is_none() {
        faults.push(("prune, group, quantize", true, "at least one of these tables is needed".into()));
    }
    if recipe.prune.is_none() && recipe.group.is_some() && recipe.quantize.is_some() {
        faults.push(("prune", true, "group with quantize is made of pruned networks; add [prune] sparsity = 0".into()));
    }
    for stage in &recipe.rows {
        let name = stage.name();
        let lacks = (name.contains("SP") && recipe.prune.is_none())
            || (name.contains("SG") && recipe.group.is_none())
            || (name.contains("SQ") && recipe.quantize.is_none());
        faults.push(("rows", lacks, format!("{name} needs a table for each of its stages")));
    }
    if let Some(p) = &recipe.prune {
        let ways = [p.sparsity.is_some(), p.ratio.is_some(), p.search.is_some()];
        let one = ways.iter().filter(|&&w| w).count() == 1;
        faults.push(("prune", !one, "exactly one of sparsity, ratio and search is needed".into()));
        let levels = p.sparsity.as_ref().map_or(&[][..], Levels::all);
        let wrong = levels.iter().any(|&s| !share(s)) || levels.windows(2).any(|l| l[0] >= l[1]);
        faults.push(("prune.sparsity", wrong, "shares from 0 and below 1, ascending (0.9 prunes 90%)".into()));
        faults.push(("prune.sparsity", ways[0] && levels.is_empty(), "at least one level is needed".into()));
        let bad_ratio = |r: f64| !(r >= 0.0 && r.is_finite());
        faults.push(("prune.ratio", p.ratio.is_some_and(bad_ratio), "a ratio is a number from 0".into()));
        let own_wrong = p.layers.values().any(|&v| if ways[0] { !share(v) } else { bad_ratio(v) });
        faults.push(("prune.layers", own_wrong, "sparsities from 0 and below 1, or ratios from 0".into()));
        faults.push(("prune.layers", ways[2] && !p.layers.is_empty(), "search finds the ratios itself".into()));
        let astray = p.sensitivity.is_some() && !ways[0];
        faults.push(("prune.sensitivity", astray, "it spreads a sparsity; give prune.sparsity".into()));
        if let Some(s) = &p.sensitivity {
            let none = [s.images, s.probes, s.positions].contains(&0);
            faults.push(("prune.sensitivity", none, "images, probes and positions are at least 1".into()));
        }
        faults.push(("prune.rounds", p.rounds == 0, "at least one round is needed".into()));
        faults.push((
            "prune.max_drop",
            p.max_drop.is_some_and(bad_ratio),
            "a number of points from 0 is needed".into(),
        ));
        let twice = p.max_drop.is_some() && ways[2];
        faults.push(("prune.max_drop", twice, "a search has its own budget, prune.search.tolerance".into()));
        if let Some(r) = &p.resolve {
            faults.push(("prune.resolve.images", r.images == 0, "at least one image is needed".into()));
            faults.push(("prune.resolve.positions", r.positions == 0, "at least one position is needed".into()));
            let wrong = !(r.damping > 0.0 && r.damping.is_finite());
            faults.push(("prune.resolve.damping", wrong, "a number above 0 is needed".into()));
        }
    }
    if let Some(g) = &recipe.group {
        let both = g.bits.is_some() && g.search.is_some();
        faults.push(("group", both, "bits and search exclude each other".into()));
        let both = g.fit.is_some() && g.search.is_some();
        faults.push(("group.fit", both, "a fit needs widths that are given, not searched".into()));
        faults.extend(g.fit.iter().map(|f| ("group.fit", senseless(f), FIT.to_owned())));
        let wrong = g.bits.iter().chain(g.layers.values()).any(|b| !(1..=16).contains(b));
        faults.push(("group.bits", wrong, "index widths are 1 to 16 bits".into()));
        let wrong = g.search.as_ref().is_some_and(|s| !(1 <= s.min && s.min <= s.max && s.max <= 16));
        faults.push(("group.search", wrong, "1 <= min <= max <= 16 is needed".into()));
    }
    if let Some(q) = &recipe.quantize {
        let given = [q.conv_bits, q.fc_bits, q.output_bits];
        let wrong = given.iter().chain([&q.input_bits]).flatten().any(|b| !(2..=16).contains(b));
        faults.push(("quantize", wrong, "bit widths are 2 to 16".into()));
        let absent = q.search.is_none() && given.iter().any(Option::is_none);
        faults.push(("quantize", absent, "conv_bits, fc_bits and output_bits are needed, or search".into()));
        let open = q.fit.is_some() && (q.conv_bits.is_none() || q.fc_bits.is_none());
        faults.push(("quantize.fit", open, "a fit needs conv_bits and fc_bits".into()));
        faults.extend(q.fit.iter().map(|f| ("quantize.fit", senseless(f), FIT.to_owned())));
        let wrong = q.search.as_ref().is_some_and(|s| !(2 <= s.min && s.min <= s.max && s.max <= 16));
        faults.push(("quantize.search", wrong, "2 <= min <= max <= 16 is needed".into()));
    }
    let blocks = [
        ("prune.blocks", recipe.prune.as_ref().and_then(|p| p.blocks.as_ref())),
        ("group.blocks", recipe.group.as_ref().and_then(|g| g.blocks.as_ref())),
        ("quantize.blocks", recipe.quantize.as_ref().and_then(|q| q.blocks.as_ref())),
    ];
    let corrections = [
        ("prune.correct", recipe.prune.as_ref().and_then(|p| p.correct.as_ref())),
        ("group.correct", recipe.group.as_ref().and_then(|g| g.correct.as_ref())),
    ];
    for (key, correct) in corrections {
        faults.push((key, correct.is_some_and(|c| c.images == 0), "at least one image is needed".into()));
    }
    for (key, options) in blocks {
        faults.extend(options.and_then(|b| b.fault()).map(|message| (key, true, message.to_owned())));
    }
    faults.into_iter().find(|f| f.1).map(|(key, _, message)| (key, message))
}
