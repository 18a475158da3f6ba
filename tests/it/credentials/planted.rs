//! One secret of each kind that the process is given. None is in anything that it writes.

use std::process::Command;

use imagebuilder_exporter::aws::Aws;
use imagebuilder_exporter::cli::{LogFormat, LogLevel};
use imagebuilder_exporter::logging;
use imagebuilder_exporter::simulator::{Effect, ErrorResponse, PLANTED_SECRET};
use tracing::subscriber::set_global_default;

use crate::process::{Ended, Exporter, PATIENCE, Setup, Simulated};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const KEY: &str = "planted-key-of-the-environment";
const TOKEN: &str = "planted/session+token==";
const PROXY: &str = "planted-password-of-the-proxy";
const KEY_OF_FILE: &str = "planted-key-of-the-shared-file";
const TOKEN_OF_FILE: &str = "planted-token-of-the-shared-file";
const KEY_OF_PROCESS: &str = "planted-key-of-the-process";
const TOKEN_OF_PROCESS: &str = "planted-token-of-the-process";
const STDERR_OF_PROCESS: &str = "planted-password-on-stderr";
const EXTERNAL_ID: &str = "planted-external-id";
const PASSWORD: &str = "planted-password-of-a-user";
/// `someone:planted-password-of-a-user`
const BASIC: &str = "c29tZW9uZTpwbGFudGVkLXBhc3N3b3JkLW9mLWEtdXNlcg==";
const TLS_KEY: &str = "cGxhbnRlZC1rZXktb2YtVExT";

/// What is looked for, as it was planted and as a URL writes it.
const PLANTED: [&str; 14] = [
    KEY,
    TOKEN,
    "planted%2Fsession%2Btoken",
    PROXY,
    KEY_OF_FILE,
    TOKEN_OF_FILE,
    KEY_OF_PROCESS,
    TOKEN_OF_PROCESS,
    STDERR_OF_PROCESS,
    EXTERNAL_ID,
    PASSWORD,
    BASIC,
    TLS_KEY,
    PLANTED_SECRET,
];

const CONFIG: &str = "imagebuilder_exporter.yaml";
const ROLE: &str = "arn:aws:iam::111122223333:role/imagebuilder-exporter";
const TARGETS: [&str; 4] = ["environment", "file", "process", "role"];

/// Each target has a step of its own, which waits for its turn to fail.
async fn simulated() -> Simulated {
    let steps = TARGETS.map(|name| format!("{name}, action: RunCommand, duration: 2h"));
    let golden =
        TARGETS
            .iter()
            .zip(&steps)
            .fold(PipelineText::new("golden"), |pipeline, (name, step)| {
                let workflow = format!("{name}, type: test, parallel_group: all");
                pipeline.workflow(&workflow, [step.as_str()])
            });
    let role = format!("roles: [{{arn: \"{ROLE}\", external_id: {EXTERNAL_ID}}}]");
    Simulated::start(ScenarioText::of([golden]).with(&role)).await
}

fn config(simulated: &Simulated) -> String {
    let role = format!("{{role_arn: \"{ROLE}\", external_id: \"${{EXTERNAL_ID}}\"}}");
    let role = format!("assume_role: {role}");
    let keys = ["", "profile: file", "profile: process", &role];
    let targets = TARGETS.iter().zip(keys).map(|(name, key)| {
        let target = TargetText::new(name).at(&simulated.url);
        let target = target.steps([simulated.id(name)]);
        if key.is_empty() {
            return target;
        }
        target.with(key)
    });
    ConfigText::of(targets)
        .with("polling: {interval: 200ms, failure_details: true}")
        .with("metrics: {message_labels: true}")
        .text()
}

/// The configuration with secrets in place of a value that is no secret.
fn misused(config: &str) -> String {
    config.replace("200ms", "\"${AWS_SESSION_TOKEN} ${EXTERNAL_ID}\"")
}

/// The program with every secret but those of its own server.
fn planted(config: &str, simulated: &Simulated) -> Setup {
    let setup = Setup::new();
    setup.files.write(CONFIG, config);
    let printed = format!(
        "{{\"Version\": 1, \"AccessKeyId\": \"AKIDOFPROCESS\", \"SecretAccessKey\": \
         \"{KEY_OF_PROCESS}\", \"SessionToken\": \"{TOKEN_OF_PROCESS}\"}}"
    );
    let printed = setup.files.write("printed", &printed);
    let script = format!(
        "echo 'password: {STDERR_OF_PROCESS}' >&2\ncat {}\n",
        printed.display()
    );
    let script = setup.files.write("script", &script);
    let shared = format!(
        "[profile process]\ncredential_process = sh {}\n",
        script.display()
    );
    let shared = setup.files.write("aws-config", &shared);
    let keys = format!(
        "[file]\naws_access_key_id = AKIDOFFILE\naws_secret_access_key = {KEY_OF_FILE}\n\
         aws_session_token = {TOKEN_OF_FILE}\n"
    );
    let keys = setup.files.write("aws-credentials", &keys);
    setup
        .env("AWS_SECRET_ACCESS_KEY", KEY)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().unwrap())
        .env("AWS_CONFIG_FILE", shared.to_str().unwrap())
        .env("AWS_ENDPOINT_URL_STS", &simulated.url)
        .env("EXTERNAL_ID", EXTERNAL_ID)
        .env("HTTPS_PROXY", &format!("http://user:{PROXY}@127.0.0.1:1"))
        .env("PATH", "/usr/bin:/bin")
}

/// An error of the service that repeats all that was sent to it, and more.
fn repeating() -> Effect {
    let all = PLANTED[..9].join(" password: ");
    Effect::Error(ErrorResponse::new("InvalidSignatureException", all))
}

fn has_no_secret(what: &str, text: &str) {
    for secret in PLANTED {
        assert!(!text.contains(secret), "{secret} in {what}: {text}");
    }
}

async fn pages_have_no_secret(exporter: &Exporter) {
    for path in ["/", "/config", "/api/v1/steps", "/metrics", "/nowhere"] {
        let header = format!("authorization: Basic {BASIC}\r\n");
        let response = exporter.client().ask("GET", path, &header).await.unwrap();
        assert_ne!(response.status, 401, "{path}");
        has_no_secret(path, &response.text());
        has_no_secret(path, &response.head);
    }
}

fn ended_without_secret(what: &str, ended: &Ended) {
    has_no_secret(what, &ended.stdout.join("\n"));
    has_no_secret(what, &ended.stderr.join("\n"));
}

#[tokio::test]
async fn no_secret_is_on_a_page_in_metrics_or_in_the_log() {
    let simulated = simulated().await;
    let config = config(&simulated);
    let setup = planted(&config, &simulated);
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    let users = format!("basic_auth_users: {{someone: \"{hash}\"}}\n");
    let (config_file, web) = (
        setup.files.path(CONFIG),
        setup.files.write("web.yaml", &users),
    );
    let exporter = setup
        .arg("--log.level=trace")
        .arg("--web.listen-address=127.0.0.1:0")
        .arg("--web.enable-lifecycle")
        .arg(&format!("--web.config.file={}", web.display()))
        .start()
        .await;
    let polled = |_: &[String]| TARGETS.iter().all(|name| simulated.asked_for(name) > 0);
    exporter.until_log("each target is polled", polled).await;
    pages_have_no_secret(&exporter).await;
    simulated.spoil_all(repeating());
    for target in TARGETS {
        let failed = format!("target={target}");
        exporter
            .until_line(&["level=warn", &failed, "InvalidSignatureException"])
            .await;
    }
    pages_have_no_secret(&exporter).await;
    std::fs::write(config_file, misused(&config)).unwrap();
    let header = format!("authorization: Basic {BASIC}\r\n");
    let reload = exporter.client().ask("POST", "/-/reload", &header).await;
    let reload = reload.unwrap();
    assert_eq!(reload.status, 500, "{}", reload.text());
    has_no_secret("the response to a reload", &reload.text());
    exporter.signal("TERM");
    let ended = exporter.ended(PATIENCE).await;
    let log = ended.stderr.join("\n");
    assert!(log.contains("[masked]") && !log.contains(&hash), "{log}");
    ended_without_secret("the log", &ended);
}

#[tokio::test]
async fn no_secret_is_in_what_a_command_writes() {
    let simulated = simulated().await;
    let config = config(&simulated);
    let misused = misused(&config);
    for spoilt in [false, true] {
        if spoilt {
            simulated.spoil_all(repeating());
        }
        for (command, config) in [
            ("doctor", &config),
            ("check-config", &config),
            ("check-config", &misused),
        ] {
            let mut setup = planted(config, &simulated).arg(command);
            if command == "check-config" {
                setup = setup.arg(CONFIG);
            }
            let ended = setup.run().await;
            let text = ended.stdout.join("\n");
            assert!(!text.is_empty(), "{ended:?}");
            let masks = spoilt && command == "doctor";
            assert_eq!(text.contains("[masked]"), masks, "{text}");
            ended_without_secret(command, &ended);
        }
    }
}

#[tokio::test]
async fn no_secret_is_in_the_error_of_a_key_for_tls() {
    let simulated = simulated().await;
    let setup = Setup::exporter(&simulated.config(&TARGETS));
    let inline = format!("tls_server_config: {{cert: {TLS_KEY}, key: {TLS_KEY}}}\n");
    let web = setup.files.write("web.yaml", &inline);
    let setup = setup.arg(&format!("--web.config.file={}", web.display()));
    let ended = setup.run().await;
    assert!(
        ended.stderr.join("\n").contains("tls_server_config"),
        "{ended:?}"
    );
    ended_without_secret("the error", &ended);
}

/// Panics with credentials in the message, as the program would.
fn panic_with_credentials() {
    let aws = Aws::of_environment(&|name| std::env::var(name).ok()).unwrap();
    set_global_default(logging::subscriber(LogLevel::Info, LogFormat::Logfmt)).unwrap();
    logging::log_panics(move |message| aws.masked(message));
    panic!("a header has {TOKEN}");
}

#[test]
fn no_secret_is_in_the_message_of_a_panic() {
    const CHILD: &str = "PANICS_WITH_CREDENTIALS";
    if std::env::var_os(CHILD).is_some() {
        panic_with_credentials();
    }
    // The hook is one of the process.
    let name = std::thread::current().name().unwrap().to_owned();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, "1")
        .env("AWS_SESSION_TOKEN", TOKEN)
        .output()
        .unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    let line = log
        .lines()
        .find(|line| line.contains("panic: this is a defect"));
    assert!(line.unwrap().contains("a header has [masked]"), "{log}");
    has_no_secret("the log of a panic", &log);
}
