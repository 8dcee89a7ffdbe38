//! Lines of a file that may be anything: bounded in memory, numbered, never an end before the end.

use super::report::Reason;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Longest line, in bytes: two schemas of the largest size, escaped, and room for the rest.
const MAX_LINE: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line that is not blank.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// Its bytes without the line end; why it cannot be taken otherwise.
    pub(super) bytes: Result<Vec<u8>, Reason>,
}

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    number: u64,
    bytes_read: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            number: 0,
            bytes_read: 0,
        }
    }

    /// The number of the last line that was begun.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// How much of the file has been read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next line that is not blank; none at the end.
    pub(super) async fn next(&mut self) -> std::io::Result<Option<Line>> {
        loop {
            let Some(bytes) = self.raw().await? else {
                return Ok(None);
            };
            let number = self.number;
            let Ok(mut bytes) = bytes else {
                let message = format!("the line is longer than {MAX_LINE} bytes");
                let bytes = Err(Reason::new("LINE_TOO_LONG", message));
                return Ok(Some(Line { number, bytes }));
            };
            if number == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            if !bytes.trim_ascii().is_empty() {
                return Ok(Some(Line {
                    number,
                    bytes: Ok(bytes),
                }));
            }
        }
    }

    /// One line without its line feed; `Err(TooLong)` when it does not fit, and then it is skipped.
    async fn raw(&mut self) -> std::io::Result<Option<Result<Vec<u8>, TooLong>>> {
        let mut line = Vec::new();
        let mut too_long = false;
        let mut begun = false;
        loop {
            let buffer = self.reader.fill_buf().await?;
            if buffer.is_empty() {
                break;
            }
            if !begun {
                begun = true;
                self.number += 1;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            too_long |= line.len() + part.len() > MAX_LINE;
            if too_long {
                line = Vec::new();
            } else {
                line.extend_from_slice(part);
            }
            let taken = part.len() + usize::from(end.is_some());
            self.reader.consume(taken);
            self.bytes_read += taken as u64;
            if end.is_some() {
                break;
            }
        }
        Ok(begun.then_some(if too_long { Err(TooLong) } else { Ok(line) }))
    }
}

struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    async fn read(text: &[u8]) -> Vec<(u64, Result<String, &'static str>)> {
        // A tiny buffer, so that lines span several reads.
        let mut lines = Lines::new(BufReader::with_capacity(7, text));
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            let bytes = line
                .bytes
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            found.push((line.number, bytes.map_err(|reason| reason.code)));
        }
        assert_eq!(lines.bytes_read(), text.len() as u64);
        found
    }

    #[tokio::test]
    async fn numbers_lines_and_skips_blank_ones() {
        let found =
            read(b"\xef\xbb\xbf{\"a\":1}\n\n  \r\n{\"long\":\"line of text\"}\r\nlast").await;
        let expected = [
            (1, "{\"a\":1}"),
            (4, "{\"long\":\"line of text\"}\r"),
            (5, "last"),
        ];
        assert_eq!(
            found,
            expected.map(|(number, text)| (number, Ok(text.to_owned())))
        );
    }

    #[tokio::test]
    async fn a_line_without_end_is_skipped_and_not_kept() {
        let mut text = vec![b'x'; MAX_LINE + 1];
        text.extend_from_slice(b"\nnext\n");
        let found = read(&text).await;
        assert_eq!(
            found,
            [(1, Err("LINE_TOO_LONG")), (2, Ok("next".to_owned()))]
        );
    }

    #[tokio::test]
    async fn an_empty_file_has_no_line() {
        assert!(read(b"").await.is_empty());
        assert!(read(b"\n\n\n").await.is_empty());
    }
}
