//! The loops over numbers of search: the transformer that makes vectors of texts, and scans over many vectors.
//!
//! A crate of its own because these loops are built optimised in every profile, and because nothing here knows
//! what a tool is: numbers in, numbers out, no I/O, one thread. On x86-64 with AVX2 they run on registers of 256
//! bits, which is decided when they run; elsewhere the same code is plain Rust, with equal results in integers.
//!
//! Reading order: [`planes`] (vectors of 16 bits a component and their scan), `dense` (a matrix product in whole
//! numbers), `functions`, [`transformer`].

mod dense;
mod functions;
pub mod planes;
pub mod transformer;

/// Work that is compiled for the widest registers that this processor has.
trait Work {
    type Output;

    /// `kernel` is what only those registers can do. Has to be inlined, all the way down.
    fn run(self, kernel: impl Kernel) -> Self::Output;
}

/// The inner products of integers.
trait Kernel: Copy {
    /// For each row of the group and each of 16 columns, the sum over pairs of inputs of weight times value.
    /// A value holds two of 16 bits, the first one in the lower half.
    fn tile<const ROWS: usize>(
        self,
        weights: &[dense::Pair],
        values: &[[i32; ROWS]],
    ) -> [[i32; dense::COLUMNS]; ROWS];

    /// The inner product of as many bytes as there are values.
    fn dot(self, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32;
}

fn widest<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = wide::available() {
        return wide::run(simd, work);
    }
    work.run(Portable)
}

/// What every processor can do.
#[derive(Clone, Copy)]
struct Portable;

impl Kernel for Portable {
    #[inline(always)]
    fn tile<const ROWS: usize>(
        self,
        weights: &[dense::Pair],
        values: &[[i32; ROWS]],
    ) -> [[i32; dense::COLUMNS]; ROWS] {
        let mut sums = [[0; dense::COLUMNS]; ROWS];
        for (weights, values) in weights.iter().zip(values) {
            let weights = weights.as_flattened();
            for (sums, value) in sums.iter_mut().zip(values) {
                let (first, second) = (i32::from(*value as i16), value >> 16);
                for (sum, pair) in sums.iter_mut().zip(weights.as_chunks::<2>().0) {
                    *sum += i32::from(pair[0]) * first + i32::from(pair[1]) * second;
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn dot(self, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32 {
        let pairs = bytes.as_flattened().iter().zip(values.as_flattened());
        pairs
            .map(|(byte, value)| i32::from(*byte) * i32::from(*value))
            .sum()
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{Kernel, Work, dense};
    use pulp::x86::V3;
    use pulp::{Simd, WithSimd, cast, i16x16};

    pub(super) fn available() -> Option<V3> {
        V3::try_new()
    }

    pub(super) fn run<W: Work>(simd: V3, work: W) -> W::Output {
        Simd::vectorize(simd, Wide { simd, work })
    }

    struct Wide<W> {
        simd: V3,
        work: W,
    }

    impl<W: Work> WithSimd for Wide<W> {
        type Output = W::Output;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> W::Output {
            self.work.run(Avx2(self.simd))
        }
    }

    #[derive(Clone, Copy)]
    struct Avx2(V3);

    impl Kernel for Avx2 {
        #[inline(always)]
        fn tile<const ROWS: usize>(
            self,
            weights: &[dense::Pair],
            values: &[[i32; ROWS]],
        ) -> [[i32; dense::COLUMNS]; ROWS] {
            let simd = self.0;
            let mut sums = [[simd.splat_i32x8(0); 2]; ROWS];
            for (weights, values) in weights.iter().zip(values) {
                // Each half by its name: an array of them would lie in memory, and so would the sums.
                let (left, right): (i16x16, i16x16) = (cast(weights[0]), cast(weights[1]));
                for (sums, value) in sums.iter_mut().zip(values) {
                    let value: i16x16 = cast(simd.splat_i32x8(*value));
                    let first = simd.multiply_wrapping_add_adjacent_i16x16(left, value);
                    let second = simd.multiply_wrapping_add_adjacent_i16x16(right, value);
                    sums[0] = simd.wrapping_add_i32x8(sums[0], first);
                    sums[1] = simd.wrapping_add_i32x8(sums[1], second);
                }
            }
            sums.map(cast)
        }

        #[inline(always)]
        fn dot(self, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32 {
            let simd = self.0;
            let mut sum = simd.splat_i32x8(0);
            for (bytes, values) in bytes.iter().zip(values) {
                let bytes = simd.convert_i8x16_to_i16x16(cast(*bytes));
                let products = simd.multiply_wrapping_add_adjacent_i16x16(bytes, cast(*values));
                sum = simd.wrapping_add_i32x8(sum, products);
            }
            let lanes: [i32; 8] = cast(sum);
            lanes.iter().sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Both<'a>(
        &'a [dense::Pair],
        &'a [[i32; 3]],
        &'a [[i8; 16]],
        &'a [[i16; 16]],
    );

    impl Work for Both<'_> {
        type Output = ([[i32; dense::COLUMNS]; 3], i32);

        #[inline(always)]
        fn run(self, kernel: impl Kernel) -> Self::Output {
            (kernel.tile(self.0, self.1), kernel.dot(self.2, self.3))
        }
    }

    #[test]
    fn wide_registers_compute_what_plain_code_computes() {
        let number = |i: usize| i.wrapping_mul(2_654_435_761) >> 7;
        // As small as weights are, so that no sum leaves 32 bits.
        let weight = |i: usize| (number(i) % 8_191) as i16 - 4_095;
        let byte = |i: usize| (number(i) as u8) as i8;
        let weights: Vec<dense::Pair> = (0..40)
            .map(|i| [0, 1].map(|half| std::array::from_fn(|j| weight(i * 32 + half * 16 + j))))
            .collect();
        let values: Vec<[i32; 3]> = (0..40)
            .map(|i| std::array::from_fn(|row| number(i * 3 + row) as i32 & 0x0fff_0fff))
            .collect();
        let query: Vec<[i16; 16]> = (0..80)
            .map(|i| std::array::from_fn(|j| number(i * 16 + j) as u16 as i16))
            .collect();
        let bytes: Vec<[i8; 16]> = (0..80)
            .map(|i| std::array::from_fn(|j| byte(i * 16 + j)))
            .collect();
        let both = || Both(&weights, &values, &bytes, &query);
        assert_eq!(widest(both()), both().run(Portable));
    }
}
