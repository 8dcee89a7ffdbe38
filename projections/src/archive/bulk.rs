//! The archive's rows by `COPY`: the same rows as the live path writes, for a rebuild.

use super::{metadata, payload};
use crate::checkpoint::to_i64;
use crate::copy::CopyRows;
use crate::error::ProjectionError;
use crate::projector::Recorded;
use sqlx::PgConnection;

const COLUMNS: [&str; 11] = [
    "tenant",
    "aggregate_type",
    "aggregate_id",
    "sequence",
    "event_index",
    "event_type",
    "event_version",
    "payload",
    "metadata",
    "stream_sequence",
    "recorded_at",
];

pub(super) async fn copy(
    connection: &mut PgConnection,
    batch: &[Recorded],
) -> Result<(), ProjectionError> {
    let mut rows = CopyRows::new("events", COLUMNS.to_vec());
    for recorded in batch {
        let commit = &recorded.commit;
        for (index, event) in commit.events.iter().enumerate() {
            rows.row();
            rows.text(commit.tenant.as_str());
            rows.text(&commit.aggregate);
            rows.text(&commit.aggregate_id);
            rows.bigint(to_i64(commit.sequence));
            rows.int(i32::try_from(index).unwrap_or(i32::MAX));
            rows.text(&event.wire_type);
            rows.text(&event.version.to_string());
            rows.json(&payload(event));
            rows.json(&metadata(recorded));
            rows.bigint(to_i64(recorded.stream_sequence));
            rows.time(commit.recorded_at);
        }
    }
    rows.send(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use domain::envelope::Commit;

    /// The columns keep their text, and those of an older release must equal those of a rebuild.
    #[test]
    fn the_text_of_a_row_is_what_it_was() {
        let body = r#"{"actor":{"id":"x","kind":"user"},"aggregate":"tool","aggregate_id":"t",
            "command_id":"00000000-0000-0000-0000-000000000002",
            "commit_id":"00000000-0000-0000-0000-000000000001",
            "correlation_id":"00000000-0000-0000-0000-000000000003",
            "events":[{"data":{"b":1.5,"a":["é"]},"type":"tool.retired","version":2}],
            "previous_hash":null,"recorded_at":"2023-11-14T22:13:20.123456Z","sequence":1,"tenant":"acme"}"#;
        let recorded = Recorded {
            stream_sequence: 7,
            hash: "ab".to_owned(),
            commit: Commit::from_bytes(body.as_bytes()).unwrap(),
            events: Vec::new(),
            body: Bytes::new(),
        };
        assert_eq!(
            serde_json::to_string(&payload(&recorded.commit.events[0])).unwrap(),
            r#"{"type":"tool.retired","version":2,"data":{"b":1.5,"a":["é"]}}"#
        );
        assert_eq!(
            serde_json::to_string(&metadata(&recorded)).unwrap(),
            "{\"commit_id\":\"00000000-0000-0000-0000-000000000001\",\"actor\":{\"kind\":\"user\",\"id\":\"x\"},\
             \"command_id\":\"00000000-0000-0000-0000-000000000002\",\
             \"correlation_id\":\"00000000-0000-0000-0000-000000000003\",\
             \"previous_hash\":null,\"hash\":\"ab\",\"stream_sequence\":7}"
        );
    }
}
