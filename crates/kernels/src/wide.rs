//! Plain loops on the widest vectors that the processor has and the compiler may use.

/// Loops that are compiled for several kinds of vectors. A trait rather than a function that is handed over, because the
/// compiler does not let calls through functions' traits be inlined always, and what is not inlined stays as it was
/// compiled for any processor.
pub trait Work<A> {
    /// What comes out.
    type Output;

    /// Does the work. To gain from wide vectors it must be `#[inline(always)]`, and so must be what it calls.
    fn work(arguments: A) -> Self::Output;
}

/// Does work `W`, compiled a second time for AVX2 where the processor has it. The operations and their order stay the same
/// (nothing is fused), so the result has the same bits.
#[inline]
pub fn run<W: Work<A>, A>(arguments: A) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<W: Work<A>, A>(arguments: A) -> W::Output {
            W::work(arguments)
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // Safety: the processor has what the function is compiled for.
            return unsafe { avx2::<W, A>(arguments) };
        }
    }
    W::work(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_that_of_the_work() {
        struct Sum;
        impl Work<&[f32]> for Sum {
            type Output = f32;
            #[inline(always)]
            fn work(v: &[f32]) -> f32 {
                v.iter().map(|x| x * x + 0.1).sum::<f32>()
            }
        }
        let values: Vec<f32> = (0..1000).map(|i| i as f32 * 0.37).collect();
        assert_eq!(run::<Sum, _>(&values[..]).to_bits(), Sum::work(&values[..]).to_bits());
    }
}
