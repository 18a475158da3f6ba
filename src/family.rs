//! Defines how a metric family is declared: its name, type, labels and HELP text.
//!
//! The tables of families are elsewhere: `self_metrics` holds the exporter's own counters and
//! histograms, and `exposition` all other families. Each name is declared exactly once.

/// Describes a metric family for the exposition formats and for `docs/metrics.md`.
#[derive(Debug)]
pub struct Family {
    /// The name of its samples; the name of a counter ends with `_total`.
    pub name: &'static str,
    pub kind: Kind,
    /// The labels of its series. A series omits a label that has no value.
    pub labels: &'static [&'static str],
    /// The HELP text: one line, with the unit. It has no quotes, as only OpenMetrics escapes them.
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
    Histogram,
}

impl Kind {
    /// Returns the word that follows the name in a `# TYPE` line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}
