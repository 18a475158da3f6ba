//! Amazon's managed workflows, and the defaults of its step actions.
//!
//! Source: the managed workflow documents and the page on step actions of the Image Builder user
//! guide; durations are what such builds commonly take.

use super::pipeline::Platform;
use super::span::{Range, Span};
use super::step::{Failure, RollbackOutcome};
use super::workflow::Managed;

pub(crate) struct ManagedStep {
    pub(crate) name: &'static str,
    pub(crate) action: &'static str,
    pub(crate) on_failure: Failure,
    /// Runs there only; elsewhere it is skipped.
    pub(crate) platform: Option<Platform>,
    /// Skipped unless a scenario says otherwise.
    pub(crate) optional: bool,
}

impl Managed {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BuildImage => "build-image",
            Self::TestImage => "test-image",
        }
    }
}

pub(crate) fn steps(managed: Managed) -> &'static [ManagedStep] {
    match managed {
        Managed::BuildImage => &BUILD_IMAGE,
        Managed::TestImage => &TEST_IMAGE,
    }
}

/// The defaults of an action, for a step that sets nothing else.
pub(crate) struct ActionDefaults {
    pub(crate) timeout: Span,
    pub(crate) duration: Range,
    /// The result of a rollback; most actions have nothing to roll back.
    pub(crate) rollback: RollbackOutcome,
}

pub(crate) fn action(name: &str) -> ActionDefaults {
    // The service's model ends timeouts at twelve hours, so WaitForAction's three days do too.
    let (timeout_minutes, from, to) = match name {
        "LaunchInstance" => (75, 100, 200),
        "ExecuteComponents" | "RunCommand" => (720, 420, 900),
        "CollectImageMetadata" => (30, 20, 60),
        "CollectImageScanFindings" => (120, 60, 180),
        "SanitizeInstance" | "RunSysPrep" => (60, 10, 40),
        "BootstrapInstanceForContainer" | "WaitForSSMAgent" => (60, 60, 120),
        "CreateImage" => (720, 240, 600),
        "TerminateInstance" => (30, 5, 15),
        "RegisterImage" => (540, 60, 300),
        "DistributeImage" | "ApplyImageConfigurations" | "ExecuteStateMachine" => (360, 180, 600),
        "ModifyImageAttributes" | "DistributeContainerImage" => (120, 30, 90),
        "WaitForAction" => (720, 600, 1800),
        _ => (720, 60, 120),
    };
    ActionDefaults {
        timeout: Span::from_secs(timeout_minutes * 60),
        duration: Range::between(Span::from_secs(from), Span::from_secs(to)),
        rollback: match name {
            "LaunchInstance" | "CollectImageMetadata" => RollbackOutcome::Completed,
            _ => RollbackOutcome::Skipped,
        },
    }
}

const fn step(name: &'static str, action: &'static str) -> ManagedStep {
    ManagedStep {
        name,
        action,
        on_failure: Failure::Abort,
        platform: None,
        optional: false,
    }
}

const BUILD_IMAGE: [ManagedStep; 7] = [
    step("LaunchBuildInstance", "LaunchInstance"),
    step("ApplyBuildComponents", "ExecuteComponents"),
    step("InventoryCollection", "CollectImageMetadata"),
    ManagedStep {
        platform: Some(Platform::Linux),
        ..step("RunSanitizeScript", "SanitizeInstance")
    },
    ManagedStep {
        platform: Some(Platform::Windows),
        ..step("RunSysPrepScript", "RunSysPrep")
    },
    step("CreateOutputAMI", "CreateImage"),
    ManagedStep {
        on_failure: Failure::Continue,
        ..step("TerminateBuildInstance", "TerminateInstance")
    },
];

const TEST_IMAGE: [ManagedStep; 4] = [
    step("LaunchTestInstance", "LaunchInstance"),
    ManagedStep {
        on_failure: Failure::Continue,
        optional: true,
        ..step("CollectImageScanFindings", "CollectImageScanFindings")
    },
    step("ApplyTestComponents", "ExecuteComponents"),
    ManagedStep {
        on_failure: Failure::Continue,
        ..step("TerminateTestInstance", "TerminateInstance")
    },
];
