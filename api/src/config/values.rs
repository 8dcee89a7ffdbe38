//! How values are written: times, lists and secrets in files.

use super::ConfigError;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::PathBuf;
use std::time::Duration;

/// The units of times, the largest first, and their seconds.
const UNITS: [(&str, u64); 4] = [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60), ("s", 1)];

/// A time as `500ms`, `30s`, `15m`, `12h` or `90d`.
pub(super) mod duration {
    use super::{Duration, parse_duration, write_duration};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is not a time; write 500ms, 30s, 15m, 12h or 90d"
            ))
        })
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write_duration(*duration))
    }
}

/// Reads a time as people write it: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim();
    if unit == "ms" {
        return Some(Duration::from_millis(number));
    }
    let seconds = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// Writes a time as [`parse_duration`] reads it, in the largest unit of which it is a whole number.
fn write_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let whole = |(_, unit): &&(&str, u64)| seconds.is_multiple_of(*unit);
    match UNITS.iter().find(whole) {
        Some((name, unit)) if duration.subsec_nanos() == 0 => format!("{}{name}", seconds / unit),
        _ => format!("{}ms", duration.as_millis()),
    }
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

/// Writes a secret out, or none: for a file that only its owner reads.
pub(super) fn write_secret<'a, S: Serializer>(
    secret: impl Into<Option<&'a SecretString>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let secret: Option<&SecretString> = secret.into();
    let text: Option<&str> = secret.map(ExposeSecret::expose_secret);
    text.serialize(serializer)
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

    #[test]
    fn times_are_written_as_they_are_read() {
        for text in ["1500ms", "5s", "90s", "15m", "12h", "36h", "90d"] {
            let written = parse_duration(text).map(write_duration);
            assert_eq!(written.as_deref(), Some(text));
        }
        assert_eq!(write_duration(Duration::from_secs(120)), "2m");
    }
}
