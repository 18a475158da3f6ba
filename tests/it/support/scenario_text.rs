//! Builds the text of a scenario for the simulator.

use std::fmt;

/// A scenario: keys of its own, and pipelines.
#[derive(Clone, Debug, Default)]
pub struct ScenarioText {
    keys: String,
    pipelines: Vec<PipelineText>,
}

/// A pipeline in one account and region, with one build that began ten minutes ago; `with` says
/// otherwise.
#[derive(Clone, Debug)]
pub struct PipelineText {
    keys: Vec<(String, String)>,
    workflows: Vec<String>,
}

impl ScenarioText {
    pub fn of(pipelines: impl IntoIterator<Item = PipelineText>) -> Self {
        Self {
            keys: String::new(),
            pipelines: pipelines.into_iter().collect(),
        }
    }

    /// Adds lines of YAML, such as `listed_after: 0s`.
    pub fn with(mut self, keys: &str) -> Self {
        self.keys += &format!("{keys}\n");
        self
    }
}

impl fmt::Display for ScenarioText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}pipelines:", self.keys)?;
        self.pipelines
            .iter()
            .try_for_each(|pipeline| writeln!(f, "  - {pipeline}"))
    }
}

impl PipelineText {
    pub fn new(name: &str) -> Self {
        let keys = [
            ("name", name),
            ("account", "\"111122223333\""),
            ("region", "us-west-2"),
            ("first", "-10m"),
            ("builds", "1"),
        ];
        Self {
            keys: keys.map(|(key, value)| (key.into(), value.into())).into(),
            workflows: Vec::new(),
        }
    }

    /// Sets a key, `first: -1h`.
    pub fn with(self, key: &str) -> Self {
        let (key, value) = key.split_once(": ").expect("a key and its value");
        let mut others = self.without(key);
        others.keys.push((key.to_owned(), value.to_owned()));
        others
    }

    pub fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(known, _)| known != key);
        self
    }

    /// Adds a workflow. It and its steps are given from their names on:
    /// `Build, action: RunCommand, duration: 2h`.
    pub fn workflow<T: fmt::Display>(
        self,
        workflow: &str,
        steps: impl IntoIterator<Item = T>,
    ) -> Self {
        self.add(&format!("name: {workflow}"), steps)
    }

    pub fn managed(mut self, workflow: &str) -> Self {
        self.workflows.push(format!("{{managed: {workflow}}}"));
        self
    }

    /// Adds a managed workflow in which these steps are different.
    pub fn managed_with<T: fmt::Display>(
        self,
        workflow: &str,
        steps: impl IntoIterator<Item = T>,
    ) -> Self {
        self.add(&format!("managed: {workflow}"), steps)
    }

    fn add<T: fmt::Display>(mut self, workflow: &str, steps: impl IntoIterator<Item = T>) -> Self {
        let steps = steps.into_iter().map(|step| format!("{{name: {step}}}"));
        let steps: Vec<String> = steps.collect();
        self.workflows
            .push(format!("{{{workflow}, steps: [{}]}}", steps.join(", ")));
        self
    }
}

impl fmt::Display for PipelineText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{")?;
        for (key, value) in &self.keys {
            write!(f, "{key}: {value}, ")?;
        }
        write!(f, "workflows: [{}]}}", self.workflows.join(", "))
    }
}
