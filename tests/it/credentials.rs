//! Where credentials come from, and what is told when they don't come.

mod bodies;
mod masked;
mod planted;
mod process;
mod rotated;

use imagebuilder_exporter::simulator::Effect;

use crate::process::{Exporter, Scrape, Setup, Simulated, error};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const ROLE: &str = "arn:aws:iam::111122223333:role/imagebuilder-exporter";

/// One account's steps. Of the roles, one wants an external id, one is denied, and the sessions of
/// one are so short that they are to be renewed as soon as they began.
fn scenario() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .workflow(
            "one, type: test, parallel_group: both",
            ["First, action: ExecuteComponents, duration: 2h"],
        )
        .workflow(
            "two, type: test, parallel_group: both",
            ["Second, action: ExecuteComponents, duration: 2h"],
        )])
    .with(r#"access_keys: {AKIDEXAMPLE: "999999999999", AKIDOFPROFILE: "111122223333"}"#)
    .with(ROLES)
}

const ROLES: &str = r#"
roles:
  - {arn: "arn:aws:iam::111122223333:role/imagebuilder-exporter", external_id: "the-id"}
  - {arn: "arn:aws:iam::111122223333:role/short", lifetime: 65s}
  - {arn: "arn:aws:iam::111122223333:role/denied", denied: true}
"#;

const ANSWERED: &str = "imagebuilder_exporter_api_requests_total{\
    target=\"main\",operation=\"GetWorkflowStepExecution\",result=\"ok\"}";
const REFUSED: &str = "imagebuilder_exporter_api_requests_total{\
    target=\"main\",operation=\"GetWorkflowStepExecution\",result=\"credentials\"}";
const UP: &str = "imagebuilder_exporter_target_up{target=\"main\"}";

fn with_role(simulated: &Simulated, role: &str) -> String {
    with(simulated, &format!("assume_role: {role}"))
}

/// The configuration with another key of the target.
fn with(simulated: &Simulated, key: &str) -> String {
    let config = simulated.config(&["First"]);
    config.replace("    rate_limit:", &format!("    {key}\n    rate_limit:"))
}

fn with_sts(config: &str, simulated: &Simulated) -> Setup {
    Setup::exporter(config).env("AWS_ENDPOINT_URL_STS", &simulated.url)
}

/// Nothing was sent, the target is down, and the log says of which target which step failed.
async fn is_refused(exporter: &Exporter, simulated: &Simulated, told: &[&str]) -> Scrape {
    exporter.until_over(REFUSED, 0.0).await;
    let scrape = exporter.until_value(UP, 0.0).await;
    assert_eq!(scrape.value(ANSWERED), Some(0.0));
    assert_eq!(simulated.asked_for("First"), 0);
    let sent = "imagebuilder_exporter_api_request_duration_seconds_count{target=\"main\"}";
    assert_eq!(scrape.value(sent), None, "nothing was sent");
    let begin = ["level=warn", "target=main", "result=credentials"];
    exporter.until_line(&[&begin, told].concat()).await;
    scrape
}

#[tokio::test]
async fn role_is_assumed_once_for_many_polls() {
    let simulated = Simulated::start(scenario()).await;
    let role = format!("{{role_arn: \"{ROLE}\", external_id: the-id}}");
    let exporter = with_sts(&with_role(&simulated, &role), &simulated)
        .start()
        .await;
    exporter.until_over(ANSWERED, 10.0).await;
    assert_eq!(simulated.calls.of("AssumeRole"), 1);
    assert_eq!(simulated.calls.of_id("AssumeRole", ROLE), 1);
}

#[tokio::test]
async fn role_is_assumed_again_before_its_session_ends() {
    let simulated = Simulated::start(scenario()).await;
    let role = "{role_arn: \"arn:aws:iam::111122223333:role/short\"}";
    let exporter = with_sts(&with_role(&simulated, role), &simulated)
        .start()
        .await;
    let goes_on = |scrape: &Scrape| {
        simulated.calls.of("AssumeRole") >= 2 && scrape.value(ANSWERED) > Some(3.0)
    };
    let scrape = exporter
        .until("the role is assumed again and polls go on", goes_on)
        .await;
    assert_eq!(scrape.value(REFUSED), Some(0.0));
    let forbidden = REFUSED.replace("credentials", "forbidden");
    assert_eq!(scrape.value(&forbidden), Some(0.0));
}

#[tokio::test]
async fn denied_role_is_logged_with_its_name_and_affects_no_other_target() {
    let simulated = Simulated::start(scenario()).await;
    let denied = "arn:aws:iam::111122223333:role/denied";
    let config = with_role(&simulated, &format!("{{role_arn: \"{denied}\"}}"));
    let sound = with_role(
        &simulated,
        &format!("{{role_arn: \"{ROLE}\", external_id: the-id}}"),
    );
    let (_, sound) = sound.split_once("targets:\n").unwrap();
    let sound = sound.replace("name: main", "name: sound");
    let sound = sound.replace(&simulated.id("First"), &simulated.id("Second"));
    let exporter = with_sts(&(config + &sound), &simulated).start().await;
    is_refused(&exporter, &simulated, &[denied, "AccessDenied"]).await;
    let answered = ANSWERED.replace("main", "sound");
    let scrape = exporter.until_over(&answered, 5.0).await;
    assert_eq!(scrape.value(&UP.replace("main", "sound")), Some(1.0));
    assert_eq!(scrape.value(&REFUSED.replace("main", "sound")), Some(0.0));
    let steps = scrape.labels("imagebuilder_workflow_step_info{}", "step");
    assert_eq!(steps, ["Second"]);
}

#[tokio::test]
async fn refused_role_is_not_requested_at_every_poll() {
    let simulated = Simulated::start(scenario()).await;
    let denied = "{role_arn: \"arn:aws:iam::111122223333:role/denied\"}";
    let exporter = with_sts(&with_role(&simulated, denied), &simulated)
        .start()
        .await;
    exporter.until_over(REFUSED, 3.0).await;
    let (polls, assumed) = (
        exporter.scrape().await.value(REFUSED).unwrap(),
        simulated.calls.of("AssumeRole"),
    );
    assert!((assumed as f64) < polls, "{assumed} for {polls}");
}

#[tokio::test]
async fn external_id_that_is_wrong_or_missing_is_refused() {
    for external_id in ["", ", external_id: another-id"] {
        let simulated = Simulated::start(scenario()).await;
        let role = format!("{{role_arn: \"{ROLE}\"{external_id}}}");
        let exporter = with_sts(&with_role(&simulated, &role), &simulated)
            .start()
            .await;
        is_refused(&exporter, &simulated, &[ROLE]).await;
        assert!(!exporter.log().join("\n").contains("another-id"));
    }
}

#[tokio::test]
async fn unreachable_sts_is_a_credentials_error() {
    let refused = async |fault| {
        let simulated = Simulated::start(scenario()).await;
        simulated.spoil_all(fault);
        let role = format!("{{role_arn: \"{ROLE}\", external_id: the-id}}");
        let config = with_role(&simulated, &role).replace("30s", "5s");
        let exporter = with_sts(&config, &simulated).start().await;
        is_refused(&exporter, &simulated, &[ROLE]).await;
        // The step of the chain rests for a while after it failed; then all is well.
        simulated.faults.clear();
        exporter.until_value(UP, 1.0).await;
        exporter.until_over(ANSWERED, 0.0).await;
    };
    tokio::join!(
        refused(error("InternalFailure")),
        refused(Effect::NoAnswer),
        refused(Effect::Html),
        refused(Effect::Reset),
    );
}

#[tokio::test]
async fn missing_credentials_are_logged_with_the_places_that_were_tried() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["First"]);
    let exporter = Setup::exporter(&config).without_credentials().start().await;
    is_refused(
        &exporter,
        &simulated,
        &["default credentials chain", "Environment"],
    )
    .await;
    let role = format!("{{role_arn: \"{ROLE}\", external_id: the-id}}");
    let setup = with_sts(&with_role(&simulated, &role), &simulated);
    let exporter = setup.without_credentials().start().await;
    is_refused(&exporter, &simulated, &["default credentials chain"]).await;
    assert_eq!(simulated.calls.of("AssumeRole"), 0);
}

#[tokio::test]
async fn profile_comes_from_the_shared_files() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Setup::exporter(&with(&simulated, "profile: production"));
    let secrets =
        "[production]\naws_access_key_id = AKIDOFPROFILE\naws_secret_access_key = hidden\n";
    let credentials = setup.files.write("credentials", secrets);
    let config = setup
        .files
        .write("config", "[profile production]\nregion = eu-west-1\n");
    let exporter = setup
        .without_credentials()
        .env("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap())
        .env("AWS_CONFIG_FILE", config.to_str().unwrap())
        .start()
        .await;
    exporter.until_over(ANSWERED, 2.0).await;
    // The region is the target's, whatever the profile's may be.
    let log = simulated.calls.log();
    assert!(log.iter().all(|call| call.region == "us-west-2"), "{log:?}");
}

#[tokio::test]
async fn unresponsive_base_credentials_are_named_in_the_error() {
    let simulated = Simulated::start(scenario()).await;
    let role = format!("{{role_arn: \"{ROLE}\"}}\n    profile: slow");
    let config = with_role(&simulated, &role);
    let setup = with_sts(&config, &simulated).without_credentials();
    let shared = "[profile slow]\ncredential_process = /bin/sleep 60\n";
    let shared = setup.files.write("aws-config", shared);
    let setup = setup.env("AWS_CONFIG_FILE", shared.to_str().unwrap());
    let exporter = setup.env("PATH", "/usr/bin:/bin").start().await;
    is_refused(
        &exporter,
        &simulated,
        &["profile", "slow", "no response within"],
    )
    .await;
}

#[tokio::test]
async fn profile_wins_over_the_environment() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Setup::exporter(&with(&simulated, "profile: production"));
    let secrets =
        "[production]\naws_access_key_id = AKIDOFPROFILE\naws_secret_access_key = hidden\n";
    let credentials = setup.files.write("credentials", secrets);
    // The key in the environment belongs to an account that does not have the step.
    let exporter = setup
        .env("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap())
        .start()
        .await;
    exporter.until_over(ANSWERED, 0.0).await;
}

#[tokio::test]
async fn missing_profile_is_logged_with_its_name() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&with(&simulated, "profile: prodution"))
        .start()
        .await;
    is_refused(&exporter, &simulated, &["profile \\\"prodution\\\""]).await;
}

#[tokio::test]
async fn credentials_of_another_account_are_no_fault_of_the_target() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&["First"])).start().await;
    exporter.until_ready().await;
    let scrape = exporter.until_value(UP, 1.0).await;
    assert!(
        scrape
            .value(&REFUSED.replace("credentials", "client_error"))
            .unwrap()
            > 0.0
    );
    exporter
        .until_line(&["check that it belongs to this account and region"])
        .await;
}

#[tokio::test]
async fn endpoint_comes_from_the_environment_unless_the_target_names_one() {
    let simulated = Simulated::start(scenario()).await;
    let named = simulated.config(&["First"]);
    let unnamed: String = named
        .lines()
        .filter(|line| !line.contains("endpoint_url"))
        .map(|line| format!("{line}\n"))
        .collect();
    let nowhere = "http://127.0.0.1:9";
    for (config, variables) in [
        (&unnamed, &[("AWS_ENDPOINT_URL", &simulated.url[..])][..]),
        (
            &unnamed,
            &[
                ("AWS_ENDPOINT_URL", nowhere),
                ("AWS_ENDPOINT_URL_IMAGEBUILDER", &simulated.url),
            ],
        ),
        (&named, &[("AWS_ENDPOINT_URL_IMAGEBUILDER", nowhere)]),
    ] {
        let setup = variables
            .iter()
            .fold(Setup::exporter(config), |setup, (name, value)| {
                setup.env(name, value)
            });
        let setup = setup.env("AWS_ACCESS_KEY_ID", "AKIDOFPROFILE");
        setup.start().await.until_over(ANSWERED, 0.0).await;
    }
}
