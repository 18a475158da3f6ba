//! Reads the service's time from the `Date` header of every response, error responses included.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tokio::time::Instant;

use crate::api::ServiceClock;
use crate::clock::Clock;
use crate::model::Timestamp;

/// Passes the `Date` header of each response of a client to a [`ServiceClock`].
#[derive(Debug)]
pub(super) struct DateListener(pub ServiceClock);

/// When the request was sent.
#[derive(Debug)]
struct SentAt(Instant);

impl Storable for SentAt {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for DateListener {
    fn name(&self) -> &'static str {
        "DateListener"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        call: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let sent = SentAt(Clock::System.now().instant);
        call.interceptor_state().store_put(sent);
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        call: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        // A response from a cache has the time at which it was generated, not sent.
        let date = headers.get("date").filter(|_| !headers.contains_key("age"));
        let date = date.and_then(Timestamp::parse_http);
        if let (Some(date), Some(SentAt(sent))) = (date, call.load::<SentAt>()) {
            let received = Clock::System.now();
            self.0
                .observe(date, received.instant - *sent, received.time);
        }
        Ok(())
    }
}
