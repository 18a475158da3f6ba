//! Stores what the responses returned, and selects the next resources to request.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::Caller;
use crate::config::{ListedStep, Metrics, Polling, Target};
use crate::model::{
    Image, ImageArn, ImageStatus, Pipeline, StepExecution, StepExecutionId, Timestamp,
    WorkflowExecution, WorkflowExecutionId,
};
use crate::tracker::Selection;

/// The resources that were read.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// All pipelines and images of the account, and the numbers of their list pages.
    pub pipelines: Vec<Pipeline>,
    pub pipeline_pages: usize,
    pub images: Vec<Image>,
    pub image_pages: usize,
    /// Resources that the configuration names and the service knows.
    pub named_images: Vec<Image>,
    pub named_workflows: Vec<(WorkflowExecutionId, WorkflowExecution)>,
    pub named_steps: Vec<(StepExecutionId, StepExecution)>,
    /// Numbers of requested resources that the service does not know.
    pub unknown_workflows: usize,
    pub unknown_steps: usize,
    /// The workflow executions of one inspected image.
    pub workflows: Vec<(WorkflowExecutionId, Option<WorkflowExecution>)>,
    /// The number of steps of one inspected workflow execution, and one of these steps.
    pub steps: Option<usize>,
    pub step: Option<StepExecutionId>,
}

/// Returns the images that the exporter would track, judged by names, tags and recipes. The list
/// does not return the pipeline that built an image, but a pipeline has its current recipe.
pub(super) fn selected_images<'a>(found: &'a Found, selection: &Selection) -> Vec<&'a Image> {
    let pipelines =
        { found.pipelines.iter() }.filter(|pipeline| selection.chooses_pipeline(pipeline));
    let built: BTreeSet<(&str, &str)> = pipelines
        .filter_map(|pipeline| Some((pipeline.arn.account_id(), pipeline.recipe.as_deref()?)))
        .collect();
    let is_selected = |image: &&Image| {
        let key = (image.arn.account_id(), image.arn.name());
        selection.chooses_image(image) || (built.contains(&key) && !selection.excludes_image(image))
    };
    let listed = found.images.iter().filter(is_selected);
    let named = found.named_images.iter();
    let mut seen = BTreeSet::new();
    let all = named.chain(listed);
    all.filter(|image| seen.insert(&image.arn)).collect()
}

/// Returns the number of builds that are read for the baselines, for each image name.
pub(super) fn builds_for_baselines(selected: &[&Image], most: usize) -> Vec<usize> {
    let mut builds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for image in selected {
        if image.status == ImageStatus::Available {
            let key = (image.arn.account_id(), image.arn.name());
            *builds.entry(key).or_default() += 1;
        }
    }
    builds.into_values().map(|count| count.min(most)).collect()
}

/// Returns whether the image is on `/metrics`, if its build ended soon after its creation.
pub(super) fn is_kept(image: &Image, metrics: &Metrics, now: Timestamp) -> bool {
    let retention = match image.status {
        ImageStatus::Failed => metrics.retention_failed,
        _ => metrics.retention,
    };
    let is_young = |created: Timestamp| created.plus(retention) > now;
    !image.status.is_terminal() || image.created.is_some_and(is_young)
}

/// Estimates the number of running listed workflow executions. Those that were not requested are
/// taken to be like those that were.
pub(super) fn running_workflows(found: &Found, target: &Target) -> usize {
    let listed = target.workflow_executions.len();
    let requested = found.named_workflows.iter();
    let running = requested.filter(|(_, workflow)| !workflow.status.is_terminal());
    match found.named_workflows.len() + found.unknown_workflows {
        0 => listed,
        requested => running.count() * listed / requested,
    }
}

/// The listed steps that are running.
#[derive(Debug, PartialEq)]
pub(super) struct RunningSteps {
    pub count: usize,
    /// Polls per hour. The steps of one workflow execution share a List, at the shortest interval
    /// among them.
    pub polls: f64,
}

/// Estimates the running listed steps. Steps that were not requested are taken to be like those
/// that were. Without any response, all are taken to run, each in its own workflow execution.
pub(super) fn running_steps(found: &Found, target: &Target, polling: &Polling) -> RunningSteps {
    let listed = &target.step_executions;
    let an_hour = |step: &ListedStep| 3_600.0 / step.interval(polling).as_secs_f64();
    let requested = found.named_steps.len() + found.unknown_steps;
    if requested == 0 {
        return RunningSteps {
            count: listed.len(),
            polls: listed.iter().map(an_hour).sum(),
        };
    }
    let mut count = 0;
    let mut alone = 0.0;
    let mut of_workflows: BTreeMap<WorkflowExecutionId, f64> = BTreeMap::new();
    for (id, execution) in &found.named_steps {
        let step = listed.iter().find(|step| step.id == *id);
        let Some(step) = step.filter(|_| !execution.status.is_terminal()) else {
            continue;
        };
        count += 1;
        let polls = an_hour(step);
        match execution.workflow_execution_id {
            Some(workflow) => {
                let most = of_workflows.entry(workflow).or_default();
                *most = most.max(polls);
            }
            None => alone += polls,
        }
    }
    let all = listed.len() as f64 / requested as f64;
    RunningSteps {
        count: (f64::from(count) * all).round() as usize,
        polls: (alone + of_workflows.values().sum::<f64>()) * all,
    }
}

/// Orders the images by how likely they have workflow executions: first the newest available
/// image, then the newest that is being built, then the others by age.
pub(super) fn images_to_inspect(mut images: Vec<&Image>) -> Vec<ImageArn> {
    images.sort_by_key(|image| std::cmp::Reverse(image.created));
    let first = |wanted: fn(&Image) -> bool| images.iter().find(|image| wanted(image));
    let available = first(|image| image.status == ImageStatus::Available);
    let running = first(|image| !image.status.is_terminal());
    let best = available.into_iter().chain(running);
    let mut seen = BTreeSet::new();
    best.chain(&images)
        .filter(|image| seen.insert(&image.arn))
        .map(|image| image.arn.clone())
        .collect()
}

/// Returns the ARN of an image that does not exist, in the caller's account. Its name matches a
/// selector of the target if possible, because permissions may be limited to names.
pub(super) fn unknown_image(target: &Target, region: &str, caller: Option<&Caller>) -> ImageArn {
    let role = target
        .assume_role
        .as_ref()
        .map(|role| role.role_arn.as_str());
    let own_arn = caller.map(|caller| caller.arn.as_str()).or(role);
    let part = |at: usize| own_arn.and_then(|arn| arn.split(':').nth(at));
    let of_region = match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let (partition, account) = (part(1).unwrap_or(of_region), part(4));
    let account = account.unwrap_or("000000000000");
    let of_name = |name: &str| {
        let arn = format!("arn:{partition}:imagebuilder:{region}:{account}:image/{name}/0.0.0/1");
        ImageArn::parse(&arn)
    };
    let fallback = "arn:aws:imagebuilder:us-east-1:000000000000:image/none/0.0.0/1";
    let patterns = target.images.iter().map(globset::Glob::glob);
    patterns
        .filter(|pattern| pattern.contains(|c: char| c.is_ascii_alphanumeric()))
        .map(|pattern| pattern.replace(['*', '?'], "0"))
        .find_map(|name| of_name(&name))
        .or_else(|| of_name("imagebuilder-exporter-doctor"))
        .or_else(|| ImageArn::parse(fallback))
        .expect("the last one is the ARN of an image")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::StepStatus;

    fn image(name: &str, status: ImageStatus, created: i64) -> Image {
        let arn = format!("arn:aws:imagebuilder:us-west-2:111122223333:image/{name}/1.0.0/1");
        Image {
            created: Some(Timestamp::from_millis(created)),
            ..Image::with_status(ImageArn::parse(&arn).unwrap(), status)
        }
    }

    fn config(lists: &str) -> Config {
        let text = format!("targets: [{{name: t, regions: [us-west-2], {lists}}}]");
        Config::read("test.yaml", &text, &|_| None).unwrap().config
    }

    #[test]
    fn newest_available_image_is_inspected_first_and_then_the_newest_running_build() {
        let images = [
            image("old", ImageStatus::Available, 1),
            image("failed", ImageStatus::Failed, 5),
            image("running", ImageStatus::Building, 3),
            image("available", ImageStatus::Available, 2),
        ];
        let order = images_to_inspect(images.iter().collect());
        let names: Vec<_> = order.iter().map(ImageArn::name).collect();
        assert_eq!(names, ["available", "running", "failed", "old"]);
    }

    #[test]
    fn earlier_builds_count_by_name_as_far_as_they_are_read() {
        let available = |name| image(name, ImageStatus::Available, 1);
        let images = [
            available("one"),
            image("failed", ImageStatus::Failed, 1),
            available("many"),
            available("many"),
            available("many"),
        ];
        let selected: Vec<_> = images.iter().collect();
        assert_eq!(builds_for_baselines(&selected, 2), [2, 1]);
        assert_eq!(builds_for_baselines(&selected, 0), [0, 0]);
    }

    #[test]
    fn image_is_kept_during_its_build_and_for_the_retention_of_its_status() {
        let metrics = config("images: ['*']").metrics;
        let hours = |hours: i64| hours * 3_600_000;
        let now = Timestamp::from_millis(hours(30));
        for (status, created, kept) in [
            (ImageStatus::Building, 0, true),
            (ImageStatus::Available, hours(29), true),
            (ImageStatus::Available, hours(27), false),
            (ImageStatus::Failed, hours(7), true),
            (ImageStatus::Failed, hours(5), false),
        ] {
            let image = image("golden", status, created);
            assert_eq!(is_kept(&image, &metrics, now), kept, "{image:?}");
        }
    }

    #[test]
    fn unknown_image_is_in_the_callers_account_and_has_a_selected_name() {
        let caller = Caller {
            account: "111122223333".to_owned(),
            arn: "arn:aws-cn:sts::111122223333:assumed-role/r/s".to_owned(),
        };
        for (lists, name) in [
            ("images: ['golden-*']", "golden-0"),
            ("images: ['[a-z]*', 'win?']", "win0"),
            (
                "pipelines: ['*'], images: ['*']",
                "imagebuilder-exporter-doctor",
            ),
        ] {
            let target = &config(lists).targets[0];
            let arn = unknown_image(target, "cn-north-1", Some(&caller));
            let expected =
                format!("arn:aws-cn:imagebuilder:cn-north-1:111122223333:image/{name}/0.0.0/1");
            assert_eq!(arn.as_str(), expected);
            let arn = unknown_image(target, "us-gov-west-1", None);
            assert!(arn.as_str().starts_with("arn:aws-us-gov:"), "{arn:?}");
        }
    }

    #[test]
    fn images_are_selected_by_name_or_by_the_recipe_of_a_selected_pipeline() {
        let found = Found {
            images: vec![
                image("base", ImageStatus::Available, 1),
                image("golden-linux", ImageStatus::Available, 1),
                image("other", ImageStatus::Available, 1),
            ],
            pipelines: vec![Pipeline {
                recipe: Some("base".to_owned()),
                ..Pipeline::with_arn(
                    crate::model::PipelineArn::parse(
                        "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/nightly",
                    )
                    .unwrap(),
                )
            }],
            ..Found::default()
        };
        let target = &config("pipelines: [nightly], images: ['golden-*']").targets[0];
        let selection = Selection::new(target, "us-west-2");
        let selected = selected_images(&found, &selection);
        let names: Vec<_> = selected.iter().map(|image| image.arn.name()).collect();
        assert_eq!(names, ["base", "golden-linux"]);
    }

    #[test]
    fn steps_of_one_execution_share_polls_and_unrequested_steps_are_extrapolated() {
        let id = |number: usize| format!("step-00000000-0000-0000-0000-{number:012}");
        let all: Vec<String> = (0..20).map(id).collect();
        let lists = format!(
            "step_executions: [{{id: {}, interval: 10s}}, {}]",
            all[0],
            all[1..].join(", ")
        );
        let config = config(&lists);
        let (target, polling) = (&config.targets[0], &config.polling);
        let step = |number: usize, status: StepStatus, workflow: Option<&str>| {
            let step = StepExecution {
                workflow_execution_id: workflow.map(|id| id.parse().unwrap()),
                ..StepExecution::with_status(status)
            };
            (id(number).parse().unwrap(), step)
        };
        let one = Some("wf-00000000-0000-0000-0000-000000000001");
        let other = Some("wf-00000000-0000-0000-0000-000000000002");
        let found = Found {
            named_steps: vec![
                step(0, StepStatus::Running, one),
                step(1, StepStatus::Pending, one),
                step(2, StepStatus::Running, None),
                step(3, StepStatus::Completed, other),
            ],
            unknown_steps: 1,
            ..Found::default()
        };
        // Five of twenty steps were requested; they take 360 and 120 polls an hour.
        let running = RunningSteps {
            count: 12,
            polls: 4.0 * (360.0 + 120.0),
        };
        assert_eq!(running_steps(&found, target, polling), running);
        let denied = RunningSteps {
            count: 20,
            polls: 360.0 + 19.0 * 120.0,
        };
        assert_eq!(running_steps(&Found::default(), target, polling), denied);
    }
}
