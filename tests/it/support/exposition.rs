//! Reading exposition text.

use std::collections::BTreeMap;

use imagebuilder_exporter::exposition::{Exposition, Format, Scrape};

/// The scrape with its expected ends, in the text format.
pub fn text(scrape: Scrape) -> String {
    let mut text = Vec::new();
    let mut exposition = Exposition::new(scrape, Format::Text);
    while exposition.write(&mut text, usize::MAX) {}
    String::from_utf8(text).expect("exposition is UTF-8")
}

/// One sample of the text format.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All samples of a text in the text format.
pub fn samples(text: &str) -> Vec<Sample> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line}")))
        .collect()
}

/// The value of the one series with this name and these labels among its labels.
pub fn value(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let matching: Vec<_> = samples(text)
        .into_iter()
        .filter(|sample| sample.name == name)
        .filter(|sample| {
            let has = |(name, value): &(&str, &str)| {
                sample.labels.get(*name).map(String::as_str) == Some(*value)
            };
            labels.iter().all(has)
        })
        .collect();
    assert!(matching.len() <= 1, "{name}{labels:?} is {matching:?}");
    matching.first().map(|sample| sample.value)
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = match line.split_once("} ") {
        Some((series, value)) => (series, value),
        None => line.split_once(' ')?,
    };
    let (name, mut rest) = series.split_once('{').unwrap_or((series, ""));
    let mut labels = BTreeMap::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"")?;
        let (value, length) = unquoted(quoted)?;
        assert!(
            labels.insert(label.to_owned(), value).is_none(),
            "label {label} twice: {line}"
        );
        rest = &quoted[length..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().ok()?,
    })
}

/// The value up to the closing quote, and how much of the text it and the quote take.
fn unquoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, at + 1)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}
