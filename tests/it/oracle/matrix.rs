//! Each kind of failure, on each operation: for one call, one operation and all of a target.
//! Generates the table of `docs/reliability.md` from what is exposed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use imagebuilder_exporter::api::{ErrorKind, Operation};
use imagebuilder_exporter::simulator::{Scenario, World};
use tokio::runtime::Handle;

use super::world::{Chances, Script, WorldApi};
use crate::process::Scrape;
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::kept::assert_part_kept;
use crate::support::paused;
use crate::support::poller::{EPOCH, Polling};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const PAGE: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- failures: begin -->\n\n";
const END: &str = "\n<!-- failures: end -->";
const HEAD: &str = "\
    | `result` | one call fails | one operation fails | all operations fail |\n\
    | --- | --- | --- | --- |\n";
const INTERVAL: f64 = 30.0;
/// When calls begin to fail.
const BEGIN_OF_FAILURES: f64 = 160.0;
/// How long calls fail.
const OUTAGE: f64 = 160.0;
/// The delay of the last call in flight, which ends with its timeout.
const TIMEOUT: f64 = 10.0;
/// How often values are checked meanwhile.
const CHECK: f64 = 35.0;
const REQUESTS: &str = "imagebuilder_exporter_api_requests_total";
const UP: &str = "imagebuilder_exporter_target_up";
/// Values that change while a step runs or fails to be polled.
const CHANGING: [&str; 4] = [
    "_running_seconds",
    "_duration_seconds",
    "_last_success_timestamp_seconds",
    "_last_poll_success",
];

/// A target whose calls fail.
struct Cell {
    api: WorldApi,
    polling: Polling,
    script: Script,
    name: String,
}

impl Cell {
    fn new(world: &Arc<World>, script: Script) -> Self {
        let chances = Chances {
            latency: Duration::from_millis(200),
            fault: 0.0,
            faults_until: EPOCH,
            expiry: 0.0,
            page: 1_000,
        };
        let api = WorldApi::new(world.clone(), 5, chances);
        let planned = world.planned_steps(Duration::ZERO);
        let steps = planned.iter().filter(|step| step.name.starts_with("Given"));
        let steps = steps.map(|step| step.id);
        let image = planned.iter().find(|step| step.name == "Run").unwrap();
        let target = TargetText::new("t").unlimited().steps(steps);
        let target = match script.operation {
            Some(Operation::GetImage) => {
                target.with(&format!("image_build_versions: ['{}']", image.image_arn))
            }
            _ => target.with("pipelines: [golden]"),
        };
        let polling = "polling: {interval: 30s, discovery_interval: 30s, request_timeout: 10s}";
        let config = ConfigText::of([target]).with(polling).text();
        Self {
            polling: Polling::start(&config, Arc::new(api.clone())),
            api,
            script,
            name: format!("{script:?}"),
        }
    }

    fn scrape(&self) -> Scrape {
        Scrape {
            text: self.polling.metrics(),
        }
    }

    /// Returns what is exposed during the failures, and when all calls succeed again.
    async fn examine(&self) -> String {
        self.polling.until(BEGIN_OF_FAILURES).await;
        let before = self.scrape();
        let tasks = Handle::current().metrics().num_alive_tasks();
        self.api.set_script(Some(self.script));
        let mut up = "up";
        let checks = match self.script.times {
            1 => 2,
            _ => (OUTAGE / CHECK) as u32,
        };
        for _ in 0..checks {
            self.polling.pass(CHECK).await;
            if !self.check(&before) {
                up = "down";
            }
        }
        self.api.set_script(None);
        let cleared = self.scrape();
        self.polling.pass(INTERVAL * 2.0 + TIMEOUT).await;
        let recovered = match self.is_over(&before, &cleared) {
            true => "two intervals",
            false => "an hour",
        };
        let is_denied = self.script.kind == ErrorKind::Forbidden;
        assert!(is_denied || recovered != "an hour", "{}", self.name);
        self.until_tasks_are(tasks).await;
        format!("{up}; {recovered}")
    }

    /// Waits until the calls in flight have ended, and nothing else is left.
    async fn until_tasks_are(&self, tasks: usize) {
        for _ in 0..100 {
            if Handle::current().metrics().num_alive_tasks() <= tasks {
                return;
            }
            self.polling.pass(0.1).await;
        }
        panic!("{} leaves tasks", self.name);
    }

    /// Whether each operation has succeeded again. Checks which calls failed.
    fn is_over(&self, before: &Scrape, cleared: &Scrape) -> bool {
        let after = self.scrape();
        self.check(before);
        self.check_counts(before, &after);
        let regular = |operation: &Operation| count(before, operation.as_str(), "ok") >= 5.0;
        let called: Vec<_> = Operation::ALL.into_iter().filter(regular).collect();
        assert!(called.len() >= 4, "{}: {called:?}", self.name);
        let succeeds = |operation: &Operation| {
            let [before, now] = [cleared, &after].map(|at| count(at, operation.as_str(), "ok"));
            now > before
        };
        let polls = after.values("imagebuilder_workflow_step_last_poll_success");
        called.iter().all(succeeds)
            && after.value(UP) == Some(1.0)
            && polls.iter().all(|success| *success == 1.0)
    }

    /// Checks that known values are kept, and returns whether the target is up.
    fn check(&self, before: &Scrape) -> bool {
        let now = self.scrape();
        let (before, after) = (known(before), known(&now));
        let lost: Vec<_> = before.difference(&after).collect();
        assert!(lost.is_empty(), "{} lost {lost:?}", self.name);
        now.value(UP) == Some(1.0)
    }

    /// Checks that the meant calls failed, with the right result, and no others.
    fn check_counts(&self, before: &Scrape, after: &Scrape) {
        let Script {
            kind, operation, ..
        } = self.script;
        for of in Operation::ALL {
            for result in ErrorKind::ALL {
                let counts = [before, after];
                let [before, after] = counts.map(|at| count(at, of.as_str(), result.as_str()));
                let grown = after - before;
                let is_meant = operation.is_none_or(|meant| meant == of) && result == kind;
                assert!(grown == 0.0 || is_meant, "{}: {of:?} {grown}", self.name);
                let must_grow = is_meant && operation.is_some();
                assert!(
                    grown > 0.0 || !must_grow,
                    "{}: {of:?} never fails",
                    self.name
                );
                assert!(grown <= self.script.times as f64, "{}: {of:?}", self.name);
            }
        }
    }
}

fn count(scrape: &Scrape, operation: &str, result: &str) -> f64 {
    let selector = format!("{REQUESTS}{{operation=\"{operation}\",result=\"{result}\"}}");
    scrape.value(&selector).unwrap_or(0.0)
}

/// The series of the resources whose values do not change.
fn known(scrape: &Scrape) -> BTreeSet<String> {
    let stays = |line: &&str| {
        line.starts_with("imagebuilder_")
            && !line.starts_with("imagebuilder_exporter_")
            && !CHANGING.iter().any(|part| line.contains(part))
    };
    scrape.samples().filter(stays).map(str::to_owned).collect()
}

/// Builds that run for a day.
fn world() -> Arc<World> {
    let build = |name: &str, steps: [&str; 2]| {
        let [first, last] = steps;
        let first = format!("{first}, action: RunCommand, duration: 10s");
        let last = format!("{last}, action: RunCommand, duration: 20h");
        PipelineText::new(name).workflow("make, type: test", [first, last])
    };
    let golden = build("golden", ["Done", "Run"]);
    // The execution of a step that has ended is polled too.
    let listed = build("listed", ["First", "GivenRun"]);
    let ended = build("ended", ["GivenDone", "Last"]);
    let scenario = ScenarioText::of([golden, listed, ended]).with("listed_after: 0s");
    let scenario = Scenario::parse(&scenario.to_string(), "matrix").unwrap();
    Arc::new(World::new(scenario, 1, 1.0, EPOCH))
}

/// One row of the table.
fn row(kind: ErrorKind) -> String {
    let each = |times| {
        let cells = Operation::ALL.map(|operation| examined(kind, Some(operation), times));
        // The slowest one.
        let slowest = cells.iter().find(|cell| cell.contains("hour"));
        let is_up = cells.iter().all(|cell| cell.starts_with("up"));
        assert!(is_up, "{kind:?}: {cells:?}");
        slowest.unwrap_or(&cells[0]).clone()
    };
    let cells = [each(1), each(usize::MAX), examined(kind, None, usize::MAX)];
    format!("| `{}` | {} |\n", kind.as_str(), cells.join(" | "))
}

fn examined(kind: ErrorKind, operation: Option<Operation>, times: usize) -> String {
    let script = Script {
        kind,
        operation,
        times,
    };
    paused(async { Cell::new(&world(), script).examine().await })
}

#[test]
fn reliability_page_has_the_table_of_failures() {
    let table: String = thread::scope(|scope| {
        let rows = ErrorKind::ALL.map(|kind| scope.spawn(move || row(kind)));
        rows.into_iter().map(|row| row.join().unwrap()).collect()
    });
    assert_part_kept(PAGE, [BEGIN, END], &format!("{HEAD}{table}"));
}
