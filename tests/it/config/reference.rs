//! What is shipped beside the program: the example files, and the reference of all keys.

use std::fs;

use imagebuilder_exporter::config::Config;
use imagebuilder_exporter::config::keys::{Default, GROUPS, Kind};

use super::{assert_kept, lines, root};

#[test]
fn the_shipped_files_are_accepted_without_an_environment() {
    for name in ["config/imagebuilder_exporter.yaml", "config/minimal.yaml"] {
        match Config::load(&root().join(name), &|_| None) {
            Ok(checked) => assert_eq!(checked.warnings, [], "{name}"),
            Err(problems) => panic!("{}", lines(&problems)),
        }
    }
}

#[test]
fn the_shipped_file_shows_every_key_and_its_default() {
    let text = fs::read_to_string(root().join("config/imagebuilder_exporter.yaml")).unwrap();
    for group in GROUPS {
        for key in group.keys {
            let written = text
                .lines()
                .map(|line| line.split(" #").next().unwrap_or_default())
                .any(|line| {
                    line.split([' ', '{', ','])
                        .any(|word| word == format!("{}:", key.name))
                });
            assert!(written, "{}.{} is not in the file", group.path, key.name);
        }
    }
    for default in [
        "interval: 30s",
        "discovery_interval: 2m",
        "request_timeout: 10s",
        "max_concurrent_requests: 16",
        "status_format: stateset",
        "retention: 2h",
        "retention_failed: 24h",
        "counter_warmup: 2m",
        "duration_buckets: [15s, 30s, 1m, 2m, 5m, 10m, 20m, 30m, 1h, 2h, 4h, 12h]",
        "message_labels: false",
        "requests_per_second: 5, burst: 10",
    ] {
        assert!(text.contains(default), "{default}");
    }
}

#[test]
fn the_reference_has_every_key_of_the_table() {
    let file = root().join("docs/configuration.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("<!-- keys: begin -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- keys: end -->").unwrap();
    let text = format!(
        "{before}<!-- keys: begin -->\n{}<!-- keys: end -->{after}",
        reference()
    );
    assert_kept(&file, &text, "UPDATE_DOCS");
}

fn reference() -> String {
    let mut text = String::new();
    for group in GROUPS {
        let heading = match group.path {
            "" => "The file".to_owned(),
            path => format!("`{path}`"),
        };
        text += &format!(
            "\n### {heading}\n\n{}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n",
            group.meaning
        );
        for key in group.keys {
            let kind = match key.kind {
                Kind::Text => "string".to_owned(),
                Kind::Duration => "duration".to_owned(),
                Kind::Count => "whole number".to_owned(),
                Kind::Number => "number".to_owned(),
                Kind::Switch => "`true` or `false`".to_owned(),
                Kind::Choice(words) => words
                    .iter()
                    .map(|word| format!("`{word}`"))
                    .collect::<Vec<_>>()
                    .join(" or "),
                Kind::Glob => "glob".to_owned(),
                Kind::Labels => "label names to strings".to_owned(),
                Kind::Texts => "list of strings".to_owned(),
                Kind::Durations => "list of durations".to_owned(),
                Kind::Globs => "list of globs".to_owned(),
                Kind::GlobsOrArns => "list of globs or ARNs".to_owned(),
                Kind::Tags => "keys of tags to globs".to_owned(),
                Kind::Mapping(inner) => format!("mapping, see `{}`", inner.path),
                Kind::Mappings(inner) => format!("list of mappings, see `{}`", inner.path),
                Kind::TextsOrMappings(inner) => {
                    format!("list of strings or mappings, see `{}`", inner.path)
                }
            };
            let default = match key.default {
                Default::Required(_) => "required".to_owned(),
                Default::Absent(words) => words.to_owned(),
                Default::Text(text) => format!("`{text}`"),
                Default::Texts([]) => "none".to_owned(),
                Default::Texts(texts) => texts
                    .iter()
                    .map(|text| format!("`{text}`"))
                    .collect::<Vec<_>>()
                    .join(" "),
                Default::Number(number) => format!("`{number}`"),
                Default::Switch(value) => format!("`{value}`"),
                Default::Group => "its own defaults".to_owned(),
            };
            text += &format!(
                "| `{}` | {kind} | {default} | {} |\n",
                key.name, key.meaning
            );
        }
    }
    text + "\n"
}
