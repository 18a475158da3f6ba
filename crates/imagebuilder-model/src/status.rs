//! The service's enumerations. Each keeps a value this version does not know as it was written.

use std::fmt;
use std::sync::Arc;

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($variant,)+
            /// A value the service's model did not have when this was written.
            Unknown(Arc<str>),
        }

        impl $name {
            /// Every value of the service's model, in its order.
            pub const KNOWN: &'static [&'static str] = &[$($text,)+];

            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(Arc::from(other)),
                }
            }

            /// The value as the service writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

open_enum! {
    /// `WorkflowStepExecutionStatus`.
    StepStatus {
        Pending = "PENDING",
        Skipped = "SKIPPED",
        Running = "RUNNING",
        Completed = "COMPLETED",
        Failed = "FAILED",
        Cancelled = "CANCELLED",
    }
}

open_enum! {
    /// `WorkflowStepExecutionRollbackStatus`.
    RollbackStatus {
        Running = "RUNNING",
        Completed = "COMPLETED",
        Skipped = "SKIPPED",
        Failed = "FAILED",
    }
}

open_enum! {
    /// `WorkflowExecutionStatus`.
    WorkflowStatus {
        Pending = "PENDING",
        Skipped = "SKIPPED",
        Running = "RUNNING",
        Completed = "COMPLETED",
        Failed = "FAILED",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        RollbackCompleted = "ROLLBACK_COMPLETED",
        Cancelled = "CANCELLED",
    }
}

open_enum! {
    /// `ImageStatus`.
    ImageStatus {
        Pending = "PENDING",
        Creating = "CREATING",
        Building = "BUILDING",
        Testing = "TESTING",
        Distributing = "DISTRIBUTING",
        Integrating = "INTEGRATING",
        Available = "AVAILABLE",
        Cancelled = "CANCELLED",
        Failed = "FAILED",
        Deprecated = "DEPRECATED",
        Deleted = "DELETED",
        Disabled = "DISABLED",
    }
}

impl StepStatus {
    /// Whether the step has ended, by its own status alone. A FAILED step may be retried, a
    /// COMPLETED one rolled back.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Skipped | Self::Completed | Self::Failed | Self::Cancelled
        )
    }
}

impl WorkflowStatus {
    /// Whether the execution has ended. ROLLBACK_IN_PROGRESS and unknown values have not.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Skipped
                | Self::Completed
                | Self::Failed
                | Self::RollbackCompleted
                | Self::Cancelled
        )
    }
}

impl ImageStatus {
    /// Whether its build has ended. With an unknown value it has not.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Available
                | Self::Cancelled
                | Self::Failed
                | Self::Deprecated
                | Self::Deleted
                | Self::Disabled
        )
    }
}

/// What happens when a step fails. Responses have `Abort`, the service's model has `ABORT`: case
/// has no meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OnFailure {
    Abort,
    Continue,
    Unknown(Arc<str>),
}

impl OnFailure {
    pub fn parse(text: &str) -> Self {
        if text.eq_ignore_ascii_case("abort") {
            Self::Abort
        } else if text.eq_ignore_ascii_case("continue") {
            Self::Continue
        } else {
            Self::Unknown(Arc::from(text))
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Abort => "Abort",
            Self::Continue => "Continue",
            Self::Unknown(text) => text,
        }
    }
}
