//! Discovery passes: repeated reads of the lists of images and pipelines, and what they select.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

use super::account_list::AccountList;
use super::available::{Available, Builds};
use super::changes::Notice;
use super::context::Context;
use super::image::ImageState;
use super::pager::Pager;
use super::queue::{Slot, Urgency};
use super::retry::Policy;
use super::selection::Selection;
use crate::api::ErrorKind;
use crate::model::{Image, ImageArn, Pipeline, PipelineArn, Timestamp};
use crate::snapshot::{AvailableBuild, ImageName, SelectorKind, SelectorRecord, Table};

/// The selection, and the state of the passes that apply it.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    pub selection: Selection,
    pub images: Pass,
    pub pipelines: Pass,
    /// The account's pipelines, and whether each is selected; `None` until they were listed.
    known: Option<HashMap<PipelineArn, bool>>,
    /// The images that the selected pipelines build.
    recipes: BTreeSet<ImageName>,
    /// The images that were tracked, whoever builds them now.
    tracked: BTreeSet<ImageName>,
    /// The AVAILABLE builds of each image, from the last complete list. The pipelines decide which of
    /// them are exposed.
    available: Option<HashMap<ImageName, Available>>,
    /// The pass that this list is of; 0 without one.
    available_pass: u64,
    /// When the newest build of each image was created that is or was AVAILABLE, from the last complete
    /// list. What such a build resolved stays resolved in a reload.
    built: HashMap<ImageName, Timestamp>,
    tally: Tally,
    pub selectors: Table<SelectorRecord>,
    /// When all lists that are wanted were last read, or the older one of them.
    pub succeeded: Option<Timestamp>,
    /// When the first pass was due; `None` without discovery.
    pub began: Option<Timestamp>,
}

/// How far a list has been read, and how often.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub wanted: bool,
    pub number: u64,
    /// When its first page was due. All of its pages are overdue since then. Otherwise, at a low rate
    /// limit, each page would wait for as long as the one before it.
    due: Option<Instant>,
    pub pager: Pager,
    attempted: bool,
    succeeded: Option<Timestamp>,
}

/// What a pass has returned so far.
#[derive(Debug, Default)]
struct Tally {
    available: HashMap<ImageName, Available>,
    built: HashMap<ImageName, Timestamp>,
    /// Of each selector of images, the names it matches.
    names: Vec<BTreeSet<String>>,
    pipelines: HashMap<PipelineArn, bool>,
    recipes: BTreeSet<ImageName>,
    /// Of each selector of pipelines, how many it matches.
    matches: Vec<usize>,
}

impl Pass {
    /// Whether the list need not be read, or a first attempt to read it has ended.
    fn attempted(&self) -> bool {
        self.attempted || !self.wanted
    }
}

impl Discovery {
    pub(super) fn attempted(&self) -> bool {
        self.images.attempted() && self.pipelines.attempted()
    }

    pub(super) fn pass(&mut self, list: AccountList) -> &mut Pass {
        match list {
            AccountList::Images => &mut self.images,
            AccountList::Pipelines => &mut self.pipelines,
        }
    }

    /// Selects what the configuration selects from now on. Begins new passes where that is another
    /// selection than before.
    pub(super) fn select(&mut self, c: &mut Context) {
        let selection = c.assignment.selection();
        if self.selection == selection {
            return;
        }
        let kept = |record: &SelectorRecord| {
            let (kind, selector) = &record.key;
            match kind {
                SelectorKind::Pipelines => {
                    selection.pipeline_selectors().any(|one| one == &**selector)
                }
                SelectorKind::Images => selection.image_selectors().any(|one| one == &**selector),
            }
        };
        let dropped = self.selectors.records().iter().filter(|one| !kept(one));
        let dropped: Vec<_> = dropped.map(|record| record.key.clone()).collect();
        for key in dropped {
            self.selectors.remove(&key);
        }
        self.images.wanted = selection.asks_for_images();
        self.pipelines.wanted = selection.asks_for_pipelines();
        self.selection = selection;
        // The next pass decides again which pipelines are selected.
        self.known = None;
        self.available = None;
        self.available_pass = 0;
        self.tracked.clear();
        if !self.pipelines.wanted {
            self.recipes.clear();
        }
        if !self.images.wanted {
            self.succeeded = None;
            self.began = None;
        } else {
            self.began = self.began.or(Some(c.now.time));
        }
        for list in [AccountList::Pipelines, AccountList::Images] {
            self.begin_pass(list, c.now.instant, c);
        }
    }

    pub(super) fn begin_pass(&mut self, list: AccountList, due: Instant, c: &mut Context) {
        let call = list.call();
        let in_flight = c.queue.in_flight(&call);
        let pass = self.pass(list);
        pass.pager.restart();
        pass.pager.again = in_flight;
        pass.due = Some(due);
        pass.number += 1;
        if !pass.wanted {
            c.queue.remove(&call);
        } else if !in_flight {
            c.queue.put(call, Slot::new(due, Urgency::Discovery));
        }
        match list {
            AccountList::Images => {
                self.tally.available.clear();
                self.tally.built.clear();
                let count = self.selection.image_selectors().count();
                self.tally.names = vec![BTreeSet::new(); count];
            }
            AccountList::Pipelines => {
                self.tally.pipelines.clear();
                self.tally.recipes.clear();
                self.tally.matches = vec![0; self.selection.pipeline_selectors().count()];
            }
        }
    }

    /// Whether an image is to be tracked; `None` where that is not known yet.
    pub(super) fn selects(&self, image: &ImageState) -> Option<bool> {
        if image.named {
            return Some(true);
        }
        let observed = image.observed.as_ref()?;
        if self.selection.chooses_image(observed) {
            return Some(true);
        }
        if !self.selection.asks_for_pipelines() || self.selection.excludes_image(observed) {
            return Some(false);
        }
        match &observed.pipeline {
            Some(pipeline) => self.selects_builds_of(pipeline),
            None if image.full => Some(false),
            None => None,
        }
    }

    fn selects_builds_of(&self, pipeline: &PipelineArn) -> Option<bool> {
        let selected = self.known.as_ref()?.get(pipeline).copied();
        Some(selected.unwrap_or_else(|| self.selection.chose_pipeline(pipeline)))
    }

    /// Counts an image of the list, whether it is selected or not. `history` is how many builds of an
    /// image are kept for the baselines.
    pub(super) fn tally_image(&mut self, image: &Image, history: usize) {
        let Self {
            selection, tally, ..
        } = self;
        let name = image.arn.name();
        let mut selected = false;
        for place in selection.choosing_image(image) {
            selected = true;
            tally.names[place].insert(name.to_owned());
        }
        if let Some(created) = image.created.filter(|_| image.status.was_available()) {
            let newest = tally.built.entry(ImageName::of(&image.arn));
            let newest = newest.or_insert(created);
            *newest = created.max(*newest);
        }
        if let Some(build) = AvailableBuild::of(image)
            && !selection.excludes_image(image)
        {
            let available = tally.available.entry(ImageName::of(&image.arn));
            { available.or_default() }.add(&image.arn, build, selected, history);
        }
    }

    /// Counts an image of the list whose status is missing, as the last complete list had it.
    pub(super) fn tally_unparsed(&mut self, arn: &ImageArn, history: usize) {
        let (name, tally) = (ImageName::of(arn), &mut self.tally);
        if let Some(known) = self.available.as_ref().and_then(|all| all.get(&name)) {
            let available = tally.available.entry(name.clone());
            available.or_default().keep(arn, known, history);
        }
        if let Some(built) = self.built.get(&name) {
            let newest = tally.built.entry(name).or_insert(*built);
            *newest = (*newest).max(*built);
        }
    }

    /// Counts a pipeline of the list. Returns whether it is selected.
    pub(super) fn tally_pipeline(&mut self, pipeline: &Pipeline) -> bool {
        let Self {
            selection, tally, ..
        } = self;
        let mut selected = false;
        for place in selection.choosing_pipeline(pipeline) {
            selected = true;
            tally.matches[place] += 1;
        }
        if selected && let Some(recipe) = &pipeline.recipe {
            tally.recipes.insert(ImageName {
                account_id: pipeline.arn.account_id().into(),
                name: recipe.as_str().into(),
            });
        }
        tally.pipelines.insert(pipeline.arn.clone(), selected);
        selected
    }

    /// A page was read, and each of its entries was counted. Returns whether the pass ended with it.
    pub(super) fn page_read(
        &mut self,
        list: AccountList,
        entries: usize,
        next: Option<String>,
        c: &mut Context,
    ) -> bool {
        let pass = self.pass(list);
        if !pass.wanted {
            return false;
        }
        if pass.pager.again {
            self.begin_pass(list, c.now.instant, c);
            return false;
        }
        if let Some(pause) = pass.pager.read(entries, next) {
            let overdue = pass.due.filter(|_| pause.is_zero());
            let due = overdue.unwrap_or(c.now.instant + pause);
            c.queue.put(list.call(), Slot::new(due, Urgency::Discovery));
            return false;
        }
        pass.attempted = true;
        pass.succeeded = Some(c.now.time);
        true
    }

    /// The pass over the images has ended; those of these names are tracked.
    pub(super) fn images_read(&mut self, tracked: impl IntoIterator<Item = ImageName>) {
        self.tracked.extend(tracked);
        self.available = Some(std::mem::take(&mut self.tally.available));
        self.available_pass = self.images.number;
        self.built = std::mem::take(&mut self.tally.built);
    }

    /// Returns when the newest build of the image was created that is or was AVAILABLE.
    pub(super) fn newest_build(&self, image: &ImageName) -> Option<Timestamp> {
        self.built.get(image).copied()
    }

    /// Returns the names of the images that the account has built, and of those that the selected
    /// pipelines build; `None` until the lists that are wanted have been read.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &ImageName>> {
        let read = |pass: &Pass| !pass.wanted || pass.succeeded.is_some();
        let are_read = read(&self.images) && read(&self.pipelines);
        // No list replaces them after a reload that ends discovery.
        let built = self.built.keys().filter(|_| self.images.wanted);
        are_read.then(|| built.chain(&self.recipes))
    }

    /// Forgets the names of images that are not tracked.
    pub(super) fn retain_tracked(&mut self, tracked: &BTreeSet<ImageName>) {
        self.tracked.retain(|name| tracked.contains(name));
    }

    /// The pass over the pipelines has ended. Returns the pipelines, and whether each is selected.
    pub(super) fn pipelines_read(&mut self) -> &HashMap<PipelineArn, bool> {
        self.recipes = std::mem::take(&mut self.tally.recipes);
        self.known.insert(std::mem::take(&mut self.tally.pipelines))
    }

    /// Ends a pass that was read to its end and schedules the next one.
    pub(super) fn end_pass(&mut self, list: AccountList, c: &mut Context) {
        let kind = list.kind();
        let (selectors, matches): (Vec<&str>, Vec<usize>) = match list {
            AccountList::Images => (
                self.selection.image_selectors().collect(),
                self.tally.names.iter().map(BTreeSet::len).collect(),
            ),
            AccountList::Pipelines => (
                self.selection.pipeline_selectors().collect(),
                self.tally.matches.clone(),
            ),
        };
        c.notice(Notice::PassEnded(list.operation()));
        for (selector, matches) in selectors.into_iter().zip(matches) {
            let record = SelectorRecord::new(kind, selector, matches);
            c.notice(Notice::SelectorMatched(record.clone()));
            self.selectors.put(record);
        }
        let passes = [&self.images, &self.pipelines];
        let wanted = passes.into_iter().filter(|pass| pass.wanted);
        let all: Option<Vec<Timestamp>> = wanted.map(|pass| pass.succeeded).collect();
        if let Some(oldest) = all.and_then(|all| all.into_iter().min()) {
            self.succeeded = Some(oldest);
        }
        let wait = c.jitter.nearly(c.pace.discovery_interval);
        self.begin_pass(list, c.now.instant + wait, c);
    }

    /// Returns the newest AVAILABLE build of each image that matters; `None` until a list was read.
    pub(super) fn available(&self) -> Option<BTreeMap<ImageName, Arc<AvailableBuild>>> {
        let newest = |(key, available)| {
            let builds = self.builds_that_matter(key, available);
            Some((key.clone(), builds.newest.clone()?))
        };
        let available = self.available.as_ref()?.iter();
        Some(available.filter_map(newest).collect())
    }

    /// Returns the pass over the images that is the first to begin, or to return a page, from now on.
    pub(super) fn next_pass(&self) -> u64 {
        self.images.number + u64::from(self.images.pager.is_half_read())
    }

    /// Whether this pass over the images or a later one was read to its end.
    pub(super) fn has_read(&self, pass: u64) -> bool {
        self.available_pass >= pass
    }

    /// Returns the builds of an image for the baselines, the newest first.
    pub(super) fn history_of(&self, key: &ImageName) -> Vec<ImageArn> {
        let available = self.available.as_ref().and_then(|all| all.get(key));
        let builds = available.map(|available| self.builds_that_matter(key, available));
        let history = builds.into_iter().flat_map(Builds::history);
        history.cloned().collect()
    }

    fn builds_that_matter<'a>(&self, key: &ImageName, available: &'a Available) -> &'a Builds {
        match self.recipes.contains(key) || self.tracked.contains(key) {
            true => &available.any,
            false => &available.selected,
        }
    }

    /// A page could not be read.
    pub(super) fn page_failed(&mut self, list: AccountList, kind: ErrorKind, c: &mut Context) {
        let policy = Policy {
            interval: c.pace.discovery_interval,
            gone_after: None,
            denied_hourly: false,
            restarts_at_once: true,
        };
        let pass = self.pass(list);
        pass.attempted = true;
        let failure = pass.pager.failed(kind, policy, c);
        let due = c.now.instant + failure.wait;
        if failure.restarted {
            self.begin_pass(list, due, c);
        } else if pass.wanted {
            c.queue.put(list.call(), Slot::new(due, Urgency::Discovery));
        }
    }
}
