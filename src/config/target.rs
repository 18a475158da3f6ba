//! The kinds of a target's keys, and the rules across them.

use globset::Glob;

use super::endpoint::endpoint_fault;
use super::field::Field;
use super::lists::List;
use super::names::{GLOB_ONCE, name_glob, name_globs};
use super::node::Value;
use super::section::{Entries, Kind};
use super::shape::{Rule, listed};
use super::values::{Once, Text, TextFault, right, text};
use crate::model::identifier;
use crate::model::{ImageArn, PipelineArn, StepExecutionId, WorkflowExecutionId};

/// Replaces a secret in the effective configuration.
pub(super) const SECRET: &str = "<secret>";

pub(super) const NAME: Text<String> = Text {
    once: |_| Once::InFile("another target has the name {} too; give each target its own name"),
    ..Text::like(
        "a target name of letters, digits, _ and -",
        "^[A-Za-z0-9_-]+$",
        |text| {
            right(text, |text| {
                let is_right = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
                !text.is_empty() && text.bytes().all(is_right)
            })
        },
    )
};

pub(super) const REGIONS: List<Text<String>> = List {
    of: Text {
        once: |_| Once::InList("the region {} is listed twice; keep one"),
        ..Text::like(
            "a region such as us-west-2",
            "^[a-z]{2,}(-[a-z0-9]+)+-[0-9]{1,2}$",
            |text| right(text, identifier::is_region),
        )
    },
    wanted: "a list of regions, such as [us-west-2]",
    empty: Some("is empty; name at least one region, such as [us-west-2]"),
};

pub(super) const ROLE_ARN: Text<String> = Text::like(
    "a role ARN, such as arn:aws:iam::111122223333:role/imagebuilder-exporter",
    "^arn:aws(-[a-z-]+)?:iam::[0-9]{12}:role/([!-~]*/)?[A-Za-z0-9_+=,.@-]{1,64}$",
    |text| right(text, identifier::is_role_arn),
);

/// Close to a password: neither quoted nor written.
pub(super) const EXTERNAL_ID: Text<String> = Text {
    rule: Rule::string(
        "^[A-Za-z0-9_+=,.@:/-]{2,1224}$",
        "an external id of 2 to 1224 letters, digits and _+=,.@:/-",
    ),
    wanted: "a string of 2 to 1224 characters",
    parse: |text| {
        right(text, identifier::is_external_id)
            .map_err(|_| TextFault::Says(format!("this is not {}", EXTERNAL_ID.rule.wanted)))
    },
    text: |_| SECRET.to_owned(),
    once: |_| Once::Never,
};

pub(super) const SESSION_NAME: Text<String> = Text::like(
    "a session name of 2 to 64 letters, digits and _+=,.@-",
    "^[A-Za-z0-9_+=,.@-]{2,64}$",
    |text| right(text, identifier::is_session_name),
);

pub(super) const PROFILE: Text<String> = Text::like(
    "the name of a profile",
    r"^[^\x00-\x1f\x7f-\x9f]+$",
    |text| {
        right(text, |text| {
            !text.is_empty() && !text.contains(char::is_control)
        })
    },
);

pub(super) const ENDPOINT_URL: Text<String> = Text {
    rule: Rule::string(
        "^https?://[^/?#@]+(/[^?#]*)?$",
        "a URL such as https://imagebuilder.us-west-2.amazonaws.com, without user, query and fragment",
    ),
    ..Text::like("a URL", "", |text| match endpoint_fault(&text.text) {
        None => Ok(text.text.as_ref().to_owned()),
        // It may contain a password.
        Some(fault) if text.text.contains('@') => Err(TextFault::Says(fault.to_owned())),
        Some(fault) => Err(TextFault::Says(format!("{} {fault}", text.quoted()))),
    })
};

pub(super) const STEP_ID: Text<StepExecutionId> = Text {
    rule: Rule::string(
        "^step-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        "a step execution id, such as step-01234567-89ab-cdef-0123-456789abcdef",
    ),
    wanted: "a step execution id",
    parse: |text| text.text.parse().map_err(|_| TextFault::Unlike),
    text: StepExecutionId::to_string,
    once: |_| Once::IdInFile("the step execution {} is listed twice; keep one"),
};

pub(super) const WORKFLOW_IDS: List<Text<WorkflowExecutionId>> = List {
    of: Text {
        rule: Rule::string(
            "^wf-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
            "a workflow execution id, such as wf-01234567-89ab-cdef-0123-456789abcdef",
        ),
        wanted: "a workflow execution id",
        parse: |text| text.text.parse().map_err(|_| TextFault::Unlike),
        text: WorkflowExecutionId::to_string,
        once: |_| Once::IdInFile("the workflow execution {} is listed twice; keep one"),
    },
    wanted: "a list of workflow execution ids, such as [wf-01234567-89ab-cdef-0123-456789abcdef]",
    empty: Some("is empty; list at least one workflow execution id"),
};

pub(super) const IMAGE_ARNS: List<Text<ImageArn>> = List {
    of: Text {
        rule: Rule::string(
            "^arn:aws(-[a-z-]*)?:imagebuilder:[^:]+:([0-9]{12}|aws(-[a-z-]*)?|third-party):image/[a-z0-9_-]+/[0-9]+[.][0-9]+[.][0-9]+/[0-9]+$",
            "the ARN of an image build version, such as arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1",
        ),
        wanted: "the ARN of an image build version",
        parse: |text| ImageArn::parse(&text.text).ok_or(TextFault::Unlike),
        text: |arn| arn.as_str().to_owned(),
        once: |_| Once::InFile("the image build version {} is listed twice; keep one"),
    },
    wanted: "a list of the ARNs of image build versions, such as [arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1]",
    empty: Some("is empty; list at least one ARN of an image build version"),
};

/// Which pipelines to follow.
#[derive(Clone, Debug, PartialEq)]
pub enum PipelineSelector {
    Name(Glob),
    /// Of one of the target's regions; unique in the configuration.
    Arn(PipelineArn),
}

pub(super) const PIPELINES: List<Text<PipelineSelector>> = List {
    of: Text {
        rule: Rule {
            name: "glob or ARN",
            pattern: r"^(?=[\s\S]{1,256}$)([a-z0-9_*?{},-]|\\[a-z0-9_-]|\[[!^]?[\s\S][^\]]*\])+$|^arn:aws(-[a-z-]*)?:imagebuilder:[^:]+:([0-9]{12}|aws(-[a-z-]*)?|third-party):image-pipeline/[a-z0-9_-]+$",
            wanted: "a glob for names as written in ARNs, such as golden-*, or the ARN of a pipeline",
        },
        wanted: "a glob such as golden-*, or an ARN",
        parse: |text| {
            match text.text.starts_with("arn:") {
            false => name_glob(text).map(PipelineSelector::Name),
            true => PipelineArn::parse(&text.text).map(PipelineSelector::Arn).ok_or_else(|| {
                let quoted = text.quoted();
                TextFault::Says(format!(
                    "{quoted} is not the ARN of a pipeline; write one such as arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden, and globs match only names, such as golden-*"
                ))
            }),
        }
        },
        text: |selector| match selector {
            PipelineSelector::Name(glob) => glob.glob().to_owned(),
            PipelineSelector::Arn(arn) => arn.as_str().to_owned(),
        },
        once: |selector| match selector {
            PipelineSelector::Name(_) => GLOB_ONCE,
            PipelineSelector::Arn(_) => Once::InFile("the pipeline {} is listed twice; keep one"),
        },
    },
    wanted: "a list of globs for pipeline names, such as [golden-*], or of ARNs",
    empty: Some("is empty; list at least one glob or ARN, such as golden-*"),
};

pub(super) const IMAGES: List<Text<Glob>> =
    name_globs("a list of globs for image names, such as [golden-*]");

/// The keys of which a target needs at least one.
pub(super) const LISTS: [&str; 6] = [
    "step_executions",
    "step_executions_files",
    "workflow_executions",
    "image_build_versions",
    "pipelines",
    "images",
];

/// Checks the rules across the keys of a target.
pub(super) fn target_rules(entries: &Entries<'_>) {
    // An id has no region.
    let ids = &LISTS[..3];
    for list in ids.iter().filter_map(|list| entries.find(list)) {
        one_region(entries, list);
    }
    // Their problems are noted where they are read.
    let regions = entries.find("regions");
    if let Some(regions) = regions.and_then(|field| field.quietly(|field| REGIONS.read(field))) {
        if let Some(list) = entries.find("image_build_versions") {
            of_its_regions(list, &regions, |arn| {
                Some(ImageArn::parse(arn)?.region().to_owned())
            });
        }
        if let Some(list) = entries.find("pipelines") {
            of_its_regions(list, &regions, |arn| {
                Some(PipelineArn::parse(arn)?.region().to_owned())
            });
        }
    }
    let chooses = ["pipelines", "images"];
    if chooses.iter().all(|key| entries.find(key).is_none()) {
        let idle = ["tags", "exclude"];
        for key in idle.iter().filter_map(|key| entries.find(key)) {
            key.key_problem(
                "has no effect without pipelines or images; add one of them, or remove this key",
            );
        }
    }
    if LISTS.iter().all(|list| entries.find(list).is_none()) {
        entries.field.problem::<()>(format!(
            "this target selects nothing; add at least one of {}, for example pipelines: [\"*\"]",
            listed(&LISTS)
        ));
    }
}

/// Checks that a list of ARNs names regions of the target alone.
fn of_its_regions(list: &Field<'_>, regions: &[String], region: fn(&str) -> Option<String>) {
    for item in list.items() {
        let region = item.quietly(|item| region(&text(item, "")?.text));
        if region.is_some_and(|region| !regions.contains(&region)) {
            item.problem::<()>(format!(
                "{} is in a region that this target does not have; add the region to regions, or list the ARN in a target with that region",
                item.quoted()
            ));
        }
    }
}

fn one_region(entries: &Entries<'_>, list: &Field<'_>) {
    let regions = entries.find("regions").map(|regions| regions.value);
    let Some(Value::Sequence(regions)) = regions else {
        return;
    };
    // A repeated region is another problem.
    let different = (0..regions.len())
        .filter(|at| !regions[..*at].contains(&regions[*at]))
        .count();
    if different > 1 {
        list.problem::<()>(format!(
            "listed ids require exactly one region, but this target has {different}; write a target for each region"
        ));
    }
}

/// Checks that something is excluded.
pub(super) fn exclude_rules(entries: &Entries<'_>) {
    if matches!(entries.field.value, Value::Mapping(entries) if entries.is_empty()) {
        entries.field.problem::<()>(
            "is empty; add at least one of pipelines, images and tags, or remove the key",
        );
    }
}
