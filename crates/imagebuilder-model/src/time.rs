//! Points in time, in the formats of the service and of HTTP.

use std::fmt;
use std::num::NonZeroU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Unix time in milliseconds, the precision of the service's times.
///
/// An `Option` of it takes no more memory: the value is stored as its distance from `i64::MIN`, which is
/// not a valid time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

/// The bits of `i64::MIN`. XOR with them keeps the order, and maps `i64::MIN` to 0.
const LEAST: u64 = i64::MIN.cast_unsigned();

impl Timestamp {
    /// Returns the time of this number. `i64::MIN` becomes `i64::MIN + 1`.
    pub const fn from_millis(millis: i64) -> Self {
        match NonZeroU64::new(millis.cast_unsigned() ^ LEAST) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MIN),
        }
    }

    pub const fn millis(self) -> i64 {
        (self.0.get() ^ LEAST).cast_signed()
    }

    /// Parses ISO 8601 as the service writes it, such as `2026-09-09T19:12:23.418Z`, with or without
    /// an offset. `None` for other text.
    pub fn parse(text: &str) -> Option<Self> {
        let time = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
        time.to_millis().ok().map(Self::from_millis)
    }

    /// Parses the time of an HTTP header, such as `Wed, 09 Sep 2026 19:12:23 GMT`. `None` for other
    /// text.
    pub fn parse_http(text: &str) -> Option<Self> {
        let time = DateTime::from_str(text, Format::HttpDate).ok()?;
        let time = time.to_millis().ok().map(Self::from_millis);
        // The parser takes a year with a sign, such as -880.
        time.filter(|time| time.rfc3339().is_some())
    }

    /// Formats the time for an HTTP header, without fractions of a second.
    pub fn to_http(self) -> String {
        let second = DateTime::from_secs(self.millis().div_euclid(1_000));
        // What has no such date is as far off as it can be.
        second.fmt(Format::HttpDate).unwrap_or_default()
    }

    /// Formats the time as RFC 3339 in UTC, such as `2026-09-09T19:12:23.418Z`. `None` unless the
    /// year has four digits.
    pub fn rfc3339(self) -> Option<String> {
        let time = DateTime::from_millis(self.millis())
            .fmt(Format::DateTime)
            .ok()?;
        (time.as_bytes().get(4) == Some(&b'-')).then_some(time)
    }

    /// Formats the time as the service does: ISO 8601 in UTC, always with milliseconds. The year must be
    /// 1 to 9999.
    pub fn iso8601(self) -> String {
        let second = DateTime::from_secs(self.millis().div_euclid(1_000));
        // What has no such date is as far off as it can be.
        let second = second.fmt(Format::DateTime).unwrap_or_default();
        let millis = self.millis().rem_euclid(1_000);
        format!("{}.{millis:03}Z", second.trim_end_matches('Z'))
    }

    /// Returns `self - earlier` in milliseconds; negative if `earlier` is the later time.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.millis().saturating_sub(earlier.millis())
    }

    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.millis().saturating_add(millis))
    }

    pub fn plus(self, duration: Duration) -> Self {
        Self::from_millis(
            self.millis()
                .saturating_add_unsigned(duration.as_millis() as u64),
        )
    }

    pub fn minus(self, duration: Duration) -> Self {
        Self::from_millis(
            self.millis()
                .saturating_sub_unsigned(duration.as_millis() as u64),
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.millis()).finish()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self::from_millis(since.as_millis() as i64),
            Err(before) => Self::from_millis(-(before.duration().as_millis() as i64)),
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
    fn times_are_ordered_and_an_optional_one_takes_no_more_memory() {
        let numbers = [i64::MIN + 1, -1, 0, 1, i64::MAX];
        let times = numbers.map(Timestamp::from_millis);
        assert!(times.is_sorted());
        assert_eq!(times.map(Timestamp::millis), numbers);
        assert_eq!(Timestamp::from_millis(i64::MIN), times[0]);
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<i64>());
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
