//! A layer of a network: weights and inputs as whole numbers of 16 bits, exact sums.
//!
//! Each output has a scale of its own for its weights, each row of inputs one for its values, chosen so that no sum
//! leaves 32 bits. Weights lie in the order in which the product reads them, sixteen outputs side by side and two
//! inputs of each together, in half the memory of 32-bit floats: what bounds the vector of a short text is how fast
//! the weights come by.

use crate::Kernel;
use crate::functions::{largest, sum};

/// Outputs that are computed side by side.
pub(crate) const COLUMNS: usize = 16;
/// Rows that are computed at once: their sums fill twelve of sixteen registers.
const ROWS: usize = 6;
/// The largest weight: thirteen bits, so that inputs keep as many.
const WEIGHT: f32 = 4_095.0;
/// The largest sum, a little below what 32 bits hold, for what rounding adds.
const SUM: f32 = i32::MAX as f32 * 0.99;

/// Two inputs' weights for [`COLUMNS`] outputs, the two of one output side by side.
pub(crate) type Pair = [[i16; COLUMNS]; 2];

pub(crate) struct Dense {
    weights: Vec<Pair>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    input: usize,
    /// The length of the longest output's weights as a vector.
    longest: f32,
}

impl Dense {
    /// Of the weights of each output, one after the other. Inputs are taken as even in number, outputs as a multiple
    /// of sixteen; `None` when they are not, or when weights are missing.
    pub(crate) fn new(weights: &[f32], bias: Vec<f32>) -> Option<Self> {
        let output = bias.len();
        let input = weights.len().checked_div(output)?;
        let fits = output.is_multiple_of(COLUMNS) && input > 0 && input.is_multiple_of(2);
        if !fits || weights.len() != input * output {
            return None;
        }
        let scales: Vec<f32> = weights
            .chunks_exact(input)
            .map(|weights| largest(weights).max(f32::MIN_POSITIVE) / WEIGHT)
            .collect();
        let quantized = |output: usize, input_at: usize| {
            (weights[output * input + input_at] / scales[output]).round() as i16
        };
        let lengths = weights.chunks_exact(input).zip(&scales);
        let lengths = lengths.map(|(weights, scale)| length(weights) / scale);
        let longest = lengths.fold(1.0, f32::max);
        let mut packed = Vec::with_capacity(weights.len() / (2 * COLUMNS));
        for block in (0..output).step_by(COLUMNS) {
            for pair in (0..input).step_by(2) {
                packed.push([0, 1].map(|half| {
                    std::array::from_fn(|i| quantized(block + half * 8 + i / 2, pair + i % 2))
                }));
            }
        }
        Some(Self {
            weights: packed,
            scales,
            bias,
            input,
            longest,
        })
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The outputs of each row of inputs, put into `out`.
    #[inline(always)]
    pub(crate) fn apply(&self, kernel: impl Kernel, rows: &[f32], out: &mut Vec<f32>) {
        let count = rows.len() / self.input;
        out.clear();
        out.resize(count * self.outputs(), 0.0);
        let groups = Groups::of(rows, self.input, SUM / self.longest);
        for (place, weights) in self.weights.chunks_exact(self.input / 2).enumerate() {
            let columns = place * COLUMNS..(place + 1) * COLUMNS;
            let finish = (&self.scales[columns.clone()], &self.bias[columns.clone()]);
            for group in &groups.groups {
                let values = &groups.values[group.values..];
                let values = &values[..group.rows * self.input / 2];
                let mut row = group.first;
                let mut write = |sums: &[i32; COLUMNS]| {
                    let to = row * self.outputs() + columns.start;
                    write(sums, groups.scales[row], finish, &mut out[to..to + COLUMNS]);
                    row += 1;
                };
                match group.rows {
                    1 => tile::<1>(kernel, weights, values)
                        .iter()
                        .for_each(&mut write),
                    2 => tile::<2>(kernel, weights, values)
                        .iter()
                        .for_each(&mut write),
                    3 => tile::<3>(kernel, weights, values)
                        .iter()
                        .for_each(&mut write),
                    4 => tile::<4>(kernel, weights, values)
                        .iter()
                        .for_each(&mut write),
                    5 => tile::<5>(kernel, weights, values)
                        .iter()
                        .for_each(&mut write),
                    _ => tile::<ROWS>(kernel, weights, values)
                        .iter()
                        .for_each(&mut write),
                }
            }
        }
    }
}

#[inline(always)]
fn tile<const ROWS: usize>(
    kernel: impl Kernel,
    weights: &[Pair],
    values: &[i32],
) -> [[i32; COLUMNS]; ROWS] {
    kernel.tile(weights, values.as_chunks::<ROWS>().0)
}

#[inline(always)]
fn write(sums: &[i32; COLUMNS], row: f32, (scales, bias): (&[f32], &[f32]), out: &mut [f32]) {
    for (((out, sum), scale), bias) in out.iter_mut().zip(sums).zip(scales).zip(bias) {
        *out = *sum as f32 * (row * scale) + bias;
    }
}

/// Rows of inputs as whole numbers, those of a group interleaved.
struct Groups {
    values: Vec<i32>,
    scales: Vec<f32>,
    groups: Vec<Group>,
}

struct Group {
    first: usize,
    rows: usize,
    /// Where its values begin.
    values: usize,
}

impl Groups {
    #[inline(always)]
    fn of(rows: &[f32], width: usize, longest: f32) -> Self {
        let count = rows.len() / width;
        let mut scales = Vec::with_capacity(count);
        let mut values = vec![0; rows.len() / 2];
        let mut groups = Vec::with_capacity(count.div_ceil(ROWS));
        let mut first = 0;
        while first < count {
            // Groups of about the same size: a small one costs as many reads of the weights as a large one.
            let left = (count - first).div_ceil(ROWS);
            let size = (count - first).div_ceil(left);
            let begin = first * width / 2;
            for place in 0..size {
                let row = &rows[(first + place) * width..(first + place + 1) * width];
                // A sum of products is at most the product of both lengths.
                let scale = (largest(row) / f32::from(i16::MAX)).max(length(row) / longest);
                let scale = scale.max(f32::MIN_POSITIVE);
                scales.push(scale);
                let to = values[begin + place..].iter_mut().step_by(size);
                pack(row, scale.recip(), to);
            }
            groups.push(Group {
                first,
                rows: size,
                values: begin,
            });
            first += size;
        }
        Self {
            values,
            scales,
            groups,
        }
    }
}

#[inline(always)]
fn length(row: &[f32]) -> f32 {
    sum(row, |value| value * value).sqrt()
}

/// Rounds and packs two values into one of 32 bits.
#[inline(always)]
fn pack<'a>(row: &[f32], factor: f32, to: impl Iterator<Item = &'a mut i32>) {
    // Added, it leaves the nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let round = |value: f32| (value * factor + ROUND).to_bits();
    for (to, [first, second]) in to.zip(row.as_chunks::<2>().0) {
        *to = ((round(*first) & 0xffff) | (round(*second) << 16)) as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Work, widest};

    struct Apply<'a>(&'a Dense, &'a [f32]);

    impl Work for Apply<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run(self, kernel: impl Kernel) -> Vec<f32> {
            let mut out = Vec::new();
            self.0.apply(kernel, self.1, &mut out);
            out
        }
    }

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let number = |i: usize| ((i + seed).wrapping_mul(2_654_435_761) >> 8) % 2_001;
        (0..count)
            .map(|i| number(i) as f32 / 1_000.0 - 1.0)
            .collect()
    }

    #[test]
    fn a_product_is_close_to_the_one_of_floats_for_every_number_of_rows() {
        let (input, output) = (38, 48);
        let (weights, bias) = (numbers(input * output, 1), numbers(output, 2));
        let dense = Dense::new(&weights, bias.clone()).unwrap();
        for count in 0..=20 {
            let rows = numbers(count * input, 3);
            let out = widest(Apply(&dense, &rows));
            assert_eq!(out.len(), count * output);
            for (row, out) in rows.chunks_exact(input).zip(out.chunks_exact(output)) {
                for (column, out) in out.iter().enumerate() {
                    let weights = &weights[column * input..(column + 1) * input];
                    let exact: f32 = weights.iter().zip(row).map(|(w, x)| w * x).sum();
                    assert!((out - exact - bias[column]).abs() < 2e-3, "{count} rows");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Dense::new(&[], Vec::new()).is_none());
        assert!(Dense::new(&[0.0; 48], vec![0.0; 16]).is_none());
        assert!(Dense::new(&[0.0; 33], vec![0.0; 16]).is_none());
        assert!(Dense::new(&[0.0; 32], vec![0.0; 16]).is_some());
    }
}
