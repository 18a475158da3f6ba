//! The families of the steps, as the peers get them.

use std::io::{self, Write};

/// What separates fields in the feed of the Python exporter: in no label's value.
const SEPARATOR: &str = "\x1f";

pub(crate) struct Families(pub(crate) Vec<Family>);

pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) labels: Vec<&'static str>,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) struct Sample {
    pub(crate) labels: Vec<&'static str>,
    pub(crate) value: f64,
}

impl Families {
    /// Returns the families of steps in an exposition, all of them gauges without escaped text.
    pub(crate) fn parse(text: &'static str) -> Self {
        let mut families: Vec<Family> = Vec::new();
        let mut help = ("", "");
        for line in text.lines() {
            if let Some(text) = line.strip_prefix("# HELP ") {
                help = text.split_once(' ').expect("a family has a help text");
            }
            if line.starts_with("imagebuilder_workflow_") {
                let (name, rest) = line.split_once('{').expect("a step's series has labels");
                let (labels, value) = rest.rsplit_once("} ").expect("a series has a value");
                assert!(!labels.contains('\\'), "a label needs no escape: {labels}");
                let pairs = labels
                    .split(',')
                    .map(|pair| pair.split_once('=').expect("a label has a value"));
                if families.last().is_none_or(|family| family.name != name) {
                    assert_eq!(help.0, name, "a family's help comes before it");
                    families.push(Family {
                        name,
                        help: help.1,
                        labels: pairs.clone().map(|(label, _)| label).collect(),
                        samples: Vec::new(),
                    });
                }
                let family = families.last_mut().expect("it was just made");
                family.samples.push(Sample {
                    labels: pairs.map(|(_, value)| value.trim_matches('"')).collect(),
                    value: value.parse().expect("a value is a number"),
                });
            }
        }
        Self(families)
    }

    /// Writes the feed that `peer.py` reads.
    pub(crate) fn feed(&self, out: &mut impl Write) -> io::Result<()> {
        for family in &self.0 {
            let labels = family.labels.join(SEPARATOR);
            writeln!(
                out,
                "{}{SEPARATOR}{}{SEPARATOR}{labels}",
                family.name, family.help
            )?;
            for sample in &family.samples {
                let labels = sample.labels.join(SEPARATOR);
                writeln!(out, "{}{SEPARATOR}{labels}", sample.value)?;
            }
            writeln!(out)?;
        }
        writeln!(out)
    }
}
