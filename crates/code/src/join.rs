//! Decodes the tiles of all layers on all threads and joins them to weights. How one tile is decoded is not known here.
//!
//! Threads take tiles one by one, those of large layers first, so that what is taken last is small and all threads end at
//! about the same time. A layer's tiles are taken in their order and joined as soon as those before them are there: beside the
//! weights only about as many tiles are in memory as there are threads.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use synapress_model::Weights;

use crate::error::Error;
use crate::part::Part;
use crate::tiles::CodedLayer;

/// What is decoded of one layer.
#[derive(Default)]
struct Joined {
    all: Option<Part>,
    /// Tiles in `all`.
    tiles: usize,
    /// Later tiles by number.
    waiting: BTreeMap<usize, Part>,
}

impl Joined {
    /// Takes the tile of this number.
    fn put(&mut self, tile: usize, part: Part) {
        self.waiting.insert(tile, part);
        while let Some(part) = self.waiting.remove(&self.tiles) {
            match &mut self.all {
                None => self.all = Some(part),
                Some(all) => all.append(part),
            }
            self.tiles += 1;
        }
    }
}

/// The weights of layers and their nodes, in the order given; the same error whatever the number of threads.
pub(crate) fn weights(layers: Vec<CodedLayer<'_>>) -> Result<Vec<(usize, Weights)>, Error> {
    // What threads cannot share is not handed to one.
    if layers.len() == 1 && layers[0].tiles() <= 1 {
        return layers.into_iter().map(alone).collect();
    }
    let joined: Vec<Mutex<Joined>> = layers.iter().map(|_| Mutex::default()).collect();
    let mut order: Vec<usize> = (0..layers.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(layers[i].dims().iter().fold(1usize, |n, &d| n.saturating_mul(d))));
    let tiles = order.iter().flat_map(|&layer| (0..layers[layer].tiles()).map(move |tile| (layer, tile)));
    // The first tile that failed: all before it were taken earlier and will be decoded.
    let (first, failed) = (AtomicUsize::new(usize::MAX), Mutex::new(BTreeMap::new()));
    tiles.enumerate().par_bridge().for_each(|(at, (layer, tile))| {
        if first.load(Ordering::Relaxed) < at {
            return;
        }
        match layers[layer].part(tile) {
            Ok(part) => lock(&joined[layer]).put(tile, part),
            Err(error) => {
                first.fetch_min(at, Ordering::Relaxed);
                lock(&failed).insert(at, error);
            }
        }
    });
    if let Some((_, error)) = lock(&failed).pop_first() {
        return Err(error);
    }
    let mut weights = Vec::with_capacity(layers.len());
    for (layer, joined) in layers.into_iter().zip(joined) {
        let all = joined.into_inner().unwrap_or_else(|e| e.into_inner()).all;
        weights.push(layer.finish(all)?);
    }
    Ok(weights)
}

/// A layer of one tile at most.
fn alone(layer: CodedLayer<'_>) -> Result<(usize, Weights), Error> {
    let part = (layer.tiles() > 0).then(|| layer.part(0)).transpose()?;
    layer.finish(part)
}

/// Nothing is left half done where a thread panics.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
