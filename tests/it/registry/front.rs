//! A registry's front that writes down what is asked, and can fail or leave questions unanswered.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Debug)]
struct Inner {
    origin: String,
    asked: Mutex<Vec<String>>,
    /// How many requests are still to fail.
    failures: AtomicUsize,
    /// How many are answered; those that follow wait for ever.
    answers: AtomicUsize,
}

/// Stands before an installation; dropping it ends it.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) base: String,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Front {
    pub(super) async fn before(origin: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            origin: origin.to_owned(),
            asked: Mutex::default(),
            failures: AtomicUsize::new(0),
            answers: AtomicUsize::new(usize::MAX),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            base,
            inner,
            serving,
        }
    }

    /// Lets the next requests fail.
    pub(super) fn fail(&self, requests: usize) {
        self.inner.failures.store(requests, Ordering::Relaxed);
    }

    /// Answers so many of the next requests, and none of those that follow.
    pub(super) fn answer_only(&self, requests: usize) {
        self.inner.answers.store(requests, Ordering::Relaxed);
    }

    /// How many queries there were since the last time that they were taken.
    pub(super) fn waiting(&self) -> usize {
        self.inner.asked.lock().unwrap().len()
    }

    /// The queries since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.asked.lock().unwrap())
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let less = |left: usize| left.checked_sub(1);
    let failing = inner
        .failures
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    if failing.is_ok() {
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response();
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    inner.asked.lock().unwrap().push(query);
    let answered = inner
        .answers
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    if answered.is_err() {
        std::future::pending::<()>().await;
    }
    let mut forward = reqwest::Client::new().get(format!("{}{}", inner.origin, request.uri()));
    for (name, value) in request.headers() {
        if name != "host" {
            forward = forward.header(name, value);
        }
    }
    let answer = forward.send().await.unwrap();
    let status = answer.status();
    (status, answer.text().await.unwrap()).into_response()
}
