//! Many vectors in memory, and the ones nearest to a query among them, exactly.
//!
//! A component has 16 bits in two planes of 8: the upper plane alone is scanned, half the memory of the whole and a
//! quarter of 32-bit floats; the lower plane is read for those rows that the upper one cannot rule out. How far a row
//! can be off without its lower plane is known, so nothing is missed: the answer is that of a scan over all 16 bits,
//! whose cosines differ from those of 32-bit floats by some millionths.

use crate::functions::largest;
use crate::kernel::{Kernel, Work, widest};

const GROUP: usize = 16;
/// The largest component.
const MOST: f32 = 127.0 * 256.0;

/// Vectors of one length, row by row. It only grows.
#[derive(Debug, Clone, Default)]
pub struct Planes {
    groups: usize,
    upper: Vec<[i8; GROUP]>,
    lower: Vec<[i8; GROUP]>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    /// What a component's unit is worth.
    scale: f32,
    /// How far the product with a vector of length 1 can be off without the lower plane.
    error: f32,
}

/// A vector to compare with.
#[derive(Debug, Clone)]
pub struct Query {
    values: Vec<[i16; GROUP]>,
    scale: f32,
    length: f32,
}

/// What the upper plane says of a row's product with a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rough {
    /// It is this at least.
    pub least: f32,
    /// And this at most.
    pub most: f32,
}

impl Planes {
    /// Rows of so many components.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self {
            groups: dimensions.div_ceil(GROUP),
            ..Self::default()
        }
    }

    /// Without rows, of the same number of components.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self {
            groups: self.groups,
            ..Self::default()
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row. What is longer than a row is cut, what is shorter filled with zeros.
    pub fn push(&mut self, vector: &[f32]) {
        let scale = largest(vector).max(f32::MIN_POSITIVE) / MOST;
        let mut left = 0f32;
        for group in 0..self.groups {
            let (mut upper, mut lower) = ([0; GROUP], [0; GROUP]);
            let components = vector.get(group * GROUP..).unwrap_or_default();
            for ((upper, lower), component) in upper.iter_mut().zip(&mut lower).zip(components) {
                let whole = (component / scale).round() as i32;
                *upper = ((whole + 128) >> 8) as i8;
                *lower = (whole - (i32::from(*upper) << 8)) as i8;
                left += f32::from(*lower) * f32::from(*lower);
            }
            self.upper.push(upper);
            self.lower.push(lower);
        }
        let error = left.sqrt() * scale;
        self.rows.push(Row { scale, error });
    }

    /// Adds the rows of another with the same number of components.
    pub fn push_row(&mut self, from: &Self, row: usize) {
        let groups = row * from.groups..(row + 1) * from.groups;
        self.upper.extend_from_slice(&from.upper[groups.clone()]);
        self.lower.extend_from_slice(&from.lower[groups]);
        self.rows.push(from.rows[row]);
    }

    /// Between which bounds the product of each row with the query lies, appended to `out`.
    pub fn rough(&self, query: &Query, out: &mut Vec<Rough>) {
        widest(Scan {
            planes: self,
            query,
            out,
        });
    }

    /// The product of one row with the query.
    #[must_use]
    pub fn product(&self, query: &Query, row: usize) -> f32 {
        let groups = row * self.groups..(row + 1) * self.groups;
        let (upper, lower) = widest(Exact {
            upper: &self.upper[groups.clone()],
            lower: &self.lower[groups],
            query,
        });
        let sum = i64::from(upper) * 256 + i64::from(lower);
        (sum as f64 * f64::from(self.rows[row].scale) * f64::from(query.scale)) as f32
    }
}

impl Query {
    /// Of a vector.
    #[must_use]
    pub fn new(vector: &[f32]) -> Self {
        let groups = vector.len().div_ceil(GROUP);
        // The sum of all products with bytes has to fit into 32 bits.
        let limit = i32::MAX as usize / (128 * GROUP * groups.max(1));
        let limit = limit.min(i16::MAX as usize) as f32;
        let scale = largest(vector).max(f32::MIN_POSITIVE) / limit;
        let value = |at: usize| {
            vector
                .get(at)
                .map_or(0, |value| (value / scale).round() as i16)
        };
        let values = (0..groups).map(|group| std::array::from_fn(|i| value(group * GROUP + i)));
        Self {
            values: values.collect(),
            scale,
            length: vector.iter().map(|value| value * value).sum::<f32>().sqrt(),
        }
    }
}

struct Scan<'a> {
    planes: &'a Planes,
    query: &'a Query,
    out: &'a mut Vec<Rough>,
}

impl Work for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) {
        let Self { planes, query, out } = self;
        out.reserve(planes.len());
        let rows = planes.upper.chunks_exact(planes.groups.max(1));
        for (bytes, row) in rows.zip(&planes.rows) {
            let sum = kernel.dot(bytes, &query.values);
            let middle = sum as f32 * (256.0 * row.scale * query.scale);
            // Beside the lower plane: rounding of the query and of this very product.
            let error = (row.error + 1e-4) * query.length;
            out.push(Rough {
                least: middle - error,
                most: middle + error,
            });
        }
    }
}

struct Exact<'a> {
    upper: &'a [[i8; GROUP]],
    lower: &'a [[i8; GROUP]],
    query: &'a Query,
}

impl Work for Exact<'_> {
    type Output = (i32, i32);

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> (i32, i32) {
        let values = &self.query.values;
        (
            kernel.dot(self.upper, values),
            kernel.dot(self.lower, values),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(dimensions: usize, seed: usize) -> Vec<f32> {
        let number = |i: usize| {
            let mixed = (i * 7_919 + seed * 104_729 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed >> 40) as f32 / 8_388_608.0 - 1.0
        };
        let vector: Vec<f32> = (0..dimensions).map(number).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / length).collect()
    }

    #[test]
    fn products_are_those_of_floats_and_lie_within_their_bounds() {
        for dimensions in [1, 16, 26, 384] {
            let mut planes = Planes::new(dimensions);
            let vectors: Vec<_> = (0..200).map(|seed| vector(dimensions, seed)).collect();
            vectors.iter().for_each(|vector| planes.push(vector));
            let asked = vector(dimensions, 777);
            let (query, mut rough) = (Query::new(&asked), Vec::new());
            planes.rough(&query, &mut rough);
            assert_eq!(rough.len(), planes.len());
            for (row, (vector, rough)) in vectors.iter().zip(rough).enumerate() {
                let exact: f32 = vector.iter().zip(&asked).map(|(a, b)| a * b).sum();
                let product = planes.product(&query, row);
                assert!(
                    (product - exact).abs() < 3e-5,
                    "{dimensions}: {product} {exact}"
                );
                assert!(rough.least <= product && product <= rough.most);
                assert!(rough.most - rough.least < 0.04, "{rough:?}");
            }
        }
    }

    #[test]
    fn a_row_of_zeros_is_near_to_nothing_and_rows_can_be_taken_over() {
        let mut planes = Planes::new(20);
        planes.push(&[0.0; 20]);
        planes.push(&vector(20, 1));
        let query = Query::new(&vector(20, 1));
        assert_eq!(planes.product(&query, 0), 0.0);
        let mut other = Planes::new(20);
        other.push_row(&planes, 1);
        assert_eq!(other.product(&query, 0), planes.product(&query, 1));
    }
}
