//! Schemas, edits of them and instances, grown from a tape of bytes. Shorter tapes make smaller cases.

use serde_json::{Map, Value, json};

const NAMES: [&str; 4] = ["a", "b", "c", "n"];

/// A source of choices.
pub(super) struct Tape<'t>(pub(super) std::slice::Iter<'t, u8>);

impl Tape<'_> {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % limit)
    }

    fn odds(&mut self, of_8: usize) -> bool {
        self.below(8) >= 8 - of_8
    }

    fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.below(from.len())]
    }
}

/// A schema. A reference stands only below a part of the instance, so that following it comes to an end.
fn schema(tape: &mut Tape<'_>, depth: usize, is_part: bool) -> Value {
    let mut schema = Map::new();
    let kinds = if depth == 0 { 6 } else { 13 };
    match tape.below(kinds) {
        0 => string(tape, &mut schema),
        1 => number(tape, &mut schema),
        2 => drop(schema.insert("enum".into(), values(tape))),
        3 => drop(schema.insert("type".into(), json!(["string", "null"]))),
        4 => drop(schema.insert("const".into(), value(tape, 1))),
        5 => return json!(tape.odds(6)),
        6..=8 => object(tape, &mut schema, depth),
        9 => array(tape, &mut schema, depth),
        10 => {
            let keyword = *tape.pick(&["anyOf", "oneOf", "allOf"]);
            let branches: Vec<Value> = (0..=tape.below(2) + 1)
                .map(|_| self::schema(tape, depth - 1, false))
                .collect();
            schema.insert(keyword.into(), branches.into());
        }
        11 => {
            let keyword = *tape.pick(&["not", "if"]);
            schema.insert(keyword.into(), self::schema(tape, depth - 1, false));
            schema.insert("then".into(), self::schema(tape, depth - 1, false));
        }
        _ if is_part => return json!({ "$ref": *tape.pick(&["#/$defs/x", "#/$defs/y"]) }),
        _ => {}
    }
    Value::Object(schema)
}

fn string(tape: &mut Tape<'_>, schema: &mut Map<String, Value>) {
    schema.insert("type".into(), json!("string"));
    let keyword = *tape.pick(&["minLength", "maxLength", "title", "pattern"]);
    let value = match keyword {
        "pattern" | "title" => json!("a"),
        _ => json!(tape.below(3)),
    };
    schema.insert(keyword.into(), value);
}

fn number(tape: &mut Tape<'_>, schema: &mut Map<String, Value>) {
    schema.insert("type".into(), json!(*tape.pick(&["integer", "number"])));
    let keyword = *tape.pick(&[
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    ]);
    schema.insert(keyword.into(), json!(1 + tape.below(4)));
}

fn object(tape: &mut Tape<'_>, schema: &mut Map<String, Value>, depth: usize) {
    if tape.odds(6) {
        schema.insert("type".into(), json!("object"));
    }
    let mut properties = Map::new();
    for name in &NAMES[..tape.below(4)] {
        properties.insert((*name).to_owned(), self::schema(tape, depth - 1, true));
    }
    schema.insert("properties".into(), properties.into());
    if tape.odds(3) {
        schema.insert("required".into(), json!([*tape.pick(&NAMES[..3])]));
    }
    if tape.odds(3) {
        schema.insert(
            "additionalProperties".into(),
            self::schema(tape, depth - 1, true),
        );
    }
    if tape.odds(2) {
        let (keyword, value) = match tape.below(6) {
            0 => (
                "patternProperties",
                json!({ "^[ab]": self::schema(tape, depth - 1, true) }),
            ),
            1 => ("propertyNames", json!({ "enum": ["a", "b", "n"] })),
            2 => ("dependentRequired", json!({ "a": ["b"] })),
            3 => (
                "dependentSchemas",
                json!({ "a": self::schema(tape, depth - 1, false) }),
            ),
            4 => ("unevaluatedProperties", json!(false)),
            _ => (
                *tape.pick(&["minProperties", "maxProperties"]),
                json!(1 + tape.below(2)),
            ),
        };
        schema.insert(keyword.into(), value);
    }
}

fn array(tape: &mut Tape<'_>, schema: &mut Map<String, Value>, depth: usize) {
    schema.insert("type".into(), json!("array"));
    for _ in 0..=tape.below(2) {
        let (keyword, value) = match tape.below(6) {
            0 | 1 => ("items", self::schema(tape, depth - 1, true)),
            2 => ("prefixItems", json!([self::schema(tape, depth - 1, true)])),
            3 => ("contains", self::schema(tape, depth - 1, true)),
            4 => ("uniqueItems", json!(true)),
            _ => (
                *tape.pick(&["minItems", "maxItems", "minContains", "maxContains"]),
                json!(1 + tape.below(2)),
            ),
        };
        schema.insert(keyword.into(), value);
    }
}

fn values(tape: &mut Tape<'_>) -> Value {
    let mut values: Vec<Value> = Vec::new();
    for _ in 0..=tape.below(3) {
        let value = value(tape, 0);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.into()
}

fn value(tape: &mut Tape<'_>, depth: usize) -> Value {
    match tape.below(if depth == 0 { 6 } else { 9 }) {
        0 => json!(*tape.pick(&["", "a", "ab", "xyz"])),
        1 | 2 => json!(tape.below(7)),
        3 => json!(*tape.pick(&[0.5, 1.0, 2.5])),
        4 => Value::Null,
        5 => json!(tape.odds(4)),
        6 => (0..tape.below(3)).map(|_| value(tape, depth - 1)).collect(),
        _ => {
            let count = tape.below(4);
            let member = |_| ((*tape.pick(&NAMES)).to_owned(), value(tape, depth - 1));
            Value::Object((0..count).map(member).collect())
        }
    }
}

pub(super) fn document(tape: &mut Tape<'_>) -> Value {
    let mut root = Map::new();
    object(tape, &mut root, 2);
    root.insert("type".into(), json!("object"));
    let definitions = json!({ "x": schema(tape, 1, false), "y": schema(tape, 1, false) });
    root.insert("$defs".into(), definitions);
    root.into()
}

/// Edits the schema here or somewhere below.
pub(super) fn edit(tape: &mut Tape<'_>, schema: &mut Value, is_root: bool) {
    let Value::Object(members) = schema else {
        *schema = self::schema(tape, 1, false);
        return;
    };
    let below: Vec<String> = [
        "properties",
        "items",
        "anyOf",
        "allOf",
        "oneOf",
        "$defs",
        "not",
        "additionalProperties",
        "prefixItems",
        "contains",
        "then",
    ]
    .into_iter()
    .filter(|keyword| members.contains_key(*keyword))
    .map(str::to_owned)
    .collect();
    if !below.is_empty() && tape.odds(5) {
        let keyword = tape.pick(&below).clone();
        let child = match members.get_mut(&keyword) {
            Some(Value::Array(schemas)) if !schemas.is_empty() => {
                let index = tape.below(schemas.len());
                schemas.get_mut(index)
            }
            Some(Value::Object(named)) if keyword == "properties" || keyword == "$defs" => {
                let names: Vec<String> = named.keys().cloned().collect();
                if names.is_empty() {
                    None
                } else {
                    named.get_mut(tape.pick(&names))
                }
            }
            child => child,
        };
        if let Some(child) = child {
            return edit(tape, child, false);
        }
    }
    edit_here(tape, schema, is_root);
}

fn edit_here(tape: &mut Tape<'_>, schema: &mut Value, is_root: bool) {
    let whole = schema.clone();
    let Value::Object(members) = schema else {
        return;
    };
    match tape.below(12) {
        0 | 1 => {
            for keyword in [
                "minimum",
                "maximum",
                "minLength",
                "maxLength",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "minProperties",
                "maxItems",
                "minItems",
                "maxProperties",
            ] {
                if let Some(bound) = members.get_mut(keyword) {
                    *bound = json!(tape.below(5));
                }
            }
        }
        2 => {
            if let Some(kind) = members.get_mut("type").filter(|_| !is_root) {
                *kind = json!(*tape.pick(&["number", "string", "object"]));
            }
        }
        3 => drop(members.insert("required".into(), json!([*tape.pick(&NAMES)]))),
        4 => drop(members.remove("required")),
        5 | 6 => {
            let added = self::schema(tape, 1, true);
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                properties.insert((*tape.pick(&NAMES[1..])).to_owned(), added);
            }
        }
        7 => {
            let values = values(tape);
            match members.get_mut("enum").and_then(Value::as_array_mut) {
                Some(listed) if listed.len() > 1 && tape.odds(4) => drop(listed.pop()),
                Some(listed) => {
                    let more = values.as_array().cloned().unwrap_or_default();
                    let fresh: Vec<Value> = more
                        .into_iter()
                        .filter(|value| !listed.contains(value))
                        .collect();
                    listed.extend(fresh);
                }
                None => drop(members.insert("additionalProperties".into(), json!(tape.odds(4)))),
            }
        }
        8 => {
            let names: Vec<String> = members
                .keys()
                .filter(|name| *name != "$defs" && (!is_root || *name != "type"))
                .cloned()
                .collect();
            if !names.is_empty() {
                members.remove(tape.pick(&names));
            }
        }
        9 if !is_root => *schema = json!({ "anyOf": [whole, self::schema(tape, 1, false)] }),
        10 => {
            for keyword in ["anyOf", "allOf", "oneOf"] {
                if let Some(Value::Array(branches)) = members.get_mut(keyword) {
                    match tape.odds(4) && branches.len() > 1 {
                        true => drop(branches.remove(0)),
                        false => branches.push(self::schema(tape, 1, false)),
                    }
                }
            }
        }
        _ if !is_root => *schema = self::schema(tape, 1, false),
        _ => drop(members.insert("title".into(), json!("t"))),
    }
}

/// An instance that the schema is likely to accept.
pub(super) fn instance(tape: &mut Tape<'_>, schema: &Value, root: &Value, depth: usize) -> Value {
    let Value::Object(members) = schema else {
        return value(tape, depth.min(1));
    };
    if depth == 0 || tape.below(16) == 15 {
        return value(tape, depth.min(1));
    }
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(&reference[1..]).cloned().unwrap_or_default();
        return instance(tape, &target, root, depth - 1);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(branches)) = members.get(keyword) {
            let branch = tape.pick(branches);
            return instance(tape, branch, root, depth - 1);
        }
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        return tape.pick(values).clone();
    }
    if let Some(value) = members.get("const") {
        return value.clone();
    }
    match members.get("type").and_then(Value::as_str) {
        Some("string") => json!(*tape.pick(&["a", "aa", "aab", ""])),
        Some("integer" | "number") => json!(tape.below(7)),
        Some("array") => {
            let items = members
                .get("items")
                .or_else(|| members.get("contains"))
                .cloned()
                .unwrap_or(json!(true));
            (0..tape.below(3))
                .map(|_| instance(tape, &items, root, depth - 1))
                .collect()
        }
        _ if members.contains_key("properties") => {
            let mut object = Map::new();
            let required = members.get("required").cloned().unwrap_or(json!([]));
            for name in NAMES {
                let declared = members["properties"].get(name);
                let needed = required
                    .as_array()
                    .is_some_and(|all| all.contains(&json!(name)));
                if needed || tape.odds(if declared.is_some() { 5 } else { 1 }) {
                    let property = declared.or_else(|| members.get("additionalProperties"));
                    let property = property.cloned().unwrap_or(json!(true));
                    object.insert(name.to_owned(), instance(tape, &property, root, depth - 1));
                }
            }
            object.into()
        }
        _ => value(tape, depth.min(1)),
    }
}
