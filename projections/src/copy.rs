//! Rows by `COPY` in its binary form (PostgreSQL manual, `COPY`, "Binary Format"): how a rebuild fills tables.
//! Nothing is escaped on this side and nothing is unescaped on the other.

use crate::error::ProjectionError;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// No flags, no header extension.
const HEADER: [u8; 8] = [0; 8];
/// What stands in place of a row's number of columns behind the last row.
const END: i16 = -1;
/// What stands in place of a value's length when there is none.
const NULL: i32 = -1;
/// 2000-01-01, from which PostgreSQL counts, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;
/// PostgreSQL's type `text`, the elements of an array.
const TEXT_OID: i32 = 25;
/// Bytes sent at once.
const PART: usize = 1 << 18;

/// Rows of one table, written value by value in the order of the columns.
pub(crate) struct CopyRows {
    table: &'static str,
    columns: Vec<&'static str>,
    buffer: Vec<u8>,
    rows: usize,
    failed: Option<serde_json::Error>,
}

impl CopyRows {
    pub(crate) fn new(table: &'static str, columns: Vec<&'static str>) -> Self {
        let mut buffer = Vec::with_capacity(PART);
        buffer.extend_from_slice(SIGNATURE);
        buffer.extend_from_slice(&HEADER);
        Self {
            table,
            columns,
            buffer,
            rows: 0,
            failed: None,
        }
    }

    /// Begins a row: a value for each column has to follow.
    pub(crate) fn row(&mut self) {
        let columns = i16::try_from(self.columns.len()).unwrap_or(i16::MAX);
        self.buffer.extend_from_slice(&columns.to_be_bytes());
        self.rows += 1;
    }

    pub(crate) fn null(&mut self) {
        self.buffer.extend_from_slice(&NULL.to_be_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn opt_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    pub(crate) fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.sized(|buffer| {
            let count = i32::try_from(texts.len()).unwrap_or(i32::MAX);
            // One dimension, or none of an empty array; no nulls; elements count from 1.
            let dimensions = i32::from(count > 0);
            for number in [dimensions, 0, TEXT_OID] {
                buffer.extend_from_slice(&number.to_be_bytes());
            }
            if count > 0 {
                buffer.extend_from_slice(&count.to_be_bytes());
                buffer.extend_from_slice(&1_i32.to_be_bytes());
            }
            for text in texts {
                sized(buffer, |buffer| buffer.extend_from_slice(text.as_bytes()));
            }
        });
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.bytes(&[u8::from(value)]);
    }

    pub(crate) fn int(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn bigint(&mut self, value: i64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn time(&mut self, time: DateTime<Utc>) {
        self.bigint(time.timestamp_micros().saturating_sub(EPOCH));
    }

    /// A value of type `json`, which keeps its text.
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        self.document(&[], value);
    }

    /// A value of type `jsonb`.
    pub(crate) fn jsonb(&mut self, value: &impl Serialize) {
        // The version of the binary form.
        self.document(&[1], value);
    }

    pub(crate) fn opt_jsonb(&mut self, value: Option<&impl Serialize>) {
        match value {
            Some(value) => self.jsonb(value),
            None => self.null(),
        }
    }

    fn document(&mut self, prefix: &[u8], value: &impl Serialize) {
        let mut failed = None;
        self.sized(|buffer| {
            buffer.extend_from_slice(prefix);
            failed = serde_json::to_writer(&mut *buffer, value).err();
        });
        self.failed = self.failed.take().or(failed);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.sized(|buffer| buffer.extend_from_slice(bytes));
    }

    fn sized(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        sized(&mut self.buffer, write);
    }

    /// Sends the rows; none cost nothing.
    pub(crate) async fn send(
        mut self,
        connection: &mut PgConnection,
    ) -> Result<(), ProjectionError> {
        if let Some(error) = self.failed {
            return Err(sqlx::Error::Encode(error.into()).into());
        }
        if self.rows == 0 {
            return Ok(());
        }
        self.buffer.extend_from_slice(&END.to_be_bytes());
        let (table, columns) = (self.table, self.columns.join(", "));
        let statement = format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)");
        let mut copy = connection.copy_in_raw(&statement).await?;
        for part in self.buffer.chunks(PART) {
            copy.send(part).await?;
        }
        copy.finish().await?;
        Ok(())
    }
}

/// A value behind its length.
fn sized(buffer: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    write(buffer);
    let length = i32::try_from(buffer.len() - at - 4).unwrap_or(i32::MAX);
    buffer[at..at + 4].copy_from_slice(&length.to_be_bytes());
}
