//! Keys in the shared credentials file that are rotated while the exporter runs.

use imagebuilder_exporter::simulator::Fault;

use super::{ANSWERED, REFUSED, UP, scenario, with, with_role};
use crate::process::{Exporter, Setup, Simulated, error};

const OLD: &str = "AKIDOFTHEPAST";
const NEW: &str = "AKIDOFPROFILE";
const CREDENTIALS: &str = "credentials";

/// A credentials file with this key in the profile `production`.
fn file(key: &str) -> String {
    format!("[production]\naws_access_key_id = {key}\naws_secret_access_key = hidden\n")
}

/// An exporter that has the old key, and whose profiles are these.
async fn exporter(simulated: &Simulated, config: &str, profiles: &str) -> Exporter {
    let setup = Setup::exporter(config).without_credentials();
    let credentials = setup.files.write(CREDENTIALS, &file(OLD));
    let shared = setup.files.write("aws-config", profiles);
    let setup = setup
        .env("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap())
        .env("AWS_CONFIG_FILE", shared.to_str().unwrap())
        .env("AWS_ENDPOINT_URL_STS", &simulated.url);
    setup.start().await
}

/// From now on the service and STS refuse the old key.
fn refuse_old_key(simulated: &Simulated) {
    let fault = Fault::on("*", error("UnrecognizedClientException")).unwrap();
    simulated.faults.set(vec![fault.access_key(OLD).unwrap()]);
}

/// Polls succeed again, without an error after this.
async fn recovers(exporter: &Exporter) {
    let before = exporter.scrape().await.value(ANSWERED).unwrap();
    exporter.until_over(ANSWERED, before + 2.0).await;
    exporter.until_value(UP, 1.0).await;
}

#[tokio::test]
async fn rotated_keys_are_read_once_the_old_ones_are_refused() {
    let simulated = Simulated::start(scenario()).await;
    let config = with(&simulated, "profile: production");
    let exporter = exporter(&simulated, &config, "").await;
    exporter.until_over(ANSWERED, 0.0).await;
    exporter.files.write(CREDENTIALS, &file(NEW));
    refuse_old_key(&simulated);
    let forbidden = ANSWERED.replace("\"ok\"", "\"forbidden\"");
    exporter.until_over(&forbidden, 0.0).await;
    recovers(&exporter).await;
}

#[tokio::test]
async fn keys_that_are_rotated_after_their_refusal_are_read_later() {
    let simulated = Simulated::start(scenario()).await;
    refuse_old_key(&simulated);
    let config = with(&simulated, "profile: production");
    let exporter = exporter(&simulated, &config, "").await;
    let forbidden = ANSWERED.replace("\"ok\"", "\"forbidden\"");
    exporter.until_over(&forbidden, 2.0).await;
    exporter.files.write(CREDENTIALS, &file(NEW));
    recovers(&exporter).await;
}

#[tokio::test]
async fn reload_reads_rotated_keys_before_the_old_ones_are_refused() {
    let simulated = Simulated::start(scenario()).await;
    let config = with(&simulated, "profile: production");
    let exporter = exporter(&simulated, &config, "").await;
    exporter.until_over(ANSWERED, 0.0).await;
    exporter.files.write(CREDENTIALS, &file(NEW));
    exporter.signal("HUP");
    exporter.until_line(&["configuration reloaded"]).await;
    let is_used = || {
        simulated
            .calls
            .log()
            .iter()
            .any(|call| call.access_key == NEW)
    };
    exporter.until("the new key is used", |_| is_used()).await;
    refuse_old_key(&simulated);
    recovers(&exporter).await;
    let forbidden = ANSWERED.replace("\"ok\"", "\"forbidden\"");
    assert_eq!(exporter.scrape().await.value(&forbidden), Some(0.0));
}

#[tokio::test]
async fn role_is_assumed_with_rotated_keys() {
    let simulated = Simulated::start(scenario()).await;
    let role = "{role_arn: \"arn:aws:iam::111122223333:role/short\"}";
    let config = with_role(&simulated, role);
    let config = config.replace(
        "    rate_limit:",
        "    profile: production\n    rate_limit:",
    );
    let exporter = exporter(&simulated, &config, "").await;
    exporter.until_over(ANSWERED, 0.0).await;
    refuse_old_key(&simulated);
    exporter.until_over(REFUSED, 0.0).await;
    exporter.files.write(CREDENTIALS, &file(NEW));
    recovers(&exporter).await;
}

#[tokio::test]
async fn profile_with_a_source_profile_gets_its_rotated_keys() {
    let simulated = Simulated::start(scenario()).await;
    let profiles = "[profile deployed]\nsource_profile = production\n\
                    role_arn = arn:aws:iam::111122223333:role/short\n";
    let config = with(&simulated, "profile: deployed");
    let exporter = exporter(&simulated, &config, profiles).await;
    exporter.until_over(ANSWERED, 0.0).await;
    exporter.files.write(CREDENTIALS, &file(NEW));
    refuse_old_key(&simulated);
    recovers(&exporter).await;
}
