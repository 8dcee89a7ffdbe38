//! What a network spends its time with, once for every processor and faster for those that have wide registers. All of
//! them compute the same numbers: floats are multiplied, rounded and added in the order of plain code.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use portable::Portable;

/// Columns of a matrix that are computed side by side.
pub(crate) const COLUMNS: usize = 16;

/// Most rows of a group.
pub(crate) const MOST_ROWS: usize = 12;

/// Four inputs' weights for [`COLUMNS`] outputs, the four of one output side by side.
pub(crate) type Quad = [[i8; 4]; COLUMNS];

/// Work that is compiled for the widest registers that this processor has.
pub(crate) trait Work {
    type Output;

    /// `kernel` is what only those registers can do. Has to be inlined, all the way down.
    fn run<K: Kernel>(self, kernel: K) -> Self::Output;
}

/// What is done differently on each kind of registers.
pub(crate) trait Kernel: Copy {
    /// Rows of a group that are computed at once, at most [`MOST_ROWS`]: few enough that their sums stay in wide registers, and
    /// enough that no product waits for the one before.
    const ROWS: usize;

    /// Four values of 8 bits without sign, as the kernel takes them.
    type Four: Copy + Default;

    fn four(values: [u8; 4]) -> Self::Four;

    /// For each row of a group and each column, the sum of weight times value over all inputs. The values of a group's
    /// rows lie side by side. No sum may leave 32 bits.
    fn tile<const ROWS: usize>(
        self,
        weights: &[Quad],
        values: &[[Self::Four; ROWS]],
    ) -> [[i32; COLUMNS]; ROWS];

    /// For each row and each of [`COLUMNS`] columns of a matrix from `column` on, the sum of the row's numbers times the
    /// column's. A line of the matrix is `width` numbers long, and a row has a number for each line.
    fn columns<const ROWS: usize>(
        self,
        rows: [&[f32]; ROWS],
        matrix: &[f32],
        width: usize,
        column: usize,
    ) -> [[f32; COLUMNS]; ROWS];

    /// The inner product of as many bytes as there are values.
    fn dot(self, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32;
}

/// Runs work on the widest registers there are.
pub(crate) fn widest<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    return x86::run(work);
    #[cfg(not(target_arch = "x86_64"))]
    work.run(Portable)
}

/// Computes from now on, in this process, as on a processor whose registers have 256 bits: for a bench, which then shows
/// what searches take on one of the many that have no wider ones. False where that cannot be.
#[must_use]
pub fn forgo_512_bits() -> bool {
    #[cfg(target_arch = "x86_64")]
    return x86::forgo_512_bits();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Both<'a> {
        weights: &'a [Quad],
        values: &'a [[[u8; 4]; 3]],
        bytes: &'a [[i8; 16]],
        query: &'a [[i16; 16]],
        rows: [&'a [f32]; 3],
        matrix: &'a [f32],
    }

    impl Work for Both<'_> {
        type Output = ([[i32; COLUMNS]; 3], i32, [[u32; COLUMNS]; 3]);

        #[inline(always)]
        fn run<K: Kernel>(self, kernel: K) -> Self::Output {
            let values: Vec<_> = self.values.iter().map(|rows| rows.map(K::four)).collect();
            (
                kernel.tile(self.weights, &values),
                kernel.dot(self.bytes, self.query),
                // The second of three blocks, to the last bit.
                kernel
                    .columns(self.rows, self.matrix, 3 * COLUMNS, COLUMNS)
                    .map(|row| row.map(f32::to_bits)),
            )
        }
    }

    #[test]
    fn every_processor_computes_what_plain_code_computes() {
        let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8;
        let weights: Vec<Quad> = (0..40)
            .map(|i| {
                std::array::from_fn(|j| std::array::from_fn(|k| byte(i * 64 + j * 4 + k) as i8))
            })
            .collect();
        // The extremes are among them.
        let values: Vec<[[u8; 4]; 3]> = (0..40)
            .map(|i| std::array::from_fn(|row| [0, 255, byte(i * 3 + row), byte(i * 5 + row)]))
            .collect();
        // An odd number, of which one is left over by those that take two at once.
        let query: Vec<[i16; 16]> = (0..81)
            .map(|i| {
                std::array::from_fn(|j| {
                    i16::from_le_bytes([byte(i * 32 + j), byte(i * 32 + j + 16)])
                })
            })
            .collect();
        let bytes: Vec<[i8; 16]> = (0..81)
            .map(|i| std::array::from_fn(|j| byte(i * 16 + j) as i8))
            .collect();
        let float = |i: usize| (f32::from(byte(i)) - 128.0) / 7.0;
        let row = |seed: usize| (0..37).map(|i| float(i * 5 + seed)).collect::<Vec<_>>();
        let rows = [row(1), row(2), row(3)];
        let matrix: Vec<f32> = (0..37 * 3 * COLUMNS).map(float).collect();
        let both = || Both {
            rows: rows.each_ref().map(Vec::as_slice),
            matrix: &matrix,
            weights: &weights,
            values: &values,
            bytes: &bytes,
            query: &query,
        };
        let plain = both().run(Portable);
        assert_eq!(widest(both()), plain);
        #[cfg(target_arch = "x86_64")]
        for run in x86::all() {
            assert_eq!(run(both()), plain);
        }
    }
}
