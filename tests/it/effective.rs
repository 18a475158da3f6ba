//! `GET /config`: what is in force, as a file that could be read in its place.

use imagebuilder_exporter::config::Config;

use crate::process::{Exporter, LOOK_EVERY, PATIENCE, Setup};

/// Nobody answers there, and nobody has to.
const CONFIG: &str = "\
targets:
  - name: main
    regions: [us-west-2]
    endpoint_url: http://127.0.0.1:9
    assume_role: {role_arn: \"arn:aws:iam::111122223333:role/a\", external_id: \"${ID}\"}
    labels: {team: \"${TEAM:-none}\"}
    step_executions_files: [\"steps.d/*.yaml\"]
  - name: other
    regions: [cn-north-1]
    endpoint_url: http://127.0.0.1:9
    images: [\"*\"]
";
const STEPS: [&str; 2] = [
    "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01",
    "step-7d0e3a52-19c4-4b6f-9a8e-51f20c6db3e8",
];

fn setup() -> Setup {
    let setup = Setup::exporter(CONFIG)
        .env("ID", "nobody-may-know")
        .env("TEAM", "platform")
        .arg("--web.enable-lifecycle");
    std::fs::create_dir(setup.files.path("steps.d")).unwrap();
    setup
        .files
        .write("steps.d/a.yaml", &format!("[{}]", STEPS[0]));
    setup
}

async fn shown(exporter: &Exporter) -> String {
    let answer = exporter.get("/config").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    answer.text()
}

fn read(text: &str) -> Config {
    match Config::read("shown", text, &|_| None) {
        Ok(checked) => checked.config,
        Err(problems) => panic!("{problems:?}\n{text}"),
    }
}

#[tokio::test]
async fn effective_configuration_is_served_completely_without_secrets() {
    let exporter = setup().arg("--shard.total=3").start().await;
    let text = shown(&exporter).await;
    assert!(!text.contains("nobody-may-know"), "{text}");
    assert!(text.contains("    external_id: <secret>\n"), "{text}");
    let config = read(&text.replace("<secret>", "anything"));
    let [main, other] = &config.targets[..] else {
        panic!("a shard has all of the configuration: {text}")
    };
    assert_eq!((&*main.name, &*other.name), ("main", "other"));
    assert_eq!(main.labels["team"], "platform");
    assert_eq!(main.step_executions[0].id.to_string(), STEPS[0]);
}

#[tokio::test]
async fn rejected_configuration_is_not_served_and_an_accepted_one_is_at_once() {
    let exporter = setup().start().await;
    let before = shown(&exporter).await;
    exporter.write_config(&CONFIG.replace("us-west-2", "us-west"));
    assert_eq!(exporter.post("/-/reload").await.status, 500);
    assert_eq!(shown(&exporter).await, before);

    exporter.write_config(&CONFIG.replace("us-west-2", "us-west-1"));
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    assert_eq!(
        shown(&exporter).await,
        before.replace("us-west-2", "us-west-1")
    );
}

#[tokio::test]
async fn changed_step_files_are_served_once_they_are_effective() {
    let exporter = setup().start().await;
    assert!(!shown(&exporter).await.contains(STEPS[1]));
    let both = format!("[{}]", STEPS.join(", "));
    exporter.files.write("steps.d/a.yaml", &both);
    let taken = async {
        while !shown(&exporter).await.contains(STEPS[1]) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let taken = tokio::time::timeout(PATIENCE, taken).await;
    assert!(taken.is_ok(), "{:?}", exporter.log());
}

#[tokio::test]
async fn regions_of_the_command_line_and_the_demo_have_a_configuration_too() {
    let regions = Setup::new()
        .env("AWS_ENDPOINT_URL_IMAGEBUILDER", "http://127.0.0.1:9")
        .arg("--aws.region=us-west-2,eu-west-1")
        .arg("--web.listen-address=127.0.0.1:0");
    let config = read(&shown(&regions.start().await).await);
    assert_eq!(config.targets[0].regions, ["us-west-2", "eu-west-1"]);

    let demo = Setup::new()
        .arg("demo")
        .arg("--web.listen-address=127.0.0.1:0");
    let text = shown(&demo.start().await).await;
    assert!(text.contains("external_id: <secret>"), "{text}");
    let config = read(&text.replace("<secret>", "anything"));
    let names: Vec<&str> = config.targets.iter().map(|target| &*target.name).collect();
    assert_eq!(names, ["production", "staging"]);
}

#[tokio::test]
async fn file_of_ten_thousand_steps_is_served_completely() {
    let ids = (0..10_000).map(|n| format!("      - step-00000000-0000-0000-0000-{n:012}\n"));
    let config = format!(
        "targets:\n  - name: main\n    regions: [us-west-2]\n    endpoint_url: http://127.0.0.1:9\n    step_executions:\n{}",
        ids.collect::<String>()
    );
    let exporter = Setup::exporter(&config).start().await;
    let shown = read(&shown(&exporter).await);
    assert_eq!(shown, read(&config));
}
