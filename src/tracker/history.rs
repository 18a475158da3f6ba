//! Reads how long the steps of earlier builds took, so that they have baselines soon after the start.
//!
//! Owns which builds are to be read, and how far. A build takes one list of its workflow executions
//! and one list of the steps of each that COMPLETED. Nothing of it is tracked or exposed: the
//! steps leave with the changes, for the baselines alone.
//!
//! These calls are made one after the other, while no other call is due, and take at most half of
//! the rate limit. They wait for the first attempt of all other calls.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::pace::{HOUR, longest_backoff};
use super::page_size::SMALL;
use super::pager::Pager;
use crate::api::{ApiError, Call, ErrorKind, Page, StepPage, WorkflowPage};
use crate::config::BaselineSettings;
use crate::model::{ImageArn, StepStatus, WorkflowExecutionId, WorkflowStatus};
use crate::snapshot::{HistoryProgress, ImageName, Phase, StepRecord, StepTable};

/// A build is given up after so many failed calls.
const ATTEMPTS: u32 = 10;
/// The part of the rate limit that these calls take at most.
pub const RATE_PART: f64 = 0.5;
/// The pause after a throttled call of any kind. At least one call is made between two pauses, since an
/// account may throttle a few calls all the time.
const PAUSE: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct BaselineHistory {
    settings: Option<BaselineSettings>,
    /// The first discovery pass that returns as many builds as are to be read.
    pass: u64,
    /// The image names whose builds were chosen, read or not.
    names: BTreeSet<ImageName>,
    waiting: VecDeque<Reading>,
    in_flight: Option<Reading>,
    /// When the next call may be made.
    next: Option<Instant>,
    /// Whether there was a pause after the last call.
    has_paused: bool,
    /// Calls that failed in a row.
    failures: u32,
    read: u64,
    failed: u64,
}

/// How far one build has been read.
#[derive(Debug)]
struct Reading {
    name: ImageName,
    build: ImageArn,
    /// Whether the list of its executions was read to its end.
    is_listed: bool,
    /// Executions whose steps are still to be read.
    executions: Vec<WorkflowExecutionId>,
    pager: Pager,
    failures: u32,
    /// How many newer builds of the image name are read.
    rank: usize,
}

impl Reading {
    /// `None` once everything was read.
    fn call(&self) -> Option<Call> {
        match self.is_listed {
            false => Some(Call::ListWorkflowExecutions(self.build.clone())),
            true => {
                let id = self.executions.last();
                id.map(|id| Call::ListWorkflowStepExecutions(*id))
            }
        }
    }

    /// Begins the list again of which a page failed.
    fn restart(&mut self) {
        self.pager.restart();
        if !self.is_listed {
            self.executions.clear();
        }
    }
}

impl BaselineHistory {
    /// Reads everything again where the settings have changed: an exclusion may have ended. `pass` is
    /// the first discovery pass under these settings. Returns whether they have changed.
    pub(super) fn configure(&mut self, settings: &BaselineSettings, pass: u64) -> bool {
        let has_changed = self.settings.as_ref() != Some(settings);
        if has_changed {
            *self = Self {
                settings: Some(settings.clone()),
                pass,
                ..Self::default()
            };
        }
        has_changed
    }

    /// Forgets the image names that are no longer exposed.
    pub(super) fn retain(&mut self, is_exposed: impl Fn(&ImageName) -> bool) {
        self.names.retain(is_exposed);
        let Self {
            names,
            waiting,
            in_flight,
            ..
        } = self;
        waiting.retain(|reading| names.contains(&reading.name));
        in_flight.take_if(|reading| !names.contains(&reading.name));
    }

    /// The first discovery pass whose builds are chosen.
    pub(super) fn pass(&self) -> u64 {
        self.pass
    }

    pub(super) fn contains(&self, name: &ImageName) -> bool {
        self.names.contains(name)
    }

    /// Reads these builds of an image name, the newest first. The newest builds of all names come
    /// before older ones.
    pub(super) fn choose(&mut self, name: ImageName, builds: Vec<ImageArn>) {
        let readings = { builds.into_iter().enumerate() }.map(|(rank, build)| Reading {
            rank,
            name: name.clone(),
            build,
            is_listed: false,
            executions: Vec::new(),
            pager: Pager::default(),
            failures: 0,
        });
        self.waiting.extend(readings);
        let waiting = self.waiting.make_contiguous();
        waiting.sort_by_key(|reading| reading.rank);
        self.names.insert(name);
    }

    /// When the next call is due.
    pub(super) fn next_due(&self, c: &Context, now: Instant) -> Option<Instant> {
        if self.in_flight.is_some() || !c.failures.complete {
            return None;
        }
        let call = self.waiting.front()?.call()?;
        let denied = c.queue.denied(call.operation(), now);
        let due = self.next.into_iter().chain(denied).max();
        Some(due.unwrap_or(now))
    }

    /// Takes the next call if it is due.
    pub(super) fn take(&mut self, c: &Context) -> Option<(Call, Page, Instant)> {
        let due = self.next_due(c, c.now.instant)?;
        if due > c.now.instant {
            return None;
        }
        let reading = self.waiting.pop_front()?;
        let call = reading.call()?;
        // The older model of the service refuses larger pages.
        let page = reading.pager.page(SMALL);
        self.in_flight = Some(reading);
        self.has_paused = false;
        let rate = c.assignment.target.rate_limit.requests_per_second * RATE_PART;
        self.not_before(c.now.instant + Duration::from_secs_f64(1.0 / rate));
        Some((call, page, due))
    }

    /// A call of any kind was throttled.
    pub(super) fn throttled(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.has_paused, true) {
            self.not_before(now + PAUSE);
        }
    }

    fn not_before(&mut self, at: Instant) {
        self.next = self.next.max(Some(at));
    }

    /// The pages of the call that is in flight.
    pub(super) fn pager(&self) -> Option<&Pager> {
        self.in_flight.as_ref().map(|reading| &reading.pager)
    }

    /// Ends the call that is in flight. `None` where its response is no longer wanted.
    fn end(&mut self, call: &Call) -> Option<Reading> {
        self.in_flight
            .take_if(|reading| reading.call().as_ref() == Some(call))
    }

    /// A page of the executions of a build was read. `feeds_itself` says whether the steps of an
    /// execution are tracked, by this target or another one.
    pub(super) fn executions_read(
        &mut self,
        build: ImageArn,
        page: WorkflowPage,
        feeds_itself: impl Fn(WorkflowExecutionId) -> bool,
        c: &Context,
    ) {
        let Some(mut reading) = self.end(&Call::ListWorkflowExecutions(build)) else {
            return;
        };
        let count = page.entries.len();
        for (id, execution) in page.entries {
            let is_typical = execution.is_some_and(|execution| {
                execution.status == WorkflowStatus::Completed && execution.retried != Some(true)
            });
            if is_typical && !feeds_itself(id) {
                reading.executions.push(id);
            }
        }
        let pause = reading.pager.read(count, page.next);
        reading.is_listed = pause.is_none();
        self.page_read(reading, pause, c);
    }

    /// A page of the steps of an execution was read.
    pub(super) fn steps_read(&mut self, id: WorkflowExecutionId, page: StepPage, c: &mut Context) {
        let Some(mut reading) = self.end(&Call::ListWorkflowStepExecutions(id)) else {
            return;
        };
        let count = page.entries.len();
        // The table lets the baselines of one workflow share its labels.
        let mut settled = StepTable::<()>::default();
        for (id, step) in page.entries {
            let is_lesson =
                |status: &StepStatus| matches!(status, StepStatus::Completed | StepStatus::Skipped);
            let Some(step) = step.filter(|step| is_lesson(&step.status)) else {
                continue;
            };
            let record = StepRecord::unseen(id, c.labels.target());
            let record = record.after_response(step, c.labels.region(), c.now.time);
            settled.put(StepRecord {
                phase: Phase::Settled,
                ..record
            });
        }
        let settled = settled.snapshot();
        c.changes.history.extend(settled.iter().cloned());
        let pause = reading.pager.read(count, page.next);
        if pause.is_none() {
            reading.executions.pop();
        }
        self.page_read(reading, pause, c);
    }

    fn page_read(&mut self, reading: Reading, pause: Option<Duration>, c: &Context) {
        self.failures = 0;
        if let Some(pause) = pause {
            self.not_before(c.now.instant + pause);
        }
        match reading.call() {
            Some(_) => self.waiting.push_front(reading),
            None => self.read += 1,
        }
    }

    /// A call failed. What the service has forgotten is no failure.
    pub(super) fn failed(&mut self, call: &Call, error: &ApiError, c: &mut Context) {
        let Some(mut reading) = self.end(call) else {
            return;
        };
        let kind = error.about_operation();
        let is_half_read = reading.pager.is_half_read();
        reading.restart();
        if kind == ErrorKind::Client && !is_half_read && !error.endless {
            reading.is_listed = true;
            reading.executions.pop();
            return self.page_read(reading, None, c);
        }
        if kind == ErrorKind::Forbidden {
            self.not_before(c.now.instant + HOUR);
            return self.waiting.push_back(reading);
        }
        self.failures += 1;
        let interval = c.pace.interval;
        let longest = longest_backoff(interval);
        let wait = { &mut c.jitter }.after_failure(kind, interval, self.failures, longest);
        self.not_before(c.now.instant + wait);
        // These fail for every build.
        let is_of_build = !matches!(
            kind,
            ErrorKind::Throttled | ErrorKind::Credentials | ErrorKind::Network
        );
        reading.failures += u32::from(is_of_build);
        match reading.failures >= ATTEMPTS || error.endless {
            true => self.failed += 1,
            false => self.waiting.push_back(reading),
        }
    }

    /// How far the builds were read; `None` where none are to be.
    pub(super) fn progress(&self) -> Option<HistoryProgress> {
        let settings = self.settings.as_ref()?;
        (settings.builds() > 0).then(|| HistoryProgress {
            pending: (self.waiting.len() + usize::from(self.in_flight.is_some())) as u64,
            read: self.read,
            failed: self.failed,
        })
    }
}
