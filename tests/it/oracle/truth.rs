//! What a world does, and what of it a configuration selects: worked out apart from the exporter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::model::{
    Image, ImageArn, ImageStatus, StepExecution, StepExecutionId, Timestamp, WorkflowExecutionId,
    WorkflowStatus,
};
use imagebuilder_exporter::simulator::{PipelineView, WorkflowView, World};

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::poller::EPOCH;

/// Until when builds may begin.
pub const HORIZON: Duration = Duration::from_secs(48 * 3_600);

/// Every build of a world.
#[derive(Debug)]
pub struct Truth {
    pub world: Arc<World>,
    pub images: Vec<ImageTruth>,
}

#[derive(Debug)]
pub struct ImageTruth {
    pub arn: ImageArn,
    pub begins: Timestamp,
    pub listed_from: Timestamp,
    pub changes: Vec<Timestamp>,
    pub workflows: Vec<WorkflowTruth>,
}

#[derive(Debug)]
pub struct WorkflowTruth {
    pub id: WorkflowExecutionId,
    /// From when on it can be asked for.
    pub from: Timestamp,
    /// Every moment at which it, or one of its steps, changes.
    pub changes: Vec<Timestamp>,
    pub start: Option<Timestamp>,
    pub end: Timestamp,
    pub last_change: Timestamp,
    pub failed: bool,
    pub steps: Vec<StepTruth>,
}

#[derive(Debug)]
pub struct StepTruth {
    pub id: StepExecutionId,
    pub changes: Vec<Timestamp>,
    pub last: StepExecution,
}

impl Truth {
    pub fn of(world: Arc<World>) -> Self {
        let mut images: Vec<ImageTruth> = Vec::new();
        let far = EPOCH.plus(HORIZON * 2);
        for planned in world.planned_steps(HORIZON) {
            let arn = ImageArn::parse(&planned.image_arn).expect("it is one");
            if images.last().is_none_or(|image| image.arn != arn) {
                images.push(ImageTruth {
                    begins: planned.build_begins,
                    listed_from: world.image_listed_from(arn.as_str()).expect("it is built"),
                    changes: world.changes_of_image(arn.as_str()),
                    workflows: Vec::new(),
                    arn,
                });
            }
            let Some(image) = images.last_mut() else {
                continue;
            };
            let id = planned.workflow_execution_id;
            if image.workflows.last().is_none_or(|one| one.id != id) {
                let last = world.workflow(&id, far).expect("nothing is forgotten");
                let known = |at: &&Timestamp| world.workflow(&id, **at).is_some();
                let from = *image.changes.iter().find(known).expect("its run begins");
                let end = last.end.expect("everything ends");
                image.workflows.push(WorkflowTruth {
                    from,
                    changes: image.changes.iter().copied().chain(last.start).collect(),
                    start: last.start,
                    end,
                    last_change: end,
                    failed: matches!(
                        last.status,
                        WorkflowStatus::Failed | WorkflowStatus::RollbackCompleted
                    ),
                    steps: Vec::new(),
                    id,
                });
            }
            let Some(workflow) = image.workflows.last_mut() else {
                continue;
            };
            let changes = world.changes_of_step(&planned.id);
            workflow.changes.extend(&changes);
            workflow.changes.push(workflow.end);
            workflow.last_change = workflow.last_change.max(*changes.last().unwrap_or(&EPOCH));
            workflow.steps.push(StepTruth {
                id: planned.id,
                last: world.step(&planned.id, far).expect("it ran").to_model(),
                changes,
            });
        }
        Self { world, images }
    }

    /// When the last thing happens.
    pub fn end(&self) -> Timestamp {
        let workflows = self.images.iter().flat_map(|image| &image.workflows);
        let changes = self.images.iter().flat_map(|image| &image.changes);
        let all = workflows
            .map(|workflow| workflow.last_change)
            .chain(changes.copied());
        all.max().unwrap_or(EPOCH).max(EPOCH)
    }

    pub fn image(&self, image: &ImageTruth, now: Timestamp) -> Image {
        let view = self.world.image(image.arn.as_str(), now.max(image.begins));
        view.and_then(|view| view.to_model()).expect("it is kept")
    }

    pub fn workflow(&self, workflow: &WorkflowTruth, now: Timestamp) -> WorkflowView {
        let view = self.world.workflow(&workflow.id, now.max(workflow.from));
        view.expect("it is kept")
    }

    /// The statuses that an image had from `from` to `to`.
    pub fn statuses(&self, image: &ImageTruth, from: Timestamp, to: Timestamp) -> Vec<ImageStatus> {
        let moments = moments(&image.changes, from, to);
        moments.map(|at| self.image(image, at).status).collect()
    }

    /// The account's pipelines.
    pub fn pipelines(&self, now: Timestamp) -> Vec<PipelineView> {
        self.world.pipelines("us-west-2", None, now)
    }
}

impl ImageTruth {
    /// Its labels `image` and `image_version`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.arn.name(), self.arn.version())
    }
}

impl WorkflowTruth {
    /// Whether a step of it stays PENDING for ever.
    pub fn leaves_steps_pending(&self) -> bool {
        self.steps
            .iter()
            .any(|step| !step.last.status.is_terminal())
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.end
    }
}

/// `from`, and every change after it until `to`.
pub fn moments(
    changes: &[Timestamp],
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let within = changes.iter().filter(move |at| (from..=to).contains(at));
    std::iter::once(from).chain(within.copied())
}

/// What a target follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selectors {
    pub pipelines: Vec<&'static str>,
    pub images: Vec<&'static str>,
    /// The value of the tag `Team`.
    pub team: Option<&'static str>,
    pub without_pipelines: Vec<&'static str>,
    pub without_images: Vec<&'static str>,
    pub without_team: Option<&'static str>,
    pub named_images: Vec<ImageArn>,
    pub named_workflows: Vec<WorkflowExecutionId>,
    pub listed: Vec<StepExecutionId>,
}

/// Whether something is to be followed; `None` where that cannot be said.
type Verdict = Option<bool>;

impl Selectors {
    pub fn discovers(&self) -> bool {
        !self.images.is_empty() || !self.pipelines.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        let named = self.named_images.is_empty() && self.named_workflows.is_empty();
        !self.discovers() && named && self.listed.is_empty()
    }

    pub fn selects_pipeline(&self, pipeline: &PipelineView) -> bool {
        let name = pipeline.arn.rsplit('/').next().unwrap_or_default();
        any(&self.pipelines, name)
            && !any(&self.without_pipelines, name)
            && self.has_tags(&pipeline.tags)
    }

    pub fn selects_image_name(&self, image: &Image) -> bool {
        any(&self.images, image.arn.name())
            && !self.excludes_image(image)
            && self.has_tags(&image.tags)
    }

    fn excludes_image(&self, image: &Image) -> bool {
        any(&self.without_images, image.arn.name()) || self.excludes_tags(&image.tags)
    }

    fn has_tags(&self, tags: &BTreeMap<String, String>) -> bool {
        let team = tags.get("Team").map(String::as_str);
        self.team.is_none_or(|wanted| team == Some(wanted)) && !self.excludes_tags(tags)
    }

    fn excludes_tags(&self, tags: &BTreeMap<String, String>) -> bool {
        let team = tags.get("Team").map(String::as_str);
        self.without_team
            .is_some_and(|excluded| team == Some(excluded))
    }

    pub fn selects_image(&self, truth: &Truth, image: &ImageTruth, now: Timestamp) -> Verdict {
        let model = truth.image(image, now);
        if self.named_images.contains(&image.arn) || self.selects_image_name(&model) {
            return Some(true);
        }
        if self.excludes_image(&model) {
            return Some(false);
        }
        let Some(arn) = &model.pipeline else {
            return Some(false);
        };
        if let Some(pipeline) = truth.world.pipeline(arn.as_str(), now) {
            return Some(self.selects_pipeline(&pipeline));
        }
        // Its tags have gone with it.
        let named = any(&self.pipelines, arn.name()) && !any(&self.without_pipelines, arn.name());
        match self.team.is_none() && self.without_team.is_none() {
            true => Some(named),
            false => (!named).then_some(false),
        }
    }

    /// The configuration of one target with them, and these sections.
    pub fn write(&self, sections: &str) -> String {
        let mut keys = Vec::new();
        let mut add = |key: &str, values: Vec<String>| {
            if !values.is_empty() {
                keys.push(format!("{key}: {values:?}"));
            }
        };
        let globs = |globs: &[&str]| globs.iter().map(ToString::to_string).collect();
        add("pipelines", globs(&self.pipelines));
        add("images", globs(&self.images));
        let arns = self.named_images.iter().map(|arn| arn.as_str().to_owned());
        add("image_build_versions", arns.collect());
        let workflows = self.named_workflows.iter().map(ToString::to_string);
        add("workflow_executions", workflows.collect());
        let steps = self.listed.iter().map(ToString::to_string);
        add("step_executions", steps.collect());
        if self.discovers() {
            keys.extend(self.team.map(|team| format!("tags: {{Team: {team}}}")));
            keys.extend(self.write_exclude());
        }
        let target = TargetText::new("t").unlimited();
        let target = keys.iter().fold(target, |target, key| target.with(key));
        ConfigText::of([target]).with(sections).text()
    }

    fn write_exclude(&self) -> Option<String> {
        let mut keys = Vec::new();
        if !self.without_pipelines.is_empty() {
            keys.push(format!("pipelines: {:?}", self.without_pipelines));
        }
        if !self.without_images.is_empty() {
            keys.push(format!("images: {:?}", self.without_images));
        }
        keys.extend(
            self.without_team
                .map(|team| format!("tags: {{Team: {team}}}")),
        );
        (!keys.is_empty()).then(|| format!("exclude: {{{}}}", keys.join(", ")))
    }
}

/// Whether one of these globs matches.
fn any(globs: &[&str], name: &str) -> bool {
    globs.iter().any(|glob| match glob.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *glob == name,
    })
}
