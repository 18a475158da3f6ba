//! A fault as a scenario writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::span::Span;
use crate::error::{ErrorForm, ErrorResponse, status_of};
use crate::fault::{Effect, Fault};

/// Globs, a window and exactly one effect; `latency` is valid with any effect, or alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FaultScript {
    pub(crate) operation: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) access_key: Option<String>,
    /// Real time since the simulator's start.
    pub(crate) from: Span,
    #[serde(rename = "for")]
    pub(crate) length: Option<Span>,
    pub(crate) times: Option<u32>,
    pub(crate) probability: Option<f64>,
    pub(crate) latency: Option<Span>,
    pub(crate) error: Option<ErrorScript>,
    pub(crate) no_answer: bool,
    pub(crate) reset: bool,
    pub(crate) truncated: bool,
    pub(crate) html: bool,
    pub(crate) missing: Vec<String>,
    pub(crate) replaced: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorScript {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The model's for its own errors, else 400.
    #[serde(default)]
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(default)]
    pub(crate) form: ErrorForm,
}

impl FaultScript {
    /// # Errors
    ///
    /// Something that is no glob or no probability, or not exactly one effect.
    pub(crate) fn build(&self) -> Result<Fault, String> {
        let probability = self.probability.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&probability) {
            return Err(format!("probability {probability} is not from 0 to 1"));
        }
        let glob = |text: &Option<String>| text.clone().unwrap_or_else(|| "*".to_owned());
        let fault = Fault::on(&glob(&self.operation), self.effect()?)?
            .id(&glob(&self.id))?
            .region(&glob(&self.region))?
            .access_key(&glob(&self.access_key))?
            .window(real(self.from)?, self.length.map(real).transpose()?)
            .probability(probability)
            .latency(real(self.latency.unwrap_or_default())?);
        Ok(match self.times {
            Some(times) => fault.times(times),
            None => fault,
        })
    }

    fn effect(&self) -> Result<Effect, String> {
        let mut effects = Vec::new();
        if let Some(error) = &self.error {
            effects.push(Effect::Error(error.build()?));
        }
        let flags = [
            (self.no_answer, Effect::NoAnswer),
            (self.reset, Effect::Reset),
            (self.truncated, Effect::Truncated),
            (self.html, Effect::Html),
        ];
        effects.extend(flags.into_iter().filter(|(set, _)| *set).map(|(_, e)| e));
        if !self.missing.is_empty() {
            effects.push(Effect::Missing(self.missing.clone()));
        }
        if !self.replaced.is_empty() {
            effects.push(Effect::Replaced(self.replaced.clone()));
        }
        if effects.is_empty() && self.latency.is_some() {
            effects.push(Effect::Late);
        }
        match <[Effect; 1]>::try_from(effects) {
            Ok([effect]) => Ok(effect),
            Err(effects) => Err(format!(
                "a fault has one of error, no_answer, reset, truncated, html, missing and replaced, or latency alone; this one has {}",
                effects.len()
            )),
        }
    }
}

impl ErrorScript {
    fn build(&self) -> Result<ErrorResponse, String> {
        let status = self.status.unwrap_or_else(|| status_of(&self.kind));
        if !(400..=599).contains(&status) {
            return Err(format!("error status {status} is not from 400 to 599"));
        }
        Ok(ErrorResponse {
            kind: self.kind.clone(),
            status,
            message: self
                .message
                .clone()
                .unwrap_or_else(|| format!("{} as the scenario has it", self.kind)),
            form: self.form,
        })
    }
}

fn real(span: Span) -> Result<Duration, String> {
    u64::try_from(span.millis())
        .map(Duration::from_millis)
        .map_err(|_| "from, for and latency cannot be negative".to_owned())
}
