//! The simulator through the real SDK: each operation, each fault, over loopback sockets.

mod catalog;

use std::time::{Duration, SystemTime};

use aws_sdk_imagebuilder::Client;
use aws_sdk_imagebuilder::config::{
    BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_imagebuilder::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_imagebuilder::operation::get_workflow_step_execution::GetWorkflowStepExecutionOutput;
use imagebuilder_exporter::model::{StepExecutionId, Timestamp};
use imagebuilder_exporter::simulator::{
    Calls, Effect, ErrorResponse, Fault, Faults, PlannedStep, Scenario, Simulator, World,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::process::{LOOK_EVERY, PATIENCE, now};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const REGION: &str = "us-west-2";

/// One build that ended an hour ago, and one of another region.
fn pipelines() -> Vec<PipelineText> {
    let golden = PipelineText::new("golden")
        .with("first: -5h")
        .managed_with(
            "build-image",
            ["ApplyBuildComponents, attempts: {max: 3, fails: 1}"],
        )
        .managed("test-image");
    let elsewhere = PipelineText::new("elsewhere")
        .with(r#"account: "444455556666""#)
        .with("region: eu-west-1")
        .with("first: -5h")
        .managed("build-image");
    [golden, elsewhere]
        .map(|pipeline| pipeline.with("every: 100d").without("builds"))
        .into()
}

struct Running {
    url: String,
    steps: Vec<PlannedStep>,
    world: std::sync::Arc<World>,
    faults: Faults,
    calls: Calls,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(options: &str) -> Self {
        Self::play(&ScenarioText::of(pipelines()).with(options)).await
    }

    async fn play(scenario: &ScenarioText) -> Self {
        let scenario = Scenario::parse(&scenario.to_string(), "test").unwrap();
        Self::serve(World::new(scenario, 7, 1.0, now())).await
    }

    async fn serve(world: World) -> Self {
        let simulator = Simulator::bind("127.0.0.1:0".parse().unwrap(), world, now)
            .await
            .unwrap();
        let (stop, stopped) = oneshot::channel();
        Self {
            url: simulator.url(),
            steps: simulator.world().planned_steps(Duration::ZERO),
            world: simulator.world(),
            faults: simulator.faults(),
            calls: simulator.calls(),
            stop,
            task: tokio::spawn(simulator.run(async {
                let _ = stopped.await;
            })),
        }
    }

    fn client(&self) -> Client {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE);
        self.client_within(timeouts.build())
    }

    fn client_within(&self, timeouts: TimeoutConfig) -> Client {
        let config = aws_sdk_imagebuilder::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Client::from_conf(config)
    }

    fn step(&self, name: &str) -> &PlannedStep {
        self.steps.iter().find(|step| step.name == name).unwrap()
    }

    fn here(&self) -> StepExecutionId {
        self.steps[0].id
    }

    async fn get(&self) -> Result<GetWorkflowStepExecutionOutput, Failed> {
        get(&self.client(), &self.here().to_string()).await
    }

    /// Waits until so many calls were under way at once.
    async fn until_asked(&self, at_once: usize) {
        let asked = async {
            while self.calls.peak() < at_once {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap();
    }

    fn break_with(&self, effect: Effect) {
        self.faults.set(vec![Fault::on("*", effect).unwrap()]);
    }
}

type Failed = SdkError<
    aws_sdk_imagebuilder::operation::get_workflow_step_execution::GetWorkflowStepExecutionError,
>;

async fn get(client: &Client, id: &str) -> Result<GetWorkflowStepExecutionOutput, Failed> {
    let call = client.get_workflow_step_execution();
    call.step_execution_id(id).send().await
}

#[tokio::test]
async fn step_response_matches_the_world() {
    let running = Running::start("").await;
    let step = running.step("ApplyBuildComponents");
    let answer = get(&running.client(), &step.id.to_string()).await.unwrap();
    let now = SystemTime::now().into();
    let view = running.world.step(&step.id, now).unwrap();
    assert_eq!(
        answer.step_execution_id(),
        Some(step.id.to_string().as_str())
    );
    assert_eq!(answer.name(), Some("ApplyBuildComponents"));
    assert_eq!(answer.action(), Some("ExecuteComponents"));
    assert_eq!(answer.status().unwrap().as_str(), "COMPLETED");
    assert_eq!(answer.on_failure(), Some("Abort"));
    assert_eq!(answer.timeout_seconds(), Some(43_200));
    assert_eq!(answer.attempt_number(), Some(2));
    assert_eq!(answer.max_attempts(), Some(3));
    assert_eq!(Timestamp::parse(answer.start_time().unwrap()), view.start);
    assert_eq!(Timestamp::parse(answer.end_time().unwrap()), view.end);
    assert_eq!(
        answer.image_build_version_arn(),
        Some("arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1")
    );
    assert_eq!(running.calls.of("GetWorkflowStepExecution"), 1);
    let alike = step.id.to_string();
    assert_eq!(running.calls.of_id("GetWorkflowStepExecution", &alike), 1);
}

#[tokio::test]
async fn workflow_execution_response_has_its_counts() {
    let running = Running::start("").await;
    let id = running.steps[0].workflow_execution_id.to_string();
    let call = running.client().get_workflow_execution();
    let answer = call.workflow_execution_id(id).send().await.unwrap();
    assert_eq!(answer.status().unwrap().as_str(), "COMPLETED");
    assert_eq!(answer.r#type().unwrap().as_str(), "BUILD");
    assert_eq!(answer.total_step_count(), 7);
    assert_eq!(answer.total_steps_succeeded(), 6);
    assert_eq!(answer.total_steps_skipped(), 1);
    assert!(answer.end_time().is_some());
}

#[tokio::test]
async fn lists_are_read_to_the_end_through_short_and_empty_pages() {
    let running = Running::start("pages: {short: true, empty: true}").await;
    let client = running.client();
    let id = running.steps[0].workflow_execution_id.to_string();
    let call = client.list_workflow_step_executions();
    let mut pages = call.workflow_execution_id(id).into_paginator().send();
    let (mut names, mut empty) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        empty += usize::from(page.steps().is_empty());
        names.extend(
            page.steps()
                .iter()
                .map(|step| step.name().unwrap().to_owned()),
        );
    }
    assert_eq!(names.len(), 7);
    assert_eq!(names[0], "LaunchBuildInstance");
    assert!(empty > 0);

    let call = client.list_workflow_executions();
    let call = call.image_build_version_arn(&running.steps[0].image_arn);
    let mut pages = call.into_paginator().items().send();
    let mut types = Vec::new();
    while let Some(workflow) = pages.next().await {
        types.push(workflow.unwrap().r#type().unwrap().as_str().to_owned());
    }
    assert_eq!(types, ["BUILD", "TEST"]);
}

#[tokio::test]
async fn scenario_limits_the_size_of_a_page() {
    let running = Running::start("pages: {max_size: 25}").await;
    let id = running.steps[0].workflow_execution_id.to_string();
    let call = |size| {
        let call = running.client().list_workflow_step_executions();
        call.workflow_execution_id(&id).max_results(size).send()
    };
    let error = call(100).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidRequestException"));
    assert!(call(25).await.is_ok());
}

#[tokio::test]
async fn unknown_foreign_and_malformed_ids_are_bad_requests() {
    let running = Running::start("").await;
    let elsewhere = running.steps.iter().find(|step| step.region != REGION);
    let elsewhere = elsewhere.unwrap().id.to_string();
    for id in [
        "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01",
        "step-1",
        &elsewhere,
    ] {
        let error = get(&running.client(), id).await.unwrap_err();
        assert_eq!(error.code(), Some("InvalidRequestException"), "{id}");
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 400);
    }
}

#[tokio::test]
async fn every_error_of_the_model_can_be_scripted() {
    let running = Running::start("").await;
    for (kind, status) in [
        ("CallRateLimitExceededException", 429),
        ("ThrottlingException", 400),
        ("ClientException", 400),
        ("ForbiddenException", 403),
        ("InvalidRequestException", 400),
        ("ServiceException", 500),
        ("ServiceUnavailableException", 503),
    ] {
        running.break_with(Effect::Error(ErrorResponse::new(kind, "scripted")));
        let error = running.get().await.unwrap_err();
        assert_eq!(error.code(), Some(kind));
        assert_eq!(error.message(), Some("scripted"));
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
    }
    running.faults.clear();
    assert!(running.get().await.is_ok());
}

#[tokio::test]
async fn faults_reset_truncate_or_replace_a_response() {
    let running = Running::start("").await;
    running.break_with(Effect::Reset);
    let error = running.get().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    for effect in [Effect::Truncated, Effect::Html] {
        running.break_with(effect);
        let error = running.get().await.unwrap_err();
        assert_eq!(error.code(), None, "{error:?}");
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 200);
    }
}

#[tokio::test]
async fn unanswered_call_ends_with_its_caller() {
    let running = Running::start("").await;
    running.break_with(Effect::NoAnswer);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(2));
    let client = running.client_within(timeouts.build());
    let error = get(&client, &running.here().to_string()).await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert_eq!(running.calls.peak_alike(), 1);
}

#[tokio::test]
async fn members_can_be_missing_or_replaced() {
    let running = Running::start("").await;
    running.break_with(Effect::Missing(vec!["status".into(), "startTime".into()]));
    let answer = running.get().await.unwrap();
    assert!(answer.status().is_none() && answer.start_time().is_none());
    assert_eq!(answer.name(), Some("LaunchBuildInstance"));
    let exploded = [("status".to_owned(), "EXPLODED".into())];
    running.break_with(Effect::Replaced(exploded.into()));
    let answer = running.get().await.unwrap();
    assert_eq!(answer.status().unwrap().as_str(), "EXPLODED");
}

#[tokio::test]
async fn late_response_arrives_late() {
    let running = Running::start("").await;
    let late = Fault::on("Get*", Effect::Late).unwrap();
    let latency = Duration::from_millis(300);
    running.faults.set(vec![late.latency(latency)]);
    let asked = std::time::Instant::now();
    running.get().await.unwrap();
    assert!(asked.elapsed() >= latency);
}

#[tokio::test]
async fn calls_beyond_the_rate_limit_are_throttled() {
    let running = Running::start("rate_limit: {requests_per_second: 0.001, burst: 2}").await;
    assert!(running.get().await.is_ok());
    assert!(running.get().await.is_ok());
    let error = running.get().await.unwrap_err();
    assert_eq!(error.code(), Some("CallRateLimitExceededException"));
}

#[tokio::test]
async fn calls_at_once_are_counted() {
    let running = Running::start("").await;
    running.break_with(Effect::NoAnswer);
    let client = running.client();
    let ids: Vec<_> = running.steps[..3]
        .iter()
        .map(|s| s.id.to_string())
        .collect();
    let calls = [&ids[0], &ids[0], &ids[1], &ids[2]].map(|id| get(&client, id));
    let [a, b, c, d] = calls;
    let asking = async { tokio::join!(a, b, c, d) };
    tokio::select! {
        answers = asking => panic!("nobody answers, but {answers:?}"),
        () = running.until_asked(4) => {}
    }
    assert_eq!(running.calls.peak(), 4);
    assert_eq!(running.calls.peak_alike(), 2);
}

#[tokio::test]
async fn unsigned_calls_and_unknown_paths_are_refused() {
    let running = Running::start("").await;
    let path = format!(
        "/GetWorkflowStepExecution?stepExecutionId={}",
        running.here()
    );
    for (request, status, kind) in [
        (
            format!("GET {path} HTTP/1.1"),
            "403 Forbidden",
            "MissingAuthenticationTokenException",
        ),
        (
            format!("GET {path} HTTP/1.1\r\nauthorization: Basic eDp5"),
            "403 Forbidden",
            "InvalidSignatureException",
        ),
        (
            "GET /Nothing HTTP/1.1".to_owned(),
            "404 Not Found",
            "UnknownOperationException",
        ),
        (
            "PUT /GetWorkflowExecution HTTP/1.1".to_owned(),
            "405 Method Not Allowed",
            "MethodNotAllowedException",
        ),
    ] {
        let address = running.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{request}\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        let lower = answer.to_lowercase();
        let header = format!("x-amzn-errortype: {}", kind.to_lowercase());
        assert!(lower.contains(&header), "{answer}");
        assert!(lower.contains("\r\ndate: "), "{answer}");
        assert!(lower.contains("\r\nx-amzn-requestid: "), "{answer}");
    }
}

#[tokio::test]
async fn simulator_stops_although_a_call_hangs() {
    let running = Running::start("").await;
    running.break_with(Effect::NoAnswer);
    let (client, id) = (running.client(), running.here().to_string());
    let hanging = tokio::spawn(async move { get(&client, &id).await });
    running.until_asked(1).await;
    running.stop.send(()).unwrap();
    running.task.await.unwrap();
    assert!(hanging.await.unwrap().is_err());
}
