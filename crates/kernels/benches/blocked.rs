//! Speed of the weighted sums in the channel-blocked layout: GoogLeNet's typical layers with every kernel of this
//! processor, in 10^9 multiply-accumulates a second, zeros counted. `cargo bench -p synapress-kernels`

use std::time::Instant;

use synapress_kernels::blocked::{Buffer, Cell, Finish, Layer, Place, Stage, Sums, Team};
use synapress_kernels::integer::Kernel;

struct Case {
    name: &'static str,
    inputs: usize,
    outputs: usize,
    side: usize,
    window: usize,
}

/// Speed of one layer. Of all groups of four inputs of an output one in `kept` is not zero.
fn speed(kernel: Kernel, case: &Case, cell: Cell, kept: usize, threads: usize) -> Option<f64> {
    let pad = case.window / 2;
    let input = Place::new(cell, case.inputs, [case.side; 2], [pad; 2], false);
    let output = Place::new(Cell::Bytes, case.outputs, [case.side; 2], [0; 2], false);
    let taps: Vec<[isize; 2]> = (0..case.window * case.window)
        .map(|t| [t / case.window, t % case.window].map(|d| d as isize - pad as isize))
        .collect();
    let mut seed = 1u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 40) as usize
    };
    let mut weights = vec![0i16; case.outputs * case.inputs * taps.len()];
    for group in weights.chunks_mut(4 * taps.len()) {
        for t in 0..taps.len() {
            if next() % kept == 0 {
                group.iter_mut().skip(t).step_by(taps.len()).for_each(|w| *w = (next() % 255) as i16 - 127);
            }
        }
    }
    let layer = Layer { input, output, taps: &taps, groups: 1, weights: &weights, range: [0, 255] };
    let finish = Finish::new(vec![5; case.outputs], vec![Stage { shift: 9, low: 0, high: 255 }]);
    let sums = Sums::new(kernel, &layer, finish)?;
    let (mut from, mut to, team) = (Buffer::default(), Buffer::default(), Team::new(threads));
    from.reserve(input.end());
    to.reserve(output.end());
    from.cells_mut().iter_mut().for_each(|c| *c = (next() as u32) & 0x3f3f_3f3f);
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < 0.1 || best.is_infinite() {
        let start = Instant::now();
        sums.run(from.cells(), to.cells_mut(), &team);
        best = best.min(start.elapsed().as_secs_f64());
    }
    Some(weights.len() as f64 * (case.side * case.side) as f64 / best / 1e9)
}

fn main() {
    let cases = [
        Case { name: "3x3, 64 -> 192, 56x56", inputs: 64, outputs: 192, side: 56, window: 3 },
        Case { name: "1x1, 64 -> 64, 56x56", inputs: 64, outputs: 64, side: 56, window: 1 },
        Case { name: "5x5, 32 -> 96, 28x28", inputs: 32, outputs: 96, side: 28, window: 5 },
        Case { name: "1x1, 480 -> 192, 14x14", inputs: 480, outputs: 192, side: 14, window: 1 },
        Case { name: "1x1, 480 -> 16, 14x14", inputs: 480, outputs: 16, side: 14, window: 1 },
        Case { name: "3x3, 144 -> 288, 14x14", inputs: 144, outputs: 288, side: 14, window: 3 },
        Case { name: "3x3, 192 -> 384, 7x7", inputs: 192, outputs: 384, side: 7, window: 3 },
        Case { name: "1x1, 832 -> 384, 7x7", inputs: 832, outputs: 384, side: 7, window: 1 },
        Case { name: "fully connected, 1024 -> 1000", inputs: 1024, outputs: 1000, side: 1, window: 1 },
    ];
    let kernels = Kernel::available();
    print!("{:<46}", "");
    kernels.iter().for_each(|k| print!("{:>16}", k.name()));
    println!();
    for (title, cell, kept, threads) in [
        ("bytes", Cell::Bytes, 1, 1),
        ("bytes, 2 threads", Cell::Bytes, 1, 2),
        ("words", Cell::Words, 1, 1),
        ("bytes, 1 group in 3", Cell::Bytes, 3, 1),
        ("bytes, 1 group in 10", Cell::Bytes, 10, 1),
    ] {
        for case in &cases {
            print!("{:<46}", format!("{title}: {}", case.name));
            for &kernel in &kernels {
                match speed(kernel, case, cell, kept, threads) {
                    Some(speed) => print!("{speed:>16.1}"),
                    None => print!("{:>16}", "-"),
                }
            }
            println!();
        }
    }
}
