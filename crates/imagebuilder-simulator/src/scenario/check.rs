//! Mistakes of a scenario that its types allow.

use std::collections::BTreeSet;

use imagebuilder_model::identifier::{
    is_account_id, is_arn_name, is_number, is_region, is_semantic_version,
};

use super::destination::CONFIGURATION_STEPS;
use super::managed;
use super::pipeline::{ImageKind, Pipeline};
use super::root::Scenario;
use super::span::Span;
use super::step::Step;
use super::workflow::{Workflow, WorkflowKind};

/// `WorkflowStepTimeoutSecondsInteger` of the service's model.
const LONGEST_TIMEOUT: Span = Span::from_secs(43_200);

impl Scenario {
    /// Returns every mistake, with its place and how to fix it.
    pub fn check(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !(1..=100).contains(&self.pages.max_size) {
            found.push(format!(
                "pages.max_size is {}; it must be 1 to 100",
                self.pages.max_size
            ));
        }
        if let Some(limit) = self.rate_limit
            && !(limit.requests_per_second > 0.0 && limit.burst > 0)
        {
            found.push("rate_limit: requests_per_second and burst must be over 0".to_owned());
        }
        for fault in &self.faults {
            if let Err(wrong) = fault.build() {
                found.push(format!("faults: {wrong}"));
            }
        }
        if self.listed_after.from < Span::ZERO || self.keep_images <= Span::ZERO {
            let wrong = "listed_after cannot be negative, and keep_images must be over 0";
            found.push(wrong.to_owned());
        }
        let (mut images, mut names) = (BTreeSet::new(), BTreeSet::new());
        for pipeline in &self.pipelines {
            let name = (&pipeline.account, &pipeline.region, &pipeline.name);
            if !pipeline.without_pipeline && !names.insert(name) {
                found.push(format!(
                    "pipeline {}: there is one in {} {} already",
                    pipeline.name, name.0, name.1
                ));
            }
            let image = (&pipeline.account, &pipeline.region, pipeline.image_name());
            if !images.insert(image) {
                found.push(format!(
                    "pipeline {}: another one builds {} in {} {} already; give it an image of its own",
                    pipeline.name, image.2, image.0, image.1
                ));
            }
            let wrong = pipeline.check().into_iter();
            found.extend(wrong.map(|wrong| format!("pipeline {}: {wrong}", pipeline.name)));
        }
        if self.pipelines.len() > usize::from(u16::MAX) {
            found.push(format!("more than {} pipelines", u16::MAX));
        }
        found
    }
}

impl Pipeline {
    fn check(&self) -> Vec<String> {
        let mut found = Vec::new();
        for name in BTreeSet::from([self.name.as_str(), self.image_name()]) {
            if !is_arn_name(name) {
                found.push(format!(
                    "{name:?} cannot be part of an ARN; use a-z, 0-9, - and _"
                ));
            }
        }
        if !is_account_id(&self.account) {
            found.push(format!("account {:?} is not twelve digits", self.account));
        }
        if !is_region(&self.region) {
            found.push(format!(
                "region {:?} is none; one looks like us-west-2",
                self.region
            ));
        }
        if !is_semantic_version(&self.version) {
            found.push(format!(
                "version {:?} is none; one looks like 1.0.0",
                self.version
            ));
        }
        if self.every <= Span::ZERO {
            found.push("every must be over 0".to_owned());
        }
        let count = self.workflows.len();
        if self.import.is_none() && !(1..=usize::from(u8::MAX)).contains(&count) {
            found.push("workflows: there must be 1 to 255".to_owned());
        }
        self.check_stages(&mut found);
        self.check_names(&mut found);
        self.check_texts(&mut found);
        self.check_times(&mut found);
        for workflow in &self.workflows {
            found.extend(workflow.check());
        }
        found
    }

    /// What the service does not do after, or without, the workflows of a build.
    fn check_stages(&self, found: &mut Vec<String>) {
        let mut wrong = |is_wrong: bool, what: &str| {
            if is_wrong {
                found.push(what.to_owned());
            }
        };
        let has = |kind| {
            self.workflows
                .iter()
                .any(|workflow| workflow.kind() == kind)
        };
        let distributes = has(WorkflowKind::Distribution);
        let is_ami = self.kind == ImageKind::Ami;
        let has_later = has(WorkflowKind::Test) || distributes || !self.distribution.is_empty();
        wrong(
            self.retries > 0 && !(is_ami && has_later),
            "retries: RetryImage takes images of type AMI that fail or are cancelled while they are \
             tested or distributed; a build of containers, or one without such a stage, needs a new build",
        );
        wrong(
            self.import.is_some()
                && !(self.workflows.is_empty() && self.without_pipeline && is_ami),
            "import: an imported image is an AMI, and has without_pipeline: true and no workflows",
        );
        wrong(
            !self.distribution.is_empty() && (distributes || !is_ami || self.import.is_some()),
            "distribution: it is for AMIs without a workflow of type distribution",
        );
        wrong(
            self.integration.is_some() && (!is_ami || self.import.is_some()),
            "integration: it is for AMIs that are built",
        );
        for destination in &self.distribution {
            let (account, step) = (&destination.account, &destination.configuration_step);
            let known = |step: &String| CONFIGURATION_STEPS.contains(&step.as_str());
            wrong(
                !is_region(&destination.region)
                    || !account
                        .as_ref()
                        .is_none_or(|account| is_account_id(account))
                    || !step.as_ref().is_none_or(known)
                    || destination.error.is_empty(),
                "distribution: the region, account, configuration_step or error of a destination is none",
            );
        }
        let turns = self
            .integration
            .as_ref()
            .map(|integration| &integration.in_turn);
        wrong(
            turns.is_some_and(Vec::is_empty),
            "integration: in_turn needs an outcome",
        );
    }

    /// Names as the service's model has them.
    fn check_names(&self, found: &mut Vec<String>) {
        let image_name = self.image_display_name.as_ref();
        let names = [
            (self.display_name.as_ref(), self.name.as_str()),
            (image_name, self.image_name()),
        ];
        for (display, name) in names {
            let display = display.map_or(name, String::as_str);
            if !is_resource_name(display) {
                found.push(format!(
                    "name {display:?} is none; it has 3 to 128 letters, digits, -, _ and inner spaces"
                ));
            } else if arn_name(display) != arn_name(name) {
                found.push(format!(
                    "display name {display:?} is {:?} in the ARN, not {name:?}",
                    arn_name(display)
                ));
            }
        }
    }

    fn check_texts(&self, found: &mut Vec<String>) {
        let tags = self.tags.iter().chain(self.image_tags.iter().flatten());
        for (key, value) in tags {
            if !is_tag_key(key) || value.chars().count() > 256 {
                found.push(format!("tag {key:?} is none that the service takes"));
            }
        }
        if self.tags.len() > 50 || self.image_tags.as_ref().is_some_and(|t| t.len() > 50) {
            found.push("there are at most 50 tags".to_owned());
        }
        let texts = [
            ("description", &self.description),
            ("os_version", &self.os_version),
            ("schedule", &self.schedule),
            ("timezone", &self.timezone),
        ];
        for (what, text) in texts {
            let length = text.as_ref().map_or(1, |text| text.chars().count());
            if !(1..=1024).contains(&length) {
                found.push(format!("{what} has 1 to 1024 characters"));
            }
        }
    }

    fn check_times(&self, found: &mut Vec<String>) {
        let begins = |at: &Option<Span>| at.is_some_and(|at| at > self.first);
        if begins(&self.created_at) {
            found.push("created_at cannot be after first".to_owned());
        }
        let afters = || self.lifecycle.iter().map(|entry| entry.after);
        if afters().any(|after| after < Span::ZERO) || !afters().is_sorted() {
            found.push("lifecycle: after must not be negative, and rise".to_owned());
        }
        if self.without_pipeline {
            let of_a_pipeline = [
                self.manual,
                self.schedule.is_some(),
                self.timezone.is_some(),
                self.created_at.is_some(),
                self.disabled_at.is_some(),
                self.deleted_at.is_some(),
            ];
            if of_a_pipeline.contains(&true) {
                let wrong = "without_pipeline: there is none that is manual, has a schedule or a timezone, or is created, disabled or deleted";
                found.push(wrong.to_owned());
            }
        }
    }
}

impl Workflow {
    fn check(&self) -> Vec<String> {
        let mut found = Vec::new();
        let name = match (self.managed, &self.name) {
            (Some(managed), None) => managed.name(),
            (None, Some(name)) => name,
            _ => {
                found.push("a workflow is either managed or has a name of its own".to_owned());
                return found;
            }
        };
        let mut wrong = |what: String| found.push(format!("workflow {name}: {what}"));
        if !is_arn_name(name) {
            wrong("the name cannot be part of an ARN; use a-z, 0-9, - and _".to_owned());
        }
        if self.managed.is_none() && (self.steps.is_empty() || self.steps.len() > 255) {
            wrong("an own workflow needs 1 to 255 steps".to_owned());
        }
        if self.parallel_group.is_some() && self.kind() != WorkflowKind::Test {
            wrong("parallel_group is for workflows of type test".to_owned());
        }
        if self.managed.is_some() && self.kind.is_some() {
            wrong("type is an own workflow's; a managed one has its own".to_owned());
        }
        let mut names = BTreeSet::new();
        for step in &self.steps {
            if !names.insert(&step.name) {
                wrong(format!("step {} stands there twice", step.name));
            }
            match self.managed {
                Some(managed) if !managed::steps(managed).iter().any(|s| s.name == step.name) => {
                    let known: Vec<_> = managed::steps(managed).iter().map(|s| s.name).collect();
                    wrong(format!(
                        "there is no step {:?}; there are {}",
                        step.name,
                        known.join(", ")
                    ));
                }
                Some(_) if step.action.is_some() => {
                    wrong(format!("step {}: action is an own workflow's", step.name));
                }
                None if step.action.is_none() => {
                    wrong(format!("step {} needs an action", step.name));
                }
                _ => {}
            }
            for what in step.check() {
                wrong(format!("step {}: {what}", step.name));
            }
        }
        found
    }
}

impl Step {
    fn check(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (what, text) in [("name", Some(&self.name)), ("action", self.action.as_ref())] {
            if let Some(text) = text
                && !is_step_word(text)
            {
                found.push(format!(
                    "{what} {text:?} is none; it has 2 to 100 letters, digits, - or _, a letter first"
                ));
            }
        }
        if self
            .timeout
            .is_some_and(|t| t < Span::ZERO || t > LONGEST_TIMEOUT)
        {
            found.push("timeout must be 0 to 12h".to_owned());
        }
        let ranges = [self.duration, self.rollback_duration];
        if ranges.into_iter().flatten().any(|r| r.from < Span::ZERO) {
            found.push("a duration cannot be negative".to_owned());
        }
        let ways = [
            self.outcome.is_some(),
            !self.chances.is_empty(),
            !self.in_turn.is_empty(),
        ];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            found.push("only one of outcome, chances and in_turn can decide".to_owned());
        }
        let weights = || self.chances.values();
        if weights().any(|weight| !(weight.is_finite() && *weight >= 0.0))
            || (!self.chances.is_empty() && weights().sum::<f64>() <= 0.0)
        {
            found.push("chances must be numbers from 0, one of them over it".to_owned());
        }
        if let Some(component) = &self.component {
            let (version, build) = component.version.split_once('/').unwrap_or_default();
            if !is_arn_name(&component.name) || !is_semantic_version(version) || !is_number(build) {
                found.push("component: the name or the version, 1.0.0/1, is none".to_owned());
            }
            let phase = component.phase.as_deref().unwrap_or("build");
            if [phase, &component.step, &component.action, &component.error].contains(&"") {
                found.push("component: phase, step, action and error cannot be empty".to_owned());
            }
        }
        if self.attempts.is_some_and(|a| a.max == 0) {
            found.push("attempts.max must be 1 or more".to_owned());
        }
        let longest = |text: &Option<String>| text.as_ref().map_or(0, |t| t.chars().count());
        if longest(&self.message) > 500 || longest(&self.description) > 500 {
            found.push("message and description have at most 500 characters".to_owned());
        }
        found
    }
}

/// `ResourceName` of the service's model.
fn is_resource_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_ ".contains(&b);
    (3..=128).contains(&text.len()) && text.bytes().all(allowed) && text.trim() == text
}

/// The name that the service puts into an ARN; underscores are valid there.
fn arn_name(display: &str) -> String {
    display.to_ascii_lowercase().replace([' ', '_'], "-")
}

fn is_tag_key(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b" _.:/=+-@".contains(&b);
    let count = text.len();
    (1..=128).contains(&count) && text.bytes().all(allowed) && !text.starts_with("aws:")
}

fn is_step_word(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (2..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(allowed)
}
