//! Once everything has settled, only the lists of the account and what is named one by one are polled.

use imagebuilder_exporter::api::Operation;
use proptest::prelude::*;

use crate::oracle::truth::Selectors;
use crate::oracle::world::Logged;

pub fn check(selectors: &Selectors, log: &[Logged]) -> Result<(), TestCaseError> {
    for call in log {
        let images = selectors.named_images.iter();
        let workflows = selectors.named_workflows.iter();
        let named = images.map(|arn| arn.as_str().to_owned());
        let mut named = named.chain(workflows.map(ToString::to_string));
        let allowed = match call.operation {
            Operation::ListImageBuildVersions | Operation::ListImagePipelines => true,
            Operation::GetImage | Operation::GetWorkflowExecution => {
                named.any(|named| named == call.id)
            }
            _ => false,
        };
        prop_assert!(allowed, "{call:?} though all is settled");
    }
    Ok(())
}
