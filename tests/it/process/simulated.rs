//! The simulator within the test, which can so look into it and make things go wrong.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::model::Timestamp;
use imagebuilder_exporter::simulator::{
    Calls, Effect, ErrorResponse, Fault, Faults, PlannedStep, Scenario, Simulator, StepView, World,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{LOOK_EVERY, PATIENCE, Port};
use crate::support::config_text::{ConfigText, TargetText};

/// A running simulator; it ends with the value.
#[derive(Debug)]
pub struct Simulated {
    pub url: String,
    pub faults: Faults,
    pub calls: Calls,
    pub world: Arc<World>,
    port: Arc<Port>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Simulated {
    /// Plays a scenario in real time from now on.
    pub async fn start(scenario: impl fmt::Display) -> Self {
        Self::at_speed(scenario, 1.0).await
    }

    pub async fn at_speed(scenario: impl fmt::Display, speed: f64) -> Self {
        Self::serve(Arc::new(Port::free()), world(scenario, speed)).await
    }

    /// Another world, whose time begins now, listens where this one did: for what is to begin under
    /// the eyes of an exporter.
    pub async fn begin_anew(&mut self, scenario: impl fmt::Display) {
        self.go_down().await;
        *self = Self::serve(self.port.clone(), world(scenario, 1.0)).await;
    }

    async fn serve(port: Arc<Port>, world: impl Into<Arc<World>>) -> Self {
        let simulator = Simulator::bind(port.address, world, now).await.unwrap();
        let (stop, mut stopped) = watch::channel(false);
        Self {
            url: simulator.url(),
            faults: simulator.faults(),
            calls: simulator.calls(),
            world: simulator.world(),
            port,
            stop,
            server: tokio::spawn(simulator.run(async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            })),
        }
    }

    /// Nobody listens any more; connections are cut.
    pub async fn go_down(&mut self) {
        self.stop.send_replace(true);
        (&mut self.server).await.unwrap();
    }

    /// The same world listens again where it did.
    pub async fn come_back(&mut self) {
        *self = Self::serve(self.port.clone(), self.world.clone()).await;
    }

    pub fn planned(&self) -> Vec<PlannedStep> {
        self.world.planned_steps(Duration::from_secs(3_600))
    }

    /// The step of this name, in the first build that has one.
    pub fn id(&self, name: &str) -> String {
        let planned = self.planned();
        let step = planned.iter().find(|step| step.name == name);
        step.unwrap_or_else(|| panic!("no step {name}"))
            .id
            .to_string()
    }

    /// The step of this name as the simulated service sees it now.
    pub fn view(&self, name: &str) -> StepView {
        let id = self.id(name).parse().unwrap();
        self.world.step(&id, now()).unwrap()
    }

    /// How often the step of this name was asked for.
    pub fn asked_for(&self, name: &str) -> usize {
        self.calls.of_id("GetWorkflowStepExecution", &self.id(name))
    }

    /// Waits until the step of this name is asked for the first time.
    pub async fn until_asked_for(&self, name: &str) {
        let asked = async {
            while self.asked_for(name) == 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let asked = tokio::time::timeout(PATIENCE, asked).await;
        assert!(asked.is_ok(), "{name} was never asked for");
    }

    /// From now on each call about the step of this name meets this.
    pub fn spoil(&self, name: &str, effect: Effect) {
        let fault = Fault::on("GetWorkflowStepExecution", effect).unwrap();
        self.faults.set(vec![fault.id(&self.id(name)).unwrap()]);
    }

    /// From now on each call of any operation meets this.
    pub fn spoil_all(&self, effect: Effect) {
        self.faults.set(vec![Fault::on("*", effect).unwrap()]);
    }

    /// A configuration with one target that follows the steps of these names, often.
    pub fn config(&self, steps: &[&str]) -> String {
        let ids = steps.iter().map(|name| self.id(name));
        ConfigText::of([TargetText::new("main").at(&self.url).steps(ids)])
            .with("polling: {interval: 200ms, request_timeout: 30s}")
            .text()
    }
}

fn world(scenario: impl fmt::Display, speed: f64) -> World {
    let scenario =
        Scenario::parse(&scenario.to_string(), "scenario").unwrap_or_else(|e| panic!("{e}"));
    World::new(scenario, 7, speed, now())
}

pub fn now() -> Timestamp {
    Clock::System.now().time
}

/// An error of the service.
pub fn error(kind: &str) -> Effect {
    Effect::Error(ErrorResponse::new(kind, format!("scripted {kind}")))
}
