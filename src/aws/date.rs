//! Hears what time it is at the service, from the `Date` header of every answer, errors too.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use crate::api::ServiceClock;
use crate::clock::Clock;
use crate::model::Timestamp;

/// Tells a [`ServiceClock`] of the answers that a client gets.
#[derive(Debug)]
pub(super) struct DateListener(pub ServiceClock);

/// When the request was sent.
#[derive(Debug)]
struct Asked(Timestamp);

impl Storable for Asked {
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
        let asked = Asked(Clock::System.now().time);
        call.interceptor_state().store_put(asked);
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        call: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        // A cache's answer says when it was made, not when it was given.
        let date = headers.get("date").filter(|_| !headers.contains_key("age"));
        let date = date.and_then(Timestamp::parse_http);
        if let (Some(date), Some(Asked(asked))) = (date, call.load::<Asked>()) {
            self.0.told(date, *asked, Clock::System.now().time);
        }
        Ok(())
    }
}
