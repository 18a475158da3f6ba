//! What is discovered, as it is shown: each thing by the target that has it.

use std::collections::BTreeMap;

use super::Poller;
use super::claims::Claim;
use super::plan::Left;
use crate::clock::Now;
use crate::config::TagLabel;
use crate::labels::LabelText;
use crate::model::{
    ImageArn, Pipeline, PipelineArn, StepExecutionId, StepStatus, StepTotals, Tags, Timestamp,
    WorkflowExecution, WorkflowExecutionId,
};
use crate::store::{
    ImageName, ImageNameRecord, ImageRecord, PipelineRecord, SelectorKind, StepRecord, Store,
    WorkflowRecord,
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
    pub(super) fn show_workflow(&self, id: WorkflowExecutionId, answer: &WorkflowExecution) {
        let store = &self.shown.store;
        let record = store.workflows.get(&id).unwrap_or_else(|| {
            WorkflowRecord::unseen(id, self.target_labels(), self.tags_of_workflow(id))
        });
        let record = record.answered(answer, &self.assignment.region);
        store.workflows.put(record);
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
                last_success: Some(now.time),
                failing: None,
                ..before
            });
        }
    }

    pub(super) fn show_image(&self, arn: &ImageArn, now: Now) {
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

    pub(super) fn show_pipeline(&self, arn: &PipelineArn) {
        let Some(pipeline) = self.catalog.pipelines.get(arn) else {
            return;
        };
        let claim = Claim::Pipeline(arn.clone());
        if !self.claim(&claim) {
            return self.hide_pipeline(arn);
        }
        let tags = self.tag_labels(&pipeline.tags);
        let region = &self.assignment.region;
        let record = PipelineRecord::new(pipeline, self.target_labels(), tags, region);
        self.shown.store.pipelines.put(record);
    }

    pub(super) fn hide_pipeline(&self, arn: &PipelineArn) {
        if self.shown.store.pipelines.remove(arn) {
            self.release(&Claim::Pipeline(arn.clone()));
        }
    }

    pub(super) fn names_read(&mut self, available: BTreeMap<(String, String), Timestamp>) {
        let before = std::mem::replace(&mut self.catalog.available, available);
        let available = &self.catalog.available;
        let gone = before
            .into_keys()
            .filter(|key| !available.contains_key(key));
        for (account, name) in gone {
            let key = ImageName {
                account_id: account.into(),
                name: name.into(),
            };
            self.shown.store.image_names.remove(&key);
            self.release(&self.claim_of(&key));
        }
        self.show_names();
    }

    pub(super) fn show_names(&self) {
        let (store, region) = (&self.shown.store, &self.assignment.region);
        for ((account, name), at) in &self.catalog.available {
            let key = ImageName {
                account_id: account.as_str().into(),
                name: name.as_str().into(),
            };
            if self.claim(&self.claim_of(&key)) {
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
            self.release(&self.claim_of(key));
        }
    }

    /// Whether what several targets can come across is this one's from now on.
    pub(super) fn claim(&self, claim: &Claim) -> bool {
        self.tools.claims.claim(claim, self.assignment.rank)
    }

    /// It is this target's no longer, nor wanted.
    pub(super) fn release(&self, claim: &Claim) {
        self.tools.claims.release(claim, self.assignment.rank);
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
                self.release(&Claim::Image(arn.clone()));
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
