//! What answers about images, pipelines and workflow executions mean for what is followed and shown.

use tokio::time::Instant;

use super::claims::Claim;
use super::plan::{Call, Elsewhere, ImageNews, ImageSource, Lists, RoundRead};
use super::{Poller, lock};
use crate::api::{ApiError, ErrorKind, ListPage, Operation, Page, Parsed, WorkflowPage};
use crate::clock::Now;
use crate::model::{Image, ImageArn, Pipeline, StepExecutionId, WorkflowExecutionId};
use crate::store::{SelectorKind, SelectorRecord, StepRecord};

impl Poller {
    pub(super) fn images_listed(
        &mut self,
        page: &Page,
        result: Result<Parsed<ListPage<Image>>, ApiError>,
        now: Now,
    ) {
        let Some(ListPage { entries, next }) = self.page_of(Lists::Images, page, result, now)
        else {
            return;
        };
        for image in &entries {
            self.plan.tally_image(image);
            self.image_seen(image, ImageSource::List, now);
        }
        let read = self.plan.round_read(Lists::Images, next, now);
        if !read.ended {
            return;
        }
        self.reporter.round_ended(Operation::ListImageBuildVersions);
        self.round_ended(SelectorKind::Images, read);
    }

    pub(super) fn pipelines_listed(
        &mut self,
        page: &Page,
        result: Result<Parsed<ListPage<Pipeline>>, ApiError>,
        now: Now,
    ) {
        let Some(ListPage { entries, next }) = self.page_of(Lists::Pipelines, page, result, now)
        else {
            return;
        };
        for pipeline in entries {
            if self.plan.tally_pipeline(&pipeline) {
                let arn = pipeline.arn.clone();
                self.catalog.pipelines.insert(arn.clone(), pipeline);
                self.show_pipeline(&arn);
            }
        }
        let read = self.plan.round_read(Lists::Pipelines, next, now);
        if !read.ended {
            return;
        }
        self.reporter.round_ended(Operation::ListImagePipelines);
        let known = self.catalog.pipelines.keys();
        let gone: Vec<_> = { known }
            .filter(|arn| !read.pipelines.contains(arn))
            .cloned()
            .collect();
        for arn in gone {
            self.catalog.pipelines.remove(&arn);
            self.shown.store.pipelines.remove(&arn);
            self.release(&Claim::Pipeline(arn));
        }
        for arn in &read.undecided {
            let news = self.plan.decide(arn, now.instant);
            self.heed(arn, news, now);
        }
        self.round_ended(SelectorKind::Pipelines, read);
    }

    /// What a page of a list of the account holds, where it was read.
    fn page_of<T>(
        &mut self,
        lists: Lists,
        page: &Page,
        result: Result<Parsed<ListPage<T>>, ApiError>,
        now: Now,
    ) -> Option<ListPage<T>> {
        let kind = result.as_ref().err().map(|error| error.kind);
        if self.page_size.refused(&lists.call(), page, kind) {
            self.plan.round_too_large(lists, now.instant);
            return None;
        }
        match result {
            Ok(parsed) => Some(parsed.value),
            Err(error) => {
                let operation = match lists {
                    Lists::Images => Operation::ListImageBuildVersions,
                    Lists::Pipelines => Operation::ListImagePipelines,
                };
                // A token that expired is the service's way, and throttling is told by itself.
                let half_read = error.kind == ErrorKind::Client && page.token.is_some();
                if error.kind != ErrorKind::Throttled && !half_read {
                    self.reporter.round_failed(operation, &error);
                }
                self.plan
                    .round_failed(lists, error.about_operation(), now.instant);
                None
            }
        }
    }

    fn round_ended(&mut self, kind: SelectorKind, read: RoundRead) {
        self.remove(read.left);
        if let Some(available) = read.available {
            self.names_read(available);
        }
        for (selector, matches) in read.matches {
            self.reporter.selector(kind.as_str(), &selector, matches);
            let record = SelectorRecord::new(kind, &selector, matches);
            self.shown.store.selectors.put(record);
        }
        if let Some(at) = read.succeeded {
            self.shown.store.discovered(at);
        }
    }

    pub(super) fn image_polled(
        &mut self,
        arn: &ImageArn,
        result: Result<Box<Parsed<Image>>, ApiError>,
        now: Now,
    ) {
        match result {
            Ok(parsed) => {
                lock(&self.shown.health).known(arn.as_str());
                self.image_seen(&parsed.value, ImageSource::Get, now);
                self.plan.image_answered(arn, now.instant);
            }
            Err(error) => {
                let kind = error.about_operation();
                if self.plan.image_failed(arn, kind, now.instant) {
                    let so = "nobody knows which pipeline built an image";
                    self.reporter.denied(Operation::GetImage, so, &error);
                } else if kind == ErrorKind::Client && self.assignment.names_image(arn) {
                    self.named_unknown(arn.as_str(), &error, now);
                }
            }
        }
    }

    /// The service does not know a workflow execution or an image that the configuration names.
    pub(super) fn named_unknown(&self, id: &str, error: &ApiError, now: Now) {
        if lock(&self.shown.health).not_known(id, now.time) {
            self.reporter.named_unknown(id, error);
        }
    }

    fn image_seen(&mut self, image: &Image, source: ImageSource, now: Now) {
        if self.assignment.leaves_image(&image.arn) {
            return;
        }
        let news = self.plan.image_told(image, source, now);
        self.heed(&image.arn, news, now);
    }

    fn heed(&mut self, arn: &ImageArn, news: ImageNews, now: Now) {
        match news {
            ImageNews::Wanted => self.claim_image(arn, now),
            ImageNews::NoLongerWanted => {
                let left = self.plan.unwanted(arn, now.instant);
                self.remove(left);
            }
            ImageNews::NotWanted => {}
        }
    }

    /// Follows an image that is wanted, unless another target has it.
    pub(super) fn claim_image(&mut self, arn: &ImageArn, now: Now) {
        if self.claim(&Claim::Image(arn.clone())) {
            if !self.plan.image_has_left(arn) {
                self.plan.image_claimed(arn, now.instant);
                self.show_image(arn, now);
            }
        } else {
            let left = self.plan.image_is_foreign(arn, now.instant);
            self.remove(left);
        }
    }

    pub(super) fn workflows_listed(
        &mut self,
        arn: &ImageArn,
        page: &Page,
        result: Result<Parsed<WorkflowPage>, ApiError>,
        asked: Instant,
        now: Now,
    ) {
        let kind = result.as_ref().err().map(|error| error.kind);
        if self
            .page_size
            .refused(&Call::Workflows(arn.clone()), page, kind)
        {
            return self.plan.workflows_too_large(arn, now.instant);
        }
        let ListPage { entries, next } = match result {
            Ok(parsed) => parsed.value,
            Err(error) => {
                let kind = error.about_operation();
                if self.plan.workflows_failed(arn, kind, now.instant) {
                    let so = "no workflow executions are discovered";
                    let operation = Operation::ListWorkflowExecutions;
                    self.reporter.denied(operation, so, &error);
                }
                return self.show_image(arn, now);
            }
        };
        for (id, answer) in entries {
            let ours = !self.assignment.leaves_workflow(&id);
            let Some(answer) = answer.filter(|_| ours) else {
                continue;
            };
            let stale = self.plan.is_outdated(id, &answer, asked);
            if self.plan.workflow_found(id, arn, &answer, asked, now) && !stale {
                self.show_workflow(id, &answer);
            }
        }
        self.plan.workflows_read(arn, next, asked, now.instant);
        self.show_image(arn, now);
    }

    /// A step that a List tells of first is followed, where it is ours.
    pub(super) fn step_found(&mut self, id: StepExecutionId, workflow: WorkflowExecutionId) {
        let known = self.plan.follows(&id);
        if !self.plan.is_whole(workflow) || (!known && self.assignment.listed.has_step(&id)) {
            return;
        }
        self.plan.step_found(id, workflow);
        if !known {
            let unseen = StepRecord::unseen(id, self.target_labels());
            self.shown.store.steps.put(StepRecord {
                info_labels: self.tags_of_workflow(workflow),
                ..unseen
            });
        }
    }
}
