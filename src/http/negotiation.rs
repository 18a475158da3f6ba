//! Selects the text format by `Accept` and the compression by `Accept-Encoding`.
//!
//! A request is never refused because nothing is acceptable: a scrape in the plain format is more
//! useful than none.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::exposition::{Encoding, Format};

/// Returns OpenMetrics if the client names it, in a supported version or without one, with a quality
/// that is at least that of the text format.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let mut open_metrics = 0.0_f32;
    // The quality of the text format, and the specificity of the range that states it.
    let (mut text, mut precision) = (0.0_f32, 0);
    for_each_element(headers, ACCEPT, |name, element| {
        let version = element.version.unwrap_or_default();
        if name.eq_ignore_ascii_case("application/openmetrics-text") {
            if matches!(version, "" | "1.0.0") {
                open_metrics = open_metrics.max(element.q);
            }
            return;
        }
        let precise = match name {
            name if name.eq_ignore_ascii_case("text/plain") && version == "0.0.4" => 4,
            name if name.eq_ignore_ascii_case("text/plain") && version.is_empty() => 3,
            name if name.eq_ignore_ascii_case("text/*") => 2,
            "*/*" => 1,
            _ => return,
        };
        if precise > precision {
            (text, precision) = (element.q, precise);
        }
    });
    if open_metrics > 0.0 && open_metrics >= text {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

/// Returns gzip if the client accepts it with a quality that is at least that of no compression.
pub(super) fn encoding(headers: &HeaderMap) -> Encoding {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for_each_element(headers, ACCEPT_ENCODING, |name, element| {
        let wanted = match name {
            name if name.eq_ignore_ascii_case("gzip") => &mut gzip,
            name if name.eq_ignore_ascii_case("x-gzip") => &mut gzip,
            name if name.eq_ignore_ascii_case("identity") => &mut identity,
            "*" => &mut any,
            _ => return,
        };
        *wanted = Some(element.q);
    });
    let gzip = gzip.or(any).unwrap_or(0.0);
    if gzip > 0.0 && gzip >= identity.unwrap_or(0.0) {
        Encoding::Gzip
    } else {
        Encoding::Identity
    }
}

/// The parameters of an element that the selection uses.
struct Element<'a> {
    version: Option<&'a str>,
    /// From 0, which refuses, to 1.
    q: f32,
}

/// Returns the elements of a header; malformed ones are skipped.
fn for_each_element<'a>(
    headers: &'a HeaderMap,
    header: HeaderName,
    mut each: impl FnMut(&'a str, Element<'a>),
) {
    let values = headers.get_all(header);
    let lines = values.iter().filter_map(|value| value.to_str().ok());
    for text in lines.flat_map(|line| line.split(',')) {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut element = Element {
            version: None,
            q: 1.0,
        };
        let mut well_formed = !name.is_empty();
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let (key, value) = (key.trim_end(), value.trim_start().trim_matches('"'));
            if key.eq_ignore_ascii_case("version") {
                element.version = Some(value);
            } else if key.eq_ignore_ascii_case("q") {
                match value.parse() {
                    Ok(q) if (0.0..=1.0).contains(&q) => element.q = q,
                    _ => well_formed = false,
                }
            }
        }
        if well_formed {
            each(name, element);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn with(header: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn format_is_the_one_that_is_wanted_most() {
        use Format::{OpenMetrics, Text};
        for (accept, expected) in [
            (&[][..], Text),
            (&[""], Text),
            (&["*/*"], Text),
            (&["application/*"], Text),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], Text),
            (&["application/openmetrics-text"], OpenMetrics),
            (
                &["application/openmetrics-text;version=1.0.0,*/*;q=0.1"],
                OpenMetrics,
            ),
            (
                &["application/openmetrics-text; version=\"1.0.0\"; charset=utf-8"],
                OpenMetrics,
            ),
            (
                &["Application/OpenMetrics-Text; Version=1.0.0; Q=0.5, */*; q=0.1"],
                OpenMetrics,
            ),
            (&["text/plain, application/openmetrics-text"], OpenMetrics),
            (&["application/openmetrics-text;version=0.0.1"], Text),
            (&["application/openmetrics-text;version=2.0.0"], Text),
            (&["application/openmetrics-text;q=0"], Text),
            (&["application/openmetrics-text;q=0.2,*/*;q=0.9"], Text),
            (
                &["application/openmetrics-text;q=0.2,text/plain;q=0.1,*/*;q=0.9"],
                OpenMetrics,
            ),
            (
                &["application/openmetrics-text;q=0.3,text/plain;version=0.0.4;q=0.5"],
                Text,
            ),
            (
                &["application/openmetrics-text;q=0.3,text/plain;version=1.0.0"],
                OpenMetrics,
            ),
            (&["application/openmetrics-text;q=nonsense"], Text),
            (
                &["text/plain;q=0.5", "application/openmetrics-text"],
                OpenMetrics,
            ),
            // Prometheus 2.30, 2.42 and 3.
            (
                &[
                    "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ],
                Text,
            ),
            (
                &[
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ],
                OpenMetrics,
            ),
            (
                &[
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                ],
                OpenMetrics,
            ),
        ] {
            assert_eq!(format(&with(ACCEPT, accept)), expected, "{accept:?}");
        }
    }

    #[test]
    fn gzip_is_sent_if_accepted() {
        use Encoding::{Gzip, Identity};
        for (accept, expected) in [
            (&[][..], Identity),
            (&[""], Identity),
            (&["gzip"], Gzip),
            (&["GZIP"], Gzip),
            (&["x-gzip"], Gzip),
            (&["deflate, br"], Identity),
            (&["deflate, gzip;q=1.0, *;q=0.5"], Gzip),
            (&["gzip;q=0"], Identity),
            (&["gzip;q=0, *"], Identity),
            (&["*"], Gzip),
            (&["*;q=0"], Identity),
            (&["identity, gzip;q=0.5"], Identity),
            (&["identity;q=0.5, gzip"], Gzip),
            (&["br", "gzip"], Gzip),
        ] {
            assert_eq!(
                encoding(&with(ACCEPT_ENCODING, accept)),
                expected,
                "{accept:?}"
            );
        }
    }
}
