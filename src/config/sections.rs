//! What each section of the file must hold: a node in, a part of [`Config`] out.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::keys;
use super::labels::labels;
use super::node::Node;
use super::problem::Place;
use super::reader::{Field, Section};
use super::{
    AssumeRole, Config, DurationBudget, ListedStep, Metrics, Polling, RateLimit, StatusFormat,
    Target, aws,
};
use crate::model::StepExecutionId;

/// The whole file, and where each target stands in it.
pub(super) fn file(top: Field<'_>) -> Option<(Config, Vec<Place>)> {
    match top.node {
        Node::Mapping(_) => {}
        Node::Null => return top.problem("the file is empty; it needs at least the key targets"),
        other => {
            return top.problem(format!(
                "the file must be a mapping with the keys {}, not {}",
                keys::FILE.listed(),
                other.described()
            ));
        }
    }
    top.section(&keys::FILE, |section| {
        let polling = section.get("polling", |field| field.section(&keys::POLLING, polling));
        let metrics = section.get("metrics", |field| field.section(&keys::METRICS, metrics));
        let budgets = section.optional("duration_budgets", |field| {
            field.each("a list of budgets, each with a dash before it", |item| {
                item.section(&keys::DURATION_BUDGET, duration_budget)
            })
        });
        let interval = polling.as_ref().map(|polling| polling.interval);
        let targets = section.get("targets", |field| targets(field, interval));
        let (targets, places) = targets?.into_iter().unzip();
        let config = Config {
            polling: polling?,
            metrics: metrics?,
            duration_budgets: budgets?.unwrap_or_default(),
            targets,
        };
        Some((config, places))
    })
}

fn polling(section: &Section<'_>) -> Option<Polling> {
    let interval = section.get("interval", |field| field.duration());
    let request_timeout = section.get("request_timeout", |field| field.duration());
    let concurrent = section.get("max_concurrent_requests", |field| field.count(1..=10_000));
    Some(Polling {
        interval: interval?,
        request_timeout: request_timeout?,
        max_concurrent_requests: NonZeroUsize::new(concurrent? as usize)?,
    })
}

fn metrics(section: &Section<'_>) -> Option<Metrics> {
    let status_format = section.get("status_format", |field| {
        field.choice(&[
            ("stateset", StatusFormat::Stateset),
            ("sparse", StatusFormat::Sparse),
        ])
    });
    let message_labels = section.get("message_labels", |field| field.switch());
    Some(Metrics {
        status_format: status_format?,
        message_labels: message_labels?,
    })
}

fn duration_budget(section: &Section<'_>) -> Option<DurationBudget> {
    let step = section.get("step", |field| field.glob());
    let workflow = section.get("workflow", |field| field.glob());
    let image = section.get("image", |field| field.glob());
    let max_duration = section.get("max_duration", |field| field.duration());
    Some(DurationBudget {
        step: step?,
        workflow: workflow?,
        image: image?,
        max_duration: max_duration?,
    })
}

/// What may stand once in the whole file, with the place of its first mention.
#[derive(Default)]
struct Seen {
    names: HashMap<String, Place>,
    /// By the UUID's number: the service's pattern allows both cases of one UUID.
    steps: HashMap<u128, Place>,
}

fn targets(field: Field<'_>, interval: Option<Duration>) -> Option<Vec<(Target, Place)>> {
    let mut seen = Seen::default();
    let targets = field.each("a list of targets, each with a dash before it", |item| {
        let target = item.section(&keys::TARGET, |section| {
            target(section, interval, &mut seen)
        });
        Some((target?, item.place()))
    })?;
    if targets.is_empty() {
        return field.problem("is empty; at least one target is needed");
    }
    Some(targets)
}

fn target(section: &Section<'_>, interval: Option<Duration>, seen: &mut Seen) -> Option<Target> {
    let name = section.get("name", |field| target_name(field, seen));
    let regions = section.get("regions", regions);
    let assume_role = section.optional("assume_role", |field| {
        field.section(&keys::ASSUME_ROLE, assume_role)
    });
    let profile = section.optional("profile", |field| {
        field.text_that("the name of a profile", |text| {
            !text.is_empty() && !text.contains(char::is_control)
        })
    });
    let endpoint_url = section.optional("endpoint_url", endpoint_url);
    let rate_limit = section.get("rate_limit", |field| {
        field.section(&keys::RATE_LIMIT, rate_limit)
    });
    let labels = section.optional("labels", labels);
    let steps = section.get("step_executions", |field| {
        let steps = field.each(
            "a list of step execution ids, such as [step-01234567-89ab-cdef-0123-456789abcdef]",
            |item| listed_step(item, interval, seen),
        );
        let one_region = one_region(section, field);
        let steps = steps?;
        if steps.is_empty() {
            return field.problem("is empty; list at least one step execution id");
        }
        one_region?;
        Some(steps)
    });
    Some(Target {
        name: name?,
        regions: regions?,
        assume_role: assume_role?,
        profile: profile?,
        endpoint_url: endpoint_url?,
        rate_limit: rate_limit?,
        labels: labels?.unwrap_or_default(),
        step_executions: steps?,
    })
}

fn target_name(field: Field<'_>, seen: &mut Seen) -> Option<String> {
    let name = field.text_that(
        "a target's name, which is made of letters, digits, _ and -",
        |text| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        },
    )?;
    match seen.names.get(&name) {
        Some(first) => field.repeats("another target has this name; each needs its own", first),
        None => {
            seen.names.insert(name.clone(), field.place());
            Some(name)
        }
    }
}

fn regions(field: Field<'_>) -> Option<Vec<String>> {
    let mut seen: HashMap<String, Place> = HashMap::new();
    let regions = field.each("a list of regions, such as [us-west-2]", |item| {
        let region = item.text_that("a region such as us-west-2", aws::is_region)?;
        match seen.get(&region) {
            Some(first) => item.repeats("this region is listed twice; keep one", first),
            None => {
                seen.insert(region.clone(), item.place());
                Some(region)
            }
        }
    })?;
    if regions.is_empty() {
        return field.problem("is empty; name at least one region, such as [us-west-2]");
    }
    Some(regions)
}

/// An id names no region, so a target with listed ones must leave no choice.
fn one_region(section: &Section<'_>, list: Field<'_>) -> Option<()> {
    let Some(Node::Sequence(regions)) = section.find("regions").map(|regions| regions.node) else {
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

fn assume_role(section: &Section<'_>) -> Option<AssumeRole> {
    let role_arn = section.get("role_arn", |field| {
        field.text_that(
            "a role's ARN, such as arn:aws:iam::111122223333:role/imagebuilder-exporter",
            aws::is_role_arn,
        )
    });
    let external_id = section.optional("external_id", |field| {
        let text = field.text("text of 2 to 1224 characters")?;
        match aws::is_external_id(&text.value) {
            true => Some(text.value.into_owned()),
            // Close to a password, so not quoted.
            false => field.problem(
                "this is not an external id, which is 2 to 1224 letters, digits and _+=,.@:/-",
            ),
        }
    });
    let session_name = section.get("session_name", |field| {
        field.text_that(
            "a session name, which is 2 to 64 letters, digits and _+=,.@-",
            aws::is_session_name,
        )
    });
    Some(AssumeRole {
        role_arn: role_arn?,
        external_id: external_id?,
        session_name: session_name?,
    })
}

fn endpoint_url(field: Field<'_>) -> Option<String> {
    let text = field.text("a URL")?;
    match aws::endpoint_fault(&text.value) {
        None => Some(text.value.into_owned()),
        // A password may stand in it.
        Some(fault) if text.value.contains('@') => field.problem(fault),
        Some(fault) => field.problem(format!("{} {fault}", text.quoted())),
    }
}

fn rate_limit(section: &Section<'_>) -> Option<RateLimit> {
    let requests_per_second = section.get("requests_per_second", |field| field.number(0.001));
    let burst = section.get("burst", |field| field.count(1..=u32::MAX));
    Some(RateLimit {
        requests_per_second: requests_per_second?,
        burst: NonZeroU32::new(burst?)?,
    })
}

fn listed_step(item: Field<'_>, interval: Option<Duration>, seen: &mut Seen) -> Option<ListedStep> {
    match item.node {
        Node::Mapping(_) => item.section(&keys::LISTED_STEP, |section| {
            let id = section.get("id", |field| step_id(field, seen));
            let own = section.optional("interval", |field| field.duration());
            let labels = section.optional("labels", labels);
            Some(ListedStep {
                id: id?,
                interval: own?.or(interval)?,
                labels: labels?.unwrap_or_default(),
            })
        }),
        Node::Text(_) => Some(ListedStep {
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
    match seen.steps.get(&number(&id)) {
        Some(first) => field.repeats("this step execution is listed twice; keep one", first),
        None => {
            seen.steps.insert(number(&id), field.place());
            Some(id)
        }
    }
}

fn number(id: &StepExecutionId) -> u128 {
    let digits = id.uuid().chars().filter_map(|c| c.to_digit(16));
    digits.fold(0, |number, digit| number << 4 | u128::from(digit))
}
