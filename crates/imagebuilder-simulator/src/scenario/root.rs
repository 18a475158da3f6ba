//! The root of a scenario file, and the settings of the whole world.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::fault::FaultScript;
use super::pipeline::Pipeline;
use super::span::{Range, Span};

/// Everything that happens in a simulated world. Times are those of the real service; the
/// simulator's speed compresses them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// How long before its begin the service knows a build, all PENDING.
    pub(crate) announce: Span,
    /// How long after its end the service knows a build.
    pub(crate) keep: Span,
    /// How long after its begin the service knows an image, longer than its executions.
    pub(crate) keep_images: Span,
    /// How long after its begin an image appears in the lists, drawn for each.
    pub(crate) listed_after: Range,
    /// How far the service's clock is ahead of the machine's; negative where it is behind.
    pub(crate) clock_skew: Span,
    pub(crate) pages: Pages,
    /// The service's own limit per account and region; none if absent.
    pub(crate) rate_limit: Option<RateLimit>,
    /// Which account a static access key belongs to. A key that is not here sees every account.
    pub(crate) access_keys: BTreeMap<String, String>,
    /// The roles that STS lets callers assume; with an empty list, every role.
    pub(crate) roles: Vec<Role>,
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) faults: Vec<FaultScript>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            announce: Span::ZERO,
            keep: Span::from_secs(14 * 24 * 3600),
            keep_images: Span::from_secs(30 * 24 * 3600),
            listed_after: Range::between(Span::ZERO, Span::from_secs(120)),
            clock_skew: Span::ZERO,
            pages: Pages::default(),
            rate_limit: None,
            access_keys: BTreeMap::new(),
            roles: Vec::new(),
            pipelines: Vec::new(),
            faults: Vec::new(),
        }
    }
}

/// How lists are cut into pages.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Pages {
    /// The largest `maxResults`; more is an `InvalidRequestException`.
    pub(crate) max_size: u32,
    /// Pages have fewer entries than requested and still a token.
    pub(crate) short: bool,
    /// Every other page is empty and still has a token.
    pub(crate) empty: bool,
    /// How long a token is valid, in real time; for ever if absent.
    pub(crate) token_lifetime: Option<Span>,
    /// Every page but the first ends with the token that it was requested with.
    pub(crate) repeated: bool,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            max_size: 100,
            short: false,
            empty: false,
            token_lifetime: None,
            repeated: false,
        }
    }
}

/// A token bucket, in real time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimit {
    pub(crate) requests_per_second: f64,
    pub(crate) burst: u32,
}

/// A role that STS knows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    pub(crate) arn: String,
    #[serde(default)]
    pub(crate) external_id: Option<String>,
    #[serde(default)]
    pub(crate) denied: bool,
    /// How long its credentials are valid, in real time; else as long as the request says.
    #[serde(default)]
    pub(crate) lifetime: Option<Span>,
}
