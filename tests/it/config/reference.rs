//! Tests the shipped example files and generates the reference of all keys.

use std::fs;

use imagebuilder_exporter::config::shape::{LeftOut, Section, Shape};
use imagebuilder_exporter::config::{Config, file_section};
use serde_yaml::Value;

use super::{lines, root};
use crate::support::kept::assert_part_kept;

#[test]
fn shipped_files_are_valid_without_an_environment() {
    for name in ["config/imagebuilder_exporter.yaml", "config/minimal.yaml"] {
        match Config::load(&root().join(name), &|_| None) {
            Ok(checked) => assert_eq!(checked.warnings, [], "{name}"),
            Err(problems) => panic!("{}", lines(&problems)),
        }
    }
}

#[test]
fn shipped_file_has_every_key_and_its_default() {
    let text = fs::read_to_string(root().join("config/imagebuilder_exporter.yaml")).unwrap();
    for (path, section) in file_section().all() {
        for key in section.keys {
            let written = text
                .lines()
                .map(|line| line.split(" #").next().unwrap_or_default())
                .any(|line| {
                    line.split([' ', '{', ','])
                        .any(|word| word == format!("{}:", key.name))
                });
            assert!(written, "{path}.{} is not in the file", key.name);
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
        "counter_retention: 7d",
        "duration_buckets: [15s, 30s, 1m, 2m, 5m, 10m, 20m, 30m, 1h, 2h, 4h, 12h]",
        "message_labels: false",
        "series_limit: 2000000",
        "requests_per_second: 5, burst: 10",
    ] {
        assert!(text.contains(default), "{default}");
    }
}

#[test]
fn reference_has_every_key_of_the_table() {
    let marks = ["<!-- keys: begin -->\n", "<!-- keys: end -->"];
    assert_part_kept("docs/configuration.md", marks, &reference());
}

fn reference() -> String {
    let sections = file_section().all();
    let path = |section: &Section| {
        let mut all = sections.iter();
        let (path, _) = all.find(|(_, one)| one.name == section.name).unwrap();
        path.clone()
    };
    let mut text = String::new();
    for (at, section) in &sections {
        let heading = match at.as_str() {
            "" => "Top level".to_owned(),
            path => format!("`{path}`"),
        };
        text += &format!(
            "\n### {heading}\n\n{}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n",
            wrapped(section.meaning)
        );
        for key in section.keys {
            let kind = named(&(key.shape)(), "", &path);
            let default = left_out(key.left_out);
            text += &format!(
                "| `{}` | {kind} | {default} | {} |\n",
                key.name, key.meaning
            );
        }
    }
    text + "\n"
}

/// Breaks a paragraph into lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 100 => {
                *line += &format!(" {word}");
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn named(shape: &Shape, s: &str, path: &dyn Fn(&Section) -> String) -> String {
    match shape {
        Shape::Text(rule) => {
            let names: Vec<String> = rule
                .name
                .split(" or ")
                .map(|name| format!("{name}{s}"))
                .collect();
            names.join(" or ")
        }
        Shape::Duration { .. } => format!("duration{s}"),
        Shape::Count { .. } => "whole number".to_owned(),
        Shape::Number { .. } => "number".to_owned(),
        Shape::Switch => "`true` or `false`".to_owned(),
        Shape::Choice(words) => code(words, " or "),
        Shape::Labels => "mapping of label names to strings".to_owned(),
        Shape::Tags => "mapping of tag keys to globs".to_owned(),
        Shape::Mapping(section) => format!("mapping{s}, see `{}`", path(section)),
        Shape::TextOrMapping(_, section) => {
            format!("string{s} or mapping{s}, see `{}`", path(section))
        }
        Shape::List { of, .. } => format!("list of {}", named(of, "s", path)),
    }
}

fn left_out(left_out: LeftOut) -> String {
    let default = match left_out {
        LeftOut::Required(_) => return "required".to_owned(),
        LeftOut::Absent(words) => return words.to_owned(),
        LeftOut::Default(default) => serde_yaml::from_str(default).unwrap(),
    };
    match default {
        Value::Mapping(_) => "defaults of its keys".to_owned(),
        Value::Sequence(items) if items.is_empty() => "none".to_owned(),
        Value::Sequence(items) => {
            let items: Vec<&str> = items.iter().map(|item| item.as_str().unwrap()).collect();
            code(&items, " ")
        }
        other => code(
            &[serde_yaml::to_string(&other)
                .unwrap()
                .trim()
                .trim_matches('\'')],
            "",
        ),
    }
}

fn code(words: &[&str], between: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(between)
}
