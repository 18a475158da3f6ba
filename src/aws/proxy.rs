//! Connects to AWS directly, or through the proxy that the environment names.
//!
//! Only calls over HTTPS use the proxy. Plain HTTP serves local endpoints: the simulator, and the
//! credentials of the instance or the container. A proxy would return its own credentials.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use hyper::Uri;

use super::body;
use super::names::Names;

/// Variables that the AWS CLI and most programs read; the first that is set counts.
pub(super) const PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// An invalid proxy in the environment. The value may contain a password, so the message omits it.
#[derive(Debug, PartialEq)]
pub struct BadProxy {
    variable: &'static str,
}

impl std::fmt::Display for BadProxy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} names no proxy: expected http://HOST:PORT or https://HOST:PORT, with \
             USER:PASSWORD@ before the host if the proxy requires them, percent-encoded",
            self.variable
        )
    }
}

impl std::error::Error for BadProxy {}

/// Returns the proxy that the environment names, if any, with the hosts that bypass it.
pub(super) fn from_environment(
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
    let config = config(&proxy).ok_or(BadProxy { variable })?;
    Ok(Some(match set(NO_PROXY) {
        Some((_, hosts)) => config.no_proxy(hosts),
        None => config,
    }))
}

/// Parses the address of a proxy.
///
/// An invalid host or port may be part of a password that is not percent-encoded. It is rejected,
/// so that the password is not sent to a name server.
fn config(proxy: &str) -> Option<ProxyConfig> {
    let url = match proxy.contains("://") {
        true => proxy.to_owned(),
        false => format!("http://{proxy}"),
    };
    let uri: Uri = url.parse().ok()?;
    let (authority, host) = (uri.authority()?, uri.host()?);
    let (user, host_and_port) = match authority.as_str().rsplit_once('@') {
        Some((user, host_and_port)) => (user, host_and_port),
        None => ("", authority.as_str()),
    };
    let is_host = !host.is_empty() && (uri.port().is_some() || host_and_port == host);
    let is_complete = matches!(uri.path(), "" | "/") && uri.query().is_none() && !url.contains('#');
    let is_proxy = is_host && is_complete && !user.contains('@');
    is_proxy
        .then_some(uri)
        .and_then(|uri| ProxyConfig::https(uri).ok())
}

/// Returns the HTTP client for all calls.
pub(super) fn client(proxy: Option<ProxyConfig>, names: Names) -> SharedHttpClient {
    body::checked(
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector =
                Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
            connector.set_proxy_config(proxy.clone());
            connector.set_connector_settings(settings.cloned());
            if let Some(components) = components {
                connector.set_sleep_impl(components.sleep_impl());
            }
            connector.build_with_resolver(names.clone())
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(proxy: &str) -> Option<BadProxy> {
        let environment = |name: &str| (name == "HTTPS_PROXY").then(|| proxy.to_owned());
        from_environment(&environment).err()
    }

    #[test]
    fn proxy_is_a_host_and_may_have_a_scheme_a_port_a_user_and_a_slash() {
        for proxy in [
            "proxy",
            "proxy:3128",
            "http://proxy:3128/",
            "HTTPS://proxy:3128",
            "http://[2001:db8::1]:3128",
            "[::1]",
            "http://user@proxy",
            "user:p%40ss%2Fword%23@proxy:3128",
        ] {
            assert_eq!(bad(proxy), None, "{proxy}");
        }
    }

    #[test]
    fn invalid_host_or_port_is_an_error() {
        let variable = "HTTPS_PROXY";
        for proxy in [
            ":3128",
            "http://:3128",
            "http://",
            "http:/proxy:3128",
            "proxy:",
            "proxy:http",
            "proxy:99999",
            "socks5://proxy:1080",
            " http://proxy",
            "http://proxy/path",
            "http://proxy?query",
            "http://user:pa/ss@proxy",
            "http://user:1/ss@proxy",
            "http://user:1#ss@proxy",
            "http://user:1?ss@proxy",
            "http://user:p@ss@proxy",
        ] {
            assert_eq!(bad(proxy), Some(BadProxy { variable }), "{proxy}");
        }
    }
}
