use super::*;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry::trace::{Span as _, Tracer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_a_collector_from_outside_the_runtime() {
    let (sender, mut received) = mpsc::channel::<Bytes>(4);
    let take = move |body: Bytes| async move {
        sender.send(body).await.unwrap();
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let provider = exporter(&format!("http://{address}/").parse().unwrap()).unwrap();
    provider.tracer("test").start("a span of the test").end();
    let flushing = provider.clone();
    tokio::task::spawn_blocking(move || flushing.force_flush())
        .await
        .unwrap()
        .unwrap();
    let body = received.recv().await.unwrap();
    assert!(
        body.windows(18)
            .any(|window| window == b"a span of the test")
    );
}

#[test]
fn the_histograms_have_bounds_and_the_metrics_meanings() {
    let recorder = recorder().unwrap().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        describe();
        metrics::histogram!(HTTP_REQUEST_SECONDS, "route" => "/graphql").record(0.003);
        metrics::counter!(COMMANDS, "aggregate" => "tool", "outcome" => "committed").increment(1);
    });
    let text = handle.render();
    assert!(
        text.contains("metamcp_http_request_seconds_bucket{route=\"/graphql\",le=\"0.005\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("# HELP metamcp_commands_total Commands by aggregate and outcome"),
        "{text}"
    );
}

#[test]
fn the_callers_trace_context_is_read_from_the_headers() {
    let mut headers = HeaderMap::new();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    headers.insert("traceparent", parent.parse().unwrap());
    let propagator = TraceContextPropagator::new();
    let context =
        opentelemetry::propagation::TextMapPropagator::extract(&propagator, &Carrier(&headers));
    let span = opentelemetry::trace::TraceContextExt::span(&context)
        .span_context()
        .clone();
    assert_eq!(
        span.trace_id().to_string(),
        "0af7651916cd43dd8448eb211c80319c"
    );
}
