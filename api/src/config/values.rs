//! How values are written: times, lists and secrets in files.

use super::ConfigError;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};
use std::path::PathBuf;
use std::time::Duration;

/// A time as `500ms`, `30s`, `15m`, `12h` or `90d`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).ok_or_else(|| {
        de::Error::custom(format!(
            "`{text}` is not a time; write 500ms, 30s, 15m, 12h or 90d"
        ))
    })
}

/// Reads a time as people write it: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    let seconds = match unit.trim() {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// A list, or one text with commas, which is how a variable writes a list.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Many(Vec<String>),
        One(String),
    }
    Ok(match Form::deserialize(deserializer)? {
        Form::Many(items) => items,
        Form::One(text) => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// Fills a secret from its file. Both at once is a mistake worth naming.
pub(super) fn read_secret(
    key: &str,
    value: &mut Option<SecretString>,
    file: Option<&PathBuf>,
) -> Result<(), ConfigError> {
    let Some(path) = file else { return Ok(()) };
    if value.is_some() {
        return Err(ConfigError::new(format!(
            "give either {key} or {key}_file, not both"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(format!(
            "{key}_file {} cannot be read: {error}",
            path.display()
        ))
    })?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(ConfigError::new(format!(
            "{key}_file {} is empty",
            path.display()
        )));
    }
    *value = Some(text.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("15m"), Some(Duration::from_secs(900)));
        assert_eq!(
            parse_duration(" 90d "),
            Some(Duration::from_secs(90 * 86_400))
        );
        for bad in [
            "",
            "5",
            "m",
            "-1s",
            "1.5s",
            "5 weeks",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
