//! The encoder of BERT over the tokens of texts, and the mean of each text's last layer.
//!
//! Texts of a batch stand one behind the other, so that nothing is spent on padding. Products are sums of whole
//! numbers (`dense`), all else is 32-bit floats. One call runs on one thread: callers that ask at the same time do not wait
//! for each other's threads.

use crate::dense::Dense;
use crate::functions::{add_times, gelu, softmax, sum};
use crate::kernel::{COLUMNS, Kernel, Work, widest};

/// Rows of a product of floats that are computed at once, beside [`COLUMNS`]: their sums fill half of AVX2's registers.
const ROWS: usize = 4;
/// Products of a layer.
const PRODUCTS: usize = 4;

/// The network with its weights.
pub struct Transformer {
    words: Vec<f32>,
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    width: usize,
    heads: usize,
}

/// What a network is made of, in 32-bit floats. A matrix lists the weights of one output after those of another.
pub struct Parts {
    /// Numbers that stand for a token.
    pub width: usize,
    /// Heads of attention.
    pub heads: usize,
    /// `width` numbers for each token.
    pub words: Vec<f32>,
    /// `width` numbers for each place in a text.
    pub positions: Vec<f32>,
    /// After words and positions are added.
    pub norm: NormParts,
    /// From the input to the output.
    pub layers: Vec<LayerParts>,
}

/// A layer.
pub struct LayerParts {
    /// Query, key and value, one after the other.
    pub query_key_value: DenseParts,
    /// From the heads to the width.
    pub attended: DenseParts,
    /// After the input was added.
    pub attended_norm: NormParts,
    /// From the width to the inner width.
    pub inner: DenseParts,
    /// And back.
    pub outer: DenseParts,
    /// After its input was added.
    pub outer_norm: NormParts,
}

/// A matrix and what is added to its product.
pub struct DenseParts {
    /// Outputs times inputs.
    pub weights: Vec<f32>,
    /// One number for each output.
    pub bias: Vec<f32>,
}

/// A normalisation.
#[derive(Clone)]
pub struct NormParts {
    /// By which each number is multiplied.
    pub scale: Vec<f32>,
    /// What is added.
    pub shift: Vec<f32>,
    /// What is added to the variance.
    pub epsilon: f32,
}

/// Two parts of a network do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

struct Layer {
    query_key_value: Dense,
    attended: Dense,
    attended_norm: Norm,
    inner: Dense,
    outer: Dense,
    outer_norm: Norm,
}

struct Norm(NormParts);

impl Transformer {
    /// Puts a network together. `samples` are texts such as it will read: they show how large each number becomes on its
    /// way, and what they show is rounded more finely for it.
    ///
    /// # Errors
    /// [`Misfit`] when the parts are not of the sizes that they name, or a sample is not of this network.
    pub fn new(parts: Parts, samples: &[Vec<u32>]) -> Result<Self, Misfit> {
        let Parts { width, heads, .. } = parts;
        let tables = [&parts.words, &parts.positions];
        let whole = width > 0 && tables.iter().all(|table| table.len().is_multiple_of(width));
        if !whole || heads == 0 || !width.is_multiple_of(heads) {
            return Err(Misfit);
        }
        let mut network = Self {
            layers: layers(&parts.layers, width, None)?,
            norm: Norm::new(parts.norm, width)?,
            words: parts.words,
            positions: parts.positions,
            width,
            heads,
        };
        let largest = widest(Largest(&network, samples)).ok_or(Misfit)?;
        network.layers = layers(&parts.layers, width, Some(&largest))?;
        Ok(network)
    }

    /// The mean of each text's last layer; `None` when a token is not of the network, or a text longer than it
    /// has places for.
    #[must_use]
    pub fn means(&self, texts: &[Vec<u32>]) -> Option<Vec<Vec<f32>>> {
        widest(Means(self, texts))
    }

    /// What the last layer makes of all tokens. `seen` is told the layer, the product and its inputs.
    #[inline(always)]
    fn hidden<K: Kernel>(
        &self,
        kernel: K,
        texts: &[Vec<u32>],
        mut seen: impl FnMut(usize, usize, &[f32]),
    ) -> Option<Vec<f32>> {
        let mut hidden = self.embedded(texts)?;
        self.norm.apply(&mut hidden);
        let (mut product, mut context) = (Vec::new(), vec![0.0; hidden.len()]);
        for (place, layer) in self.layers.iter().enumerate() {
            seen(place, 0, &hidden);
            layer.query_key_value.apply(kernel, &hidden, &mut product);
            attend(kernel, texts, self.heads, &product, &mut context);
            seen(place, 1, &context);
            layer.attended.apply(kernel, &context, &mut product);
            add_times(&mut hidden, 1.0, &product);
            layer.attended_norm.apply(&mut hidden);
            seen(place, 2, &hidden);
            layer.inner.apply(kernel, &hidden, &mut product);
            for value in &mut product {
                *value = gelu(*value);
            }
            seen(place, 3, &product);
            layer.outer.apply(kernel, &product, &mut context);
            add_times(&mut hidden, 1.0, &context);
            layer.outer_norm.apply(&mut hidden);
        }
        Some(hidden)
    }

    /// Words and places of all tokens, added.
    #[inline(always)]
    fn embedded(&self, texts: &[Vec<u32>]) -> Option<Vec<f32>> {
        let row = |table, at: usize| <[f32]>::get(table, at * self.width..(at + 1) * self.width);
        let count = texts.iter().map(Vec::len).sum::<usize>();
        let mut hidden = Vec::with_capacity(count * self.width);
        for (place, token) in texts.iter().flat_map(|text| text.iter().enumerate()) {
            let word = row(&self.words, usize::try_from(*token).ok()?)?;
            let position = row(&self.positions, place)?;
            hidden.extend(word.iter().zip(position).map(|(word, place)| word + place));
        }
        Some(hidden)
    }
}

/// How large each input of each product becomes, layer by layer.
type LargestInputs = Vec<[Vec<f32>; PRODUCTS]>;

struct Largest<'a>(&'a Transformer, &'a [Vec<u32>]);

impl Work for Largest<'_> {
    type Output = Option<LargestInputs>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Self(network, samples) = self;
        let mut largest = LargestInputs::new();
        for layer in &network.layers {
            largest.push(layer.products().map(|product| vec![0.0; product.inputs()]));
        }
        network.hidden(kernel, samples, |layer, product, inputs| {
            let largest = &mut largest[layer][product];
            for row in inputs.chunks_exact(largest.len()) {
                for (largest, value) in largest.iter_mut().zip(row) {
                    *largest = largest.max(value.abs());
                }
            }
        })?;
        Some(largest)
    }
}

struct Means<'a>(&'a Transformer, &'a [Vec<u32>]);

impl Work for Means<'_> {
    type Output = Option<Vec<Vec<f32>>>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Self(network, texts) = self;
        let width = network.width;
        let hidden = network.hidden(kernel, texts, |_, _, _| {})?;
        let mut rest = hidden.as_slice();
        let mut means = Vec::with_capacity(texts.len());
        for text in texts {
            let (own, others) = rest.split_at(text.len() * width);
            rest = others;
            let mut mean = vec![0.0; width];
            for token in own.chunks_exact(width) {
                add_times(&mut mean, 1.0 / text.len() as f32, token);
            }
            means.push(mean);
        }
        Some(means)
    }
}

/// Attention of each text over its own tokens. `mixed` holds query, key and value of each token.
#[inline(always)]
fn attend<K: Kernel>(
    kernel: K,
    texts: &[Vec<u32>],
    heads: usize,
    mixed: &[f32],
    context: &mut [f32],
) {
    let tokens: usize = texts.iter().map(Vec::len).sum();
    if tokens == 0 {
        return;
    }
    let width = context.len() / tokens;
    let size = width / heads;
    let scale = (size as f32).sqrt().recip();
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let (mut shares, mut sums) = (Vec::new(), Vec::new());
    let mut begin = 0;
    for length in texts.iter().map(Vec::len) {
        let own = &mixed[begin * 3 * width..(begin + length) * 3 * width];
        for head in 0..heads {
            let part = |token: usize, which: usize| {
                &own[token * 3 * width + which * width + head * size..][..size]
            };
            keys.clear();
            keys.resize(size * padded(length), 0.0);
            values.clear();
            for token in 0..length {
                // The keys' first numbers, then their second ones.
                let to = keys[token..].iter_mut().step_by(padded(length));
                to.zip(part(token, 1)).for_each(|(to, key)| *to = *key);
                values.extend_from_slice(part(token, 2));
                values.resize((token + 1) * padded(size), 0.0);
            }
            for first in (0..length).step_by(ROWS) {
                // What is asked twice beyond the last one is not looked at.
                let query = |row: usize| part((first + row).min(length - 1), 0);
                products(
                    kernel,
                    std::array::from_fn(query),
                    &keys,
                    padded(length),
                    &mut shares,
                );
                for shares in shares.chunks_exact_mut(padded(length)) {
                    softmax(&mut shares[..length], scale);
                }
                let share = |row: usize| &shares[row * padded(length)..][..length];
                products(
                    kernel,
                    std::array::from_fn(share),
                    &values,
                    padded(size),
                    &mut sums,
                );
                let rows = (first..length).zip(sums.chunks_exact(padded(size)));
                for (token, sums) in rows {
                    let to = &mut context[(begin + token) * width + head * size..][..size];
                    to.copy_from_slice(&sums[..size]);
                }
            }
        }
        begin += length;
    }
}

/// The length of a row that is computed in whole registers.
#[inline(always)]
fn padded(length: usize) -> usize {
    length.next_multiple_of(COLUMNS)
}

/// The product of each row with a matrix, whose lines are `width` numbers long, in whole [`COLUMNS`].
#[inline(always)]
fn products<K: Kernel>(
    kernel: K,
    rows: [&[f32]; ROWS],
    matrix: &[f32],
    width: usize,
    out: &mut Vec<f32>,
) {
    out.resize(ROWS * width, 0.0);
    for column in (0..width).step_by(COLUMNS) {
        let sums = kernel.columns(rows, matrix, width, column);
        for (row, sums) in sums.iter().enumerate() {
            out[row * width + column..][..COLUMNS].copy_from_slice(sums);
        }
    }
}

/// The layers out of their parts. `largest` says how large the inputs of their products become.
fn layers(
    parts: &[LayerParts],
    width: usize,
    largest: Option<&LargestInputs>,
) -> Result<Vec<Layer>, Misfit> {
    let layer = |(place, parts)| {
        let largest = largest.map(|largest| &largest[place]);
        Layer::new(parts, width, largest)
    };
    parts.iter().enumerate().map(layer).collect()
}

impl Layer {
    fn new(
        parts: &LayerParts,
        width: usize,
        largest: Option<&[Vec<f32>; PRODUCTS]>,
    ) -> Result<Self, Misfit> {
        let dense = |product: usize, parts: &DenseParts, input: usize, output: Option<usize>| {
            let fits = parts.weights.len() == input * parts.bias.len()
                && output.is_none_or(|output| output == parts.bias.len());
            let largest = largest.map(|largest| largest[product].as_slice());
            let dense = fits.then(|| Dense::new(&parts.weights, parts.bias.clone(), largest));
            dense.flatten().ok_or(Misfit)
        };
        let inner = dense(2, &parts.inner, width, None)?;
        Ok(Self {
            query_key_value: dense(0, &parts.query_key_value, width, Some(3 * width))?,
            attended: dense(1, &parts.attended, width, Some(width))?,
            attended_norm: Norm::new(parts.attended_norm.clone(), width)?,
            outer: dense(3, &parts.outer, inner.outputs(), Some(width))?,
            inner,
            outer_norm: Norm::new(parts.outer_norm.clone(), width)?,
        })
    }

    /// In the order in which they come.
    fn products(&self) -> [&Dense; PRODUCTS] {
        [
            &self.query_key_value,
            &self.attended,
            &self.inner,
            &self.outer,
        ]
    }
}

impl Norm {
    fn new(parts: NormParts, width: usize) -> Result<Self, Misfit> {
        let fits = parts.scale.len() == width && parts.shift.len() == width;
        fits.then_some(Self(parts)).ok_or(Misfit)
    }

    #[inline(always)]
    fn apply(&self, rows: &mut [f32]) {
        let Self(NormParts {
            scale,
            shift,
            epsilon,
        }) = self;
        for row in rows.chunks_exact_mut(scale.len()) {
            let count = row.len() as f32;
            let mean = sum(row, |value| value) / count;
            let variance = sum(row, |value| (value - mean) * (value - mean)) / count;
            let factor = (variance + epsilon).sqrt().recip();
            for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
                *value = (*value - mean) * factor * scale + shift;
            }
        }
    }
}
