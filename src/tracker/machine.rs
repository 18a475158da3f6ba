//! The state of one target and region, and what crosses from one kind of resource to another.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::assignment::Assignment;
use super::changes::Changes;
use super::context::{Context, ImageSignal};
use super::discovery::Discovery;
use super::failure_review::FailureReview;
use super::failures::Failures;
use super::history::BaselineHistory;
use super::image::{ImageState, Tracking};
use super::ownership::{Ownership, Resource};
use super::pace::{Jitter, Pace};
use super::page_size::PageSize;
use super::pipelines::{ImageNames, Pipelines};
use super::queue::Queue;
use super::recovery::Recovery;
use super::retention::{Expiring, Retention};
use super::workflows::Workflows;
use crate::api::{Call, Operation};
use crate::clock::Now;
use crate::model::{ImageArn, Timestamp};
use crate::snapshot::{ImageName, Snapshot};

/// See the module.
#[derive(Debug)]
pub struct Tracker {
    pub(super) c: Context,
    pub(super) workflows: Workflows,
    pub(super) discovery: Discovery,
    pub(super) pipelines: Pipelines,
    pub(super) names: ImageNames,
    pub(super) page_size: PageSize,
    pub(super) history: BaselineHistory,
    /// Resources that the configuration names and the service does not know, and since when.
    pub(super) unknown: Arc<BTreeMap<String, Timestamp>>,
}

impl Tracker {
    /// Returns a tracker that knows nothing yet. `seed` makes its jitter.
    pub fn new(
        assignment: impl Into<Arc<Assignment>>,
        seed: u64,
        owners: &dyn Ownership,
        now: Now,
    ) -> Self {
        let assignment = assignment.into();
        let c = Context {
            labels: assignment.labels(),
            pace: assignment.pace(),
            assignment,
            queue: Queue::default(),
            jitter: Jitter::new(seed),
            retention: Retention::default(),
            failures: Failures::default(),
            recovery: Recovery::default(),
            changes: Changes::default(),
            signals: Vec::new(),
            since: now.instant,
            now,
        };
        let mut tracker = Self {
            c,
            workflows: Workflows::default(),
            discovery: Discovery::default(),
            pipelines: Pipelines::default(),
            names: ImageNames::default(),
            page_size: PageSize::default(),
            history: BaselineHistory::default(),
            unknown: Arc::default(),
        };
        tracker.apply_assignment(owners);
        tracker
    }

    pub fn assignment(&self) -> &Arc<Assignment> {
        &self.c.assignment
    }

    /// Continues with another assignment of the same target and region. What both select keeps its
    /// state, everything else is dropped. Calls in flight go on. `owners` know nothing yet of the
    /// configuration before.
    pub fn configure(
        &mut self,
        assignment: Assignment,
        owners: &dyn Ownership,
        now: Now,
    ) -> Changes {
        self.c.now = now;
        let before = std::mem::replace(&mut self.c.assignment, Arc::new(assignment));
        self.apply_assignment(owners);
        if before.listed.has_more_than(&self.c.assignment.listed) {
            self.workflows.polling(&mut self.c).list_left();
            self.workflows.images.list_left(&mut self.c);
        }
        std::mem::take(&mut self.c.changes)
    }

    fn apply_assignment(&mut self, owners: &dyn Ownership) {
        let assignment = self.c.assignment.clone();
        self.c.labels = self.c.assignment.labels();
        self.workflows.list_steps(&assignment, &mut self.c);
        self.workflows
            .name_executions(&assignment.target.workflow_executions, &mut self.c);
        self.workflows.images.name(&mut self.c);
        self.forget_unnamed();
        self.select();
        for arn in self.workflows.images.arns(|image| !image.named) {
            if self.c.assignment.listed.has_image(&arn) {
                self.drop_image(&arn);
            }
        }
        self.workflows.give_up(&mut self.c);
        self.workflows.untrack_unowned(&mut self.c);
        self.workflows.relabel(&assignment.target, &self.c);
        self.keep_selected();
        self.names.expose_all(owners, &mut self.c);
        self.pipelines.expose_all(owners, &mut self.c);
        for arn in self.workflows.images.arns(|image| image.held) {
            self.claim_image(&arn, owners);
        }
        self.handle_signals();
        self.failures().review_all();
        let pass = self.discovery.next_pass();
        if self.history.configure(&self.c.assignment.baselines, pass) {
            // They fed the baselines by the settings of their time, or not at all.
            self.c
                .changes
                .history
                .extend(self.workflows.typical_steps());
        }
        self.choose_history();
    }

    /// Selects what the configuration selects, at its pace, beside what it names.
    fn select(&mut self) {
        let pace = self.c.assignment.pace();
        let before = std::mem::replace(&mut self.c.pace, pace);
        let (workflows, c) = (&mut self.workflows, &mut self.c);
        if pace.interval != before.interval {
            workflows.polling(c).change_interval(before.interval);
        }
        let kept = |pace: Pace| (pace.retention, pace.retention_failed);
        if kept(pace) != kept(before) {
            workflows.settle_again(c);
            workflows.images.settle_again(&workflows.executions, c);
        }
        self.discovery.select(c);
        let executions = &workflows.executions;
        let selection = &self.discovery.selection;
        for arn in workflows.images.deselected(selection, executions) {
            self.drop_image(&arn);
        }
    }

    /// Drops the pipelines and the names of images that are no longer selected.
    fn keep_selected(&mut self) {
        let tracked = self.workflows.images.tracked_names();
        self.discovery.retain_tracked(&tracked);
        let selection = &self.discovery.selection;
        self.pipelines
            .retain(|_, listed| selection.chooses_pipeline(&listed.pipeline));
        self.names.retain(|key, _| {
            selection.asks_for_images()
                && (selection.names_image(&key.name)
                    || self.pipelines.build(key)
                    || tracked.contains(key))
        });
    }

    /// Forgets the unknown resources that the configuration no longer names.
    fn forget_unnamed(&mut self) {
        let assignment = &self.c.assignment;
        if !self.unknown.is_empty() {
            Arc::make_mut(&mut self.unknown).retain(|id, _| assignment.names(id));
        }
    }

    /// When the earliest call is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.c.queue.first_due()
    }

    /// When the next call for the baselines is due. It waits for all other calls, so nothing is
    /// overdue because of it.
    pub fn next_history_due(&self, now: Now) -> Option<Instant> {
        self.history.next_due(&self.c, now.instant)
    }

    /// Reads the earlier builds of each image name that this target owns, once. Names whose builds
    /// run now come first.
    pub(super) fn choose_history(&mut self) {
        let Self {
            history,
            names,
            discovery,
            workflows,
            ..
        } = self;
        let is_exposed = |name: &ImageName| names.exposed.get(name).is_some();
        history.retain(is_exposed);
        if !discovery.has_read(history.pass()) {
            return;
        }
        let images = workflows.images.iter();
        let moving = images.filter(|(_, image)| image.is_tracked() && image.moves());
        let moving: BTreeSet<_> = moving.map(|(arn, _)| ImageName::of(arn)).collect();
        let names = names.exposed.records().iter().map(|record| &record.key);
        let new = names.filter(|name| !history.contains(name));
        let (first, then): (Vec<_>, Vec<_>) = new.partition(|name| moving.contains(name));
        for name in first.into_iter().chain(then) {
            history.choose(name.clone(), discovery.history_of(name));
        }
    }

    /// When the next resource expires.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.c.retention.next()
    }

    /// Evicts what has expired.
    pub fn handle_timeout(&mut self, now: Now) -> Changes {
        self.c.now = now;
        self.evict();
        std::mem::take(&mut self.c.changes)
    }

    pub(super) fn evict(&mut self) {
        while let Some(what) = self.c.retention.pop(self.c.now.instant) {
            match what {
                Expiring::Execution(id) => self.workflows.untrack_execution(id, &mut self.c),
                Expiring::Image(arn) => self.workflows.images.evict(&arn, &mut self.c),
                Expiring::Failure(id) => self.failures().review_step(id),
            }
            self.handle_signals();
        }
    }

    pub(super) fn failures(&mut self) -> FailureReview<'_> {
        FailureReview {
            workflows: &mut self.workflows,
            discovery: &self.discovery,
            c: &mut self.c,
        }
    }

    /// Reviews the failures that the response to this call may have changed.
    pub(super) fn review_failures(&mut self, call: &Call) {
        if !self.c.failures.complete && self.all_attempted() {
            self.failures().complete();
        }
        self.failures().after(call);
    }

    /// Applies what happened to executions to their images.
    pub(super) fn handle_signals(&mut self) {
        let Workflows {
            images, executions, ..
        } = &mut self.workflows;
        for signal in std::mem::take(&mut self.c.signals) {
            match signal {
                ImageSignal::List(image, due, urgency) => {
                    images.list_executions(&image, due, urgency, &mut self.c);
                }
                ImageSignal::Settled(image) => images.settle(&image, executions, &mut self.c),
            }
        }
    }

    /// Whether the first attempt for everything that is named has ended, well or not, and for what
    /// the first lists returned.
    pub fn all_attempted(&self) -> bool {
        let Workflows {
            steps,
            executions,
            images,
        } = &self.workflows;
        let get_denied = self.c.queue.was_denied(Operation::GetImage);
        let list_denied = self.c.queue.was_denied(Operation::ListWorkflowExecutions);
        steps.all_attempted()
            && self.discovery.attempted()
            && images
                .iter()
                .all(|(_, image)| image.attempted(get_denied, list_denied))
            && { executions.table().rows() }
                .all(|(_, one)| one.all_steps.as_ref().is_none_or(|all| all.attempted))
    }

    /// Returns the names of the images with builds or a selected pipeline in the account, or nothing
    /// before the first complete lists.
    pub fn listed_image_names(&self) -> Option<impl Iterator<Item = &ImageName>> {
        self.discovery.names()
    }

    /// Returns the names of the images that are tracked or exposed, or have tracked steps; `None` for an
    /// unknown one.
    pub fn used_image_names(&self) -> HashSet<Option<ImageName>> {
        let Workflows { images, steps, .. } = &self.workflows;
        let tracked = images.iter().filter(|(_, image)| image.is_tracked());
        let exposed = { self.names.exposed.records().iter() }.map(|record| record.key.clone());
        let known = { tracked.map(|(arn, _)| ImageName::of(arn)) }.chain(exposed);
        { known.map(Some) }.chain(steps.image_names()).collect()
    }

    /// Returns everything that is known now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            steps: self.workflows.steps.table().snapshot(),
            workflows: self.workflows.executions.table().records().clone(),
            images: self.workflows.images.exposed.records().clone(),
            pipelines: self.pipelines.exposed.records().clone(),
            image_names: self.names.exposed.records().clone(),
            selectors: self.discovery.selectors.records().clone(),
            discovered: self.discovery.succeeded,
            discovery_began: self.discovery.began,
            unknown: self.unknown.clone(),
            denied_until: self.c.queue.denied_until().collect(),
            next_due: self.next_due(),
            history: self.history.progress(),
        }
    }

    /// Tracks an image that is selected, unless another target owns it.
    pub(super) fn claim_image(&mut self, arn: &ImageArn, owners: &dyn Ownership) {
        let resource = Resource::Image(arn.clone());
        if owners.claim(&resource) {
            self.track_image(arn);
        } else if self.stop_image(arn, Tracking::Foreign) {
            self.c.changes.released.push(resource);
        }
    }

    fn track_image(&mut self, arn: &ImageArn) {
        let (workflows, c) = (&mut self.workflows, &mut self.c);
        let image = workflows.images.get(arn);
        if image.is_none_or(ImageState::is_evicted) {
            return;
        }
        if workflows.images.track(arn, c) {
            // One that fails or succeeds after all keeps its executions longer or shorter.
            for id in workflows.executions.of_image(arn).to_vec() {
                workflows.settle(id, c);
            }
        }
        workflows.images.settle(arn, &workflows.executions, c);
        workflows.images.expose(arn, c);
    }

    /// The image is not this target's or not selected. Returns whether it was owned.
    pub(super) fn stop_image(&mut self, arn: &ImageArn, tracking: Tracking) -> bool {
        let held = self.workflows.images.stop(arn, tracking, &mut self.c);
        self.untrack_executions(arn);
        held
    }

    /// Neither tracks nor remembers the image and its executions.
    fn drop_image(&mut self, arn: &ImageArn) {
        self.untrack_executions(arn);
        self.workflows.images.remove(arn, &mut self.c);
    }

    fn untrack_executions(&mut self, image: &ImageArn) {
        for id in self.workflows.executions.of_image(image).to_vec() {
            self.workflows.untrack_with_image(id, &mut self.c);
        }
    }

    /// Owners have changed: gives up what another target claims and takes what is given up.
    pub fn review_ownership(&mut self, owners: &dyn Ownership, now: Now) -> Changes {
        self.c.now = now;
        for arn in self.workflows.images.arns(|image| image.held) {
            let resource = Resource::Image(arn.clone());
            if !owners.keeps(&resource) && self.stop_image(&arn, Tracking::Foreign) {
                self.c.changes.released.push(resource);
            }
        }
        let foreign = |image: &ImageState| image.tracking == Tracking::Foreign;
        for arn in self.workflows.images.arns(foreign) {
            self.claim_image(&arn, owners);
        }
        self.pipelines.expose_all(owners, &mut self.c);
        self.names.expose_all(owners, &mut self.c);
        self.choose_history();
        self.handle_signals();
        std::mem::take(&mut self.c.changes)
    }
}
