//! What answers about images, pipelines and workflow executions mean for what is followed and shown.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::Poller;
use super::claims::Claim;
use super::plan::{Elsewhere, ImageNews, ImageSource, Left, Lists, RoundRead};
use crate::api::{ApiError, ErrorKind, ListPage, Operation, Page, Parsed, WorkflowPage};
use crate::clock::Now;
use crate::config::TagLabel;
use crate::labels::LabelText;
use crate::model::{
    Image, ImageArn, Pipeline, PipelineArn, StepExecutionId, StepStatus, StepTotals, Tags,
    Timestamp, WorkflowExecution, WorkflowExecutionId,
};
use crate::store::{
    ImageName, ImageNameRecord, ImageRecord, PipelineRecord, SelectorKind, SelectorRecord,
    StepRecord, Store, WorkflowRecord,
};

/// What the last rounds of discovery told that is not followed step by step.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// The pipelines that are selected, whoever shows them.
    pub pipelines: BTreeMap<PipelineArn, Pipeline>,
    /// When the newest AVAILABLE build was made, by account and name, whoever shows it.
    pub available: BTreeMap<(String, String), Timestamp>,
}

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
            let claim = Claim::Pipeline(arn);
            self.tools.claims.release(&claim, self.assignment.rank);
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
        if self.page_size.refused(page, kind) {
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

    fn names_read(&mut self, available: BTreeMap<(String, String), Timestamp>) {
        let before = std::mem::replace(&mut self.catalog.available, available);
        for (account, name) in before.into_keys() {
            if !self
                .catalog
                .available
                .contains_key(&(account.clone(), name.clone()))
            {
                let key = ImageName {
                    account_id: account.into(),
                    name: name.into(),
                };
                self.shown.store.image_names.remove(&key);
                let claim = self.claim_of(&key);
                self.tools.claims.release(&claim, self.assignment.rank);
            }
        }
        self.show_names();
    }

    pub(super) fn image_polled(
        &mut self,
        arn: &ImageArn,
        result: Result<Box<Parsed<Image>>, ApiError>,
        now: Now,
    ) {
        match result {
            Ok(parsed) => {
                self.image_seen(&parsed.value, ImageSource::Get, now);
                self.plan.image_answered(arn, now.instant);
            }
            Err(error) => {
                let kind = error.about_operation();
                if self.plan.image_failed(arn, kind, now.instant) {
                    let so = "nobody knows which pipeline built an image";
                    self.reporter.denied(Operation::GetImage, so, &error);
                } else if kind == ErrorKind::Client && self.assignment.names_image(arn) {
                    self.reporter.named_unknown(arn.as_str(), &error);
                }
            }
        }
    }

    fn image_seen(&mut self, image: &Image, source: ImageSource, now: Now) {
        let listed = &self.assignment.listed;
        if listed.has_image(&image.arn) && !self.assignment.names_image(&image.arn) {
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
    fn claim_image(&mut self, arn: &ImageArn, now: Now) {
        let claim = Claim::Image(arn.clone());
        if self.tools.claims.claim(&claim, self.assignment.rank) {
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
        if self.page_size.refused(page, kind) {
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
            let elsewhere =
                self.assignment.listed.has_workflow(&id) && !self.assignment.names_workflow(&id);
            let Some(answer) = answer.filter(|_| !elsewhere) else {
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

    pub(super) fn show_workflow(&self, id: WorkflowExecutionId, answer: &WorkflowExecution) {
        let store = &self.shown.store;
        let record = store.workflows.get(&id).unwrap_or_else(|| {
            WorkflowRecord::unseen(id, self.target_labels(), self.tags_of_workflow(id))
        });
        let record = record.answered(answer, &self.assignment.region);
        store.workflows.put(record);
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

    /// All steps of a workflow execution were listed: as many came to these ends.
    pub(super) fn count_steps(&self, id: WorkflowExecutionId, steps: &[StepExecutionId]) {
        let store = &self.shown.store;
        let Some(record) = store.workflows.get(&id) else {
            return;
        };
        if self.plan.has_ended(id) {
            return;
        }
        let records: Vec<_> = steps.iter().filter_map(|id| store.steps.get(id)).collect();
        let count = |status: StepStatus| {
            let seen = records.iter().filter_map(|record| record.observed.as_ref());
            seen.filter(|seen| seen.status == status).count() as u32
        };
        store.workflows.put(record.counted(StepTotals {
            planned: records.len() as u32,
            succeeded: count(StepStatus::Completed),
            failed: count(StepStatus::Failed),
            skipped: count(StepStatus::Skipped),
        }));
    }

    /// A step of a workflow execution that waits for another one, which was just seen to run: it
    /// waits as well.
    pub(super) fn step_waits(&self, id: &StepExecutionId, now: Now) {
        if let Some(before) = self.shown.store.steps.get(id)
            && before.observed.is_some()
        {
            self.shown.store.steps.put(StepRecord {
                last_poll_success: true,
                last_success: Some(now.time),
                ..before
            });
        }
    }

    fn show_image(&self, arn: &ImageArn, now: Now) {
        let images = &self.shown.store.images;
        let Some(image) = self.plan.shown_image(arn, now) else {
            images.remove(arn);
            return;
        };
        let tags = self.tag_labels(&image.tags);
        let mut record = match images.get(arn) {
            Some(record) => record.answered(image),
            None => {
                let region = &self.assignment.region;
                ImageRecord::new(image, self.target_labels(), tags.clone(), region)
            }
        };
        record.info_labels = tags;
        images.put(record);
    }

    fn show_pipeline(&self, arn: &PipelineArn) {
        let Some(pipeline) = self.catalog.pipelines.get(arn) else {
            return;
        };
        let claim = Claim::Pipeline(arn.clone());
        if !self.tools.claims.claim(&claim, self.assignment.rank) {
            return self.hide_pipeline(arn);
        }
        let tags = self.tag_labels(&pipeline.tags);
        let region = &self.assignment.region;
        let record = PipelineRecord::new(pipeline, self.target_labels(), tags, region);
        self.shown.store.pipelines.put(record);
    }

    fn hide_pipeline(&self, arn: &PipelineArn) {
        if self.shown.store.pipelines.remove(arn) {
            let claim = Claim::Pipeline(arn.clone());
            self.tools.claims.release(&claim, self.assignment.rank);
        }
    }

    fn show_names(&self) {
        let (store, region) = (&self.shown.store, &self.assignment.region);
        for ((account, name), at) in &self.catalog.available {
            let key = ImageName {
                account_id: account.as_str().into(),
                name: name.as_str().into(),
            };
            if self
                .tools
                .claims
                .claim(&self.claim_of(&key), self.assignment.rank)
            {
                let labels = self.target_labels();
                let record = ImageNameRecord::new(key, labels, *at, region);
                store.image_names.put(record);
            } else {
                self.hide_name(&key);
            }
        }
    }

    fn hide_name(&self, key: &ImageName) {
        if self.shown.store.image_names.remove(key) {
            let claim = self.claim_of(key);
            self.tools.claims.release(&claim, self.assignment.rank);
        }
    }

    fn claim_of(&self, key: &ImageName) -> Claim {
        let region = self.assignment.region.as_str().into();
        Claim::ImageName(key.account_id.clone(), region, key.name.clone())
    }

    /// Another target wants something, or has given something up.
    pub(super) fn review_claims(&mut self, now: Now) {
        let (claims, rank) = (self.tools.claims.clone(), self.assignment.rank);
        let held: Vec<ImageArn> = self.plan.held_images().cloned().collect();
        for arn in held {
            if !claims.keeps(&Claim::Image(arn.clone()), rank) {
                let left = self.plan.image_is_foreign(&arn, now.instant);
                self.remove(left);
            }
        }
        let foreign: Vec<ImageArn> = self.plan.foreign_images().cloned().collect();
        for arn in foreign {
            self.claim_image(&arn, now);
        }
        let pipelines: Vec<PipelineArn> = self.catalog.pipelines.keys().cloned().collect();
        for arn in pipelines {
            self.show_pipeline(&arn);
        }
        self.show_names();
    }

    /// Shows no longer what is no longer followed.
    pub(super) fn remove(&self, left: Left) {
        let store = &self.shown.store;
        for id in &left.steps {
            store.steps.remove(id);
        }
        for id in &left.workflows {
            store.workflows.remove(id);
        }
        for arn in &left.images {
            store.images.remove(arn);
            if !self.plan.holds_image(arn) {
                let claim = Claim::Image(arn.clone());
                self.tools.claims.release(&claim, self.assignment.rank);
            }
        }
    }

    /// Takes over into a new store, under the labels that hold now, what is still to be shown.
    pub(super) fn show_catalog_again(&mut self, before: &Store, now: Now) {
        let selection = self.assignment.selection();
        for record in before.selectors.snapshot().iter() {
            let (kind, selector) = &record.key;
            let stands = match kind {
                SelectorKind::Pipelines => selection.pipeline_selectors().any(|s| s == &**selector),
                SelectorKind::Images => selection.image_selectors().any(|s| s == &**selector),
            };
            if stands {
                self.shown.store.selectors.put(record.clone());
            }
        }
        self.catalog
            .pipelines
            .retain(|_, pipeline| selection.chooses_pipeline(pipeline));
        let built = |(account, name): &(String, String)| {
            let pipelines = self.catalog.pipelines.values();
            { pipelines }.any(|pipeline| {
                pipeline.arn.account_id() == account && pipeline.recipe.as_ref() == Some(name)
            })
        };
        let followed = |(account, name): &(String, String)| {
            let mut followed = self.plan.followed_images();
            followed.any(|arn| arn.account_id() == account && arn.name() == name)
        };
        let names: Vec<_> = { self.catalog.available.keys() }
            .filter(|key| !selection.names_image(&key.1) && !built(key) && !followed(key))
            .cloned()
            .collect();
        for key in names {
            self.catalog.available.remove(&key);
        }
        self.show_names();
        let pipelines: Vec<PipelineArn> = self.catalog.pipelines.keys().cloned().collect();
        for arn in pipelines {
            self.show_pipeline(&arn);
        }
        let images: Vec<ImageArn> = self.plan.held_images().cloned().collect();
        for arn in images {
            self.claim_image(&arn, now);
        }
    }

    pub(super) fn target_labels(&self) -> LabelText {
        self.target_labels.clone()
    }

    /// The labels of a step's info series that the tags of its image give.
    pub(super) fn tags_of_workflow(&self, id: WorkflowExecutionId) -> LabelText {
        let tags = self
            .plan
            .image_of(id)
            .and_then(|arn| self.plan.tags_of(arn));
        tags.map(|tags| self.tag_labels(tags)).unwrap_or_default()
    }

    fn tag_labels(&self, tags: &Tags) -> LabelText {
        let wanted = self.assignment.metrics.tag_labels.iter();
        LabelText::new(wanted.filter_map(|TagLabel { key, label }| {
            let value = tags.get(key)?;
            Some((label.as_str(), value.as_str()))
        }))
    }
}
