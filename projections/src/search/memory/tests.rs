//! What is held in memory beside the table itself, through all that happens to a table.

use std::time::Duration;

use lancedb::expr::{DfExpr, col, is_in, lit};

use super::super::candidates::{DEPTH, Found, Reader};
use super::super::document::ToolDocument;
use super::super::index::SearchIndex;
use super::super::reading::Which;
use super::super::testing::{Letters, document, index, put};

fn tool(number: usize, change: usize) -> ToolDocument {
    let letters = |from: usize| -> String {
        let letter = |i: usize| {
            b'a' + u8::try_from((from * (i + 3) + number * 11 + change * 5) % 26).unwrap()
        };
        (0..5).map(|i| char::from(letter(i))).collect()
    };
    let description = format!("Sends {} and {} to rows.", letters(1), letters(number % 7));
    let mut tool = document("acme", &format!("tool_{number}"), &description);
    tool.server = format!("server-{}", number % 3);
    tool.category = (!number.is_multiple_of(4)).then(|| format!("c{}", number % 2));
    tool
}

fn filters() -> [DfExpr; 4] {
    let own = || col("tenant").eq(lit("acme"));
    [
        own(),
        own().and(is_in(col("server"), vec![lit("server-1"), lit("server-2")])),
        own().and(
            !col("category")
                .is_not_null()
                .and(col("category").eq(lit("c1"))),
        ),
        col("tenant").eq(lit("rival")),
    ]
}

/// Where scores differ by less than a rounding, either order is right: so scores are compared, place by place.
fn alike(held: &[Found], read: &[Found], most: f32) {
    assert_eq!(held.len(), read.len());
    for (held, read) in held.iter().zip(read) {
        assert!((held.score - read.score).abs() <= most, "{held:?} {read:?}");
    }
    // Beyond the end of a full list stand others of the same score.
    let last = read.last().map_or(0.0, |last| last.score);
    for found in held
        .iter()
        .filter(|found| read.len() < DEPTH || found.score > last + most)
    {
        assert!(
            read.iter().any(|read| read.tool_id == found.tool_id),
            "{found:?}"
        );
    }
}

async fn compare(index: &SearchIndex, version: Option<u64>, words: bool) {
    let which = version.map_or(Which::Current, Which::Version);
    let held = index.reader(which).await.unwrap();
    let read: Reader = index.reader(which).await.unwrap().without_memory();
    for filter in filters() {
        for query in ["hqz", "send rows", "abcde tool"] {
            let vector = [index.embedder.embed_query(query).await.unwrap()];
            let nearest = async |reader: &Reader| {
                let mut lists = reader.vector_candidates(&vector, &filter).await.unwrap();
                lists.pop().unwrap()
            };
            alike(&nearest(&held).await, &nearest(&read).await, 5e-5);
            if words {
                let terms: Vec<String> = query.split(' ').map(str::to_owned).collect();
                let held = held.text_candidates(&terms, &filter).await.unwrap();
                let read = read.text_candidates(&terms, &filter).await.unwrap();
                alike(&held, &read, 1e-3);
            }
        }
    }
}

#[tokio::test]
async fn what_is_held_answers_as_the_table_does_at_every_version() {
    let (index, _folder) = index(Letters).await;
    let mut versions = Vec::new();
    for step in 0..24 {
        let tools: Vec<_> = (0..=step % 5)
            .map(|n| tool((step * 37 + n * 13) % 300, step))
            .chain(
                (step == 10)
                    .then(|| (400..1_900).map(move |n| tool(n, step)))
                    .into_iter()
                    .flatten(),
            )
            .collect();
        put(&index, &tools).await;
        if step % 3 == 2 {
            let gone: Vec<String> = (0..3)
                .map(|n| format!("id-tool_{}", step * 11 + n))
                .collect();
            index.delete(&tools[0].tenant, &gone).await.unwrap();
        }
        if step % 7 == 6 {
            index.optimize(Duration::from_secs(300)).await.unwrap();
        }
        compare(&index, None, false).await;
        versions.push(index.table.version().await.unwrap());
    }
    // Backwards, so that what is gone by now has to be read again.
    for version in versions.into_iter().rev() {
        compare(&index, Some(version), false).await;
    }
    // LanceDB counts words of what an index holds, once it holds all.
    index.optimize(Duration::ZERO).await.unwrap();
    compare(&index, None, true).await;
}
