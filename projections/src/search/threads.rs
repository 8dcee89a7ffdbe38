//! Threads on which searches compute, beside those of the runtime that asks.
//!
//! A search computes for milliseconds without a pause. On the runtime's own threads all else would wait behind it at
//! each of its steps, and a write to the index has dozens of them. Here the system's scheduler shares the processors out.
//! Reading the rows of a new version is no part of it: writers wait for that, too.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::error::SearchError;

/// One thread for each processor, for all indexes of the process; `None` where the system has no descriptors left for it.
static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread()
        .thread_name("search")
        .enable_all()
        .build();
    let failed = |error: &std::io::Error| {
        tracing::warn!(%error, "no threads for searches; they compute where they are asked");
    };
    runtime.inspect_err(failed).ok()
});

/// Runs a search on threads of its own. Whoever no longer waits for it ends it, and a panic goes on to who waits.
///
/// # Errors
/// Those of the search.
pub(super) async fn beside<T: Send + 'static>(
    search: impl Future<Output = Result<T, SearchError>> + Send + 'static,
) -> Result<T, SearchError> {
    let Some(threads) = &*THREADS else {
        return search.await;
    };
    let running = AbortOnDropHandle::new(threads.spawn(search.in_current_span()));
    match running.await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // These threads end with the process.
            Err(stopped) => Err(SearchError::Damaged(stopped.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_search_computes_beside_the_threads_that_ask() {
        let named = async { Ok(thread::current().name().map(str::to_owned)) };
        assert_eq!(beside(named).await.unwrap().as_deref(), Some("search"));
        // This test's runtime has one thread: it turns to other things while a search keeps its own busy.
        let (answer, other) = oneshot::channel::<()>();
        let busy = beside(async move {
            while !answer.is_closed() {
                thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        });
        let elsewhere = async {
            tokio::task::yield_now().await;
            drop(other);
        };
        let both = async { tokio::join!(busy, elsewhere).0 };
        tokio::time::timeout(Duration::from_secs(30), both)
            .await
            .expect("the thread that asks is free")
            .unwrap();
    }

    #[tokio::test]
    async fn who_no_longer_waits_ends_the_search() {
        let (ended, seen) = oneshot::channel::<()>();
        let search = beside(async move {
            let _ended = ended;
            std::future::pending::<Result<(), SearchError>>().await
        });
        let left = tokio::time::timeout(Duration::from_millis(20), search).await;
        assert!(left.is_err());
        let ended = tokio::time::timeout(Duration::from_secs(30), seen).await;
        assert!(ended.expect("it ends").is_err());
    }

    #[tokio::test]
    #[should_panic(expected = "a defect")]
    async fn a_panic_goes_on_to_who_waits() {
        let _ = beside::<()>(async { panic!("a defect") }).await;
    }
}
