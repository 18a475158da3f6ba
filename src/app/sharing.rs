//! What of a configuration this process polls where several share it, and what it says of that.

use tracing::{info, warn};

use crate::config::Config;
use crate::shard::Shard;
use crate::tracker::Assignment;

/// How many targets and regions a line of the log names.
const NAMED: usize = 50;

#[derive(Debug)]
pub(super) struct Sharing {
    shard: Shard,
    /// The targets and regions that were last said to be polled.
    told: Option<Vec<String>>,
    /// The warnings that were last said.
    warned: Vec<String>,
}

impl Sharing {
    pub(super) fn new(shard: Shard) -> Self {
        Self {
            shard,
            told: None,
            warned: Vec::new(),
        }
    }

    pub(super) fn shard(&self) -> Shard {
        self.shard
    }

    /// The assignments that are this shard's, which knows all the same what those of others name one
    /// by one. Says which, where that is news.
    pub(super) fn own(&mut self, config: &Config) -> Vec<Assignment> {
        let mut assignments = Assignment::all(config);
        if self.shard.is_all() {
            return assignments;
        }
        let all = assignments.len();
        assignments.retain(|assignment| self.shard.has(&assignment.target, &assignment.region));
        let own: Vec<String> = assignments.iter().map(named).collect();
        if self.told.as_ref() != Some(&own) {
            let (shard, polled) = (self.shard, own.len());
            if own.is_empty() {
                info!(%shard, polled, all, "this shard has nothing to poll, as all targets and regions fall to others");
            } else {
                let pairs = some_of(&own);
                info!(%shard, polled, all, pairs, "this shard polls its part of the targets and regions");
            }
            self.told = Some(own);
        }
        let warnings = self.shard.seen_twice(config);
        if self.warned != warnings {
            for warning in &warnings {
                warn!(shard = %self.shard, "{warning}: what both follow is shown twice; give both an assume_role of the account");
            }
            self.warned = warnings;
        }
        assignments
    }
}

fn named(assignment: &Assignment) -> String {
    format!("{}/{}", assignment.target.name, assignment.region)
}

fn some_of(names: &[String]) -> String {
    match names.get(..NAMED) {
        Some(first) if names.len() > NAMED => {
            format!("{} and {} more", first.join(" "), names.len() - NAMED)
        }
        _ => names.join(" "),
    }
}
