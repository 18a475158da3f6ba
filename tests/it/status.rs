//! The status page and its JSON over HTTP, of a running exporter on a simulated world.

mod agreement;

use std::io::Read;

use imagebuilder_exporter::simulator::Fault;
use serde_json::Value;

use crate::process::{Exporter, LOOK_EVERY, PATIENCE, Response, Setup, Simulated, error};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// One build that failed with a hostile message long ago and was not retried, and one that runs.
fn builds() -> ScenarioText {
    ScenarioText::of([
        PipelineText::new("broken")
            .without("builds")
            .with("first: -1h")
            .with("every: 7d")
            .managed_with(
                "build-image",
                ["LaunchBuildInstance, duration: 1m", HOSTILE_STEP],
            ),
        PipelineText::new("moving")
            .without("builds")
            .with("first: -90s")
            .with("every: 7d")
            .managed_with(
                "build-image",
                [
                    "LaunchBuildInstance, duration: 1m",
                    "ApplyBuildComponents, duration: 1h",
                ],
            )
            .managed("test-image"),
    ])
    .with("listed_after: 0s")
}

const HOSTILE_STEP: &str = r#"ApplyBuildComponents, duration: 1m, outcome: failed, message: "</script><img src=x onerror=alert(1)> \u202e\u001b[31m \"quoted\" & done 😀""#;

const POLLING: &str = "polling: {interval: 200ms, discovery_interval: 400ms, request_timeout: 30s}";

async fn following(simulated: &Simulated) -> Exporter {
    following_with(simulated, &[]).await
}

async fn following_with(simulated: &Simulated, arguments: &[&str]) -> Exporter {
    let target = TargetText::new("main").at(&simulated.url);
    let config = ConfigText::of([target.with("images: [\"*\"]")])
        .with(POLLING)
        .with("duration_budgets: [{step: ApplyBuildComponents, max_duration: 10s}]");
    let setup = Setup::exporter(&config.text());
    let setup = arguments
        .iter()
        .fold(setup, |setup, argument| setup.arg(argument));
    let exporter = setup.start().await;
    exporter.until_ready().await;
    exporter
}

async fn json(exporter: &Exporter, query: &str) -> Value {
    let answer = exporter.get(&format!("/api/v1/steps{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Asks until something is so.
async fn until(exporter: &Exporter, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let json = json(exporter, "").await;
            if is_so(&json) {
                return json;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let so = tokio::time::timeout(PATIENCE, asking).await;
    so.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

#[tokio::test]
async fn secrets_of_a_step_are_nowhere_and_hostile_text_is_text() {
    let simulated = Simulated::start(builds()).await;
    let exporter = following(&simulated).await;
    let seen = |json: &Value| {
        json["steps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step.get("error").is_some())
    };
    until(&exporter, "the error is seen", seen).await;
    let page = exporter.get("/").await.text();
    let answer = exporter.get("/api/v1/steps").await.text();
    for text in [&page, &answer] {
        assert!(!text.contains("planted-secret"), "{text}");
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
    }
    let shown = "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; \u{fffd}\u{fffd}[31m &quot;quoted&quot; &amp; done 😀";
    assert!(page.contains(shown), "{page}");
    assert!(answer.contains("\\u202e\\u001b[31m"), "{answer}");
}

#[tokio::test]
async fn page_allows_a_browser_nothing_but_its_own_files_and_these_are_kept() {
    let simulated = Simulated::start(builds()).await;
    let exporter = following(&simulated).await;
    let page = exporter.get("/").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        page.header("content-security-policy"),
        Some(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
              form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    for path in ["/", "/api/v1/steps"] {
        let answer = exporter.get(path).await;
        for (header, expected) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("vary", "Accept-Encoding"),
        ] {
            assert_eq!(answer.header(header), Some(expected), "{path} {header}");
        }
    }
    let text = page.text();
    assert!(!text.contains(" style=") && !text.contains("<script>") && !text.contains("<style"));
    let files: Vec<&str> = { text.split(['"']) }
        .filter(|part| part.starts_with("./-/") && part.contains("?v="))
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let path = &file[1..];
        let answer = exporter.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        let tag = answer.header("etag").unwrap();
        let old = format!("{}?v=0", path.split('?').next().unwrap());
        assert_eq!(
            exporter.get(&old).await.header("cache-control"),
            Some("no-cache")
        );
        let known = format!("if-none-match: \"other\", {tag}\r\n");
        let again = exporter.client().ask("HEAD", path, &known).await.unwrap();
        assert_eq!(again.status, 304);
    }
}

fn unzipped(answer: &Response) -> String {
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&answer.body[..]);
    decoder.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn page_and_json_are_compressed_on_request() {
    let simulated = Simulated::start(builds()).await;
    let exporter = following(&simulated).await;
    for (path, end) in [("/", "</html>\n"), ("/api/v1/steps", "}\n")] {
        let answer = exporter
            .client()
            .ask("GET", path, "accept-encoding: gzip\r\n")
            .await
            .unwrap();
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
        assert!(unzipped(&answer).ends_with(end), "{path}");
        let head = exporter.client().ask("HEAD", path, "").await.unwrap();
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test]
async fn invalid_query_is_rejected_with_the_valid_values() {
    let simulated = Simulated::start(builds()).await;
    let exporter = following(&simulated).await;
    let page = exporter.get("/?status=BROKEN&color=red").await;
    assert_eq!(page.status, 400);
    assert_eq!(
        page.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let text = page.text();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains("valid values are FAILED, RUNNING, PENDING,"),
        "{text}"
    );
    let answer = exporter.get("/api/v1/steps?page=none").await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        serde_json::from_slice::<Value>(&answer.body).unwrap(),
        serde_json::json!({"errors": ["the parameter \"page\" must be a number, at least 1, not \"none\""]})
    );
    let posted = exporter.post("/api/v1/steps").await;
    assert_eq!(
        (posted.status, posted.header("allow")),
        (405, Some("GET, HEAD"))
    );
}

#[tokio::test]
async fn denied_operation_is_reported_until_it_is_allowed() {
    let simulated = Simulated::start(builds()).await;
    let exporter = following(&simulated).await;
    simulated.spoil_all(error("ForbiddenException"));
    let denied = |json: &Value| {
        let target = &json["targets"][0];
        let denied = target["denied"].as_array().unwrap().clone();
        let found = denied
            .iter()
            .find(|entry| entry["operation"] == "ListImageBuildVersions")
            .cloned();
        (target["up"].as_bool(), found)
    };
    let down = until(&exporter, "the target is down", |json| {
        let (up, denied) = denied(json);
        up == Some(false) && denied.is_some()
    })
    .await;
    let (_, entry) = denied(&down);
    assert_eq!(
        entry.unwrap()["action"],
        "imagebuilder:ListImageBuildVersions"
    );
    let fault = &down["targets"][0]["newest_fault"];
    assert_eq!(fault["result"], "forbidden");
    assert!(
        fault["message"]
            .as_str()
            .unwrap()
            .contains("scripted ForbiddenException"),
        "{fault}"
    );
    let page = exporter.get("/").await.text();
    assert!(
        page.contains("allow <code>imagebuilder:ListImageBuildVersions</code>"),
        "{page}"
    );
    simulated.faults.set(Vec::new());
    until(&exporter, "it is up again", |json| {
        denied(json) == (Some(true), None)
    })
    .await;
}

#[tokio::test]
async fn links_lead_to_the_external_url() {
    let simulated = Simulated::start(builds()).await;
    let external = "--web.external-url=https://m.example.com/ib";
    let exporter = following_with(&simulated, &[external]).await;
    let json = json(&exporter, "?status=FAILED").await;
    let url = json["steps"][0]["url"].as_str().unwrap();
    let query = url.strip_prefix("https://m.example.com/ib/").unwrap();
    let page = exporter.get(&format!("/{query}")).await.text();
    assert!(page.contains("canonical"), "{page}");
    assert_eq!(page.matches("<article").count(), 1);
}

#[tokio::test]
async fn metrics_at_the_root_take_the_place_of_the_page_and_leave_the_json() {
    let simulated = Simulated::start(builds()).await;
    let exporter = following_with(&simulated, &["--web.telemetry-path=/"]).await;
    let root = exporter.get("/").await;
    assert!(
        root.header("content-type")
            .unwrap()
            .starts_with("text/plain; version=")
    );
    assert_eq!(exporter.get("/api/v1/steps").await.status, 200);
}

#[tokio::test]
async fn unknown_listed_resource_is_reported_until_it_is_known_or_no_longer_listed() {
    const IMAGE: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image/moving/1.0.0/1";
    const WORKFLOW: &str = "wf-00000000-0000-0000-0000-000000000000";
    let simulated = Simulated::start(builds()).await;
    let fault = Fault::on("GetImage", error("InvalidRequestException")).unwrap();
    simulated.faults.set(vec![fault]);
    let image = TargetText::new("main")
        .at(&simulated.url)
        .with(&format!("image_build_versions: [\"{IMAGE}\"]"));
    let both = image
        .clone()
        .with(&format!("workflow_executions: [{WORKFLOW}]"));
    let config = |target: TargetText| ConfigText::of([target]).with(POLLING).text();
    let setup = Setup::exporter(&config(both)).arg("--web.enable-lifecycle");
    let exporter = setup.start().await;
    let unknown = |json: &Value| {
        let entries = json["targets"][0]["unknown"].as_array().unwrap().iter();
        let ids = entries.map(|entry| {
            assert!(entry["since"].is_string(), "{entry}");
            entry["id"].as_str().unwrap().to_owned()
        });
        ids.collect::<Vec<_>>()
    };
    until(&exporter, "neither is known", |json| {
        unknown(json) == [IMAGE, WORKFLOW]
    })
    .await;
    let page = exporter.get("/").await.text();
    let told = format!("The service doesn’t know <code>{IMAGE}</code> <code>{WORKFLOW}</code>");
    assert!(page.contains(&told), "{page}");
    simulated.faults.clear();
    until(&exporter, "the image is known", |json| {
        unknown(json) == [WORKFLOW]
    })
    .await;
    exporter.write_config(&config(image));
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    until(&exporter, "the other is named no more", |json| {
        unknown(json).is_empty()
    })
    .await;
}
