//! Selects the assignments of this process where several shards share a configuration, and logs them.

use tracing::{info, warn};

use crate::config::Config;
use crate::shard::Shard;
use crate::tracker::Assignment;

/// Maximum number of targets and regions that a log line names.
const NAMED: usize = 50;

#[derive(Debug)]
pub(super) struct ShardAssignments {
    shard: Shard,
    /// The targets and regions that were last logged.
    logged: Option<Vec<String>>,
    /// The warnings that were last logged.
    warned: Vec<String>,
}

impl ShardAssignments {
    pub(super) fn new(shard: Shard) -> Self {
        Self {
            shard,
            logged: None,
            warned: Vec::new(),
        }
    }

    pub(super) fn shard(&self) -> Shard {
        self.shard
    }

    /// Returns the assignments of this shard, and logs them when they have changed.
    pub(super) fn own(&mut self, config: &Config) -> Vec<Assignment> {
        let mut assignments = Assignment::all(config);
        if self.shard.is_all() {
            return assignments;
        }
        let all = assignments.len();
        assignments.retain(|assignment| self.shard.has(&assignment.target, &assignment.region));
        let own: Vec<String> = assignments.iter().map(named).collect();
        if self.logged.as_ref() != Some(&own) {
            let (shard, polled) = (self.shard, own.len());
            if own.is_empty() {
                info!(%shard, polled, all, "this shard has nothing to poll: all targets and regions are assigned to other shards");
            } else {
                let pairs = some_of(&own);
                info!(%shard, polled, all, pairs, "polling the targets and regions that are assigned to this shard");
            }
            self.logged = Some(own);
        }
        let warnings = self.shard.duplicates(config);
        if self.warned != warnings {
            for warning in &warnings {
                warn!(shard = %self.shard, "{warning}: resources that both targets select are exposed twice; set assume_role to a role of this account on both targets");
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
