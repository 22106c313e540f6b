//! Every kernel against the definition in plain loops.

use super::phases::Phases;
use super::pooling::{Windows, largest};
use super::*;
use crate::scalar::{range, round_shift};

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn codes(&mut self, n: usize, [low, high]: [i64; 2]) -> Vec<i16> {
        // Extremes are frequent.
        let mut code = || match self.below(4) {
            0 => low,
            1 => high,
            _ => low + self.below((high - low + 1) as usize) as i64,
        };
        (0..n).map(|_| code() as i16).collect()
    }

    fn place(&mut self, cell: Cell, channels: usize, size: [usize; 2], signed: bool) -> Place {
        Place::new(cell, channels, size, [self.below(3), self.below(3)], signed)
    }
}

const CELLS: [Cell; 2] = [Cell::Bytes, Cell::Words];

fn bits(cell: Cell) -> u8 {
    if cell == Cell::Bytes { 8 } else { 11 }
}

#[test]
fn codes_come_back_and_borders_are_zero() {
    let numbers = &mut Numbers(1);
    for case in 0..200 {
        let cell = CELLS[case % 2];
        let signed = numbers.below(2) == 0;
        let (low, high) = range(bits(cell), signed);
        let size = [1 + numbers.below(9), 1 + numbers.below(20)];
        let channels = 1 + numbers.below(9);
        let place = numbers.place(cell, channels, size, signed);
        let codes = numbers.codes(channels * size[0] * size[1], [low, high]);
        let mut cells = vec![0x1234_5678; place.end()];
        place.pack(&codes, &mut cells);
        let mut back = vec![0; codes.len()];
        place.unpack(&cells, &mut back);
        assert_eq!(back, codes);
        for plane in 0..place.planes() {
            for y in 0..size[0] + 2 * place.border[0] {
                for x in 0..size[1] + 2 * place.border[1] {
                    let (y, x) = (y as isize - place.border[0] as isize, x as isize - place.border[1] as isize);
                    if y < 0 || x < 0 || y >= size[0] as isize || x >= size[1] as isize {
                        let pixel = place.lead as isize + y * place.pitch as isize + x;
                        assert_eq!(cells[plane * place.plane + pixel as usize], place.zero(), "{place:?} {y} {x}");
                    }
                }
            }
        }
    }
}

/// One random layer with every kernel.
fn check(numbers: &mut Numbers, team: &Team) -> bool {
    let mut indexed = false;
    let (cell, out_cell) = (CELLS[numbers.below(2)], CELLS[numbers.below(2)]);
    let (signed, out_signed) = (numbers.below(2) == 0, numbers.below(2) == 0);
    let groups = [1, 1, 1, 2, 3][numbers.below(5)];
    let (inputs, outputs) = (groups * (1 + numbers.below(90 / groups)), groups * (1 + numbers.below(40)));
    let kernel = [1 + numbers.below(3), 1 + numbers.below(3)];
    let one = numbers.below(5) == 0;
    let widest = if numbers.below(3) == 0 { 70 } else { 9 };
    let grown = [numbers.below(9), numbers.below(widest)];
    let size: [usize; 2] = std::array::from_fn(|i| kernel[i] + if one { 0 } else { grown[i] });
    let input = numbers.place(cell, inputs, size, signed);
    let dilation: [usize; 2] = std::array::from_fn(|i| if 2 * kernel[i] - 1 <= size[i] { 2 } else { 1 });
    let pad: [usize; 2] =
        std::array::from_fn(|i| if one { 0 } else { input.border[i].min(dilation[i] * (kernel[i] - 1)) });
    let out: [usize; 2] = std::array::from_fn(|i| size[i] + 2 * pad[i] - dilation[i] * (kernel[i] - 1));
    let taps: Vec<[isize; 2]> = (0..kernel[0] * kernel[1])
        .map(|t| [t / kernel[1], t % kernel[1]])
        .map(|t| std::array::from_fn(|i| (t[i] * dilation[i]) as isize - pad[i] as isize))
        .collect();
    let row = inputs / groups * taps.len();
    let limits = range(
        if cell == Cell::Bytes {
            8
        } else if row < 100 {
            12
        } else {
            9
        },
        true,
    );
    let mut weights = numbers.codes(outputs * row, limits.into());
    let kept = [1, 1, 3, 10, 40][numbers.below(5)];
    weights.chunks_mut(4).filter(|_| numbers.below(kept) != 0).for_each(|w| w.fill(0));
    let may_index = numbers.below(2) == 0;
    if may_index {
        // Few different weights.
        weights.iter_mut().for_each(|w| *w = (*w / 32).clamp(-3, 3) * 42);
    }
    let (low, high) = range(bits(cell), signed);
    let mut output = numbers.place(out_cell, outputs, out, out_signed);
    output.start = 16 * numbers.below(3);
    let (low_out, high_out) = range(bits(out_cell), out_signed);
    let stage = |shift| Stage { shift, low: low_out as i32, high: high_out as i32 };
    let mut stages = vec![stage(numbers.below(16) as i32)];
    if numbers.below(2) == 0 {
        stages.push(stage(numbers.below(9) as i32 - 4));
    }
    let bias: Vec<i64> = (0..outputs).map(|_| numbers.below(20_000) as i64 - 10_000).collect();

    let codes = numbers.codes(inputs * size[0] * size[1], [low, high]);
    let mut expected = Vec::new();
    for o in 0..outputs {
        for n in 0..out[0] * out[1] {
            let mut sum = bias[o];
            for i in 0..row {
                let (c, [dy, dx]) = (i / taps.len(), taps[i % taps.len()]);
                let channel = o / (outputs / groups) * (inputs / groups) + c;
                let (y, x) = ((n / out[1]) as isize + dy, (n % out[1]) as isize + dx);
                if (0..size[0] as isize).contains(&y) && (0..size[1] as isize).contains(&x) {
                    let at = (channel * size[0] + y as usize) * size[1] + x as usize;
                    sum += i64::from(weights[o * row + i]) * i64::from(codes[at]);
                }
            }
            let mut code = sum;
            for stage in &stages {
                code = round_shift(code, stage.shift).clamp(stage.low.into(), stage.high.into());
            }
            expected.push(code as i16);
        }
    }

    let mut cells = Buffer::default();
    cells.reserve(input.end());
    input.pack(&codes, cells.cells_mut());
    let layer = Layer { input, output, taps: &taps, groups, weights: &weights, range: [low, high] };
    for kernel in Kernel::available() {
        let finish = Finish::new(bias.clone(), stages.clone());
        let sums = Sums::arranged(kernel, &layer, finish, may_index).expect("sums are small");
        indexed |= sums.is_indexed();
        let mut result = vec![0x7777_7777; output.end()];
        sums.run(cells.cells(), &mut result, team);
        let mut found = vec![0; expected.len()];
        output.unpack(&result, &mut found);
        assert_eq!(found, expected, "{} {layer:?}", kernel.name());
        // Nothing else is written.
        result[output.start..][..output.planes() * output.plane].fill(0x7777_7777);
        assert!(result.iter().all(|&c| c == 0x7777_7777));
    }
    indexed
}

#[test]
fn every_kernel_gives_the_sums_of_the_definition() {
    let numbers = &mut Numbers(2);
    let teams = [Team::new(1), Team::new(3)];
    let indexed = (0..800).filter(|case| check(numbers, &teams[case % 2])).count();
    assert!(indexed > 10, "{indexed} layers of indices");
}

#[test]
fn sums_beyond_32_bits_are_refused() {
    let place = Place::new(Cell::Words, 8, [3, 3], [0, 0], true);
    let output = Place::new(Cell::Words, 1, [3, 3], [0, 0], true);
    let stage = Stage { shift: 4, low: -32768, high: 32767 };
    let sums = |weight: i16, bias: i64, shift: i32| {
        let layer =
            Layer { input: place, output, taps: &[[0, 0]], groups: 1, weights: &[weight; 8], range: [-32768, 32767] };
        let finish = Finish::new(vec![bias], vec![Stage { shift, ..stage }]);
        Sums::new(Kernel::best(), &layer, finish).is_some()
    };
    assert!(sums(8191, 0, 4));
    assert!(!sums(8192, 0, 4));
    assert!(!sums(8191, 1 << 20, 4));
    assert!(!sums(1, 0, -1) && !sums(1, 0, 31));
    assert!(!sums(1, i64::MIN, 4) && !sums(1, i64::MAX, 4));
}

#[test]
fn the_largest_codes_are_those_of_the_windows() {
    let numbers = &mut Numbers(3);
    let team = Team::new(2);
    for case in 0..400 {
        let (cell, signed) = (CELLS[case % 2], numbers.below(2) == 0);
        let size = [1 + numbers.below(9), 1 + numbers.below(40)];
        let kernel = [1 + numbers.below(4), 1 + numbers.below(4)];
        let windows = Windows {
            kernel,
            stride: [1 + numbers.below(3), 1 + numbers.below(3)],
            pad: kernel.map(|k| numbers.below(k)),
        };
        // The last window begins inside the map and may reach beyond it.
        let out: [usize; 2] = std::array::from_fn(|i| {
            let last = (size[i] + windows.pad[i] - 1) / windows.stride[i];
            1 + numbers.below(last + 1)
        });
        let channels = 1 + numbers.below(9);
        let (from, to) = (numbers.place(cell, channels, size, signed), numbers.place(cell, channels, out, signed));
        let codes = numbers.codes(channels * size[0] * size[1], range(bits(cell), signed).into());
        let mut expected = Vec::new();
        for c in 0..channels {
            for n in 0..out[0] * out[1] {
                let span = |axis: usize, at: usize| {
                    let start = (at * windows.stride[axis]) as isize - windows.pad[axis] as isize;
                    (start.max(0) as usize, (start + kernel[axis] as isize).min(size[axis] as isize).max(0) as usize)
                };
                let ((y0, y1), (x0, x1)) = (span(0, n / out[1]), span(1, n % out[1]));
                let pixels = (y0..y1).flat_map(|y| (x0..x1).map(move |x| (y, x)));
                expected.push(pixels.map(|(y, x)| codes[(c * size[0] + y) * size[1] + x]).max());
            }
        }
        if expected.contains(&None) {
            continue;
        }
        let (mut input, mut output) = (vec![0; from.end()], vec![0x7777_7777; to.end()]);
        from.pack(&codes, &mut input);
        for kernel in Kernel::available() {
            largest(kernel, &windows, &from, &input, &to, &mut output, &team);
            let mut found = vec![0; expected.len()];
            to.unpack(&output, &mut found);
            assert!(found.iter().zip(&expected).all(|(f, e)| Some(*f) == *e), "{windows:?} {from:?} {to:?}");
        }
    }
}

#[test]
fn phases_take_a_map_apart() {
    let numbers = &mut Numbers(4);
    let team = Team::new(2);
    for case in 0..400 {
        let (cell, signed) = (CELLS[case % 2], numbers.below(2) == 0);
        let (channels, size) = (1 + numbers.below(9), [1 + numbers.below(9), 1 + numbers.below(20)]);
        let stride = [1 + numbers.below(3), 1 + numbers.below(3)];
        let all: Vec<[usize; 2]> = (0..stride[0] * stride[1]).map(|i| [i / stride[1], i % stride[1]]).collect();
        let count = 1 + numbers.below(all.len());
        let farther = [numbers.below(2) * stride[0], numbers.below(2) * stride[1]];
        let phases = Phases {
            stride,
            first: [numbers.below(5) as isize - 2, numbers.below(5) as isize - 2],
            phases: all[..count].iter().map(|p| [p[0] + farther[0], p[1] + farther[1]]).collect(),
        };
        let from = numbers.place(cell, channels, size, signed);
        let out = [1 + numbers.below(9), 1 + numbers.below(9)];
        let to = Place::new(cell, phases.channels(&from), out, [0, 0], signed);
        let codes = numbers.codes(channels * size[0] * size[1], range(bits(cell), signed).into());
        let (mut input, mut output) = (vec![0; from.end()], vec![0x7777_7777; to.end()]);
        from.pack(&codes, &mut input);
        phases::split(&phases, &from, &input, &to, &mut output, &team);
        let mut found = vec![0; to.channels * out[0] * out[1]];
        to.unpack(&output, &mut found);
        for (i, found) in found.into_iter().enumerate() {
            let (channel, n) = (i / (out[0] * out[1]), i % (out[0] * out[1]));
            let whole = from.planes() * cell.channels();
            let phase = phases.phases[channel / whole];
            if channel % whole >= channels {
                continue;
            }
            let at = |axis: usize, at: usize| {
                (at as isize + phases.first[axis]) * stride[axis] as isize + phase[axis] as isize
            };
            let (y, x) = (at(0, n / out[1]), at(1, n % out[1]));
            let inside = (0..size[0] as isize).contains(&y) && (0..size[1] as isize).contains(&x);
            let place = (channel % whole * size[0]) as isize + y;
            let expected = if inside { codes[(place * size[1] as isize + x) as usize] } else { 0 };
            assert_eq!(found, expected, "{phases:?} {from:?} {to:?} {i}");
        }
    }
}
