//! The shapes of the ten classes, as signed distances: negative inside. Poses and colours are drawn elsewhere.

use std::f32::consts::{PI, TAU};

/// One class of shapes.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Signed distance (at least near the outline) of a point from the shape, which fills about the unit disc.
    pub(super) distance: fn([f32; 2]) -> f32,
}

/// The classes, in the order of their labels.
pub(super) const SHAPES: [Shape; 10] = [
    Shape { name: "disc", distance: |p| length(p) - 0.85 },
    Shape { name: "ring", distance: |p| (length(p) - 0.72).abs() - 0.2 },
    Shape { name: "crescent", distance: crescent },
    Shape { name: "heart", distance: heart },
    Shape { name: "triangle", distance: |p| polygon(p, &regular::<3>(1.08)) },
    Shape { name: "square", distance: |p| polygon(p, &regular::<4>(1.05)) },
    Shape { name: "pentagon", distance: |p| polygon(p, &regular::<5>(0.98)) },
    Shape { name: "star", distance: |p| polygon(p, &star()) },
    Shape { name: "cross", distance: |p| polygon(p, &CROSS) },
    Shape { name: "arrow", distance: |p| polygon(p, &ARROW) },
];

/// Corners of a cross of five squares.
const CROSS: [[f32; 2]; 12] = {
    const A: f32 = 0.3;
    const B: f32 = 0.95;
    [[A, A], [A, B], [-A, B], [-A, A], [-B, A], [-B, -A], [-A, -A], [-A, -B], [A, -B], [A, -A], [B, -A], [B, A]]
};

/// Corners of an arrow.
const ARROW: [[f32; 2]; 7] =
    [[1.05, 0.0], [0.15, 0.85], [0.15, 0.3], [-0.95, 0.3], [-0.95, -0.3], [0.15, -0.3], [0.15, -0.85]];

/// A line of clutter; it belongs to no class.
pub(super) fn stroke(p: [f32; 2]) -> f32 {
    (p[0].abs() - 1.0).max(p[1].abs() - 0.12)
}

fn length(p: [f32; 2]) -> f32 {
    (p[0] * p[0] + p[1] * p[1]).sqrt()
}

fn apart(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

/// Corners of a regular polygon.
fn regular<const N: usize>(radius: f32) -> [[f32; 2]; N] {
    std::array::from_fn(|i| {
        let (sin, cos) = (TAU * i as f32 / N as f32).sin_cos();
        [radius * cos, radius * sin]
    })
}

/// Corners of a star of five points.
fn star() -> [[f32; 2]; 10] {
    std::array::from_fn(|i| {
        let radius = if i % 2 == 0 { 1.1 } else { 0.48 };
        let (sin, cos) = (PI * i as f32 / 5.0).sin_cos();
        [radius * cos, radius * sin]
    })
}

fn crescent(p: [f32; 2]) -> f32 {
    (length(p) - 0.95).max(0.8 - length(apart(p, [0.5, 0.0])))
}

/// A square standing on its corner with a half disc on either upper side.
fn heart(p: [f32; 2]) -> f32 {
    let [x, y] = [p[0].abs() * 0.62, p[1] * 0.62 + 0.5];
    let square = |v: [f32; 2]| v[0] * v[0] + v[1] * v[1];
    let distance = if x + y > 1.0 {
        length(apart([x, y], [0.25, 0.75])) - 0.125f32.sqrt()
    } else {
        let foot = 0.5 * (x + y).max(0.0);
        let nearest = square(apart([x, y], [0.0, 1.0])).min(square([x - foot, y - foot]));
        nearest.sqrt() * (x - y).signum()
    };
    distance / 0.62
}

/// Distance of a point from a polygon: the nearest edge, and how often a ray crosses the outline.
fn polygon(p: [f32; 2], corners: &[[f32; 2]]) -> f32 {
    let (mut nearest, mut inside) = (f32::INFINITY, false);
    let mut last = corners[corners.len() - 1];
    for &corner in corners {
        let (edge, to) = (apart(last, corner), apart(p, corner));
        let along = (to[0] * edge[0] + to[1] * edge[1]) / (edge[0] * edge[0] + edge[1] * edge[1]);
        let along = along.clamp(0.0, 1.0);
        nearest = nearest.min(length([to[0] - along * edge[0], to[1] - along * edge[1]]));
        if (corner[1] > p[1]) != (last[1] > p[1]) && to[0] < edge[0] * to[1] / edge[1] {
            inside = !inside;
        }
        last = corner;
    }
    if inside { -nearest } else { nearest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_slope_one_and_shapes_fill_the_unit_disc() {
        for shape in &SHAPES {
            let mut area = 0.0;
            for i in 0..10_000 {
                let p = [(i % 100) as f32 / 40.0 - 1.24, (i / 100) as f32 / 40.0 - 1.24];
                let d = (shape.distance)(p);
                area += if d < 0.0 { 1.0 / 1600.0 } else { 0.0 };
                assert!(d > 0.0 || length(p) < 1.2, "{}: {p:?} is inside", shape.name);
                for step in [[0.001, 0.0], [0.0, 0.001]] {
                    let slope = ((shape.distance)([p[0] + step[0], p[1] + step[1]]) - d).abs() / 0.001;
                    assert!(slope < 1.05, "{}: slope {slope} at {p:?}", shape.name);
                }
            }
            assert!((0.9..2.8).contains(&area), "{}: area {area}", shape.name);
        }
    }
}
