//! The configuration as a file, from which [`Config::load`] makes the same again.

use super::{Config, ConfigError};
use serde_json::{Map, Value};

impl Config {
    /// The whole configuration in YAML. It holds the secrets, so keep it where only its owner reads it; those that
    /// were read from files of their own stay there.
    ///
    /// # Errors
    /// When the name of a file or folder is no UTF-8.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        let mut written = self.clone();
        written.leave_secrets_in_their_files();
        let sections: Map<String, Value> = serde_json::to_value(&written)
            .and_then(serde_json::from_value)
            .map_err(|error| ConfigError::new(format!("it cannot be written: {error}")))?;
        Ok(block(&sections, ""))
    }

    /// A secret may be given itself or by its file, not both.
    fn leave_secrets_in_their_files(&mut self) {
        if self.nats.password_file.is_some() {
            self.nats.password = None;
        }
        if self.postgres.password_file.is_some() {
            self.postgres.password = None;
        }
        if let Some(openai) = &mut self.search.openai
            && openai.api_key_file.is_some()
        {
            openai.api_key = None;
        }
    }
}

/// A key and its value on each line, without those that are not set; what is there and empty stays there. A value is
/// written as JSON, which is YAML, too, and quotes every text: a password of digits stays a text.
fn block(keys: &Map<String, Value>, indent: &str) -> String {
    let line = |(key, value): (&String, &Value)| match value {
        Value::Null => String::new(),
        Value::Object(inner) => match block(inner, &format!("{indent}  ")) {
            inner if inner.is_empty() => format!("{indent}{key}: {{}}\n"),
            inner => format!("{indent}{key}:\n{inner}"),
        },
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            format!("{indent}{key}: {value}\n")
        }
    };
    keys.iter().map(line).collect()
}
