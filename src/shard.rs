//! Which targets and regions one of several processes polls.
//!
//! Owns the hash that spreads them, which no release may change: a step would leave one process and
//! appear in another. Fed by the command line and `config`; asked by `app`.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::config::{Config, PipelineSelector, Target};

/// Each target and region is weighed against each shard, so there is an end to them.
const MOST_SHARDS: u32 = 100;

/// One of so many shards, which together poll everything once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Below `total`.
    index: u32,
    total: u32,
}

impl Default for Shard {
    /// The only one.
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
    /// What is wrong with the two flags, and what would be right.
    pub fn new(index: u32, total: u32) -> Result<Self, String> {
        if !(1..=MOST_SHARDS).contains(&total) {
            return Err(format!(
                "--shard.total is {total}; it is how many shards there are, from 1 to {MOST_SHARDS}"
            ));
        }
        if index >= total {
            let right = match total {
                1 => "be 0, or --shard.total be larger".to_owned(),
                _ => format!("be from 0 to {}", total - 1),
            };
            return Err(format!(
                "--shard.index is {index}, but --shard.total is {total}, so it must {right}"
            ));
        }
        Ok(Self { index, total })
    }

    /// Counted from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn total(self) -> u32 {
        self.total
    }

    /// Whether there is no other.
    pub fn is_all(self) -> bool {
        self.total == 1
    }

    /// Whether it polls the target in the region.
    pub fn has(self, target: &Target, region: &str) -> bool {
        self.is_all() || self.has_key(&Key::of(target, region))
    }

    fn has_key(self, key: &Key<'_>) -> bool {
        key.shard(self.total) == self.index
    }

    /// Each account and region that several targets are known to look at, with credentials that
    /// don't tell so, where one of them is this shard's and another is not: what they both come
    /// across is then shown twice. In words.
    pub fn seen_twice(self, config: &Config) -> Vec<String> {
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
                    "targets {} and {} both look at account {account} in {region}, with other credentials and so from other shards",
                    other.name, target.name
                ));
            }
        }
        seen
    }
}

/// The accounts that a target is known to look at in a region. A pipeline is its account's own.
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

/// What AWS counts calls by, and what a step can be come across twice in, as far as the credentials
/// tell: the account where a role names it, else whose credentials they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key<'a> {
    whose: Whose<'a>,
    region: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose<'a> {
    Account(&'a str),
    Profile(&'a str),
    Default,
}

impl<'a> Key<'a> {
    fn of(target: &'a Target, region: &'a str) -> Self {
        let whose = match (role_account(target), &target.profile) {
            (Some(account), _) => Whose::Account(account),
            (None, Some(profile)) => Whose::Profile(profile),
            (None, None) => Whose::Default,
        };
        Self { whose, region }
    }

    /// The shard that wins: each draws a number for the key, and the highest has it. One more shard so
    /// takes its share from all others, and nothing moves between these.
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

    fn key<'a>(whose: Whose<'a>, region: &'a str) -> Key<'a> {
        Key { whose, region }
    }

    #[test]
    fn flags_that_name_no_shard_are_told_what_would() {
        assert_eq!(Shard::new(0, 1), Ok(Shard::default()));
        for (index, total, right) in [
            (0, 0, "from 1 to 100"),
            (0, 101, "from 1 to 100"),
            (1, 1, "be 0, or --shard.total be larger"),
            (3, 3, "from 0 to 2"),
        ] {
            let fault = Shard::new(index, total).unwrap_err();
            assert!(fault.ends_with(right), "{fault}");
        }
    }

    /// Where a release put one of these elsewhere, running shards would lose and show things twice
    /// until the last of them is of that release.
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
    fn targets_of_one_account_and_region_are_of_one_shard_whatever_their_roles() {
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
    fn account_that_is_looked_at_with_other_credentials_from_other_shards_is_told() {
        let config = config(
            "  - name: role\n    regions: [us-west-2, us-east-1]\n    images: [\"*\"]\n    assume_role: {role_arn: arn:aws:iam::111122223333:role/one}\n\
             \x20 - name: arn\n    regions: [us-west-2, us-east-1]\n    pipelines: [\"arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden\"]\n\
             \x20 - name: stranger\n    regions: [us-west-2]\n    pipelines: [\"arn:aws:imagebuilder:us-west-2:444455556666:image-pipeline/golden\"]\n    profile: own\n",
        );
        assert_eq!(Shard::default().seen_twice(&config), [""; 0]);
        let [role, arn, _] = &config.targets[..] else {
            panic!("{config:?}")
        };
        for shard in (2..20).flat_map(shards) {
            let told = shard.seen_twice(&config);
            if shard.has(role, "us-west-2") == shard.has(arn, "us-west-2") {
                assert_eq!(told, [""; 0]);
            } else {
                assert_eq!(
                    told,
                    [
                        "targets role and arn both look at account 111122223333 in us-west-2, with other credentials and so from other shards"
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
        fn what_shards_of_a_configuration_have_is_all_of_it_once(
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
