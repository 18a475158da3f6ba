//! Builds the text of a configuration of the exporter.

use std::fmt;

/// A configuration: sections, and targets.
#[derive(Clone, Debug)]
pub struct ConfigText {
    sections: String,
    targets: Vec<TargetText>,
}

/// A target in `us-west-2`; `with` says otherwise.
#[derive(Clone, Debug)]
pub struct TargetText {
    keys: Vec<(String, String)>,
}

impl ConfigText {
    pub fn of(targets: impl IntoIterator<Item = TargetText>) -> Self {
        Self {
            sections: String::new(),
            targets: targets.into_iter().collect(),
        }
    }

    /// Adds lines of YAML, such as `polling: {interval: 30s}`.
    pub fn with(mut self, sections: &str) -> Self {
        self.sections += &format!("{sections}\n");
        self
    }

    pub fn text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for ConfigText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}targets:", self.sections)?;
        self.targets
            .iter()
            .try_for_each(|target| writeln!(f, "  - {target}"))
    }
}

impl TargetText {
    pub fn new(name: &str) -> Self {
        let target = Self { keys: Vec::new() };
        target
            .with(&format!("name: {name}"))
            .with("regions: [us-west-2]")
    }

    /// Sets a key, `images: [golden]`.
    pub fn with(mut self, key: &str) -> Self {
        let (key, value) = key.split_once(": ").expect("a key and its value");
        self.keys.retain(|(known, _)| known != key);
        self.keys.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Asks the service at this URL, at a rate that a test hardly reaches.
    pub fn at(self, url: &str) -> Self {
        self.with(&format!("endpoint_url: {url}"))
            .with("rate_limit: {requests_per_second: 1000, burst: 100}")
    }

    /// Lets the rate limit delay nothing.
    pub fn unlimited(self) -> Self {
        self.with("rate_limit: {requests_per_second: 1000, burst: 1000}")
    }

    /// Lists steps by their ids.
    pub fn steps<T: fmt::Display>(self, ids: impl IntoIterator<Item = T>) -> Self {
        let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
        self.with(&format!("step_executions: [{}]", ids.join(", ")))
    }
}

impl fmt::Display for TargetText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .keys
            .iter()
            .map(|(key, value)| format!("{key}: {value}"));
        f.write_str(&lines.collect::<Vec<_>>().join("\n    "))
    }
}
