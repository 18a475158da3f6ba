//! Credentials in the texts of errors: masked in the log, on the page, in the JSON and on /metrics.

use imagebuilder_exporter::simulator::{Effect, ErrorResponse};

use super::{REFUSED, scenario, with, with_role, with_sts};
use crate::process::{Exporter, PATIENCE, Setup, Simulated};

/// The session token of the credentials that the process has.
const TOKEN: &str = "IQoJ-planted/session+token==";
/// The secret access key that [`Setup`] sets.
const KEY: &str = "secret-of-the-test";
/// Credentials of others, which an error names as what they are.
const HEADER: &str = "planted-value-of-a-header";
const MEMBER: &str = "planted-value-of-a-member";
/// The external id of the role.
const EXTERNAL_ID: &str = "planted-external-id";

/// What an error says that repeats all of them, as the service repeats the signed headers.
fn planted() -> String {
    format!(
        "The request signature we calculated does not match. The canonical string should have \
         been 'POST\nhost:imagebuilder\nx-amz-security-token:{TOKEN}\n\
         authorization:AWS4-HMAC-SHA256 Credential=a, Signature={HEADER}\n' with {KEY} and \
         \"SecretAccessKey\": \"{MEMBER}\" and {}",
        TOKEN
            .replace('/', "%2F")
            .replace('+', "%2B")
            .replace('=', "%3D")
    )
}

/// The error is on each output, and no credential is on any.
async fn is_masked(exporter: Exporter, said: &str) {
    exporter.until_line(&["level=warn", said]).await;
    let page = exporter.get("/").await.text();
    let json = exporter.get("/api/v1/steps").await.text();
    let metrics = exporter.scrape().await.text;
    assert!(page.contains(said) && json.contains(said), "{json}");
    exporter.signal("TERM");
    let log = exporter.ended(PATIENCE).await.stderr.join("\n");
    assert!(
        log.contains("call failed") && log.contains("[masked]"),
        "{log}"
    );
    for text in [page, json, metrics, log] {
        for secret in [TOKEN, KEY, HEADER, MEMBER, EXTERNAL_ID, "planted%2Fsession"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

fn with_token(setup: Setup) -> Setup {
    setup
        .env("AWS_SESSION_TOKEN", TOKEN)
        .arg("--log.level=trace")
}

#[tokio::test]
async fn error_of_the_service_that_repeats_signed_headers_shows_no_credentials() {
    let simulated = Simulated::start(scenario()).await;
    let error = ErrorResponse::new("InvalidSignatureException", planted());
    simulated.spoil_all(Effect::Error(error));
    let setup = with_token(Setup::exporter(&simulated.config(&["First"])));
    is_masked(setup.start().await, "InvalidSignatureException").await;
}

#[tokio::test]
async fn error_of_sts_shows_no_credentials() {
    let simulated = Simulated::start(scenario()).await;
    let planted = format!("{} of {EXTERNAL_ID}", planted());
    let error = ErrorResponse::new("InvalidClientTokenId", planted);
    simulated.spoil_all(Effect::Error(error));
    let role = "arn:aws:iam::111122223333:role/short";
    let role = format!("{{role_arn: \"{role}\", external_id: {EXTERNAL_ID}}}");
    let config = with_role(&simulated, &role);
    let exporter = with_token(with_sts(&config, &simulated)).start().await;
    exporter.until_over(REFUSED, 0.0).await;
    is_masked(exporter, "assuming role").await;
}

#[tokio::test]
async fn error_of_a_credential_process_shows_no_credentials() {
    let simulated = Simulated::start(scenario()).await;
    let config = with(&simulated, "profile: printing");
    let setup = with_token(Setup::exporter(&config));
    let text = setup.files.write("planted", &planted());
    let shared = format!(
        "[profile printing]\ncredential_process = cat {} >&2; exit 1\n",
        text.display()
    );
    let shared = setup.files.write("aws-config", &shared);
    let setup = setup
        .env("AWS_CONFIG_FILE", shared.to_str().unwrap())
        .env("PATH", "/usr/bin:/bin");
    is_masked(setup.start().await, "credential_process failed").await;
}

#[tokio::test]
async fn error_of_a_proxy_shows_no_credentials() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["First"]);
    let config = config.replace("http://", "https://");
    let setup = with_token(Setup::exporter(&config));
    let proxy = "http://user:secret-of-the-test@127.0.0.1:1";
    let exporter = setup.env("HTTPS_PROXY", proxy).start().await;
    exporter.until_line(&["level=warn", "polling failed"]).await;
    let page = exporter.get("/").await.text();
    exporter.signal("TERM");
    let log = exporter.ended(PATIENCE).await.stderr.join("\n");
    assert!(!(page + &log).contains(KEY));
}

#[tokio::test]
async fn failed_attempt_is_logged_once_whatever_the_sdk_logs_of_it() {
    let simulated = Simulated::start(scenario()).await;
    let denied = "arn:aws:iam::111122223333:role/denied";
    let config = with_role(&simulated, &format!("{{role_arn: \"{denied}\"}}"));
    let exporter = with_sts(&config, &simulated).start().await;
    let several = || simulated.calls.of("AssumeRole") >= 3;
    exporter
        .until("the role was requested several times", |_| several())
        .await;
    exporter.signal("TERM");
    let log = exporter.ended(PATIENCE).await.stderr;
    let warned: Vec<_> = log
        .iter()
        .filter(|line| line.contains("level=warn"))
        .collect();
    assert_eq!(warned.len(), 1, "{warned:#?}");
    assert!(warned[0].contains("polling failed"), "{}", warned[0]);
}
