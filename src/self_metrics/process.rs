//! The collector of `process_*`: that of the `prometheus` crate, with the CPU time in fractions.

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{Counter, MetricFamily};

pub(super) const CPU_SECONDS: &str = "process_cpu_seconds_total";

/// Collects the metrics of this process. The crate's collector truncates the CPU time to seconds,
/// so that the rate of a process that does little is mostly 0. Everything else is its own.
pub(super) struct Process(ProcessCollector);

impl Process {
    pub(super) fn new() -> Self {
        Self(ProcessCollector::for_self())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        let cpu = families
            .iter_mut()
            .find(|family| family.name() == CPU_SECONDS);
        if let Some((cpu, seconds)) = cpu.zip(cpu_seconds()) {
            for metric in cpu.mut_metric() {
                let mut counter = Counter::default();
                counter.set_value(seconds);
                metric.set_counter(counter);
            }
        }
        families
    }
}

/// User and system CPU time of this process in seconds, from `/proc/self/stat`.
fn cpu_seconds() -> Option<f64> {
    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    Some((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    fn exposed(process: &Process) -> f64 {
        let families = process.collect();
        let cpu = families.iter().find(|family| family.name() == CPU_SECONDS);
        cpu.unwrap().get_metric()[0].get_counter().get_value()
    }

    #[test]
    fn cpu_time_grows_by_less_than_a_second() {
        let process = Process::new();
        let first = exposed(&process);
        let grown = loop {
            (0..100_000).for_each(|number| {
                black_box(number);
            });
            let grown = exposed(&process) - first;
            if grown > 0.0 {
                break grown;
            }
        };
        assert!(grown < 1.0, "{grown}");
    }
}
