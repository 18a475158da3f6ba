//! What a build's image looks like at a moment.

use crate::ids::{self, Place};
use crate::image::{self, ImagePhase};
use crate::scenario::{ImageKind, WorkflowKind};
use crate::view::{ComponentView, FailureView, ImageView};
use imagebuilder_model::{ImageStatus, StepStatus, Timestamp};

use super::Build;

impl Build<'_> {
    /// Every moment at which the image's status changes, in order.
    pub fn image_changes(&self) -> Vec<Timestamp> {
        let mut moments: Vec<_> = self.image_phases().map(|phase| self.at(phase.at)).collect();
        moments.dedup();
        moments
    }

    pub fn image_status(&self, now: Timestamp) -> ImageStatus {
        self.image_phase(now)
            .map_or(ImageStatus::Pending, |phase| phase.status)
    }

    pub fn image_view(&self, now: Timestamp) -> ImageView {
        let (plan, pipeline) = (self.plan, &self.plan.pipeline);
        let phase = self.image_phase(now);
        let failed = phase.as_ref().and_then(|phase| phase.failed);
        let failure = failed.map(|at| self.failure(at));
        let status = phase.map_or(ImageStatus::Pending, |phase| phase.status);
        let made = [
            ImageStatus::Available,
            ImageStatus::Deprecated,
            ImageStatus::Disabled,
        ];
        let number = u64::from(self.place.build) + 1;
        ImageView {
            arn: self.image_arn(),
            name: plan.image_display_name().to_owned(),
            version: format!("{}/{number}", pipeline.version),
            account: pipeline.account.clone(),
            kind: pipeline.kind,
            platform: pipeline.platform,
            os_version: plan.os_version().to_owned(),
            reason: failure.as_ref().map(reason),
            failure,
            created: (self.begin <= now).then_some(self.begin),
            pipeline_arn: plan.pipeline_arn(),
            recipe_arn: plan.recipe_arn(),
            scheduled: plan.schedule().is_some(),
            enhanced_metadata: pipeline.enhanced_metadata,
            tags: plan.image_tags().clone(),
            output: made.contains(&status).then(|| self.output()),
            status,
        }
    }

    fn image_phases(&self) -> impl Iterator<Item = ImagePhase> {
        image::phases(self.plan, self.tempo, self.place, &self.timeline).into_iter()
    }

    fn image_phase(&self, now: Timestamp) -> Option<ImagePhase> {
        let offset = now.millis_since(self.begin);
        self.image_phases()
            .filter(|phase| phase.at <= offset)
            .last()
    }

    /// The AMI that the step says it made that made it, or the container image.
    fn output(&self) -> String {
        let (plan, pipeline) = (self.plan, &self.plan.pipeline);
        if pipeline.kind == ImageKind::Docker {
            return format!(
                "{}.dkr.ecr.{}.amazonaws.com/{}:{}-{}",
                pipeline.account,
                pipeline.region,
                pipeline.image_name(),
                pipeline.version,
                u64::from(self.place.build) + 1
            );
        }
        let run = self.timeline.runs.len() as u8 - 1;
        let places = plan
            .workflows
            .iter()
            .enumerate()
            .flat_map(|(at, workflow)| {
                let steps = workflow.steps.iter().enumerate();
                steps.filter_map(move |(step, plan)| {
                    (plan.action == "CreateImage").then_some(Place {
                        run,
                        workflow: at as u8,
                        step: step as u8,
                        ..self.place
                    })
                })
            });
        self.ami(places.last().unwrap_or(Place { run, ..self.place }))
    }

    fn failure(&self, at: Place) -> FailureView {
        let workflow = &self.plan.workflows[usize::from(at.workflow)];
        let plan = self.step_plan(at);
        let timelines = &self.timeline.runs[usize::from(at.run)].workflows;
        let timeline = &timelines[usize::from(at.workflow)].steps[usize::from(at.step)];
        let last = timeline.phases.last();
        let last = last.filter(|phase| phase.status == StepStatus::Failed);
        let took = last.and_then(|phase| Some(phase.end? - phase.start?));
        let timeout = i64::from(self.tempo.timeout_seconds(plan.timeout)) * 1000;
        let timed_out = timeout > 0 && took.is_some_and(|took| took >= timeout);
        let component = (plan.action == "ExecuteComponents" && !timed_out).then(|| {
            let scripted = &plan.component;
            let (name, version) = (&scripted.name, &scripted.version);
            let phase = match workflow.kind {
                WorkflowKind::Test => "test",
                _ => "build",
            };
            ComponentView {
                arn: self.plan.arn(&format!("component/{name}/{version}")),
                phase: scripted.phase.clone().unwrap_or_else(|| phase.to_owned()),
                step: scripted.step.clone(),
                action: scripted.action.clone(),
                error: scripted.error.clone(),
            }
        });
        FailureView {
            stage: image::stage(workflow.kind),
            workflow_execution_id: ids::workflow_id(self.tempo.seed, at),
            workflow_arn: workflow.arn.clone(),
            step_execution_id: ids::step_id(self.tempo.seed, at),
            step: plan.name.clone(),
            timed_out,
            message: last
                .and_then(|phase| phase.message.clone())
                .unwrap_or_default(),
            component,
        }
    }
}

/// As the page of the user guide on failure context has it.
fn reason(failure: &FailureView) -> String {
    let what = match &failure.component {
        Some(component) => format!("Document {} failed!", component.arn),
        None => failure.message.clone(),
    };
    let id = &failure.workflow_execution_id;
    format!("Workflow Execution ID: '{id}' failed with reason: {what}")
}
