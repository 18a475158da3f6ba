//! Paths and addresses of the page, for its links.

use std::fmt;
use std::str::FromStr;

/// The path of the page, unless the metrics have the same path.
pub const PAGE_PATH: &str = "/";
/// The path of the JSON.
pub const JSON_PATH: &str = "/api/v1/steps";
/// The path of the effective configuration.
pub const CONFIG_PATH: &str = "/config";

/// The addresses from which links are built.
///
/// All links except permalinks are relative to the page, so that it works behind a proxy under any
/// path.
#[derive(Clone, Debug)]
pub struct Site {
    /// The path of the metrics; begins with `/`.
    pub telemetry_path: String,
    pub external_url: Option<ExternalUrl>,
}

impl Site {
    /// Returns whether there is a page: there is none if the metrics have its path.
    pub fn has_page(&self) -> bool {
        self.telemetry_path != PAGE_PATH
    }

    /// Returns the absolute address of a query's page, if the external URL is configured.
    pub fn permalink(&self, query: &str) -> Option<String> {
        let url = self.external_url.as_ref()?;
        Some(format!("{url}{query}"))
    }
}

/// The URL under which people reach the exporter; ends with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUrl(String);

impl FromStr for ExternalUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = |what: &str| {
            Err(format!(
                "{what}; one looks like https://monitoring.example.com/imagebuilder/"
            ))
        };
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let Some(rest) = rest else {
            return fault("it begins with neither http:// nor https://");
        };
        if rest.contains(['?', '#']) {
            return fault(
                "it has a query or a fragment, which the exporter's own links would follow; end it before them",
            );
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return fault("it has a user or password, which everybody would see; remove them");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host_is_right = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                !host.is_empty() && host.bytes().all(plain)
            }
        };
        if !host_is_right {
            return fault("it has no valid host");
        }
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return fault("its port is not a number from 1 to 65535");
        }
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
        let mut escapes = path.split('%').skip(1);
        let escaped = escapes.all(|rest| {
            let digits = rest.bytes().take(2).filter(u8::is_ascii_hexdigit);
            digits.count() == 2
        });
        if !path.bytes().all(plain) || !escaped {
            return fault("its path has characters that must be percent-encoded");
        }
        Ok(Self(format!("{}/", text.trim_end_matches('/'))))
    }
}

impl fmt::Display for ExternalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_at_the_root_replace_the_page() {
        for (path, has_page) in [("/", false), ("/metrics", true)] {
            let site = Site {
                telemetry_path: path.to_owned(),
                external_url: None,
            };
            assert_eq!(site.has_page(), has_page, "{path}");
        }
    }

    #[test]
    fn valid_url_is_accepted_and_ends_with_a_slash() {
        for (text, expected) in [
            ("http://localhost:10850", "http://localhost:10850/"),
            ("https://m.example.com/ib/", "https://m.example.com/ib/"),
            ("https://m.example.com/ib", "https://m.example.com/ib/"),
            ("http://[::1]:80/", "http://[::1]:80/"),
            ("http://[::1]", "http://[::1]/"),
            ("http://host/%41%e4", "http://host/%41%e4/"),
        ] {
            assert_eq!(text.parse::<ExternalUrl>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn invalid_url_is_rejected_with_the_reason() {
        for (text, why) in [
            ("", "neither http:// nor https://"),
            ("m.example.com", "neither http:// nor https://"),
            ("javascript:alert(1)", "neither http:// nor https://"),
            ("https://", "no valid host"),
            ("https:///path", "no valid host"),
            ("https://a b/", "no valid host"),
            ("https://[::g]/", "no valid host"),
            ("https://host:0/", "port"),
            ("https://host:http/", "port"),
            ("https://user:secret@host/", "password"),
            ("https://host/?a=b", "query"),
            ("https://host/#a", "fragment"),
            ("https://host/\"><script>", "percent-encoded"),
            ("https://host/100%/", "percent-encoded"),
            ("https://host/%2fa%zz/", "percent-encoded"),
        ] {
            let refused = text.parse::<ExternalUrl>().unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
