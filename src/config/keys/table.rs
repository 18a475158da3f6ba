//! The table itself: a static for each kind of mapping.

use super::{Default, Group, Key, Kind};

/// All groups, in the order of the reference.
pub static GROUPS: [&Group; 9] = [
    &FILE,
    &POLLING,
    &METRICS,
    &DURATION_BUDGET,
    &TARGET,
    &ASSUME_ROLE,
    &RATE_LIMIT,
    &LISTED_STEP,
    &EXCLUDE,
];

pub static FILE: Group = Group {
    path: "",
    meaning: "The whole file.",
    keys: &[
        Key {
            name: "polling",
            kind: Kind::Mapping(&POLLING),
            default: Default::Group,
            meaning: "How the service is asked.",
        },
        Key {
            name: "metrics",
            kind: Kind::Mapping(&METRICS),
            default: Default::Group,
            meaning: "What `/metrics` shows.",
        },
        Key {
            name: "duration_budgets",
            kind: Kind::Mappings(&DURATION_BUDGET),
            default: Default::Absent("no budgets"),
            meaning: "Your own limits on how long a step may take, well under the service's default timeouts. The first entry that matches a step wins.",
        },
        Key {
            name: "targets",
            kind: Kind::Mappings(&TARGET),
            default: Default::Required(
                "targets: [{name: production, regions: [us-west-2], pipelines: [\"*\"]}]",
            ),
            meaning: "What is followed, and with whose credentials; at least one.",
        },
    ],
};

pub static POLLING: Group = Group {
    path: "polling",
    meaning: "How the service is asked.",
    keys: &[
        Key {
            name: "interval",
            kind: Kind::Duration,
            default: Default::Text("30s"),
            meaning: "A step that may still change is seen at least this often. Above 0.",
        },
        Key {
            name: "discovery_interval",
            kind: Kind::Duration,
            default: Default::Text("2m"),
            meaning: "How often new images and workflow executions are looked for. Above 0.",
        },
        Key {
            name: "request_timeout",
            kind: Kind::Duration,
            default: Default::Text("10s"),
            meaning: "How long one attempt of one API call may take. Above 0.",
        },
        Key {
            name: "max_concurrent_requests",
            kind: Kind::Count,
            default: Default::Number(16),
            meaning: "API calls at once, per target and region; 1 to 10000.",
        },
    ],
};

pub static METRICS: Group = Group {
    path: "metrics",
    meaning: "What `/metrics` shows.",
    keys: &[
        Key {
            name: "status_format",
            kind: Kind::Choice(&["stateset", "sparse"]),
            default: Default::Text("stateset"),
            meaning: "`stateset`: one series per possible status, 0 or 1. `sparse`: only the current status, always 1.",
        },
        Key {
            name: "retention",
            kind: Kind::Duration,
            default: Default::Text("2h"),
            meaning: "How long after its end a discovered execution that settled well stays on `/metrics`. Above 0.",
        },
        Key {
            name: "retention_failed",
            kind: Kind::Duration,
            default: Default::Text("24h"),
            meaning: "The same for one whose image or workflow failed. Above 0.",
        },
        Key {
            name: "counter_warmup",
            kind: Kind::Duration,
            default: Default::Text("2m"),
            meaning: "A new series of a counter shows 0 this long before it counts what happened, so that `increase()` sees the first; longer than the scrape interval. `0s` counts at once.",
        },
        Key {
            name: "duration_buckets",
            kind: Kind::Durations,
            default: Default::Texts(&[
                "15s", "30s", "1m", "2m", "5m", "10m", "20m", "30m", "1h", "2h", "4h", "12h",
            ]),
            meaning: "The buckets of `imagebuilder_workflow_step_finished_duration_seconds`, from the shortest to the longest: 1 to 50, each above 0 and once.",
        },
        Key {
            name: "tag_labels",
            kind: Kind::Texts,
            default: Default::Texts(&[]),
            meaning: "Keys of tags that become labels of the `_info` series, named `tag_` and the key with `_` for every character but letters, digits and `_`: `cost-center` becomes `tag_cost_center`. No two may give one label.",
        },
        Key {
            name: "message_labels",
            kind: Kind::Switch,
            default: Default::Switch(false),
            meaning: "Adds `imagebuilder_workflow_step_message_info` with the service's `message`, which is free text from components and other services.",
        },
    ],
};

pub static DURATION_BUDGET: Group = Group {
    path: "duration_budgets[]",
    meaning: "One limit, and the steps it is for. Globs match names as they stand in ARNs: `golden-linux`, not `Golden Linux`.",
    keys: &[
        Key {
            name: "step",
            kind: Kind::Glob,
            default: Default::Text("*"),
            meaning: "The step's name.",
        },
        Key {
            name: "workflow",
            kind: Kind::Glob,
            default: Default::Text("*"),
            meaning: "The workflow's name.",
        },
        Key {
            name: "image",
            kind: Kind::Glob,
            default: Default::Text("*"),
            meaning: "The image's name.",
        },
        Key {
            name: "max_duration",
            kind: Kind::Duration,
            default: Default::Required("max_duration: 45m"),
            meaning: "How long such a step may take. Above 0.",
        },
    ],
};

pub static TARGET: Group = Group {
    path: "targets[]",
    meaning: "One set of credentials and what is followed with it, which at least one of the lists `step_executions` to `images` says. Credentials come from the AWS SDK's default chain, from `profile` where there is one; `assume_role` is taken on top. Targets whose credentials and region are the same share one rate limit.",
    keys: &[
        Key {
            name: "name",
            kind: Kind::Text,
            default: Default::Required("name: production"),
            meaning: "The label `target`. Unique; letters, digits, `_` and `-`.",
        },
        Key {
            name: "regions",
            kind: Kind::Texts,
            default: Default::Required("regions: [us-west-2]"),
            meaning: "The AWS regions to ask in, each once; at least one.",
        },
        Key {
            name: "assume_role",
            kind: Kind::Mapping(&ASSUME_ROLE),
            default: Default::Absent("no role"),
            meaning: "A role to assume with the credentials found.",
        },
        Key {
            name: "profile",
            kind: Kind::Text,
            default: Default::Absent("the default chain"),
            meaning: "A profile of the shared AWS configuration files.",
        },
        Key {
            name: "endpoint_url",
            kind: Kind::Text,
            default: Default::Absent("the region's own endpoint"),
            meaning: "Another place to send Image Builder calls to: a VPC endpoint, a proxy, the simulator. `http` or `https`.",
        },
        Key {
            name: "rate_limit",
            kind: Kind::Mapping(&RATE_LIMIT),
            default: Default::Group,
            meaning: "How many API calls are made at most, per region.",
        },
        Key {
            name: "labels",
            kind: Kind::Labels,
            default: Default::Absent("no labels"),
            meaning: "Labels for this target's series; those about the exporter itself, `imagebuilder_exporter_*`, don't get them.",
        },
        Key {
            name: "step_executions",
            kind: Kind::TextsOrMappings(&LISTED_STEP),
            default: Default::Absent("none listed"),
            meaning: "Step executions to follow, by id. Needs exactly one region; an id stands once in the file.",
        },
        Key {
            name: "step_executions_files",
            kind: Kind::Texts,
            default: Default::Absent("none named"),
            meaning: "Files with more step executions, see [step files](#step-files): paths, relative to the folder of this file, with wildcards in the file's name: `steps.d/*.yaml`. Needs exactly one region.",
        },
        Key {
            name: "workflow_executions",
            kind: Kind::Texts,
            default: Default::Absent("none listed"),
            meaning: "Workflow executions to follow with all their steps, by id. Needs exactly one region; an id stands once in the file.",
        },
        Key {
            name: "image_build_versions",
            kind: Kind::Texts,
            default: Default::Absent("none listed"),
            meaning: "Image builds to follow with all their steps, by ARN, which names one of the target's regions; an ARN stands once in the file.",
        },
        Key {
            name: "pipelines",
            kind: Kind::GlobsOrArns,
            default: Default::Absent("none chosen"),
            meaning: "Pipelines, everything they build is followed: globs over their names as they stand in ARNs (`golden-linux`, not `Golden Linux`), or ARNs, which name one of the target's regions.",
        },
        Key {
            name: "images",
            kind: Kind::Globs,
            default: Default::Absent("none chosen"),
            meaning: "Images, every build of them is followed, with or without a pipeline: globs over their names as they stand in ARNs.",
        },
        Key {
            name: "tags",
            kind: Kind::Tags,
            default: Default::Absent("whatever their tags"),
            meaning: "Tags that a pipeline chosen by `pipelines`, or an image chosen by `images`, has to have, all of them: `{Team: platform}`. Values are globs.",
        },
        Key {
            name: "exclude",
            kind: Kind::Mapping(&EXCLUDE),
            default: Default::Absent("nothing excluded"),
            meaning: "What isn't followed although `pipelines` or `images` choose it.",
        },
    ],
};

pub static ASSUME_ROLE: Group = Group {
    path: "targets[].assume_role",
    meaning: "A role to assume; its credentials are kept until shortly before they expire.",
    keys: &[
        Key {
            name: "role_arn",
            kind: Kind::Text,
            default: Default::Required(
                "role_arn: arn:aws:iam::111122223333:role/imagebuilder-exporter",
            ),
            meaning: "The role, of any AWS partition.",
        },
        Key {
            name: "external_id",
            kind: Kind::Text,
            default: Default::Absent("none is sent"),
            meaning: "The external id that the role's trust policy asks for; 2 to 1224 characters.",
        },
        Key {
            name: "session_name",
            kind: Kind::Text,
            default: Default::Text("imagebuilder-exporter"),
            meaning: "The session's name, as CloudTrail shows it; 2 to 64 characters.",
        },
    ],
};

pub static RATE_LIMIT: Group = Group {
    path: "targets[].rate_limit",
    meaning: "A token bucket; every attempt of a call takes a token.",
    keys: &[
        Key {
            name: "requests_per_second",
            kind: Kind::Number,
            default: Default::Number(5),
            meaning: "Tokens that come in per second; at least 0.001.",
        },
        Key {
            name: "burst",
            kind: Kind::Count,
            default: Default::Number(10),
            meaning: "Tokens the bucket holds; at least 1.",
        },
    ],
};

pub static LISTED_STEP: Group = Group {
    path: "targets[].step_executions[]",
    meaning: "A listed step that needs more than its id.",
    keys: &[
        Key {
            name: "id",
            kind: Kind::Text,
            default: Default::Required("id: step-01234567-89ab-cdef-0123-456789abcdef"),
            meaning: "The step execution's id, `step-` and a UUID.",
        },
        Key {
            name: "interval",
            kind: Kind::Duration,
            default: Default::Absent("`polling.interval`"),
            meaning: "This step's own polling interval. Above 0.",
        },
        Key {
            name: "labels",
            kind: Kind::Labels,
            default: Default::Absent("no labels"),
            meaning: "Labels for this step's gauges; they win over the target's.",
        },
    ],
};

pub static EXCLUDE: Group = Group {
    path: "targets[].exclude",
    meaning: "What isn't followed although `pipelines` or `images` choose it: whatever one of these matches.",
    keys: &[
        Key {
            name: "pipelines",
            kind: Kind::Globs,
            default: Default::Absent("none"),
            meaning: "Globs over the names of pipelines, as they stand in ARNs.",
        },
        Key {
            name: "images",
            kind: Kind::Globs,
            default: Default::Absent("none"),
            meaning: "Globs over the names of images, as they stand in ARNs.",
        },
        Key {
            name: "tags",
            kind: Kind::Tags,
            default: Default::Absent("none"),
            meaning: "Tags of pipelines and images; values are globs.",
        },
    ],
};
