//! The JSON Schemas for editors, made from the table of keys. Draft 7, which is what the language
//! server that editors use for YAML reads.
//!
//! A schema says less than the exporter does, and must never say more: what a `${VAR}` stands for is
//! not known to it, so that a text with one is right wherever a text may stand.

use imagebuilder_exporter::config::RESERVED_LABELS;
use imagebuilder_exporter::config::keys::{Default, FILE, Group, Key, Kind, LISTED_STEP, TARGET};
use serde_json::{Map, Value, json};

use super::{assert_kept, root};

#[test]
fn schema_of_the_file_is_the_one_the_table_makes() {
    let file = "config/imagebuilder_exporter.schema.json";
    kept(file, "Configuration of imagebuilder_exporter", group(&FILE));
}

#[test]
fn schema_of_step_files_is_the_one_the_table_makes() {
    let steps = json!({"type": "array", "items": listed_step(), "uniqueItems": true});
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

fn group(group: &Group) -> Value {
    let property = |key: &Key| (key.name.to_owned(), described(group, key));
    let properties: Map<String, Value> = group.keys.iter().map(property).collect();
    let required = group.keys.iter();
    let required = required.filter(|key| matches!(key.default, Default::Required(_)));
    let required: Vec<&str> = required.map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        extend(&mut schema, json!({"required": required}));
    }
    extend(&mut schema, beyond_the_keys(group));
    schema
}

/// What is wanted of a group's keys together.
fn beyond_the_keys(group: &Group) -> Value {
    let one_of = |names: &[&str]| {
        let each = names.iter().map(|name| json!({"required": [name]}));
        Value::Array(each.collect())
    };
    if group.path == "targets[].exclude" {
        return json!({"minProperties": 1});
    }
    if *group != TARGET {
        return json!({});
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
fn described(group: &Group, key: &Key) -> Value {
    let mut schema = value(group, key);
    let mut description = plain(key.meaning);
    let default = match key.default {
        Default::Required(example) => {
            description += &format!(" Needed: {example}");
            None
        }
        Default::Absent(words) => {
            description += &format!(" Left out: {words}.");
            None
        }
        Default::Text(text) => Some(json!(text)),
        Default::Texts(texts) => Some(json!(texts)),
        Default::Number(number) => Some(json!(number)),
        Default::Switch(value) => Some(json!(value)),
        Default::Group => None,
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

fn value(group: &Group, key: &Key) -> Value {
    match key.kind {
        Kind::Text => text(rule(group, key)),
        Kind::Duration => duration(key.name == "counter_warmup"),
        Kind::Count => {
            let (least, most) = counts(key);
            substituted(json!({"type": "integer", "minimum": least, "maximum": most}))
        }
        Kind::Number => substituted(json!({"type": "number", "minimum": 0.001})),
        Kind::Switch => substituted(json!({"type": "boolean"})),
        Kind::Choice(words) => substituted(json!({"enum": words})),
        Kind::Glob => text(GLOB),
        Kind::Labels => labels(),
        Kind::Texts => {
            let least = usize::from(key.name != "tag_labels");
            let mut texts = list(text(rule(group, key)), least);
            // Two patterns may name one file.
            let once = key.name != "step_executions_files";
            extend(&mut texts, json!({"uniqueItems": once}));
            texts
        }
        Kind::Durations => {
            let mut buckets = list(duration(false), 1);
            extend(&mut buckets, json!({"maxItems": 50}));
            buckets
        }
        Kind::Globs => list(text(NAME_GLOB), 1),
        Kind::GlobsOrArns => list(text(PIPELINE), 1),
        Kind::Tags => tags(),
        Kind::Mapping(inner) => self::group(inner),
        Kind::Mappings(inner) => {
            let least = usize::from(matches!(key.default, Default::Required(_)));
            json!({"type": "array", "items": self::group(inner), "minItems": least})
        }
        Kind::TextsOrMappings(_) => list(listed_step(), 1),
    }
}

fn listed_step() -> Value {
    json!({"anyOf": [text(STEP_ID), group(&LISTED_STEP)]})
}

fn counts(key: &Key) -> (u32, u32) {
    match key.name {
        "max_concurrent_requests" => (1, 10_000),
        "burst" => (1, u32::MAX),
        other => panic!("nobody says which numbers {other} may be"),
    }
}

/// What a text is to be like, and how that is told.
#[derive(Clone, Copy)]
struct Rule {
    pattern: &'static str,
    wanted: &'static str,
}

const STEP_ID: Rule = Rule {
    pattern: "^step-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    wanted: "a step execution id, such as step-01234567-89ab-cdef-0123-456789abcdef",
};
const WORKFLOW_ID: Rule = Rule {
    pattern: "^wf-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    wanted: "a workflow execution id, such as wf-01234567-89ab-cdef-0123-456789abcdef",
};
const IMAGE_ARN: Rule = Rule {
    pattern: "^arn:aws(-[a-z-]*)?:imagebuilder:[^:]+:([0-9]{12}|aws(-[a-z-]*)?):image/[a-z0-9_-]+/[0-9]+[.][0-9]+[.][0-9]+/[0-9]+$",
    wanted: "the ARN of an image build version, such as arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1",
};
/// Names in ARNs have lower-case letters, digits, `-` and `_` alone; a class may have anything.
const NAME_GLOB: Rule = Rule {
    pattern: r"^(?=[\s\S]{1,256}$)([a-z0-9_*?{},-]|\\[a-z0-9_-]|\[[!^]?[\s\S][^\]]*\])+$",
    wanted: "a glob over names as they stand in ARNs, such as golden-*",
};
const PIPELINE: Rule = Rule {
    pattern: r"^(?=[\s\S]{1,256}$)([a-z0-9_*?{},-]|\\[a-z0-9_-]|\[[!^]?[\s\S][^\]]*\])+$|^arn:aws(-[a-z-]*)?:imagebuilder:[^:]+:([0-9]{12}|aws(-[a-z-]*)?):image-pipeline/[a-z0-9_-]+$",
    wanted: "a glob over names as they stand in ARNs, such as golden-*, or the ARN of a pipeline",
};
const GLOB: Rule = Rule {
    pattern: r"^[\s\S]{1,256}$",
    wanted: "a glob of 256 characters at most",
};
const REGION: Rule = Rule {
    pattern: "^[a-z]{2,}(-[a-z0-9]+)+-[0-9]{1,2}$",
    wanted: "a region such as us-west-2",
};

fn rule(group: &Group, key: &Key) -> Rule {
    let path = format!("{}.{}", group.path, key.name);
    match path.as_str() {
        "metrics.tag_labels" => Rule {
            pattern: r"^[^\x00-\x1f\x7f-\x9f]{1,128}$",
            wanted: "the key of a tag, which is 1 to 128 characters",
        },
        "targets[].name" => Rule {
            pattern: "^[A-Za-z0-9_-]+$",
            wanted: "a target's name, which is made of letters, digits, _ and -",
        },
        "targets[].regions" => REGION,
        "targets[].profile" => Rule {
            pattern: r"^[^\x00-\x1f\x7f-\x9f]+$",
            wanted: "the name of a profile",
        },
        "targets[].endpoint_url" => Rule {
            pattern: "^https?://[^/?#@]+(/[^?#]*)?$",
            wanted: "a URL such as https://imagebuilder.us-west-2.amazonaws.com, without user, query and fragment",
        },
        "targets[].step_executions_files" => Rule {
            pattern: r"^([^*?[{]*/)?[^/]+$",
            wanted: "a path such as steps.d/*.yaml, with wildcards in the file's name alone",
        },
        "targets[].workflow_executions" => WORKFLOW_ID,
        "targets[].image_build_versions" => IMAGE_ARN,
        "targets[].assume_role.role_arn" => Rule {
            pattern: "^arn:aws(-[a-z-]+)?:iam::[0-9]{12}:role/([!-~]*/)?[A-Za-z0-9_+=,.@-]{1,64}$",
            wanted: "a role's ARN, such as arn:aws:iam::111122223333:role/imagebuilder-exporter",
        },
        "targets[].assume_role.external_id" => Rule {
            pattern: "^[A-Za-z0-9_+=,.@:/-]{2,1224}$",
            wanted: "an external id, which is 2 to 1224 letters, digits and _+=,.@:/-",
        },
        "targets[].assume_role.session_name" => Rule {
            pattern: "^[A-Za-z0-9_+=,.@-]{2,64}$",
            wanted: "a session name, which is 2 to 64 letters, digits and _+=,.@-",
        },
        "targets[].step_executions[].id" => STEP_ID,
        other => panic!("nobody says what {other} is like"),
    }
}

/// What holds a substitution.
const SUBSTITUTION: &str = "[$][{]";

fn text(rule: Rule) -> Value {
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

fn list(items: Value, least: usize) -> Value {
    json!({"type": "array", "items": items, "minItems": least, "uniqueItems": true})
}

fn labels() -> Value {
    json!({
        "type": "object",
        "propertyNames": {
            "pattern": "^(?!__|tag_)[A-Za-z_][A-Za-z0-9_]*$",
            "not": {"enum": RESERVED_LABELS},
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
