//! The durations of a scenario, `90s`, `1h30m`, `-10m`, and its ranges, `3m..5m`.

use std::fmt;

use imagebuilder_model::parse_duration;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A duration in milliseconds; a negative one leads back in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(i64);

impl Span {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub(crate) const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    pub(crate) const fn millis(self) -> i64 {
        self.0
    }

    /// `1h30m`, `250ms`, `-10m`, `0`; the largest unit is the week.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is not a duration; one looks like 90s, 5m, 1h30m, 1d, 250ms or -10m")
        };
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        // The scenario's largest unit is the week.
        let span = parse_duration(rest).ok().filter(|_| !rest.contains('y'));
        let span = span.ok_or_else(wrong)?;
        Ok(Self(sign * span.as_millis() as i64))
    }
}

/// A duration, or any between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Span,
    pub(crate) to: Span,
}

impl Range {
    pub(crate) const fn of(span: Span) -> Self {
        Self {
            from: span,
            to: span,
        }
    }

    pub(crate) const fn between(from: Span, to: Span) -> Self {
        Self { from, to }
    }

    /// `5m` or `3m..5m`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some((from, to)) = text.split_once("..") else {
            return Span::parse(text).map(Self::of);
        };
        let (from, to) = (Span::parse(from)?, Span::parse(to)?);
        if to < from {
            return Err(format!(
                "{text:?} ends before it begins; write the shorter duration first"
            ));
        }
        Ok(Self { from, to })
    }
}

struct Text<T>(fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 90s, 1h30m or 3m..5m")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.0(text).map_err(E::custom)
    }

    // A bare 0 is a number to YAML; any other number lacks its unit, which `parse` says.
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text(Self::parse))
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text(Self::parse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_read_in_every_unit_and_with_a_sign() {
        for (text, millis) in [
            ("0", 0),
            ("250ms", 250),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("-10m", -600_000),
        ] {
            assert_eq!(Span::parse(text), Ok(Span::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in [
            "",
            "-",
            "5",
            "5 m",
            "m5",
            "5m5m",
            "5s1h",
            "1y",
            "99999999999999999d",
        ] {
            let error = Span::parse(text).unwrap_err();
            assert!(error.contains("one looks like 90s"), "{text}: {error}");
        }
    }

    #[test]
    fn range_must_not_end_before_it_begins() {
        assert_eq!(
            Range::parse("3m..5m"),
            Ok(Range::between(Span::from_secs(180), Span::from_secs(300)))
        );
        assert!(Range::parse("5m..3m").unwrap_err().contains("ends before"));
    }
}
