//! Checks URLs of endpoints.

/// Returns why requests cannot be sent to the URL, if they cannot.
pub(super) fn endpoint_fault(text: &str) -> Option<&'static str> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else {
        return Some("is not an http:// or https:// URL, such as http://127.0.0.1:8080");
    };
    if rest.contains(['?', '#']) {
        return Some("has a query or a fragment, which an endpoint cannot have; remove it");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Some("has a user or a password, which the exporter does not send; remove them");
    }
    // The SDK reads an endpoint with the same type.
    match text.parse::<hyper::Uri>() {
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) && port_is_right(&uri) => None,
        _ => Some("is not a URL such as https://imagebuilder.us-west-2.amazonaws.com"),
    }
}

/// Whether the port is one, where there is one.
fn port_is_right(uri: &hyper::Uri) -> bool {
    let after_host = uri.authority().and_then(|authority| {
        authority
            .as_str()
            .strip_prefix(uri.host().unwrap_or_default())
    });
    match after_host {
        Some("") => true,
        _ => uri.port_u16().is_some_and(|port| port > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_that_can_be_called() {
        for url in [
            "http://127.0.0.1:8080",
            "https://imagebuilder.us-west-2.amazonaws.com",
            "https://vpce-1.imagebuilder.us-west-2.vpce.amazonaws.com/",
            "http://[::1]:8080/prefix",
            "http://localhost",
        ] {
            assert_eq!(endpoint_fault(url), None, "{url}");
        }
        for text in [
            "",
            "localhost:8080",
            "ftp://localhost",
            "http://",
            "http:///path",
            "http://:80",
            "http://host:",
            "http://host:0",
            "http://host:99999",
            "http://ho st",
            "http://host?x=1",
            "http://host#x",
            "http://user:password@host",
        ] {
            assert!(endpoint_fault(text).is_some(), "{text}");
        }
    }
}
