//! Where an index of vectors would overtake what is held in memory: the nearest hundred of ever more vectors by the
//! scan in memory that search does, by LanceDB's exact scan of its files, and by its index of partitions (IVF), asked for
//! as few partitions as find 98 of 100.

use crate::corpus::Corpus;
use crate::embed::{document, model_dir};
use crate::harness::{Goal, Report, Settings, as_f64, median, millis};
use crate::search::{DIMENSIONS, dot, moved, nearest, queries};
use anyhow::{Context as _, Result, ensure};
use arrow_array::types::Float32Type;
use arrow_array::{FixedSizeListArray, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use futures::TryStreamExt;
use lancedb::index::Index;
use lancedb::index::vector::IvfFlatIndexBuilder;
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::{DistanceType, Table};
use numeric::planes::{Planes, Query};
use projections::search::embed::{Embedder, MiniLm};
use std::sync::Arc;
use std::time::Instant;

/// How many neighbours a search takes from its vectors.
const NEIGHBOURS: usize = 100;
const RECALL: f64 = 0.98;
/// Rows of a batch that is written.
const BATCH: usize = 10_000;

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let Some(folder) = model_dir() else {
        return Ok(());
    };
    let corpus = Corpus::load(settings)?;
    let model = MiniLm::load(&folder)?;
    let numbers = 0..settings.size(2_000, 100).min(corpus.len());
    let texts = numbers.map(|number| Ok(document(&corpus, number * 7)?.embedding_text()));
    let texts = texts.collect::<Result<Vec<_>>>()?;
    let real = model.embed_documents(&texts, &|_| ()).await?;
    let mut asked = Vec::new();
    for query in queries(&corpus, settings.size(50, 10)) {
        asked.push(model.embed_query(&query).await?);
    }
    let mut sizes = vec![settings.size(10_000, 1_000)];
    if settings.full {
        sizes.extend([100_000, 250_000, 500_000]);
    }
    for size in sizes {
        let vectors: Vec<f32> = (0..size)
            .flat_map(|number| moved(&real, &number.to_string()))
            .collect();
        measure(report, &vectors, &asked).await?;
    }
    Ok(())
}

async fn measure(report: &mut Report, vectors: &[f32], asked: &[Vec<f32>]) -> Result<()> {
    let size = vectors.len() / DIMENSIONS;
    let folder = tempfile::tempdir()?;
    let table = written(&folder.path().display().to_string(), vectors).await?;
    let mut planes = Planes::new(DIMENSIONS);
    for vector in vectors.chunks_exact(DIMENSIONS) {
        planes.push(vector);
    }
    let (mut held, mut last) = (Vec::new(), Vec::new());
    for query in asked {
        let begun = Instant::now();
        let best = scanned(&planes, query);
        held.push(begun.elapsed().as_secs_f64());
        let exact = nearest(vectors, query, NEIGHBOURS);
        let least = exact.last().map_or(0.0, |(score, _)| *score);
        let is_near = |place: &usize| {
            dot(
                &vectors[place * DIMENSIONS..(place + 1) * DIMENSIONS],
                query,
            ) >= least - 1e-3
        };
        ensure!(best.iter().all(is_near), "the scan in memory is not exact");
        last.push(least);
    }
    let held = median(&held);
    let exact = Ways {
        table: &table,
        vectors,
        asked,
        last: &last,
    };
    let (files, _) = exact.ask(None).await?;
    let texts = (millis(held), millis(files));
    let bench = format!("nearest 100 of {size} vectors, in memory beside LanceDB's exact scan");
    report.line(bench, texts, held / files, Goal::None);

    let index = Index::IvfFlat(IvfFlatIndexBuilder::default().distance_type(DistanceType::Cosine));
    table.create_index(&["vector"], index).execute().await?;
    let mut probes = 1;
    let (seconds, recall) = loop {
        let (seconds, recall) = exact.ask(Some(probes)).await?;
        if recall >= RECALL || probes >= 4_096 {
            break (seconds, recall);
        }
        probes *= 2;
    };
    let texts = (
        millis(held),
        format!("{} ({recall:.3} found)", millis(seconds)),
    );
    let bench = format!("… beside its index, {probes} partitions read");
    report.line(bench, texts, held / seconds, Goal::None);
    Ok(())
}

/// The nearest in memory, as a search finds them: bounds of all rows first, and the whole product of those that may be
/// among the best.
fn scanned(planes: &Planes, vector: &[f32]) -> Vec<usize> {
    let query = Query::new(vector);
    let mut bounds = Vec::new();
    planes.rough(&query, &mut bounds);
    let mut least: Vec<f32> = bounds.iter().map(|bound| bound.least).collect();
    let (_, last, _) = least.select_nth_unstable_by(NEIGHBOURS - 1, |a, b| b.total_cmp(a));
    let last = *last;
    let possible = bounds
        .iter()
        .enumerate()
        .filter(|(_, bound)| bound.most >= last);
    let mut best: Vec<(f32, usize)> = possible
        .map(|(row, _)| (planes.product(&query, row), row))
        .collect();
    best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    best.truncate(NEIGHBOURS);
    best.into_iter().map(|(_, row)| row).collect()
}

/// A table, what to ask it, and what an exact answer reaches down to.
struct Ways<'a> {
    table: &'a Table,
    vectors: &'a [f32],
    asked: &'a [Vec<f32>],
    last: &'a [f32],
}

impl Ways<'_> {
    /// Median seconds, and the share that is found of the nearest, by an index or else by an exact scan.
    async fn ask(&self, probes: Option<usize>) -> Result<(f64, f64)> {
        let (mut times, mut found) = (Vec::new(), 0);
        for (query, last) in self.asked.iter().zip(self.last) {
            let begun = Instant::now();
            let nearest = self.table.query().nearest_to(query.as_slice())?;
            let nearest = nearest.column("vector").distance_type(DistanceType::Cosine);
            let nearest = match probes {
                Some(probes) => nearest.nprobes(probes)?,
                None => nearest.bypass_vector_index(),
            };
            let nearest = nearest.select(Select::columns(&["id", "_distance"]));
            let batches: Vec<RecordBatch> = nearest
                .limit(NEIGHBOURS)
                .execute()
                .await?
                .try_collect()
                .await?;
            times.push(begun.elapsed().as_secs_f64());
            for batch in &batches {
                let ids = batch.column_by_name("id").context("id")?;
                let ids = ids.as_any().downcast_ref::<UInt32Array>().context("ids")?;
                let is_near = |id: u32| {
                    let place = usize::try_from(id).unwrap_or_default() * DIMENSIONS;
                    dot(&self.vectors[place..place + DIMENSIONS], query) >= last - 1e-5
                };
                found += ids.values().iter().filter(|id| is_near(**id)).count();
            }
        }
        let recall = as_f64(found) / as_f64(self.asked.len() * NEIGHBOURS);
        Ok((median(&times), recall))
    }
}

/// A table of numbered vectors.
async fn written(uri: &str, vectors: &[f32]) -> Result<Table> {
    let width = i32::try_from(DIMENSIONS)?;
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let vector = DataType::FixedSizeList(item, width);
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::UInt32, false),
        Field::new("vector", vector, false),
    ]));
    let mut batches = Vec::new();
    for (part, values) in vectors.chunks(BATCH * DIMENSIONS).enumerate() {
        let first = u32::try_from(part * BATCH)?;
        let rows = u32::try_from(values.len() / DIMENSIONS)?;
        let ids = UInt32Array::from_iter_values(first..first + rows);
        let rows = values.chunks_exact(DIMENSIONS);
        let rows = rows.map(|row| Some(row.iter().copied().map(Some).collect::<Vec<_>>()));
        let list = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, width);
        let columns = vec![Arc::new(ids) as _, Arc::new(list) as _];
        batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
    }
    let connection = lancedb::connect(uri).execute().await?;
    Ok(connection
        .create_table("vectors", batches)
        .execute()
        .await?)
}
