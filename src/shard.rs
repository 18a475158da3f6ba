//! Assigns targets and regions to shards, the processes that share a configuration.
//!
//! The assignment is a hash that no release may change: a change moves steps from one process to
//! another. The input comes from the command line and `config`; `app` uses the result.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::config::{Config, PipelineSelector, Target};

/// Maximum number of shards: the hash is computed for each shard, target and region.
const MOST_SHARDS: u32 = 100;

/// One shard of `total`. Together the shards poll everything once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Below `total`.
    index: u32,
    total: u32,
}

impl Default for Shard {
    /// Returns the only shard.
    fn default() -> Self {
        Self { index: 0, total: 1 }
    }
}

impl fmt::Display for Shard {
    /// `0 of 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.index, self.total)
    }
}

impl Shard {
    /// # Errors
    ///
    /// Which of the two flags is wrong, and which values are valid.
    pub fn new(index: u32, total: u32) -> Result<Self, String> {
        if !(1..=MOST_SHARDS).contains(&total) {
            return Err(format!(
                "--shard.total is {total}, but the number of shards must be from 1 to {MOST_SHARDS}"
            ));
        }
        if index >= total {
            let right = match total {
                1 => "be 0; to run several shards, set --shard.total to their number".to_owned(),
                _ => format!("be from 0 to {}", total - 1),
            };
            return Err(format!(
                "--shard.index is {index}, but --shard.total is {total}, so it must {right}"
            ));
        }
        Ok(Self { index, total })
    }

    /// Returns the zero-based index.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Returns the number of shards.
    pub fn total(self) -> u32 {
        self.total
    }

    /// Returns whether this is the only shard.
    pub fn is_all(self) -> bool {
        self.total == 1
    }

    /// Returns whether this shard polls the target in the region.
    pub fn has(self, target: &Target, region: &str) -> bool {
        self.is_all() || self.has_key(&AssignmentKey::of(target, region))
    }

    fn has_key(self, key: &AssignmentKey<'_>) -> bool {
        key.shard(self.total) == self.index
    }

    /// Returns a warning for each account and region that two targets poll from different shards, one
    /// of them this one. Resources that both targets select are then exposed twice.
    ///
    /// This happens where the credentials of a target do not tell their account.
    pub fn duplicates(self, config: &Config) -> Vec<String> {
        let mut seen = Vec::new();
        let mut known: Vec<(&str, &str, &Target)> = Vec::new();
        for target in &config.targets {
            for region in &target.regions {
                let accounts = accounts(target, region);
                known.extend(accounts.map(|account| (account, region.as_str(), target)));
            }
        }
        for (at, (account, region, target)) in known.iter().enumerate() {
            let mut before = known[..at].iter();
            let apart = before.find(|(other_account, other_region, other)| {
                (other_account, other_region) == (account, region)
                    && self.has(other, region) != self.has(target, region)
            });
            if let Some((.., other)) = apart {
                seen.push(format!(
                    "targets {} and {} both poll account {account} in {region} with different credentials, and so from different shards",
                    other.name, target.name
                ));
            }
        }
        seen
    }
}

/// Returns the accounts that a target is known to poll in a region: the account of its role, and
/// those of the pipelines that it names.
fn accounts<'a>(target: &'a Target, region: &'a str) -> impl Iterator<Item = &'a str> {
    let named = target
        .pipelines
        .iter()
        .filter_map(move |pipeline| match pipeline {
            PipelineSelector::Arn(arn) if arn.region() == region => Some(arn.account_id()),
            _ => None,
        });
    let mut accounts: Vec<&str> = role_account(target).into_iter().chain(named).collect();
    accounts.dedup();
    accounts.into_iter()
}

fn role_account(target: &Target) -> Option<&str> {
    let role = target.assume_role.as_ref()?;
    role.role_arn.split(':').nth(4)
}

/// The input of the hash: an account and a region. AWS limits calls for each such pair, and two
/// targets can find the same step within it. Without a role that names the account, the credentials
/// replace the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AssignmentKey<'a> {
    whose: Whose<'a>,
    region: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose<'a> {
    Account(&'a str),
    Profile(&'a str),
    Default,
}

impl<'a> AssignmentKey<'a> {
    fn of(target: &'a Target, region: &'a str) -> Self {
        let whose = match (role_account(target), &target.profile) {
            (Some(account), _) => Whose::Account(account),
            (None, Some(profile)) => Whose::Profile(profile),
            (None, None) => Whose::Default,
        };
        Self { whose, region }
    }

    /// Returns the shard of the key: the one with the highest hash. A new shard takes its share from
    /// all others, and moves nothing between these (rendezvous hashing).
    fn shard(&self, total: u32) -> u32 {
        let numbers = (0..total).map(|shard| (self.number(shard), shard));
        let (_, shard) = numbers.max().expect("there is at least one shard");
        shard
    }

    fn number(&self, shard: u32) -> [u8; 32] {
        let (kind, whose) = match self.whose {
            Whose::Account(account) => ("account", account),
            Whose::Profile(profile) => ("profile", profile),
            Whose::Default => ("default", ""),
        };
        // No part holds a line feed.
        let drawn = format!("{kind}\n{whose}\n{}\n{shard}", self.region);
        Sha256::digest(drawn).into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn config(targets: &str) -> Config {
        let text = format!("targets:\n{targets}");
        match Config::read("test", &text, &|_| None) {
            Ok(checked) => checked.config,
            Err(problems) => panic!("{problems:?}"),
        }
    }

    fn shards(total: u32) -> impl Iterator<Item = Shard> {
        (0..total).map(move |index| Shard::new(index, total).unwrap())
    }

    fn key<'a>(whose: Whose<'a>, region: &'a str) -> AssignmentKey<'a> {
        AssignmentKey { whose, region }
    }

    #[test]
    fn invalid_flags_are_refused_with_the_valid_values() {
        assert_eq!(Shard::new(0, 1), Ok(Shard::default()));
        for (index, total, right) in [
            (0, 0, "from 1 to 100"),
            (0, 101, "from 1 to 100"),
            (
                1,
                1,
                "must be 0; to run several shards, set --shard.total to their number",
            ),
            (3, 3, "from 0 to 2"),
        ] {
            let fault = Shard::new(index, total).unwrap_err();
            assert!(fault.ends_with(right), "{fault}");
        }
    }

    /// A change of these placements would lose and duplicate series until every shard runs the same
    /// release.
    #[test]
    fn placements_are_those_of_every_release() {
        let account = |region| key(Whose::Account("111122223333"), region);
        for (key, placed) in [
            (account("us-west-2"), [0, 0, 3, 60]),
            (account("us-east-1"), [0, 0, 5, 52]),
            (account("eu-west-1"), [1, 1, 1, 74]),
            (account("ap-south-1"), [0, 2, 6, 6]),
            (
                key(Whose::Account("444455556666"), "us-west-2"),
                [0, 0, 4, 87],
            ),
            (
                key(Whose::Profile("production"), "us-east-1"),
                [0, 2, 2, 27],
            ),
            (key(Whose::Default, "us-west-2"), [0, 0, 0, 28]),
            (key(Whose::Default, "cn-north-1"), [1, 1, 4, 33]),
            (key(Whose::Default, "eu-west-3"), [0, 0, 0, 54]),
        ] {
            let found = [2, 3, 7, 100].map(|total| key.shard(total));
            assert_eq!(found, placed, "{key:?}");
        }
    }

    #[test]
    fn targets_of_one_account_and_region_are_in_one_shard_with_any_roles() {
        let config = config(
            "  - name: one\n    regions: [us-west-2, us-east-1]\n    images: [a]\n    assume_role: {role_arn: arn:aws:iam::111122223333:role/one}\n\
             \x20 - name: other\n    regions: [us-east-1, us-west-2]\n    images: [b]\n    profile: own\n    assume_role: {role_arn: arn:aws:iam::111122223333:role/other}\n",
        );
        let [one, other] = &config.targets[..] else {
            panic!("{config:?}")
        };
        for shard in (1..20).flat_map(shards) {
            for region in &one.regions {
                let has = shard.has(one, region);
                assert_eq!(has, shard.has(other, region), "{region} of {shard}");
            }
        }
        let apart = (2..20)
            .flat_map(shards)
            .find(|shard| shard.has(one, "us-west-2") != shard.has(one, "us-east-1"));
        assert!(apart.is_some(), "regions are spread");
    }

    #[test]
    fn account_that_different_shards_poll_with_different_credentials_is_a_duplicate() {
        let config = config(
            "  - name: role\n    regions: [us-west-2, us-east-1]\n    images: [\"*\"]\n    assume_role: {role_arn: arn:aws:iam::111122223333:role/one}\n\
             \x20 - name: arn\n    regions: [us-west-2, us-east-1]\n    pipelines: [\"arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden\"]\n\
             \x20 - name: stranger\n    regions: [us-west-2]\n    pipelines: [\"arn:aws:imagebuilder:us-west-2:444455556666:image-pipeline/golden\"]\n    profile: own\n",
        );
        assert_eq!(Shard::default().duplicates(&config), [""; 0]);
        let [role, arn, _] = &config.targets[..] else {
            panic!("{config:?}")
        };
        for shard in (2..20).flat_map(shards) {
            let warnings = shard.duplicates(&config);
            if shard.has(role, "us-west-2") == shard.has(arn, "us-west-2") {
                assert_eq!(warnings, [""; 0]);
            } else {
                assert_eq!(
                    warnings,
                    [
                        "targets role and arn both poll account 111122223333 in us-west-2 with different credentials, and so from different shards"
                    ]
                );
            }
        }
    }

    #[test]
    fn shards_have_shares_of_about_one_size() {
        let accounts: Vec<String> = (0..3_000).map(|n| format!("{n:012}")).collect();
        for total in [2, 3, 7] {
            let mut shares = vec![0_u32; total as usize];
            for account in &accounts {
                let key = key(Whose::Account(account), "us-west-2");
                shares[key.shard(total) as usize] += 1;
            }
            let fair = 3_000 / total;
            let right = |share: &u32| (fair * 8 / 10..=fair * 12 / 10).contains(share);
            assert!(shares.iter().all(right), "{shares:?}");
        }
    }

    proptest! {
        #[test]
        fn each_key_is_of_one_shard_and_moves_to_a_new_shard_alone(
            account in "[0-9]{12}",
            profile in "[ -~]{1,20}",
            region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
            total in 1_u32..20,
        ) {
            let keys = [Whose::Account(&account), Whose::Profile(&profile), Whose::Default]
                .map(|whose| key(whose, &region));
            for key in &keys {
                let owners = shards(total).filter(|shard| shard.has_key(key)).count();
                prop_assert_eq!(owners, 1);
                let (before, after) = (key.shard(total), key.shard(total + 1));
                prop_assert!(after == before || after == total);
            }
        }

        #[test]
        fn shards_together_have_the_whole_configuration_once(
            targets in prop::collection::vec(
                (
                    prop::option::of(0..3_u8),
                    prop::option::of(0..2_u8),
                    prop::sample::subsequence(vec!["us-west-2", "us-east-1", "eu-west-1"], 1..=3),
                ),
                1..8,
            ),
            total in 1_u32..8,
        ) {
            let targets: String = targets.iter().enumerate().map(|(at, (role, profile, regions))| {
                let role = role.map(|role| format!("    assume_role: {{role_arn: arn:aws:iam::00000000000{role}:role/r{at}}}\n"));
                let profile = profile.map(|profile| format!("    profile: p{profile}\n"));
                format!(
                    "  - name: t{at}\n    regions: [{}]\n    pipelines: [\"*\"]\n{}{}",
                    regions.join(", "), role.unwrap_or_default(), profile.unwrap_or_default(),
                )
            }).collect();
            let config = config(&targets);
            let mut of_limits = HashSet::new();
            for target in &config.targets {
                for region in &target.regions {
                    let owners: Vec<Shard> =
                        shards(total).filter(|shard| shard.has(target, region)).collect();
                    prop_assert_eq!(owners.len(), 1);
                    of_limits.insert((target.limit_key(region), owners[0].index));
                }
            }
            // Those that share a rate limit share a shard.
            let limits: HashSet<_> = of_limits.iter().map(|(limit, _)| limit).collect();
            prop_assert_eq!(limits.len(), of_limits.len());
        }
    }
}
