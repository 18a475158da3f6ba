//! Defines how a metric family is declared: its name, type, labels and HELP text.
//!
//! The tables of families are elsewhere: `self_metrics` holds the exporter's own counters and
//! histograms, and `exposition` all other families. Each name is declared exactly once.

/// Describes a metric family for the exposition formats and for `docs/metrics.md`.
#[derive(Debug)]
pub struct Family {
    /// The name of its samples; the name of a counter ends with `_total`.
    pub name: &'static str,
    pub metric_type: MetricType,
    /// The first labels of its series, which several families about the same resource share.
    pub identity: &'static [&'static str],
    /// The further labels of its series. A series omits a label that has no value.
    pub labels: &'static [&'static str],
    /// The HELP text: one line, with the unit. It has no quotes, as only OpenMetrics escapes them.
    pub help: &'static str,
}

impl Family {
    pub const fn gauge(
        name: &'static str,
        identity: &'static [&'static str],
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            metric_type: MetricType::Gauge,
            identity,
            labels,
            help,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    Gauge,
    Counter,
    Histogram,
}

impl MetricType {
    /// Returns the word that follows the name in a `# TYPE` line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}
