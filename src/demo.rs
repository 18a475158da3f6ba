//! Runs the command `demo`: the simulator and the exporter in one process, connected by the SDK.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use aws_credential_types::Credentials;
use tokio::sync::watch;

use crate::app::{App, AppSettings, ConfigSource, StartError};
use crate::aws::Aws;
use crate::cli::WebArgs;
use crate::clock::Clock;
use crate::http::Limits;
use crate::shard::Shard;
use crate::simulator::{DEMO_SEED, DEMO_SPEED, Scenario, Simulator, World};

/// The variable through which `config/demo.yaml` gets the simulator's URL.
const SIMULATOR_URL: &str = "IMAGEBUILDER_SIMULATOR_URL";

/// Runs the demo until `stop` ends. `announce` receives the URLs of the metrics and the status page.
///
/// # Errors
///
/// An address that cannot be bound.
pub async fn run(
    web: WebArgs,
    stop: impl Future<Output = ()>,
    announce: impl Fn(&str),
) -> Result<(), StartError> {
    let clock = Clock::System;
    let now = move || clock.now().time;
    let world = World::new(Scenario::demo(), DEMO_SEED, DEMO_SPEED, now());
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let simulator = Simulator::bind(free_port, world, now)
        .await
        .map_err(|error| StartError::Bind(format!("the simulator cannot listen: {error}")))?;
    let url = simulator.url();
    let credentials = Credentials::from_keys("demo", "demo", None);
    let aws = Aws::simulated(url.clone(), credentials);
    let site = web.site();
    let app = App::bind(AppSettings {
        auto_reload: false,
        config: ConfigSource::Text {
            name: "config/demo.yaml",
            text: include_str!("../config/demo.yaml"),
        },
        listen_addresses: web.listen_addresses,
        site: site.clone(),
        limits: Limits::of_process(web.max_requests),
        web_config: web.config_file,
        lifecycle: web.enable_lifecycle,
        environment: Arc::new(move |name| (name == SIMULATOR_URL).then(|| url.clone())),
        shard: Shard::default(),
        aws,
        clock,
    })
    .await?;
    for address in app.addresses() {
        let address = reachable(*address);
        let url = format!("{}://{address}", app.scheme());
        announce(&format!("metrics: {url}{}", site.telemetry_path));
        if site.has_page() {
            announce(&format!("status page: {url}/"));
        }
    }
    let (stop_simulator, mut stopped) = watch::channel(false);
    let simulator = tokio::spawn(simulator.run(async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }));
    app.run(stop).await;
    stop_simulator.send_replace(true);
    if let Err(failure) = simulator.await {
        std::panic::resume_unwind(failure.into_panic());
    }
    Ok(())
}

/// Returns the address under which a browser on this machine reaches a listener on all interfaces.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        (Ipv4Addr::LOCALHOST, address.port()).into()
    } else {
        address
    }
}
