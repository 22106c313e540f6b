//! Names beside points: each where it covers no other name and no point, as near as that is possible.

/// A rectangle: left, top, right, bottom.
type Rect = [f64; 4];

/// Where a name goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// Where the text is anchored.
    pub x: f64,
    /// Its base line.
    pub y: f64,
    /// Whether it ends there; else it begins there.
    pub end: bool,
}

/// Height of a line of text.
const LINE: f64 = 12.0;

/// Places for names, given points `(x, y)` with the width of each one's name, in an area.
pub fn place(points: &[(f64, f64, f64)], obstacles: &[Rect], area: Rect) -> Vec<Spot> {
    let mut taken: Vec<Rect> = points.iter().map(|&(x, y, _)| [x - 4.0, y - 4.0, x + 4.0, y + 4.0]).collect();
    taken.extend(obstacles);
    let mut spots = Vec::new();
    for point in points {
        let costs = candidates(point).map(|(spot, rect, away)| {
            let outside = rect[0] < area[0] || rect[2] > area[2] || rect[1] < area[1] || rect[3] > area[3];
            let covered: f64 = taken.iter().map(|other| overlap(&rect, other)).sum();
            (covered + away + if outside { 1e4 } else { 0.0 }, spot, rect)
        });
        if let Some((_, spot, rect)) = costs.min_by(|a, b| a.0.total_cmp(&b.0)) {
            taken.push(rect);
            spots.push(spot);
        }
    }
    spots
}

/// Where a point's name may go, the area that it covers there, and how far that is from the point.
fn candidates(&(x, y, width): &(f64, f64, f64)) -> impl Iterator<Item = (Spot, Rect, f64)> {
    let rows = (0..15).map(|step| f64::from(step / 2 + step % 2) * LINE * 0.6 * if step % 2 == 0 { 1.0 } else { -1.0 });
    let aside = [8.0, 16.0, 26.0, 40.0];
    rows.flat_map(move |up| aside.into_iter().flat_map(move |aside| [(up, aside, false), (up, aside, true)])).map(
        move |(up, aside, end)| {
            let anchor = if end { x - aside } else { x + aside };
            let left = if end { anchor - width } else { anchor };
            let middle = y + up;
            let rect = [left, middle - LINE / 2.0, left + width, middle + LINE / 2.0];
            let away = up.abs() + 0.8 * (aside - 8.0) + if end { 2.0 } else { 0.0 };
            (Spot { x: anchor, y: middle + 4.0, end }, rect, away)
        },
    )
}

fn overlap(a: &Rect, b: &Rect) -> f64 {
    let side = |low: usize| (a[low + 2].min(b[low + 2]) - a[low].max(b[low])).max(0.0);
    20.0 * side(0).min(6.0) * side(1)
}

/// About how wide a text is, in the sans serif of drawings at 11 pixels.
pub fn width(text: &str) -> f64 {
    text.chars().map(|c| if c.is_uppercase() { 8.0 } else { 6.2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_near_points_lie_apart_and_inside() {
        let points: Vec<(f64, f64, f64)> = (0..5).map(|i| (200.0 + f64::from(i), 50.0 + f64::from(i), 60.0)).collect();
        let spots = place(&points, &[], [0.0, 0.0, 320.0, 200.0]);
        assert_eq!(spots.len(), 5);
        let rect = |s: &Spot| {
            let left = if s.end { s.x - 60.0 } else { s.x };
            [left, s.y - 10.0, left + 60.0, s.y + 2.0]
        };
        for (i, a) in spots.iter().enumerate() {
            assert!(rect(a)[0] >= 0.0 && rect(a)[2] <= 320.0, "{a:?}");
            assert!(spots[..i].iter().all(|b| overlap(&rect(a), &rect(b)) == 0.0), "{spots:?}");
        }
    }
}
