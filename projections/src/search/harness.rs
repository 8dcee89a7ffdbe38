//! temporary
use super::embed::*;
use super::evaluate::*;
use super::query::Mode;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "temporary"]
async fn harness() {
    let what = std::env::var("H").unwrap();
    let begin = Instant::now();
    let model = MiniLm::load(Path::new("/var/cache/metamcp/models/all-MiniLM-L6-v2")).unwrap();
    eprintln!("load {:?}", begin.elapsed());
    if what == "embed" {
        // lines of {"text"} -> f32 le
        let texts: Vec<String> = std::fs::read_to_string(std::env::var("IN").unwrap())
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str::<String>(l).unwrap())
            .collect();
        let begin = Instant::now();
        let v = model.embed_documents(&texts, &|_| ()).await.unwrap();
        eprintln!("{} texts in {:?}", texts.len(), begin.elapsed());
        let mut f = std::fs::File::create(std::env::var("OUT").unwrap()).unwrap();
        for x in v {
            f.write_all(&x.iter().flat_map(|y| y.to_le_bytes()).collect::<Vec<u8>>())
                .unwrap();
        }
    } else if what == "single" {
        for text in [
            "find files",
            "Let the #release channel know on Slack that the deployment is finished",
            &"word list ".repeat(60),
        ] {
            let mut t: Vec<_> = Vec::new();
            for _ in 0..30 {
                let b = Instant::now();
                model.embed_query(text).await.unwrap();
                t.push(b.elapsed());
            }
            t.sort();
            eprintln!(
                "single {} chars: median {:?} max {:?}",
                text.len(),
                t[15],
                t[29]
            );
        }
    } else {
        let d = std::env::var("BENCH").unwrap();
        let corpus = std::env::var("CORPUS").unwrap();
        let out = std::env::var("OUT").unwrap();
        let mode = match what.as_str() {
            "text" => Mode::Text,
            "vector" => Mode::Vector,
            _ => Mode::Hybrid,
        };
        let scratch = std::env::var("SCRATCH").unwrap();
        let r = evaluate(
            Evaluation {
                corpus: Path::new(&corpus),
                queries: &Path::new(&d).join("queries.jsonl"),
                mode,
                out: Path::new(&out),
                scratch: Path::new(&scratch),
            },
            Arc::new(model),
            &|_| (),
        )
        .await
        .unwrap();
        eprintln!("{r:?}");
    }
}
