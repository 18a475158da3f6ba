//! The JSON Schemas for editors, made from the table of keys. Draft 7, which is what the language
//! server that editors use for YAML reads.
//!
//! A schema says less than the exporter does, and must never say more: what a `${VAR}` stands for is
//! not known to it, so that a text with one is right wherever a text may stand.

use imagebuilder_exporter::config::shape::{Key, LeftOut, Rule, Section, Shape};
use imagebuilder_exporter::config::{file_section, step_shape};
use imagebuilder_exporter::labels::names::RESERVED;
use serde_json::{Map, Value, json};

use super::root;
use crate::support::kept::assert_kept;

#[test]
fn schema_of_the_file_is_the_one_the_table_makes() {
    let file = "config/imagebuilder_exporter.schema.json";
    kept(
        file,
        "Configuration of imagebuilder_exporter",
        section(file_section()),
    );
}

#[test]
fn schema_of_step_files_is_the_one_the_table_makes() {
    let steps = json!({"type": "array", "items": value(&step_shape()), "uniqueItems": true});
    let file = "config/step_executions.schema.json";
    kept(file, "Step file of imagebuilder_exporter", steps);
}

fn kept(file: &str, title: &str, schema: Value) {
    let mut top = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Made from the code: UPDATE_DOCS=1 cargo test --test it schema",
        "title": title,
    });
    extend(&mut top, schema);
    let text = serde_json::to_string_pretty(&top).unwrap() + "\n";
    assert_kept(&root().join(file), &text, "UPDATE_DOCS");
}

fn extend(schema: &mut Value, other: Value) {
    let (Value::Object(schema), Value::Object(other)) = (schema, other) else {
        panic!("a schema is an object")
    };
    schema.extend(other);
}

fn section(section: &Section) -> Value {
    let keys = section.keys.iter();
    let properties = keys
        .clone()
        .map(|key| (key.name.to_owned(), described(key)));
    let properties: Map<String, Value> = properties.collect();
    let required = keys.filter(|key| matches!(key.left_out, LeftOut::Required(_)));
    let required: Vec<&str> = required.map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        extend(&mut schema, json!({"required": required}));
    }
    extend(&mut schema, beyond_the_keys(section));
    schema
}

/// What is wanted of a section's keys together.
fn beyond_the_keys(section: &Section) -> Value {
    let one_of = |names: &[&str]| {
        let each = names.iter().map(|name| json!({"required": [name]}));
        Value::Array(each.collect())
    };
    match section.name {
        "Target" => {}
        "Exclude" => return json!({"minProperties": 1}),
        _ => return json!({}),
    }
    let lists = [
        "step_executions",
        "step_executions_files",
        "workflow_executions",
        "image_build_versions",
        "pipelines",
        "images",
    ];
    let chooses = json!({"anyOf": one_of(&["pipelines", "images"])});
    json!({
        "anyOf": one_of(&lists),
        "dependencies": {"tags": chooses, "exclude": chooses},
        "if": {"anyOf": one_of(&lists[..3])},
        "then": {"properties": {"regions": {"maxItems": 1}}},
    })
}

/// A key's value, and what is said of it.
fn described(key: &Key) -> Value {
    let mut schema = value(&(key.shape)());
    let mut description = plain(key.meaning);
    let default = match key.left_out {
        LeftOut::Required(example) => {
            description += &format!(" Needed: {example}");
            None
        }
        LeftOut::Absent(words) => {
            description += &format!(" Left out: {words}.");
            None
        }
        LeftOut::Default("{}") => None,
        LeftOut::Default(default) => Some(serde_yaml::from_str::<Value>(default).unwrap()),
    };
    extend(&mut schema, json!({"description": description}));
    if let Some(default) = default {
        extend(&mut schema, json!({"default": default}));
    }
    schema
}

/// Without its links, which lead nowhere from an editor.
fn plain(meaning: &str) -> String {
    let mut text = meaning.to_owned();
    while let Some(begin) = text.find('[') {
        let Some(middle) = text[begin..].find("](").map(|at| begin + at) else {
            break;
        };
        let end = middle + text[middle..].find(')').expect("a link is closed");
        let words = text[begin + 1..middle].to_owned();
        text.replace_range(begin..=end, &words);
    }
    text
}

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Text(rule) => text(rule),
        Shape::Duration { may_be_zero } => duration(*may_be_zero),
        Shape::Count { least, most } => {
            substituted(json!({"type": "integer", "minimum": least, "maximum": most}))
        }
        Shape::Number { least } => substituted(json!({"type": "number", "minimum": least})),
        Shape::Switch => substituted(json!({"type": "boolean"})),
        Shape::Choice(words) => substituted(json!({"enum": words})),
        Shape::Labels => labels(),
        Shape::Tags => tags(),
        Shape::Mapping(section) => self::section(section),
        Shape::TextOrMapping(rule, section) => {
            json!({"anyOf": [text(rule), self::section(section)]})
        }
        Shape::List {
            of,
            least,
            most,
            unique,
        } => {
            let mut list = json!({"type": "array", "items": value(of), "minItems": least});
            if !matches!(**of, Shape::Mapping(_)) {
                extend(&mut list, json!({"uniqueItems": unique}));
            }
            if let Some(most) = most {
                extend(&mut list, json!({"maxItems": most}));
            }
            list
        }
    }
}

/// What holds a substitution.
const SUBSTITUTION: &str = "[$][{]";

fn text(rule: &Rule) -> Value {
    json!({
        "type": "string",
        "pattern": format!("{}|{SUBSTITUTION}", rule.pattern),
        "patternErrorMessage": format!("This is not {}.", rule.wanted),
    })
}

/// A value that is no text may come out of a substitution.
fn substituted(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "string", "pattern": SUBSTITUTION}]})
}

/// A bare `0` is a duration too, and no text.
fn duration(may_be_none: bool) -> Value {
    let above_none = match may_be_none {
        true => "",
        false => "(?=.*[1-9])",
    };
    let units = ["y", "w", "d", "h", "m", "s", "ms"].map(|unit| format!("([0-9]+{unit})?"));
    let pattern = format!("^{above_none}(?=.){}$|^0$|{SUBSTITUTION}", units.concat());
    let pattern = match may_be_none {
        true => pattern,
        false => pattern.replace("|^0$", ""),
    };
    let text = json!({
        "type": "string",
        "pattern": pattern,
        "patternErrorMessage": "This is not a duration such as 30s, 5m or 1h30m.",
    });
    match may_be_none {
        true => json!({"anyOf": [text, {"const": 0}]}),
        false => text,
    }
}

fn labels() -> Value {
    json!({
        "type": "object",
        "propertyNames": {
            "pattern": "^(?!__|tag_)[A-Za-z_][A-Za-z0-9_]*$",
            "not": {"enum": RESERVED},
        },
        "additionalProperties": {"type": "string", "minLength": 1},
    })
}

fn tags() -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": r"^[^\x00-\x1f\x7f-\x9f]{1,128}$"},
        "additionalProperties": {"type": "string"},
    })
}
