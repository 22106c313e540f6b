//! Which buffer each map lies in: assigned once, reused as soon as nobody reads it any more.

/// From which step to which a map is needed, and its cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub first: usize,
    pub last: usize,
    pub len: usize,
}

/// For each map its buffer (`usize::MAX` for those that are never needed), and the length of each buffer.
pub(super) fn assign(lives: &[Option<Life>]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<(usize, Life)> = lives.iter().enumerate().filter_map(|(i, l)| l.map(|l| (i, l))).collect();
    order.sort_by_key(|(i, life)| (life.first, *i));
    let (mut buffer, mut lengths) = (vec![usize::MAX; lives.len()], Vec::<usize>::new());
    let mut busy_until: Vec<usize> = Vec::new();
    for (map, life) in order {
        let free = (0..lengths.len())
            .filter(|&b| busy_until[b] < life.first)
            .min_by_key(|&b| (lengths[b] < life.len, lengths[b].abs_diff(life.len), b));
        let b = free.unwrap_or_else(|| {
            lengths.push(0);
            busy_until.push(0);
            lengths.len() - 1
        });
        lengths[b] = lengths[b].max(life.len);
        busy_until[b] = life.last;
        buffer[map] = b;
    }
    (buffer, lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_reused_after_its_last_reader() {
        let life = |first, last, len| Some(Life { first, last, len });
        let lives = [life(0, 1, 10), life(1, 2, 5), life(2, 3, 7), None, life(2, 4, 1), life(4, 5, 9)];
        let (buffer, lengths) = assign(&lives);
        assert_eq!(buffer, [0, 1, 0, usize::MAX, 2, 0]);
        assert_eq!(lengths, [10, 5, 1]);
    }
}
