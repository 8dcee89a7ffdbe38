//! The transformer of MiniLM out of its file: candle reads it, [`numeric::transformer`] runs it.
//!
//! What is won over candle's own `BertModel`, which the tests compare with: whole numbers of 8 bits, texts of a batch
//! without padding, query, key and value as one product, everything between two products as one pass over memory,
//! and one thread for a text, so that callers do not wait for each other's threads.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::Config;
use numeric::transformer::{DenseParts, LayerParts, Misfit, NormParts, Parts, Transformer};

/// `samples` are tokens of texts such as it will read.
pub(super) fn load(
    variables: &VarBuilder<'_>,
    config: &Config,
    samples: &[Vec<u32>],
) -> Result<Transformer> {
    let width = config.hidden_size;
    let embeddings = variables.pp("embeddings");
    let table = |name: &str, rows: usize| {
        values(&embeddings.get((rows, width), &format!("{name}.weight"))?)
    };
    // Position and segment together: there is one segment only.
    let mut positions = table("position_embeddings", config.max_position_embeddings)?;
    let segments = table("token_type_embeddings", config.type_vocab_size)?;
    for position in positions.chunks_exact_mut(width) {
        let pairs = position.iter_mut().zip(&segments);
        pairs.for_each(|(value, segment)| *value += segment);
    }
    let layers = (0..config.num_hidden_layers)
        .map(|i| layer(&variables.pp(format!("encoder.layer.{i}")), config));
    let parts = Parts {
        width,
        heads: config.num_attention_heads,
        words: table("word_embeddings", config.vocab_size)?,
        positions,
        norm: norm(&embeddings.pp("LayerNorm"), config)?,
        layers: layers.collect::<Result<_>>()?,
    };
    match Transformer::new(parts, samples) {
        Ok(network) => Ok(network),
        Err(Misfit) => bail!("the sizes of the network's parts do not fit together"),
    }
}

fn layer(variables: &VarBuilder<'_>, config: &Config) -> Result<LayerParts> {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let (own, output) = (
        variables.pp("attention.self"),
        variables.pp("attention.output"),
    );
    let parts = ["query", "key", "value"].map(|name| own.pp(name));
    Ok(LayerParts {
        query_key_value: dense(&parts, width, width)?,
        attended: dense(&[output.pp("dense")], width, width)?,
        attended_norm: norm(&output.pp("LayerNorm"), config)?,
        inner: dense(&[variables.pp("intermediate.dense")], width, inner)?,
        outer: dense(&[variables.pp("output.dense")], inner, width)?,
        outer_norm: norm(&variables.pp("output.LayerNorm"), config)?,
    })
}

/// One layer of several that read the same input, side by side.
fn dense(parts: &[VarBuilder<'_>], input: usize, output: usize) -> Result<DenseParts> {
    let (mut weights, mut bias) = (Vec::new(), Vec::new());
    for part in parts {
        weights.extend(values(&part.get((output, input), "weight")?)?);
        bias.extend(values(&part.get(output, "bias")?)?);
    }
    Ok(DenseParts { weights, bias })
}

fn norm(variables: &VarBuilder<'_>, config: &Config) -> Result<NormParts> {
    let vector = |name| values(&variables.get(config.hidden_size, name)?);
    Ok(NormParts {
        scale: vector("weight")?,
        shift: vector("bias")?,
        epsilon: config.layer_norm_eps as f32,
    })
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}
