//! Lists the operations that a target needs, and what is missing without one.

use super::Selection;
use crate::api::Operation;
use crate::config::Target;

/// Returns the operations that are needed for what `target` lists in `region`, each once; lists of the
/// account come first, then the calls about what they return. Empty where all that it lists is of
/// other regions.
pub fn needed_operations(target: &Target, region: &str) -> Vec<Operation> {
    let selection = Selection::new(target, region);
    let names_images = target
        .image_build_versions
        .iter()
        .any(|arn| arn.region() == region);
    let images = selection.asks_for_images() || names_images;
    let executions = images || !target.workflow_executions.is_empty();
    // A target without any list has step files, which list nothing yet.
    let lists_elsewhere = !target.image_build_versions.is_empty() || !target.pipelines.is_empty();
    let steps_to_come = target.step_executions.is_empty() && !executions && !lists_elsewhere;
    let steps = executions || !target.step_executions.is_empty() || steps_to_come;
    // One listed step is polled by itself.
    let step_lists = executions || target.step_executions.len() > 1 || steps_to_come;
    let all = [
        (
            Operation::ListImagePipelines,
            selection.asks_for_pipelines(),
        ),
        (
            Operation::ListImageBuildVersions,
            selection.asks_for_images(),
        ),
        (Operation::GetImage, images),
        (Operation::ListWorkflowExecutions, images),
        (Operation::GetWorkflowExecution, steps),
        (Operation::ListWorkflowStepExecutions, step_lists),
        (Operation::GetWorkflowStepExecution, steps),
    ];
    let needed = all.into_iter().filter(|(_, needed)| *needed);
    needed.map(|(operation, _)| operation).collect()
}

/// Returns the effect of a denied operation. `deploy/iam/README.md` has the same table.
pub fn without(operation: Operation) -> &'static str {
    match operation {
        Operation::ListImagePipelines => {
            "nothing selected by `pipelines` is discovered, and there are no pipeline metrics; needed for `pipelines` only"
        }
        Operation::ListImageBuildVersions => {
            "nothing is discovered; not needed if the configuration lists every resource"
        }
        Operation::GetImage => {
            "the pipeline that built an image is unknown: images selected by `pipelines` are not tracked, those selected by `images` are"
        }
        Operation::ListWorkflowExecutions => {
            "images and pipelines are exposed, but no workflow executions and steps"
        }
        Operation::GetWorkflowExecution => {
            "the end of a workflow is read from the list of its image; a listed step is polled less often for a day after its end"
        }
        Operation::ListWorkflowStepExecutions => {
            "steps are not discovered; listed and known steps are polled one by one, which takes more calls"
        }
        Operation::GetWorkflowStepExecution => "steps have no timeout and no info series",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// The operations that a target with this list needs in us-west-2.
    fn needed(list: &str) -> Vec<&'static str> {
        let text = format!("targets: [{{name: t, regions: [us-west-2, eu-west-1], {list}}}]");
        needed_of(&text)
    }

    fn needed_of(text: &str) -> Vec<&'static str> {
        let config = Config::read("test.yaml", text, &|_| None).unwrap().config;
        let operations = needed_operations(&config.targets[0], "us-west-2");
        operations.into_iter().map(Operation::as_str).collect()
    }

    fn of_one_region(list: &str) -> Vec<&'static str> {
        needed_of(&format!(
            "targets: [{{name: t, regions: [us-west-2], {list}}}]"
        ))
    }

    const DOWN: [&str; 3] = [
        "GetWorkflowExecution",
        "ListWorkflowStepExecutions",
        "GetWorkflowStepExecution",
    ];
    const IMAGES: [&str; 5] = [
        "GetImage",
        "ListWorkflowExecutions",
        DOWN[0],
        DOWN[1],
        DOWN[2],
    ];

    #[test]
    fn pipelines_need_all_and_images_all_but_the_list_of_pipelines() {
        let all = needed("pipelines: ['golden-*']");
        assert_eq!(all[..2], ["ListImagePipelines", "ListImageBuildVersions"]);
        assert_eq!(all[2..], IMAGES);
        let images = needed("images: ['golden-*']");
        assert_eq!(images[0], "ListImageBuildVersions");
        assert_eq!(images[1..], IMAGES);
    }

    #[test]
    fn what_is_named_one_by_one_needs_no_list_of_the_account() {
        let arn = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1";
        assert_eq!(needed(&format!("image_build_versions: ['{arn}']")), IMAGES);
        let workflow = "workflow_executions: [wf-00000000-0000-0000-0000-000000000001]";
        assert_eq!(of_one_region(workflow), DOWN);
        let steps = "step_executions: [step-00000000-0000-0000-0000-000000000001, step-00000000-0000-0000-0000-000000000002]";
        assert_eq!(of_one_region(steps), DOWN);
        assert_eq!(of_one_region("step_executions_files: [none/*.yaml]"), DOWN);
    }

    #[test]
    fn page_on_permissions_has_the_table_of_denied_operations() {
        let page = include_str!("../../deploy/iam/README.md");
        for operation in Operation::ALL {
            let row = format!("| `{}` | {} |\n", operation.as_str(), without(operation));
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn one_step_is_polled_by_itself() {
        let step = "step_executions: [step-00000000-0000-0000-0000-000000000001]";
        assert_eq!(of_one_region(step), [DOWN[0], DOWN[2]]);
    }

    #[test]
    fn what_is_of_another_region_needs_nothing_here() {
        let image = "arn:aws:imagebuilder:eu-west-1:111122223333:image/golden/1.0.0/1";
        let pipeline = "arn:aws:imagebuilder:eu-west-1:111122223333:image-pipeline/golden";
        assert!(needed(&format!("image_build_versions: ['{image}']")).is_empty());
        assert!(needed(&format!("pipelines: ['{pipeline}']")).is_empty());
    }
}
