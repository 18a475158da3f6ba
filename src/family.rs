//! What a metric family is called and what it means.
//!
//! Owns the form of a row of the tables, not the rows: those of the exporter itself stand in
//! `self_metrics`, all others in `exposition`. A name stands in one row and nowhere else.

/// A metric family as its help text, the formats and `docs/metrics.md` tell it.
#[derive(Debug)]
pub struct Family {
    /// As its samples are called; a counter's ends with `_total`.
    pub name: &'static str,
    pub kind: Kind,
    /// The labels a series can have; one without a value is left out.
    pub labels: &'static [&'static str],
    /// One line, with the unit. No quotes, which only one of the formats escapes.
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
    Histogram,
}

impl Kind {
    /// The word after `# TYPE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}
