//! Estimates the numbers of calls and series from the resources that were found.
//!
//! `docs/architecture.md` has the purpose of each call. The formula is that of `docs/api-calls.md`,
//! without the few percent by which polls are early.

use std::time::Duration;

use crate::config::{Config, StatusFormat};
use crate::model::{ImageStatus, RollbackStatus, StepStatus, WorkflowStatus};
use crate::tracker::HISTORY_RATE_PART;

/// The numbers from which calls and series are calculated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EstimateInput {
    /// Pages of the account's lists of pipelines and images; 0 for a list that is not needed.
    pub pipeline_pages: usize,
    pub image_pages: usize,
    /// Selected pipelines.
    pub pipelines: usize,
    /// Selectors of pipelines and images.
    pub selectors: usize,
    /// Names of selected images.
    pub image_names: usize,
    /// Selected images that are being built.
    pub running_images: usize,
    /// Images that are on `/metrics`, including those that are being built.
    pub kept_images: usize,
    /// Images created within the last day.
    pub built_in_a_day: usize,
    /// Workflow executions of an image, and the steps of all of them.
    pub workflows_of_image: usize,
    pub steps_of_image: usize,
    /// Whether the last two numbers are those of Amazon's own workflows, not of an image.
    pub shape_is_assumed: bool,
    /// Listed workflow executions that have not ended.
    pub running_workflows: usize,
    /// Listed images that are being built.
    pub running_named_images: usize,
    /// Listed workflow executions, running or ended.
    pub named_workflows: usize,
    /// Listed steps that have not ended, and their polls per hour.
    pub running_steps: usize,
    pub step_polls: f64,
    pub listed_steps: usize,
    /// Operations that the exporter calls.
    pub operations: usize,
    /// Builds that are read for the baselines.
    pub history_builds: usize,
    /// Names of images of which enough builds are read for baselines.
    pub typical_images: usize,
}

/// Amazon's build workflow has seven steps and its test workflow four.
pub(super) const ASSUMED_WORKFLOWS: usize = 2;
pub(super) const ASSUMED_STEPS: usize = 7 + 4;

/// Estimated calls per hour, and series.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    pub input: EstimateInput,
    /// Calls per hour while nothing runs.
    pub idle: f64,
    /// Additional calls per hour while one image is built.
    pub running_image: f64,
    /// Additional calls for each image.
    pub build: f64,
    /// Additional calls once after the start, for the baselines.
    pub history: usize,
    /// Calls per hour with the present builds.
    pub now: f64,
    /// Series of this target and region on `/metrics`.
    pub series: usize,
}

/// Discovery intervals between two lists of a running image's executions.
const DISCOVERIES_PER_LIST: u32 = 6;
/// Polls of the steps for one poll of their workflow execution, if it or its steps are listed.
const STEP_POLLS_PER_WORKFLOW_POLL: f64 = 10.0;

impl Estimate {
    /// Calculates the estimate.
    pub fn new(input: EstimateInput, config: &Config) -> Self {
        let an_hour = |interval: Duration| 3_600.0 / interval.as_secs_f64();
        let (interval, discovery) = (config.polling.interval, config.polling.discovery_interval);
        // Each discovery pass reads every page of the account's lists.
        let idle = (input.pipeline_pages + input.image_pages) as f64 * an_hour(discovery);
        // One execution of an image runs at a time: its steps are listed each interval, and the
        // image's executions rarely.
        let running_image = an_hour(interval) + an_hour(discovery * DISCOVERIES_PER_LIST);
        let (workflows, steps) = (input.workflows_of_image as f64, input.steps_of_image as f64);
        // One GetImage. The executions are listed at three changes of the image's state and at the
        // end of each execution. An execution takes one Get, one Get for each step, and three Lists
        // of its steps at its beginning and end.
        let build = 1.0 + (3.0 + workflows) + workflows + steps + 3.0 * workflows;
        let polls = input.running_workflows as f64 * an_hour(interval) + input.step_polls;
        // A listed image takes a call of its own.
        let named = polls * (1.0 + 1.0 / STEP_POLLS_PER_WORKFLOW_POLL)
            + input.running_named_images as f64 * an_hour(discovery);
        let now = idle + named + input.running_images as f64 * running_image;
        let series = series(&input, config);
        // A list of the executions, and one of the steps of each.
        let history = input.history_builds * (1 + input.workflows_of_image);
        Self {
            input,
            history,
            idle,
            running_image,
            build,
            now,
            series,
        }
    }

    /// Returns the part of the rate limit that the present builds use.
    pub fn share(&self, requests_per_second: f64) -> f64 {
        self.now / (requests_per_second * 3_600.0)
    }

    /// Returns how long the calls for the baselines take at least.
    pub fn history_takes(&self, requests_per_second: f64) -> Duration {
        let seconds = self.history as f64 / (requests_per_second * HISTORY_RATE_PART);
        let unit = if seconds > 60.0 { 60.0 } else { 1.0 };
        // A century stands for longer.
        Duration::from_secs_f64(((seconds / unit).ceil() * unit).min(3e9))
    }

    /// Returns the number of images that can be built at the same time within the rate limit;
    /// `None` if it is unlimited.
    pub fn most_running(&self, requests_per_second: f64) -> Option<usize> {
        let remaining = requests_per_second * 3_600.0 - self.idle;
        (self.running_image > 0.0).then(|| (remaining / self.running_image).max(0.0) as usize)
    }
}

/// Returns the number of series on `/metrics`.
fn series(input: &EstimateInput, config: &Config) -> usize {
    // A status has a series for each possible value, or a single one.
    let status = |known: usize, most: usize| match config.metrics.status_format {
        StatusFormat::Stateset => known,
        StatusFormat::Sparse => most,
    };
    let budget = match config.duration_budgets.is_empty() {
        true => 0,
        false => 2,
    };
    // Info, start, end, duration, timeout, timeout breach, waiting, and three about polls. A
    // rollback is rare, so its sparse status counts as none.
    let step =
        10 + budget + status(StepStatus::KNOWN.len(), 1) + status(RollbackStatus::KNOWN.len(), 0);
    // Info, three counts of steps, planned steps, start, end, duration, retried.
    let workflow = 9 + status(WorkflowStatus::KNOWN.len(), 1);
    // Info and creation.
    let image = 2 + status(ImageStatus::KNOWN.len(), 1);
    // Info, enabled, last and next run, failures.
    let pipeline = 5 + status(ImageStatus::KNOWN.len(), 1);
    // COMPLETED and FAILED: a counter, and a histogram with one more bucket, sum and count.
    let finished = 2 * (1 + config.metrics.duration_buckets.len() + 3);

    let workflows = input.kept_images * input.workflows_of_image + input.named_workflows;
    // A listed workflow execution is taken to have as many steps as one of an image.
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
        + of_baselines(input, config)
        + of_exporter(input)
}

/// Returns the number of series about usual durations: one of each step, and two of a running step, a
/// running workflow execution and a running image together.
fn of_baselines(input: &EstimateInput, config: &Config) -> usize {
    const OF_RUNNING: usize = 2 + 1 + 1;
    const STATES: usize = 3;
    if !config.baselines.enabled {
        return 0;
    }
    let states = match config.baselines.builds() {
        0 => 0,
        _ => STATES,
    };
    input.typical_images * input.steps_of_image + input.running_images * OF_RUNNING + states
}

/// Returns the number of series about the exporter: a counter for each operation and result,
/// histograms of call durations and of the poll lag, and some single ones.
fn of_exporter(input: &EstimateInput) -> usize {
    const OPERATIONS_AND_RESULTS: usize = 7 * 9;
    const HISTOGRAM: usize = 12 + 3;
    const ONCE: usize = 8;
    OPERATIONS_AND_RESULTS + (input.operations + 1) * HISTOGRAM + ONCE + input.selectors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::format_duration;

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
    fn running_image_takes_one_list_of_steps_an_interval_and_rare_lists_of_executions() {
        let running = EstimateInput {
            running_images: 3,
            ..input()
        };
        let estimate = Estimate::new(running, &config(""));
        // 120 lists of steps, 5 lists of executions.
        assert_eq!(estimate.running_image, 125.0);
        assert_eq!(estimate.now, 120.0 + 3.0 * 125.0);
        // GetImage; 5 lists of executions; 2 Gets of executions; 11 Gets and 6 lists of steps.
        assert_eq!(estimate.build, 1.0 + 5.0 + 2.0 + 11.0 + 6.0);
    }

    #[test]
    fn listed_step_takes_one_get_an_interval_and_a_tenth_for_its_workflow_execution() {
        let listed = EstimateInput {
            running_steps: 2,
            // One step with an interval of 30 s, one with 10 s.
            step_polls: 120.0 + 360.0,
            running_workflows: 1,
            ..EstimateInput::default()
        };
        let estimate = Estimate::new(listed, &config(""));
        assert_eq!(estimate.idle, 0.0);
        assert_eq!(estimate.now.round(), (120.0 + 120.0 + 360.0) * 1.1);
    }

    #[test]
    fn rate_limit_determines_the_number_of_concurrent_builds() {
        let running = EstimateInput {
            running_images: 10,
            ..input()
        };
        let estimate = Estimate::new(running, &config(""));
        // The limit is 18 000 calls an hour; the lists take 120.
        assert_eq!(estimate.most_running(5.0), Some(143));
        assert_eq!(estimate.share(5.0), 1_370.0 / 18_000.0);
        assert_eq!(estimate.most_running(0.001), Some(0));
    }

    #[test]
    fn earlier_build_takes_a_list_and_one_for_each_of_its_executions_once() {
        let history = EstimateInput {
            history_builds: 500,
            ..input()
        };
        let estimate = Estimate::new(history, &config(""));
        assert_eq!(estimate.history, 1_500);
        let takes = |rate| format_duration(estimate.history_takes(rate));
        assert_eq!([takes(5.0), takes(6.0), takes(50.0)], ["10m", "9m", "1m"]);
        assert_eq!([takes(51.0), takes(1e9)], ["59s", "1s"]);
        assert_eq!(estimate.history_takes(1e-300).as_secs(), 3_000_000_000);
    }

    #[test]
    fn baselines_that_are_disabled_have_no_series() {
        let typical = EstimateInput {
            typical_images: 10,
            running_images: 2,
            ..input()
        };
        let enabled = Estimate::new(typical.clone(), &config("")).series;
        let disabled = Estimate::new(typical, &config("baselines: {enabled: false}")).series;
        // Of each of 10 images 11 steps, of 2 running ones 4 series each, and three states.
        assert_eq!(enabled - disabled, 10 * 11 + 2 * 4 + 3);
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
        // 10 images with 2 executions and 11 steps each. Sparse saves 5 of 6 statuses and 4 rollback
        // statuses of a step, 7 statuses of an execution and 11 of an image.
        assert_eq!(stateset - sparse, 110 * (5 + 4) + 20 * 7 + 10 * 11);
    }
}
