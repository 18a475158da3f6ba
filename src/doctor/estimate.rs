//! How many calls and series to expect: plain arithmetic over what was found.
//!
//! What each call is made for is in `docs/architecture.md`; the formula is that of `docs/api-calls.md`,
//! without the little by which calls are made early.

use std::time::Duration;

use crate::config::{Config, StatusFormat};
use crate::model::{ImageStatus, RollbackStatus, StepStatus, WorkflowStatus};

/// What the arithmetic starts from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EstimateInput {
    /// Pages that the account's pipelines and images take; 0 of a list that is not needed.
    pub pipeline_pages: usize,
    pub image_pages: usize,
    /// Those that are followed.
    pub pipelines: usize,
    /// Patterns and ARNs of pipelines, and patterns of images.
    pub selectors: usize,
    /// Names of images that are followed.
    pub image_names: usize,
    /// Images that are followed and being built.
    pub running_images: usize,
    /// Images that are on `/metrics`, those included.
    pub kept_images: usize,
    /// Images that were created within the last day.
    pub built_in_a_day: usize,
    /// Workflow executions of an image, and steps of these together.
    pub workflows_of_image: usize,
    pub steps_of_image: usize,
    /// Whether these two were not found but are what Amazon's own workflows have.
    pub shape_is_assumed: bool,
    /// Workflow executions that are named and have not ended.
    pub running_workflows: usize,
    /// Of the images that are being built, those that are named.
    pub running_named_images: usize,
    /// Named, whether they have ended or not.
    pub named_workflows: usize,
    /// Listed steps that have not ended, and how often an hour is asked for them.
    pub running_steps: usize,
    pub step_polls: f64,
    pub listed_steps: usize,
    /// Operations that are called.
    pub operations: usize,
}

/// Amazon's build workflow has seven steps and its test workflow four.
pub(super) const ASSUMED_WORKFLOWS: usize = 2;
pub(super) const ASSUMED_STEPS: usize = 7 + 4;

/// Calls an hour, and series.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    pub input: EstimateInput,
    /// While nothing runs.
    pub idle: f64,
    /// On top of it, while one image is built.
    pub running_image: f64,
    /// Once for each image, beside that.
    pub build: f64,
    /// While what runs now runs.
    pub now: f64,
    /// On `/metrics`, of this target and region.
    pub series: usize,
}

/// Polls of a running image's list of executions are so many discovery intervals apart.
const LISTED_EVERY: u32 = 6;
/// A workflow execution that is named, or whose steps are, is asked for so many times more seldom
/// than its steps.
const WORKFLOW_SELDOM: f64 = 10.0;

impl Estimate {
    pub fn new(input: EstimateInput, config: &Config) -> Self {
        let an_hour = |interval: Duration| 3_600.0 / interval.as_secs_f64();
        let (interval, discovery) = (config.polling.interval, config.polling.discovery_interval);
        // Each round reads every page of the account's lists.
        let idle = (input.pipeline_pages + input.image_pages) as f64 * an_hour(discovery);
        // A List of the steps of the execution that runs, as an image's run one after the other; and
        // seldom one of the image's executions.
        let running_image = an_hour(interval) + an_hour(discovery * LISTED_EVERY);
        let (workflows, steps) = (input.workflows_of_image as f64, input.steps_of_image as f64);
        // One GetImage; its executions are listed at three changes of its state and at the end of
        // each execution; of that, one Get, one of each of its steps, and three Lists at its begin
        // and end.
        let build = 1.0 + (3.0 + workflows) + workflows + steps + 3.0 * workflows;
        let polls = input.running_workflows as f64 * an_hour(interval) + input.step_polls;
        // An image that is named is no line of a list.
        let named = polls * (1.0 + 1.0 / WORKFLOW_SELDOM)
            + input.running_named_images as f64 * an_hour(discovery);
        let now = idle + named + input.running_images as f64 * running_image;
        let series = series(&input, config);
        Self {
            input,
            idle,
            running_image,
            build,
            now,
            series,
        }
    }

    /// The part of a rate limit that is used while what runs now runs.
    pub fn share(&self, requests_per_second: f64) -> f64 {
        self.now / (requests_per_second * 3_600.0)
    }

    /// How many images can be built at the same time within a rate limit; `None` of no end to them.
    pub fn most_running(&self, requests_per_second: f64) -> Option<usize> {
        let left = requests_per_second * 3_600.0 - self.idle;
        (self.running_image > 0.0).then(|| (left / self.running_image).max(0.0) as usize)
    }
}

/// The series of what there is on `/metrics`.
fn series(input: &EstimateInput, config: &Config) -> usize {
    // A status is a series for each value that it can have, or one.
    let status = |known: usize, most: usize| match config.metrics.status_format {
        StatusFormat::Stateset => known,
        StatusFormat::Sparse => most,
    };
    let budget = match config.duration_budgets.is_empty() {
        true => 0,
        false => 2,
    };
    // Info, start, end, duration, timeout, its breach, waiting, and three about its polling; that it
    // is rolled back is seldom.
    let step =
        10 + budget + status(StepStatus::KNOWN.len(), 1) + status(RollbackStatus::KNOWN.len(), 0);
    // Info, three counts of steps, how many are planned, start, end, duration, retried.
    let workflow = 9 + status(WorkflowStatus::KNOWN.len(), 1);
    // Info and creation.
    let image = 2 + status(ImageStatus::KNOWN.len(), 1);
    // Info, enabled, last and next run, failures.
    let pipeline = 5 + status(ImageStatus::KNOWN.len(), 1);
    // COMPLETED and FAILED: a counter, and a histogram with one more bucket, sum and count.
    let finished = 2 * (1 + config.metrics.duration_buckets.len() + 3);

    let workflows = input.kept_images * input.workflows_of_image + input.named_workflows;
    // A workflow execution that is named has as many as an image's has.
    let of_named = input.named_workflows * input.steps_of_image / input.workflows_of_image.max(1);
    let single = of_named + input.listed_steps;
    let steps = input.kept_images * input.steps_of_image + single;
    let step_names = input.image_names.min(input.kept_images) * input.steps_of_image + single;
    steps * step
        + workflows * workflow
        + input.kept_images * image
        + input.image_names
        + input.pipelines * pipeline
        + step_names * finished
        + of_exporter(input)
}

/// About the exporter: a count of each operation and result, durations of those that are called,
/// lateness, and what there is one or a few of.
fn of_exporter(input: &EstimateInput) -> usize {
    const OPERATIONS_AND_RESULTS: usize = 7 * 9;
    const HISTOGRAM: usize = 12 + 3;
    const ONCE: usize = 8;
    OPERATIONS_AND_RESULTS + (input.operations + 1) * HISTOGRAM + ONCE + input.selectors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!("{more}\ntargets: [{{name: t, regions: [us-west-2], images: ['*']}}]");
        Config::read("test.yaml", &text, &|_| None).unwrap().config
    }

    fn input() -> EstimateInput {
        EstimateInput {
            pipeline_pages: 1,
            image_pages: 3,
            workflows_of_image: 2,
            steps_of_image: 11,
            ..EstimateInput::default()
        }
    }

    #[test]
    fn every_page_of_a_list_is_a_call_each_discovery_interval() {
        let estimate = Estimate::new(input(), &config(""));
        // 4 pages, 30 times an hour.
        assert_eq!(estimate.idle, 120.0);
        assert_eq!(estimate.now, 120.0);
        let fast = Estimate::new(input(), &config("polling: {discovery_interval: 30s}"));
        assert_eq!(fast.idle, 480.0);
    }

    #[test]
    fn image_that_is_built_is_a_list_an_interval_and_one_of_its_executions_now_and_then() {
        let running = EstimateInput {
            running_images: 3,
            ..input()
        };
        let estimate = Estimate::new(running, &config(""));
        // 120 of its steps, 5 of its executions.
        assert_eq!(estimate.running_image, 125.0);
        assert_eq!(estimate.now, 120.0 + 3.0 * 125.0);
        // GetImage; 5 lists of executions; 2 Gets of them; 11 of steps; 6 lists of steps.
        assert_eq!(estimate.build, 1.0 + 5.0 + 2.0 + 11.0 + 6.0);
    }

    #[test]
    fn listed_step_is_a_get_an_interval_of_its_own_and_some_of_its_workflow_execution() {
        let listed = EstimateInput {
            running_steps: 2,
            // One each 30 s, one each 10 s.
            step_polls: 120.0 + 360.0,
            running_workflows: 1,
            ..EstimateInput::default()
        };
        let estimate = Estimate::new(listed, &config(""));
        assert_eq!(estimate.idle, 0.0);
        assert_eq!(estimate.now.round(), (120.0 + 120.0 + 360.0) * 1.1);
    }

    #[test]
    fn rate_limit_is_enough_for_so_many_images_at_a_time() {
        let running = EstimateInput {
            running_images: 10,
            ..input()
        };
        let estimate = Estimate::new(running, &config(""));
        // 18 000 an hour, of which the lists take 120.
        assert_eq!(estimate.most_running(5.0), Some(143));
        assert_eq!(estimate.share(5.0), 1_370.0 / 18_000.0);
        assert_eq!(estimate.most_running(0.001), Some(0));
    }

    #[test]
    fn sparse_statuses_take_fewer_series() {
        let kept = EstimateInput {
            kept_images: 10,
            image_names: 2,
            ..input()
        };
        let stateset = Estimate::new(kept.clone(), &config("")).series;
        let sparse = Estimate::new(kept, &config("metrics: {status_format: sparse}")).series;
        // 10 images of 2 executions and 11 steps: 5 of 6 and 4 statuses of a step, 7 of an execution,
        // 11 of an image.
        assert_eq!(stateset - sparse, 110 * (5 + 4) + 20 * 7 + 10 * 11);
    }
}
