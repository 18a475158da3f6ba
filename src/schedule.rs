//! Polls the steps of one target and region, and keeps its store true.
//!
//! Owns the loop: it waits for what `plan` says is due and for a token of the `limiter`, makes
//! the call, and hands the outcome on. It decides nothing that a plain function can decide. Fed by
//! `config` and `api`; feeds `store`.

mod budget;
mod call;
mod health;
mod limiter;
mod news;
mod page_size;
mod plan;
mod report;

use std::collections::{BTreeMap, HashMap};
use std::future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use budget::Budgets;
use call::{Answered, Outcome, Request};
pub use health::Health;
pub use limiter::RateLimiter;
use page_size::PageSize;
use plan::{Call, DueCall, Plan, SeenBy};
use report::{Counters, Reporter};

use crate::api::{ApiError, ErrorKind, ImageBuilder, Page, Parsed, StepPage};
use crate::clock::{Clock, Now};
use crate::config::{Polling, Target};
use crate::finished::Finished;
use crate::labels::LabelText;
use crate::model::{StepExecution, StepExecutionId, WorkflowExecution, WorkflowExecutionId};
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::store::{Phase, StepRecord, Store};

/// What a poller is told by the configuration; a reload tells it anew.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub target: Target,
    pub region: String,
    pub polling: Polling,
    pub budgets: Arc<Budgets>,
}

/// What a poller works with, for as long as it lives.
#[derive(Clone, Debug)]
pub struct Tools {
    pub api: Arc<dyn ImageBuilder>,
    pub limiter: Arc<RateLimiter>,
    pub clock: Clock,
    pub metrics: Arc<PollerMetrics>,
    pub process: Arc<ProcessMetrics>,
    pub finished: Arc<Finished>,
    pub seed: u64,
}

/// What others may look at while the poller runs.
#[derive(Clone, Debug)]
pub struct Shown {
    pub store: Arc<Store>,
    pub health: Arc<Mutex<Health>>,
}

/// Polls the steps of one target and region.
#[derive(Debug)]
pub struct Poller {
    assignment: Assignment,
    tools: Tools,
    shown: Shown,
    plan: Plan,
    in_flight: JoinSet<Outcome>,
    /// When the token taken for the next call may be used, and since when it is waited for.
    token: Option<Token>,
    reporter: Reporter,
    page_size: PageSize,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    asked: Instant,
    ready: Instant,
}

impl Poller {
    pub fn new(assignment: Assignment, tools: Tools) -> Self {
        let mut poller = Self {
            plan: Plan::new(tools.seed),
            shown: Shown {
                store: Arc::default(),
                health: Arc::default(),
            },
            in_flight: JoinSet::new(),
            token: None,
            reporter: Reporter::new(&assignment.target.name, &assignment.region),
            page_size: PageSize::default(),
            assignment,
            tools,
        };
        poller.apply();
        poller
    }

    /// Goes on with another assignment of the same target and region. What is known of a step that
    /// both name stays; calls in flight go on.
    pub fn reassign(&mut self, assignment: Assignment, tools: Tools) {
        // When a token may be used was reckoned by the limit there was: the new one says anew.
        let now = tools.clock.now().instant;
        if let Some(token) = self.token.take_if(|token| token.ready > now) {
            self.tools.limiter.give_back();
            self.tools.metrics.rate_limit_wait(now - token.asked);
        }
        self.assignment = assignment;
        self.tools = tools;
        self.apply();
    }

    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// Polls until `stop` turns true or its sender is gone. `attempted` turns true when the first
    /// attempt for every step has ended, well or not.
    pub async fn run(
        mut self,
        mut stop: watch::Receiver<bool>,
        attempted: watch::Sender<bool>,
    ) -> Self {
        loop {
            if self.plan.all_attempted() {
                attempted.send_if_modified(|attempted| !std::mem::replace(attempted, true));
            }
            let wake = self.start_due_calls();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return self,
                Some(outcome) = self.in_flight.join_next() => match outcome {
                    Ok(outcome) => self.settle_accounts(outcome),
                    Err(failure) => std::panic::resume_unwind(failure.into_panic()),
                },
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Puts the assignment into force.
    fn apply(&mut self) {
        let now = self.tools.clock.now();
        let target = &self.assignment.target;
        let known: HashMap<StepExecutionId, StepRecord> = self
            .shown
            .store
            .steps
            .snapshot()
            .iter()
            .map(|record| (record.id, record.clone()))
            .collect();
        let target_labels = own_labels(target, None);
        let records = target.step_executions.iter().map(|listed| {
            let own_labels = if listed.labels.is_empty() {
                target_labels.clone()
            } else {
                own_labels(target, Some(&listed.labels))
            };
            match known.get(&listed.id) {
                Some(record) => {
                    let mut record = StepRecord {
                        own_labels,
                        ..record.clone()
                    };
                    if let Some(observed) = &mut record.observed {
                        observed.budget_millis = self.assignment.budgets.millis(observed);
                    }
                    record
                }
                None => StepRecord::unseen(listed.id, own_labels),
            }
        });
        let store = Store::default();
        records.for_each(|record| store.steps.put(record));
        self.shown.store = Arc::new(store);
        let rate = target.rate_limit.requests_per_second;
        let spread = Duration::from_secs_f64(target.step_executions.len() as f64 / rate);
        let steps = target
            .step_executions
            .iter()
            .map(|listed| (listed.id, listed.interval));
        self.plan.follow(steps, spread, now);
    }

    /// Starts what is due as far as tokens and places allow. Returns when to try again, if not
    /// earlier for an answer.
    fn start_due_calls(&mut self) -> Option<Instant> {
        loop {
            if self.in_flight.len() >= self.assignment.polling.max_concurrent_requests.get() {
                return None;
            }
            let now = self.tools.clock.now().instant;
            let due = self.plan.next_due()?;
            if due > now {
                return Some(due);
            }
            let limiter = &self.tools.limiter;
            let token = *self.token.get_or_insert_with(|| Token {
                asked: now,
                ready: limiter.reserve(now),
            });
            if token.ready > now {
                return Some(token.ready);
            }
            if let Some(call) = self.plan.take_due(now) {
                self.token = None;
                self.tools.metrics.rate_limit_wait(now - token.asked);
                self.start(call, now);
            }
        }
    }

    fn start(&mut self, DueCall { call, due }: DueCall, asked: Instant) {
        self.tools.metrics.poll_lag(asked - due);
        let api = self.tools.api.clone();
        let clock = self.tools.clock;
        let timeout = self.assignment.polling.request_timeout;
        let request = match call {
            Call::Step(id) => Request::Step(id),
            Call::Steps(id) => Request::Steps(
                id,
                Page {
                    size: self.page_size.get(),
                    token: self.plan.page_token(&id),
                },
            ),
            Call::Workflow(id) => Request::Workflow(id),
        };
        self.in_flight
            .spawn(Outcome::of(request, api, timeout, asked, clock));
    }

    /// Counts a call, learns from it and shows what it told.
    fn settle_accounts(&mut self, outcome: Outcome) {
        let counters = Counters {
            metrics: self.tools.metrics.clone(),
            process: self.tools.process.clone(),
            limiter: self.tools.limiter.clone(),
            health: self.shown.health.clone(),
        };
        let interval = self.assignment.polling.interval;
        self.reporter.called(&outcome, &counters, interval);
        self.plan.ended(outcome.call());
        let Outcome {
            asked,
            answered,
            answer,
        } = outcome;
        match answer {
            Answered::Step(id, result) => self.step_polled(id, result, asked, answered),
            Answered::Steps(id, page, result) => {
                self.steps_listed(id, &page, result, asked, answered);
            }
            Answered::Workflow(id, result) => self.workflow_polled(id, result, asked, answered),
        }
    }

    fn step_polled(
        &mut self,
        id: StepExecutionId,
        result: Result<Box<Parsed<StepExecution>>, ApiError>,
        asked: Instant,
        now: Now,
    ) {
        let error = match result {
            Ok(parsed) => return self.step_seen(id, parsed.value, SeenBy::Get, asked, now),
            Err(error) => error,
        };
        // A reload may have taken the step away while the call was under way.
        let Some(before) = self.shown.store.steps.get(&id) else {
            return;
        };
        let phase = self.plan.step_failed(id, error.kind, now.instant);
        if phase == Some(Phase::Gone) && before.phase != Phase::Gone {
            self.reporter.step_gone(&id, &error);
        } else if error.kind == ErrorKind::Client && self.plan.first_failure(&id) {
            self.reporter.step_unknown(&id, &error);
        }
        self.shown.store.steps.put(StepRecord {
            phase: phase.unwrap_or(before.phase),
            ..before.unanswered()
        });
    }

    fn step_seen(
        &mut self,
        id: StepExecutionId,
        answer: StepExecution,
        by: SeenBy,
        asked: Instant,
        now: Now,
    ) {
        let Some(before) = self.shown.store.steps.get(&id) else {
            return;
        };
        let mut record = before.answered(answer, &self.assignment.region, now.time);
        record.full |= by == SeenBy::Get;
        if let Some(observed) = &mut record.observed {
            observed.budget_millis = self.assignment.budgets.millis(observed);
            let phase = self.plan.step_answered(id, observed, by, asked, now);
            record.phase = phase.unwrap_or(record.phase);
        }
        let target = &self.assignment.target;
        news::tell(&target.name, &self.assignment.region, &before, &record, now);
        let labels = own_labels(target, None);
        let finished = &self.tools.finished;
        finished.see(&target.name, &labels, Some(&before), &record, now.time);
        self.shown.store.steps.put(record);
    }

    /// The step keeps what is known of it; a poll that was to refresh it failed.
    fn step_missed(&self, id: &StepExecutionId) {
        if let Some(before) = self.shown.store.steps.get(id) {
            self.shown.store.steps.put(before.unanswered());
        }
    }

    fn steps_listed(
        &mut self,
        workflow: WorkflowExecutionId,
        page: &Page,
        result: Result<Parsed<StepPage>, ApiError>,
        asked: Instant,
        now: Now,
    ) {
        let kind = result.as_ref().err().map(|error| error.kind);
        if self.page_size.refused(page, kind) {
            return self.plan.page_too_large(workflow, now.instant);
        }
        let StepPage {
            entries: steps,
            next,
        } = match result {
            Ok(parsed) => parsed.value,
            Err(error) => {
                let failure = self
                    .plan
                    .list_failed(workflow, error.about_operation(), now.instant);
                failure.steps.iter().for_each(|id| self.step_missed(id));
                if failure.denied {
                    self.reporter.lists_forbidden(&error);
                }
                return;
            }
        };
        let mut told = Vec::new();
        for (id, answer) in steps {
            told.push(id);
            if !self.plan.refreshes(workflow, &id) {
                continue;
            }
            match answer {
                Some(answer) => self.step_seen(id, answer, SeenBy::List, asked, now),
                None => {
                    self.plan.step_untold(id, now.instant);
                    self.step_missed(&id);
                }
            }
        }
        self.plan.page_read(workflow, told, next, now.instant);
    }

    fn workflow_polled(
        &mut self,
        id: WorkflowExecutionId,
        result: Result<Parsed<WorkflowExecution>, ApiError>,
        asked: Instant,
        now: Now,
    ) {
        match result {
            Ok(parsed) => {
                self.plan.workflow_answered(id, &parsed.value, asked, now);
            }
            Err(error) => {
                let kind = error.about_operation();
                let became = self.plan.workflow_failed(id, kind, now.instant);
                if became && error.kind == ErrorKind::Forbidden {
                    self.reporter.workflows_forbidden(&error);
                }
            }
        }
    }
}

/// The labels of a target's series, with a listed step's on top.
pub fn own_labels(target: &Target, step: Option<&BTreeMap<String, String>>) -> LabelText {
    let mut labels = target.labels.clone();
    if let Some(step) = step {
        labels.extend(step.clone());
    }
    let pairs = labels.iter();
    LabelText::new(pairs.map(|(name, value)| (name.as_str(), value.as_str())))
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => future::pending().await,
    }
}

/// A poisoned lock guards plain values, which are whole at any time.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
