//! The two lists of an account that discovery passes read.

use crate::api::{Account, Call, Operation};
use crate::snapshot::SelectorKind;

/// One of the two lists of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccountList {
    Images,
    Pipelines,
}

impl AccountList {
    pub(super) fn call(self) -> Call {
        match self {
            Self::Images => Call::ListImageBuildVersions(Account),
            Self::Pipelines => Call::ListImagePipelines(Account),
        }
    }

    pub(super) fn operation(self) -> Operation {
        self.call().operation()
    }

    pub(super) fn kind(self) -> SelectorKind {
        match self {
            Self::Images => SelectorKind::Images,
            Self::Pipelines => SelectorKind::Pipelines,
        }
    }
}
