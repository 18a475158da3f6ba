//! Times and durations as a person reads them.

use std::fmt;

use crate::model::Timestamp;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// A duration with its two largest units, such as `3m 12s`. The script writes the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0) / 1_000;
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{seconds}s"),
            (0, 0, _) => write!(f, "{minutes}m {:02}s", seconds % 60),
            (0, _, _) => write!(f, "{hours}h {:02}m", minutes % 60),
            _ => write!(f, "{days}d {:02}h", hours % 24),
        }
    }
}

pub(super) fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

/// Returns a moment for machines, in RFC 3339, and for people, such as `19:12:23` in UTC, with the
/// date before it unless that is today.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> (String, String) {
    let Some(datetime) = at.rfc3339() else {
        return (String::new(), "far away".to_owned());
    };
    let (date, time) = (&datetime[..10], &datetime[11..19]);
    let day = |time: Timestamp| time.millis().div_euclid(DAY_MILLIS);
    let clock = match day(at) == day(now) {
        true => time.to_owned(),
        false => format!("{date} {time}"),
    };
    (datetime, clock)
}

/// Like [`moment`], for an approximate moment: without seconds.
pub(super) fn minute(at: Timestamp, now: Timestamp) -> (String, String) {
    let (datetime, mut clock) = moment(at, now);
    let end = clock.rfind(':').unwrap_or(clock.len());
    clock.truncate(end);
    (datetime, clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (millis, expected) in [
            (-5_000, "0s"),
            (59_999, "59s"),
            (60_000, "1m 00s"),
            (3_599_000, "59m 59s"),
            (3_600_000, "1h 00m"),
            (86_399_000, "23h 59m"),
            (90_000_000, "1d 01h"),
        ] {
            assert_eq!(Span(millis).to_string(), expected);
        }
    }

    #[test]
    fn date_is_included_unless_it_is_today() {
        let time = |text| Timestamp::parse(text).unwrap();
        let now = time("2026-09-09T19:12:23.418Z");
        let clock = |at| moment(at, now).1;
        assert_eq!(clock(now), "19:12:23");
        let before = time("2026-09-08T23:59:59.999Z");
        assert_eq!(clock(before), "2026-09-08 23:59:59");
        let far_away = Timestamp::from_millis(i64::MAX);
        assert_eq!(clock(far_away), "far away");
        let about = |at| minute(at, now).1;
        assert_eq!(about(now), "19:12");
        assert_eq!(about(before), "2026-09-08 23:59");
        assert_eq!(about(far_away), "far away");
    }
}
