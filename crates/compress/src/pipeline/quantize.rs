//! Quantization as a job: range analysis on calibration images, and widths that top-1 of the integers judges.

use synapress_model::{Form, Net};

use super::{Error, Job, Judge};
use crate::quantize::search::{Search, search};
use crate::quantize::{self, Calibration, Options, requantize, with_biases};
use crate::recipe::{self, Fit, Quantize, Retrain};

/// Calibration images of range analysis, unless a recipe says otherwise.
const IMAGES: usize = 64;

impl Job<'_> {
    /// Quantizes a network; widths that `settings` leaves open are searched. Then, if `settings` have blocks or
    /// `retrain` asks for steps, the network is rebuilt and retrained through these integers, `float` being the teacher,
    /// and takes them again. `name` is what the
    /// stage is kept as.
    ///
    /// # Errors
    /// Those of the steps, and [`Error::Stopped`].
    pub fn quantize(
        &mut self,
        name: &str,
        net: &Net,
        float: &Net,
        settings: &Quantize,
        retrain: &Retrain,
    ) -> Result<Net, Error> {
        let work = self.work;
        let steps = retrain.steps.unwrap_or(0);
        let fitted;
        let mut net = net;
        if let (Some(fit), Some(_), Some(_)) = (&settings.fit, settings.conv_bits, settings.fc_bits)
            && !net.weights.iter().flatten().any(|w| matches!(w.form, Form::Coded { .. }))
        {
            fitted = work.stage(&format!("{name}-fitted"), || self.compensate(net, float, settings, fit))?;
            net = &fitted;
        }
        let blocks = settings.blocks.as_ref().filter(|b| b.steps > 0);
        if steps == 0 && blocks.is_none() {
            return self.integers(name, net, settings);
        }
        let integers = self.integers(&format!("{name}-start"), net, settings)?;
        work.stage(name, || {
            let mut start = with_biases(net, &integers)?;
            if let Some(blocks) = blocks {
                start = self.rebuild(name, &start, float, Some(&integers), blocks)?;
            }
            let trained = self.retrain(name, &start, float, true, Some(&integers), retrain)?;
            let mut made = requantize(&trained, &integers)?;
            made.about.history = integers.about.history.clone();
            made.about.history.extend(start.about.history.last().filter(|_| blocks.is_some()).cloned());
            if steps > 0 {
                made.about.history.push(format!("retrain through the integers, {steps} steps"));
            }
            Ok(made)
        })
    }

    fn compensate(&mut self, net: &Net, float: &Net, settings: &Quantize, fit: &Fit) -> Result<Net, Error> {
        let (images, _) = self.images(fit.images, net.graph.shape(net.graph.input()?))?;
        let mut told = self.layers_told("rounding weights", net.synaptic().len());
        Ok(quantize::compensate(float, net, &images, &options(settings), &fit.into(), &mut told)?)
    }

    fn integers(&mut self, name: &str, net: &Net, settings: &Quantize) -> Result<Net, Error> {
        let work = self.work;
        work.stage(name, || {
            self.tell("range analysis", 0, 1, "")?;
            let images = settings.images.unwrap_or(IMAGES);
            let (images, _) = self.images(images, net.graph.shape(net.graph.input()?))?;
            let calibration = Calibration::new(net, &images)?;
            let options = options(settings);
            let Some(widths) = &settings.search else { return Ok(told(calibration.quantize(&options)?.net, &options)) };
            let wanted = Search {
                min: widths.min,
                max: widths.max,
                tolerance: widths.tolerance,
                conv: settings.conv_bits.is_none(),
                fc: settings.fc_bits.is_none(),
                output: settings.output_bits.is_none(),
            };
            let mut judge = Judge::new(self, net)?;
            let mut tries = 0;
            let found = search(&calibration, &options, &wanted, &mut |net| judge.top1(net), &mut |t| {
                tries += 1;
                let remark =
                    format!("tries, {} / {} / {} bits: {:+.2} points", t.conv_bits, t.fc_bits, t.output_bits, -t.loss);
                self.tell("searching bit widths", tries, tries + 1, remark)
            })?;
            Ok(told(found.quantized.net, &found.options))
        })
    }
}

fn told(mut net: Net, options: &Options) -> Net {
    let Options { conv_bits, fc_bits, output_bits, .. } = options;
    net.about.history.push(format!(
        "quantize to {conv_bits}-bit convolution, {fc_bits}-bit fully connected, {output_bits}-bit outputs"
    ));
    net
}

fn options(settings: &Quantize) -> Options {
    let base = Options::default();
    Options {
        conv_bits: settings.conv_bits.unwrap_or(base.conv_bits),
        fc_bits: settings.fc_bits.unwrap_or(base.fc_bits),
        output_bits: settings.output_bits.unwrap_or(base.output_bits),
        input_bits: settings.input_bits,
        range: match settings.range {
            recipe::Range::Largest => quantize::Range::Max,
            recipe::Range::SquaredError => quantize::Range::SquaredError,
        },
        ..base
    }
}
