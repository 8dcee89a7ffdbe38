//! A list of lists costs a constant number of statements. The installation of a test runs on the test's own
//! thread, so that a subscriber of this thread sees the statements of this test alone.

use super::{register_server, register_tool};
use crate::support::{Client, Installation};
use domain::principal::Role;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// Counts the statements that read the catalogue.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

struct ReadsCatalog(bool);

impl Visit for ReadsCatalog {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if matches!(field.name(), "summary" | "db.statement") {
            self.0 |= format!("{value:?}").contains("catalog.");
        }
    }
}

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            // A summary is cut short, so that the table may be in the whole statement only.
            let mut visit = ReadsCatalog(false);
            event.record(&mut visit);
            self.0.fetch_add(usize::from(visit.0), Ordering::Relaxed);
        }
    }
}

const NESTED: &str = "{ servers(first: 50) { totalCount nodes { slug toolCount
    tools(first: 3) { totalCount nodes { name versions { version } server { slug } } } } } }";

async fn statements(client: &Client, count: &Count) -> usize {
    let before = count.0.load(Ordering::Relaxed);
    client.data(NESTED, json!({})).await;
    count.0.load(Ordering::Relaxed) - before
}

#[tokio::test]
async fn a_list_of_lists_costs_a_constant_number_of_statements() {
    let count = Count::default();
    let _guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(count.clone()));
    let installation = Installation::start().await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    for number in 0..12 {
        let slug = format!("server-{number}");
        register_server(&client, &slug).await;
        register_tool(&client, &slug, "one", json!({})).await;
        register_tool(&client, &slug, "two", json!({})).await;
        if number == 0 {
            installation.settle().await;
            assert_eq!(statements(&client, &count).await, 6);
        }
    }
    installation.settle().await;
    assert_eq!(statements(&client, &count).await, 6);
}
