//! Processes of one installation start at the same time, and the index is not there yet.

use crate::support::Servers;
use projections::Database;
use projections::search::CurrentIndex;
use projections::search::embed::NoEmbedder;
use std::sync::Arc;

const TIMES: usize = 5;
const PROCESSES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several_processes_creates_the_index_and_all_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::shared().await;
    let config = servers.fresh_config(folder.path()).await;
    let database = Database::new(&config.postgres.address().unwrap()).unwrap();
    database.migrate().await.unwrap();
    for time in 0..TIMES {
        let uri = folder.path().join(time.to_string()).display().to_string();
        let openings: Vec<_> = (0..PROCESSES)
            .map(|number| {
                let (uri, database) = (uri.clone(), database.clone());
                tokio::spawn(async move {
                    let embedder = Arc::new(NoEmbedder);
                    let mut connection = database.connect().await.unwrap();
                    match number % 2 {
                        0 => CurrentIndex::open(&uri, embedder, &mut connection).await,
                        _ => CurrentIndex::open_or_replace(&uri, embedder, &mut connection).await,
                    }
                })
            })
            .collect();
        for opening in openings {
            let opened = opening.await.unwrap().unwrap();
            assert_eq!(opened.get().count().await.unwrap(), 0);
        }
    }
}
