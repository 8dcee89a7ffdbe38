//! The transformer of MiniLM, arranged for a few cores: candle multiplies the matrices, everything between
//! two products is one pass over memory.
//!
//! What is won over candle's own `BertModel`, which the tests compare with: texts of a batch stand one behind the
//! other, so that nothing is spent on padding; weights lie in the order in which the product reads them, and are
//! not rearranged at every call; query, key and value are one product; bias, activation, residual and
//! normalisation do not make tensors of their own.

use candle_core::{Device, Result, Storage, Tensor, bail};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::Config;

/// The network with its weights.
pub(super) struct Bert {
    words: Vec<f32>,
    /// Position and segment together: there is one segment only.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    width: usize,
    heads: usize,
}

struct Layer {
    query_key_value: Dense,
    attended: Dense,
    attended_norm: Norm,
    inner: Dense,
    outer: Dense,
    outer_norm: Norm,
}

struct Dense {
    /// Input rows by output columns.
    weight: Tensor,
    bias: Vec<f32>,
}

struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
    epsilon: f32,
}

impl Bert {
    pub(super) fn load(variables: &VarBuilder<'_>, config: &Config) -> Result<Self> {
        let width = config.hidden_size;
        let embeddings = variables.pp("embeddings");
        let table = |name: &str, rows: usize| {
            values(&embeddings.get((rows, width), &format!("{name}.weight"))?)
        };
        let mut positions = table("position_embeddings", config.max_position_embeddings)?;
        let segments = table("token_type_embeddings", config.type_vocab_size)?;
        for position in positions.chunks_exact_mut(width) {
            position
                .iter_mut()
                .zip(&segments)
                .for_each(|(value, segment)| *value += segment);
        }
        let layer = |i| Layer::load(&variables.pp(format!("encoder.layer.{i}")), config);
        Ok(Self {
            words: table("word_embeddings", config.vocab_size)?,
            positions,
            norm: Norm::load(&embeddings.pp("LayerNorm"), config)?,
            layers: (0..config.num_hidden_layers)
                .map(layer)
                .collect::<Result<_>>()?,
            width,
            heads: config.num_attention_heads,
        })
    }

    /// The mean of each text's last layer.
    pub(super) fn forward(&self, batch: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        let lengths: Vec<usize> = batch.iter().map(Vec::len).collect();
        let mut hidden = self.embedded(batch)?;
        for layer in &self.layers {
            let mixed = layer.query_key_value.apply(hidden.clone(), Dense::biased)?;
            let context = self.attention(&mixed, &lengths)?;
            let norm = &layer.attended_norm;
            hidden = layer.attended.apply(context, |dense, product| {
                dense.residual(product, &hidden, norm)
            })?;
            let inner = layer.inner.apply(hidden.clone(), Dense::activated)?;
            let norm = &layer.outer_norm;
            hidden = layer.outer.apply(inner, |dense, product| {
                dense.residual(product, &hidden, norm)
            })?;
        }
        let mut rest = hidden.as_slice();
        let mut means = Vec::with_capacity(batch.len());
        for length in lengths {
            let (own, others) = rest.split_at(length * self.width);
            rest = others;
            let mut mean = vec![0.0; self.width];
            for token in own.chunks_exact(self.width) {
                mean.iter_mut()
                    .zip(token)
                    .for_each(|(sum, value)| *sum += value / length as f32);
            }
            means.push(mean);
        }
        Ok(means)
    }

    fn embedded(&self, batch: &[Vec<u32>]) -> Result<Vec<f32>> {
        let row = |table: &[f32], i: usize| {
            table
                .get(i * self.width..(i + 1) * self.width)
                .map(<[f32]>::to_vec)
        };
        let mut hidden = Vec::with_capacity(batch.iter().map(Vec::len).sum::<usize>() * self.width);
        for (place, token) in batch.iter().flat_map(|tokens| tokens.iter().enumerate()) {
            let (Some(mut word), Some(position)) = (
                row(&self.words, *token as usize),
                row(&self.positions, place),
            ) else {
                bail!("token {token} at {place} is outside the model");
            };
            word.iter_mut()
                .zip(&position)
                .for_each(|(value, position)| *value += position);
            self.norm.apply(&mut word);
            hidden.extend_from_slice(&word);
        }
        Ok(hidden)
    }

    /// Self-attention of each text over its own tokens. `mixed` holds query, key and value of each token.
    fn attention(&self, mixed: &[f32], lengths: &[usize]) -> Result<Vec<f32>> {
        let size = self.width / self.heads;
        let mut context = vec![0.0; mixed.len() / 3];
        let mut begin = 0;
        for &length in lengths {
            let own = &mixed[begin * 3 * self.width..(begin + length) * 3 * self.width];
            let part = |which: usize| {
                let mut out = Vec::with_capacity(length * self.width);
                for head in 0..self.heads {
                    for token in own.chunks_exact(3 * self.width) {
                        out.extend_from_slice(&token[which * self.width + head * size..][..size]);
                    }
                }
                Tensor::from_vec(out, (self.heads, length, size), &Device::Cpu)
            };
            let scores = part(0)?.matmul(&part(1)?.transpose(1, 2)?)?;
            let shares = softmax(values(&scores)?, length, (size as f32).sqrt().recip());
            let shares = Tensor::from_vec(shares, (self.heads, length, length), &Device::Cpu)?;
            let found = values(&shares.matmul(&part(2)?)?)?;
            for (i, value) in found.chunks_exact(size).enumerate() {
                let (head, token) = (i / length, i % length);
                context[(begin + token) * self.width + head * size..][..size]
                    .copy_from_slice(value);
            }
            begin += length;
        }
        Ok(context)
    }
}

impl Layer {
    fn load(variables: &VarBuilder<'_>, config: &Config) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let (own, output) = (
            variables.pp("attention.self"),
            variables.pp("attention.output"),
        );
        let parts = ["query", "key", "value"].map(|name| own.pp(name));
        Ok(Self {
            query_key_value: Dense::load(&parts, width, width)?,
            attended: Dense::load(&[output.pp("dense")], width, width)?,
            attended_norm: Norm::load(&output.pp("LayerNorm"), config)?,
            inner: Dense::load(&[variables.pp("intermediate.dense")], width, inner)?,
            outer: Dense::load(&[variables.pp("output.dense")], inner, width)?,
            outer_norm: Norm::load(&variables.pp("output.LayerNorm"), config)?,
        })
    }
}

impl Dense {
    /// One layer of several that read the same input, side by side.
    fn load(parts: &[VarBuilder<'_>], input: usize, output: usize) -> Result<Self> {
        let (mut weights, mut bias) = (Vec::new(), Vec::new());
        for part in parts {
            weights.push(part.get((output, input), "weight")?.t()?);
            bias.extend(values(&part.get(output, "bias")?)?);
        }
        Ok(Self {
            weight: Tensor::cat(&weights, 1)?.contiguous()?,
            bias,
        })
    }

    /// Multiplies rows by the weights and lets `finish` read the product where it lies.
    fn apply(
        &self,
        rows: Vec<f32>,
        finish: impl FnOnce(&Self, &[f32]) -> Vec<f32>,
    ) -> Result<Vec<f32>> {
        let input = self.weight.dim(0)?;
        let shape = (rows.len() / input, input);
        let product = Tensor::from_vec(rows, shape, &Device::Cpu)?.matmul(&self.weight)?;
        read(&product, |product| finish(self, product))
    }

    fn biased(&self, product: &[f32]) -> Vec<f32> {
        self.finished(product, |value| value)
    }

    fn activated(&self, product: &[f32]) -> Vec<f32> {
        self.finished(product, gelu)
    }

    fn finished(&self, product: &[f32], function: impl Fn(f32) -> f32) -> Vec<f32> {
        let mut out = Vec::with_capacity(product.len());
        for row in product.chunks_exact(self.bias.len()) {
            out.extend(
                row.iter()
                    .zip(&self.bias)
                    .map(|(value, bias)| function(value + bias)),
            );
        }
        out
    }

    /// Adds the input of the layer to its output, and normalises.
    fn residual(&self, product: &[f32], input: &[f32], norm: &Norm) -> Vec<f32> {
        let mut out = self.biased(product);
        out.iter_mut()
            .zip(input)
            .for_each(|(value, input)| *value += input);
        out.chunks_exact_mut(self.bias.len())
            .for_each(|row| norm.apply(row));
        out
    }
}

impl Norm {
    fn load(variables: &VarBuilder<'_>, config: &Config) -> Result<Self> {
        let vector = |name| values(&variables.get(config.hidden_size, name)?);
        Ok(Self {
            scale: vector("weight")?,
            shift: vector("bias")?,
            epsilon: config.layer_norm_eps as f32,
        })
    }

    fn apply(&self, row: &mut [f32]) {
        let count = row.len() as f32;
        let mean = row.iter().sum::<f32>() / count;
        let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
        let factor = (variance + self.epsilon).sqrt().recip();
        for ((value, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
            *value = (*value - mean) * factor * scale + shift;
        }
    }
}

fn softmax(mut scores: Vec<f32>, length: usize, scale: f32) -> Vec<f32> {
    for row in scores.chunks_exact_mut(length) {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter_mut()
            .for_each(|score| *score = ((*score - highest) * scale).exp());
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|share| *share /= sum);
    }
    scores
}

/// `x * Phi(x)` with the error function of Abramowitz and Stegun 7.1.26, which is off by 1.5e-7 at most.
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = (1.0 + 0.327_591_1 * z).recip();
    let series = t * (t * 1.061_405_4 - 1.453_152) + 1.421_413_7;
    let series = t * (t * (t * series - 0.284_496_74) + 0.254_829_6);
    let erf = 1.0 - series * (-z * z).exp();
    0.5 * x * (1.0 + erf.copysign(x))
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// Reads a contiguous tensor without copying it.
fn read<T>(tensor: &Tensor, with: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(storage), Some((begin, end))) => {
            Ok(with(&storage.as_slice::<f32>()?[begin..end]))
        }
        _ => bail!("a product is not contiguous in memory"),
    }
}

#[cfg(test)]
mod tests {
    use super::gelu;

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
}
