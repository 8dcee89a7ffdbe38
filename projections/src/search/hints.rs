//! What a tool's maker hints about its behaviour (MCP specification 2025-11-25, "ToolAnnotations").

use serde_json::Value;

/// A hint, with what the specification says where it is not given. Hints are claims of strangers: a filter may use
/// them, a decision about rights may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hint {
    /// It changes nothing. Not given: it may.
    ReadOnly,
    /// It may delete or overwrite. Not given: it may, unless it is read-only.
    Destructive,
    /// A second call with the same arguments changes nothing more. Not given: only if it is read-only.
    Idempotent,
    /// It deals with things outside of its server's world. Not given: it does.
    OpenWorld,
}

impl Hint {
    /// Every hint.
    pub const ALL: [Self; 4] = [
        Self::ReadOnly,
        Self::Destructive,
        Self::Idempotent,
        Self::OpenWorld,
    ];

    /// Its name in the query language and in the index.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "readonly",
            Self::Destructive => "destructive",
            Self::Idempotent => "idempotent",
            Self::OpenWorld => "openworld",
        }
    }

    /// Whether it holds for a tool with these annotations.
    #[must_use]
    pub fn holds(self, annotations: Option<&Value>) -> bool {
        let given = |name: &str| annotations.and_then(|all| all.get(name)?.as_bool());
        let read_only = given("readOnlyHint").unwrap_or(false);
        match self {
            Self::ReadOnly => read_only,
            Self::Destructive => !read_only && given("destructiveHint").unwrap_or(true),
            Self::Idempotent => read_only || given("idempotentHint").unwrap_or(false),
            Self::OpenWorld => given("openWorldHint").unwrap_or(true),
        }
    }

    /// All that hold.
    pub fn of(annotations: Option<&Value>) -> impl Iterator<Item = Self> {
        let holding = move |hint: &Self| hint.holds(annotations);
        Self::ALL.into_iter().filter(holding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_given_is_what_the_specification_says() {
        let names = |annotations: Option<Value>| -> Vec<&str> {
            Hint::of(annotations.as_ref()).map(Hint::name).collect()
        };
        assert_eq!(names(None), ["destructive", "openworld"]);
        assert_eq!(
            names(Some(json!({"readOnlyHint": true, "destructiveHint": true}))),
            ["readonly", "idempotent", "openworld"]
        );
        assert_eq!(
            names(Some(
                json!({"destructiveHint": false, "openWorldHint": false})
            )),
            [""; 0]
        );
    }
}
