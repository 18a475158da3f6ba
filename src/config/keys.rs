//! Declares every configuration key, each once.
//!
//! A new key is a row here. Its field, the code that reads and writes it, its line in
//! docs/configuration.md and its entry in the JSON Schemas come from the row.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use globset::Glob;

use super::files::StepLists;
use super::labels::{LABELS, TAG_LABELS, TagLabel};
use super::lists::{BUCKETS, List, Optional, Rare, Shared, TextOr};
use super::names::{GLOB, TAGS, name_globs};
use super::section::{
    Absent, Default, Entries, Fallback, Required, Settings, joined, mapping, section, shape_of,
};
use super::shape::{Key, LeftOut, Section, Shape};
use super::target::{
    ENDPOINT_URL, EXTERNAL_ID, IMAGE_ARNS, IMAGES, NAME, PIPELINES, PROFILE, PipelineSelector,
    REGIONS, ROLE_ARN, SESSION_NAME, STEP_ID, WORKFLOW_IDS, exclude_rules, target_rules,
};
use super::values::{DURATION, DURATION_OR_ZERO, SWITCH, Single, count, number, text};
use super::yaml::Yaml;
use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId};

section! {
    /// Top level of the file.
    struct Config {
        /// Polling intervals and limits of API calls.
        polling: Polling = mapping(), Default("{}");
        /// Content of `/metrics`, and retention.
        metrics: Metrics = mapping(), Default("{}");
        /// Your own limits on the duration of steps, shorter than the service's timeouts. The first
        /// entry that matches a step applies.
        duration_budgets: Vec<DurationBudget> = List {
            of: mapping(),
            wanted: "a list of budgets, where each item begins with a dash",
            empty: None,
        }, Absent("none");
        /// The usual duration of each step, from its last executions that COMPLETED, and steps that
        /// take much longer.
        baselines: BaselineSettings = mapping(), Default("{}");
        /// Resources to track, with their credentials and regions. At least one target.
        targets: Vec<Target> = List {
            of: mapping(),
            wanted: "a list of targets, where each item begins with a dash",
            empty: Some("is empty; add at least one target"),
        }, Required("targets: [{name: production, regions: [us-west-2], pipelines: [\"*\"]}]");
    }
}

section! {
    /// Polling intervals and limits of API calls.
    struct Polling {
        /// Interval between two polls of a step that can still change. Above 0.
        interval: Duration = DURATION, Default("30s");
        /// Interval between two discovery passes, which find new images and workflow executions.
        /// Above 0.
        discovery_interval: Duration = DURATION, Default("2m");
        /// Timeout of one attempt of an API call. Above 0.
        request_timeout: Duration = DURATION, Default("10s");
        /// Maximum number of concurrent API calls, for each target and region: 1 to 10000.
        max_concurrent_requests: NonZeroUsize = CONCURRENCY, Default("16");
        /// Reads `outputs` of a failed step: the error, the id of the Systems Manager command and the
        /// location of its log bundle. Also reads the id of the instance that a step launched, and
        /// nothing else of `outputs`. `false`: reads nothing of `outputs`.
        failure_details: bool = SWITCH, Default("true");
    }
}

const CONCURRENCY: Single<NonZeroUsize> = Single {
    read: |field| NonZeroUsize::new(count(field, 1, 10_000)? as usize),
    write: |count| Yaml::Plain(count.to_string()),
    shape: || Shape::Count {
        least: 1,
        most: 10_000,
    },
};

section! {
    /// Content of `/metrics`, and retention.
    struct Metrics {
        /// Series that expose a status. `stateset`: one for each possible status, 0 or 1. `sparse`:
        /// only the current status, always 1.
        status_format: StatusFormat = STATUS_FORMAT, Default("stateset");
        /// Time from the end of a discovered execution until its eviction, if it did not fail.
        /// Above 0.
        retention: Duration = DURATION, Default("2h");
        /// Time from the end of a discovered execution until its eviction, if its image or workflow
        /// failed. Above 0.
        retention_failed: Duration = DURATION, Default("24h");
        /// Time for which a new counter series is 0 before it counts, so that `increase()` includes the
        /// first event. Must be longer than the scrape interval. `0s`: counts immediately.
        counter_warmup: Duration = DURATION_OR_ZERO, Default("2m");
        /// Time for which the counters, histograms and usual durations of finished steps stay after their
        /// image name was last in use: while its executions are tracked, or its builds or pipeline are
        /// in the account. At least 1 hour. `0s`: until the exporter ends.
        counter_retention: Duration = COUNTER_RETENTION, Default("7d");
        /// Buckets of `imagebuilder_workflow_step_finished_duration_seconds` in ascending order: 1 to 50
        /// unique durations, each above 0.
        duration_buckets: Vec<Duration> = BUCKETS, Default(
            "[15s, 30s, 1m, 2m, 5m, 10m, 20m, 30m, 1h, 2h, 4h, 12h]"
        );
        /// Tag keys to expose as labels of the `_info` series. The label name is `tag_` plus the key,
        /// where `_` replaces each character except letters, digits and `_`: `cost-center` becomes
        /// `tag_cost_center`. Each label name must be unique.
        tag_labels: Vec<TagLabel> = TAG_LABELS, Default("[]");
        /// Exposes `imagebuilder_workflow_step_message_info` with `message` of the service, which is
        /// free text from components and other services.
        message_labels: bool = SWITCH, Default("false");
        /// Maximum number of series of resources and finished steps in a scrape, over all targets and
        /// regions. Beyond it, whole resources are kept out of `/metrics`, settled and oldest ones
        /// first. `0`: no limit.
        series_limit: u32 = SERIES_LIMIT, Default("2000000");
    }
}

/// The names are reviewed every few minutes, and a target that restarts has to find its names again.
const LEAST_COUNTER_RETENTION: Duration = Duration::from_secs(60 * 60);

const COUNTER_RETENTION: Single<Duration> = Single {
    read: |field| {
        let retention = (DURATION_OR_ZERO.read)(field)?;
        if !retention.is_zero() && retention < LEAST_COUNTER_RETENTION {
            return field.problem("must be at least 1h, or 0s to keep the counters");
        }
        Some(retention)
    },
    ..DURATION_OR_ZERO
};

const SERIES_LIMIT: Single<u32> = Single {
    read: |field| count(field, 0, u32::MAX),
    write: |count| Yaml::Plain(count.to_string()),
    shape: || Shape::Count {
        least: 0,
        most: u32::MAX,
    },
};

/// Which series expose a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFormat {
    /// One series per possible status, 0 or 1.
    Stateset,
    /// Only the current status, always 1.
    Sparse,
}

const STATUS_FORMAT: Single<StatusFormat> = Single {
    read: |field| {
        let text = text(field, "stateset or sparse")?;
        match text.text.as_ref() {
            "stateset" => Some(StatusFormat::Stateset),
            "sparse" => Some(StatusFormat::Sparse),
            _ => field.problem(format!("must be stateset or sparse, not {}", text.quoted())),
        }
    },
    write: |format| match format {
        StatusFormat::Stateset => "stateset".into(),
        StatusFormat::Sparse => "sparse".into(),
    },
    shape: || Shape::Choice(&["stateset", "sparse"]),
};

section! {
    /// A limit, and globs for the steps that it applies to. The globs match names as written in ARNs:
    /// `golden-linux`, not `Golden Linux`.
    struct DurationBudget {
        /// Name of the step.
        step: Glob = GLOB, Default("'*'");
        /// Name of the workflow.
        workflow: Glob = GLOB, Default("'*'");
        /// Name of the image.
        image: Glob = GLOB, Default("'*'");
        /// Maximum duration of such a step. Above 0.
        max_duration: Duration = DURATION, Required("max_duration: 45m");
    }
}

section! {
    /// The usual duration of each step, and steps that take much longer. A step has a baseline after
    /// three executions that COMPLETED. `WaitForAction` never has one.
    struct BaselineSettings {
        /// Whether steps have baselines.
        enabled: bool = SWITCH, Default("true");
        /// Number of builds of each image name that the exporter reads after its start: the newest
        /// AVAILABLE ones. 0 to 50. `0`: reads none.
        history: usize = HISTORY, Default("5");
        /// Steps without a baseline, because their duration says nothing.
        exclude: Vec<BaselineExclude> = List {
            of: mapping(),
            wanted: "a list of steps, where each item begins with a dash",
            empty: None,
        }, Absent("none");
    }
}

impl BaselineSettings {
    /// Number of builds of each image name that are read for the baselines.
    pub fn builds(&self) -> usize {
        if self.enabled { self.history } else { 0 }
    }
}

const HISTORY: Single<usize> = Single {
    read: |field| Some(count(field, 0, 50)? as usize),
    write: |count| Yaml::Plain(count.to_string()),
    shape: || Shape::Count { least: 0, most: 50 },
};

section! {
    /// Globs for steps, which all have to match. They match names as written in ARNs: `golden-linux`, not
    /// `Golden Linux`.
    struct BaselineExclude {
        /// Name of the step.
        step: Glob = GLOB, Default("'*'");
        /// Name of the workflow.
        workflow: Glob = GLOB, Default("'*'");
        /// Name of the image.
        image: Glob = GLOB, Default("'*'");
    }
}

section! {
    /// Credentials, regions, and selectors of the resources to track. At least one of the lists from
    /// `step_executions` to `images` is required. Credentials come from the AWS SDK's default chain, or
    /// from `profile`; with them, the exporter assumes the role of `assume_role`. Targets with the same
    /// credentials and region share one rate limit.
    struct Target, checked by target_rules {
        /// Value of the label `target`. Unique; letters, digits, `_` and `-`.
        name: String = NAME, Required("name: production");
        /// AWS regions to poll; at least one, each once.
        regions: Vec<String> = REGIONS, Required("regions: [us-west-2]");
        /// Role to assume.
        assume_role: Option<AssumeRole> = Optional(mapping()), Absent("none");
        /// Profile in the shared AWS configuration files.
        profile: Option<String> = Optional(PROFILE), Absent("the default chain");
        /// URL (`http` or `https`) that receives the Image Builder calls instead: of a VPC endpoint, a
        /// proxy or the simulator.
        endpoint_url: Option<String> = Optional(ENDPOINT_URL), Absent("the region's endpoint");
        /// Maximum rate of API calls, for each region.
        rate_limit: RateLimit = mapping(), Default("{}");
        /// Labels of this target's series, except those about the exporter itself
        /// (`imagebuilder_exporter_*`).
        labels: BTreeMap<String, String> = LABELS, Absent("none");
        /// Step executions to track, by id. Requires exactly one region; each id occurs once in the
        /// file.
        step_executions: Arc<[ListedStep]> = Shared(List {
            of: LISTED_STEP,
            wanted: "a list of step execution ids, such as [step-01234567-89ab-cdef-0123-456789abcdef]",
            empty: Some("is empty; list at least one step execution id"),
        }), Absent("none");
        and {
            /// Files with more step executions, see [step files](#step-files): paths, relative to the
            /// folder of this file, with wildcards in the file name: `steps.d/*.yaml`. Requires exactly
            /// one region.
            step_executions_files = Shared(StepLists(LISTED_STEP)), Absent("none");
        }
        /// Workflow executions to track with all their steps, by id. Requires exactly one region; each
        /// id occurs once in the file.
        workflow_executions: Vec<WorkflowExecutionId> = WORKFLOW_IDS, Absent("none");
        /// Image builds to track with all their steps, by ARN in one of the target's regions. Each ARN
        /// occurs once in the file.
        image_build_versions: Vec<ImageArn> = IMAGE_ARNS, Absent("none");
        /// Pipelines to track with all their builds: globs that match names as written in ARNs
        /// (`golden-linux`, not `Golden Linux`), or ARNs in one of the target's regions.
        pipelines: Vec<PipelineSelector> = PIPELINES, Absent("none");
        /// Images to track with all their builds, with or without a pipeline: globs that match names as
        /// written in ARNs.
        images: Vec<Glob> = IMAGES, Absent("none");
        /// Tags that `pipelines` and `images` require, all of them: `{Team: platform}`. The values are
        /// globs.
        tags: BTreeMap<String, Glob> = TAGS, Absent("any tags");
        /// Pipelines and images that are not selected, although they match `pipelines` or `images`.
        exclude: Exclude = mapping(), Absent("none");
    }
}

section! {
    /// Role to assume. The exporter renews its credentials shortly before they expire.
    struct AssumeRole {
        /// ARN of the role, in any AWS partition.
        role_arn: String = ROLE_ARN, Required(
            "role_arn: arn:aws:iam::111122223333:role/imagebuilder-exporter"
        );
        /// External id that the role's trust policy requires; 2 to 1224 characters.
        external_id: Option<String> = Optional(EXTERNAL_ID), Absent("none");
        /// Name of the session in CloudTrail; 2 to 64 characters.
        session_name: String = SESSION_NAME, Default("imagebuilder-exporter");
    }
}

section! {
    /// Token bucket. Each attempt of an API call takes a token.
    struct RateLimit: Copy {
        /// Tokens added per second; at least 0.001.
        requests_per_second: f64 = REQUESTS, Default("5");
        /// Capacity of the bucket in tokens; at least 1.
        burst: NonZeroU32 = BURST, Default("10");
    }
}

const REQUESTS: Single<f64> = Single {
    read: |field| number(field, 0.001),
    // Display has no exponent, which YAML 1.1 reads as text.
    write: |number| Yaml::Plain(number.to_string()),
    shape: || Shape::Number { least: 0.001 },
};

const BURST: Single<NonZeroU32> = Single {
    read: |field| NonZeroU32::new(count(field, 1, u32::MAX)?),
    write: |count| Yaml::Plain(count.to_string()),
    shape: || Shape::Count {
        least: 1,
        most: u32::MAX,
    },
};

section! {
    /// Listed step with its own interval or labels.
    struct ListedStep {
        /// Id of the step execution: `step-` and a UUID.
        id: StepExecutionId = STEP_ID, Required("id: step-01234567-89ab-cdef-0123-456789abcdef");
        /// Polling interval of this step. Above 0.
        interval: Option<Box<Duration>> = Rare(DURATION), Absent("`polling.interval`");
        /// Labels of this step's gauges. They take precedence over the target's labels.
        labels: Option<Box<BTreeMap<String, String>>> = Rare(LABELS), Absent("none");
    }
}

impl ListedStep {
    /// Returns the polling interval of this step.
    pub fn interval(&self, polling: &Polling) -> Duration {
        self.interval
            .as_deref()
            .map_or(polling.interval, |own| *own)
    }
}

pub(super) const LISTED_STEP: TextOr<StepExecutionId, ListedStep> = TextOr {
    text: STEP_ID,
    alone: |id| ListedStep {
        id,
        interval: None,
        labels: None,
    },
};

section! {
    /// Pipelines and images that are not selected. One match excludes a resource.
    struct Exclude: Default, checked by exclude_rules {
        /// Globs that match names of pipelines as written in ARNs.
        pipelines: Vec<Glob> = name_globs(
            "a list of globs for pipeline names, such as [golden-*]",
        ), Absent("none");
        /// Globs that match names of images as written in ARNs.
        images: Vec<Glob> = IMAGES, Absent("none");
        /// Tags of pipelines and images. The values are globs.
        tags: BTreeMap<String, Glob> = TAGS, Absent("none");
    }
}
