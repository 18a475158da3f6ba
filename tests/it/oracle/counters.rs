//! The counters of image names that leave the account.

use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::model::Timestamp;
use imagebuilder_exporter::simulator::{Scenario, World};

use super::world::{Chances, WorldApi};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::poller::{EPOCH, Polling};

const HOUR: f64 = 3_600.0;

/// Builds of `kept` and `gone` begin at once, and one of `gone` twelve hours later.
fn scenario() -> String {
    let pipeline = |name: &str, builds: u32| {
        format!(
            "  - {{name: {name}, account: \"111122223333\", region: us-west-2, first: 0s, \
             every: 12h, builds: {builds}, workflows: [{{name: build, type: build, \
             steps: [{{name: Step, action: RunCommand, duration: 20m}}]}}]}}\n"
        )
    };
    let pipelines = [
        pipeline("kept", 1),
        pipeline("gone", 2),
        pipeline("listed", 1),
    ];
    format!("pipelines:\n{}", pipelines.concat())
}

/// Returns the counter of an image name, if there is one.
fn counter(polling: &Polling, image: &str) -> Option<f64> {
    let name = "imagebuilder_workflow_steps_finished_total";
    let labels = [("image", image), ("status", "COMPLETED")];
    value(&polling.metrics(), name, &labels)
}

#[tokio::test(start_paused = true)]
async fn counters_leave_with_the_retention_after_their_name_has_left_the_account() {
    let scenario = Scenario::parse(&scenario(), "test").unwrap();
    let world = Arc::new(World::new(scenario, 1, 1.0, EPOCH));
    let planned = world.planned_steps(Duration::ZERO).into_iter();
    let listed = planned.filter(|step| step.image_arn.contains("/listed/"));
    let listed: Vec<_> = listed.map(|step| step.id).collect();
    let chances = Chances {
        latency: Duration::from_millis(100),
        fault: 0.0,
        faults_until: Timestamp::from_millis(0),
        expiry: 0.0,
        page: 10,
    };
    let api = WorldApi::new(world, 1, chances);
    let target = TargetText::new("t").steps(&listed);
    let target = target.with("pipelines: [kept, gone]\n    images: [kept, gone]");
    let config = ConfigText::of([target]).with(
        "metrics: {retention: 15m, retention_failed: 40m, counter_warmup: 0s, counter_retention: 6h}",
    );
    let polling = Polling::start(&config.text(), Arc::new(api.clone()));
    let counters = || ["kept", "gone", "listed"].map(|image| counter(&polling, image));

    polling.until(3.0 * HOUR).await;
    assert_eq!(counters(), [Some(1.0); 3]);
    // The account has them for the last time.
    api.delete(&["gone", "listed"]);
    polling.until(8.9 * HOUR).await;
    assert_eq!(counters(), [Some(1.0); 3]);
    // A tracked step keeps its name, and so do a build or a pipeline in the account.
    polling.until(9.3 * HOUR).await;
    assert_eq!(counters(), [Some(1.0), None, Some(1.0)]);

    // The name returns, with an old build that was counted and a new one that was not.
    api.delete(&[]);
    polling.until(12.0 * HOUR + 600.0).await;
    assert_eq!(counter(&polling, "gone"), Some(0.0));
    polling.until(14.0 * HOUR).await;
    assert_eq!(counters(), [Some(1.0); 3]);
    polling.until(48.0 * HOUR).await;
    assert_eq!(counters(), [Some(1.0); 3]);
}
