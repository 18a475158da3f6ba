//! The breach of a step's timeout.

use std::collections::BTreeMap;

use imagebuilder_exporter::simulator::Effect;
use serde_json::json;

use super::scenario;
use crate::process::{Setup, Simulated};

#[tokio::test]
async fn running_step_breaches_its_timeout_between_two_polls() {
    let simulated = Simulated::start(scenario()).await;
    // It began 586 seconds ago: after ten of the step before, and the pauses between. So there is
    // time to see it before.
    let timeout = BTreeMap::from([("timeoutSeconds".to_owned(), json!(611))]);
    simulated.spoil("ApproveEks", Effect::Replaced(timeout));
    let config = simulated.config(&["ApproveEks"]).replace("200ms", "1h");
    let exporter = Setup::exporter(&config).start().await;
    let breached = "imagebuilder_workflow_step_timeout_breached{}";
    exporter.until_value(breached, 0.0).await;
    exporter.until_value(breached, 1.0).await;
    // The second poll is the one right after the timeout.
    assert!(simulated.asked_for("ApproveEks") <= 2);
}
