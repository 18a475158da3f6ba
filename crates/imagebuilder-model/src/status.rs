//! The service's enumerations. Each keeps the text of an unknown value.

use std::fmt;
use std::sync::Arc;

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($variant,)+
            /// A value that the known version of the service's model lacks.
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

            /// Returns the value as the service writes it.
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
    /// Returns whether the step has ended, by its own status alone. A FAILED step may be retried,
    /// and a COMPLETED one rolled back.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Skipped | Self::Completed | Self::Failed | Self::Cancelled
        )
    }
}

impl WorkflowStatus {
    /// Returns whether the execution has ended; `false` for ROLLBACK_IN_PROGRESS and unknown values.
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
    /// Returns whether the build is AVAILABLE, or has been before it was deprecated or disabled.
    pub fn was_available(&self) -> bool {
        matches!(self, Self::Available | Self::Deprecated | Self::Disabled)
    }

    /// Returns whether the build has ended; `false` for an unknown value.
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

/// The consequence of a failed step. Responses have `Abort`, the service's model has `ABORT`: case
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
