//! A set of labelled images. Decodes an image when it is asked for and keeps what fits its cache; it neither prepares
//! images for a network (see [`synapress_images`]) nor loads ahead (see [`super::Loader`]).

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use synapress_images::{Image, MOST_BYTES};

use super::error::{Bad, Error, Fault};
use super::formats::{self, Contents};
use super::source::{Item, Place, Store, read_file};

/// Labelled images of any of the [formats](super::FORMATS), or in memory. Cheap to clone; clones and selections share
/// the cache of decoded images.
///
/// ```no_run
/// # use synapress_compress::data::Dataset;
/// let dataset = Dataset::open("images/list.txt".as_ref())?;
/// println!("{}: class {} of {}", dataset.name(0), dataset.label(0), dataset.classes());
/// # Ok::<(), synapress_compress::data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    shared: Arc<Shared>,
    /// Which of the items.
    chosen: Arc<[u32]>,
    classes: usize,
}

#[derive(Debug)]
struct Shared {
    source: String,
    items: Vec<Item>,
    class_names: Vec<String>,
    stores: Vec<Store>,
    cache: Vec<OnceLock<Arc<Image>>>,
    cached: AtomicU64,
    cache_bytes: u64,
}

impl Dataset {
    /// Decoded images are kept up to this many bytes.
    pub const CACHE_BYTES: u64 = 512 << 20;

    /// Opens what is at a path, in whatever [format](super::FORMATS) it is. Images are not looked at yet.
    ///
    /// # Errors
    /// [`Error::Source`], naming the file and the line.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with_cache(path, Self::CACHE_BYTES)
    }

    /// The same, keeping decoded images up to so many bytes.
    ///
    /// # Errors
    /// See [`Dataset::open`].
    pub fn open_with_cache(path: &Path, cache_bytes: u64) -> Result<Self, Error> {
        let contents = formats::read(path).map_err(Error::Source)?;
        Self::new(path.display().to_string(), contents, cache_bytes)
    }

    /// A set of images in memory, with their labels. `source` is what it is called.
    ///
    /// # Errors
    /// [`Error::Source`] when there are no images, or a label has no class.
    pub fn from_images(source: &str, images: Vec<(Image, u32)>, class_names: Vec<String>) -> Result<Self, Error> {
        if images.is_empty() {
            return Err(Error::Source(Fault::new(source, "there are no images")));
        }
        let item = |(at, label)| Item { name: format!("{at}"), label, line: None, place: Place::Memory };
        let items = images.iter().map(|(_, label)| *label).enumerate().map(item).collect();
        let set = Self::new(source.to_owned(), Contents { items, class_names, stores: Vec::new() }, 0)?;
        for (slot, (image, _)) in set.shared.cache.iter().zip(images) {
            let _ = slot.set(Arc::new(image));
        }
        Ok(set)
    }

    fn new(source: String, contents: Contents, cache_bytes: u64) -> Result<Self, Error> {
        let Contents { items, class_names, stores } = contents;
        let count = u32::try_from(items.len())
            .map_err(|_| Error::Source(Fault::new(&*source, "over 4294967295 images are too many")))?;
        let classes = match class_names.is_empty() {
            true => items.iter().map(|i| i.label as usize + 1).max().unwrap_or(0),
            false => class_names.len(),
        };
        let cache = (0..items.len()).map(|_| OnceLock::new()).collect();
        let cached = AtomicU64::new(0);
        let shared = Shared { source, items, class_names, stores, cache, cached, cache_bytes };
        let set = Self { shared: Arc::new(shared), chosen: (0..count).collect(), classes };
        set.check_labels(classes)?;
        Ok(set)
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Whether there are none (as in an empty selection).
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// Number of classes: those that have names, or else the largest label of the whole set and one.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Names of the classes in the order of their labels; empty where nothing names them, such as in a list file.
    pub fn class_names(&self) -> &[String] {
        &self.shared.class_names
    }

    /// What was opened.
    pub fn source(&self) -> &str {
        &self.shared.source
    }

    fn item(&self, i: usize) -> &Item {
        &self.shared.items[self.chosen[i] as usize]
    }

    /// Class of an image.
    ///
    /// # Panics
    /// When there is no such image; likewise the other methods that take an image's number.
    pub fn label(&self, i: usize) -> usize {
        self.item(i).label as usize
    }

    /// What an image is called in the list, folder, archive or file.
    pub fn name(&self, i: usize) -> &str {
        &self.item(i).name
    }

    /// Number of an image in the set that was opened, whatever was selected since.
    pub fn id(&self, i: usize) -> usize {
        self.chosen[i] as usize
    }

    /// Labels of all images.
    pub fn labels(&self) -> Vec<usize> {
        (0..self.len()).map(|i| self.label(i)).collect()
    }

    /// Some of the images, in the order given.
    #[must_use]
    pub fn select(&self, images: &[usize]) -> Self {
        Self { chosen: images.iter().map(|&i| self.chosen[i]).collect(), ..self.clone() }
    }

    /// The first images, at most so many.
    #[must_use]
    pub fn first(&self, images: usize) -> Self {
        self.select(&(0..self.len().min(images)).collect::<Vec<_>>())
    }

    /// Checks that every label is below the number of classes of a network.
    ///
    /// # Errors
    /// [`Error::Source`], naming the list and the line, or the image.
    pub fn check_labels(&self, classes: usize) -> Result<(), Error> {
        let Some(i) = (0..self.len()).find(|&i| self.label(i) >= classes) else { return Ok(()) };
        let item = self.item(i);
        let message = format!("label {} of {:?}: there are only {classes} classes, from 0", item.label, item.name);
        let fault = Fault::new(self.source(), message);
        Err(Error::Source(match item.line {
            Some(line) => fault.line(line),
            None => fault,
        }))
    }

    /// Decodes an image, or takes it from the cache.
    ///
    /// # Errors
    /// [`Error::Image`], naming the file, when it is missing, damaged or over the limits.
    pub fn image(&self, i: usize) -> Result<Arc<Image>, Error> {
        let slot = &self.shared.cache[self.chosen[i] as usize];
        if let Some(image) = slot.get() {
            return Ok(Arc::clone(image));
        }
        let item = self.item(i);
        let image = Arc::new(self.decode(item).map_err(|message| {
            let (place, line) = match &item.place {
                Place::File(path) if item.line.is_some() => {
                    (format!("{} ({})", path.display(), self.source()), item.line)
                }
                Place::File(path) => (path.display().to_string(), None),
                _ => (format!("{}: {}", self.source(), item.name), None),
            };
            Error::Image(Fault { place, line, message })
        })?);
        let size = image.pixels().len() as u64;
        if self.shared.cached.fetch_add(size, Ordering::Relaxed) + size > self.shared.cache_bytes
            || slot.set(Arc::clone(&image)).is_err()
        {
            self.shared.cached.fetch_sub(size, Ordering::Relaxed);
        }
        Ok(image)
    }

    fn decode(&self, item: &Item) -> Result<Image, String> {
        let store = |number: u32| &self.shared.stores[number as usize];
        match item.place {
            Place::File(ref path) => Image::decode(&read_file(path, MOST_BYTES)?),
            Place::Part { size, .. } if size > MOST_BYTES => Err(format!("over the limit of {MOST_BYTES} bytes")),
            Place::Part { store: number, offset, size } => Image::decode(&store(number).read(offset, size)?),
            Place::Pixels { store: number, offset, raw } => raw.image(&store(number).read(offset, raw.size())?),
            Place::Memory => Err("it is no longer in memory".to_owned()),
        }
    }

    /// Decodes every image once: the set without those that cannot be read, and what is wrong with these.
    ///
    /// # Errors
    /// [`Error::Images`] naming them, when bad images are refused, or when no image is left.
    pub fn check(&self, bad: Bad) -> Result<(Self, Vec<Fault>), Error> {
        let found: Vec<Option<Fault>> = (0..self.len())
            .into_par_iter()
            .map(|i| match self.image(i) {
                Err(Error::Image(fault)) => Some(fault),
                _ => None,
            })
            .collect();
        let good: Vec<usize> = (0..self.len()).filter(|&i| found[i].is_none()).collect();
        let faults: Vec<Fault> = found.into_iter().flatten().collect();
        if !faults.is_empty() && (bad == Bad::Refuse || good.is_empty()) {
            return Err(Error::Images { faults, images: self.len() });
        }
        Ok((self.select(&good), faults))
    }
}
