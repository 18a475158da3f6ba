//! Many targets in virtual time, and what arithmetic says of them.
//!
//! Each target has about 400 builds that run at a time, and 4 000 step executions a day: 50 of them
//! are 20 000 running steps, and 200 000 a day.

use std::time::{Duration, Instant};

use imagebuilder_exporter::api::Operation;
use imagebuilder_exporter::config::RateLimit;

use super::busy_account::{
    BUILD_STEPS, BusyAccount, DISCOVERY_INTERVAL, INTERVAL, LISTED, Record, Shape, TEST_STEPS,
};
use super::fleet::{Detection, Fleet, Kept, RETENTION, quantile};

/// What happens in the account of each target. Of its steps, each takes about 2.4 hours.
pub const SHAPE: Shape = Shape {
    pipelines: 413,
    period: BUILD_STEPS as u32 * 24 * 360,
    queued: 0.25,
    tested: 0.1,
    timed_out: 0.08,
    throttled: 0.01,
};

/// Entries of a page.
const PAGE: usize = 100;

/// The parts of the intervals after which looks are due on average, as chance shortens them.
const NEARLY: f64 = 0.975;

#[derive(Clone, Copy, Debug)]
pub struct Simulation {
    pub targets: usize,
    pub limit: RateLimit,
    /// The rate limit at first, and for how long.
    pub at_first: Option<(RateLimit, Duration)>,
    /// By then all that was there at the beginning has been found, and measuring begins.
    pub warm_up: Duration,
    pub length: Duration,
}

/// What was measured, of all targets together. Times are milliseconds.
#[derive(Debug)]
pub struct Measured {
    simulation: Simulation,
    pub record: Record,
    /// From a change of a step to its being shown.
    pub detection: Vec<i64>,
    /// At regular times while it was measured.
    pub kept: Vec<Kept>,
    /// Executions that run, and that wait, of one target.
    running: f64,
    pending: f64,
    /// Of the whole simulation, a call.
    pub work: Duration,
}

/// What is to be expected where the rate limit does not reach.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Calls a second that the rate limit lets through.
    pub rate: f64,
    /// How late a look at a running execution is, in seconds, with as many calls as were made.
    pub lag: f64,
}

impl Simulation {
    pub fn run(self) -> Measured {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let runtime = runtime.expect("a runtime needs nothing");
        runtime.block_on(self.measure())
    }

    async fn measure(self) -> Measured {
        let begun = Instant::now();
        let first = self.at_first.map_or(self.limit, |(limit, _)| limit);
        let fleet = Fleet::start(self.targets, SHAPE, first);
        let mut detection = Detection::new(&fleet.accounts, SHAPE);
        if let Some((_, until)) = self.at_first {
            detection.watch(&fleet.published, until).await;
            fleet.configure(self.limit);
        }
        detection.watch(&fleet.published, self.warm_up).await;
        let before: usize = { fleet.accounts.iter() }
            .map(|account| account.record().all())
            .sum();
        fleet.accounts.iter().for_each(BusyAccount::begin_record);
        detection.lags.clear();
        let parts = 8;
        let mut kept = vec![fleet.kept()];
        let (mut running, mut pending) = (0, 0);
        for part in 1..=parts {
            let until = self.warm_up + (self.length - self.warm_up) * part / parts;
            detection.watch(&fleet.published, until).await;
            kept.push(fleet.kept());
            for account in &fleet.accounts {
                let (runs, waits) = account.standing();
                running += runs;
                pending += waits;
            }
        }
        let mut record = Record::default();
        for account in &fleet.accounts {
            record.add(account.record());
        }
        let calls = before + record.all();
        let detection = detection.all();
        fleet.stop().await;
        let each = |count: usize| count as f64 / f64::from(parts) / self.targets as f64;
        Measured {
            simulation: self,
            record,
            detection,
            kept,
            running: each(running),
            pending: each(pending),
            work: begun.elapsed() / calls as u32,
        }
    }
}

impl Measured {
    /// What arithmetic says of one target. Lateness is shared out by urgency: what waits is late
    /// twice as long as what runs, and discovery four times; of each kind the calls a second are so
    /// many over the time from one to the next, and all of them together are what the rate limit
    /// lets through.
    pub fn expected(&self) -> Expected {
        let rate = available(self.simulation.limit.requests_per_second, SHAPE.throttled);
        let made = self.rate();
        let interval = NEARLY * INTERVAL as f64 / 1e3;
        let discovery = NEARLY * DISCOVERY_INTERVAL as f64 / 1e3;
        let pages = SHAPE.pipelines.div_ceil(PAGE) + (SHAPE.pipelines * LISTED).div_ceil(PAGE);
        // Of a build: a Get of it and of each step, three Lists of its executions, a look when it
        // has ended and one more List of its steps.
        let of_a_build = 1.0 + BUILD_STEPS as f64 + 3.0 + 1.0 + 1.0;
        let builds = SHAPE.pipelines as f64 / f64::from(SHAPE.period);
        let tests = SHAPE.tested * TEST_STEPS as f64;
        let testing = tests / (BUILD_STEPS as f64 + tests);
        let demand = |lag: f64| {
            let round = discovery + 4.0 * lag;
            let (steps, waits) = (interval + lag, interval + 2.0 * lag);
            // The executions of a build that moves are listed again every five passes, during its
            // tests and while it waits every pass.
            let again = 5.0 * discovery + round / 2.0 + 4.0 * lag;
            let each_pass = self.running * testing + self.pending;
            let building = self.running * (1.0 - testing);
            let discovery = (pages as f64 + each_pass) / round + building / again;
            self.running / steps + self.pending / waits + discovery + builds * of_a_build
        };
        let (mut low, mut high) = (0.0, 1e4);
        while high - low > 1e-3 {
            let middle = (low + high) / 2.0;
            if demand(middle) > made {
                low = middle;
            } else {
                high = middle;
            }
        }
        Expected { rate, lag: low }
    }

    /// Nothing is late that the rate limit does not make late.
    pub fn assert_in_time(&self) {
        let seconds = self.seconds();
        let executions = self.running + self.pending;
        let an_interval = |calls: usize| {
            let intervals = self.measured().as_secs_f64() / (INTERVAL as f64 / 1e3);
            calls as f64 / intervals / executions / self.simulation.targets as f64
        };
        let lists = self.record.of(Operation::ListWorkflowStepExecutions);
        let lists = an_interval(lists - self.record.history);
        let all = an_interval(self.record.all());
        assert!(lists <= 1.1, "{lists} Lists an execution and interval");
        assert!(all <= 1.5, "{all} calls an execution and interval");
        let interval = INTERVAL as f64 / 1e3;
        let [median, p99] = [0.5, 0.99].map(|part| quantile(&self.detection, part));
        assert!(median <= 0.6 * interval, "a change is shown after {median}");
        assert!(p99 <= 1.1 * interval, "a change is shown after {p99}");
        for p99 in seconds.p99 {
            assert!(p99 <= 0.1 * interval, "{seconds:?}");
        }
        self.assert_bounded();
    }

    /// What the rate limit makes late is as late as arithmetic says, in the order of its urgency.
    pub fn assert_late_as_expected(&self) {
        let expected = self.expected();
        let seconds = self.seconds();
        let [near, running, pending, discovery] = seconds.median;
        let about = |value: f64, wanted: f64, part: f64| (value / wanted - 1.0).abs() <= part;
        let rate = self.rate();
        assert!(
            about(rate, expected.rate, 0.1),
            "{rate} calls/s, {expected:?}"
        );
        let lags = format!("{seconds:?}, {expected:?}");
        assert!(about(running, expected.lag, 0.15), "{lags}");
        assert!(about(pending, 2.0 * expected.lag, 0.25), "{lags}");
        assert!(about(discovery, 4.0 * expected.lag, 0.5), "{lags}");
        assert!(near < running && running < pending && pending < discovery);
        // The pace moves about its mean, by a half and more.
        assert!(
            seconds.p99[1] <= 1.75 * expected.lag,
            "{seconds:?}, {expected:?}"
        );
        // A throttled look at a timeout is made again soon.
        let Record {
            near_timeout,
            retried_near_timeout,
            ..
        } = &self.record;
        let near = quantile(&[&near_timeout[..], retried_near_timeout].concat(), 0.99);
        assert!(near <= 10.0, "{near} s after a timeout");
        let cycle = NEARLY * INTERVAL as f64 / 1e3 + expected.lag;
        // A look that is throttled has its turn again a cycle later; of so many looks, one will be
        // throttled so many times in a row.
        let in_a_row = (self.record.gaps.len() as f64).ln() / -SHAPE.throttled.ln();
        let bound = 1.3 * cycle * (1.0 + in_a_row.ceil());
        let gap = quantile(&self.record.gaps, 1.0);
        assert!(
            gap <= bound,
            "{gap} s between two looks, with {bound} expected"
        );
        let [median, p99] = [0.5, 0.99].map(|part| quantile(&self.detection, part));
        assert!(
            about(median, cycle / 2.0, 0.35),
            "a change is shown after {median}"
        );
        // One poll in a hundred is throttled, and repeated a cycle later.
        let bound = cycle + quantile(&self.record.gaps, 0.99);
        assert!(
            p99 <= bound,
            "a change is shown after {p99}, with {bound} expected"
        );
        self.assert_bounded();
    }

    /// No more is kept than what is there and what ended within the retention, and what it takes to
    /// notice that.
    fn assert_bounded(&self) {
        let targets = self.simulation.targets as f64;
        let notice = 2.0 * quantile(&self.record.found, 0.5) + 300.0;
        let kept_for = RETENTION.as_secs_f64() + notice;
        let builds = SHAPE.pipelines as f64 / f64::from(SHAPE.period);
        let images = targets * (SHAPE.pipelines as f64 + builds * kept_for);
        let steps_of_each = BUILD_STEPS as f64 + SHAPE.tested * TEST_STEPS as f64;
        // What was counted is gone through now and then.
        let remembered = targets * builds * steps_of_each * kept_for;
        for kept in &self.kept {
            assert!(kept.images as f64 <= 1.02 * images, "{kept:?}, {images}");
            let steps = kept.images as f64 * steps_of_each;
            assert!(kept.steps as f64 <= 1.02 * steps, "{kept:?}, {steps}");
            let bound = 1.5 * remembered;
            assert!(kept.remembered as f64 <= bound, "{kept:?}, {bound}");
        }
        assert_eq!(self.record.most_gets, 1, "one Get a step ever");
        let all = self.simulation.targets * SHAPE.pipelines;
        let looked = self.running * targets + self.pending * targets;
        assert!(
            looked >= 0.99 * all as f64,
            "{looked} of {all} executions are alive"
        );
    }

    /// Once what ended first has left, as much leaves as comes.
    pub fn assert_stopped_growing(&self) {
        let [first, .., last] = &self.kept[..] else {
            panic!("nothing was measured");
        };
        let pairs = [
            (first.steps, last.steps),
            (first.workflows, last.workflows),
            (first.images, last.images),
            (first.remembered, last.remembered),
        ];
        for (first, last) in pairs {
            assert!(last as f64 <= 1.1 * first as f64, "{:?}", self.kept);
        }
    }

    fn seconds(&self) -> Seconds {
        let record = &self.record;
        let kinds = [
            &record.near_timeout,
            &record.running,
            &record.pending,
            &record.discovery,
        ];
        Seconds {
            median: kinds.map(|values| quantile(values, 0.5)),
            p99: kinds.map(|values| quantile(values, 0.99)),
        }
    }

    fn measured(&self) -> Duration {
        self.simulation.length - self.simulation.warm_up
    }

    /// Calls a second of one target.
    pub fn rate(&self) -> f64 {
        let calls = self.record.all() as f64 / self.simulation.targets as f64;
        calls / self.measured().as_secs_f64()
    }

    pub fn print(&self, name: &str) {
        let Expected { rate, lag } = self.expected();
        println!("\n{name}: {:?}", self.simulation);
        println!(
            "a target has {:.0} executions that run and {:.0} that wait; {:.2} calls/s are made, and \
             the limit lets {rate:.2} through; {:?} of work a call",
            self.running,
            self.pending,
            self.rate(),
            self.work,
        );
        for operation in Operation::ALL {
            let count = self.record.of(operation);
            println!("  {:<28}{count:>9}", operation.as_str());
        }
        println!("of these Lists, {} are for baselines", self.record.history);
        println!("expected lag {lag:.1} s\n");
        println!("| seconds | count | p50 | p99 | most |");
        println!("| --- | --- | --- | --- | --- |");
        let rows = [
            ("lag near the timeout", &self.record.near_timeout),
            ("the same, throttled", &self.record.retried_near_timeout),
            ("lag of what runs", &self.record.running),
            ("lag of what waits", &self.record.pending),
            ("lag of discovery", &self.record.discovery),
            ("between looks at what runs", &self.record.gaps),
            ("until a build is found", &self.record.found),
            ("until a change is shown", &self.detection),
        ];
        for (row, values) in rows {
            let [p50, p99, most] = [0.5, 0.99, 1.0].map(|part| quantile(values, part));
            println!(
                "| {row} | {} | {p50:.1} | {p99:.1} | {most:.1} |",
                values.len()
            );
        }
        println!("\n| kept: steps | workflow executions | images | counted and remembered |");
        println!("| --- | --- | --- | --- |");
        for kept in &self.kept {
            println!(
                "| {} | {} | {} | {} |",
                kept.steps, kept.workflows, kept.images, kept.remembered
            );
        }
    }
}

/// How late looks are, the most urgent ones first.
#[derive(Clone, Copy, Debug)]
struct Seconds {
    median: [f64; 4],
    p99: [f64; 4],
}

/// Calls a second that a limit lets through where so small a part of them is throttled: each lowers
/// the rate for a few seconds, which costs about one call.
fn available(limit: f64, throttled: f64) -> f64 {
    limit * (1.0 - throttled)
}
