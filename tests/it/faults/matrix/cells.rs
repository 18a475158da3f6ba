//! The targets of the matrix: one for each fault and operation, one for each fault of all
//! operations, and one that meets none.

use std::collections::BTreeMap;
use std::time::Duration;

use imagebuilder_exporter::api::Operation;

use super::kinds::Kind;
use crate::process::Simulated;
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// The target without a fault. Its polls are the clock of the test: they are late where the machine is
/// busy, as all others are.
pub const SOUND: &str = "us-sound-1";
/// The interval of steps; that of discovery is a third.
const INTERVAL: Duration = Duration::from_secs(3);

/// A fault, and the calls that meet it. Its target has the name of its region.
#[derive(Clone, Debug)]
pub struct Cell {
    pub kind: Kind,
    /// `None`: all operations.
    pub operation: Option<Operation>,
    pub region: String,
}

impl Cell {
    /// All cells of these kinds, by their targets.
    pub fn all(kinds: &[Kind]) -> BTreeMap<String, Self> {
        let mut cells = BTreeMap::new();
        for (row, kind) in kinds.iter().enumerate() {
            let each = Operation::ALL.map(Some).into_iter().chain([None]);
            for (column, operation) in each.enumerate() {
                let region = format!("us-k{row}o{column}-1");
                let cell = Self {
                    kind: kind.clone(),
                    operation,
                    region: region.clone(),
                };
                cells.insert(region, cell);
            }
        }
        cells
    }

    pub fn is_met_by(&self, operation: Operation) -> bool {
        self.operation.is_none_or(|meant| meant == operation)
    }

    /// The operations that meet the fault again and again.
    pub fn operations(&self) -> Vec<Operation> {
        match self.operation {
            Some(operation) => vec![operation],
            // The target discovers its images, and lists their executions after a pass that succeeds.
            None => vec![
                Operation::GetWorkflowStepExecution,
                Operation::ListWorkflowStepExecutions,
                Operation::ListImageBuildVersions,
                Operation::ListImagePipelines,
            ],
        }
    }
}

/// Builds in each region that run for hours.
pub fn scenario(cells: &BTreeMap<String, Cell>) -> ScenarioText {
    let build = |name: &str, region: &str| {
        let step = format!("Run-{name}-{region}, action: RunCommand, duration: 2h");
        let first = format!("Done-{name}-{region}, action: RunCommand, duration: 10s");
        PipelineText::new(name)
            .with(&format!("region: {region}"))
            .workflow("build, type: test", [first, step])
    };
    let regions = cells.keys().map(String::as_str).chain([SOUND]);
    let pipelines =
        regions.flat_map(|region| ["golden", "listed", "ended"].map(|name| build(name, region)));
    ScenarioText::of(pipelines).with("listed_after: 0s")
}

/// A target in each region, which calls the operation of its cell and others.
pub fn config(simulated: &Simulated, cells: &BTreeMap<String, Cell>, timeout: Duration) -> String {
    let ids: BTreeMap<_, _> = simulated
        .planned()
        .into_iter()
        .map(|step| (step.name, step.id))
        .collect();
    let target = |region: &str, operation: Option<Operation>| {
        let target = TargetText::new(region)
            .with(&format!("regions: [{region}]"))
            .at(&simulated.url);
        // The execution of a step that has ended is polled too.
        let names = ["Run-listed", "Done-ended"];
        let steps = names.map(|step| ids[&format!("{step}-{region}")]);
        let arn = format!("arn:aws:imagebuilder:{region}:111122223333:image/golden/1.0.0/1");
        match operation {
            Some(Operation::GetWorkflowStepExecution | Operation::GetWorkflowExecution) => {
                target.steps(steps)
            }
            Some(Operation::GetImage) => target
                .with(&format!("image_build_versions: ['{arn}']"))
                .steps([steps[0]]),
            Some(_) => target.with("pipelines: [golden]"),
            None => target.with("pipelines: [golden]").steps(steps),
        }
    };
    let targets = cells
        .values()
        .map(|cell| target(&cell.region, cell.operation));
    let targets = targets.chain([target(SOUND, None)]);
    let polling = format!(
        "polling: {{interval: {}s, discovery_interval: {}s, request_timeout: {}s}}",
        INTERVAL.as_secs(),
        INTERVAL.as_secs() / 3,
        timeout.as_secs()
    );
    ConfigText::of(targets).with(&polling).text()
}
