//! The way out to AWS: straight, or through the proxy that the environment names.
//!
//! A proxy is for what goes over HTTPS alone. What is asked over plain HTTP is near: the instance's
//! or the container's credentials, which a proxy would ask for its own, and the simulator.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// As the AWS CLI and most programs read them; the first that is set counts.
const PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The environment names a proxy that can't be one. What it says may hold a password, and isn't told.
#[derive(Debug, PartialEq)]
pub struct BadProxy {
    variable: &'static str,
}

impl std::fmt::Display for BadProxy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} names no proxy: expected http://HOST:PORT or https://HOST:PORT, with \
             USER:PASSWORD@ before the host where the proxy asks for them, percent-encoded",
            self.variable
        )
    }
}

impl std::error::Error for BadProxy {}

/// The proxy that is named, if any, and for which hosts it isn't used.
pub(super) fn named(
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<ProxyConfig>, BadProxy> {
    let set = |names: [&'static str; 2]| {
        names.into_iter().find_map(|variable| {
            let value = environment(variable).filter(|value| !value.is_empty());
            value.map(|value| (variable, value))
        })
    };
    let Some((variable, proxy)) = set(PROXY) else {
        return Ok(None);
    };
    let url = if proxy.contains("://") {
        proxy
    } else {
        format!("http://{proxy}")
    };
    let config = ProxyConfig::https(url).map_err(|_| BadProxy { variable })?;
    Ok(Some(match set(NO_PROXY) {
        Some((_, hosts)) => config.no_proxy(hosts),
        None => config,
    }))
}

/// What all calls are made with.
pub(super) fn client(proxy: Option<ProxyConfig>) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        connector.set_proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    })
}
