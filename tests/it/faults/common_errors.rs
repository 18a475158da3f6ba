//! Errors that any AWS service sends to any caller: they say nothing about the resource.

use imagebuilder_exporter::simulator::{Effect, ErrorResponse, Fault};

use super::{UP, scenario, suffers};
use crate::process::{Setup, Simulated};

/// A common error, with 400 where AWS's references name no other status.
fn common(kind: &str) -> Effect {
    Effect::Error(ErrorResponse {
        status: 400,
        ..ErrorResponse::new(kind, "as scripted")
    })
}

#[tokio::test]
async fn common_error_of_aws_marks_its_step_alone_and_is_no_client_error() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&["Spoiled", "Sound"]))
        .start()
        .await;
    exporter.until_ready().await;
    for (kind, result) in [
        ("RequestExpired", "forbidden"),
        ("IncompleteSignature", "forbidden"),
        ("OptInRequired", "forbidden"),
        ("MalformedHttpRequestException", "rejected"),
        ("UnknownOperationException", "rejected"),
        ("ValidationError", "rejected"),
        ("NeverHeardOfException", "rejected"),
    ] {
        suffers(&exporter, &simulated, common(kind), result).await;
    }
}

/// An error that AWS sends to any caller of any service says nothing about a step.
#[tokio::test]
async fn common_error_of_aws_takes_the_target_down_and_leaves_the_step_alone() {
    for (kind, result) in [
        ("RequestExpired", "forbidden"),
        ("NotAuthorized", "forbidden"),
        ("RequestAbortedException", "rejected"),
    ] {
        let simulated = Simulated::start(scenario()).await;
        let exporter = Setup::exporter(&simulated.config(&["Sound"])).start().await;
        exporter.until_value(UP, 1.0).await;
        simulated
            .faults
            .set(vec![Fault::on("*", common(kind)).unwrap()]);
        let scrape = exporter.until_value(UP, 0.0).await;
        let running = "imagebuilder_workflow_step_status{step=\"Sound\",status=\"RUNNING\"}";
        assert_eq!(scrape.value(running), Some(1.0), "{kind}");
        let line = exporter.until_line(&["polling failed", kind]).await;
        assert!(line.contains(&format!("result={result}")), "{line}");
        assert_eq!(exporter.count_log(&["polling failed"]), 1);
        assert_eq!(exporter.count_log(&["does not find"]), 0);
    }
}
