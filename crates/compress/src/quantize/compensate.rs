//! Error-compensated rounding of weights to the codes of their formats: weights still to be rounded make up for the error
//! of those before, so that a layer's outputs stay rather than its weights (Frantar et al. 2023, GPTQ; here with the
//! float network's outputs as the target and pruned weights held at zero).

use synapress_model::{Bias, Error, Fixed, Form, Net};

use super::Options;
use crate::layerwise::problem::{Look, settle_layers};

/// A dense or pruned network whose weights are values of codes of the bit widths that it is to be quantized with, and
/// whose biases take up the means. Quantization then finds these very codes. `float` is the network that it was made
/// from, `images` are preprocessed, `(n, C, H, W)`. `progress` is told of each layer by name when it is done.
///
/// # Errors
/// [`synapress_model::ErrorKind::Format`] when a layer is grouped or quantized, `Attribute` for widths that are not
/// supported, `Shape` when `images` is no whole number of images.
pub fn compensate(
    float: &Net,
    net: &Net,
    images: &[f32],
    options: &Options,
    look: &Look,
    progress: &mut dyn FnMut(&str),
) -> Result<Net, Error> {
    options.check(net)?;
    settle_layers(float, net, images, look, &mut |id, weights, problem| {
        progress(&net.graph.node(id).name);
        let mut next = weights.clone();
        let Some(problem) = problem else { return Ok(next) };
        let largest = problem.optimum().iter().fold(0.0f32, |m, w| m.max(w.abs()));
        let tried = Fixed::candidates(options.weight_bits(net, id), largest).map(|format| {
            let values = problem.settle(look.passes, |c| format.value(format.quantize(c.best)));
            (problem.error(&values), values)
        });
        if let Some((_, values)) = tried.min_by(|a, b| a.0.total_cmp(&b.0)) {
            if let Bias::Float(bias) = &mut next.bias {
                problem.correct(&values, bias);
            }
            next.form = Form::Dense(values);
        }
        Ok(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::{numbers, small_net};
    use crate::prune::{apply, ratios_for, weights_of};
    use crate::quantize::{Calibration, quantize};
    use synapress_run::Session;

    #[test]
    fn the_codes_are_kept_and_the_scores_are_nearer() {
        let float = small_net(18);
        let pruned = apply(&float, &ratios_for(&float, &0.1.into()).unwrap()).unwrap();
        let images = numbers(400 * 4 * 81, 5);
        let options = Options { conv_bits: 3, fc_bits: 3, output_bits: 12, ..Options::default() };
        let found = compensate(&float, &pruned, &images, &options, &Look::default(), &mut |_| {}).unwrap();
        let integers = Calibration::new(&found, &images).unwrap().quantize(&options).unwrap().net;
        for id in float.synaptic() {
            let [before, rounded, codes] = [&pruned, &found, &integers].map(|n| weights_of(n, id).unwrap().values());
            assert_eq!(rounded, codes);
            assert!(before.iter().zip(codes.iter()).all(|(b, a)| *b != 0.0 || *a == 0.0));
        }
        let others = numbers(30 * 4 * 81, 78);
        let scores = |net: &Net| {
            let mut session = Session::new(net).unwrap();
            others.chunks(4 * 81).flat_map(|image| session.run(image).unwrap().to_vec()).collect::<Vec<f32>>()
        };
        let mut executor = synapress_run::Executor::<f32>::new(&float, 30, synapress_run::Keep::Output).unwrap();
        let wanted = executor.forward(&others, synapress_model::Mode::Infer).to_vec();
        let error = |net: &Net| scores(net).iter().zip(&wanted).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        let [plain, compensated] = [error(&quantize(&pruned, &images, &options).unwrap()), error(&integers)];
        assert!(compensated < 0.9 * plain, "{compensated} {plain}");
    }
}
