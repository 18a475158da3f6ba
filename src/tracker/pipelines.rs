//! The selected pipelines, and the names of images: discovery passes return them, and nothing polls
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::Context;
use super::labels::Labels;
use super::ownership::{Ownership, Resource};
use crate::model::{Pipeline, PipelineArn, Timestamp};
use crate::snapshot::{AvailableBuild, ImageName, ImageNameRecord, PipelineRecord, Record, Table};

/// The selected pipelines.
pub(super) type Pipelines = Discovered<PipelineArn, ListedPipeline>;

/// A pipeline, and when the list returned it.
#[derive(Debug)]
pub(super) struct ListedPipeline {
    pub pipeline: Pipeline,
    pub at: Timestamp,
}

/// The newest AVAILABLE build of each image.
pub(super) type ImageNames = Discovered<ImageName, Arc<AvailableBuild>>;

/// What discovery selected, whichever target owns it; the exposed part is what this target owns.
#[derive(Debug)]
pub(super) struct Discovered<K, V: Exposed<K>> {
    all: BTreeMap<K, V>,
    pub exposed: Table<V::Record>,
}

/// A value that is exposed as a record if this target owns it.
pub(super) trait Exposed<K> {
    type Record: Record<Key = K>;

    fn record(&self, key: &K, labels: &Labels) -> Self::Record;

    fn resource(key: &K, labels: &Labels) -> Resource;
}

impl<K, V: Exposed<K>> Default for Discovered<K, V> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            exposed: Table::default(),
        }
    }
}

impl<K: Ord + Clone, V: Exposed<K>> Discovered<K, V> {
    /// A list returned a value that is selected.
    pub(super) fn observe(&mut self, key: K, value: V, owners: &dyn Ownership, c: &mut Context) {
        self.all.insert(key.clone(), value);
        self.expose(&key, owners, c);
    }

    /// A pass has ended: these values are selected and no others.
    pub(super) fn replace(
        &mut self,
        values: BTreeMap<K, V>,
        owners: &dyn Ownership,
        c: &mut Context,
    ) {
        self.release(|key| values.contains_key(key), c);
        self.all = values;
        self.expose_all(owners, c);
    }

    /// Keeps the values for which `kept` holds, and releases the others.
    pub(super) fn release(&mut self, kept: impl Fn(&K) -> bool, c: &mut Context) {
        let dropped = self.retain(|key, _| kept(key));
        let dropped = dropped.iter().map(|key| V::resource(key, &c.labels));
        c.changes.released.extend(dropped);
    }

    /// Keeps the values for which `kept` holds. Returns the keys of the others.
    pub(super) fn retain(&mut self, kept: impl Fn(&K, &V) -> bool) -> Vec<K> {
        let dropped = self.all.iter().filter(|(key, value)| !kept(key, value));
        let dropped: Vec<K> = dropped.map(|(key, _)| key.clone()).collect();
        for key in &dropped {
            self.all.remove(key);
            self.exposed.remove(key);
        }
        dropped
    }

    /// Exposes each value that this target owns, under its present labels, and no other.
    pub(super) fn expose_all(&mut self, owners: &dyn Ownership, c: &mut Context) {
        let all: Vec<_> = self.all.keys().cloned().collect();
        for key in all {
            self.expose(&key, owners, c);
        }
    }

    fn expose(&mut self, key: &K, owners: &dyn Ownership, c: &mut Context) {
        let Some(value) = self.all.get(key) else {
            return;
        };
        let resource = V::resource(key, &c.labels);
        if owners.claim(&resource) {
            self.exposed.put(value.record(key, &c.labels));
        } else if self.exposed.remove(key).is_some() {
            c.changes.released.push(resource);
        }
    }
}

impl Pipelines {
    /// The list returned a pipeline that is selected. An entry without a status changes nothing of
    /// whether the pipeline is enabled.
    pub(super) fn listed(
        &mut self,
        mut listed: ListedPipeline,
        owners: &dyn Ownership,
        c: &mut Context,
    ) {
        let arn = listed.pipeline.arn.clone();
        let known = self.all.get(&arn).and_then(|known| known.pipeline.enabled);
        listed.pipeline.enabled = listed.pipeline.enabled.or(known);
        self.observe(arn, listed, owners, c);
    }

    /// Whether a selected pipeline builds images of this account and name.
    pub(super) fn build(&self, image: &ImageName) -> bool {
        self.all.values().any(|ListedPipeline { pipeline, .. }| {
            let recipe = pipeline.recipe.as_deref();
            pipeline.arn.account_id() == &*image.account_id && recipe == Some(&*image.name)
        })
    }
}

impl Exposed<PipelineArn> for ListedPipeline {
    type Record = PipelineRecord;

    fn record(&self, _: &PipelineArn, labels: &Labels) -> PipelineRecord {
        PipelineRecord::new(
            &self.pipeline,
            labels.target(),
            labels.tags(&self.pipeline.tags),
            labels.region(),
            self.at,
        )
    }

    fn resource(arn: &PipelineArn, _: &Labels) -> Resource {
        Resource::Pipeline(arn.clone())
    }
}

impl Exposed<ImageName> for Arc<AvailableBuild> {
    type Record = ImageNameRecord;

    fn record(&self, name: &ImageName, labels: &Labels) -> ImageNameRecord {
        ImageNameRecord::new(name.clone(), labels.target(), self.clone(), labels.region())
    }

    fn resource(name: &ImageName, labels: &Labels) -> Resource {
        Resource::ImageName(
            name.account_id.clone(),
            labels.region().into(),
            name.name.clone(),
        )
    }
}
