//! Judges where a request comes from: the `Host` that it names, and the site whose page sent it.

use hyper::header::{HOST, HeaderName, ORIGIN};
use hyper::{HeaderMap, Request, Version};

/// Where a browser's request comes from, relative to its target. Scripts cannot set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns whether the request names one host, as HTTP/1.1 requires.
pub(super) fn has_host<B>(request: &Request<B>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        1 => true,
        0 => request.version() != Version::HTTP_11,
        _ => false,
    }
}

/// Returns whether a page of another site sent the request. Programs other than browsers send neither
/// header. `own` is the external URL, if it is configured.
pub(super) fn is_cross_site(headers: &HeaderMap, own: Option<&str>) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let Ok(origin) = origin.to_str() else {
        return true;
    };
    let is_own = own.is_some_and(|own| {
        own.strip_prefix(origin)
            .is_some_and(|path| path.starts_with('/'))
    });
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    !is_own && (authority.is_none() || authority != host)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        lines.iter().map(pair).collect()
    }

    #[test]
    fn request_of_another_site_is_recognized() {
        let host = ("host", "exporter:10850");
        for (line, is_cross) in [
            (("accept", "*/*"), false),
            (("sec-fetch-site", "same-origin"), false),
            (("sec-fetch-site", "none"), false),
            (("sec-fetch-site", "same-site"), true),
            (("sec-fetch-site", "cross-site"), true),
            (("sec-fetch-site", "unheard-of"), true),
            (("origin", "http://exporter:10850"), false),
            (("origin", "https://exporter:10850"), false),
            (("origin", "http://exporter"), true),
            (("origin", "http://other:10850"), true),
            (("origin", "null"), true),
            (("origin", "exporter:10850"), true),
            (("origin", "https://own.example.com"), false),
            (("origin", "https://own.example.co"), true),
            (("origin", ""), true),
        ] {
            let own = Some("https://own.example.com/exporter/");
            assert_eq!(
                is_cross_site(&headers(&[host, line]), own),
                is_cross,
                "{line:?}"
            );
        }
        let without_host = headers(&[("origin", "http://exporter")]);
        assert!(is_cross_site(&without_host, None));
        let browser = [
            host,
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://proxy"),
        ];
        assert!(!is_cross_site(&headers(&browser), None));
    }
}
