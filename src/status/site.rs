//! Where the page is, for its links.

use std::fmt;
use std::str::FromStr;

/// Where the page is, unless the metrics are there.
pub const PAGE_PATH: &str = "/";
/// Where its JSON is.
pub const JSON_PATH: &str = "/api/v1/steps";
/// Where the configuration in force is.
pub const CONFIG_PATH: &str = "/config";

/// What links are made from. All but the absolute ones are relative to the page, so that it works
/// behind a proxy under whatever path.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where the metrics are; begins with `/`.
    pub telemetry_path: String,
    pub external_url: Option<ExternalUrl>,
}

impl Site {
    /// Whether there is a page: where the metrics have its place there is none.
    pub fn has_page(&self) -> bool {
        self.telemetry_path != PAGE_PATH
    }

    /// Where people find a query's page, as far as anybody said.
    pub fn permalink(&self, query: &str) -> Option<String> {
        let url = self.external_url.as_ref()?;
        Some(format!("{url}{query}"))
    }
}

/// Where people reach the exporter; ends with `/`.
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
            return fault("it has a user or password, which everybody would see; take them out");
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
            return fault("it has no host, or one that can't be");
        }
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return fault("its port is no number from 1 to 65535");
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
    fn metrics_at_the_root_take_the_place_of_the_page() {
        for (path, has_page) in [("/", false), ("/metrics", true)] {
            let site = Site {
                telemetry_path: path.to_owned(),
                external_url: None,
            };
            assert_eq!(site.has_page(), has_page, "{path}");
        }
    }

    #[test]
    fn url_is_one_that_a_person_can_open_and_ends_with_a_slash() {
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
    fn what_is_no_such_url_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "neither http:// nor https://"),
            ("m.example.com", "neither http:// nor https://"),
            ("javascript:alert(1)", "neither http:// nor https://"),
            ("https://", "no host"),
            ("https:///path", "no host"),
            ("https://a b/", "no host"),
            ("https://[::g]/", "no host"),
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
