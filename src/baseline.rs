//! Knows how long each step usually takes, from the last COMPLETED executions of all targets.
//!
//! Owns these durations, the rule after what time a running step is slow, and when what runs is
//! expected to end. One value serves all pollers, since several targets can build one image. `poller`
//! feeds it with the changes of steps; `exposition` reads it.

mod ends;
mod key;
mod rule;
mod samples;
mod unused;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use globset::GlobMatcher;
use tokio::time::Instant;

use crate::config;
use crate::labels::{LabelText, names};
use crate::model::{StepStatus, Timestamp};
use crate::snapshot::{Chunks, ImageName, Observation, Phase, Record, StepRecord, Table};

pub use ends::ExpectedEnds;
pub use key::BaselineKey;
use samples::{Sample, Samples};
use unused::Unused;

/// The number of executions from which on a step has a baseline.
pub const MIN_EXECUTIONS: usize = rule::LEAST;

/// The largest number of steps. Beyond it, the one that has not completed for longest is forgotten.
const MOST: usize = 10_000;

/// The durations of all steps, under one configuration.
#[derive(Debug)]
pub struct Baselines {
    rules: Rules,
    known: Mutex<Arc<Table<Baseline>>>,
    unused: Mutex<Unused>,
}

/// Which steps have a baseline, and how long.
#[derive(Debug)]
struct Rules {
    enabled: bool,
    /// How long a target keeps them after it last used the image name; `None`: until the end.
    retention: Option<Duration>,
    exclude: Vec<[GlobMatcher; 3]>,
}

/// How long one step of the workflows of one image name takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    key: BaselineKey,
    owners: Vec<Owner>,
    samples: Samples,
}

/// A target that builds the image, with its own labels.
#[derive(Clone, Debug, PartialEq)]
struct Owner {
    target: Arc<str>,
    labels: LabelText,
}

impl Baseline {
    /// The labels of the step, and each set of own labels of its targets, once.
    pub fn labels(&self) -> impl Iterator<Item = [&LabelText; 3]> {
        let first = |at: usize, owner: &Owner| {
            let mut before = self.owners[..at].iter();
            before.all(|other| other.labels != owner.labels)
        };
        let owners = self.owners.iter().enumerate();
        owners
            .filter(move |(at, owner)| first(*at, owner))
            .map(|(_, owner)| [&self.key.subject, &self.key.step, &owner.labels])
    }

    fn is_owned_by(&self, target: &str) -> bool {
        self.owners.iter().any(|owner| *owner.target == *target)
    }

    /// The median duration of first attempts, in milliseconds; `None` of retries, which have no
    /// series of their own.
    pub fn exposed_millis(&self) -> Option<i64> {
        self.typical_millis().filter(|_| !self.key.is_retry)
    }

    /// The median duration in milliseconds; `None` with too few executions.
    pub fn typical_millis(&self) -> Option<i64> {
        self.samples.median_millis()
    }

    /// How long an execution takes that is still to come, in milliseconds: nothing where the last one
    /// was skipped.
    fn to_come_millis(&self) -> Option<i64> {
        match self.samples.is_skipped() {
            true => Some(0),
            false => self.typical_millis(),
        }
    }

    /// When the newest of its executions ended.
    pub fn newest(&self) -> Option<Timestamp> {
        self.samples.newest()
    }

    /// After what duration a running step is slow, in milliseconds.
    pub fn slow_after_millis(&self) -> Option<i64> {
        self.samples.slow_after_millis()
    }

    /// Whether a step is slow that has run for so many milliseconds.
    pub fn is_slow(&self, runs: i64) -> Option<bool> {
        Some(runs > self.slow_after_millis()?)
    }
}

impl Record for Baseline {
    type Key = BaselineKey;

    fn key(&self) -> &BaselineKey {
        &self.key
    }

    /// Only a completed execution changes it.
    fn is_moving(&self) -> bool {
        false
    }

    fn has_labels_of(&self, before: &Self) -> bool {
        self.key == before.key && self.owners == before.owners
    }
}

/// All baselines at one moment.
#[derive(Clone, Debug, Default)]
pub struct BaselineSnapshot {
    known: Arc<Table<Baseline>>,
    /// Those that a scrape writes: all, or what the limit of series leaves.
    pub series: Chunks<Baseline>,
}

impl BaselineSnapshot {
    /// Whether both share all records.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.known, &other.known) && self.series.is_same(&other.series)
    }

    /// The baseline of an execution of a step, if there is one.
    pub fn of(&self, observed: &Observation) -> Option<&Baseline> {
        if self.known.records().is_empty() {
            return None;
        }
        self.known.get(&BaselineKey::of(observed))
    }
}

impl Rules {
    fn new(config: &config::BaselineSettings, retention: Option<Duration>) -> Self {
        let globs = |one: &config::BaselineExclude| {
            [&one.step, &one.workflow, &one.image].map(|glob| glob.compile_matcher())
        };
        Self {
            enabled: config.enabled,
            retention,
            exclude: config.exclude.iter().map(globs).collect(),
        }
    }

    fn want(&self, names: &[impl AsRef<str>; 3]) -> bool {
        let excludes = |globs: &[GlobMatcher; 3]| {
            let mut pairs = globs.iter().zip(names);
            pairs.all(|(glob, name)| glob.is_match(name.as_ref()))
        };
        self.enabled && !self.exclude.iter().any(excludes)
    }
}

/// Knows nothing yet. The configuration is still to be given to it.
impl Default for Baselines {
    fn default() -> Self {
        Self {
            rules: Rules {
                enabled: true,
                retention: None,
                exclude: Vec::new(),
            },
            known: Mutex::default(),
            unused: Mutex::default(),
        }
    }
}

impl Baselines {
    /// The same under another configuration. This value stays as it is, so that no scrape sees half
    /// of a reload.
    ///
    /// `targets` are the targets that stay, by name and own labels, and `pollers` the targets and regions
    /// that are polled. A baseline that none of these has is removed, and one that the configuration
    /// excludes.
    #[must_use]
    pub fn configured(
        &self,
        config: &config::BaselineSettings,
        retention: Option<Duration>,
        targets: &[(String, LabelText)],
        pollers: &[(&str, &str)],
    ) -> Self {
        let rules = Rules::new(config, retention);
        let mut known = Table::default();
        for before in lock(&self.known).records().iter() {
            let region = before.key.subject.value(names::REGION);
            let stays = |owner: &Owner| {
                let is_polled = pollers.contains(&(&*owner.target, &*region));
                let mut staying = targets.iter();
                let (_, labels) = staying.find(|(name, _)| is_polled && **name == *owner.target)?;
                Some(Owner {
                    target: owner.target.clone(),
                    labels: labels.clone(),
                })
            };
            let owners: Vec<_> = before.owners.iter().filter_map(stays).collect();
            if !owners.is_empty() && rules.want(&before.key.names()) {
                known.put(Baseline {
                    owners,
                    ..before.clone()
                });
            }
        }
        let mut unused = lock(&self.unused).clone();
        unused.retain(|target| targets.iter().any(|(name, _)| name == target));
        Self {
            rules,
            known: Mutex::new(Arc::new(known)),
            unused: Mutex::new(unused),
        }
    }

    /// Takes the duration of a settled step that COMPLETED, or records that it was SKIPPED. The caller
    /// knows that its workflow execution COMPLETED, and that no retry of the build superseded it.
    pub fn feed(&self, target: &str, target_labels: &LabelText, settled: &StepRecord) {
        let Some((observed, lesson)) = lesson(settled) else {
            return;
        };
        if !self.rules.want(&observed.names()) {
            return;
        }
        let mut known = lock(&self.known);
        let key = BaselineKey::of(observed);
        let mut baseline = known.get(&key).cloned().unwrap_or_else(|| Baseline {
            key,
            owners: Vec::with_capacity(1),
            samples: Samples::default(),
        });
        let is_new_owner = !baseline.is_owned_by(target);
        if is_new_owner {
            baseline.owners.push(Owner {
                target: target.into(),
                labels: target_labels.clone(),
            });
            // Replicas meet the targets in any order.
            baseline
                .owners
                .sort_by(|one, other| one.target.cmp(&other.target));
        }
        let is_new = match lesson {
            Lesson::Took(sample) => baseline.samples.add(sample),
            Lesson::Skipped(at) => baseline.samples.skip(at),
        };
        if is_new || is_new_owner {
            let known = Arc::make_mut(&mut known);
            known.put(baseline);
            forget_oldest(known, MOST);
        }
    }

    /// Applies which image names the target uses in the region. The target leaves the baselines of
    /// other names once the retention has passed, and one that no target has is removed.
    pub fn review_names(
        &self,
        target: &str,
        region: &str,
        in_use: &HashSet<Option<ImageName>>,
        now: Instant,
    ) {
        let Some(retention) = self.rules.retention else {
            return;
        };
        // Without the lock, since a scrape waits for it.
        let known = lock(&self.known).clone();
        let own = { known.records().iter() }.filter(|one| one.is_owned_by(target));
        let workflows: HashSet<&LabelText> = own.map(|one| &one.key.subject).collect();
        let workflows = { workflows.into_iter() }.filter(|one| unused::is_in(one, region));
        let workflows =
            workflows.map(|one| (one.clone(), in_use.contains(&unused::image_name(one))));
        let expired = lock(&self.unused).review(target, region, workflows, retention, now);
        if expired.is_empty() {
            return;
        }
        let mut known = lock(&self.known);
        let known = Arc::make_mut(&mut known);
        for mut baseline in known.records().clone().iter().cloned() {
            if expired.contains(&baseline.key.subject) {
                baseline.owners.retain(|owner| *owner.target != *target);
                match baseline.owners.is_empty() {
                    true => _ = known.remove(&baseline.key),
                    false => known.put(baseline),
                }
            }
        }
    }

    /// All baselines as they are now; later changes do not affect it.
    pub fn snapshot(&self) -> BaselineSnapshot {
        let known = lock(&self.known).clone();
        let series = known.records().clone();
        BaselineSnapshot { known, series }
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code under a lock panics between two changes.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one execution of a step says about the next.
enum Lesson {
    Took(Sample),
    /// When it was skipped.
    Skipped(Timestamp),
}

/// What the execution of a step adds to its baseline. A step that waits for a person has none.
fn lesson(settled: &StepRecord) -> Option<(&Observation, Lesson)> {
    let observed = settled.observed.as_ref()?;
    let lesson = match observed.values.status {
        StepStatus::Completed => {
            let (start, end) = (observed.start?, observed.end?);
            let took = u64::try_from(end.millis_since(start)).ok()?;
            Lesson::Took(Sample {
                end,
                id: settled.id.number(),
                millis: u32::try_from(took).unwrap_or(u32::MAX),
            })
        }
        // Without a time it is older than every other.
        StepStatus::Skipped => {
            let at = observed.end.or(observed.start);
            Lesson::Skipped(at.unwrap_or(Timestamp::from_millis(i64::MIN)))
        }
        _ => return None,
    };
    let is_final = settled.phase == Phase::Settled && !observed.is_wait_for_action();
    is_final.then_some((observed, lesson))
}

/// Leaves so many baselines: those with the newest executions.
fn forget_oldest(known: &mut Table<Baseline>, most: usize) {
    while known.records().len() > most {
        let baselines = known.records().iter();
        let oldest = baselines.min_by_key(|one| (one.samples.newest(), one.key.text()));
        let Some(oldest) = oldest.map(|one| one.key.clone()) else {
            return;
        };
        known.remove(&oldest);
    }
}
