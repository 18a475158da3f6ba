//! How to reach the service for one target in one region.

use std::fmt;
use std::sync::Arc;

use crate::api::{ApiFuture, Caller, ImageBuilder, ServiceClock};
use crate::aws::Aws;
use crate::config::{Config, Target};

/// The clients and identities for one target in one region.
pub struct Access {
    pub api: Arc<dyn ImageBuilder>,
    /// The identity of the credentials.
    pub caller: ApiFuture<Caller>,
    /// The identity that assumes the target's role, if it has one.
    pub base: ApiFuture<Caller>,
    /// Records the time of every response of `api`.
    pub service_clock: ServiceClock,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Creates clients of the SDK.
    pub fn through(aws: &Aws, config: &Config, target: &Target, region: &str) -> Self {
        let polling = config.polling.clone();
        let service_clock = ServiceClock::default();
        let client = aws.client(target, region, &polling, service_clock.clone());
        let (aws, region) = (aws.clone(), region.to_owned());
        let without_role = Target {
            assume_role: None,
            ..target.clone()
        };
        Self {
            caller: client.caller(),
            api: Arc::new(client),
            base: Box::pin(async move {
                let clock = ServiceClock::default();
                aws.client(&without_role, &region, &polling, clock)
                    .caller()
                    .await
            }),
            service_clock,
        }
    }
}
