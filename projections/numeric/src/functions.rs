//! Functions of a transformer, written so that a compiler can do sixteen numbers at once.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

const LANES: usize = 16;

/// The exponential function, off by two units of the last place at most (the polynomial of Cephes' `expf`).
/// What is too small for a normal number is the smallest one, about 1e-38.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Added, it leaves the nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let rounded = x * LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let series = rest * 1.987_569_1e-4 + 1.398_199_9e-3;
    let series = rest * (rest * series + 8.333_452e-3) + 4.166_579_6e-2;
    let series = rest * (rest * series + 1.666_666_5e-1) + 0.5;
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    (rest * rest * series + rest + 1.0) * power
}

/// `x * Phi(x)` with the error function of Abramowitz and Stegun 7.1.26, which is off by 1.5e-7 at most.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let z = x.abs() * FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = t * (t * 1.061_405_4 - 1.453_152) + 1.421_413_7;
    let series = t * (t * (t * series - 0.284_496_74) + 0.254_829_6);
    let erf = 1.0 - series * exp(-z * z);
    0.5 * x * (1.0 + erf.copysign(x))
}

#[inline(always)]
pub(crate) fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += term(*value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|value| term(*value)).sum::<f32>()
}

/// The largest absolute value.
#[inline(always)]
pub(crate) fn largest(values: &[f32]) -> f32 {
    // Without their signs, numbers are ordered as their bits are.
    let bits = values.iter().map(|value| value.to_bits() & (u32::MAX >> 1));
    f32::from_bits(bits.max().unwrap_or(0))
}

/// The smallest and the largest value, and zero among them.
#[inline(always)]
pub(crate) fn range(values: &[f32]) -> (f32, f32) {
    let smaller = |a: f32, b: f32| if b < a { b } else { a };
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let (mut low, mut high) = ([0.0; LANES], [0.0; LANES]);
    for chunk in chunks {
        for ((low, high), value) in low.iter_mut().zip(&mut high).zip(chunk) {
            *low = smaller(*low, *value);
            *high = larger(*high, *value);
        }
    }
    let values = || rest.iter().copied();
    let low = low.into_iter().chain(values()).fold(0.0, smaller);
    (low, high.into_iter().chain(values()).fold(0.0, larger))
}

/// The largest value.
#[inline(always)]
fn highest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut high = [f32::MIN; LANES];
    for chunk in chunks {
        for (high, value) in high.iter_mut().zip(chunk) {
            *high = larger(*high, *value);
        }
    }
    let all = high.into_iter().chain(rest.iter().copied());
    all.fold(f32::MIN, larger)
}

/// Scores to shares that add up to 1.
#[inline(always)]
pub(crate) fn softmax(scores: &mut [f32], scale: f32) {
    let highest = highest(scores);
    for score in scores.iter_mut() {
        *score = exp((*score - highest) * scale);
    }
    let share = 1.0 / sum(scores, |share| share);
    for score in scores.iter_mut() {
        *score *= share;
    }
}

/// Adds so many times `from`.
#[inline(always)]
pub(crate) fn add_times(to: &mut [f32], times: f32, from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += times * from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_its_definition() {
        for step in -8_600..8_700 {
            let x = step as f32 / 100.0;
            let error = f64::from(exp(x)) / f64::from(x).exp() - 1.0;
            assert!(error.abs() < 3e-7, "{x}: {error}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite());
    }

    #[test]
    fn gelu_is_close_to_its_definition() {
        // x * Phi(x), with Phi from a table of the normal distribution.
        for (x, expected) in [
            (0.0, 0.0),
            (1.0, 0.841_344_8),
            (-1.0, -0.158_655_25),
            (3.0, 2.995_95),
            (-6.0, 0.0),
        ] {
            assert!((gelu(x) - expected).abs() < 1e-5, "{x}");
        }
    }

    #[test]
    fn shares_add_up_to_one_and_keep_their_order() {
        let mut shares: Vec<f32> = (0..21).map(|i| (i * 8 % 21) as f32).collect();
        let highest = shares.iter().position(|score| *score == 20.0);
        softmax(&mut shares, 0.5);
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let most = (0..21).max_by(|a, b| shares[*a].total_cmp(&shares[*b]));
        assert_eq!(most, highest);
    }

    #[test]
    fn the_largest_counts_without_its_sign() {
        assert_eq!(largest(&[0.5, -3.0, 2.0]), 3.0);
        assert_eq!(largest(&[]), 0.0);
    }

    #[test]
    fn the_range_has_both_ends_wherever_they_are() {
        assert_eq!(range(&[]), (0.0, 0.0));
        assert_eq!(range(&[0.5, 2.0]), (0.0, 2.0));
        for place in 0..19 {
            let mut values = [-0.25; 19];
            values[place] = 3.0;
            values[18 - place] = -1.5;
            let high = if place == 9 { 0.0 } else { 3.0 };
            assert_eq!(range(&values), (-1.5, high), "{place}");
        }
    }
}
