//! Parses and formats durations in the notation of Prometheus: `30s`, `5m`, `1h30m`, `1d`.

use std::fmt;
use std::time::Duration;

/// The units in milliseconds, from the largest to the smallest, as in a valid duration.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// The maximum of Prometheus, which stores nanoseconds in 63 bits.
const LONGEST_MILLISECONDS: u64 = i64::MAX as u64 / 1_000_000;

/// Why a text is not a duration. Its message does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationFault {
    Form,
    Sign,
    NoUnit,
    UnknownUnit,
    Order,
    TooLong,
}

impl fmt::Display for DurationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => {
                "is not a duration; write whole numbers with units, such as 30s, 5m or 1h30m"
            }
            Self::Sign => "is negative",
            Self::NoUnit => "has a number without a unit; add one of ms, s, m, h, d, w, y",
            Self::UnknownUnit => "has an unknown unit; the units are ms, s, m, h, d, w, y",
            Self::Order => {
                "has its units out of order; write each unit once, the largest first, as in 1h30m"
            }
            Self::TooLong => "is longer than 292y, the maximum",
        })
    }
}

/// Parses whole numbers with units, the largest unit first, each unit once. As in Prometheus, `0`
/// needs no unit.
pub fn parse_duration(text: &str) -> Result<Duration, DurationFault> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut sum: u64 = 0;
    if rest.is_empty() {
        return Err(DurationFault::Form);
    }
    if rest.starts_with('-') {
        return Err(DurationFault::Sign);
    }
    while !rest.is_empty() {
        let (number, behind) = split(rest, |c| c.is_ascii_digit());
        if number.is_empty() {
            return Err(DurationFault::Form);
        }
        let (unit, behind) = split(behind, |c| c.is_alphabetic());
        if unit.is_empty() {
            return Err(match behind {
                "" => DurationFault::NoUnit,
                _ => DurationFault::Form,
            });
        }
        if UNITS.iter().all(|(name, _)| *name != unit) {
            return Err(DurationFault::UnknownUnit);
        }
        let (_, milliseconds) = units
            .find(|(name, _)| *name == unit)
            .ok_or(DurationFault::Order)?;
        // A number that overflows would overflow the sum as well.
        sum = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*milliseconds))
            .and_then(|part| sum.checked_add(part))
            .filter(|sum| *sum <= LONGEST_MILLISECONDS)
            .ok_or(DurationFault::TooLong)?;
        rest = behind;
    }
    Ok(Duration::from_millis(sum))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// Returns the text that [`parse_duration`] reads back, rounded down to milliseconds.
///
/// The largest unit is the day: `60d` is clearer than `8w4d`.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, milliseconds) in &UNITS[2..] {
        let number = rest / milliseconds;
        rest %= milliseconds;
        if number > 0 {
            text.push_str(&number.to_string());
            text.push_str(unit);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_parsed_as_in_prometheus() {
        for (text, milliseconds) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("1y", 31_536_000_000),
            ("1y1w1d1h1m1s1ms", 32_230_861_001),
            ("90m", 5_400_000),
            ("007s", 7_000),
        ] {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(parse_duration(text), Ok(duration), "{text}");
        }
    }

    #[test]
    fn each_fault_of_a_duration_has_its_own_error() {
        use DurationFault::*;
        for (text, fault) in [
            ("", Form),
            ("s", Form),
            ("-5s", Sign),
            ("+5s", Form),
            ("1.5s", Form),
            ("5 s", Form),
            (" 5s", Form),
            ("5s ", Form),
            ("30", NoUnit),
            ("1h30", NoUnit),
            ("5M", UnknownUnit),
            ("5sec", UnknownUnit),
            ("5µs", UnknownUnit),
            ("30m1h", Order),
            ("1h1h", Order),
            ("1ms1s", Order),
            ("293y", TooLong),
            ("99999999999999999999s", TooLong),
            ("18446744073709551615s", TooLong),
        ] {
            assert_eq!(parse_duration(text), Err(fault), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn formatted_duration_is_parsed_to_the_same_value(milliseconds in 0..=LONGEST_MILLISECONDS) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-zµ ]*") {
            let _ = parse_duration(&text);
        }
    }
}
