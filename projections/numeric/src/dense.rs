//! A layer of a network: weights and inputs as whole numbers of 8 bits, exact sums.
//!
//! Each output has a scale of its own for its weights, each row of inputs a scale and a zero for its values. Some inputs
//! are far larger than all others and would leave these few steps, so each input is divided by a factor that its weights
//! are multiplied with: it halves the distance between the largest and the others on both sides (SmoothQuant, Xiao et al.
//! 2023, with a strength of one half). Weights lie
//! in the order in which the product reads them, sixteen outputs side by side and four inputs of each together, in a
//! quarter of the memory of 32-bit floats: what bounds the vector of a short text is how fast the weights come by.

use crate::functions::{largest, range};
use crate::kernel::{COLUMNS, Kernel, MOST_ROWS, Quad};
use std::ops::Range;

/// Inputs whose weights of one output lie together.
const TOGETHER: usize = 4;
/// The largest weight.
const WEIGHT: f32 = 127.0;
/// The largest value of an input.
const VALUE: f32 = 255.0;
/// So many inputs have sums that fit into 32 bits.
const MOST_INPUTS: usize = 65_536;

pub(crate) struct Dense {
    weights: Vec<Quad>,
    /// The sum of each output's weights.
    totals: Vec<i32>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    /// By which each input is multiplied.
    factors: Vec<f32>,
}

impl Dense {
    /// Of the weights of each output, one after the other. Inputs are taken as a multiple of four in number, outputs as
    /// one of sixteen; `None` when they are not, or when weights are missing. `largest_inputs` says how large each input
    /// becomes; without, all count as alike.
    pub(crate) fn new(
        weights: &[f32],
        bias: Vec<f32>,
        largest_inputs: Option<&[f32]>,
    ) -> Option<Self> {
        let output = bias.len();
        let input = weights.len().checked_div(output)?;
        let fits = output.is_multiple_of(COLUMNS) && input.is_multiple_of(TOGETHER);
        if !fits
            || !(1..=MOST_INPUTS).contains(&input)
            || weights.len() != input * output
            || largest_inputs.is_some_and(|largest| largest.len() != input)
        {
            return None;
        }
        let mut weights = weights.to_vec();
        let factors = match largest_inputs {
            Some(largest) => smooth(&mut weights, largest),
            None => vec![1.0; input],
        };
        let scales: Vec<f32> = weights
            .chunks_exact(input)
            .map(|weights| largest(weights).max(f32::MIN_POSITIVE) / WEIGHT)
            .collect();
        let quantized = |output: usize, input_at: usize| {
            (weights[output * input + input_at] / scales[output]).round() as i8
        };
        let total = |output| (0..input).map(|at| i32::from(quantized(output, at))).sum();
        let mut packed = Vec::with_capacity(weights.len() / (TOGETHER * COLUMNS));
        for block in (0..output).step_by(COLUMNS) {
            for first in (0..input).step_by(TOGETHER) {
                packed.push(std::array::from_fn(|column| {
                    std::array::from_fn(|i| quantized(block + column, first + i))
                }));
            }
        }
        Some(Self {
            weights: packed,
            totals: (0..output).map(total).collect(),
            scales,
            bias,
            factors,
        })
    }

    pub(crate) fn inputs(&self) -> usize {
        self.factors.len()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The outputs of each row of inputs, put into `out`.
    #[inline(always)]
    pub(crate) fn apply<K: Kernel>(&self, kernel: K, rows: &[f32], out: &mut Vec<f32>) {
        let count = rows.len() / self.inputs();
        out.clear();
        out.resize(count * self.outputs(), 0.0);
        let groups = Groups::<K>::of(rows, &self.factors);
        let (totals, scales) = (self.totals.as_chunks().0, self.scales.as_chunks().0);
        let bias = self.bias.as_chunks().0;
        let blocks = self.weights.chunks_exact(self.inputs() / TOGETHER);
        for (place, weights) in blocks.enumerate() {
            let block = Block {
                weights,
                totals: &totals[place],
                scales: &scales[place],
                bias: &bias[place],
            };
            for group in &groups.groups {
                let values = &groups.values[group.values..];
                let values = &values[..group.rows.len() * self.inputs() / TOGETHER];
                let rows = &groups.rows[group.rows.clone()];
                let out = &mut out[group.rows.start * self.outputs() + place * COLUMNS..];
                let out = out.chunks_mut(self.outputs());
                match rows.len() {
                    1 => block.apply::<_, 1>(kernel, values, rows, out),
                    2 => block.apply::<_, 2>(kernel, values, rows, out),
                    3 => block.apply::<_, 3>(kernel, values, rows, out),
                    4 => block.apply::<_, 4>(kernel, values, rows, out),
                    5 => block.apply::<_, 5>(kernel, values, rows, out),
                    6 => block.apply::<_, 6>(kernel, values, rows, out),
                    7 => block.apply::<_, 7>(kernel, values, rows, out),
                    8 => block.apply::<_, 8>(kernel, values, rows, out),
                    9 => block.apply::<_, 9>(kernel, values, rows, out),
                    10 => block.apply::<_, 10>(kernel, values, rows, out),
                    11 => block.apply::<_, 11>(kernel, values, rows, out),
                    _ => block.apply::<_, MOST_ROWS>(kernel, values, rows, out),
                }
            }
        }
    }
}

/// Multiplies each input's weights so that they and the inputs differ by as much, and returns by what the inputs have to
/// be multiplied for that.
fn smooth(weights: &mut [f32], largest_inputs: &[f32]) -> Vec<f32> {
    // What never comes up, or weighs nothing, says nothing of its factor.
    const LEAST: f32 = 1e-3;
    let width = largest_inputs.len();
    let mut heaviest = vec![0.0_f32; width];
    for weights in weights.chunks_exact(width) {
        for (heaviest, weight) in heaviest.iter_mut().zip(weights) {
            *heaviest = heaviest.max(weight.abs());
        }
    }
    let both = largest_inputs.iter().zip(heaviest);
    let factors = both.map(|(input, weight)| (weight.max(LEAST) / input.max(LEAST)).sqrt());
    let factors: Vec<f32> = factors.collect();
    for weights in weights.chunks_exact_mut(width) {
        for (weight, factor) in weights.iter_mut().zip(&factors) {
            *weight /= factor;
        }
    }
    factors
}

/// Outputs that are computed side by side.
struct Block<'a> {
    weights: &'a [Quad],
    totals: &'a [i32; COLUMNS],
    scales: &'a [f32; COLUMNS],
    bias: &'a [f32; COLUMNS],
}

impl Block<'_> {
    /// Writes the block's outputs of each row to the beginning of its place.
    #[inline(always)]
    fn apply<'o, K: Kernel, const ROWS: usize>(
        &self,
        kernel: K,
        values: &[K::Four],
        rows: &[Row],
        out: impl Iterator<Item = &'o mut [f32]>,
    ) {
        let values = values.as_chunks::<ROWS>().0;
        let sums = kernel.tile(self.weights, values);
        for ((sums, row), out) in sums.iter().zip(rows).zip(out) {
            let finish = self.totals.iter().zip(self.scales).zip(self.bias);
            for ((out, sum), ((total, scale), bias)) in out.iter_mut().zip(sums).zip(finish) {
                *out = (sum - row.zero * total) as f32 * (row.scale * scale) + bias;
            }
        }
    }
}

/// Rows of inputs as whole numbers, those of a group side by side.
struct Groups<K: Kernel> {
    values: Vec<K::Four>,
    rows: Vec<Row>,
    groups: Vec<Group>,
}

/// What a row's whole numbers mean: that many times the scale, counted from the zero on.
struct Row {
    scale: f32,
    zero: i32,
}

struct Group {
    rows: Range<usize>,
    /// Where its values begin.
    values: usize,
}

impl<K: Kernel> Groups<K> {
    #[inline(always)]
    fn of(inputs: &[f32], factors: &[f32]) -> Self {
        let width = factors.len();
        let mut scaled = Vec::with_capacity(width);
        let count = inputs.len() / width;
        let mut rows = Vec::with_capacity(count);
        let mut values = vec![K::Four::default(); inputs.len() / TOGETHER];
        let mut groups = Vec::with_capacity(count.div_ceil(K::ROWS));
        while rows.len() < count {
            let first = rows.len();
            // Groups of about the same size: a small one costs as many reads of the weights as a large one.
            let left = (count - first).div_ceil(K::ROWS);
            let size = (count - first).div_ceil(left);
            let begin = first * width / TOGETHER;
            for place in 0..size {
                let input = &inputs[(first + place) * width..(first + place + 1) * width];
                scaled.clear();
                scaled.extend(
                    input
                        .iter()
                        .zip(factors)
                        .map(|(value, factor)| value * factor),
                );
                let to = values[begin + place..].iter_mut().step_by(size);
                rows.push(quantize::<K>(&scaled, to));
            }
            groups.push(Group {
                rows: first..rows.len(),
                values: begin,
            });
        }
        Self {
            values,
            rows,
            groups,
        }
    }
}

/// Rounds a row so that its smallest and its largest value, and zero, just fit.
#[inline(always)]
fn quantize<'a, K: Kernel>(input: &[f32], to: impl Iterator<Item = &'a mut K::Four>) -> Row
where
    K::Four: 'a,
{
    // Added, it leaves the nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let (low, high) = range(input);
    let scale = ((high - low) / VALUE).max(f32::MIN_POSITIVE);
    let (factor, zero) = (scale.recip(), (-low / scale).round());
    for (to, values) in to.zip(input.as_chunks::<TOGETHER>().0) {
        // The zero is rounded, which may push an end half a step out.
        let inside = |value: f32| (value * factor + zero).clamp(0.0, VALUE);
        *to = K::four(values.map(|value| (inside(value) + ROUND).to_bits() as u8));
    }
    Row {
        scale,
        zero: zero as i32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Work, widest};

    struct Apply<'a>(&'a Dense, &'a [f32]);

    impl Work for Apply<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run<K: Kernel>(self, kernel: K) -> Vec<f32> {
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
        let (input, output) = (40, 48);
        let (weights, bias) = (numbers(input * output, 1), numbers(output, 2));
        let dense = Dense::new(&weights, bias.clone(), None).unwrap();
        for count in 0..=20 {
            let rows = numbers(count * input, 3);
            let out = widest(Apply(&dense, &rows));
            assert_eq!(out.len(), count * output);
            for (row, out) in rows.chunks_exact(input).zip(out.chunks_exact(output)) {
                let (low, high) = range(row);
                for (column, out) in out.iter().enumerate() {
                    let weights = &weights[column * input..(column + 1) * input];
                    let exact: f32 = weights.iter().zip(row).map(|(w, x)| w * x).sum();
                    // Each is off by half a step at most, and a value at an end by one.
                    let (x_off, w_off) = ((high - low) / VALUE, largest(weights) / WEIGHT / 2.0);
                    let pairs = weights.iter().zip(row);
                    let off: f32 = pairs
                        .map(|(w, x)| w.abs() * x_off + x.abs() * w_off + x_off * w_off)
                        .sum();
                    assert!((out - exact - bias[column]).abs() < off, "{count} rows");
                }
            }
        }
    }

    #[test]
    fn an_input_far_larger_than_the_others_does_not_drown_them() {
        let (input, output) = (64, 16);
        let weights = numbers(input * output, 1);
        let mut row = numbers(input, 3);
        row[7] = 900.0;
        let weights_of = |column: usize| &weights[column * input..(column + 1) * input];
        let off = |largest: Option<&[f32]>| {
            let dense = Dense::new(&weights, vec![0.0; output], largest).unwrap();
            let out = widest(Apply(&dense, &row));
            let off = out.iter().enumerate().map(|(column, out)| {
                let exact: f32 = weights_of(column)
                    .iter()
                    .zip(&row)
                    .map(|(w, x)| w * x)
                    .sum();
                (out - exact).powi(2)
            });
            off.sum::<f32>().sqrt()
        };
        let mut largest = vec![1.0; input];
        largest[7] = 900.0;
        let (without, with) = (off(None), off(Some(&largest)));
        assert!(with * 3.0 < without, "{with} {without}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Dense::new(&[], Vec::new(), None).is_none());
        assert!(Dense::new(&[0.0; 48], vec![0.0; 16], None).is_none());
        assert!(Dense::new(&[0.0; 33], vec![0.0; 16], None).is_none());
        assert!(Dense::new(&[0.0; 16 * 6], vec![0.0; 16], None).is_none());
        assert!(Dense::new(&[0.0; 16 * 4], vec![0.0; 16], None).is_some());
        assert!(Dense::new(&[0.0; 16 * 4], vec![0.0; 16], Some(&[1.0; 3])).is_none());
    }
}
