//! Networks, clocks, credentials and services that are not as they should be.

use imagebuilder_exporter::simulator::{Effect, ErrorResponse, Fault};

use super::{ROLE, Run, own_role, scenario};
use crate::process::{LOOK_EVERY, PATIENCE, Setup, Simulated, error};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const IMAGES: &str = "images: [\"golden-*\"]";

async fn spoilt(operation: &str, effect: Effect) -> (Simulated, Run) {
    let simulated = Simulated::start(scenario()).await;
    let fault = Fault::on(operation, effect).unwrap();
    simulated.faults.set(vec![fault]);
    let run = Run::of(&simulated, &[("production", &own_role(IMAGES))]).await;
    (simulated, run)
}

#[tokio::test]
async fn clock_that_is_off_is_a_warning_and_from_five_minutes_on_an_error() {
    for (skew, code, told) in [
        ("30s", 0, "  clock     30s behind the service's clock\n"),
        (
            "90s",
            0,
            "  warning   this machine's clock is 1m30s behind the service's clock: durations of running steps are off by the same time, and the service rejects calls from 5m on; synchronize this machine's clock\n",
        ),
        (
            "-2h",
            1,
            "  ERROR     no credentials: assuming role arn:aws:iam::111122223333:role/imagebuilder-exporter failed: ",
        ),
    ] {
        let simulated = Simulated::start(scenario().with(&format!("clock_skew: {skew}"))).await;
        let run = Run::of(&simulated, &[("production", &own_role(IMAGES))]).await;
        assert_eq!(run.code, Some(code), "{}", run.text);
        // Some seconds more or less: the clock tells whole ones, and on a busy machine a call takes a
        // while.
        let near = (20..=40).any(|seconds| {
            let told = told.replace("30s behind", &format!("{seconds}s behind"));
            run.text.contains(&told)
        });
        assert!(near, "{}", run.text);
        if code == 1 {
            run.says("this machine's clock is off by more than 5 minutes; synchronize it and run doctor again\n");
        }
    }
}

/// The SDK signs by the service's clock once an answer told of it, so the rest is told as well.
#[tokio::test]
async fn clock_skew_does_not_hide_allowed_operations() {
    let simulated = Simulated::start(scenario().with("clock_skew: 10m")).await;
    let run = Run::of(
        &simulated,
        &[("production", "regions: [us-west-2], images: [x]")],
    )
    .await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("  caller    unknown, because STS failed: HTTP 403 SignatureDoesNotMatch: Signature expired: ");
    run.says(" behind the service's clock: the service rejects calls from 5m on; synchronize this machine's clock\n");
    run.says("  allowed   ListImageBuildVersions      0 image builds, 0 selected");
    run.does_not_say("FAILED");
}

#[tokio::test]
async fn missing_credentials_are_reported_with_their_possible_sources() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Run::setup(
        &simulated,
        &[("production", "regions: [us-west-2], images: [x]")],
    );
    let run = Run::of_setup(setup.without_credentials(), &simulated).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("  ERROR     no credentials: the default credentials chain failed: ");
    run.says("            give the process credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of its container, pod or instance\n");
    let target = "regions: [us-west-2], profile: prodution, images: [x]";
    let run = Run::of(&simulated, &[("production", target)]).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("  ERROR     no credentials: profile \"prodution\" failed: ");
    run.says("            check profile \"prodution\" in ~/.aws/config and ~/.aws/credentials");
    assert!(simulated.calls.log().is_empty());
}

#[tokio::test]
async fn unreachable_endpoint_is_called_once() {
    let mut simulated = Simulated::start(scenario()).await;
    simulated.go_down().await;
    let run = Run::of(
        &simulated,
        &[("production", "regions: [us-west-2], images: [x]")],
    )
    .await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("  caller    unknown, because STS failed: dispatch failure: ");
    run.says("  FAILED    ListImageBuildVersions      dispatch failure: ");
    run.says(
        "                                        endpoint_url URL must be reachable from here: check its name, proxies and firewalls; in a VPC, check the endpoint for imagebuilder\n\
         \x20 skipped   GetImage, ListWorkflowExecutions, GetWorkflowExecution, ListWorkflowStepExecutions, GetWorkflowStepExecution\n",
    );
}

#[tokio::test]
async fn unreachable_sts_is_no_error_if_the_credentials_work() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Run::setup(
        &simulated,
        &[("production", "regions: [us-west-2], images: [x]")],
    );
    let setup = setup.env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    let run = Run::of_setup(setup, &simulated).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says("  caller    unknown, because STS failed: dispatch failure: ");
    run.says("doctor: all required calls are allowed");
}

#[tokio::test]
async fn unreachable_sts_is_an_error_for_a_target_with_a_role() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Run::setup(&simulated, &[("production", &own_role(IMAGES))]);
    let setup = setup.env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    let run = Run::of_setup(setup, &simulated).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says(&format!(
        "  ERROR     no credentials: assuming role {ROLE} failed: "
    ));
    run.says("            STS must be reachable in this region, through the internet or a VPC endpoint for sts; AWS_ENDPOINT_URL_STS sets another endpoint\n");
}

#[tokio::test]
async fn sts_error_on_assuming_a_role_is_reported_as_such() {
    for (effect, advice) in [
        (
            Effect::Html,
            "another server answers in place of STS: check proxies and AWS_ENDPOINT_URL_STS\n",
        ),
        (
            error("Throttling"),
            "STS is reachable, but fails at the moment: run doctor again later\n",
        ),
        (
            error("RegionDisabledException"),
            "STS is disabled for this region: enable it in the account settings of IAM\n",
        ),
        (
            error("ValidationError"),
            "STS rejects the request: check role_arn, external_id and session_name of assume_role\n",
        ),
    ] {
        let (_, run) = spoilt("AssumeRole", effect).await;
        assert_eq!(run.code, Some(1), "{}", run.text);
        run.says(&format!("            {advice}"));
        run.does_not_say("must be reachable");
        run.does_not_say("Two policies must allow it");
    }
}

#[tokio::test]
async fn invalid_base_credentials_are_reported_instead_of_the_role() {
    let (_, run) = spoilt("*", error("ExpiredTokenException")).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("            The credentials that assume the role failed: the service rejects these credentials for every call: check whether they have expired");
    run.does_not_say("must be reachable");

    let simulated = Simulated::start(scenario()).await;
    let setup = Run::setup(&simulated, &[("production", &own_role(IMAGES))]);
    let run = Run::of_setup(setup.without_credentials(), &simulated).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("            give the process credentials: AWS_ACCESS_KEY_ID and");
    run.does_not_say("must be reachable");
    let target = own_role(&format!("profile: prodution, {IMAGES}"));
    let run = Run::of(&simulated, &[("production", &target)]).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("            check profile \"prodution\" in ~/.aws/config");
    run.does_not_say("must be reachable");
}

#[tokio::test]
async fn incomplete_list_yields_no_warning_about_missing_names() {
    // A page more than one, whose token is too old when it is asked for.
    let simulated = Simulated::start(
        ScenarioText::of([PipelineText::new("golden-linux")
            .with("first: -20h")
            .with("every: 10m")
            .without("builds")
            .managed("build-image")])
        .with("pages: {token_lifetime: 1ms}")
        .with("faults: [{operation: ListImageBuildVersions, latency: 50ms}]"),
    )
    .await;
    let target = "regions: [us-west-2], images: [golden-linux, silver-linux]";
    let run = Run::of(&simulated, &[("production", target)]).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says("  allowed   ListImageBuildVersions      100 image builds, 100 selected");
    run.says("  warning   ListImageBuildVersions: page 2 could not be read: HTTP 400 ");
    run.does_not_say("silver-linux");
}

#[tokio::test]
async fn estimates_that_cannot_be_made_are_reported() {
    let (_, run) = spoilt("ListImageBuildVersions", error("ForbiddenException")).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says(
        "  calls     no estimate of calls and series: a list of the account could not be read\n",
    );
}

#[tokio::test]
async fn refused_caller_gets_no_advice_on_policies() {
    let (simulated, run) = spoilt("List*", error("UnrecognizedClientException")).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says(
        "  FAILED    ListImageBuildVersions      HTTP 403 UnrecognizedClientException: scripted",
    );
    run.says("the service rejects these credentials for every call: check whether they have expired, are deactivated, or belong to another partition\n");
    run.does_not_say("To allow");
    assert_eq!(simulated.calls.of("GetImage"), 0);
}

#[tokio::test]
async fn throttled_call_is_retried_and_then_reported() {
    let (simulated, run) = spoilt("GetImage", error("CallRateLimitExceededException")).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says("  throttled GetImage                    unknown whether it is allowed: HTTP 429 CallRateLimitExceededException: ");
    run.says("other clients use this API in the account: lower the request rate, or request a higher quota\n");
    run.says("doctor: nothing is denied, but 1 call stayed throttled; run doctor again later, with 1 warning\n");
    assert_eq!(simulated.calls.of("GetImage"), 5);

    let simulated = Simulated::start(scenario()).await;
    let once = Fault::on("*", error("ThrottlingException"))
        .unwrap()
        .times(2);
    simulated.faults.set(vec![once]);
    let target = "regions: [us-west-2], images: [x]";
    let run = Run::of(&simulated, &[("production", target)]).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.does_not_say("throttled");
}

#[tokio::test]
async fn responses_that_are_not_of_the_service_are_reported_as_such() {
    for (effect, told, advice) in [
        (
            Effect::Html,
            "HTTP 200 without an error type, so not a response of the service: ",
            "another server answers in place of the service: check endpoint_url URL and proxies\n",
        ),
        (
            error("ServiceException"),
            "HTTP 500 ServiceException: ",
            "the service itself failed: run doctor again later\n",
        ),
    ] {
        let (_, run) = spoilt("GetImage", effect).await;
        assert_eq!(run.code, Some(1), "{}", run.text);
        run.says(&format!("  FAILED    GetImage                    {told}"));
        run.says(advice);
        run.says("  allowed   GetWorkflowStepExecution    step-");
    }
}

#[tokio::test]
async fn missing_response_ends_with_the_configured_timeout() {
    let simulated = Simulated::start(scenario()).await;
    let fault = Fault::on("GetImage", Effect::NoAnswer).unwrap();
    simulated.faults.set(vec![fault]);
    let setup = Setup::new();
    let config = format!(
        "polling: {{request_timeout: 3s}}\ntargets: [{{name: t, endpoint_url: \"{}\", regions: [us-west-2], images: ['*']}}]",
        simulated.url
    );
    setup.files.write("slow.yaml", &config);
    let setup = setup
        .arg("doctor")
        .arg("--config.file=slow.yaml")
        .env("AWS_ENDPOINT_URL_STS", &simulated.url);
    let run = Run::of_setup(setup, &simulated).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("  FAILED    GetImage                    no response within 3s\n");
}

#[tokio::test]
async fn stopped_doctor_reports_that_it_did_not_finish() {
    let simulated = Simulated::start(scenario()).await;
    simulated.spoil("CreateOutputAMI", Effect::NoAnswer);
    let lists = format!("step_executions: [{}]", simulated.id("CreateOutputAMI"));
    for signal in ["INT", "TERM"] {
        let asked = simulated.asked_for("CreateOutputAMI");
        let running = Run::setup(&simulated, &[("production", &own_role(&lists))]).spawn();
        while simulated.asked_for("CreateOutputAMI") == asked {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        running.signal(signal);
        let ended = running.ended(PATIENCE).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(
            ended.stderr,
            ["doctor: interrupted before all checks were complete"]
        );
    }
}

#[tokio::test]
async fn text_of_the_service_steers_no_terminal_and_does_not_flood_it() {
    let hostile = format!(
        "\u{1b}[2Jgone\r\n\u{202e}doctor: all required calls are allowed{}",
        "x".repeat(5_000)
    );
    let effect = Effect::Error(ErrorResponse::new("ForbiddenException", hostile));
    let (_, run) = spoilt("GetImage", effect).await;
    assert_eq!(run.code, Some(1));
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!run.text.contains(steers), "{:?}", run.text);
    assert!(
        run.text.lines().all(|line| line.len() < 800),
        "{}",
        run.text
    );
    assert!(
        run.text
            .lines()
            .all(|line| line != "doctor: all required calls are allowed")
    );
}
