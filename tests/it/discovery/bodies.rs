//! Bodies of responses that are not as the service model says.

use std::collections::BTreeMap;

use imagebuilder_exporter::simulator::{Effect, Fault};
use serde_json::json;

use super::{config, start, target, target_in};
use crate::process::{Endless, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

#[tokio::test]
async fn member_of_a_wrong_type_costs_its_own_value_alone() {
    let golden = PipelineText::new("golden").workflow(
        "make",
        [
            "First, action: RunCommand, duration: 5m",
            "Second, action: RunCommand, duration: 2h",
        ],
    );
    let scenario = ScenarioText::of([golden]).with("listed_after: 0s");
    let simulated = Simulated::start(scenario).await;
    simulated.spoil_all(Effect::Replaced(BTreeMap::from([
        ("startTime".to_owned(), json!(7)),
        ("timeoutSeconds".to_owned(), json!("long")),
        ("dateCreated".to_owned(), json!({"year": 2026})),
        ("osVersion".to_owned(), json!(["Linux"])),
        ("description".to_owned(), json!(false)),
    ])));
    let config = config(&[target(&simulated, "main", &["pipelines: [golden]"])]);
    let exporter = start(&config).await;
    let scrape = exporter
        .until("both steps are known", |scrape| {
            scrape.series("imagebuilder_workflow_step_info{}").len() == 2
        })
        .await;
    let running = "imagebuilder_workflow_step_status{step=\"Second\",status=\"RUNNING\"}";
    assert_eq!(scrape.value(running), Some(1.0));
    assert_eq!(scrape.series("imagebuilder_image_info{}").len(), 1);
    for absent in [
        "imagebuilder_workflow_step_start_time_seconds{}",
        "imagebuilder_workflow_step_timeout_seconds{}",
        "imagebuilder_image_created_timestamp_seconds{}",
    ] {
        assert_eq!(scrape.value(absent), None, "{absent}");
    }
    for field in ["startTime", "timeoutSeconds", "dateCreated"] {
        let count = format!("imagebuilder_exporter_unparsable_fields_total{{field=\"{field}\"}}");
        assert!(scrape.value(&count) > Some(0.0), "{field}");
    }
    let failed = "imagebuilder_exporter_api_requests_total{result=\"parse_error\"}";
    assert!(scrape.values(failed).iter().all(|count| *count == 0.0));
}

#[tokio::test]
async fn listed_image_without_a_status_keeps_what_is_known() {
    let golden =
        PipelineText::new("golden").workflow("make", ["First, action: RunCommand, duration: 2h"]);
    let simulated = Simulated::start(ScenarioText::of([golden]).with("listed_after: 0s")).await;
    let config = config(&[target(&simulated, "main", &["images: [golden]"])]);
    let exporter = start(&config).await;
    let passes = "imagebuilder_exporter_unparsable_fields_total{field=\"state\"}";
    let step = "imagebuilder_workflow_step_info{}";
    let scrape = exporter.until_value(step, 1.0).await;
    assert_eq!(scrape.value(passes), Some(0.0));
    let missing = Effect::Missing(vec!["state".to_owned()]);
    let fault = Fault::on("ListImageBuildVersions", missing).unwrap();
    simulated.faults.set(vec![fault]);
    let scrape = exporter.until_over(passes, 2.0).await;
    for known in [step, "imagebuilder_image_info{}"] {
        assert_eq!(scrape.value(known), Some(1.0), "{known}");
    }
}

#[tokio::test]
async fn body_without_end_is_cut_and_counted_as_parse_error() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n",
        "HTTP/1.1 500 Oops\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n",
    ] {
        let service = Endless::start(head).await;
        let url = &service.url;
        let target = target_in("us-west-2", url, "main", &["images: ['*']"]);
        let exporter = start(&config(&[target])).await;
        let cut = "imagebuilder_exporter_api_requests_total{\
                   operation=\"ListImageBuildVersions\",result=\"parse_error\"}";
        let scrape = exporter.until_over(cut, 2.0).await;
        let resident = scrape.value("process_resident_memory_bytes{}").unwrap();
        assert!(resident < 150e6, "{resident} bytes");
        let failed = [
            "discovery failed",
            "the body of the response is longer than 16777216 bytes",
        ];
        let down = ["polling failed", failed[1]];
        exporter
            .until_log("the length is logged", |log| {
                let has =
                    |parts: &[&str], line: &String| parts.iter().all(|part| line.contains(part));
                log.iter()
                    .any(|line| has(&failed, line) || has(&down, line))
            })
            .await;
    }
}
