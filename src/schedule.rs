//! Discovers and polls what one target follows in one region, and keeps its store true.
//!
//! Owns the loop: it waits for what `plan` says is due and for a token of the `limiter`, makes
//! the `call`, and hands the outcome on. It decides nothing that a plain function can decide. Fed by
//! `config` and `api`; feeds `store` and `finished`.
//!
//! `steps` and `discovery` take in what answers tell, `catalog` shows what was discovered. What a target
//! follows is told by `selection`; what of that is another target's, by `listed` and `claims`.

mod budget;
mod call;
mod catalog;
mod claims;
mod discovery;
mod health;
mod limiter;
mod listed;
mod needs;
mod news;
mod page_size;
mod plan;
mod report;
mod selection;
mod steps;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use budget::Budgets;
use call::{Answered, Outcome, Request};
use catalog::Catalog;
pub use claims::Claims;
pub use health::{Denial, Fault, Health};
pub use limiter::RateLimiter;
pub use listed::Listed;
pub use needs::{needed_operations, without};
use page_size::PageSize;
pub use page_size::{LARGE as LARGE_PAGE, SMALL as SMALL_PAGE};
use plan::{Call, DueCall, Elsewhere, Lists, Pace, Plan};
use report::{Counters, Reporter};
pub use selection::Selection;

use crate::api::{ImageBuilder, Page};
use crate::clock::Clock;
use crate::config::{Config, Metrics, Polling, Target};
use crate::finished::Finished;
use crate::labels::LabelText;
use crate::model::{ImageArn, StepExecutionId, Timestamp, WorkflowExecutionId};
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::store::{StepRecord, Store, WorkflowRecord};

/// What a poller is told by the configuration; a reload tells it anew.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub target: Target,
    /// The target's place in the file.
    pub rank: usize,
    pub region: String,
    pub polling: Polling,
    pub metrics: Metrics,
    pub budgets: Arc<Budgets>,
    /// What is named one by one, for whatever target.
    pub listed: Arc<Listed>,
}

impl Assignment {
    /// One for each target and region of a configuration, in its order.
    pub fn all(config: &Config) -> Vec<Self> {
        let budgets = Arc::new(Budgets::new(&config.duration_budgets));
        let listed = Arc::new(Listed::of(config));
        let targets = config.targets.iter().enumerate();
        let assignments = targets.flat_map(|(rank, target)| {
            let (budgets, listed) = (&budgets, &listed);
            target.regions.iter().map(move |region| Self {
                target: target.clone(),
                rank,
                region: region.clone(),
                polling: config.polling.clone(),
                metrics: config.metrics.clone(),
                budgets: budgets.clone(),
                listed: listed.clone(),
            })
        });
        assignments.collect()
    }

    fn selection(&self) -> Selection {
        Selection::new(&self.target, &self.region)
    }

    fn pace(&self) -> Pace {
        Pace {
            interval: self.polling.interval,
            discovery_interval: self.polling.discovery_interval,
            retention: self.metrics.retention,
            retention_failed: self.metrics.retention_failed,
        }
    }

    /// The images of this region that the target names.
    fn named_images(&self) -> Vec<ImageArn> {
        let named = self.target.image_build_versions.iter();
        named
            .filter(|arn| arn.region() == self.region)
            .cloned()
            .collect()
    }

    /// The workflow executions and images that the target names.
    fn names(&self) -> BTreeSet<String> {
        let workflows = self.target.workflow_executions.iter();
        let images = self.target.image_build_versions.iter();
        workflows
            .map(ToString::to_string)
            .chain(images.map(|arn| arn.as_str().to_owned()))
            .collect()
    }

    fn names_image(&self, arn: &ImageArn) -> bool {
        self.target.image_build_versions.contains(arn)
    }

    /// Whether another target names the image.
    fn leaves_image(&self, arn: &ImageArn) -> bool {
        self.listed.has_image(arn) && !self.names_image(arn)
    }

    /// Whether another target names the workflow execution.
    fn leaves_workflow(&self, id: &WorkflowExecutionId) -> bool {
        self.listed.has_workflow(id) && !self.names_workflow(id)
    }

    fn names_workflow(&self, id: &WorkflowExecutionId) -> bool {
        self.target.workflow_executions.contains(id)
    }
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
    pub claims: Arc<Claims>,
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
    catalog: Catalog,
    /// The target's own labels.
    target_labels: LabelText,
    /// When it began to look.
    since: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    asked: Instant,
    ready: Instant,
}

impl Poller {
    pub fn new(assignment: Assignment, tools: Tools) -> Self {
        let mut poller = Self {
            plan: Plan::new(tools.seed, assignment.pace()),
            shown: Shown {
                store: Arc::default(),
                health: Arc::default(),
            },
            in_flight: JoinSet::new(),
            token: None,
            reporter: Reporter::new(&assignment.target.name, &assignment.region),
            page_size: PageSize::default(),
            catalog: Catalog::default(),
            target_labels: LabelText::default(),
            since: tools.clock.now().time,
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
        let mut claims = self.tools.claims.news();
        let mut all_attempted = false;
        loop {
            let now = self.tools.clock.now();
            if self
                .plan
                .next_leave()
                .is_some_and(|leaves| leaves <= now.time)
            {
                let left = self.plan.leave(now);
                self.remove(left);
            }
            if !all_attempted && self.plan.all_attempted() {
                all_attempted = true;
                attempted.send_replace(true);
            }
            let leave = self.plan.next_leave().map(|leaves| now.instant_at(leaves));
            let wake = self.start_due_calls().into_iter().chain(leave).min();
            lock(&self.shown.health).expect(self.plan.next_due());
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return self,
                Some(outcome) = self.in_flight.join_next() => match outcome {
                    Ok(outcome) => self.settle_accounts(outcome),
                    Err(failure) => std::panic::resume_unwind(failure.into_panic()),
                },
                Ok(()) = claims.changed() => {
                    let now = self.tools.clock.now();
                    self.review_claims(now);
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Puts the assignment into force.
    fn apply(&mut self) {
        let now = self.tools.clock.now();
        let target = self.assignment.target.clone();
        self.target_labels = own_labels(&target, None);
        let rate = target.rate_limit.requests_per_second;
        let spread = Duration::from_secs_f64(target.step_executions.len() as f64 / rate);
        let listed = target.step_executions.iter();
        let steps = listed.clone().map(|listed| (listed.id, listed.interval));
        self.plan.follow(steps, spread, now);
        // What is no longer followed goes with the old store.
        self.plan.name_workflows(&target.workflow_executions, now);
        self.plan.name_images(&self.assignment.named_images(), now);
        lock(&self.shown.health).named(&self.assignment.names());
        let (selection, pace) = (self.assignment.selection(), self.assignment.pace());
        self.plan.select(selection, pace, now);
        let everywhere = self.assignment.listed.clone();
        self.plan.give_up(&*everywhere, now.instant);

        let before = std::mem::take(&mut self.shown.store);
        let steps = before.steps.snapshot();
        let known: HashMap<StepExecutionId, &StepRecord> =
            steps.iter().map(|record| (record.id, record)).collect();
        for listed in listed {
            let own_labels = match listed.labels.is_empty() {
                true => self.target_labels(),
                false => own_labels(&target, Some(&listed.labels)),
            };
            self.shown.store.steps.put(match known.get(&listed.id) {
                Some(record) => self.step_again(record, own_labels),
                None => StepRecord::unseen(listed.id, own_labels),
            });
        }
        for record in steps.iter() {
            if self.plan.follows(&record.id) && self.shown.store.steps.get(&record.id).is_none() {
                let record = self.step_again(record, self.target_labels());
                self.shown.store.steps.put(record);
            }
        }
        for record in before.workflows.snapshot().iter() {
            if self.plan.is_whole(record.id) {
                self.shown.store.workflows.put(WorkflowRecord {
                    own_labels: self.target_labels(),
                    info_labels: self.tags_of_workflow(record.id),
                    ..record.clone()
                });
            }
        }
        self.show_catalog_again(&before, now);
        if let Some(at) = before.snapshot().discovered
            && self.plan.discovers()
        {
            self.shown.store.discovered(at);
        }
    }

    /// A step that was known before, under the labels and budgets that hold now.
    fn step_again(&self, record: &StepRecord, own_labels: LabelText) -> StepRecord {
        let mut record = StepRecord {
            own_labels,
            ..record.clone()
        };
        if let Some(observed) = &mut record.observed {
            observed.budget_millis = self.assignment.budgets.millis(observed);
            let workflow = observed.subject.workflow_execution_id;
            let tags = workflow.map(|id| self.tags_of_workflow(id));
            record.info_labels = tags.unwrap_or_default();
        }
        record
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

    fn start(&mut self, DueCall { call, due, .. }: DueCall, asked: Instant) {
        self.tools.metrics.poll_lag(asked - due);
        let page = |token: Option<String>| Page {
            size: self.page_size.get(),
            token,
        };
        let api = self.tools.api.clone();
        let clock = self.tools.clock;
        let timeout = self.assignment.polling.request_timeout;
        let request = match call {
            Call::Step(id) => Request::Step(id),
            Call::Steps(id) => Request::Steps(id, page(self.plan.page_token(&id))),
            Call::Workflow(id) => Request::Workflow(id),
            Call::Workflows(arn) => {
                let token = self.plan.workflows_token(&arn);
                Request::Workflows(arn, page(token))
            }
            Call::Image(arn) => Request::Image(arn),
            Call::Images => Request::Images(page(self.plan.round_token(Lists::Images))),
            Call::Pipelines => Request::Pipelines(page(self.plan.round_token(Lists::Pipelines))),
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
        self.plan.ended(&outcome.call());
        if outcome.failure().is_none() {
            self.plan.allowed(outcome.operation());
        }
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
            Answered::Workflows(arn, page, result) => {
                self.workflows_listed(&arn, &page, result, asked, answered);
            }
            Answered::Image(arn, result) => self.image_polled(&arn, result, answered),
            Answered::Images(page, result) => self.images_listed(&page, result, answered),
            Answered::Pipelines(page, result) => self.pipelines_listed(&page, result, answered),
        }
        lock(&self.shown.health).leave_alone(self.plan.left_alone());
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
