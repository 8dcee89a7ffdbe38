//! The vectors of tools: taken over where nothing has changed, made where something has.
//!
//! A tool's vector is a mean of two: of its whole text, and of its name alone. A name says in three words what the
//! tool does; in the vector of a long description it drowns.

use std::collections::{HashMap, HashSet};

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use lancedb::Table;
use lancedb::expr::{col, is_in, lit};
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use super::document::ToolDocument;
use super::embed::normalize;
use super::error::SearchError;
use super::index::SearchIndex;
use super::rows;

/// Share of the name in a tool's vector. From 0.1 to 0.4 the benchmarks hardly differ.
const NAME_SHARE: f32 = 0.25;

/// What the vector of a tool is made of.
pub(super) struct Source {
    text: String,
    name: String,
    /// Names both texts without keeping them: equal digests mean that the vector can stay.
    pub(super) digest: String,
}

impl Source {
    pub(super) fn of(document: &ToolDocument) -> Self {
        let (text, name) = (document.embedding_text(), document.embedding_name());
        let digest = rows::digest(&[&text, &name]);
        Self { text, name, digest }
    }
}

impl SearchIndex {
    /// One vector for each source. `progress` is told how many more are there.
    pub(super) async fn vectors(
        &self,
        sources: &[Source],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Vec<f32>>, SearchError> {
        let mut known = HashMap::new();
        if let Some(donor) = &self.donor {
            match known_vectors(donor, sources).await {
                Ok(given) => known.extend(given),
                // It only saves work: a rebuild may have dropped it.
                Err(error) => tracing::debug!(%error, "no vectors from the other table"),
            }
        }
        known.extend(known_vectors(&self.table, sources).await?);
        let mut asked = HashSet::new();
        let wanted: Vec<&Source> = sources
            .iter()
            .filter(|source| !known.contains_key(&source.digest) && asked.insert(&source.digest))
            .collect();
        progress(sources.len() - wanted.len());
        if !wanted.is_empty() {
            let texts: Vec<String> = wanted.iter().map(|source| source.text.clone()).collect();
            let names: Vec<String> = wanted.iter().map(|source| source.name.clone()).collect();
            let (texts, names) = futures::try_join!(
                self.embedder.embed_documents(&texts, progress),
                self.embedder.embed_documents(&names, &|_| ()),
            )?;
            for ((source, text), name) in wanted.iter().zip(texts).zip(names) {
                known.insert(source.digest.clone(), mean(text, &name));
            }
        }
        let vector = |source: &Source| {
            let missing = || SearchError::Damaged(source.digest.clone());
            known.get(&source.digest).cloned().ok_or_else(missing)
        };
        sources.iter().map(vector).collect()
    }
}

fn mean(mut text: Vec<f32>, name: &[f32]) -> Vec<f32> {
    for (text, name) in text.iter_mut().zip(name) {
        *text = (1.0 - NAME_SHARE) * *text + NAME_SHARE * name;
    }
    normalize(&mut text);
    text
}

async fn known_vectors(
    table: &Table,
    sources: &[Source],
) -> Result<HashMap<String, Vec<f32>>, SearchError> {
    let digests = sources.iter().map(|source| lit(source.digest.as_str()));
    let query = table
        .query()
        .only_if_expr(is_in(col("embedded"), digests.collect()))
        .select(Select::columns(&["embedded", "vector"]));
    let batches: Vec<RecordBatch> = query.execute().await?.try_collect().await?;
    let mut known = HashMap::new();
    for batch in &batches {
        let names = rows::strings(batch, "embedded")?;
        for row in 0..batch.num_rows() {
            known.insert(names.value(row).to_owned(), rows::vector(batch, row)?);
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cosine, document};
    use super::*;

    #[test]
    fn a_vector_stays_as_long_as_text_and_name_do() {
        let tool = document("acme", "send_mail", "Sends mail.");
        let digest = |change: fn(&mut ToolDocument)| {
            let mut tool = tool.clone();
            change(&mut tool);
            Source::of(&tool).digest
        };
        let same = Source::of(&tool).digest;
        assert_eq!(digest(|tool| tool.status = "retired".into()), same);
        assert_ne!(digest(|tool| tool.description.push('!')), same);
        assert_ne!(digest(|tool| tool.name.push('s')), same);
    }

    #[test]
    fn a_name_draws_the_vector_towards_itself_and_the_length_stays_one() {
        let (text, name) = (vec![1.0, 0.0], [0.0, 1.0]);
        let vector = mean(text.clone(), &name);
        assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-6);
        assert!(cosine(&vector, &text) > cosine(&vector, &name));
        assert!(cosine(&vector, &name) > 0.0);
        assert_eq!(mean(text.clone(), &text), text);
    }
}
