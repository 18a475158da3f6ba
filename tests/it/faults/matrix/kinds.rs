//! The faults that the simulator scripts, and the result of each.

use std::collections::BTreeMap;
use std::time::Duration;

use imagebuilder_exporter::api::{ErrorKind, Operation};
use imagebuilder_exporter::simulator::{Effect, Fault};
use serde_json::json;

use crate::process::error;

/// One fault, and what it comes to.
#[derive(Clone, Debug)]
pub struct Kind {
    /// The row of the table.
    pub name: &'static str,
    effect: Effect,
    latency: Duration,
    /// The value of the label `result`.
    result: &'static str,
    /// The same for lists.
    list_result: &'static str,
    /// Whether a target stays up while each of its calls meets the fault.
    pub is_up: bool,
    /// Whether a call that meets it is not repeated within two intervals.
    pub is_denied: bool,
}

impl Kind {
    fn new(name: &'static str, effect: Effect, result: ErrorKind) -> Self {
        Self {
            name,
            effect,
            latency: Duration::ZERO,
            result: result.as_str(),
            list_result: result.as_str(),
            is_up: false,
            is_denied: false,
        }
    }

    fn up(self) -> Self {
        Self {
            is_up: true,
            ..self
        }
    }

    /// The value of the label `result` for the operation.
    pub fn result(&self, operation: Operation) -> &'static str {
        match operation.as_str().starts_with("List") {
            true => self.list_result,
            false => self.result,
        }
    }

    /// Whether its calls end with their timeout.
    pub fn times_out(&self) -> bool {
        self.result == ErrorKind::Timeout.as_str()
    }

    /// The fault of an operation in a region; `None`: of all operations.
    pub fn fault(&self, operation: Option<Operation>, region: &str) -> Fault {
        let operation = operation.map_or("*", Operation::as_str);
        let fault = Fault::on(operation, self.effect.clone()).unwrap();
        fault.region(region).unwrap().latency(self.latency)
    }

    /// The row of the table.
    pub fn row(&self) -> String {
        let results = match self.result == self.list_result {
            true => format!("`{}`", self.result),
            false => format!("`{}`; lists `{}`", self.result, self.list_result),
        };
        let up = if self.is_up { "up" } else { "down" };
        format!("| {} | {results} | {up} |\n", self.name)
    }
}

/// Each effect of the simulator, and an error of each kind that the exporter distinguishes.
pub fn kinds() -> Vec<Kind> {
    let succeeds = |kind| Kind {
        result: "ok",
        list_result: "ok",
        ..kind
    };
    let late = succeeds(Kind {
        latency: Duration::from_millis(300),
        ..Kind::new("response after 300 ms", Effect::Late, ErrorKind::Timeout)
    });
    let no_status = Effect::Missing(vec!["status".to_owned()]);
    let no_status = Kind {
        list_result: "ok",
        ..Kind::new("no `status` in the response", no_status, ErrorKind::Parse)
    };
    let wrong = Effect::Replaced(BTreeMap::from([("requestId".to_owned(), json!([7]))]));
    let wrong = succeeds(Kind::new(
        "member of the wrong type",
        wrong,
        ErrorKind::Parse,
    ));
    let of = |name, kind, result| Kind::new(name, error(kind), result);
    let denied = "AccessDeniedException";
    let denied = Kind {
        is_denied: true,
        ..of("403 AccessDeniedException", denied, ErrorKind::Forbidden)
    };
    vec![
        late.up(),
        Kind::new("no response", Effect::NoAnswer, ErrorKind::Timeout),
        Kind::new("connection reset", Effect::Reset, ErrorKind::Network),
        Kind::new("half of the JSON", Effect::Truncated, ErrorKind::Parse),
        Kind::new("HTML with status 200", Effect::Html, ErrorKind::Parse),
        no_status.up(),
        wrong.up(),
        of(
            "500 ServiceException",
            "ServiceException",
            ErrorKind::Server,
        ),
        of(
            "429 CallRateLimitExceededException",
            "CallRateLimitExceededException",
            ErrorKind::Throttled,
        )
        .up(),
        of(
            "404 ResourceNotFoundException",
            "ResourceNotFoundException",
            ErrorKind::Client,
        )
        .up(),
        of(
            "400 ValidationError",
            "ValidationError",
            ErrorKind::Rejected,
        ),
        denied,
    ]
}
