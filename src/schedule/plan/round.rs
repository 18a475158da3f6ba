//! The rounds of discovery: the lists of the account's images and pipelines, read to their ends
//! again and again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::leave::Left;
use super::queue::{Slot, Urgency};
use super::{Call, ImagePlan, Pace, Plan};
use crate::api::{ErrorKind, Operation};
use crate::clock::Now;
use crate::model::{Image, ImageArn, ImageStatus, Pipeline, PipelineArn, Timestamp};
use crate::schedule::selection::Selection;

/// How often in a row a page is asked for again before its round begins anew.
const PAGE_ATTEMPTS: u32 = 3;

/// The two lists of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    Images,
    Pipelines,
}

/// What is selected, and how far it has been looked for.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    selection: Selection,
    pub images: Round,
    pub pipelines: Round,
    /// The account's pipelines, and whether each is selected; `None` until they were listed.
    known: Option<HashMap<PipelineArn, bool>>,
    /// Account and name of the images that the selected pipelines build.
    recipes: BTreeSet<(String, String)>,
    /// Account and name of the images that were followed, whoever builds them now.
    followed: BTreeSet<(String, String)>,
    /// When the newest AVAILABLE build of each image was made, as the last whole list told; `None`
    /// until there was one. Which of them matter, the pipelines may tell later.
    available: Option<HashMap<(String, String), Available>>,
    tally: Tally,
}

/// How far a list has been read, and how often.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub wanted: bool,
    pub number: u64,
    /// When its first page was due. All of its pages are late since then: where the rate limit does
    /// not reach, a page that began to wait when the one before it was answered would wait as long
    /// as that did, and a round of ten take ten times as long.
    due: Option<Instant>,
    token: Option<String>,
    failures: u32,
    /// How often in a row the page that is next could not be read.
    page_failures: u32,
    /// Begun while a page was on its way that belongs to the round before.
    superseded: bool,
    attempted: bool,
    succeeded: Option<Timestamp>,
}

/// What a round has come across so far.
#[derive(Debug, Default)]
struct Tally {
    /// When the newest AVAILABLE build was made, by account and name.
    available: HashMap<(String, String), Available>,
    /// Of each selector of images, the names it matches.
    names: Vec<BTreeSet<String>>,
    pipelines: HashMap<PipelineArn, bool>,
    recipes: BTreeSet<(String, String)>,
    /// Of each selector of pipelines, how many it matches.
    matches: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Available {
    any: Option<Timestamp>,
    /// Of the builds that are selected as images.
    selected: Option<Timestamp>,
}

/// What a page means, beyond the entries it held.
#[derive(Debug, Default)]
pub struct RoundRead {
    /// Whether it was the last one.
    pub ended: bool,
    /// What is there no longer.
    pub left: Left,
    /// Images about which can be decided only now.
    pub undecided: Vec<ImageArn>,
    /// Account and name of the images that matter, and when the newest AVAILABLE build was made;
    /// `None` until that is known.
    pub available: Option<BTreeMap<(String, String), Timestamp>>,
    /// The pipelines to show.
    pub pipelines: BTreeSet<PipelineArn>,
    /// Each selector of this list and how much it matches.
    pub matches: Vec<(String, usize)>,
    /// When all lists that are wanted were last read, or the older one of them.
    pub succeeded: Option<Timestamp>,
}

impl Rounds {
    /// Whether an image is to be followed; `None` where that cannot be told yet.
    pub(super) fn decided(&self, plan: &ImagePlan) -> Option<bool> {
        match plan.named {
            true => Some(true),
            false => self.wants(plan.told.as_ref()?, plan.full),
        }
    }

    /// Whether an image is selected; `None` where that cannot be told yet. `full` says whether its
    /// pipeline is known, if it has one.
    fn wants(&self, image: &Image, full: bool) -> Option<bool> {
        if self.selection.chooses_image(image) {
            return Some(true);
        }
        if !self.selection.asks_for_pipelines() || self.selection.excludes_image(image) {
            return Some(false);
        }
        match &image.pipeline {
            Some(pipeline) => self.wants_builds_of(pipeline),
            None if full => Some(false),
            None => None,
        }
    }

    fn wants_builds_of(&self, pipeline: &PipelineArn) -> Option<bool> {
        let known = self.known.as_ref()?;
        let selected = known.get(pipeline).copied();
        Some(selected.unwrap_or_else(|| self.selection.chose_pipeline(pipeline)))
    }
}

impl Plan {
    /// Follows what is selected from now on, at this pace, beside what was named before. Tells what
    /// is no longer followed.
    pub fn select(&mut self, selection: Selection, pace: Pace, now: Now) -> Left {
        self.change_pace(pace, now.instant);
        if self.rounds.selection != selection {
            self.begin_anew(selection, now.instant);
        }
        let mut left = Left::default();
        let images: Vec<ImageArn> = self.images.keys().cloned().collect();
        for arn in images {
            let plan = &self.images[&arn];
            if plan.named {
                continue;
            }
            let by_pipeline = plan.told.as_ref().and_then(|image| image.pipeline.as_ref());
            let rounds = &self.rounds;
            let stays = plan.told.as_ref().is_some_and(|image| {
                let selection = &rounds.selection;
                let may = by_pipeline.is_some_and(|arn| selection.names_pipeline(arn));
                selection.chooses_image(image) || (may && !selection.excludes_image(image))
            });
            // Of one that has left, executions that failed may still be there.
            let known = plan.is_followed() || plan.has_left() || !plan.workflows.is_empty();
            if !(stays && known) {
                self.drop_image(&arn, now.instant, &mut left);
            }
        }
        left
    }

    fn change_pace(&mut self, pace: Pace, now: Instant) {
        let before = std::mem::replace(&mut self.pace, pace);
        if pace.interval != before.interval {
            let steps = self.steps.iter_mut().filter(|(_, step)| !step.listed);
            let changed: Vec<_> = steps
                .map(|(id, step)| {
                    step.interval = pace.interval;
                    *id
                })
                .collect();
            for id in changed.iter().filter(|_| pace.interval < before.interval) {
                self.look_no_later(*id, now + pace.interval);
            }
        }
        let kept = |pace: Pace| (pace.retention, pace.retention_failed);
        if kept(pace) != kept(before) {
            self.retain_otherwise(now);
        }
    }

    /// Whether the lists of the account are asked for.
    pub fn discovers(&self) -> bool {
        self.rounds.images.wanted
    }

    fn begin_anew(&mut self, selection: Selection, now: Instant) {
        let rounds = &mut self.rounds;
        rounds.images.wanted = selection.asks_for_images();
        rounds.pipelines.wanted = selection.asks_for_pipelines();
        rounds.selection = selection;
        // Which pipelines are selected is to be told anew.
        rounds.known = None;
        rounds.available = None;
        rounds.followed.clear();
        if !rounds.pipelines.wanted {
            rounds.recipes.clear();
        }
        for lists in [Lists::Pipelines, Lists::Images] {
            self.begin_round(lists, now);
        }
    }

    fn begin_round(&mut self, lists: Lists, due: Instant) {
        let call = lists.call();
        let round = self.rounds.of(lists);
        round.token = None;
        round.page_failures = 0;
        round.due = Some(due);
        round.number += 1;
        let wanted = round.wanted;
        self.rounds.begin_tally(lists);
        let in_flight = self.in_flight.contains(&call);
        self.rounds.of(lists).superseded = in_flight;
        if !wanted {
            self.queue.remove(&call);
        } else if !in_flight {
            self.queue.put(call, Slot::new(due, Urgency::Discovery));
        }
    }

    /// Where the next page begins.
    pub fn round_token(&self, lists: Lists) -> Option<String> {
        match lists {
            Lists::Images => self.rounds.images.token.clone(),
            Lists::Pipelines => self.rounds.pipelines.token.clone(),
        }
    }

    /// A list told of an image, whether it is to be followed or not.
    pub fn tally_image(&mut self, image: &Image) {
        let Rounds {
            selection, tally, ..
        } = &mut self.rounds;
        let name = image.arn.name();
        let mut selected = false;
        for place in selection.choosing_image(image) {
            selected = true;
            tally.names[place].insert(name.to_owned());
        }
        if image.status == ImageStatus::Available && !selection.excludes_image(image) {
            let key = (image.arn.account_id().to_owned(), name.to_owned());
            let available = tally.available.entry(key).or_default();
            available.any = available.any.max(image.created);
            if selected {
                available.selected = available.selected.max(image.created);
            }
        }
    }

    /// A list told of a pipeline. Returns whether it is selected.
    pub fn tally_pipeline(&mut self, pipeline: &Pipeline) -> bool {
        let Rounds {
            selection, tally, ..
        } = &mut self.rounds;
        let mut selected = false;
        for place in selection.choosing_pipeline(pipeline) {
            selected = true;
            tally.matches[place] += 1;
        }
        if selected && let Some(recipe) = &pipeline.recipe {
            let account = pipeline.arn.account_id().to_owned();
            tally.recipes.insert((account, recipe.clone()));
        }
        tally.pipelines.insert(pipeline.arn.clone(), selected);
        selected
    }

    /// A page was read, and each of its entries told.
    pub fn round_read(&mut self, lists: Lists, next: Option<String>, now: Now) -> RoundRead {
        let round = self.rounds.of(lists);
        if !round.wanted {
            return RoundRead::default();
        }
        if round.superseded {
            self.begin_round(lists, now.instant);
            return RoundRead::default();
        }
        round.page_failures = 0;
        if next.is_some() {
            round.token = next;
            let due = round.due.unwrap_or(now.instant);
            let slot = Slot::new(due, Urgency::Discovery);
            self.queue.put(lists.call(), slot);
            return RoundRead::default();
        }
        round.failures = 0;
        round.attempted = true;
        round.succeeded = Some(now.time);
        let mut read = match lists {
            Lists::Images => self.images_listed(now),
            Lists::Pipelines => self.pipelines_listed(),
        };
        read.ended = true;
        read.available = self.rounds.available();
        read.succeeded = self.rounds.succeeded();
        let wait = self.jitter.nearly(self.pace.discovery_interval);
        self.begin_round(lists, now.instant + wait);
        read
    }

    fn images_listed(&mut self, now: Now) -> RoundRead {
        let number = self.rounds.images.number;
        let gone = self
            .images
            .iter()
            .filter(|(_, plan)| !plan.named && plan.round < number);
        let gone: Vec<ImageArn> = gone.map(|(arn, _)| arn.clone()).collect();
        let mut left = Left::default();
        for arn in gone {
            self.image_gone(&arn, &mut left);
        }
        self.images_due(now.instant);
        // After a reload some are followed on until the pipelines tell whether they are selected.
        let decided = |plan: &ImagePlan| self.rounds.decided(plan) == Some(true);
        let images = { self.images.iter() }.filter(|(_, plan)| plan.is_followed() && decided(plan));
        let name = |arn: &ImageArn| (arn.account_id().to_owned(), arn.name().to_owned());
        let names: Vec<_> = images.map(|(arn, _)| name(arn)).collect();
        let Rounds {
            selection,
            tally,
            followed,
            available,
            ..
        } = &mut self.rounds;
        followed.extend(names);
        *available = Some(std::mem::take(&mut tally.available));
        let matches = selection.image_selectors().map(str::to_owned);
        RoundRead {
            left,
            matches: matches.zip(tally.names.iter().map(BTreeSet::len)).collect(),
            ..RoundRead::default()
        }
    }

    fn pipelines_listed(&mut self) -> RoundRead {
        let Rounds {
            selection,
            tally,
            recipes,
            known,
            ..
        } = &mut self.rounds;
        *recipes = std::mem::take(&mut tally.recipes);
        let pipelines = std::mem::take(&mut tally.pipelines);
        let shown = pipelines.iter().filter(|(_, selected)| **selected);
        let shown = shown.map(|(arn, _)| arn.clone()).collect();
        *known = Some(pipelines);
        let matches = selection.pipeline_selectors().map(str::to_owned);
        let matches = matches.zip(tally.matches.iter().copied()).collect();
        let by_pipeline = self.images.iter().filter(|(_, plan)| {
            let told = plan.told.as_ref();
            !plan.named && told.is_some_and(|image| image.pipeline.is_some())
        });
        RoundRead {
            undecided: by_pipeline.map(|(arn, _)| arn.clone()).collect(),
            pipelines: shown,
            matches,
            ..RoundRead::default()
        }
    }

    /// The page asked for was larger than the service allows: the same again, smaller.
    pub fn round_too_large(&mut self, lists: Lists, now: Instant) {
        self.begin_round(lists, now);
    }

    /// A page could not be read.
    pub fn round_failed(&mut self, lists: Lists, kind: ErrorKind, now: Instant) {
        let interval = self.pace.discovery_interval;
        let round = self.rounds.of(lists);
        round.attempted = true;
        // In a large account a round of many pages would hardly ever come to its end if each page
        // that fails began it anew.
        let page_again = kind != ErrorKind::Client
            && round.token.is_some()
            && !round.superseded
            && round.page_failures < PAGE_ATTEMPTS;
        if page_again && round.wanted {
            round.page_failures += 1;
            let wait = self
                .jitter
                .after_failure(kind, interval, round.page_failures);
            let slot = Slot::new(now + wait, Urgency::Discovery);
            return self.queue.put(lists.call(), slot);
        }
        round.failures = round.failures.saturating_add(1);
        let failures = round.failures;
        // A token can expire between two pages.
        let again = kind == ErrorKind::Client && round.token.is_some() && failures == 1;
        let wait = match again {
            true => Duration::ZERO,
            false => self.jitter.after_failure(kind, interval, failures),
        };
        self.begin_round(lists, now + wait);
    }

    /// Whether all that the first lists told of has been asked for once.
    pub(super) fn discovery_attempted(&self) -> bool {
        let rounds = [&self.rounds.images, &self.rounds.pipelines];
        let denied = self.denied_until.contains_key(&Operation::GetImage);
        let wholes = { self.workflows.values() }.filter_map(|workflow| workflow.whole.as_ref());
        rounds.iter().all(|round| round.attempted || !round.wanted)
            && { self.images.values() }.all(|plan| plan.attempted(denied))
            && { wholes }.all(|whole| whole.attempted)
    }
}

impl Rounds {
    fn of(&mut self, lists: Lists) -> &mut Round {
        match lists {
            Lists::Images => &mut self.images,
            Lists::Pipelines => &mut self.pipelines,
        }
    }

    fn begin_tally(&mut self, lists: Lists) {
        let tally = &mut self.tally;
        match lists {
            Lists::Images => {
                tally.available.clear();
                let count = self.selection.image_selectors().count();
                tally.names = vec![BTreeSet::new(); count];
            }
            Lists::Pipelines => {
                tally.pipelines.clear();
                tally.recipes.clear();
                tally.matches = vec![0; self.selection.pipeline_selectors().count()];
            }
        }
    }

    /// Of the images that matter, when the newest AVAILABLE build was made.
    fn available(&self) -> Option<BTreeMap<(String, String), Timestamp>> {
        let matters = |(key, available): (&(String, String), &Available)| {
            let any = self.recipes.contains(key) || self.followed.contains(key);
            let at = if any {
                available.any
            } else {
                available.selected
            };
            Some((key.clone(), at?))
        };
        Some(
            self.available
                .as_ref()?
                .iter()
                .filter_map(matters)
                .collect(),
        )
    }

    fn succeeded(&self) -> Option<Timestamp> {
        let wanted = [&self.images, &self.pipelines];
        let wanted = wanted.into_iter().filter(|round| round.wanted);
        let all: Option<Vec<Timestamp>> = wanted.map(|round| round.succeeded).collect();
        all?.into_iter().min()
    }
}

impl Lists {
    pub fn call(self) -> Call {
        match self {
            Self::Images => Call::Images,
            Self::Pipelines => Call::Pipelines,
        }
    }
}
