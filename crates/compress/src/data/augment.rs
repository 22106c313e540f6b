//! Random changes of training images: position, scale, shift, flip, brightness, colour, cutout. Only what is drawn; how an
//! image is cropped and changed accordingly is [`synapress_images`].

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use synapress_images::{Draw, Hole, MOST_SIDE};

use super::error::Error;

/// How training images vary. The default leaves them as they are.
///
/// What is drawn depends on the seed and on the image's [number](super::Dataset::id) alone, never on threads. Give each
/// epoch its own seed, for example `mix(seed, epoch)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Augment {
    /// Crop at a random position of the (resized) image, in place of its centre.
    pub position: bool,
    /// Range of the factor by which the crop's sides are multiplied before it is scaled to the network's input; a
    /// factor below 1 enlarges what is seen. `[1.0, 1.0]`: none. A crop never exceeds the image.
    pub scale: [f32; 2],
    /// The crop's aspect ratio is multiplied by a factor from `1 / aspect` to `aspect`. 1: none.
    pub aspect: f32,
    /// Shift the network's input by up to so many pixels each way; what comes in is the mean. For images that are no
    /// larger than the network's input.
    pub shift: u32,
    /// Mirror every other image, left to right.
    pub flip: bool,
    /// Multiply all channels by a factor of up to so much more or less than 1.
    pub brightness: f32,
    /// Multiply each channel by a factor of up to so much more or less than 1.
    pub colour: f32,
    /// Side in pixels of a square of the network's input that holds the mean instead, its centre anywhere in the input
    /// (Cutout: DeVries and Taylor 2017). 0: none.
    pub cutout: u32,
}

impl Default for Augment {
    fn default() -> Self {
        let (brightness, colour) = (0.0, 0.0);
        Self { position: false, scale: [1.0, 1.0], aspect: 1.0, shift: 0, flip: false, brightness, colour, cutout: 0 }
    }
}

impl Augment {
    /// What one usually wants for images that are larger than the network's input: random position and flip.
    pub fn crop_and_flip() -> Self {
        Self { position: true, flip: true, ..Self::default() }
    }

    /// Scale, aspect ratio, brightness and colour vary too: for long training on few images, with a teacher that says
    /// what each variation is.
    pub fn strong() -> Self {
        Self { scale: [0.6, 1.0], aspect: 4.0 / 3.0, brightness: 0.2, colour: 0.1, ..Self::crop_and_flip() }
    }

    /// What one usually wants for small images, such as CIFAR's: a shift and flip.
    pub fn shift_and_flip(shift: u32) -> Self {
        Self { shift, flip: true, ..Self::default() }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Options`], naming the value.
    pub fn check(&self) -> Result<(), Error> {
        let [low, high] = self.scale;
        let wrong = |message: &str| Err(Error::Options(message.to_owned()));
        if !(low > 0.0 && low <= high && high <= 16.0) {
            return wrong("the scale of augmentation is a range of factors above 0 and at most 16");
        }
        if !(self.aspect >= 1.0 && self.aspect <= 16.0) {
            return wrong("the aspect of augmentation is a factor from 1 to 16");
        }
        if !(0.0..=1.0).contains(&self.brightness) || !(0.0..=1.0).contains(&self.colour) {
            return wrong("brightness and colour of augmentation are from 0 to 1");
        }
        if self.shift > MOST_SIDE || self.cutout > MOST_SIDE {
            return wrong("shift and cutout of augmentation are at most as large as any image");
        }
        Ok(())
    }

    /// Draws for one image. Every number is drawn whether it is used or not, so that switching one change on leaves
    /// the others as they were.
    pub(super) fn draw(&self, seed: u64, image: u64) -> Draw {
        let mut rng = Pcg64Mcg::seed_from_u64(mix(seed, image));
        let mut unit = || rng.random::<f64>();
        let position = [unit(), unit()];
        let [low, high] = self.scale.map(f64::from);
        let scale = low + (high - low) * unit();
        let aspect = f64::from(self.aspect).powf(unit() - 0.5);
        let room = i64::from(self.shift);
        let shift = [unit(), unit()].map(|u| (u * (2 * room + 1) as f64) as i64 - room);
        let flip = unit() < 0.5;
        let mut factor = |by: f32| 1.0 + by * (2.0 * unit() as f32 - 1.0);
        let brightness = factor(self.brightness);
        let gain = [(); 3].map(|()| brightness * factor(self.colour));
        let hole = Hole { centre: [unit(), unit()], side: self.cutout };
        Draw {
            position: self.position.then_some(position),
            scale: [scale / aspect, scale * aspect],
            shift: shift.map(|s| s as isize),
            flip: self.flip && flip,
            gain,
            hole: (self.cutout > 0).then_some(hole),
        }
    }
}

/// A seed made of two numbers, such as a seed and an epoch (SplitMix64's finalizer).
pub fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use synapress_images::{Image, Resizer, prepare};
    use synapress_model::{Preprocess, Shape};

    use super::*;

    #[test]
    fn draws_cover_their_ranges() {
        let augment = Augment {
            position: true,
            scale: [0.5, 1.0],
            aspect: 1.5,
            shift: 2,
            flip: true,
            brightness: 0.2,
            colour: 0.1,
            cutout: 3,
        };
        augment.check().unwrap();
        let draws: Vec<Draw> = (0..4000).map(|i| augment.draw(7, i)).collect();
        for shift in -2..=2 {
            let share = draws.iter().filter(|d| d.shift[0] == shift).count();
            assert!((600..1000).contains(&share), "{share} of 4000 shifts by {shift}");
        }
        let centres = |at: usize| draws.iter().filter_map(move |d| Some(d.hole?.centre[at]));
        for place in 0..8 {
            let inside = |c: &f64| (8.0 * c) as usize == place;
            let shares = [0, 1].map(|at| centres(at).filter(inside).count());
            assert!(shares.iter().all(|n| (400..600).contains(n)), "{shares:?} of 4000 centres in part {place}");
        }
        let flips = draws.iter().filter(|d| d.flip).count();
        assert!((1850..2150).contains(&flips));
        for draw in &draws {
            let side = (draw.scale[0] * draw.scale[1]).sqrt();
            assert!((0.5..=1.0).contains(&side));
            assert!((1.0 / 1.5..=1.5).contains(&(draw.scale[1] / draw.scale[0])));
            assert!(draw.gain.iter().all(|g| (0.72..=1.32).contains(g)));
        }
        assert_eq!(draws[5], augment.draw(7, 5));
        assert_ne!(draws[5], augment.draw(8, 5));
        let plain = Augment::default().draw(7, 5);
        assert_eq!(plain, Draw::NONE);
    }

    #[test]
    fn a_hole_holds_the_mean_and_changes_nothing_else() {
        let shape = Shape::new(3, 8, 8).unwrap();
        let image = Image::new(8, 8, (0..192).map(|v| v as u8 + 1).collect()).unwrap();
        let plain = Augment { shift: 1, flip: true, ..Augment::default() };
        let cut = Augment { cutout: 4, ..plain.clone() };
        let [mut before, mut after] = [vec![0.0; 192], vec![0.0; 192]];
        let mut sizes = std::collections::BTreeSet::new();
        for i in 0..200 {
            let mut resizer = Resizer::default();
            let base = Preprocess::default();
            prepare(&image, &base, shape, &plain.draw(9, i), &mut resizer, &mut before);
            prepare(&image, &base, shape, &cut.draw(9, i), &mut resizer, &mut after);
            let hole = cut.draw(9, i).hole.unwrap();
            let (rows, columns) = (hole.range(0, 8), hole.range(1, 8));
            sizes.insert(rows.len() * columns.len());
            for (at, (b, a)) in before.iter().zip(&after).enumerate() {
                let inside = rows.contains(&(at / 8 % 8)) && columns.contains(&(at % 8));
                assert_eq!(*a, if inside { 0.0 } else { *b }, "image {i}, value {at}");
            }
        }
        assert!(sizes.contains(&16) && sizes.first() < Some(&9), "{sizes:?}");
    }

    #[test]
    fn windows_of_random_crops_lie_in_the_image() {
        let augment = Augment { position: true, scale: [0.3, 1.6], aspect: 2.0, ..Augment::default() };
        let shape = Shape::new(3, 8, 8).unwrap();
        let mut resizer = Resizer::default();
        let mut out = vec![0.0; 3 * 64];
        for i in 0..300u32 {
            let (width, height) = (1 + i % 37, 1 + (i * 7) % 41);
            let pixels = [0, 0, 200].repeat((width * height) as usize);
            let image = Image::new(width, height, pixels).unwrap();
            let resize = [None, Some(9), Some(30)][(i % 3) as usize];
            let preprocess = Preprocess { resize, ..Preprocess::default() };
            prepare(&image, &preprocess, shape, &augment.draw(3, i.into()), &mut resizer, &mut out);
            assert!(out[..64].iter().all(|&v| v == 200.0));
        }
    }

    #[test]
    fn senseless_ranges_are_refused() {
        let base = Augment::default();
        for augment in [
            Augment { scale: [0.0, 1.0], ..base.clone() },
            Augment { scale: [1.0, 0.5], ..base.clone() },
            Augment { scale: [f32::NAN, 0.5], ..base.clone() },
            Augment { aspect: 0.5, ..base.clone() },
            Augment { brightness: -1.0, ..base.clone() },
            Augment { colour: f32::NAN, ..base.clone() },
            Augment { shift: u32::MAX, ..base.clone() },
            Augment { cutout: u32::MAX, ..base.clone() },
        ] {
            assert!(augment.check().is_err(), "{augment:?}");
        }
    }
}
