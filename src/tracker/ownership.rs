//! Which target a resource belongs to, where several select it: an input of the tracker, like the
//! time.

use std::sync::Arc;

use crate::model::{ImageArn, PipelineArn};

/// A discovered resource, which belongs to one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// An image build version with its workflow executions and their steps.
    Image(ImageArn),
    Pipeline(PipelineArn),
    /// All builds of an image: account, region and name.
    ImageName(Arc<str>, Arc<str>, Arc<str>),
}

impl Resource {
    pub fn region(&self) -> &str {
        match self {
            Self::Image(arn) => arn.region(),
            Self::Pipeline(arn) => arn.region(),
            Self::ImageName(_, region, _) => region,
        }
    }
}

/// The owners of resources, as one target sees them. No method waits: they only compare what
/// the trackers have claimed. A tracker gives up a resource through its changes.
pub trait Ownership {
    /// Claims a resource. Returns whether it is this target's from now on; where it is not, the
    /// claim is made again when owners change.
    fn claim(&self, resource: &Resource) -> bool;

    /// Whether the resource is this target's, and no target before it claims it.
    fn keeps(&self, resource: &Resource) -> bool;
}
