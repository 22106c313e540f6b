//! Compression to a size: one price of a bit for all layers, searched until the real file is as small as asked for.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use synapress_code as code;
use synapress_model::Net;

use super::compress::{Made, effort};
use super::{Error, Job, Outcome};
use crate::data::Dataset;
use crate::rate::{self, At, Bench, Scales};
use crate::recipe::{Quantize, Retrain};
use crate::report::{Effort, Report, Stage};

/// What a compression to a size is to give.
#[derive(Clone, Debug, PartialEq)]
pub struct Size {
    /// The most bytes of the `.syn` file.
    pub bytes: u64,
    /// Calibration images that layers are fitted to and sensitivity is measured on.
    pub images: usize,
    /// How layers are coded.
    pub rate: rate::Options,
    /// Bit width of layer outputs.
    pub output_bits: u8,
    /// How centroids and biases are trained at the end, through the integers.
    pub retrain: Retrain,
}

impl Size {
    fn quantize(&self) -> Quantize {
        Quantize {
            conv_bits: Some(self.rate.bits),
            fc_bits: Some(self.rate.bits),
            output_bits: Some(self.output_bits),
            ..Quantize::default()
        }
    }
}

/// Relative error that sensitivity is first measured at.
const FIRST: f64 = 0.02;

/// How far below the wanted size is near enough.
const NEAR: f64 = 0.01;

/// Passes over the network before the search ends with the best that was found.
const PASSES: usize = 10;

/// A pass over the network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Pass {
    price: f64,
    bytes: u64,
}

impl Job<'_> {
    /// Compresses a network to a file of at most so many bytes, with the least loss that was found, and evaluates it in
    /// integers on `validation`.
    ///
    /// # Errors
    /// [`Error::Settings`] when no price makes the file so small; those of the steps; [`Error::Stopped`].
    pub fn compress_to_size(&mut self, net: &Net, validation: &Dataset, size: &Size) -> Result<Outcome, Error> {
        net.verify()?;
        let clock = Instant::now();
        let baseline = self.baseline(net, validation)?;
        let start = Made { net: net.clone(), effort: Effort::None, seconds: 0.0 };
        let mut rows = vec![self.row(Stage::Baseline, &start, &baseline, None)?];
        let (images, _) = self.images(size.images, net.graph.shape(net.graph.input()?))?;
        let bench = &mut Bench::new(net, &images, &size.rate)?;
        let scales = self.scales("scales-1", bench, At::Error(FIRST))?;
        let coarse = self.search_price("coarse", bench, size, &scales, 0.1, None)?;
        // Sensitivity depends on the size of the error: once more near the target.
        let scales = self.scales("scales-2", bench, At::Price(coarse.price, &scales))?;
        let found = self.search_price("fine", bench, size, &scales, NEAR, Some(coarse.price))?;
        let coded = self.priced("fine", bench, &scales, found.price)?;
        let mut made = self.quantize("quantized", &coded, net, &size.quantize(), &size.retrain)?;
        let mut effort = effort(Effort::Calibration, std::slice::from_ref(&size.retrain));
        if effort == Effort::Retrained && code::encode(&made, &code::Options::default())?.len() as u64 > size.bytes {
            // Other biases and centroids can take more bytes than there was room left for.
            made = self.quantize("not-retrained", &coded, net, &size.quantize(), &Retrain::default())?;
            effort = Effort::Calibration;
        }
        let seconds = self.work.value("seconds", || Ok(clock.elapsed().as_secs_f64()))?;
        let evaluation = self.measure_against("quantized", &made, validation, Some(&baseline))?;
        let made = Made { net: made, effort, seconds };
        rows.push(self.row(Stage::All, &made, &evaluation, Some(&baseline))?);
        let report = Report {
            network: net.name.clone(),
            recipe: format!("at most {} bytes", size.bytes),
            calibration_images: self.calibration.len(),
            images: baseline.images,
            rows,
            paper: Vec::new(),
        };
        Ok(Outcome { net: made.net, report })
    }

    fn scales(&mut self, name: &str, bench: &mut Bench<'_>, at: At<'_>) -> Result<Scales, Error> {
        self.work.value(name, || {
            let (all, mut done) = (bench.layers(), 0);
            Ok(bench.measure(at, &mut |layer| {
                done += 1;
                // It is done soon; whoever wants to stop is asked again before the next stage.
                let _ = self.tell("measuring sensitivity", done, all, format!("layers, {layer}"));
            })?)
        })
    }

    /// The network coded at a price, not yet quantized.
    fn priced(&mut self, name: &str, bench: &mut Bench<'_>, scales: &Scales, price: f64) -> Result<Net, Error> {
        let work = self.work;
        work.stage(&format!("{name}-{price:e}"), || {
            let (all, mut done) = (bench.layers(), 0);
            let priced = bench.compress(scales, price, &mut |layer| {
                done += 1;
                let remark = format!("layers, {}: {:.2} bits a weight", layer.name, layer.bits);
                // As above.
                let _ = self.tell(&format!("coding at a price of {price:.2e}"), done, all, remark);
            })?;
            Ok(priced.net)
        })
    }

    /// A price at which the file is at most as large as wanted, and by no more than `near` of it smaller if that is
    /// found soon.
    fn search_price(
        &mut self,
        name: &str,
        bench: &mut Bench<'_>,
        size: &Size,
        scales: &Scales,
        near: f64,
        first: Option<f64>,
    ) -> Result<Pass, Error> {
        // Retraining makes biases and centroids that are a little longer.
        let room = if size.retrain.steps.unwrap_or(0) > 0 { size.bytes - size.bytes / 300 } else { size.bytes };
        // A tenth of a nat, halved with every half bit a weight.
        let guess = 0.14 / bench.net().parameters().max(1) as f64;
        let mut passes: Vec<Pass> = Vec::new();
        while passes.len() < PASSES {
            let price = next_price(&passes, room, near).unwrap_or(first.unwrap_or(guess));
            let (work, number) = (self.work, passes.len() + 1);
            let pass: Pass = work.value(&format!("{name}-pass-{number}"), || {
                let coded = self.priced(name, bench, scales, price)?;
                let integers = format!("{name}-{price:e}-integers");
                let made = self.quantize(&integers, &coded, bench.net(), &size.quantize(), &Retrain::default())?;
                let bytes = code::encode(&made, &code::Options::default())?.len() as u64;
                self.tell("searching the price", number, PASSES, format!("passes, {price:.2e}: {bytes} bytes"))?;
                Ok(Pass { price, bytes })
            })?;
            passes.push(pass);
            let wanted = room as f64;
            if (1.0 - near..=1.0).contains(&(pass.bytes as f64 / wanted)) {
                break;
            }
        }
        let fits = passes.into_iter().filter(|p| p.bytes <= room);
        fits.max_by_key(|p| p.bytes).ok_or_else(|| {
            let message = "no price of a bit makes the file as small as asked for; ask for more bytes";
            Error::Settings(message.to_owned())
        })
    }
}

/// The next price to try, a little below the wanted size; `None` for the first one.
fn next_price(passes: &[Pass], bytes: u64, near: f64) -> Option<f64> {
    let aim = (bytes as f64 * (1.0 - 0.4 * near)).ln();
    let place = |p: &Pass| (p.price.ln(), (p.bytes as f64).ln() - aim);
    let last = place(passes.last()?);
    let above = passes.iter().filter(|p| p.bytes > bytes).map(place).max_by(|a, b| a.0.total_cmp(&b.0));
    let below = passes.iter().filter(|p| p.bytes <= bytes).map(place).min_by(|a, b| a.0.total_cmp(&b.0));
    let ln = match (above, below) {
        // Between the nearest on both sides, along the straight line.
        (Some(a), Some(b)) => {
            let share = if a.1 > b.1 { (a.1 / (a.1 - b.1)).clamp(0.05, 0.95) } else { 0.5 };
            a.0 + share * (b.0 - a.0)
        }
        // Beyond all that were tried, a little further than the slope says: a file shrinks by about a fifth when the
        // price doubles, or as the last two passes show.
        _ => {
            let before = passes.iter().rev().nth(1).map(place);
            let slope = before.map_or(0.3, |b| (b.1 - last.1) / (last.0 - b.0)).clamp(0.1, 1.0);
            last.0 + (1.2 * last.1 / slope).clamp(-4.0, 4.0)
        }
    };
    Some(ln.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_close_in_on_the_size() {
        // Bytes that fall with the price in a bent line.
        let bytes = |price: f64| (3e6 * (1.0 + price / 1e-8).powf(-0.35)) as u64;
        for wanted in [2_900_000, 1_400_000, 200_000] {
            let mut passes = vec![Pass { price: 2e-8, bytes: bytes(2e-8) }];
            while !(0.99..=1.0).contains(&(passes.last().unwrap().bytes as f64 / wanted as f64)) {
                let price = next_price(&passes, wanted, NEAR).unwrap();
                passes.push(Pass { price, bytes: bytes(price) });
                assert!(passes.len() <= PASSES, "{wanted}: {passes:?}");
            }
        }
        assert_eq!(next_price(&[], 1000, NEAR), None);
    }
}
