//! Plain loops on the widest vectors that the processor has and the compiler may use.

/// Calls `work`, compiled a second time for AVX2 where the processor has it. To gain from it `work` must be a function
/// that is always inlined, as what it calls. The operations and their order stay the same (nothing is fused), so the
/// result has the same bits.
#[inline]
pub fn run<A, R>(arguments: A, work: impl FnOnce(A) -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<A, R>(arguments: A, work: impl FnOnce(A) -> R) -> R {
            work(arguments)
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // Safety: the processor has what the function is compiled for.
            return unsafe { avx2(arguments, work) };
        }
    }
    work(arguments)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_result_is_that_of_the_work() {
        #[inline(always)]
        fn sum(v: &[f32]) -> f32 {
            v.iter().map(|x| x * x + 0.1).sum::<f32>()
        }
        let values: Vec<f32> = (0..1000).map(|i| i as f32 * 0.37).collect();
        assert_eq!(super::run(&values[..], sum).to_bits(), sum(&values).to_bits());
    }
}
