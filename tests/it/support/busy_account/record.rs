//! Records how an account is polled, and how overdue the calls are.

use std::collections::HashMap;
use std::sync::Arc;

use imagebuilder_exporter::api::Operation;
use imagebuilder_exporter::model::{StepExecutionId, WorkflowExecutionId};

use super::build::{Build, Standing, Workflow};

/// The configured interval between two polls of a running execution, in milliseconds.
pub const INTERVAL: i64 = 30_000;
/// The configured interval between two discovery passes, in milliseconds.
pub const DISCOVERY_INTERVAL: i64 = 120_000;
/// How long after its timeout a step is polled, in milliseconds.
const AFTER_TIMEOUT: i64 = 1_000;

/// The last answered poll of an execution.
#[derive(Clone, Copy, Debug)]
struct Poll {
    asked: i64,
    standing: Standing,
    /// A poll since then was throttled, which moved the next one.
    retried: bool,
}

/// The calls since some moment. Times are milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub since: i64,
    pub calls: [usize; Operation::ALL.len()],
    /// Lists of the steps of executions that ended before the account began. They are for the
    /// baselines, and no polls.
    pub history: usize,
    /// Steps of running executions in all answered Lists.
    pub refreshed: usize,
    /// Poll lag of the first poll after a timeout, of executions that run and that wait, and of
    /// discovery passes. Polls that a throttled one has moved are left out, except those after a timeout,
    /// which are by themselves.
    pub near_timeout: Vec<i64>,
    pub retried_near_timeout: Vec<i64>,
    pub running: Vec<i64>,
    pub pending: Vec<i64>,
    pub discovery: Vec<i64>,
    /// From one answered poll of a running execution to the next.
    pub gaps: Vec<i64>,
    /// From the start of a build to the first poll of its steps.
    pub found: Vec<i64>,
    /// The most answered Gets of one step.
    pub most_gets: usize,
    polls: HashMap<WorkflowExecutionId, Poll>,
    gets: HashMap<StepExecutionId, usize>,
    /// When the last discovery pass over the images ended.
    pass_ended: Option<i64>,
}

impl Record {
    pub fn of(&self, operation: Operation) -> usize {
        self.calls[operation as usize]
    }

    pub fn all(&self) -> usize {
        self.calls.iter().sum()
    }

    /// Adds the record of another account.
    pub fn add(&mut self, other: Self) {
        for (calls, more) in self.calls.iter_mut().zip(other.calls) {
            *calls += more;
        }
        self.history += other.history;
        self.refreshed += other.refreshed;
        self.near_timeout.extend(other.near_timeout);
        self.retried_near_timeout.extend(other.retried_near_timeout);
        self.running.extend(other.running);
        self.pending.extend(other.pending);
        self.discovery.extend(other.discovery);
        self.gaps.extend(other.gaps);
        self.found.extend(other.found);
        self.most_gets = self.most_gets.max(other.most_gets);
    }

    /// Starts a new record at `now`, which remembers the last polls.
    pub fn restart(&mut self, now: i64) {
        *self = Self {
            since: now,
            polls: std::mem::take(&mut self.polls),
            gets: std::mem::take(&mut self.gets),
            pass_ended: self.pass_ended,
            ..Self::default()
        };
    }

    /// Adds what only shows at the end: the most Gets of a step, and for the build that runs the gap that
    /// is still open.
    pub fn complete(&mut self, running: &[Arc<Build>], now: i64) {
        for build in running {
            let first = build.workflows.first().expect("a build has a workflow");
            if build.begins < now
                && let Some(poll) = self.polls.get(&first.id)
                && poll.standing == Standing::Running
                && build.standing(first, now) == Standing::Running
            {
                self.gaps.push(now - poll.asked);
            }
        }
        self.most_gets = self.gets.values().copied().max().unwrap_or_default();
    }

    /// Takes in an answered Get of a step.
    pub fn got(&mut self, id: StepExecutionId) {
        *self.gets.entry(id).or_default() += 1;
    }

    /// Takes in a page of the account's images.
    pub fn listed_images(&mut self, now: i64, is_first: bool, is_last: bool) {
        if is_first && let Some(ended) = self.pass_ended.take() {
            let late = now - ended - DISCOVERY_INTERVAL;
            self.discovery.push(late.max(0));
        }
        if is_last {
            self.pass_ended = Some(now);
        }
    }

    /// Takes in a List of the steps of an execution, which was answered or throttled.
    pub fn listed_steps(&mut self, build: &Build, workflow: &Workflow, now: i64, answered: bool) {
        let last = build
            .steps_of(workflow)
            .last()
            .expect("a workflow has a step");
        if last.ends < 0 {
            self.history += 1;
        }
        if !answered {
            if let Some(before) = self.polls.get_mut(&workflow.id) {
                before.retried = true;
            }
            return;
        }
        let standing = build.standing(workflow, now);
        let poll = Poll {
            asked: now,
            standing,
            retried: false,
        };
        let Some(before) = self.polls.insert(workflow.id, poll) else {
            if build.begins > self.since && standing == Standing::Running {
                self.found.push(now - build.begins);
            }
            return;
        };
        if before.standing == Standing::Running && standing == Standing::Running {
            self.gaps.push(now - before.asked);
            self.refreshed += workflow.steps.len();
        }
        self.add_lag(build, workflow, now, before);
        if standing == Standing::Idle && workflow.steps.start == 0 {
            // It is settled, or nearly.
            self.polls.remove(&workflow.id);
        }
    }

    fn add_lag(&mut self, build: &Build, workflow: &Workflow, now: i64, before: Poll) {
        let mut hurried = build.steps_of(workflow).iter().filter(|step| {
            let from = step.ends - INTERVAL;
            step.times_out && from <= now && before.asked <= step.ends
        });
        if let Some(step) = hurried.next() {
            if now >= step.ends {
                let late = (now - step.ends - AFTER_TIMEOUT).max(0);
                match before.retried {
                    false => self.near_timeout.push(late),
                    true => self.retried_near_timeout.push(late),
                }
            }
        } else if !before.retried {
            let late = (now - before.asked - INTERVAL).max(0);
            match before.standing {
                Standing::Running => self.running.push(late),
                Standing::Pending => self.pending.push(late),
                Standing::Idle => {}
            }
        }
    }
}
