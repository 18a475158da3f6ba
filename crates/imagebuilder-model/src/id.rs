//! Ids of step and workflow executions, which keep their text.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

const UUID_LENGTH: usize = 36;

/// The text of a UUID. The service's pattern allows upper and lower case, so the text is stored,
/// not the number. Texts of the same number are equal.
#[derive(Clone, Copy)]
struct UuidText([u8; UUID_LENGTH]);

impl PartialEq for UuidText {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl Eq for UuidText {}

impl Hash for UuidText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl PartialOrd for UuidText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UuidText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number().cmp(&other.number())
    }
}

impl UuidText {
    fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; UUID_LENGTH] = text.as_bytes().try_into().ok()?;
        let well_formed = bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        well_formed.then_some(Self(bytes))
    }

    /// Returns the text in lower case, as big-endian words that sort like the text. Each poll of a
    /// step compares and hashes ids dozens of times, so comparisons use words, not bytes.
    fn number(&self) -> ([u64; 4], u32) {
        // Digits and the dash have this bit set already.
        const LOWER: u8 = b'a' - b'A';
        let (words, rest) = self.0.as_chunks::<8>();
        let word = |at: usize| u64::from_be_bytes(words[at]) | u64::from_ne_bytes([LOWER; 8]);
        let rest = rest.try_into().expect("36 bytes are four words and a half");
        let half = u32::from_be_bytes(rest) | u32::from_ne_bytes([LOWER; 4]);
        ([word(0), word(1), word(2), word(3)], half)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("parse lets only ASCII in")
    }
}

macro_rules! execution_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(UuidText);

        impl $name {
            /// The prefix of every id of this kind.
            pub const PREFIX: &'static str = $prefix;

            /// Returns the number that the hexadecimal digits denote, in 16 bytes.
            pub fn number(&self) -> [u8; 16] {
                let digits = self.0.0.iter().filter_map(|byte| char::from(*byte).to_digit(16));
                let number = digits.fold(0_u128, |number, digit| number << 4 | u128::from(digit));
                number.to_be_bytes()
            }

            /// Returns the id without [`Self::PREFIX`].
            pub fn uuid(&self) -> &str {
                self.0.as_str()
            }

            /// Returns the same as ASCII bytes, which the exposition writes without a check.
            pub fn uuid_bytes(&self) -> &[u8; UUID_LENGTH] {
                &self.0.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                text.strip_prefix($prefix)
                    .and_then(UuidText::parse)
                    .map(Self)
                    .ok_or_else(|| {
                        format!(
                            "{text:?} is not a {} id; one looks like {}01234567-89ab-cdef-0123-456789abcdef",
                            $what, $prefix
                        )
                    })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(self.uuid())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

execution_id!(
    /// The id of a step execution: `^step-` and a UUID, as the service's model has it.
    StepExecutionId,
    "step-",
    "step execution"
);
execution_id!(
    /// The id of a workflow execution: `^wf-` and a UUID, as the service's model has it.
    WorkflowExecutionId,
    "wf-",
    "workflow execution"
);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn id_keeps_its_text() {
        let text = "step-2E6fef0d-657c-4b7e-8706-ff24da9afa01";
        let id: StepExecutionId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
    }

    #[test]
    fn ids_that_differ_only_in_case_are_equal() {
        let ids = [
            "wf-2E6fef0d-657c-4b7e-8706-ff24da9afa01",
            "wf-2e6fef0d-657c-4b7e-8706-FF24DA9AFA01",
        ];
        let ids: HashSet<WorkflowExecutionId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn invalid_id_is_rejected() {
        for text in [
            "",
            "step-",
            "wf-2e6fef0d-657c-4b7e-8706-ff24da9afa01",
            "step-2e6fef0d-657c-4b7e-8706-ff24da9afa0",
            "step-2e6fef0d-657c-4b7e-8706-ff24da9afa011",
            "step-2e6fef0d-657c-4b7e-8706-ff24da9afa0g",
            "step-2e6fef0d+657c-4b7e-8706-ff24da9afa01",
            " step-2e6fef0d-657c-4b7e-8706-ff24da9afa01",
            "step-2e6fef0d-657c-4b7e-8706-ff24da9afa0é",
        ] {
            assert!(text.parse::<StepExecutionId>().is_err(), "{text}");
        }
    }
}
