//! What a poller works with.

use std::sync::Arc;

use super::limiter::RateLimiter;
use super::ownership::Claims;
use crate::api::ImageBuilder;
use crate::baseline::Baselines;
use crate::clock::Clock;
use crate::finished::Finished;
use crate::self_metrics::{PollerMetrics, ProcessMetrics};

/// See the module.
#[derive(Clone, Debug)]
pub struct Tools {
    pub api: Arc<dyn ImageBuilder>,
    pub limiter: Arc<RateLimiter>,
    pub clock: Clock,
    pub metrics: Arc<PollerMetrics>,
    pub process: Arc<ProcessMetrics>,
    pub finished: Arc<Finished>,
    pub baselines: Arc<Baselines>,
    pub claims: Arc<Claims>,
    pub seed: u64,
}
