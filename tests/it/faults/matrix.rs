//! Each fault that the simulator scripts, on each operation, through the SDK over HTTP: for one call,
//! all calls of the operation, and all calls of a target. Generates the table of faults in
//! `docs/reliability.md`.
//!
//! `oracle::matrix` has the exact times, on a virtual clock.

mod cells;
mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cells::{Cell, SOUND, config, scenario};
use imagebuilder_exporter::api::Operation;
use kinds::{Kind, kinds};

use crate::process::{Exporter, PATIENCE, Scrape, Setup, Simulated};
use crate::support::exposition::samples;
use crate::support::kept::assert_part_kept;

const PAGE: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- faults: begin -->\n\n";
const END: &str = "\n<!-- faults: end -->";
const HEAD: &str = "\
    | fault | `result` | target if all operations fail |\n\
    | --- | --- | --- |\n";
/// The pause between two scrapes.
const PAUSE: Duration = Duration::from_secs(1);
/// The timeout of calls that are to reach it.
const SHORT: Duration = Duration::from_secs(4);
/// The polls of the sound target in two intervals, with one at either end.
const POLLS: f64 = 4.0;

/// How many calls of a cell meet its fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Extent {
    One,
    Each,
}

/// The number of results by target, operation and result.
type Counts = BTreeMap<(String, String, String), f64>;

/// An exporter whose targets meet faults, all at the same time.
struct Matrix {
    cells: BTreeMap<String, Cell>,
    /// Whether calls reach their timeout, which a busy machine can let any call do.
    times_out: bool,
    simulated: Simulated,
    exporter: Exporter,
    /// The series of resources, which no fault may change.
    known: BTreeSet<String>,
}

/// What one scrape shows of the targets.
struct Observed {
    counts: Counts,
    /// The targets that are down.
    down: BTreeSet<String>,
    /// The targets with a step whose last poll failed.
    failing: BTreeSet<String>,
    /// The file descriptors and threads of the exporter.
    used: [f64; 2],
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_each_operation_is_counted_contained_and_overcome() {
    let (slow, quick): (Vec<_>, Vec<_>) = kinds().into_iter().partition(Kind::times_out);
    tokio::join!(examine(&slow, SHORT), examine(&quick, PATIENCE));
}

async fn examine(kinds: &[Kind], timeout: Duration) {
    let matrix = Matrix::start(Cell::all(kinds), timeout).await;
    let used = matrix.look(Extent::One).await.used;
    for extent in [Extent::One, Extent::Each] {
        matrix.strike(extent).await;
    }
    matrix.until_nothing_is_left(used).await;
}

impl Matrix {
    async fn start(cells: BTreeMap<String, Cell>, timeout: Duration) -> Self {
        let simulated = Simulated::start(scenario(&cells)).await;
        let config = config(&simulated, &cells, timeout);
        let exporter = Setup::exporter(&config).start().await;
        let scrape = exporter
            .until("each operation has succeeded", |scrape| {
                let now = Observed::of(scrape);
                let is_polled = |cell: &Cell| {
                    let mut operations = cell.operations().into_iter();
                    operations.all(|one| now.count(&cell.region, one, "ok") >= 1.0)
                };
                cells.values().all(is_polled) && now.down.is_empty() && now.failing.is_empty()
            })
            .await;
        Self {
            times_out: timeout == SHORT,
            known: known(&scrape),
            cells,
            simulated,
            exporter,
        }
    }

    /// Lets each cell meet its fault, ends all faults, and waits until all have recovered.
    async fn strike(&self, extent: Extent) {
        let cells: Vec<_> = { self.cells.values() }
            .filter(|cell| extent == Extent::Each || !cell.kind.is_denied)
            .collect();
        let before = self.look(extent).await;
        let fault = |cell: &&Cell| {
            let fault = cell.kind.fault(cell.operation, &cell.region);
            match extent {
                Extent::One => fault.times(1),
                Extent::Each => fault,
            }
        };
        self.simulated.faults.set(cells.iter().map(fault).collect());
        let met = |cell: &&Cell, now: &Observed| is_met(cell, extent, &before, now);
        let met = self.wait(extent, &cells, met).await;
        self.simulated.faults.clear();
        // A call can succeed again before the scrape that shows that it failed.
        let since = if extent == Extent::One { &before } else { &met };
        let over = |cell: &&Cell, now: &Observed| {
            let is_over = cell.kind.is_denied || is_over(cell, since, now);
            let polls = now.polls_of_the_sound_target() - met.polls_of_the_sound_target();
            let message = || format!("{extent:?}: {} after {polls} polls", name(cell));
            assert!(is_over || self.times_out || polls <= POLLS, "{}", message());
            is_over
        };
        let over = self.wait(extent, &cells, over).await;
        self.check_counts(extent, &before, &over);
    }

    /// Scrapes, and checks what holds at any time.
    async fn look(&self, extent: Extent) -> Observed {
        let scrape = self.exporter.scrape().await;
        let now = known(&scrape);
        let lost: Vec<_> = self.known.difference(&now).take(5).collect();
        assert!(lost.is_empty(), "{extent:?}: lost {lost:?}");
        let observed = Observed::of(&scrape);
        for target in &observed.down {
            let cell = self.cells.get(target);
            let may_be = cell.is_some_and(|cell| cell.operation.is_none() && !cell.kind.is_up);
            assert!(
                may_be || self.times_out,
                "{extent:?}: {target} {:?}",
                cell.map(name)
            );
        }
        observed
    }

    /// Scrapes until something is so of each cell.
    async fn wait(
        &self,
        extent: Extent,
        cells: &[&Cell],
        is_so: impl Fn(&&Cell, &Observed) -> bool,
    ) -> Observed {
        let mut last = Vec::new();
        let waiting = async {
            loop {
                let now = self.look(extent).await;
                let cells = cells.iter().filter(|cell| !is_so(cell, &now));
                last = cells.map(|cell| name(cell)).collect();
                if last.is_empty() {
                    return now;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("{extent:?}: waited in vain for {last:?}"))
    }

    /// Checks that only the calls that met a fault failed, each with the result of the fault.
    fn check_counts(&self, extent: Extent, before: &Observed, after: &Observed) {
        for (key @ (target, operation, result), count) in &after.counts {
            let grown = count - before.counts.get(key).copied().unwrap_or(0.0);
            if grown == 0.0 || result == "ok" || (self.times_out && result == "timeout") {
                continue;
            }
            let mut all = Operation::ALL.into_iter();
            let operation = all.find(|one| one.as_str() == operation).unwrap();
            let cell = self.cells.get(target);
            let is_right = cell.is_some_and(|cell| {
                let is_meant = cell.is_met_by(operation) && cell.kind.result(operation) == result;
                is_meant && (extent == Extent::Each || grown == 1.0)
            });
            assert!(is_right, "{extent:?}: {:?} {key:?} {grown}", cell.map(name));
        }
    }

    /// Waits until no more descriptors and threads are in use than before the first fault.
    async fn until_nothing_is_left(&self, before: [f64; 2]) {
        // A target whose calls overlap has another connection for a while.
        let more = self.cells.len() as f64;
        let any: Vec<_> = self.cells.values().take(1).collect();
        self.wait(Extent::Each, &any, |_, now| {
            let [files, threads] = now.used;
            files <= before[0] + more && threads <= before[1]
        })
        .await;
    }
}

impl Observed {
    fn of(scrape: &Scrape) -> Self {
        let mut observed = Self {
            counts: Counts::new(),
            down: BTreeSet::new(),
            failing: BTreeSet::new(),
            used: [0.0; 2],
        };
        for sample in samples(&scrape.text) {
            let (value, label) = (sample.value, |name: &str| sample.labels[name].clone());
            match sample.name.as_str() {
                "imagebuilder_exporter_api_requests_total" if value != 0.0 => {
                    let key = ["target", "operation", "result"].map(label);
                    observed.counts.insert(key.into(), value);
                }
                "imagebuilder_exporter_target_up" if value == 0.0 => {
                    observed.down.insert(label("target"));
                }
                "imagebuilder_workflow_step_last_poll_success" if value == 0.0 => {
                    // Each target has the name of its region.
                    observed.failing.insert(label("region"));
                }
                "process_open_fds" => observed.used[0] = value,
                "process_threads" => observed.used[1] = value,
                _ => {}
            }
        }
        observed
    }

    fn count(&self, target: &str, operation: Operation, result: &str) -> f64 {
        let key = [target, operation.as_str(), result].map(str::to_owned);
        self.counts.get(&key.into()).copied().unwrap_or(0.0)
    }

    fn polls_of_the_sound_target(&self) -> f64 {
        // It lists the steps of one execution, once an interval.
        self.count(SOUND, Operation::ListWorkflowStepExecutions, "ok")
    }
}

fn name(cell: &Cell) -> String {
    let operation = cell.operation.map_or("all", Operation::as_str);
    format!("{} ({operation})", cell.kind.name)
}

/// Whether as many calls as necessary have met the fault of the cell, and its target is down if that
/// takes it down.
fn is_met(cell: &Cell, extent: Extent, before: &Observed, now: &Observed) -> bool {
    let grown = |operation: Operation| {
        let result = cell.kind.result(operation);
        let [before, now] = [before, now].map(|at| at.count(&cell.region, operation, result));
        now - before
    };
    let is_repeated = !cell.kind.is_denied && !cell.kind.times_out();
    let least = if is_repeated { 2.0 } else { 1.0 };
    let all_fail = cell.operation.is_none();
    match extent {
        Extent::One if all_fail => Operation::ALL.into_iter().any(|one| grown(one) >= 1.0),
        Extent::One => cell.operations().into_iter().all(|one| grown(one) >= 1.0),
        Extent::Each => {
            let is_down = now.down.contains(&cell.region);
            { cell.operations().into_iter() }.all(|one| grown(one) >= least)
                && (!all_fail || is_down != cell.kind.is_up)
        }
    }
}

/// Whether the operations of the cell succeed again, its target is up, and its steps are current.
fn is_over(cell: &Cell, since: &Observed, now: &Observed) -> bool {
    let succeeds = |operation: &Operation| {
        let [since, now] = [since, now].map(|at| at.count(&cell.region, *operation, "ok"));
        now > since
    };
    cell.operations().iter().all(succeeds)
        && !now.down.contains(&cell.region)
        && !now.failing.contains(&cell.region)
}

/// The series of the resources whose values do not change while their builds run.
fn known(scrape: &Scrape) -> BTreeSet<String> {
    let changes = [
        "_running_seconds",
        "_duration_seconds",
        "_last_success_timestamp_seconds",
        "_last_poll_success",
    ];
    let stays = |line: &&str| {
        line.starts_with("imagebuilder_")
            && !line.starts_with("imagebuilder_exporter_")
            && !changes.iter().any(|part| line.contains(part))
    };
    scrape.samples().filter(stays).map(str::to_owned).collect()
}

#[test]
fn reliability_page_has_the_table_of_faults() {
    let table: String = kinds().iter().map(Kind::row).collect();
    assert_part_kept(PAGE, [BEGIN, END], &format!("{HEAD}{table}"));
}
