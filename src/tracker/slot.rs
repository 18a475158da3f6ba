//! When a call is to be made, and how urgently.

use tokio::time::Instant;

/// How much it matters that a call is made in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It polls a running step whose timeout comes before the poll after this one, or is the first Get
    /// of a step that FAILED.
    Hurried,
    /// It polls a step that runs or may run.
    Running,
    /// It polls what waits or has ended.
    Waiting,
    /// It discovers resources.
    Discovery,
}

impl Urgency {
    pub(super) const ALL: [Self; 4] =
        [Self::Hurried, Self::Running, Self::Waiting, Self::Discovery];

    /// Calls of two urgencies have equal priority when their delays are in this proportion.
    pub(super) fn patience(self) -> u32 {
        match self {
            Self::Hurried | Self::Running => 1,
            Self::Waiting => 2,
            Self::Discovery => 4,
        }
    }
}

/// When a call is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub due: Instant,
    pub urgency: Urgency,
    /// From when on it is hurried.
    pub hurried_from: Option<Instant>,
}

impl Slot {
    pub(super) fn new(due: Instant, urgency: Urgency) -> Self {
        Self {
            due,
            urgency,
            hurried_from: None,
        }
    }

    /// As early, as urgent and as hurried as either.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            due: self.due.min(other.due),
            urgency: self.urgency.min(other.urgency),
            hurried_from: self
                .hurried_from
                .into_iter()
                .chain(other.hurried_from)
                .min(),
        }
    }
}
