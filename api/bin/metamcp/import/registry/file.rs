//! Documents in a file: a JSON array, or JSON lines, of `server.json` documents or of pages of the API.

use anyhow::Context;
use serde_json::Value;
use std::path::Path;

/// Largest file, in bytes: it is read at once.
const MAX_FILE: u64 = 256 << 20;

/// Reads the documents of a file, each as it stands there, or why it is no JSON.
///
/// # Errors
/// When the file cannot be read, is too large, or is an array that is no JSON.
pub async fn read_documents(path: &Path) -> anyhow::Result<Vec<Result<Value, String>>> {
    let named = || format!("{} cannot be read", path.display());
    let about = tokio::fs::metadata(path).await.with_context(named)?;
    if about.len() > MAX_FILE {
        anyhow::bail!("{} is larger than {MAX_FILE} bytes", path.display());
    }
    let bytes = tokio::fs::read(path).await.with_context(named)?;
    documents(&bytes).with_context(|| format!("{} is no JSON", path.display()))
}

fn documents(bytes: &[u8]) -> Result<Vec<Result<Value, String>>, serde_json::Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut found = Vec::new();
    if bytes.trim_ascii_start().starts_with(b"[") {
        unfold(serde_json::from_slice(bytes)?, &mut found);
    } else if let Ok(whole) = serde_json::from_slice(bytes) {
        unfold(whole, &mut found);
    } else {
        let lines = bytes.split(|byte| *byte == b'\n');
        for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
            match serde_json::from_slice(line) {
                Ok(value) => unfold(value, &mut found),
                Err(error) => found.push(Err(error.to_string())),
            }
        }
    }
    Ok(found)
}

/// A list and a page are what they hold.
fn unfold(value: Value, found: &mut Vec<Result<Value, String>>) {
    match value {
        Value::Array(items) => items.into_iter().for_each(|item| unfold(item, found)),
        Value::Object(mut members) => match members.remove("servers") {
            Some(Value::Array(items)) => items.into_iter().for_each(|item| unfold(item, found)),
            Some(other) => {
                members.insert("servers".to_owned(), other);
                found.push(Ok(Value::Object(members)));
            }
            None => found.push(Ok(Value::Object(members))),
        },
        other => found.push(Ok(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let found = documents(text.as_bytes()).unwrap();
        let name = |value: Value| value["name"].as_str().unwrap_or("none").to_owned();
        let found = found.into_iter();
        found
            .map(|document| document.map_or_else(|_| "bad".to_owned(), name))
            .collect()
    }

    #[test]
    fn every_form_of_a_file_is_read() {
        let (one, two) = (r#"{"name":"a"}"#, r#"{"name":"b"}"#);
        assert_eq!(names(one), ["a"]);
        assert_eq!(names(&format!("[{one},\n{two}]")), ["a", "b"]);
        let page = format!(r#"{{"servers":[{one},{two}],"metadata":{{}}}}"#);
        assert_eq!(names(&page), ["a", "b"]);
        let lines = format!("\u{feff}{page}\n\nnot json\r\n{one}\n");
        assert_eq!(names(&lines), ["a", "b", "bad", "a"]);
        assert!(documents(b"[{\"name\":").is_err());
    }
}
