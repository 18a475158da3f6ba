//! Ids of step and workflow executions, kept as they were written.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

const UUID_LENGTH: usize = 36;

/// A UUID's text. The service's pattern allows both cases, so the text is kept, not the number; but
/// one number is one id, however it is written.
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

    /// The text in lower case, as words in the order of their letters: each look at a step compares
    /// and hashes ids dozens of times.
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
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The id without [`Self::PREFIX`].
            pub fn uuid(&self) -> &str {
                self.0.as_str()
            }

            /// The same as ASCII, for a writer that puts out many.
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
    fn id_is_kept_as_written() {
        let text = "step-2E6fef0d-657c-4b7e-8706-ff24da9afa01";
        let id: StepExecutionId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
    }

    #[test]
    fn ids_that_differ_in_case_alone_are_one() {
        let ids = [
            "wf-2E6fef0d-657c-4b7e-8706-ff24da9afa01",
            "wf-2e6fef0d-657c-4b7e-8706-FF24DA9AFA01",
        ];
        let ids: HashSet<WorkflowExecutionId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
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
