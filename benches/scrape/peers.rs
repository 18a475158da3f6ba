//! Exporters of the same steps that use client libraries.

use std::io::{BufRead, BufReader, BufWriter};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{GaugeVec, Opts, Registry};

use crate::families::{Families, Family, Sample};

/// Returns a registry whose collector makes all families at each scrape.
pub(crate) fn with_collector(families: Arc<Families>) -> Registry {
    let descs = families.0.iter().map(|family| {
        let labels = family
            .labels
            .iter()
            .map(|&label| label.to_owned())
            .collect();
        Desc::new(
            family.name.to_owned(),
            family.help.to_owned(),
            labels,
            Default::default(),
        )
        .expect("names are valid")
    });
    let steps = Steps {
        descs: descs.collect(),
        families,
    };
    registry([Box::new(steps) as Box<dyn Collector>])
}

/// Returns a registry that holds a gauge for each series.
pub(crate) fn with_gauge_vecs(families: &Families) -> Registry {
    registry(families.0.iter().map(|family| {
        let gauges = GaugeVec::new(Opts::new(family.name, family.help), &family.labels)
            .expect("names are valid");
        for sample in &family.samples {
            gauges.with_label_values(&sample.labels).set(sample.value);
        }
        Box::new(gauges) as Box<dyn Collector>
    }))
}

fn registry(collectors: impl IntoIterator<Item = Box<dyn Collector>>) -> Registry {
    let registry = Registry::new();
    for collector in collectors {
        registry
            .register(collector)
            .expect("families have different names");
    }
    registry
}

struct Steps {
    descs: Vec<Desc>,
    families: Arc<Families>,
}

impl Collector for Steps {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.families.0.iter().map(metric_family).collect()
    }
}

fn metric_family(family: &Family) -> MetricFamily {
    let mut collected = MetricFamily::default();
    collected.set_name(family.name.to_owned());
    collected.set_help(family.help.to_owned());
    collected.set_field_type(MetricType::GAUGE);
    let metrics = family.samples.iter();
    collected.set_metric(metrics.map(|sample| metric(family, sample)).collect());
    collected
}

fn metric(family: &Family, sample: &Sample) -> Metric {
    let pair = |(&name, &value): (&&str, &&str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    let labels = family.labels.iter().zip(&sample.labels);
    let mut metric = Metric::from_label(labels.map(pair).collect());
    let mut gauge = proto::Gauge::default();
    gauge.set_value(sample.value);
    metric.set_gauge(gauge);
    metric
}

/// `peer.py`, which ends when it is dropped.
pub(crate) struct PythonPeer {
    pub(crate) address: SocketAddr,
    process: Child,
}

impl PythonPeer {
    /// Starts it, or returns why there is none.
    pub(crate) fn start(families: &Families) -> Result<Self, String> {
        let python = python().ok_or(
            "no Python with prometheus_client was found: run tests/setup, or install it by pip",
        )?;
        let mut process = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/benches/scrape/peer.py"
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        // It stays open: `peer.py` ends with it.
        let input = process.stdin.as_mut().expect("it is piped");
        families
            .feed(&mut BufWriter::new(input))
            .map_err(|error| error.to_string())?;
        let mut port = String::new();
        let output = process.stdout.as_mut().expect("it is piped");
        BufReader::new(output)
            .read_line(&mut port)
            .map_err(|error| error.to_string())?;
        let port: u16 = port
            .trim()
            .parse()
            .map_err(|_| "benches/scrape/peer.py failed")?;
        Ok(Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            process,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for PythonPeer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the Python of the PATH or of the environment that `tests/setup` makes, which stands in
/// the target directory, if it has the client library.
fn python() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let in_target = program.ancestors().nth(3)?.join("tests/venv/bin/python");
    [PathBuf::from("python3"), in_target]
        .into_iter()
        .find(|python| {
            Command::new(python)
                .args(["-c", "import prometheus_client"])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
}
