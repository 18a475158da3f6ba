//! The selected pipelines, and the names of images: what discovery alone tells, and nothing polls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::image::ImageKey;
use super::labels::Labels;
use super::ownership::{Ownership, Resource};
use super::selection::Selection;
use crate::model::{Pipeline, PipelineArn};
use crate::snapshot::{AvailableBuild, Chunks, ImageName, ImageNameRecord, PipelineRecord, Table};

/// The selected pipelines, whichever target owns them; exposed are those that this one owns.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    selected: BTreeMap<PipelineArn, Pipeline>,
    exposed: Table<PipelineRecord>,
}

impl Pipelines {
    pub(super) fn exposed(&self) -> &Chunks<PipelineRecord> {
        self.exposed.records()
    }

    /// A list told of a pipeline that is selected.
    pub(super) fn observe(
        &mut self,
        pipeline: Pipeline,
        labels: &Labels,
        owners: &dyn Ownership,
        released: &mut Vec<Resource>,
    ) {
        let arn = pipeline.arn.clone();
        self.selected.insert(arn.clone(), pipeline);
        self.expose(&arn, labels, owners, released);
    }

    /// A pass has ended: those pipelines are selected and no others.
    pub(super) fn retain(
        &mut self,
        selected: &BTreeSet<PipelineArn>,
        released: &mut Vec<Resource>,
    ) {
        let gone = self.selected.keys().filter(|arn| !selected.contains(arn));
        let gone: Vec<_> = gone.cloned().collect();
        for arn in gone {
            self.selected.remove(&arn);
            self.exposed.remove(&arn);
            released.push(Resource::Pipeline(arn));
        }
    }

    /// Keeps of what is known what another selection selects too.
    pub(super) fn select(&mut self, selection: &Selection) {
        self.selected
            .retain(|_, pipeline| selection.chooses_pipeline(pipeline));
        let exposed = self.exposed.keys();
        let gone = exposed.filter(|arn| !self.selected.contains_key(arn));
        let gone: Vec<_> = gone.cloned().collect();
        for arn in gone {
            self.exposed.remove(&arn);
        }
    }

    /// Whether a selected pipeline builds images of this account and name.
    pub(super) fn build(&self, (account, name): &ImageKey) -> bool {
        self.selected.values().any(|pipeline| {
            pipeline.arn.account_id() == account && pipeline.recipe.as_ref() == Some(name)
        })
    }

    /// Exposes each pipeline that this target owns, under these labels, and no other.
    pub(super) fn expose_all(
        &mut self,
        labels: &Labels,
        owners: &dyn Ownership,
        released: &mut Vec<Resource>,
    ) {
        let all: Vec<_> = self.selected.keys().cloned().collect();
        for arn in all {
            self.expose(&arn, labels, owners, released);
        }
    }

    fn expose(
        &mut self,
        arn: &PipelineArn,
        labels: &Labels,
        owners: &dyn Ownership,
        released: &mut Vec<Resource>,
    ) {
        let Some(pipeline) = self.selected.get(arn) else {
            return;
        };
        let resource = Resource::Pipeline(arn.clone());
        if owners.claim(&resource) {
            let tags = labels.tags(&pipeline.tags);
            let record = PipelineRecord::new(pipeline, labels.target(), tags, labels.region());
            self.exposed.put(record);
        } else if self.exposed.remove(arn).is_some() {
            released.push(resource);
        }
    }
}

/// The newest AVAILABLE build of each image, whichever target owns the name.
#[derive(Debug, Default)]
pub(super) struct ImageNames {
    available: BTreeMap<ImageKey, Arc<AvailableBuild>>,
    exposed: Table<ImageNameRecord>,
}

impl ImageNames {
    pub(super) fn exposed(&self) -> &Chunks<ImageNameRecord> {
        self.exposed.records()
    }

    /// Passes have told of these names and no others.
    pub(super) fn replace(
        &mut self,
        available: BTreeMap<ImageKey, Arc<AvailableBuild>>,
        labels: &Labels,
        owners: &dyn Ownership,
        released: &mut Vec<Resource>,
    ) {
        let before = std::mem::replace(&mut self.available, available);
        for key in before.into_keys() {
            if !self.available.contains_key(&key) {
                self.exposed.remove(&name(&key));
                released.push(resource(&key, labels));
            }
        }
        self.expose_all(labels, owners, released);
    }

    /// Keeps the names for which `kept` holds.
    pub(super) fn retain(&mut self, kept: impl Fn(&ImageKey) -> bool) {
        let exposed = &mut self.exposed;
        self.available.retain(|key, _| {
            let kept = kept(key);
            if !kept {
                exposed.remove(&name(key));
            }
            kept
        });
    }

    /// Exposes each name that this target owns, under these labels, and no other.
    pub(super) fn expose_all(
        &mut self,
        labels: &Labels,
        owners: &dyn Ownership,
        released: &mut Vec<Resource>,
    ) {
        for (key, newest) in &self.available {
            let resource = resource(key, labels);
            if owners.claim(&resource) {
                let (own_labels, region) = (labels.target(), labels.region());
                let record = ImageNameRecord::new(name(key), own_labels, newest.clone(), region);
                self.exposed.put(record);
            } else if self.exposed.remove(&name(key)).is_some() {
                released.push(resource);
            }
        }
    }
}

fn name((account, name): &ImageKey) -> ImageName {
    ImageName {
        account_id: account.as_str().into(),
        name: name.as_str().into(),
    }
}

fn resource((account, name): &ImageKey, labels: &Labels) -> Resource {
    let region = labels.region().into();
    Resource::ImageName(account.as_str().into(), region, name.as_str().into())
}
