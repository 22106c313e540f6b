//! `include` and `exclude`: which layers belong to a phase, level and stage.

use synapress_model::attributes::{Attributes, Field, Value};
use synapress_model::{Error, ErrorKind};

use super::{Options, Phase};

/// The options, with the level and the stages of the network's own `state`. As in Caffe the caller's phase counts.
pub(super) fn with_state(net: &Attributes, options: &Options) -> Result<Options, Error> {
    let mut options = options.clone();
    if let Some(state) = net.message("state")? {
        if options.level == 0 {
            options.level = state.get_or("level", 0)?;
        }
        for stage in state.all("stage") {
            if let Value::Text(stage) = &stage.value {
                options.stages.push(stage.clone());
            }
        }
        state.ignore(&["phase"]);
        state.finish()?;
    }
    Ok(options)
}

/// Whether a layer takes part: with `include` rules one of them must hold, without any no `exclude` rule may.
pub(super) fn included(layer: &Attributes, options: &Options) -> Result<bool, Error> {
    let rules = |name| layer.all(name).map(|f| holds(f, options)).collect::<Result<Vec<bool>, Error>>();
    let (include, exclude) = (rules("include")?, rules("exclude")?);
    if !include.is_empty() && !exclude.is_empty() {
        return Err(Error::new(ErrorKind::Attribute, "include and exclude rules cannot be mixed in one layer"));
    }
    Ok(if include.is_empty() { !exclude.contains(&true) } else { include.contains(&true) })
}

fn holds(rule: &Field, options: &Options) -> Result<bool, Error> {
    let at = |e: Error| e.at_line(rule.line);
    let Value::Message(rule_fields) = &rule.value else {
        return Err(at(Error::new(ErrorKind::Attribute, format!("{} must be a message {{ ... }}", rule.name))));
    };
    let phase = match rule_fields.text("phase").map_err(at)? {
        None => true,
        Some("TRAIN" | "0") => options.phase == Phase::Train,
        Some("TEST" | "1") => options.phase == Phase::Test,
        Some(other) => {
            return Err(at(Error::new(ErrorKind::Attribute, format!("phase must be TRAIN or TEST, not {other:?}"))));
        }
    };
    let least = rule_fields.get::<i64>("min_level").map_err(at)?.is_none_or(|least| options.level >= least);
    let most = rule_fields.get::<i64>("max_level").map_err(at)?.is_none_or(|most| options.level <= most);
    let has = |f: &Field| matches!(&f.value, Value::Text(stage) if options.stages.contains(stage));
    // `map` before `all`: every field must be looked at, to be marked as read.
    let stages: Vec<bool> = rule_fields.all("stage").map(has).collect();
    let not_stages: Vec<bool> = rule_fields.all("not_stage").map(has).collect();
    rule_fields.finish().map_err(at)?;
    Ok(phase && least && most && !stages.contains(&false) && !not_stages.contains(&true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prototxt;

    #[test]
    fn rules_hold_as_in_caffe() {
        let test = Options::default();
        let train = Options { phase: Phase::Train, ..Options::default() };
        let staged = Options { level: 2, stages: vec!["a".to_owned(), "b".to_owned()], ..Options::default() };
        // Expected for: TEST, TRAIN, TEST at level 2 with the stages a and b.
        let cases = [
            ("", [true, true, true]),
            ("include { phase: TRAIN }", [false, true, false]),
            ("include { phase: TEST }", [true, false, true]),
            ("include: { phase: TRAIN } include: { phase: TEST }", [true, true, true]),
            ("exclude { phase: TEST }", [false, true, false]),
            ("include {}", [true, true, true]),
            ("exclude {}", [false, false, false]),
            ("include { min_level: 1 }", [false, false, true]),
            ("include { max_level: 1 }", [true, true, false]),
            ("include { stage: 'a' }", [false, false, true]),
            ("include { stage: 'a' stage: 'c' }", [false, false, false]),
            ("include { not_stage: 'a' }", [true, true, false]),
            ("include { phase: TRAIN stage: 'a' }", [false, false, false]),
            ("include { phase: TRAIN } include { stage: 'b' }", [false, true, true]),
        ];
        for (text, expected) in cases {
            let layer = prototxt::parse(text).unwrap();
            let found = [&test, &train, &staged].map(|o| included(&layer, o).unwrap());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_networks_own_state_counts() {
        let net = prototxt::parse("state { phase: TRAIN level: 3 stage: 'a' stage: 'b' }").unwrap();
        let options = with_state(&net, &Options { stages: vec!["c".to_owned()], ..Options::default() }).unwrap();
        assert_eq!((options.phase, options.level), (Phase::Test, 3));
        assert_eq!(options.stages, ["c", "a", "b"]);
    }

    #[test]
    fn senseless_rules_are_refused() {
        for text in ["include {} exclude {}", "include: TEST", "include { phase: X }", "include { fase: TEST }"] {
            assert!(included(&prototxt::parse(text).unwrap(), &Options::default()).is_err(), "{text}");
        }
    }
}
