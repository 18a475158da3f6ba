//! What a target must hold, but for what it follows, which is `lists`' business.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::field::Field;
use super::labels::labels;
use super::reading::Place;
use super::section::{self, Section};
use super::{AssumeRole, RateLimit, Target, endpoint, keys, lists};
use crate::model::identifier;

/// What may stand once in the whole file, with the place of its first mention.
#[derive(Default)]
pub(super) struct Seen {
    names: HashMap<String, Place>,
    /// Ids and ARNs, ids in lower case: the service's pattern allows both cases of one UUID.
    pub ids: HashMap<String, Place>,
    /// Step files, with the places of the list and of the entry that name them.
    pub files: HashMap<PathBuf, (Place, Place)>,
}

/// All targets, each with its place.
pub(super) fn targets(
    field: Field<'_>,
    interval: Option<Duration>,
) -> Option<Vec<(Target, Place)>> {
    let mut seen = Seen::default();
    let targets = field.each("a list of targets, each with a dash before it", |item| {
        let target = section::read(item, &keys::TARGET, |section| {
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
        section::read(field, &keys::ASSUME_ROLE, assume_role)
    });
    let profile = section.optional("profile", |field| {
        field.text_that("the name of a profile", |text| {
            !text.is_empty() && !text.contains(char::is_control)
        })
    });
    let endpoint_url = section.optional("endpoint_url", endpoint_url);
    let rate_limit = section.get("rate_limit", |field| {
        section::read(field, &keys::RATE_LIMIT, rate_limit)
    });
    let labels = section.optional("labels", labels);
    let followed = lists::followed(section, interval, regions.as_deref(), seen)?;
    Some(Target {
        name: name?,
        regions: regions?,
        assume_role: assume_role?,
        profile: profile?,
        endpoint_url: endpoint_url?,
        rate_limit: rate_limit?,
        labels: labels?.unwrap_or_default(),
        step_executions: followed.step_executions,
        workflow_executions: followed.workflow_executions,
        image_build_versions: followed.image_build_versions,
        pipelines: followed.pipelines,
        images: followed.images,
        tags: followed.tags,
        exclude: followed.exclude,
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
        Some(first) => field.repeats("another target has this name; each needs its own", *first),
        None => {
            seen.names.insert(name.clone(), field.place());
            Some(name)
        }
    }
}

fn regions(field: Field<'_>) -> Option<Vec<String>> {
    let mut seen: HashMap<String, Place> = HashMap::new();
    let regions = field.each("a list of regions, such as [us-west-2]", |item| {
        let region = item.text_that("a region such as us-west-2", identifier::is_region)?;
        match seen.get(&region) {
            Some(first) => item.repeats("this region is listed twice; keep one", *first),
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

fn assume_role(section: &Section<'_>) -> Option<AssumeRole> {
    let role_arn = section.get("role_arn", |field| {
        field.text_that(
            "a role's ARN, such as arn:aws:iam::111122223333:role/imagebuilder-exporter",
            identifier::is_role_arn,
        )
    });
    let external_id = section.optional("external_id", |field| {
        let text = field.text("text of 2 to 1224 characters")?;
        match identifier::is_external_id(&text.value) {
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
            identifier::is_session_name,
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
    match endpoint::endpoint_fault(&text.value) {
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
