//! Sliding windows as convolution and pooling have them: sizes, steps, padding on either side.

use synapress_model::attributes::Attributes;
use synapress_model::{Error, ErrorKind, Shape};

use super::{Call, unsupported};
use crate::onnx::values::Padding;

/// A window; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub before: [usize; 2],
    pub behind: [usize; 2],
}

impl Windows {
    /// What a node's attributes say of windows of this size (as `kernel_shape` has it, if that is given) over an image.
    pub fn read(call: &Call<'_, '_>, kernel: Option<[usize; 2]>, input: Shape) -> Result<Self, Error> {
        let a = &call.attributes;
        let wrong = |message: String| Error::new(ErrorKind::Attribute, message);
        let given = a.pair("kernel_shape", 0)?;
        let kernel = match kernel {
            None => given,
            Some(kernel) if given == [0; 2] || given == kernel => kernel,
            Some(kernel) => return Err(wrong(format!("kernel_shape is {given:?}, but the weights' is {kernel:?}"))),
        };
        let (stride, dilation) = (a.pair("strides", 1)?, a.pair("dilations", 1)?);
        if kernel.iter().chain(&stride).chain(&dilation).any(|&n| n == 0 || n > Shape::MOST) {
            return Err(wrong(format!(
                "kernel_shape {kernel:?}, strides {stride:?} and dilations {dilation:?} must be 1 to {}",
                Shape::MOST
            )));
        }
        let mut windows = Self { kernel, stride, dilation, before: [0; 2], behind: [0; 2] };
        let pads = a.ints("pads")?.unwrap_or_default();
        let automatic = a.text("auto_pad", "NOTSET")?;
        match automatic.as_str() {
            "NOTSET" | "" => windows.explicit(&pads)?,
            "VALID" => {}
            "SAME_UPPER" => windows.same(input, true),
            "SAME_LOWER" => windows.same(input, false),
            other => return Err(unsupported(format!("auto_pad {other} is not supported"))),
        }
        Ok(windows)
    }

    fn explicit(&mut self, pads: &[i64]) -> Result<(), Error> {
        let size = |&p: &i64| {
            let small = usize::try_from(p).ok().filter(|&p| p <= Shape::MOST);
            small.ok_or_else(|| unsupported(format!("padding of {p} is not supported; 0 and more are")))
        };
        let pads = pads.iter().map(size).collect::<Result<Vec<_>, _>>()?;
        match pads[..] {
            [] => Ok(()),
            [top, left, bottom, right] => {
                (self.before, self.behind) = ([top, left], [bottom, right]);
                Ok(())
            }
            _ => Err(unsupported(format!("{} pads; four, for height and width, are supported", pads.len()))),
        }
    }

    /// As much padding as gives `ceil(size / stride)` positions, the odd one behind (`upper`) or before.
    fn same(&mut self, input: Shape, upper: bool) {
        for (i, size) in input.size().into_iter().enumerate() {
            let positions = size.div_ceil(self.stride[i]);
            let span = (positions - 1).saturating_mul(self.stride[i]);
            let extent = (self.kernel[i] - 1).saturating_mul(self.dilation[i]).saturating_add(1);
            let total = span.saturating_add(extent).saturating_sub(size).min(Shape::MOST);
            let (less, more) = (total / 2, total - total / 2);
            (self.before[i], self.behind[i]) = if upper { (less, more) } else { (more, less) };
        }
    }

    /// The same with more padding around.
    pub fn padded(mut self, more: &Padding) -> Self {
        for i in 0..2 {
            self.before[i] = self.before[i].saturating_add(more.before[i]);
            self.behind[i] = self.behind[i].saturating_add(more.behind[i]);
        }
        self
    }

    /// Whether there is any padding.
    pub fn is_padded(&self) -> bool {
        self.before != [0; 2] || self.behind != [0; 2]
    }

    /// As a layer's attributes, without the dilation.
    pub fn attributes(&self, a: Attributes) -> Attributes {
        let pairs = [("kernel", self.kernel), ("stride", self.stride), ("pad", self.before), ("pad_end", self.behind)];
        pairs.into_iter().fold(a, |a, (name, [y, x])| a.with(&format!("{name}_h"), y).with(&format!("{name}_w"), x))
    }
}
