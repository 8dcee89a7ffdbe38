//! What every processor can do.

use crate::functions::add_times;

use super::{COLUMNS, Kernel, Quad};

#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    const ROWS: usize = 6;
    type Four = [u8; 4];

    #[inline(always)]
    fn four(values: [u8; 4]) -> [u8; 4] {
        values
    }

    #[inline(always)]
    fn tile<const ROWS: usize>(
        self,
        weights: &[Quad],
        values: &[[[u8; 4]; ROWS]],
    ) -> [[i32; COLUMNS]; ROWS] {
        let mut sums = [[0; COLUMNS]; ROWS];
        for (weights, values) in weights.iter().zip(values) {
            for (sums, values) in sums.iter_mut().zip(values) {
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    for (weight, value) in weights.iter().zip(values) {
                        *sum += i32::from(*weight) * i32::from(*value);
                    }
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn columns<const ROWS: usize>(
        self,
        rows: [&[f32]; ROWS],
        matrix: &[f32],
        width: usize,
        column: usize,
    ) -> [[f32; COLUMNS]; ROWS] {
        let mut sums = [[0.0; COLUMNS]; ROWS];
        for (at, line) in matrix.chunks_exact(width).enumerate() {
            for (sums, row) in sums.iter_mut().zip(rows) {
                add_times(sums, row[at], &line[column..column + COLUMNS]);
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
