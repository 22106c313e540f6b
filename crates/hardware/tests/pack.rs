//! Packing gives back the very weights, any output by itself, in the fewest bits; words that nobody wrote do no harm.

use proptest::prelude::*;
use synapress_hardware::{Error, Packed, Storage, pack};
use synapress_model::{Bias, Centroids, Fixed, Form, Weights};

fn weights(dims: [usize; 4], form: Form) -> Weights {
    Weights { dims, form, bias: Bias::None }
}

/// Weights of every form and sparsity; some runs of zeros are long.
fn any_weights() -> impl Strategy<Value = Weights> {
    let dims = (1usize..5, 1usize..40, 1usize..4, 1usize..4).prop_map(|(o, i, h, w)| [o, i, h, w]);
    let signed = (2u8..=16).prop_map(|bits| Fixed { bits, frac: 3, signed: true });
    let unsigned = (1u8..=15).prop_map(|bits| Fixed { bits, frac: -1, signed: false });
    let format = prop_oneof![signed, unsigned];
    (dims, format, prop_oneof![Just(0.0), Just(1.0), 0.0..1.0, 0.97..1.0], prop::option::of(1usize..600)).prop_flat_map(
        |(dims, format, sparsity, book)| {
            let n = dims.iter().product::<usize>();
            let (low, high) = format.range();
            let code = (low..=high).prop_map(|q| q as i16);
            let zero = prop::bool::weighted(sparsity);
            match book {
                None => prop::collection::vec((zero, code), n)
                    .prop_map(move |q| {
                        let q = q.into_iter().map(|(zero, q)| if zero { 0 } else { q }).collect();
                        weights(dims, Form::Fixed { q, format })
                    })
                    .boxed(),
                Some(len) => (prop::collection::vec((zero, 0..len), n), prop::collection::vec(code, len))
                    .prop_map(move |(index, mut q)| {
                        q[0] = 0;
                        let index = index.into_iter().map(|(zero, i)| if zero { 0 } else { i as u16 }).collect();
                        weights(dims, Form::Coded { centroids: Centroids::Fixed { q, format }, index })
                    })
                    .boxed(),
            }
        },
    )
}

/// The codes of all weights.
fn codes(form: &Form) -> Vec<i32> {
    match form {
        Form::Coded { index, .. } => index.iter().map(|&i| i.into()).collect(),
        Form::Fixed { q, .. } => q.iter().map(|&q| q.into()).collect(),
        Form::Dense(_) => panic!("not quantized"),
    }
}

/// Entries that a gap of so many bits needs, counted one weight after another.
fn entries(codes: &[i32], taps: usize, gap_bits: u32) -> usize {
    let mut count = 0;
    for row in codes.chunks(taps) {
        let mut zeros = 0;
        for &code in row {
            zeros += 1;
            if code != 0 {
                count += (zeros as usize).div_ceil(1 << gap_bits);
                zeros = 0;
            }
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn unpacking_gives_back_the_very_weights(weights in any_weights(), bytes in any::<bool>()) {
        let storage = if bytes { Storage::Bytes } else { Storage::Bits };
        let packed = pack(&weights, storage).unwrap();
        prop_assert_eq!(packed.unpack().unwrap(), weights.form.clone());
        let codes = codes(&weights.form);
        for (output, row) in codes.chunks(packed.taps).enumerate() {
            prop_assert_eq!(packed.row(output).unwrap(), row);
        }
        prop_assert_eq!(packed.words.len(), entries(&codes, packed.taps, packed.gap_bits));
        let nonzero = codes.iter().filter(|&&q| q != 0).count();
        prop_assert_eq!(packed.words.len(), nonzero + packed.fillers);
        let size = |gap: u32, n: usize| {
            let row_bits = (usize::BITS - n.leading_zeros()).max(1);
            n as u64 * u64::from(storage.bits(gap + packed.code_bits))
                + packed.rows.len() as u64 * u64::from(storage.bits(row_bits))
        };
        let least = (0..16).map(|gap| size(gap, entries(&codes, packed.taps, gap))).min().unwrap();
        prop_assert_eq!(size(packed.gap_bits, packed.words.len()), least);
    }

    #[test]
    fn words_that_nobody_wrote_are_refused_or_read(
        words in prop::collection::vec(any::<u32>(), 0..20),
        rows in prop::collection::vec(0u32..25, 0..6),
        (taps, gap_bits, code_bits) in (0usize..50, 0u32..17, 0u32..40),
        book in any::<bool>(),
    ) {
        let codebook = book.then(|| vec![0, 1, 2]);
        let format = Fixed { bits: 8, frac: 0, signed: true };
        let packed = Packed { taps, gap_bits, code_bits, words, rows, fillers: 0, codebook, format };
        match packed.unpack() {
            Ok(form) => prop_assert_eq!(codes(&form).len(), taps * packed.rows.len().saturating_sub(1)),
            Err(error) => prop_assert!(matches!(error, Error::Words(_))),
        }
    }
}

#[test]
fn entries_are_a_gap_above_a_code() {
    struct Case {
        q: Vec<i16>,
        gap_bits: u32,
        words: Vec<u32>,
        rows: Vec<u32>,
        fillers: usize,
    }
    let sparse = |places: &[usize]| (0..128).map(|i| if places.contains(&i) { -1 } else { 0 }).collect::<Vec<i16>>();
    let cases = [
        Case { q: vec![1, -2, 1, 0], gap_bits: 0, words: vec![1, 2, 1], rows: vec![0, 2, 3], fillers: 0 },
        Case { q: vec![0; 4], gap_bits: 0, words: vec![], rows: vec![0, 0, 0], fillers: 0 },
        // One bit holds a weight of -1: 3 bits of gap and 1 of code make 9 words, the fillers among them.
        Case {
            q: sparse(&[7, 15, 23, 31, 47, 71]),
            gap_bits: 3,
            words: vec![15, 15, 15, 15, 14, 15, 15],
            rows: vec![0, 6, 7],
            fillers: 1,
        },
    ];
    for case in cases {
        let dims = [2, case.q.len() / 2, 1, 1];
        let format = Fixed { bits: 8, frac: 0, signed: true };
        let packed = pack(&weights(dims, Form::Fixed { q: case.q, format }), Storage::Bits).unwrap();
        let found = (packed.gap_bits, &packed.words, &packed.rows, packed.fillers);
        assert_eq!(found, (case.gap_bits, &case.words, &case.rows, case.fillers));
    }
}

#[test]
fn floats_are_refused() {
    let error = pack(&Weights::dense([1, 2, 1, 1], vec![0.5, 0.0], vec![]), Storage::Bits).unwrap_err();
    assert!(error.to_string().contains("run `quantize` first"), "{error}");
}
