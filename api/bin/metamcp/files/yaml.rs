//! YAML in and out. Out: one form for one value. In: nothing that is said twice, nothing that is unknown.

use crate::import::report::Reason;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that was not read back as it was written.
#[derive(Debug, thiserror::Error)]
#[error("a value has no form in YAML that reads back as the same")]
pub(super) struct NotWritable;

/// Writes a value, and reads it back before anybody relies on it.
pub(super) fn to_text<T: Serialize + DeserializeOwned + PartialEq>(
    value: &T,
) -> Result<String, NotWritable> {
    let text = serde_yaml_ng::to_string(value).map_err(|_| NotWritable)?;
    match serde_yaml_ng::from_str::<T>(&text) {
        Ok(read) if read == *value => Ok(text),
        Ok(_) | Err(_) => Err(NotWritable),
    }
}

/// Reads a file. The messages name the key, the line and the column.
pub(super) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, Reason> {
    let refused = |error: serde_yaml_ng::Error| Reason::new("INVALID_FILE", error.to_string());
    // A map of ours would take the last of two equal keys; this type refuses the second one.
    serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text).map_err(refused)?;
    serde_yaml_ng::from_str(text).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ServerSpec, ToolSpec};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn tool(description: &str, schema: &Value) -> ToolSpec {
        let tool =
            json!({ "version": "1.0.0", "description": description, "input_schema": schema });
        serde_json::from_value(tool).unwrap()
    }

    #[test]
    fn a_server_is_written_in_one_readable_form() {
        let server = ServerSpec {
            name: "Weather".into(),
            tags: ["b".to_owned(), "a".to_owned()].into(),
            tools: [(
                "get".to_owned(),
                tool("Two\nlines", &json!({"type": "object"})),
            )]
            .into(),
            ..ServerSpec::default()
        };
        assert_eq!(
            to_text(&server).unwrap(),
            "name: Weather\ntags:\n- a\n- b\ntools:\n  get:\n    version: 1.0.0\n    description: |-\n      Two\n      lines\n    input_schema:\n      type: object\n"
        );
    }

    #[test]
    fn what_is_said_twice_or_unknown_is_refused_with_its_place() {
        for (text, expected) in [
            ("name: a\nname: b", "duplicate"),
            (
                "name: a\ntools:\n  x: {version: 1.0.0, description: d}\n  x: {version: 1.0.0, description: e}",
                "duplicate",
            ),
            ("name: a\nnmae: b", "unknown field `nmae`"),
            (
                "name: a\ntools:\n  x: {version: 1.0.0, description: d, colour: red}",
                "tools.x: unknown field `colour`",
            ),
            (
                "name: a\ntools:\n  x: {version: one, description: d}",
                "tools.x.version",
            ),
            ("name: [", "line 2"),
        ] {
            let refused = from_text::<ServerSpec>(text).unwrap_err();
            assert_eq!(refused.code, "INVALID_FILE");
            assert!(
                refused.message.contains(expected),
                "{text}: {}",
                refused.message
            );
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "\\PC{0,20}",
            "[ \\n\\t:#'\"|>&*!%@`~0-9a-f.,\\[\\]{}-]{0,12}",
            Just("null".to_owned()),
            Just("1e3".to_owned()),
            Just("yes".to_owned()),
            Just("0x1F".to_owned()),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(description in "(?s).{0,40}", schema in json_value()) {
            let tool = tool(&description, &json!({ "default": schema }));
            prop_assert_eq!(from_text::<ToolSpec>(&to_text(&tool).unwrap()).unwrap(), tool);
        }
    }
}
