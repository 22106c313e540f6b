//! Pooling: the maximum or the mean of a sliding window, with Caffe's rules of size and padding.

use rayon::prelude::*;
use synapress_kernels::blocked::pooling::Windows;
use synapress_kernels::real::Real;
use synapress_kernels::scalar::{reciprocal, round_shift, saturate};
use synapress_kernels::wide;

use super::windows::{Axis, Largest, LargestAndPlaces, LargestCodes, Means, spread};
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind};
use crate::layer::{IntegerForward, Kind, Layer};
use crate::pass::{Backward, Float, Forward, Mode};
use crate::shape::Shape;
use crate::structure::Structure;

pub(super) const KIND: Kind = Kind {
    name: "Pooling",
    caffe: &["Pooling", "POOLING"],
    parameter: "pooling_param",
    inputs: [1, 1],
    read: |a| {
        let method = match a.text("pool")?.unwrap_or("MAX") {
            "MAX" | "0" => Method::Max,
            "AVE" | "1" => Method::Average,
            other => return Err(unsupported(format!("pool: {other} is not supported; MAX and AVE are"))),
        };
        let round_up = match a.text("round_mode")?.unwrap_or("CEIL") {
            "CEIL" | "0" => true,
            "FLOOR" | "1" => false,
            other => return Err(unsupported(format!("round_mode: {other} is not supported; CEIL and FLOOR are"))),
        };
        let global = a.get_or("global_pooling", false)?;
        let kernel = super::axes(a, "kernel_size", ["kernel_h", "kernel_w"], global.then_some(0))?;
        let stride = super::axes(a, "stride", ["stride_h", "stride_w"], Some(1))?;
        let pad = super::axes(a, "pad", ["pad_h", "pad_w"], Some(0))?;
        let pad_end = super::pad_end(a, pad)?;
        let count_padding = a.get_or("count_include_pad", true)?;
        a.ignore(&["engine"]);
        a.finish()?;
        if global {
            if kernel != [0; 2] || stride != [1; 2] || pad != [0; 2] || pad_end != [0; 2] {
                return Err(super::senseless("global_pooling excludes kernel_size, stride other than 1 and pad"));
            }
            return super::boxed(Pooling { round_up, ..Pooling::global(method) });
        }
        if kernel.iter().chain(&stride).any(|&v| !(1..=Shape::MOST).contains(&v)) {
            return Err(super::senseless(format!("kernel_size and stride must be 1 to {}", Shape::MOST)));
        }
        if [pad, pad_end].iter().any(|p| p[0] >= kernel[0] || p[1] >= kernel[1]) {
            return Err(super::senseless("pad must be smaller than kernel_size"));
        }
        super::boxed(Pooling { method, global, kernel, stride, pad, pad_end, round_up, count_padding })
    },
};

fn unsupported(message: String) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

/// What becomes of the values in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The largest.
    Max,
    /// Their sum over the size of the window, which does not count what lies beyond the padding.
    Average,
}

/// The maximum or the mean of a sliding window over each channel. Sizes are (vertical, horizontal), in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Pooling {
    /// Maximum or mean.
    pub method: Method,
    /// One window over the whole image; then `kernel`, `stride` and `pad` have no meaning.
    pub global: bool,
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Pixels added before the first one, fewer than the window has.
    pub pad: [usize; 2],
    /// Pixels added behind the last one, likewise.
    pub pad_end: [usize; 2],
    /// Whether a last window that reaches beyond the padded image counts, as Caffe has it by default.
    pub round_up: bool,
    /// Whether a mean counts padding as zeros, as in Caffe, or takes only the image's own pixels.
    pub count_padding: bool,
}

impl Pooling {
    /// The maximum of square windows of side `kernel` at `stride`, with padding.
    pub fn max(kernel: usize, stride: usize, pad: usize) -> Self {
        let global = Self::global(Method::Max);
        Self { global: false, kernel: [kernel; 2], stride: [stride; 2], ..global }.padded([pad; 2])
    }

    /// The mean of square windows of side `kernel` at `stride`, with padding.
    pub fn average(kernel: usize, stride: usize, pad: usize) -> Self {
        Self { method: Method::Average, ..Self::max(kernel, stride, pad) }
    }

    /// One value a channel.
    pub fn global(method: Method) -> Self {
        let (kernel, stride, pad) = ([0; 2], [1; 2], [0; 2]);
        Self { method, global: true, kernel, stride, pad, pad_end: pad, round_up: true, count_padding: true }
    }

    /// The same with so much padding on either side.
    #[must_use]
    pub fn padded(self, pad: [usize; 2]) -> Self {
        Self { pad, pad_end: pad, ..self }
    }

    fn axes(&self, input: Shape) -> Result<[Axis; 2], Error> {
        let size = input.size();
        let axis = |i: usize| {
            let kernel = if self.global { size[i] } else { self.kernel[i] };
            let cut = self.pad != [0; 2] || self.pad_end != [0; 2];
            let pad = [self.pad[i], self.pad_end[i]];
            Axis::new(size[i], kernel, self.stride[i], pad, self.round_up, cut, self.count_padding).ok_or_else(|| {
                Error::new(
                    ErrorKind::Shape,
                    format!(
                        "windows of {:?} at stride {:?} with padding {:?} do not fit {input}, or the last lies \
                         beyond it; round_mode: FLOOR leaves that one out",
                        self.kernel, self.stride, self.pad
                    ),
                )
            })
        };
        Ok([axis(0)?, axis(1)?])
    }

    fn known_axes(&self, input: Shape) -> [Axis; 2] {
        self.axes(input).expect("shapes were checked when the layer was added")
    }
}

impl Layer for Pooling {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn attributes(&self) -> Attributes {
        let a = Attributes::new().with("pool", if self.method == Method::Max { "MAX" } else { "AVE" });
        let a = a.with_unless("round_mode", if self.round_up { "CEIL" } else { "FLOOR" }, "CEIL");
        if self.global {
            return a.with("global_pooling", true);
        }
        let a = super::with_axes(a, "kernel_size", ["kernel_h", "kernel_w"], self.kernel, None);
        let a = super::with_axes(a, "stride", ["stride_h", "stride_w"], self.stride, Some(1));
        let a = super::with_axes(a, "pad", ["pad_h", "pad_w"], self.pad, Some(0));
        super::with_pad_end(a, self.pad_end, self.pad).with_unless("count_include_pad", self.count_padding, true)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        let input = super::only(inputs)?;
        let [y, x] = self.axes(input)?;
        Shape::new(input.channels, y.positions, x.positions)
    }

    fn structure(&self, inputs: &[Shape]) -> Structure {
        let Some(input) = inputs.first() else { return Structure::Other };
        let kernel = if self.global { input.size() } else { self.kernel };
        let windows = Windows { kernel, stride: self.stride, pad: self.pad };
        match self.method {
            Method::Max => Structure::Largest(windows),
            Method::Average if self.pad == self.pad_end && (self.count_padding || self.pad == [0; 2]) => {
                Structure::Mean(windows)
            }
            Method::Average => Structure::Other,
        }
    }

    fn keeps_format(&self) -> bool {
        self.method == Method::Max
    }

    /// The largest code, in the output's format; or the sum of codes times the rounded reciprocal of their number, 16
    /// bits wide, and one rounding shift.
    fn forward_integer(&self, io: IntegerForward<'_>) -> Result<(), Error> {
        let axes = self.axes(io.input_shapes[0])?;
        let (from, to) = (io.input_formats[0], io.output_format);
        let shift = i32::from(from.frac) - i32::from(to.frac);
        if self.method == Method::Max {
            wide::run::<LargestCodes, _>((&axes, io.inputs[0], &mut *io.output));
            if from != to {
                for q in io.output {
                    *q = saturate(round_shift(i64::from(*q), shift), to.bits, to.signed) as i16;
                }
            }
            return Ok(());
        }
        let [vertical, horizontal] = axes;
        let width = horizontal.size;
        let planes = io.inputs[0].chunks_exact(vertical.size * width);
        let outputs = io.output.chunks_exact_mut(vertical.positions * horizontal.positions);
        for (plane, out) in planes.zip(outputs) {
            for (y, line) in out.chunks_exact_mut(horizontal.positions).enumerate() {
                let (y0, y1) = vertical.pixels(y);
                for (x, out) in line.iter_mut().enumerate() {
                    let (x0, x1) = horizontal.pixels(x);
                    let rows = (y0..y1).flat_map(|iy| &plane[iy * width..][x0..x1]);
                    let sum: i64 = rows.map(|&q| i64::from(q)).sum();
                    let (factor, scale) = reciprocal(vertical.counted(y) * horizontal.counted(x));
                    *out = saturate(round_shift(sum * factor, scale + shift), to.bits, to.signed) as i16;
                }
            }
        }
        Ok(())
    }
}

/// Planes that make a piece of work of some size.
fn together(area: usize) -> usize {
    const PIECE: usize = 1 << 14;
    (PIECE / area).max(1)
}

impl<T: Real> Float<T> for Pooling {
    fn forward(&self, io: Forward<'_, T>) {
        let axes = self.known_axes(io.input_shapes[0]);
        let (area, out_area) = (io.input_shapes[0].area(), io.output_shape.area());
        let step = together(area);
        let len = io.output.len();
        let work = io.output.par_chunks_mut(step * out_area).zip(io.inputs[0].par_chunks(step * area));
        if self.method == Method::Max && matches!(io.mode, Mode::Train { .. }) {
            io.memo.places.resize(len, 0);
            let work = work.zip(io.memo.places.par_chunks_mut(step * out_area));
            work.for_each(|((out, planes), places)| wide::run::<LargestAndPlaces, _>((&axes, planes, out, places)));
            return;
        }
        work.for_each(|(out, planes)| match self.method {
            Method::Max => wide::run::<Largest, _>((&axes, planes, out)),
            Method::Average => wide::run::<Means, _>((&axes, planes, out)),
        });
    }

    fn backward(&self, io: Backward<'_, T>) {
        let axes = self.known_axes(io.input_shapes[0]);
        let (area, out_area) = (io.input_shapes[0].area(), io.output_shape.area());
        let Some(target) = &mut io.input_gradients[0] else { return };
        let (step, add, places) = (together(area), target.add, &io.memo.places);
        let work = target.data.par_chunks_mut(step * area).zip(io.output_gradient.par_chunks(step * out_area));
        work.enumerate().for_each(|(piece, (planes, gradients))| {
            if !add {
                planes.fill(T::default());
            }
            let mut row = vec![T::default(); axes[1].size];
            let pairs = planes.chunks_exact_mut(area).zip(gradients.chunks_exact(out_area));
            for (i, (plane, gradient)) in pairs.enumerate() {
                match self.method {
                    Method::Max => {
                        let places = &places[(piece * step + i) * out_area..][..out_area];
                        places.iter().zip(gradient).for_each(|(&p, &d)| plane[p as usize] += d);
                    }
                    Method::Average => spread(&axes, gradient, plane, &mut row),
                }
            }
        });
    }
}
