//! Tests with a classifier whose answers are known.

use synapress_images::Image;

use super::*;

/// Gives each image the scores that its first pixel asks for: class `value` first, and ties where it says so.
struct Fake {
    batch: usize,
    shift: usize,
    calls: Vec<usize>,
}

impl Classifier for Fake {
    fn input(&self) -> Shape {
        Shape::new(3, 2, 2).unwrap()
    }

    fn classes(&self) -> usize {
        8
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn kind(&self) -> Scores {
        Scores::Logits
    }

    fn scores(&mut self, images: &[f32], out: &mut Vec<f32>) -> Result<(), synapress_model::Error> {
        self.calls.push(images.len() / 12);
        out.clear();
        for image in images.chunks(12) {
            let class = (image[0] as usize + self.shift) % 8;
            out.extend((0..8).map(|c| if image[0] == 99.0 { f32::NAN } else { -(((c + 8 - class) % 8) as f32) }));
        }
        Ok(())
    }
}

fn fake(shift: usize) -> Fake {
    Fake { batch: 3, shift, calls: Vec::new() }
}

fn dataset(values: &[(u8, u32)]) -> Dataset {
    let images = values.iter().map(|&(v, l)| (Image::new(2, 2, vec![v; 12]).unwrap(), l)).collect();
    Dataset::from_images("fakes", images, (0..8).map(|c| c.to_string()).collect()).unwrap()
}

#[test]
fn hits_are_counted_and_batches_are_full() {
    // First, second, fifth, sixth and NaN.
    let set = dataset(&[(3, 3), (3, 4), (3, 7), (3, 0), (99, 3), (0, 0), (7, 7)]);
    let mut classifier = fake(0);
    let done = std::cell::RefCell::new(Vec::new());
    let progress = |n| done.borrow_mut().push(n);
    let options = Options { progress: Some(&progress), ..Options::default() };
    let found = evaluate(&mut classifier, &set, &Preprocess::default(), &options).unwrap();
    assert_eq!(classifier.calls, [3, 3, 1]);
    assert_eq!(*done.borrow(), [3, 6, 7]);
    assert_eq!(found.hits1, [true, false, false, false, false, true, true]);
    assert_eq!(found.hits5, [true, true, true, false, false, true, true]);
    assert_eq!((found.images, found.ids.len()), (7, 7));
    assert!((found.top1 - 300.0 / 7.0).abs() < 1e-9 && (found.top5 - 500.0 / 7.0).abs() < 1e-9);
    assert!(found.top1_interval[0] < found.top1 && found.top1 < found.top1_interval[1]);
    let json = serde_json::to_value(&found).unwrap();
    for key in ["images", "top1", "top5", "images_per_second", "skipped"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert!(json.get("hits1").is_none());
}

#[test]
fn cross_entropy_and_divergence_are_means() {
    let set = dataset(&[(3, 3), (2, 4)]);
    let keep = Options { keep_scores: true, ..Options::default() };
    let plain = evaluate(&mut fake(0), &set, &Preprocess::default(), &keep).unwrap();
    let sum: f64 = (0..8).map(|c| (-f64::from(c)).exp()).sum();
    assert!((plain.cross_entropy - (sum.ln() + (sum.ln() + 2.0)) / 2.0).abs() < 1e-5);
    let options = Options { reference: Some(&plain.scores), ..Options::default() };
    let same = evaluate(&mut fake(0), &set, &Preprocess::default(), &options).unwrap();
    let other = evaluate(&mut fake(1), &set, &Preprocess::default(), &options).unwrap();
    assert!(same.divergence.unwrap().abs() < 1e-9);
    // Each class has one more to go, but the last, which wins.
    let p = |c: f64| (-c).exp() / sum;
    let expected: f64 = (0..8).map(|c| p(f64::from(c)) * f64::from((c + 7) % 8 - c)).sum();
    assert!((other.divergence.unwrap() - expected).abs() < 1e-5, "{:?} {expected}", other.divergence);
    let short = Options { reference: Some(&plain.scores[1..]), ..Options::default() };
    assert!(evaluate(&mut fake(0), &set, &Preprocess::default(), &short).is_err());
}

#[test]
fn two_evaluations_are_compared_on_common_images() {
    let values: Vec<(u8, u32)> = (0..40).map(|i| (i % 8, u32::from(i % 8 + u8::from(i % 10 == 9)) % 8)).collect();
    let set = dataset(&values);
    let run = |classifier: &mut Fake, set: &Dataset| {
        evaluate(classifier, set, &Preprocess::default(), &Options::default()).unwrap()
    };
    let (first, second) = (run(&mut fake(0), &set), run(&mut fake(1), &set));
    let paired = compare(&first, &second).unwrap();
    assert_eq!((paired.images, paired.top1.only_first, paired.top1.only_second), (40, 36, 4));
    assert!((paired.top1.points - (first.top1 - second.top1)).abs() < 1e-9);
    assert!(paired.top1.interval[0] < 80.0 && 80.0 < paired.top1.interval[1] && paired.top1.p_value < 1e-5);
    let some = run(&mut fake(1), &set.select(&[39, 3, 5]));
    let common = compare(&first, &some).unwrap();
    assert_eq!((common.images, common.top1.only_first, common.top1.only_second), (3, 2, 1));
    assert!(compare(&first, &run(&mut fake(1), &set.select(&[1])).clone()).is_ok());
    let elsewhere = Evaluation { source: "other".into(), ..second };
    assert!(compare(&first, &elsewhere).is_err());
}

#[test]
fn labels_beyond_the_classes_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    std::fs::write(&list, "a.png 7\n\nb.png 8\n").unwrap();
    let set = Dataset::open(&list).unwrap();
    let error = evaluate(&mut fake(0), &set, &Preprocess::default(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("list.txt, line 3") && error.contains("label 8"), "{error}");
}

#[test]
fn bad_images_are_all_named_or_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for i in 0..9u8 {
        image::RgbImage::from_pixel(2, 2, image::Rgb([i % 8; 3])).save(folder.path().join(format!("{i}.png"))).unwrap();
        lines += &format!("{i}.png {}\n", i % 8);
    }
    std::fs::write(folder.path().join("list.txt"), lines).unwrap();
    std::fs::write(folder.path().join("4.png"), "nothing").unwrap();
    std::fs::remove_file(folder.path().join("7.png")).unwrap();
    let set = Dataset::open(&folder.path().join("list.txt")).unwrap();
    let run = |bad| evaluate(&mut fake(0), &set, &Preprocess::default(), &Options { bad, ..Options::default() });
    let error = run(Bad::Refuse).unwrap_err().to_string();
    assert!(error.contains("2 of 9") && error.contains("4.png") && error.contains("7.png"), "{error}");
    let found = run(Bad::Skip).unwrap();
    assert_eq!((found.images, found.skipped.len(), found.top1), (7, 2, 100.0));
    assert_eq!(found.ids, [0, 1, 2, 3, 5, 6, 8]);
    let (good, faults) = set.check(Bad::Skip).unwrap();
    assert_eq!((good.len(), faults.len()), (7, 2));
    assert!(set.select(&[4, 7]).check(Bad::Skip).is_err());
    assert!(
        evaluate(
            &mut fake(0),
            &set.select(&[4]),
            &Preprocess::default(),
            &Options { bad: Bad::Skip, ..Options::default() }
        )
        .is_err()
    );
}

#[test]
fn peers_find_what_one_finds_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for i in 0..20u8 {
        // The last one is scored as no number.
        let value = if i == 19 { 99 } else { i % 7 };
        image::RgbImage::from_pixel(2, 2, image::Rgb([value; 3])).save(folder.path().join(format!("{i}.png"))).unwrap();
        lines += &format!("{i}.png {}\n", i % 8);
    }
    std::fs::write(folder.path().join("list.txt"), lines).unwrap();
    std::fs::write(folder.path().join("4.png"), "nothing").unwrap();
    let set = Dataset::open(&folder.path().join("list.txt")).unwrap();
    let reference = vec![(1.0f32 / 8.0).ln(); 20 * 8];
    let run = |peers: Option<&dyn Peers>| {
        let options = Options { bad: Bad::Skip, keep_scores: true, reference: Some(&reference), peers, progress: None };
        let mut found = evaluate(&mut fake(0), &set, &Preprocess::default(), &options).unwrap();
        let bits: Vec<u32> = std::mem::take(&mut found.scores).iter().map(|s| s.to_bits()).collect();
        // Not a number is not equal to itself.
        (format!("{:?}", Evaluation { images_per_second: 0.0, ..found }), bits)
    };
    let alone = run(None);
    assert!(alone.0.contains("4.png"), "{}", alone.0);
    // Of eight peers one has no batch.
    for count in [2, 3, 8] {
        std::thread::scope(|scope| {
            for one in synapress_peers::threads(count) {
                let (run, alone) = (&run, &alone);
                scope.spawn(move || assert_eq!(&run(Some(&one)), alone, "{count} peers"));
            }
        });
    }
}
