//! The state of one target and region, and what crosses from one kind of resource to another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::assignment::Assignment;
use super::changes::Changes;
use super::context::{Context, ImageSignal};
use super::discovery::Discovery;
use super::image::Standing;
use super::images::{ImageContext, Images};
use super::labels::{Labels, own_labels};
use super::ownership::{Ownership, Resource};
use super::pace::Pace;
use super::page_size::PageSize;
use super::pipelines::{ImageNames, Pipelines};
use super::queue::Queue;
use super::retention::{Expiring, Retention};
use super::workflows::Workflows;
use crate::api::Operation;
use crate::clock::Now;
use crate::model::{ImageArn, Timestamp};
use crate::snapshot::Snapshot;

/// See the module.
#[derive(Debug)]
pub struct Tracker {
    pub(super) assignment: Assignment,
    pub(super) labels: Labels,
    pub(super) pace: Pace,
    pub(super) workflows: Workflows,
    pub(super) images: Images,
    pub(super) discovery: Discovery,
    pub(super) pipelines: Pipelines,
    pub(super) names: ImageNames,
    pub(super) queue: Queue,
    pub(super) retention: Retention,
    pub(super) page_size: PageSize,
    /// Resources that the configuration names and the service does not know, and since when.
    pub(super) unknown: Arc<BTreeMap<String, Timestamp>>,
    /// When the tracker began.
    pub(super) since: Timestamp,
    pub(super) changes: Changes,
    pub(super) signals: Vec<ImageSignal>,
}

impl Tracker {
    /// A tracker that knows nothing yet. `seed` makes its jitter.
    pub fn new(assignment: Assignment, seed: u64, owners: &dyn Ownership, now: Now) -> Self {
        let mut tracker = Self {
            labels: assignment.labels(),
            pace: assignment.pace(),
            workflows: Workflows::default(),
            images: Images::default(),
            discovery: Discovery::default(),
            pipelines: Pipelines::default(),
            names: ImageNames::default(),
            queue: Queue::new(seed),
            retention: Retention::default(),
            page_size: PageSize::default(),
            unknown: Arc::default(),
            since: now.time,
            changes: Changes::default(),
            signals: Vec::new(),
            assignment,
        };
        tracker.apply_assignment(owners, now);
        tracker
    }

    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// Goes on with another assignment of the same target and region: what both select keeps its
    /// state, everything else is dropped. Calls in flight go on. `owners` know nothing yet of the
    /// configuration before.
    pub fn configure(
        &mut self,
        assignment: Assignment,
        owners: &dyn Ownership,
        now: Now,
    ) -> Changes {
        let before = std::mem::replace(&mut self.assignment, assignment);
        self.apply_assignment(owners, now);
        if before.listed.has_more_than(&self.assignment.listed) {
            self.take_back(now);
        }
        std::mem::take(&mut self.changes)
    }

    fn apply_assignment(&mut self, owners: &dyn Ownership, now: Now) {
        let target = self.assignment.target.clone();
        self.labels = self.assignment.labels();
        let rate = target.rate_limit.requests_per_second;
        let spread = Duration::from_secs_f64(target.step_executions.len() as f64 / rate);
        let listed = target.step_executions.iter();
        let listed = listed.map(|step| {
            let own_labels = own_labels(&target, Some(&step.labels));
            (step.id, step.interval, own_labels)
        });
        let listed: Vec<_> = listed.collect();
        let (workflows, mut context) = self.workflows(now);
        workflows.list_steps(&listed, spread, &mut context);
        workflows.name_executions(&target.workflow_executions, &mut context);
        let named = self.assignment.named_images();
        let (images, _, mut context) = self.images(now);
        images.name(&named, &mut context);
        self.forget_unnamed();
        self.select(now);
        self.give_up_listed_elsewhere(now);
        let (workflows, mut context) = self.workflows(now);
        workflows.untrack_unowned(&mut context);
        workflows.relabel(&listed, &context);
        let tracked = self.images.tracked_names();
        self.discovery.retain_tracked(&tracked);
        let selection = self.discovery.selection();
        self.pipelines.select(selection);
        self.names.retain(|key| {
            selection.asks_for_images()
                && (selection.names_image(&key.1)
                    || self.pipelines.build(key)
                    || tracked.contains(key))
        });
        self.names
            .expose_all(&self.labels, owners, &mut self.changes.released);
        self.pipelines
            .expose_all(&self.labels, owners, &mut self.changes.released);
        for arn in self.images.arns(|image| image.held) {
            self.claim_image(&arn, owners, now);
        }
        self.handle_signals(now);
    }

    /// Selects what the configuration selects, at its pace, beside what it names.
    fn select(&mut self, now: Now) {
        let pace = self.assignment.pace();
        let before = std::mem::replace(&mut self.pace, pace);
        let (workflows, mut context) = self.workflows(now);
        if pace.interval != before.interval {
            let mut polling = workflows.polling(&mut context);
            polling.change_interval(before.interval, now.instant);
        }
        let kept = |pace: Pace| (pace.retention, pace.retention_failed);
        if kept(pace) != kept(before) {
            workflows.settle_again(&mut context);
            let (images, _, mut context) = self.images(now);
            images.settle_again(&mut context);
        }
        let selection = self.assignment.selection();
        self.discovery
            .select(selection, &mut self.queue, now.instant);
        let executions = &self.workflows.executions;
        let dropped = self
            .images
            .deselected(self.discovery.selection(), executions);
        for arn in dropped {
            self.drop_image(&arn, now);
        }
    }

    /// The configuration lists less one by one than before: lists what was left to other targets.
    fn take_back(&mut self, now: Now) {
        let (workflows, mut context) = self.workflows(now);
        workflows.polling(&mut context).list_left(now.instant);
        for arn in self.images.arns(|image| image.left_execution) {
            let (images, _, mut context) = self.images(now);
            images.list_left(&arn, &mut context);
        }
    }

    /// Stops tracking what the configuration lists for another target.
    fn give_up_listed_elsewhere(&mut self, now: Now) {
        let listed = self.assignment.listed.clone();
        for arn in self.images.arns(|image| !image.named) {
            if listed.has_image(&arn) {
                self.drop_image(&arn, now);
            }
        }
        for id in self.workflows.executions.ids(|_, _| true) {
            if let Some(image) = self.workflows.executions.image_of(id)
                && self.assignment.leaves_execution(&id)
            {
                self.images.leave_execution(image);
            }
        }
        let (workflows, mut context) = self.workflows(now);
        workflows.give_up(&listed, &mut context);
    }

    /// Forgets of what the service does not know what the configuration does not name.
    fn forget_unnamed(&mut self) {
        let assignment = &self.assignment;
        if !self.unknown.is_empty() {
            Arc::make_mut(&mut self.unknown).retain(|id, _| assignment.names(id));
        }
    }

    /// When the earliest call is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.first_due()
    }

    /// When [`Self::handle_timeout`] or [`Self::next_call`] has something to do next.
    pub fn next_wakeup(&self, now: Now) -> Option<Instant> {
        let expires = self.retention.next().map(|at| now.instant_at(at));
        self.next_due().into_iter().chain(expires).min()
    }

    /// When the next resource expires.
    pub fn next_expiry(&self, now: Now) -> Option<Instant> {
        self.retention.next().map(|at| now.instant_at(at))
    }

    /// Evicts what has expired.
    pub fn handle_timeout(&mut self, now: Now) -> Changes {
        self.evict(now);
        std::mem::take(&mut self.changes)
    }

    pub(super) fn evict(&mut self, now: Now) {
        while let Some(what) = self.retention.pop(now.time) {
            match what {
                Expiring::Execution(id) => {
                    let (workflows, mut context) = self.workflows(now);
                    workflows.untrack_execution(id, &mut context);
                }
                Expiring::Image(arn) => {
                    let (images, _, mut context) = self.images(now);
                    images.evict(&arn, &mut context);
                }
            }
            self.handle_signals(now);
        }
    }

    /// Tells images what happened to their executions.
    pub(super) fn handle_signals(&mut self, now: Now) {
        for signal in std::mem::take(&mut self.signals) {
            let (images, _, mut context) = self.images(now);
            match signal {
                ImageSignal::List {
                    image,
                    due,
                    urgency,
                } => images.list_executions(&image, due, urgency, &mut context),
                ImageSignal::Settled(image) => images.settle(&image, &mut context),
            }
        }
    }

    /// Whether the first attempt for everything that is named has ended, well or not, and for what
    /// the first lists told of.
    pub fn all_attempted(&self) -> bool {
        let get_denied = self.queue.was_denied(Operation::GetImage);
        let list_denied = self.queue.was_denied(Operation::ListWorkflowExecutions);
        let mut executions = self.workflows.executions.table().rows();
        self.workflows.steps.all_attempted()
            && self.discovery.attempted()
            && self
                .images
                .iter()
                .all(|(_, image)| image.attempted(get_denied, list_denied))
            && executions.all(|(_, one)| one.all_steps.as_ref().is_none_or(|all| all.attempted))
    }

    /// Everything that is known now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            steps: self.workflows.steps.table().snapshot(),
            workflows: self.workflows.executions.table().records().clone(),
            images: self.images.exposed().clone(),
            pipelines: self.pipelines.exposed().clone(),
            image_names: self.names.exposed().clone(),
            selectors: self.discovery.selectors().clone(),
            discovered: self.discovery.succeeded(),
            unknown: self.unknown.clone(),
            denied_until: self.queue.denied_until().collect(),
            next_due: self.next_due(),
        }
    }

    /// The workflows, and what their rules work with beside them.
    pub(super) fn workflows(&mut self, now: Now) -> (&mut Workflows, Context<'_>) {
        let context = Context {
            queue: &mut self.queue,
            retention: &mut self.retention,
            images: &self.images,
            labels: &self.labels,
            listed: &self.assignment.listed,
            changes: &mut self.changes,
            signals: &mut self.signals,
            pace: self.pace,
            since: self.since,
            now,
        };
        (&mut self.workflows, context)
    }

    /// The images, and what their rules work with beside them.
    pub(super) fn images(&mut self, now: Now) -> (&mut Images, &Discovery, ImageContext<'_>) {
        let context = ImageContext {
            queue: &mut self.queue,
            retention: &mut self.retention,
            executions: &self.workflows.executions,
            pace: self.pace,
            since: self.since,
            now,
        };
        (&mut self.images, &self.discovery, context)
    }

    /// Tracks an image that is selected, unless another target owns it.
    pub(super) fn claim_image(&mut self, arn: &ImageArn, owners: &dyn Ownership, now: Now) {
        let resource = Resource::Image(arn.clone());
        if !owners.claim(&resource) {
            if self.stop_image(arn, Standing::Foreign, now) {
                self.changes.released.push(resource);
            }
            return;
        }
        if self.images.get(arn).is_none_or(|image| image.is_evicted()) {
            return;
        }
        let (images, _, mut context) = self.images(now);
        if images.track(arn, &mut context) {
            // One that fails or succeeds after all keeps its executions longer or shorter.
            let executions = self.workflows.executions.of_image(arn).to_vec();
            let (workflows, mut context) = self.workflows(now);
            for id in executions {
                workflows.settle(id, &mut context);
            }
        }
        let (images, _, mut context) = self.images(now);
        images.settle(arn, &mut context);
        self.expose_image(arn, now);
    }

    /// The image is not this target's or not selected. Returns whether it was owned.
    pub(super) fn stop_image(&mut self, arn: &ImageArn, standing: Standing, now: Now) -> bool {
        let (images, _, mut context) = self.images(now);
        let held = images.stop(arn, standing, &mut context);
        self.untrack_executions(arn, now);
        held
    }

    /// Neither tracks nor remembers the image and its executions.
    fn drop_image(&mut self, arn: &ImageArn, now: Now) {
        self.untrack_executions(arn, now);
        let (images, _, mut context) = self.images(now);
        images.remove(arn, &mut context);
    }

    fn untrack_executions(&mut self, image: &ImageArn, now: Now) {
        let executions = self.workflows.executions.of_image(image).to_vec();
        let (workflows, mut context) = self.workflows(now);
        for id in executions {
            workflows.untrack_with_image(id, &mut context);
        }
    }

    pub(super) fn expose_image(&mut self, arn: &ImageArn, now: Now) {
        let labels = self.labels.clone();
        let (images, _, context) = self.images(now);
        let failed = images.expose(arn, &labels, &context);
        self.changes.failed_images.extend(failed);
    }

    /// Owners have changed: gives up what another target claims and takes what is given up.
    pub fn review_ownership(&mut self, owners: &dyn Ownership, now: Now) -> Changes {
        for arn in self.images.arns(|image| image.held) {
            let resource = Resource::Image(arn.clone());
            if !owners.keeps(&resource) && self.stop_image(&arn, Standing::Foreign, now) {
                self.changes.released.push(resource);
            }
        }
        for arn in self
            .images
            .arns(|image| image.standing == Standing::Foreign)
        {
            self.claim_image(&arn, owners, now);
        }
        self.pipelines
            .expose_all(&self.labels, owners, &mut self.changes.released);
        self.names
            .expose_all(&self.labels, owners, &mut self.changes.released);
        self.handle_signals(now);
        std::mem::take(&mut self.changes)
    }
}
