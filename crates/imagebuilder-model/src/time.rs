//! Points in time, in the formats of the service and of HTTP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Unix time in milliseconds, the precision of the service's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Parses ISO 8601 as the service writes it, such as `2026-09-09T19:12:23.418Z`, with or without
    /// an offset. `None` for other text.
    pub fn parse(text: &str) -> Option<Self> {
        let time = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
        time.to_millis().ok().map(Self)
    }

    /// Parses the time of an HTTP header, such as `Wed, 09 Sep 2026 19:12:23 GMT`. `None` for other
    /// text.
    pub fn parse_http(text: &str) -> Option<Self> {
        let time = DateTime::from_str(text, Format::HttpDate).ok()?;
        time.to_millis().ok().map(Self)
    }

    /// Formats the time for an HTTP header, without fractions of a second.
    pub fn to_http(self) -> String {
        let second = DateTime::from_secs(self.0.div_euclid(1_000));
        // What has no such date is as far off as it can be.
        second.fmt(Format::HttpDate).unwrap_or_default()
    }

    /// Formats the time as RFC 3339 in UTC, such as `2026-09-09T19:12:23.418Z`. `None` unless the
    /// year has four digits.
    pub fn rfc3339(self) -> Option<String> {
        let time = DateTime::from_millis(self.0).fmt(Format::DateTime).ok()?;
        (time.as_bytes().get(4) == Some(&b'-')).then_some(time)
    }

    /// Formats the time as the service does: ISO 8601 in UTC, always with milliseconds.
    pub fn iso8601(self) -> String {
        let second = DateTime::from_secs(self.0.div_euclid(1_000));
        // What has no such date is as far off as it can be.
        let second = second.fmt(Format::DateTime).unwrap_or_default();
        let millis = self.0.rem_euclid(1_000);
        format!("{}.{millis:03}Z", second.trim_end_matches('Z'))
    }

    /// Returns `self - earlier` in milliseconds; negative if `earlier` is the later time.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(duration.as_millis() as u64))
    }

    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(duration.as_millis() as u64))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(since.as_millis() as i64),
            Err(before) => Self(-(before.duration().as_millis() as i64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_kept() {
        let time = Timestamp::parse("2026-09-09T19:12:23.418Z").unwrap();
        assert_eq!(time, Timestamp::from_millis(1_788_981_143_418));
        assert_eq!(
            Timestamp::parse("2026-09-09T21:12:23.418+02:00"),
            Some(time)
        );
    }

    #[test]
    fn header_of_http_is_a_time() {
        let text = "Wed, 09 Sep 2026 19:12:23 GMT";
        let time = Timestamp::parse_http(text);
        assert_eq!(time, Some(Timestamp::from_millis(1_788_981_143_000)));
        assert_eq!(Timestamp::from_millis(1_788_981_143_999).to_http(), text);
        for text in ["", "yesterday", "2026-09-09T19:12:23.418Z"] {
            assert_eq!(Timestamp::parse_http(text), None, "{text}");
        }
    }

    #[test]
    fn time_is_written_as_it_is_read() {
        for text in ["2026-09-09T19:12:23.418Z", "2026-09-09T00:00:00Z"] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(time.rfc3339().as_deref(), Some(text));
        }
        assert_eq!(Timestamp::from_millis(i64::MAX).rfc3339(), None);
        assert_eq!(Timestamp::from_millis(i64::MIN).rfc3339(), None);
    }

    #[test]
    fn service_writes_times_with_three_digits_of_milliseconds() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2024-02-29T23:59:59.999Z",
            "2026-09-09T19:12:23.418Z",
            "2100-03-01T00:00:00.001Z",
        ] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(time.iso8601(), text);
        }
    }

    #[test]
    fn invalid_time_is_rejected() {
        for text in ["", "yesterday", "2026-09-09", "1788981143.418"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
