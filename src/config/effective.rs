//! Writes the effective configuration as a file with the same meaning.
//!
//! It has every default, the value of each `${VAR}`, and the steps of step files. A placeholder replaces
//! each secret.

use serde_yaml::{Mapping, Value as Yaml};

use super::keys::{Config, POLLING_INTERVAL};
use super::section::Settings;
use super::target::LISTS;

pub(super) fn effective(config: &Config) -> String {
    let mut config = config.clone();
    for target in &mut config.targets {
        for step in &mut target.step_executions {
            if step.interval == config.polling.interval && step.labels.is_empty() {
                step.interval = POLLING_INTERVAL;
            }
        }
    }
    let mut file = config.write();
    if let Some(Yaml::Sequence(targets)) = file.get_mut("targets") {
        for target in targets.iter_mut().filter_map(Yaml::as_mapping_mut) {
            if LISTS.iter().all(|list| !target.contains_key(list)) {
                target.insert(LISTS[0].into(), Yaml::Sequence(Vec::new()));
            }
        }
    }
    let text = serde_yaml::to_string(&file).expect("text, numbers and lists of them are YAML");
    // Its writer ends lines at them, as YAML 1.1 does. JSON is YAML too.
    match text.contains(['\u{2028}', '\u{2029}']) {
        true => json(&file),
        false => text,
    }
}

fn json(file: &Mapping) -> String {
    let text = serde_json::to_string_pretty(file).expect("keys are text");
    let escaped = |c: char| match c {
        '\n' => c.to_string(),
        c if c.is_control() || "\u{feff}\u{fffe}\u{ffff}".contains(c) => {
            format!("\\u{:04x}", u32::from(c))
        }
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests;
