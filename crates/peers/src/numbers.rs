//! What is said with numbers rather than bytes. Sums are made in an order that does not depend on who is how fast.

use bytemuck::{Pod, cast_slice, cast_slice_mut, zeroed_vec};

use crate::Peers;

/// What each gave, of the same length at each, in the order of ranks.
pub fn gather<T: Pod>(peers: &dyn Peers, own: &[T]) -> Vec<T> {
    let mut all = zeroed_vec(own.len() * peers.count());
    peers.gather(cast_slice(own), cast_slice_mut(&mut all));
    all
}

/// What each gave, of any length.
pub fn gather_each(peers: &dyn Peers, own: &[u8]) -> Vec<Vec<u8>> {
    let lengths: Vec<u64> = gather(peers, &[own.len() as u64]);
    let most = lengths.iter().copied().max().unwrap_or(0) as usize;
    let mut padded = own.to_vec();
    padded.resize(most, 0);
    let all = gather(peers, &padded);
    lengths.iter().enumerate().map(|(rank, &len)| all[rank * most..][..len as usize].to_vec()).collect()
}

/// Whether all say yes.
pub fn all(peers: &dyn Peers, own: bool) -> bool {
    !gather(peers, &[u8::from(own)]).contains(&0)
}

/// Numbers of each part that are on their way at a time: what is sent stays small beside what it is made of.
const PIECE: usize = 1 << 20;

/// The sum of all parts of all, part after part in the order of ranks, added to `sum` of each: the same bits as if one had
/// added them up. Everybody gives the same number of parts, all as long as `sum`.
pub fn sum_in_order<T: Pod + std::ops::AddAssign>(peers: &dyn Peers, parts: &[&[T]], sum: &mut [T]) {
    let count = peers.count();
    for from in (0..sum.len()).step_by(PIECE) {
        let sum = &mut sum[from..];
        let len = sum.len().min(PIECE);
        let sum = &mut sum[..len];
        // Everybody adds up a share of the places and tells the others.
        let share = len.div_ceil(count);
        let place = |rank: usize| (rank * share).min(len)..((rank + 1) * share).min(len);
        let mut own: Vec<T> = zeroed_vec(count * parts.len() * share);
        for (i, to) in own.chunks_exact_mut(share).enumerate() {
            let (rank, part) = (i / parts.len(), parts[i % parts.len()]);
            let part = &part[from..][place(rank)];
            to[..part.len()].copy_from_slice(part);
        }
        let mut given: Vec<T> = zeroed_vec(own.len());
        peers.exchange(cast_slice(&own), cast_slice_mut(&mut given));
        let mut added: Vec<T> = zeroed_vec(share);
        let here = place(peers.rank());
        added[..here.len()].copy_from_slice(&sum[here]);
        for part in given.chunks_exact(share) {
            added.iter_mut().zip(part).for_each(|(sum, &more)| *sum += more);
        }
        let all = gather(peers, &added);
        sum.copy_from_slice(&all[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Alone, threads};

    /// What each of `count` threads makes of `f`.
    fn each<R: Send>(count: usize, f: impl Fn(&dyn Peers) -> R + Sync) -> Vec<R> {
        std::thread::scope(|scope| {
            let f = &f;
            let work: Vec<_> = threads(count).into_iter().map(|one| scope.spawn(move || f(&one))).collect();
            work.into_iter().map(|w| w.join().unwrap()).collect()
        })
    }

    #[test]
    fn everybody_hears_everybody_in_order() {
        for _ in 0..50 {
            let heard = each(3, |peers| {
                let mine = &b"abc"[..=peers.rank()];
                let first = gather_each(peers, mine);
                (first, gather(peers, &[peers.rank() as u32; 2]), all(peers, true), all(peers, peers.rank() != 1))
            });
            for (texts, numbers, agreed, differed) in heard {
                assert_eq!(texts, [b"a".to_vec(), b"ab".to_vec(), b"abc".to_vec()]);
                assert_eq!(numbers, [0, 0, 1, 1, 2, 2]);
                assert!(agreed && !differed);
            }
        }
        assert_eq!(gather_each(&Alone, b"xy"), [b"xy".to_vec()]);
    }

    #[test]
    fn sums_have_the_bits_of_one_who_adds_all_up() {
        // Numbers of very different sizes: any other order shows.
        let number =
            |part: usize, i: usize| ((part * 7919 + i * 104_729) % 1009) as f32 * 10f32.powi((part * 5 % 7) as i32 - 3);
        for len in [1, 5, 64, PIECE + 3] {
            let parts: Vec<Vec<f32>> = (0..4).map(|p| (0..len).map(|i| number(p, i)).collect()).collect();
            let mut wanted = vec![0.25f32; len];
            parts.iter().for_each(|part| wanted.iter_mut().zip(part).for_each(|(s, p)| *s += p));
            for count in [1, 2, 4] {
                let sums = each(count, |peers| {
                    let own = 4 / count;
                    let own: Vec<&[f32]> = parts[peers.rank() * own..][..own].iter().map(|p| &p[..]).collect();
                    let mut sum = vec![0.25f32; len];
                    sum_in_order(peers, &own, &mut sum);
                    sum
                });
                assert!(sums.iter().all(|sum| sum == &wanted), "{len} numbers, {count} peers");
            }
        }
    }
}
