//! What a target follows: its lists, and what chooses among what they name.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use globset::Glob;

use super::document::document;
use super::field::Field;
use super::labels::labels;
use super::names::{name_glob_once, name_globs, tags};
use super::node::Value;
use super::reading::Reading;
use super::section::{self, Section};
use super::step_files::{Pattern, StepFile};
use super::targets::Seen;
use super::{Exclude, ListedStep, PipelineSelector, keys};
use crate::model::{ImageArn, PipelineArn, StepExecutionId, WorkflowExecutionId};

/// Of which a target needs at least one.
const LISTS: [&str; 6] = [
    "step_executions",
    "step_executions_files",
    "workflow_executions",
    "image_build_versions",
    "pipelines",
    "images",
];

/// What a target follows.
pub(super) struct Followed {
    pub step_executions: Vec<ListedStep>,
    pub workflow_executions: Vec<WorkflowExecutionId>,
    pub image_build_versions: Vec<ImageArn>,
    pub pipelines: Vec<PipelineSelector>,
    pub images: Vec<Glob>,
    pub tags: BTreeMap<String, Glob>,
    pub exclude: Exclude,
}

/// Reads the lists of a target; `interval` is that of polling, `regions` are the target's, where
/// they could be read.
pub(super) fn followed(
    section: &Section<'_>,
    interval: Option<Duration>,
    regions: Option<&[String]>,
    seen: &mut Seen,
) -> Option<Followed> {
    let step_executions = section.optional("step_executions", |field| {
        let one_region = one_region(section, field);
        let wanted =
            "a list of step execution ids, such as [step-01234567-89ab-cdef-0123-456789abcdef]";
        let steps = at_least_one(field, wanted, "step execution id", |item| {
            listed_step(item, interval, seen)
        })?;
        one_region.map(|()| steps)
    });
    let steps_of_files = section.optional("step_executions_files", |field| {
        let one_region = one_region(section, field);
        let steps = steps_of_files(field, interval, seen)?;
        one_region.map(|()| steps)
    });
    let workflow_executions = section.optional("workflow_executions", |field| {
        let one_region = one_region(section, field);
        let wanted =
            "a list of workflow execution ids, such as [wf-01234567-89ab-cdef-0123-456789abcdef]";
        let workflows = at_least_one(field, wanted, "workflow execution id", |item| {
            workflow_id(item, seen)
        })?;
        one_region.map(|()| workflows)
    });
    let image_build_versions = section.optional("image_build_versions", |field| {
        let wanted = format!("a list of the ARNs of image build versions, such as [{IMAGE_ARN}]");
        at_least_one(field, &wanted, "ARN of an image build version", |item| {
            image_arn(item, regions, seen)
        })
    });
    let pipelines = section.optional("pipelines", |field| pipelines(field, regions, seen));
    let images = section.optional("images", |field| name_globs(field, "images"));
    let chooses = section.find("pipelines").is_some() || section.find("images").is_some();
    let tags = section.optional("tags", |field| {
        chooses_among_something(field, chooses);
        tags(field)
    });
    let exclude = section.optional("exclude", |field| {
        chooses_among_something(field, chooses);
        section::read(field, &keys::EXCLUDE, exclude)
    });
    if LISTS.iter().all(|list| section.find(list).is_none()) {
        return section.field.problem(format!(
            "nothing is followed; add at least one of {}, such as pipelines: [\"*\"] for all that pipelines build",
            keys::listed(&LISTS)
        ));
    }
    let mut step_executions = step_executions?.unwrap_or_default();
    step_executions.extend(steps_of_files?.unwrap_or_default());
    Some(Followed {
        step_executions,
        workflow_executions: workflow_executions?.unwrap_or_default(),
        image_build_versions: image_build_versions?.unwrap_or_default(),
        pipelines: pipelines?.unwrap_or_default(),
        images: images?.unwrap_or_default(),
        tags: tags?.unwrap_or_default(),
        exclude: exclude?.unwrap_or_default(),
    })
}

/// An empty list follows nothing: a slip more often than a wish.
fn at_least_one<T>(
    field: Field<'_>,
    wanted: &str,
    what: &str,
    read: impl FnMut(Field<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = field.each(wanted, read)?;
    if items.is_empty() {
        return field.problem(format!("is empty; list at least one {what}"));
    }
    Some(items)
}

/// An id names no region, so a target with listed ones must leave no choice.
fn one_region(section: &Section<'_>, list: Field<'_>) -> Option<()> {
    let Some(Value::Sequence(regions)) = section.find("regions").map(|regions| regions.value)
    else {
        return Some(());
    };
    // That one stands twice is told elsewhere.
    let different = (0..regions.len())
        .filter(|at| !regions[..*at].contains(&regions[*at]))
        .count();
    if different <= 1 {
        return Some(());
    }
    list.problem(format!(
        "listed ids need exactly one region, but this target has {different}; make a target of each region"
    ))
}

/// Notes a key that would do nothing.
fn chooses_among_something(field: Field<'_>, chooses: bool) {
    if !chooses {
        field.key_problem(
            "chooses among what pipelines and images name, and this target has neither; add one of them, or take this out",
        );
    }
}

fn exclude(section: &Section<'_>) -> Option<Exclude> {
    let pipelines = section.optional("pipelines", |field| name_globs(field, "pipelines"));
    let images = section.optional("images", |field| name_globs(field, "images"));
    let tags = section.optional("tags", tags);
    if matches!(section.field.value, Value::Mapping(entries) if entries.is_empty()) {
        return section.field.problem(format!(
            "is empty; add at least one of {}, or take it out",
            keys::EXCLUDE.listed()
        ));
    }
    Some(Exclude {
        pipelines: pipelines?.unwrap_or_default(),
        images: images?.unwrap_or_default(),
        tags: tags?.unwrap_or_default(),
    })
}

/// The steps of all files that the patterns name; a file that several of them name is read once.
fn steps_of_files(
    field: Field<'_>,
    interval: Option<Duration>,
    seen: &mut Seen,
) -> Option<Vec<ListedStep>> {
    let own = field.place();
    let wanted = "a list of paths, such as [\"steps.d/*.yaml\"]";
    let steps = at_least_one(field, wanted, "path, such as steps.d/*.yaml", |item| {
        let text = item.text("a path, such as steps.d/*.yaml")?;
        let pattern = match Pattern::new(&item.reading.folder, &text.value) {
            Ok(pattern) => pattern,
            Err(fault) => return item.problem(format!("{} {fault}", text.quoted())),
        };
        let files = match item.reading.step_files(pattern) {
            Ok(files) => files,
            Err(fault) => return item.problem(fault),
        };
        let read: Vec<Option<Vec<ListedStep>>> = files
            .into_iter()
            .map(|file| {
                match seen.files.get(&file.path) {
                    // Another pattern of this list.
                    Some((list, _)) if *list == own => return Some(Vec::new()),
                    Some((_, first)) => {
                        return item.repeats(
                            format!("another target names {} too; keep one", file.path.display()),
                            *first,
                        );
                    }
                    None => {}
                }
                let mention = (own, item.place());
                seen.files.insert(file.path.clone(), mention);
                steps_of_file(file, item.reading, interval, seen)
            })
            .collect();
        read.into_iter().collect::<Option<Vec<_>>>()
    })?;
    Some(steps.into_iter().flatten().flatten().collect())
}

fn steps_of_file(
    file: StepFile,
    reading: &Reading<'_>,
    interval: Option<Duration>,
    seen: &mut Seen,
) -> Option<Vec<ListedStep>> {
    let name = file.path.display().to_string();
    document(reading, name, file.bytes, |top| match top.value {
        Value::Sequence(_) => top.each("a list", |item| listed_step(item, interval, seen)),
        // So looks what is just being written, too.
        Value::Null => top.problem(
            "the file is empty; write a list of step executions, or [] where there are none",
        ),
        other => top.problem(format!(
            "the file must be a list of step executions, each with a dash before it, not {}",
            other.described()
        )),
    })
}

fn listed_step(item: Field<'_>, interval: Option<Duration>, seen: &mut Seen) -> Option<ListedStep> {
    match item.value {
        Value::Mapping(_) => section::read(item, &keys::LISTED_STEP, |section| {
            let id = section.get("id", |field| step_id(field, seen));
            let own = section.optional("interval", |field| field.duration());
            let labels = section.optional("labels", labels);
            Some(ListedStep {
                id: id?,
                interval: own?.or(interval)?,
                labels: labels?.unwrap_or_default(),
            })
        }),
        Value::Text(_) => Some(ListedStep {
            id: step_id(item, seen)?,
            interval: interval?,
            labels: Default::default(),
        }),
        _ => item.wrong_kind(&format!(
            "a step execution id or a mapping with {}",
            keys::LISTED_STEP.listed()
        )),
    }
}

fn step_id(field: Field<'_>, seen: &mut Seen) -> Option<StepExecutionId> {
    let text = field.text("a step execution id")?;
    let Ok(id) = text.value.parse::<StepExecutionId>() else {
        return field.problem(format!(
            "{} is not a step execution id; one looks like step-01234567-89ab-cdef-0123-456789abcdef",
            text.quoted()
        ));
    };
    once(field, id.to_string(), "step execution", seen)?;
    Some(id)
}

fn workflow_id(field: Field<'_>, seen: &mut Seen) -> Option<WorkflowExecutionId> {
    let text = field.text("a workflow execution id")?;
    let Ok(id) = text.value.parse::<WorkflowExecutionId>() else {
        return field.problem(format!(
            "{} is not a workflow execution id; one looks like wf-01234567-89ab-cdef-0123-456789abcdef",
            text.quoted()
        ));
    };
    once(field, id.to_string(), "workflow execution", seen)?;
    Some(id)
}

/// Examples of what messages ask for.
const IMAGE_ARN: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1";
const PIPELINE_ARN: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden";

fn image_arn(field: Field<'_>, regions: Option<&[String]>, seen: &mut Seen) -> Option<ImageArn> {
    let text = field.text("the ARN of an image build version")?;
    let Some(arn) = ImageArn::parse(&text.value) else {
        return field.problem(format!(
            "{} is not the ARN of an image build version; one looks like {IMAGE_ARN}",
            text.quoted()
        ));
    };
    once(field, arn.as_str().to_owned(), "image build version", seen)?;
    of_the_target(field, &text.quoted(), arn.region(), regions)?;
    Some(arn)
}

fn pipelines(
    field: Field<'_>,
    regions: Option<&[String]>,
    seen: &mut Seen,
) -> Option<Vec<PipelineSelector>> {
    let mut globs = HashMap::new();
    let wanted = "a list of globs over the names of pipelines, such as [golden-*], or of ARNs";
    at_least_one(field, wanted, "glob or ARN, such as golden-*", |item| {
        let text = match item.value {
            Value::Text(_) => item.text("a glob such as golden-*")?,
            _ => return item.wrong_kind("a glob such as golden-*, or an ARN"),
        };
        if !text.value.starts_with("arn:") {
            return name_glob_once(item, &mut globs).map(PipelineSelector::Name);
        }
        let Some(arn) = PipelineArn::parse(&text.value) else {
            return item.problem(format!(
                "{} is not the ARN of a pipeline; one looks like {PIPELINE_ARN}, and globs are over names alone, such as golden-*",
                text.quoted()
            ));
        };
        once(item, arn.as_str().to_owned(), "pipeline", seen)?;
        of_the_target(item, &text.quoted(), arn.region(), regions)?;
        Some(PipelineSelector::Arn(arn))
    })
}

/// Notes what another place of the file lists as well.
fn once(field: Field<'_>, id: String, what: &str, seen: &mut Seen) -> Option<()> {
    // Both cases of a UUID are one; nothing of an ARN that is parsed may be of upper case.
    let id = id.to_ascii_lowercase();
    match seen.ids.get(&id) {
        Some(first) => field.repeats(format!("this {what} is listed twice; keep one"), *first),
        None => {
            seen.ids.insert(id, field.place());
            Some(())
        }
    }
}

/// Notes an ARN of a region that the target doesn't ask in.
fn of_the_target(
    field: Field<'_>,
    quoted: &str,
    region: &str,
    regions: Option<&[String]>,
) -> Option<()> {
    match regions {
        Some(regions) if regions.iter().all(|known| known != region) => field.problem(format!(
            "{quoted} is of a region that this target doesn't have; add the region to regions, or list this in a target of that region"
        )),
        _ => Some(()),
    }
}
