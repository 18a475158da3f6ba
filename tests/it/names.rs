//! Names of endpoints that no name server knows, or about which none responds.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use imagebuilder_exporter::app::{App, AppSettings, ConfigSource};
use imagebuilder_exporter::aws::Aws;
use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::http::Limits;
use imagebuilder_exporter::shard::Shard;
use imagebuilder_exporter::status::Site;

use crate::process::{Client, Files, LOOK_EVERY, PATIENCE, Scrape, Simulated};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// The steps at the host that is never found. Calls for 16 of them are in flight at once.
const DEAD_STEPS: usize = 48;

/// The time for what does not wait for the lookup.
const SOON: Duration = Duration::from_secs(5);

fn api_requests(target: &str, result: &str) -> String {
    format!(
        "imagebuilder_exporter_api_requests_total{{target=\"{target}\",\
         operation=\"GetWorkflowStepExecution\",result=\"{result}\"}}"
    )
}

async fn until(client: Client, what: &str, is_so: impl Fn(&Scrape) -> bool) {
    let waiting = async {
        loop {
            let text = client.get("/metrics").await.text();
            if is_so(&Scrape { text }) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "waited in vain until {what}");
}

async fn app(config: &str, aws: Aws, files: &Files) -> App {
    let settings = AppSettings {
        config: ConfigSource::File(files.write("config.yaml", config)),
        auto_reload: false,
        listen_addresses: vec!["127.0.0.1:0".to_owned()],
        site: Site {
            telemetry_path: "/metrics".to_owned(),
            external_url: None,
        },
        limits: Limits::default(),
        web_config: None,
        lifecycle: false,
        environment: Arc::new(|_| None),
        shard: Shard::default(),
        aws,
        clock: Clock::System,
    };
    App::bind(settings).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_whose_lookup_never_ends_costs_its_own_target_alone() {
    let scenario =
        ScenarioText::of([PipelineText::new("golden")
            .workflow("make", ["First, action: RunCommand, duration: 2h"])]);
    let simulated = Simulated::start(scenario).await;
    let port = simulated.url.rsplit_once(':').unwrap().1;
    let dead = (0..DEAD_STEPS).map(|n| format!("step-aaaaaaaa-0000-0000-0000-{n:012}"));
    let config = ConfigText::of([
        TargetText::new("dead").at("http://dead.test").steps(dead),
        TargetText::new("alive")
            .at(&format!("http://alive.test:{port}"))
            .steps([simulated.id("First")]),
    ])
    .with("polling: {interval: 1s}");

    let lookups = Arc::<AtomicUsize>::default();
    let counted = lookups.clone();
    let lookup = move |name: &str| -> io::Result<Vec<IpAddr>> {
        if name == "alive.test" {
            return Ok(vec![IpAddr::from(Ipv4Addr::LOCALHOST)]);
        }
        assert_eq!(name, "dead.test");
        counted.fetch_add(1, Ordering::Relaxed);
        loop {
            std::thread::park();
        }
    };
    let credentials = aws_credential_types::Credentials::new("a", "b", None, None, "test");
    let aws = Aws::simulated(simulated.url.clone(), credentials).with_lookup(Arc::new(lookup));
    let files = Files::new();
    let app = app(&config.text(), aws, &files).await;
    let client = Client {
        address: app.addresses()[0],
    };
    let running = tokio::spawn(app.run(std::future::pending()));

    let failed = api_requests("dead", "network");
    let has_failed = |scrape: &Scrape| scrape.value(&failed) >= Some(DEAD_STEPS as f64);
    until(client, "each dead step was polled", has_failed).await;
    for path in ["/", "/config", "/api/v1/steps"] {
        let begun = Instant::now();
        assert_eq!(client.get(path).await.status, 200);
        let took = begun.elapsed();
        assert!(took < SOON, "{path}: {took:?}");
    }
    let (polled, begun) = (simulated.asked_for("First"), Instant::now());
    let is_polled = |_: &Scrape| simulated.asked_for("First") >= polled + 2;
    until(client, "the other target is polled on", is_polled).await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(lookups.load(Ordering::Relaxed), 1);
    running.abort();
}
