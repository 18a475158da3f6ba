//! `doctor` as people run it, against the simulator.

mod denials;
mod estimate;
mod trouble;

use crate::process::{Setup, Simulated};
use crate::support::kept::assert_part_kept;
use crate::support::scenario_text::{PipelineText, ScenarioText};

const ROLE: &str = "arn:aws:iam::111122223333:role/imagebuilder-exporter";

/// Two accounts; in one of them a pipeline whose third build runs, in another region one that built
/// nothing yet.
fn scenario() -> ScenarioText {
    ScenarioText::of([
        PipelineText::new("golden-linux")
            .without("builds")
            .with("first: -300m")
            .with("every: 145m")
            .managed("build-image")
            .managed("test-image"),
        PipelineText::new("golden-windows")
            .without("builds")
            .with("region: eu-west-1")
            .with("first: 100d")
            .managed("build-image"),
    ])
    .with(r#"access_keys: {AKIDEXAMPLE: "999999999999"}"#)
    .with(ROLES)
}

const ROLES: &str = r#"
roles:
  - {arn: "arn:aws:iam::111122223333:role/imagebuilder-exporter", external_id: "the-id"}
  - {arn: "arn:aws:iam::111122223333:role/another"}
  - {arn: "arn:aws:iam::444455556666:role/empty"}
  - {arn: "arn:aws:iam::111122223333:role/denied", denied: true}
"#;

/// What a run of doctor came to.
struct Run {
    code: Option<i32>,
    text: String,
}

impl Run {
    /// With a configuration of these targets, each a YAML map without its name and endpoint.
    async fn of(simulated: &Simulated, targets: &[(&str, &str)]) -> Self {
        Self::of_setup(Self::setup(simulated, targets), simulated).await
    }

    fn setup(simulated: &Simulated, targets: &[(&str, &str)]) -> Setup {
        let setup = Setup::new();
        let targets = targets.iter().map(|(name, keys)| {
            let url = &simulated.url;
            format!("  - {{name: {name}, endpoint_url: \"{url}\", {keys}}}\n")
        });
        let targets: String = targets.collect();
        let config = format!("polling: {{request_timeout: 30s}}\ntargets:\n{targets}");
        setup.files.write("imagebuilder_exporter.yaml", &config);
        setup
            .arg("doctor")
            .env("AWS_ENDPOINT_URL_STS", &simulated.url)
    }

    async fn of_setup(setup: Setup, simulated: &Simulated) -> Self {
        let ended = setup.run().await;
        Self {
            code: ended.code,
            text: ended.stdout.join("\n").replace(&simulated.url, "URL") + "\n",
        }
    }

    #[track_caller]
    fn says(&self, lines: &str) {
        assert!(self.text.contains(lines), "{lines}\nin\n{}", self.text);
    }

    #[track_caller]
    fn does_not_say(&self, part: &str) {
        assert!(!self.text.contains(part), "{part}\nin\n{}", self.text);
    }
}

fn with_role(role: &str, lists: &str) -> String {
    format!("regions: [us-west-2], assume_role: {role}, {lists}")
}

fn own_role(lists: &str) -> String {
    with_role(
        &format!("{{role_arn: \"{ROLE}\", external_id: the-id}}"),
        lists,
    )
}

/// The page shows what a run says, so it is compared as a whole; `UPDATE_DOCS` writes it anew.
#[tokio::test]
async fn docs_page_has_the_report_of_a_working_configuration() {
    let simulated = Simulated::start(scenario()).await;
    let target = own_role("pipelines: [\"golden-*\"]")
        .replace("regions: [us-west-2]", "regions: [us-west-2, eu-west-1]");
    let run = Run::of(&simulated, &[("production", &target)]).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    let command = "$ imagebuilder_exporter doctor --config.file=imagebuilder_exporter.yaml";
    let report = format!("{command}\n{}", run.text);
    assert_part_kept("docs/doctor.md", ["```console\n", "```\n"], &report);
    // Nothing of what steps can hold, and no external id.
    run.does_not_say("planted-secret");
    run.does_not_say("the-id");
}

#[tokio::test]
async fn empty_account_is_examined_with_ids_that_do_not_exist() {
    let simulated = Simulated::start(scenario()).await;
    let role = "{role_arn: \"arn:aws:iam::444455556666:role/empty\"}";
    let target = with_role(role, "pipelines: [\"golden-*\"], images: [\"win-*\"]");
    let run = Run::of(&simulated, &[("empty", &target)]).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says(
        "  allowed   ListImagePipelines          0 pipelines, 0 selected\n\
         \x20 allowed   ListImageBuildVersions      0 image builds, 0 selected, 0 of them being built\n\
         \x20 allowed   GetImage                    call is allowed, but the resource was not found: win-0 0.0.0/1\n\
         \x20 allowed   ListWorkflowExecutions      call is allowed, but the resource was not found: win-0 0.0.0/1\n\
         \x20 allowed   GetWorkflowExecution        call is allowed, but the resource was not found: wf-00000000-0000-0000-0000-000000000000\n\
         \x20 allowed   ListWorkflowStepExecutions  call is allowed, but the resource was not found: wf-00000000-0000-0000-0000-000000000000\n\
         \x20 allowed   GetWorkflowStepExecution    call is allowed, but the resource was not found: step-00000000-0000-0000-0000-000000000000\n\
         \x20 calls     60 per hour while nothing runs, for 2 list pages every 2m\n\
         \x20           nothing runs now, so that is 0.3 % of the rate limit of 5/s\n\
         \x20           125 more per hour while an image is built, plus 25 once per image; 0 images in the last 24 hours\n\
         \x20           assuming that an image has 2 workflow executions one after the other, with 11 steps in total, as in Amazon's workflows\n",
    );
    run.says(
        "  warning   pipelines: nothing matches \"golden-*\": this account and region has no pipelines\n\
         \x20 warning   images: nothing matches \"win-*\": this account and region has no images\n\
         \n\
         doctor: all required calls are allowed, with 2 warnings\n",
    );
    // A question about an image of one's own, which nobody else can be asked about.
    let arn = "arn:aws:imagebuilder:us-west-2:444455556666:image/win-0/0.0.0/1";
    assert_eq!(simulated.calls.of_id("GetImage", arn), 1);
}

#[tokio::test]
async fn selector_without_a_match_is_reported() {
    let simulated = Simulated::start(scenario()).await;
    let lists = "pipelines: [\"golden-*\", \"Golden Linux\", \"arn:aws:imagebuilder:us-west-2:222222222222:image-pipeline/x\"], images: [\"silver-*\"]";
    let lists = lists.replace("\"Golden Linux\", ", "\"golden_linux\", ");
    let run = Run::of(&simulated, &[("production", &own_role(&lists))]).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says(
        "  warning   pipelines: nothing matches \"golden_linux\" and \
         \"arn:aws:imagebuilder:us-west-2:222222222222:image-pipeline/x\"; selectors are compared with the names in ARNs (golden-linux, not Golden Linux), and tags and exclude also apply",
    );
    run.says("  warning   images: nothing matches \"silver-*\";");
    run.says(
        "  warning   pipelines names account 222222222222, but the credentials belong to 111122223333\n",
    );
}

#[tokio::test]
async fn listed_and_unknown_resources_are_reported_by_id() {
    let simulated = Simulated::start(scenario()).await;
    let known = simulated.id("CreateOutputAMI");
    let unknown = |number: usize| format!("step-00000000-0000-0000-0000-{number:012}");
    let ids: Vec<String> = (1..=11).map(unknown).collect();
    let lists = format!(
        "step_executions: [{known}, {}], workflow_executions: [wf-00000000-0000-0000-0000-000000000001]",
        ids.join(", ")
    );
    let run = Run::of(&simulated, &[("production", &own_role(&lists))]).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says(&format!(
        "  allowed   GetWorkflowStepExecution    {known}\n"
    ));
    run.says(
        "  allowed   GetWorkflowExecution        call is allowed, but the resource was not found: wf-00000000-0000-0000-0000-000000000001\n\
         \x20 allowed   ListWorkflowStepExecutions  7 steps of wf-",
    );
    let told: Vec<String> = (1..=9).map(unknown).collect();
    run.says(&format!(
        "  warning   step_executions: not found: {}: in another account or region, or no longer kept by the service (HTTP 400 InvalidRequestException: ",
        told.join(", ")
    ));
    // The known one has ended. Steps that were not requested are taken to be like those that were.
    run.says("  calls     0 per hour while nothing runs\n            nothing runs now, ");
    run.does_not_say(&unknown(10));
    run.says(
        "  warning   step_executions: only the first 10 of 12 were requested; the figures assume that the others are alike\n",
    );
    run.says(
        "  warning   workflow_executions: not found: wf-00000000-0000-0000-0000-000000000001: ",
    );
    assert_eq!(simulated.calls.of("ListImageBuildVersions"), 0);
    assert_eq!(simulated.calls.of("GetWorkflowStepExecution"), 10);
}

#[tokio::test]
async fn pages_are_small_if_large_ones_are_rejected() {
    let simulated = Simulated::start(scenario().with("pages: {max_size: 25}")).await;
    let run = Run::of(&simulated, &[("production", &own_role("images: [\"*\"]"))]).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says(
        "  pages     the service rejects pages of 100 entries, so lists are read in pages of 25\n",
    );
    run.says("  allowed   ListImageBuildVersions      3 image builds, 3 selected, 1 of them being built\n");
}

#[tokio::test]
async fn targets_are_reported_in_file_order_with_shared_selections() {
    let simulated = Simulated::start(scenario()).await;
    let other = with_role(
        "{role_arn: \"arn:aws:iam::111122223333:role/another\"}",
        "images: [\"*\"]",
    );
    let targets = [
        ("zeta", own_role("images: [\"*\"]")),
        ("alpha", other),
        ("beta", own_role("images: [\"golden-*\"]")),
    ];
    let targets = targets
        .each_ref()
        .map(|(name, keys)| (*name, keys.as_str()));
    // The first is the slowest.
    let run = Run::of(&simulated, &targets).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    let at = |name: &str| {
        run.text
            .find(&format!("target {name} in us-west-2\n"))
            .unwrap()
    };
    assert!(at("zeta") < at("alpha") && at("alpha") < at("beta"));
    run.says(
        "warning: targets zeta, alpha, beta poll account 111122223333 in us-west-2 with different credentials: \
         AWS applies one limit to all their calls, and their rate limits add up to 10/s\n\
         \n\
         doctor: all required calls are allowed, with 1 warning\n",
    );
}

#[tokio::test]
async fn low_rate_limit_is_reported_for_each_target_and_for_those_that_share_it() {
    let simulated = Simulated::start(scenario()).await;
    let limited = |rate: &str| {
        own_role(&format!(
            "images: [\"*\"], rate_limit: {{requests_per_second: {rate}, burst: 100}}"
        ))
    };
    // What runs takes 155 an hour: 0.0431 a second.
    let run = Run::of(&simulated, &[("slow", &limited("0.04"))]).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says(
        "  warning   the rate limit is too low for the running builds, so polls are overdue; it suffices for 0 images at a time: raise rate_limit.requests_per_second or polling.interval\n\
         \n\
         doctor: all required calls are allowed, with 1 warning\n",
    );
    let targets = [("one", limited("0.05")), ("two", limited("0.06"))];
    let targets = targets
        .each_ref()
        .map(|(name, keys)| (*name, keys.as_str()));
    let run = Run::of(&simulated, &targets).await;
    run.says(
        "warning: targets one, two share one rate limit in us-west-2: together they now make up to 310 calls per hour, but the limit allows 180\n\
         \n\
         doctor: all required calls are allowed, with 1 warning\n",
    );
    // Known from the file alone, as check-config tells it.
    let run = Run::of(&simulated, &[("none", &limited("0.001"))]).await;
    run.says("imagebuilder_exporter.yaml:3:5: warning: target none needs 0.008 requests/s to discover new images, but the rate limit allows 0.001, ");
}

#[tokio::test]
async fn region_is_examined_without_a_configuration() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Setup::new()
        .arg("doctor")
        .arg("--aws.region=us-west-2")
        .env("AWS_ENDPOINT_URL", &simulated.url);
    let run = Run::of_setup(setup, &simulated).await;
    assert_eq!(run.code, Some(0), "{}", run.text);
    run.says("target default in us-west-2\n  caller    account 999999999999, arn:aws:iam::999999999999:user/simulated\n");
}

#[tokio::test]
async fn mistakes_of_the_configuration_are_reported_without_a_call() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Run::setup(&simulated, &[("a b", "regions: [], images: ['*']")]);
    let ended = setup.run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, [""; 0]);
    assert_eq!(ended.stderr.len(), 2, "{ended:?}");
    let ended = Setup::new().arg("doctor").run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr[0].contains("--aws.region=us-west-2"),
        "{ended:?}"
    );
    assert!(simulated.calls.log().is_empty());
}
