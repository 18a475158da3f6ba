//! Lists that never end: new page tokens for ever, with empty pages or with full ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use imagebuilder_exporter::api::{
    ApiFuture, ImageBuilder, ImagePage, ListPage, Page, Parsed, StepPage, WorkflowPage,
};
use imagebuilder_exporter::model::{
    Image, ImageArn, ImageStatus, Pipeline, StepExecution, StepExecutionId, StepStatus,
    WorkflowExecution, WorkflowExecutionId,
};

use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::poller::Polling;

const IMAGE: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1";

/// An API whose lists all continue with a new token after each page.
#[derive(Debug, Default)]
struct Endless {
    /// Entries of a page.
    entries: usize,
    pages: Arc<AtomicUsize>,
}

impl Endless {
    fn page<T: Send + 'static>(&self, entries: Vec<T>) -> ApiFuture<ListPage<T>> {
        let number = self.pages.fetch_add(1, Ordering::Relaxed);
        let page = ListPage {
            entries,
            next: Some(format!("token-{number}")),
        };
        Box::pin(async { Ok(Parsed::from(page)) })
    }
}

impl ImageBuilder for Endless {
    fn get_workflow_step_execution(&self, _: StepExecutionId) -> ApiFuture<StepExecution> {
        let step = StepExecution {
            workflow_execution_id: "wf-dddddddd-0000-0000-0000-000000000004".parse().ok(),
            ..StepExecution::with_status(StepStatus::Running)
        };
        Box::pin(async { Ok(Parsed::from(step)) })
    }

    fn get_workflow_execution(&self, _: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        Box::pin(std::future::pending())
    }

    fn list_workflow_step_executions(
        &self,
        _: WorkflowExecutionId,
        _: Page,
    ) -> ApiFuture<StepPage> {
        self.page(Vec::new())
    }

    fn list_workflow_executions(&self, _: ImageArn, _: Page) -> ApiFuture<WorkflowPage> {
        self.page(Vec::new())
    }

    fn list_image_build_versions(&self, _: Page) -> ApiFuture<ImagePage> {
        let arn = ImageArn::parse(IMAGE).unwrap();
        // Never tracked: it ended long ago, as far as is known.
        let image = Image::with_status(arn.clone(), ImageStatus::parse("AVAILABLE"));
        self.page(vec![(arn, Some(image)); self.entries])
    }

    fn list_image_pipelines(&self, _: Page) -> ApiFuture<ListPage<Pipeline>> {
        self.page(Vec::new())
    }

    fn get_image(&self, _: ImageArn) -> ApiFuture<Image> {
        Box::pin(std::future::pending())
    }
}

/// Starts to poll a target with this key as fast as the service responds.
fn start(key: &str, entries: usize) -> (Polling, Arc<AtomicUsize>) {
    let target = TargetText::new("t")
        .with("regions: [us-west-2]")
        .with("rate_limit: {requests_per_second: 500, burst: 500}")
        .with(key);
    let yaml = ConfigText::of([target])
        .with("polling: {interval: 10m, discovery_interval: 10m}")
        .text();
    let api = Endless {
        entries,
        pages: Arc::default(),
    };
    let pages = api.pages.clone();
    (Polling::start(&yaml, Arc::new(api)), pages)
}

fn failed(polling: &Polling, operation: &str) -> f64 {
    let labels = [("operation", operation), ("result", "parse_error")];
    let name = "imagebuilder_exporter_api_requests_total";
    value(&polling.metrics(), name, &labels).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn endless_empty_pages_are_requested_with_pauses_and_then_fail() {
    for (key, operation) in [
        ("images: [\"*\"]", "ListImageBuildVersions"),
        ("pipelines: [\"*\"]", "ListImagePipelines"),
        (
            "step_executions: [step-aaaaaaaa-0000-0000-0000-000000000001, \
             step-aaaaaaaa-0000-0000-0000-000000000002]",
            "ListWorkflowStepExecutions",
        ),
    ] {
        let (polling, pages) = start(key, 0);
        let begin = match operation {
            "ListWorkflowStepExecutions" => 570.0,
            _ => 0.0,
        };
        polling.until(begin + 60.0).await;
        let after_a_minute = pages.load(Ordering::Relaxed);
        assert!(
            (100..=700).contains(&after_a_minute),
            "{operation}: {after_a_minute} pages in a minute"
        );
        assert_eq!(failed(&polling, operation), 0.0);
        polling.until(begin + 280.0).await;
        assert!(failed(&polling, operation) > 0.0, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn list_with_more_entries_than_are_kept_fails() {
    let (polling, pages) = start("images: [\"other\"]", 100);
    polling.until(10.0).await;
    assert!(failed(&polling, "ListImageBuildVersions") > 0.0);
    // 200 000 entries in pages of 100, and the attempts of the page that exceeds them.
    let read = pages.load(Ordering::Relaxed);
    assert!((2_001..=2_004).contains(&read), "{read}");
}
