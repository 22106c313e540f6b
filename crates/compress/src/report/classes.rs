//! What compression did to single classes: images that the float network hit and the compressed one does not, and the
//! other way round.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evaluate::Evaluation;

/// Classes and what they are taken for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    /// Images whose class only the float network gave the highest score.
    pub lost: usize,
    /// Images whose class only the compressed network gave the highest score.
    pub gained: usize,
    /// Classes with images, in order.
    pub classes: Vec<ClassRow>,
    /// What the images that were lost are taken for, the most frequent first.
    pub confusions: Vec<Confusion>,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
    /// Its number.
    pub class: usize,
    /// Its name, if known.
    pub name: Option<String>,
    /// Images of it.
    pub images: usize,
    /// Those that the float network gave it the highest score.
    pub before: usize,
    /// Those that the compressed network gave it the highest score.
    pub after: usize,
}

/// Images that only the float network hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Their class.
    pub class: usize,
    /// Its name, if known.
    pub name: Option<String>,
    /// What the compressed network takes them for.
    pub taken_for: usize,
    /// Its name, if known.
    pub taken_for_name: Option<String>,
    /// How many they are.
    pub images: usize,
}

impl Classes {
    /// Compares two evaluations of the same images in the same order; `None` where these differ or nobody kept which
    /// classes were chosen. `names` are those of the classes by number, or none.
    pub fn of(before: &Evaluation, after: &Evaluation, names: &[String]) -> Option<Self> {
        let known = |e: &Evaluation| e.highest.len() == e.ids.len() && e.labels.len() == e.ids.len();
        if !known(before) || !known(after) || before.ids != after.ids || before.ids.is_empty() {
            return None;
        }
        let name = |class: usize| names.get(class).cloned();
        let mut rows: BTreeMap<usize, ClassRow> = BTreeMap::new();
        let mut confusions: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut classes = Self::default();
        for (at, &class) in before.labels.iter().enumerate() {
            let [hit, still] = [before.hits1[at], after.hits1[at]];
            let empty = || ClassRow { class, name: name(class), images: 0, before: 0, after: 0 };
            let row = rows.entry(class).or_insert_with(empty);
            row.images += 1;
            row.before += usize::from(hit);
            row.after += usize::from(still);
            classes.gained += usize::from(still && !hit);
            if hit && !still {
                classes.lost += 1;
                *confusions.entry((class, after.highest[at])).or_default() += 1;
            }
        }
        classes.classes = rows.into_values().collect();
        let confusion = |((class, taken_for), images)| Confusion {
            class,
            name: name(class),
            taken_for,
            taken_for_name: name(taken_for),
            images,
        };
        classes.confusions = confusions.into_iter().map(confusion).collect();
        classes.confusions.sort_by_key(|c| std::cmp::Reverse(c.images));
        Some(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(labels: &[usize], highest: &[usize]) -> Evaluation {
        let hits: Vec<bool> = labels.iter().zip(highest).map(|(l, h)| l == h).collect();
        Evaluation {
            images: labels.len(),
            ids: (0..labels.len()).collect(),
            hits5: hits.clone(),
            hits1: hits,
            labels: labels.to_vec(),
            highest: highest.to_vec(),
            ..Evaluation::default()
        }
    }

    #[test]
    fn losses_and_gains_are_counted_by_class_and_pair() {
        let labels = [0, 0, 0, 0, 2, 2, 5];
        let before = evaluation(&labels, &[0, 0, 0, 1, 2, 1, 5]);
        let after = evaluation(&labels, &[1, 0, 1, 0, 2, 0, 2]);
        let names: Vec<String> = ["a", "b", "c"].map(String::from).into();
        let found = Classes::of(&before, &after, &names).unwrap();
        assert_eq!((found.lost, found.gained), (3, 1));
        let rows: Vec<_> = found.classes.iter().map(|c| (c.class, c.images, c.before, c.after)).collect();
        assert_eq!(rows, [(0, 4, 3, 2), (2, 2, 1, 1), (5, 1, 1, 0)]);
        let pairs: Vec<_> = found.confusions.iter().map(|c| (c.class, c.taken_for, c.images)).collect();
        assert_eq!(pairs, [(0, 1, 2), (5, 2, 1)]);
        assert_eq!((found.confusions[0].name.as_deref(), found.confusions[1].name.as_deref()), (Some("a"), None));
        let other = Evaluation { highest: Vec::new(), ..after };
        assert_eq!(Classes::of(&before, &other, &names), None);
    }
}
