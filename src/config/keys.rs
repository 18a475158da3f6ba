//! Declares every configuration key, each once.
//!
//! A new key is a row here: its field, the code that reads and writes it, its line in
//! docs/configuration.md and its entry in the JSON Schemas come from the row.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use globset::Glob;
use serde_yaml::Mapping as YamlMapping;

use super::files::StepLists;
use super::labels::{LABELS, TAG_LABELS, TagLabel};
use super::lists::{BUCKETS, List, Optional, TextOr};
use super::names::{GLOB, TAGS, name_globs};
use super::section::{
    Absent, Default, Entries, Fallback, Required, Settings, joined, mapping, section, shape_of,
};
use super::shape::{Key, LeftOut, Section, Shape};
use super::target::{
    ENDPOINT_URL, EXTERNAL_ID, IMAGE_ARNS, IMAGES, NAME, PIPELINES, PROFILE, PipelineSelector,
    REGIONS, ROLE_ARN, SESSION_NAME, STEP_ID, WORKFLOW_IDS, exclude_rules, target_rules,
};
use super::values::{
    DURATION, DURATION_OR_ZERO, SWITCH, Single, count, number, text, written_number,
};
use crate::model::{ImageArn, StepExecutionId, WorkflowExecutionId};

section! {
    /// The whole file.
    struct Config {
        /// How the service is asked.
        polling: Polling = mapping(), Default("{}");
        /// What `/metrics` shows.
        metrics: Metrics = mapping(), Default("{}");
        /// Your own limits on how long a step may take, well under the service's default timeouts. The
        /// first entry that matches a step wins.
        duration_budgets: Vec<DurationBudget> = List {
            of: mapping(),
            wanted: "a list of budgets, each with a dash before it",
            empty: None,
        }, Absent("no budgets");
        /// What is followed, and with whose credentials; at least one.
        targets: Vec<Target> = List {
            of: mapping(),
            wanted: "a list of targets, each with a dash before it",
            empty: Some("is empty; at least one target is needed"),
        }, Required("targets: [{name: production, regions: [us-west-2], pipelines: [\"*\"]}]");
    }
}

section! {
    /// How the service is asked.
    struct Polling {
        /// A step that may still change is seen at least this often. Above 0.
        interval: Duration = DURATION, Default("30s");
        /// How often new images and workflow executions are looked for. Above 0.
        discovery_interval: Duration = DURATION, Default("2m");
        /// How long one attempt of one API call may take. Above 0.
        request_timeout: Duration = DURATION, Default("10s");
        /// API calls at once, per target and region; 1 to 10000.
        max_concurrent_requests: NonZeroUsize = CONCURRENCY, Default("16");
        /// Reads why a step failed from its `outputs`: the error, the id of the Systems Manager
        /// command, the location of its log bundle and the instance. Nothing else of `outputs` is
        /// read. `false` leaves `outputs` unread.
        failure_details: bool = SWITCH, Default("true");
    }
}

const CONCURRENCY: Single<NonZeroUsize> = Single {
    read: |field| NonZeroUsize::new(count(field, 1, 10_000)? as usize),
    write: |count| count.get().into(),
    shape: || Shape::Count {
        least: 1,
        most: 10_000,
    },
};

section! {
    /// What `/metrics` shows.
    struct Metrics {
        /// `stateset`: one series per possible status, 0 or 1. `sparse`: only the current status,
        /// always 1.
        status_format: StatusFormat = STATUS_FORMAT, Default("stateset");
        /// How long after its end a discovered execution that settled well stays on `/metrics`.
        /// Above 0.
        retention: Duration = DURATION, Default("2h");
        /// The same for one whose image or workflow failed. Above 0.
        retention_failed: Duration = DURATION, Default("24h");
        /// A new series of a counter shows 0 this long before it counts what happened, so that
        /// `increase()` sees the first; longer than the scrape interval. `0s` counts at once.
        counter_warmup: Duration = DURATION_OR_ZERO, Default("2m");
        /// The buckets of `imagebuilder_workflow_step_finished_duration_seconds`, from the shortest to
        /// the longest: 1 to 50, each above 0 and once.
        duration_buckets: Vec<Duration> = BUCKETS, Default(
            "[15s, 30s, 1m, 2m, 5m, 10m, 20m, 30m, 1h, 2h, 4h, 12h]"
        );
        /// Keys of tags that become labels of the `_info` series, named `tag_` and the key with `_`
        /// for every character but letters, digits and `_`: `cost-center` becomes `tag_cost_center`.
        /// No two may give one label.
        tag_labels: Vec<TagLabel> = TAG_LABELS, Default("[]");
        /// Adds `imagebuilder_workflow_step_message_info` with the service's `message`, which is free
        /// text from components and other services.
        message_labels: bool = SWITCH, Default("false");
    }
}

/// Which series tell a status.
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
    /// One limit, and the steps it is for. Globs match names as they stand in ARNs: `golden-linux`, not
    /// `Golden Linux`.
    struct DurationBudget {
        /// The step's name.
        step: Glob = GLOB, Default("'*'");
        /// The workflow's name.
        workflow: Glob = GLOB, Default("'*'");
        /// The image's name.
        image: Glob = GLOB, Default("'*'");
        /// How long such a step may take. Above 0.
        max_duration: Duration = DURATION, Required("max_duration: 45m");
    }
}

section! {
    /// One set of credentials and what is followed with it, which at least one of the lists
    /// `step_executions` to `images` says. Credentials come from the AWS SDK's default chain, from
    /// `profile` where there is one; `assume_role` is taken on top. Targets whose credentials and region
    /// are the same share one rate limit.
    struct Target, checked by target_rules {
        /// The label `target`. Unique; letters, digits, `_` and `-`.
        name: String = NAME, Required("name: production");
        /// The AWS regions to ask in, each once; at least one.
        regions: Vec<String> = REGIONS, Required("regions: [us-west-2]");
        /// A role to assume with the credentials found.
        assume_role: Option<AssumeRole> = Optional(mapping()), Absent("no role");
        /// A profile of the shared AWS configuration files.
        profile: Option<String> = Optional(PROFILE), Absent("the default chain");
        /// Another place to send Image Builder calls to: a VPC endpoint, a proxy, the simulator. `http`
        /// or `https`.
        endpoint_url: Option<String> = Optional(ENDPOINT_URL), Absent("the region's own endpoint");
        /// How many API calls are made at most, per region.
        rate_limit: RateLimit = mapping(), Default("{}");
        /// Labels for this target's series; those about the exporter itself, `imagebuilder_exporter_*`,
        /// don't get them.
        labels: BTreeMap<String, String> = LABELS, Absent("no labels");
        /// Step executions to follow, by id. Needs exactly one region; an id stands once in the file.
        step_executions: Vec<ListedStep> = List {
            of: LISTED_STEP,
            wanted: "a list of step execution ids, such as [step-01234567-89ab-cdef-0123-456789abcdef]",
            empty: Some("is empty; list at least one step execution id"),
        }, Absent("none listed");
        and {
            /// Files with more step executions, see [step files](#step-files): paths, relative to the
            /// folder of this file, with wildcards in the file's name: `steps.d/*.yaml`. Needs exactly
            /// one region.
            step_executions_files = StepLists(LISTED_STEP), Absent("none named");
        }
        /// Workflow executions to follow with all their steps, by id. Needs exactly one region; an id
        /// stands once in the file.
        workflow_executions: Vec<WorkflowExecutionId> = WORKFLOW_IDS, Absent("none listed");
        /// Image builds to follow with all their steps, by ARN, which names one of the target's regions;
        /// an ARN stands once in the file.
        image_build_versions: Vec<ImageArn> = IMAGE_ARNS, Absent("none listed");
        /// Pipelines, everything they build is followed: globs over their names as they stand in ARNs
        /// (`golden-linux`, not `Golden Linux`), or ARNs, which name one of the target's regions.
        pipelines: Vec<PipelineSelector> = PIPELINES, Absent("none chosen");
        /// Images, every build of them is followed, with or without a pipeline: globs over their names
        /// as they stand in ARNs.
        images: Vec<Glob> = IMAGES, Absent("none chosen");
        /// Tags that a pipeline chosen by `pipelines`, or an image chosen by `images`, has to have, all
        /// of them: `{Team: platform}`. Values are globs.
        tags: BTreeMap<String, Glob> = TAGS, Absent("whatever their tags");
        /// What isn't followed although `pipelines` or `images` choose it.
        exclude: Exclude = mapping(), Absent("nothing excluded");
    }
}

section! {
    /// A role to assume; its credentials are kept until shortly before they expire.
    struct AssumeRole {
        /// The role, of any AWS partition.
        role_arn: String = ROLE_ARN, Required(
            "role_arn: arn:aws:iam::111122223333:role/imagebuilder-exporter"
        );
        /// The external id that the role's trust policy asks for; 2 to 1224 characters.
        external_id: Option<String> = Optional(EXTERNAL_ID), Absent("none is sent");
        /// The session's name, as CloudTrail shows it; 2 to 64 characters.
        session_name: String = SESSION_NAME, Default("imagebuilder-exporter");
    }
}

section! {
    /// A token bucket; every attempt of a call takes a token.
    struct RateLimit: Copy {
        /// Tokens that come in per second; at least 0.001.
        requests_per_second: f64 = REQUESTS, Default("5");
        /// Tokens the bucket holds; at least 1.
        burst: NonZeroU32 = BURST, Default("10");
    }
}

const REQUESTS: Single<f64> = Single {
    read: |field| number(field, 0.001),
    write: |number| written_number(*number),
    shape: || Shape::Number { least: 0.001 },
};

const BURST: Single<NonZeroU32> = Single {
    read: |field| NonZeroU32::new(count(field, 1, u32::MAX)?),
    write: |count| count.get().into(),
    shape: || Shape::Count {
        least: 1,
        most: u32::MAX,
    },
};

section! {
    /// A listed step that needs more than its id.
    struct ListedStep {
        /// The step execution's id, `step-` and a UUID.
        id: StepExecutionId = STEP_ID, Required("id: step-01234567-89ab-cdef-0123-456789abcdef");
        /// This step's own polling interval. Above 0.
        interval: Duration = DURATION, Absent("`polling.interval`");
        /// Labels for this step's gauges; they win over the target's.
        labels: BTreeMap<String, String> = LABELS, Absent("no labels");
    }
}

pub(super) const LISTED_STEP: TextOr<StepExecutionId, ListedStep> = TextOr {
    text: STEP_ID,
    alone: |id| ListedStep {
        id,
        interval: POLLING_INTERVAL,
        labels: BTreeMap::new(),
    },
};

/// The interval of a listed step without its own, until the whole file is read.
pub(super) const POLLING_INTERVAL: Duration = Duration::ZERO;

section! {
    /// What isn't followed although `pipelines` or `images` choose it: whatever one of these matches.
    struct Exclude: Default, checked by exclude_rules {
        /// Globs over the names of pipelines, as they stand in ARNs.
        pipelines: Vec<Glob> = name_globs(
            "a list of globs over the names of pipelines, such as [golden-*]",
        ), Absent("none");
        /// Globs over the names of images, as they stand in ARNs.
        images: Vec<Glob> = IMAGES, Absent("none");
        /// Tags of pipelines and images; values are globs.
        tags: BTreeMap<String, Glob> = TAGS, Absent("none");
    }
}
