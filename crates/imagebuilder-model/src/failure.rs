//! The reason and the place of a failure: [`ImageFailure`] of an image build, and [`StepOutputs`]
//! of a step. All text in them is untrusted.

use crate::StepExecutionId;

/// The reason and the place of a failed build, from `state` of `GetImage` and
/// `ListImageBuildVersions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFailure {
    /// The reason in the words of the service, from `reason`.
    pub reason: Option<String>,
    /// The status that the image had when it failed, such as `BUILDING` or `DISTRIBUTING`, from
    /// `imageStatus`.
    pub stage: Option<String>,
    pub step: Option<String>,
    pub step_execution_id: Option<StepExecutionId>,
    /// The component's name in its ARN.
    pub component: Option<String>,
    pub phase: Option<String>,
    pub component_step: Option<String>,
    pub component_action: Option<String>,
    /// The error of the component's step, from `componentFailure.errorMessage`.
    pub component_error: Option<String>,
    /// The error of the distribution, from `distributionFailure.errorMessage`.
    pub distribution_error: Option<String>,
    /// The regions and accounts that the distribution did not reach.
    pub regions: Vec<RegionFailure>,
}

impl ImageFailure {
    /// Returns the failure with missing members from an earlier response about the same failure.
    #[must_use]
    pub fn or(self, earlier: &Self) -> Self {
        let or = |own: Option<String>, earlier: &Option<String>| own.or_else(|| earlier.clone());
        Self {
            reason: or(self.reason, &earlier.reason),
            stage: or(self.stage, &earlier.stage),
            step: or(self.step, &earlier.step),
            step_execution_id: self.step_execution_id.or(earlier.step_execution_id),
            component: or(self.component, &earlier.component),
            phase: or(self.phase, &earlier.phase),
            component_step: or(self.component_step, &earlier.component_step),
            component_action: or(self.component_action, &earlier.component_action),
            component_error: or(self.component_error, &earlier.component_error),
            distribution_error: or(self.distribution_error, &earlier.distribution_error),
            regions: match self.regions.is_empty() {
                true => earlier.regions.clone(),
                false => self.regions,
            },
        }
    }
}

/// A region and account that the distribution of an image did not reach, from `regionFailures`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionFailure {
    pub region: Option<String>,
    pub account_id: Option<String>,
    /// `FAILED`, `CANCELLED` or `TIMED_OUT`.
    pub status: Option<String>,
    /// The part of the distribution that failed, such as `EXPORT_AMI`, from
    /// `imageConfigurationStep`.
    pub configuration_step: Option<String>,
    pub error: Option<String>,
}

/// The values that are read from the `outputs` of a step. The rest of `outputs` can hold secrets and
/// is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StepOutputs {
    /// The error of the command that the step ran.
    pub error: Option<String>,
    /// The id of the Systems Manager command that the step ran.
    pub run_command_id: Option<String>,
    /// Where the log bundle of the command is: a path or URL in S3.
    pub log_url: Option<String>,
    /// The EC2 instance that the step launched.
    pub instance_id: Option<String>,
}

/// An AMI that the build of an image created, from `outputResources.amis`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ami {
    pub region: String,
    /// The account that owns the AMI; empty if the response lacks it.
    pub account_id: String,
    /// `ami-0abcdef1234567890`
    pub id: String,
}
