//! Writes the effective configuration as a file with the same meaning.
//!
//! It has every default, the value of each `${VAR}`, and the steps of step files. A placeholder replaces
//! each secret.

use std::sync::Arc;

use super::keys::Config;
use super::section::Settings;
use super::target::LISTS;
use super::yaml::Yaml;

pub(super) fn effective(config: &Config) -> String {
    let mut config = config.clone();
    for target in &mut config.targets {
        for step in Arc::make_mut(&mut target.step_executions) {
            if step.labels.is_some() {
                step.interval
                    .get_or_insert(Box::new(config.polling.interval));
            }
        }
    }
    let mut file = config.write();
    let targets = file.iter_mut().find(|(key, _)| key == "targets");
    if let Some((_, Yaml::List(targets))) = targets {
        for target in targets {
            add_empty_list(target);
        }
    }
    Yaml::Mapping(file).document()
}

/// Adds an empty list to a target whose step files are empty.
fn add_empty_list(target: &mut Yaml) {
    let Yaml::Mapping(keys) = target else { return };
    if !LISTS
        .iter()
        .any(|list| keys.iter().any(|(key, _)| key == list))
    {
        keys.push((LISTS[0].to_owned(), Yaml::List(Vec::new())));
    }
}

#[cfg(test)]
mod tests;
