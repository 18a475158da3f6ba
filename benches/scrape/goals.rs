//! The goals of a scrape, and whether they were met.

use std::time::Duration;

use crate::contender::{Contender, Sample, named, spread};
use crate::{COLLECTOR, OURS, OURS_GZIP, PREBUILT, PREBUILT_GZIP, PYTHON, PYTHON_GZIP};

#[derive(Default)]
pub(crate) struct Goals(Vec<Goal>);

struct Goal {
    steps: usize,
    what: &'static str,
    bound: Bound,
    unit: &'static str,
    /// The median and the middle half, unless a contender is missing.
    measured: Option<(f64, f64, f64)>,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Goals {
    pub(crate) fn judge(&mut self, steps: usize, contenders: &[Contender]) {
        use Bound::{AtLeast, AtMost};
        let small = steps <= 10_000;
        let mut add = |what, bound, unit, values: Option<Vec<f64>>| {
            let measured = values.map(|values| {
                let spread = spread(values);
                (spread.median, spread.low, spread.high)
            });
            self.0.push(Goal {
                steps,
                what,
                bound,
                unit,
                measured,
            });
        };
        let ratio = |one, other| Some(named(contenders, one)?.ratios_to(named(contenders, other)?));
        let slower =
            |peer, than| named(contenders, peer)?.ratios_to_median(named(contenders, than)?);
        let times = |name, of: fn(&Sample) -> Option<Duration>| {
            let of_sample = |sample| Some(of(sample)?.as_secs_f64() * 1e3);
            Some(
                named(contenders, name)?
                    .samples()
                    .filter_map(of_sample)
                    .collect(),
            )
        };
        let plain = AtMost(if small { 1.1 } else { 1.2 });
        add("plain / prebuilt", plain, "", ratio(OURS, PREBUILT));
        let collector = slower(COLLECTOR, OURS);
        add("crate's collector / plain", AtLeast(15.0), "", collector);
        add("Python / plain", AtLeast(70.0), "", slower(PYTHON, OURS));
        let gzip = ratio(OURS_GZIP, PREBUILT_GZIP);
        add("gzip / prebuilt gzip", AtMost(2.0), "", gzip);
        let python = slower(PYTHON_GZIP, OURS_GZIP);
        add("Python gzip / gzip", AtLeast(250.0), "", python);
        let gzip = ratio(OURS_GZIP, PREBUILT);
        add("gzip / prebuilt plain", AtMost(1.0), "", gzip);
        let cpu = AtMost(if small { 5.0 } else { 45.0 });
        add(
            "CPU of gzip",
            cpu,
            " ms",
            times(OURS_GZIP, |sample| sample.cpu),
        );
        let first = times(OURS, |sample| sample.first_byte);
        add("first byte, plain", AtMost(2.0), " ms", first);
        let first = times(OURS_GZIP, |sample| sample.first_byte);
        add("first byte, gzip", AtMost(2.0), " ms", first);
    }

    pub(crate) fn print(&self) {
        println!("| steps | what | goal | median | middle half | met |");
        println!("| --- | --- | --- | --- | --- | --- |");
        for goal in &self.0 {
            let (measured, met) = match goal.measured {
                None => ("not measured |".to_owned(), "?"),
                Some((median, low, high)) => (
                    format!("{median:.2}{} | {low:.2} to {high:.2}", goal.unit),
                    if goal.bound.holds(median) {
                        "yes"
                    } else {
                        "**no**"
                    },
                ),
            };
            let (words, bound) = match goal.bound {
                Bound::AtMost(bound) => ("at most", bound),
                Bound::AtLeast(bound) => ("at least", bound),
            };
            println!(
                "| {} | {} | {words} {bound}{} | {measured} | {met} |",
                goal.steps, goal.what, goal.unit
            );
        }
    }
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}
