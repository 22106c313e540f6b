//! A data set out of nothing: rendered shapes of ten classes, with pose, colour, clutter and noise. For the demo and for
//! tests; it stands for no benchmark.
//!
//! An image depends on the seed and its number alone, so a set can be cut anywhere, and images for training and for
//! evaluation are simply other numbers.

mod shapes;

use std::f32::consts::TAU;
use std::ops::Range;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;
use synapress_images::{Image, MOST_PIXELS};

use super::augment::mix;
use super::dataset::Dataset;
use super::error::Error;
use shapes::SHAPES;

/// How images are rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    /// Seed of everything.
    pub seed: u64,
    /// Width of the images in pixels.
    pub width: u32,
    /// Height of the images in pixels.
    pub height: u32,
    /// How hard the images are: 0 is a clean shape on a plain ground; at 1 a small network gets most of them right.
    /// Clutter, noise, distortion and likeness of shape and ground grow with it.
    pub difficulty: f32,
}

impl Default for Synthetic {
    fn default() -> Self {
        Self { seed: 1, width: 32, height: 32, difficulty: 1.0 }
    }
}

impl Synthetic {
    /// Number of classes.
    pub const CLASSES: usize = SHAPES.len();

    /// Names of the classes.
    pub fn class_names() -> Vec<String> {
        SHAPES.iter().map(|s| s.name.to_owned()).collect()
    }

    /// Class of an image: classes take turns.
    pub fn label(&self, number: u64) -> u32 {
        (number % SHAPES.len() as u64) as u32
    }

    /// The images of a range of numbers, in memory.
    ///
    /// # Errors
    /// When the range is empty, or the size is zero or over the limits of an [`Image`].
    ///
    /// ```
    /// # use synapress_compress::data::synthetic::Synthetic;
    /// let dataset = Synthetic::default().dataset(0..20)?;
    /// assert_eq!((dataset.len(), dataset.class_names()[0].as_str()), (20, "disc"));
    /// # Ok::<(), synapress_compress::data::Error>(())
    /// ```
    pub fn dataset(&self, numbers: Range<u64>) -> Result<Dataset, Error> {
        let images: Result<Vec<(Image, u32)>, Error> =
            numbers.into_par_iter().map(|n| Ok((self.image(n)?, self.label(n)))).collect();
        Dataset::from_images(&format!("synthetic shapes of seed {}", self.seed), images?, Self::class_names())
    }

    /// One image.
    ///
    /// # Errors
    /// [`Error::Options`] when the size is zero or over the limits of an [`Image`].
    pub fn image(&self, number: u64) -> Result<Image, Error> {
        let (width, height) = (self.width, self.height);
        let area = u64::from(width) * u64::from(height);
        if area == 0 || area > MOST_PIXELS {
            return Err(Error::Options(format!("{width}x{height} is no size of an image")));
        }
        let mut rng = Pcg64Mcg::seed_from_u64(mix(self.seed, number));
        let scene = Scene::draw(&mut rng, self, self.label(number) as usize);
        let mut pixels = Vec::with_capacity(3 * area as usize);
        for y in 0..height {
            for x in 0..width {
                let colour = scene.colour([x as f32 + 0.5, y as f32 + 0.5]);
                // Sum of uniform numbers: near enough to normal, and the same on every machine.
                pixels.extend(colour.map(|c| {
                    let normal = (0..4).map(|_| rng.random::<f32>()).sum::<f32>() * 1.732 - 3.464;
                    (c + scene.noise * normal).round().clamp(0.0, 255.0) as u8
                }));
            }
        }
        Image::new(width, height, pixels).map_err(Error::Options)
    }
}

type Colour = [f32; 3];

/// Something drawn over the ground: a shape at a pose, with a colour that runs to another one.
struct Thing {
    shape: fn([f32; 2]) -> f32,
    centre: [f32; 2],
    /// Pixels to the shape's own coordinates.
    to_shape: [[f32; 2]; 2],
    /// Pixels of one unit of the shape's coordinates.
    unit: f32,
    colours: [Colour; 2],
}

impl Thing {
    /// Something of a radius in pixels, turned at random, at a place within a share of the image's size.
    fn draw(
        rng: &mut Pcg64Mcg,
        shape: fn([f32; 2]) -> f32,
        radius: f32,
        stretch: f32,
        size: [f32; 2],
        place: [f32; 2],
        colours: [Colour; 2],
    ) -> Self {
        let centre = size.map(|s| s * between(rng, place[0], place[1]));
        let (a, b) = (radius * stretch.sqrt(), radius / stretch.sqrt());
        // Turn, stretch along an axis, turn again.
        let [(sin, cos), (sin2, cos2)] = [(); 2].map(|()| between(rng, 0.0, TAU).sin_cos());
        let rows = [[cos / a, sin / a], [-sin / b, cos / b]];
        let to_shape =
            [[cos2, sin2], [-sin2, cos2]].map(|t| [0, 1].map(|j: usize| t[0] * rows[0][j] + t[1] * rows[1][j]));
        Self { shape, centre, to_shape, unit: b, colours }
    }
}

fn between(rng: &mut Pcg64Mcg, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

fn any_colour(rng: &mut Pcg64Mcg) -> Colour {
    [(); 3].map(|()| between(rng, 15.0, 240.0))
}

/// All that an image shows.
struct Scene {
    ground: [Colour; 2],
    /// Direction of the ground's gradient, over the image.
    slope: [f32; 2],
    /// Waves on the ground: direction in radians a pixel, phase, height.
    waves: [([f32; 2], f32, f32); 3],
    /// From the back to the front.
    things: Vec<Thing>,
    noise: f32,
}

impl Scene {
    fn draw(rng: &mut Pcg64Mcg, options: &Synthetic, class: usize) -> Self {
        let hard = options.difficulty.clamp(0.0, 4.0);
        let size = [options.width as f32, options.height as f32];
        let side = size[0].min(size[1]);

        let base = any_colour(rng);
        let far = base.map(|c| c + hard * between(rng, -40.0, 40.0));
        let turn = between(rng, 0.0, TAU);
        let slope = [turn.cos() / size[0], turn.sin() / size[1]];
        let wave = |rng: &mut Pcg64Mcg| {
            let (turn, rate) = (between(rng, 0.0, TAU), between(rng, 2.0, 10.0) / side);
            ([rate * turn.cos(), rate * turn.sin()], between(rng, 0.0, TAU), hard * between(rng, 0.0, 10.0))
        };
        let waves = [(); 3].map(|()| wave(rng));

        // A shape is told from its ground by colour, at least in one channel.
        let contrast = 50.0 + 50.0 / (1.0 + hard);
        let mut colour = any_colour(rng);
        while (0..3).all(|c| (colour[c] - base[c]).abs() < contrast) {
            colour = any_colour(rng);
        }
        let shade = colour.map(|c| c + hard * between(rng, -25.0, 25.0));

        let clutter = |rng: &mut Pcg64Mcg, things: &mut Vec<Thing>, most: f32| {
            for _ in 0..between(rng, 0.0, hard * most + 0.5) as usize {
                let (shape, radius): (fn([f32; 2]) -> f32, f32) = match rng.random::<bool>() {
                    true => (shapes::stroke, between(rng, 0.1, 0.4)),
                    false => (SHAPES[rng.random_range(0..SHAPES.len())].distance, between(rng, 0.04, 0.1)),
                };
                let colours = [any_colour(rng); 2];
                things.push(Thing::draw(rng, shape, side * radius, 1.0, size, [0.0, 1.0], colours));
            }
        };
        let mut things = Vec::new();
        clutter(rng, &mut things, 6.0);
        let (radius, room) = (side * between(rng, 0.36 - 0.12 * hard.min(2.0), 0.4), 0.06 + 0.08 * hard.min(2.0));
        let stretch = 1.0 + 0.35 * hard.min(2.0) * between(rng, 0.0, 1.0);
        let place = [0.5 - room, 0.5 + room];
        things.push(Thing::draw(rng, SHAPES[class].distance, radius, stretch, size, place, [colour, shade]));
        clutter(rng, &mut things, 2.0);
        let noise = 1.0 + hard * between(rng, 4.0, 24.0);
        Self { ground: [base, far], slope, waves, things, noise }
    }

    fn colour(&self, at: [f32; 2]) -> Colour {
        let along = (at[0] * self.slope[0] + at[1] * self.slope[1]).clamp(-1.0, 1.0) * 0.5 + 0.5;
        let mut colour = blend(self.ground[0], self.ground[1], along);
        for (direction, phase, height) in &self.waves {
            let wave = height * (at[0] * direction[0] + at[1] * direction[1] + phase).sin();
            colour = colour.map(|c| c + wave);
        }
        for thing in &self.things {
            let d = [at[0] - thing.centre[0], at[1] - thing.centre[1]];
            let p = thing.to_shape.map(|row| row[0] * d[0] + row[1] * d[1]);
            let cover = (0.5 - (thing.shape)(p) * thing.unit).clamp(0.0, 1.0);
            if cover > 0.0 {
                let inside = blend(thing.colours[0], thing.colours[1], (0.5 * p[1] + 0.5).clamp(0.0, 1.0));
                colour = blend(colour, inside, cover);
            }
        }
        colour
    }
}

fn blend(a: Colour, b: Colour, share: f32) -> Colour {
    [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_depends_on_seed_and_number_alone() {
        let options = Synthetic::default();
        let whole = options.dataset(0..30).unwrap();
        let part = options.dataset(20..30).unwrap();
        for i in 0..10 {
            assert_eq!(whole.image(20 + i).unwrap(), part.image(i).unwrap());
            assert_eq!(whole.label(20 + i), part.label(i));
        }
        let other = Synthetic { seed: 2, ..options }.image(3).unwrap();
        assert_ne!(*whole.image(3).unwrap(), other);
        assert_eq!((whole.classes(), whole.class_names().len()), (10, 10));
        assert_eq!((other.width(), other.height()), (32, 32));
    }

    #[test]
    fn any_size_is_rendered_and_none_is_refused() {
        for (width, height) in [(1, 1), (8, 100), (64, 48)] {
            let options = Synthetic { width, height, ..Synthetic::default() };
            let image = options.image(4).unwrap();
            assert_eq!((image.width(), image.height()), (width, height));
        }
        assert!(Synthetic { width: 0, ..Synthetic::default() }.image(0).is_err());
        assert!(Synthetic { width: u32::MAX, height: u32::MAX, ..Synthetic::default() }.image(0).is_err());
        assert!(Synthetic::default().dataset(3..3).is_err());
    }

    #[test]
    fn a_plain_shape_stands_out_from_its_ground() {
        let options = Synthetic { difficulty: 0.0, ..Synthetic::default() };
        for number in 0..50 {
            let image = options.image(number).unwrap();
            let corner: Vec<i32> = image.pixels()[..3].iter().map(|&v| v.into()).collect();
            let apart = |p: &[u8]| (0..3).any(|c| (i32::from(p[c]) - corner[c]).abs() > 30);
            let share = image.pixels().chunks(3).filter(|p| apart(p)).count();
            assert!((60..800).contains(&share), "{share} of 1024 pixels of image {number}");
        }
    }
}
