//! Why a build failed, and where to look next: the facts that the page and the JSON show of it.

use super::builds::{Build, BuildState, Execution, Step};
use super::console;
use crate::model::{ImageArn, ImageFailure, ImageStatus, StepExecutionId, StepOutputs, StepStatus};

/// The reason of a failed build, and the place of its logs.
pub(super) struct BuildFailure<'a> {
    arn: &'a ImageArn,
    /// The failure from the service; `None` for a build of which only steps are known.
    pub reported: Option<&'a ImageFailure>,
    /// The step that failed, if it is tracked.
    pub step: Option<Step<'a>>,
    pub log_group: String,
    /// The version and the number of the build.
    pub log_stream: &'a str,
    /// The instance on which the failed step ran.
    pub instance_id: Option<&'a str>,
}

/// A command that shows more of a failure.
pub(super) struct ShellCommand {
    /// Names the command in the JSON.
    pub id: &'static str,
    pub title: &'static str,
    /// A line for a POSIX shell.
    pub line: String,
}

impl<'a> BuildFailure<'a> {
    /// `None` for a build that did not fail or whose image is unknown.
    pub(super) fn of(build: &Build<'a>) -> Option<Self> {
        let image = build.image;
        // An execution can fail in a build that ends well.
        let is_failed = build.state == BuildState::Failed
            && image.is_none_or(|image| image.failed() || !image.status.is_terminal());
        let arn = build.arn.filter(|_| is_failed)?;
        let reported = image.and_then(|image| Some(&image.failure.as_ref()?.failure));
        let (execution, step) = failed_step(build, reported).unzip();
        let name = image.map_or(arn.name(), |image| &image.name);
        let log_group = image.and_then(|image| image.log_group.as_deref());
        Some(Self {
            arn,
            reported,
            step,
            log_group: log_group.map_or_else(|| format!("/aws/imagebuilder/{name}"), str::to_owned),
            log_stream: arn.version(),
            instance_id: execution.and_then(instance_id),
        })
    }

    /// Returns the outputs of the failed step.
    pub(super) fn outputs(&self) -> Option<&'a StepOutputs> {
        self.step?.observed()?.values.outputs.as_deref()
    }

    /// The error of the failed step where the service says none of the component.
    pub(super) fn step_error(&self) -> Option<&'a str> {
        let component = self
            .reported
            .and_then(|reported| reported.component_error.as_ref());
        self.step?
            .observed()?
            .reason()
            .filter(|_| component.is_none())
    }

    /// The address of the build's log stream in the AWS console.
    pub(super) fn logs_url(&self) -> Option<String> {
        console::logs_url(self.arn, &self.log_group, self.log_stream)
    }

    /// Returns whether the build failed while it had an instance. The infrastructure configuration
    /// determines whether a failed build terminates it.
    pub(super) fn may_have_left_instance(&self) -> bool {
        let stage = self.reported.and_then(|reported| reported.stage.as_deref());
        let kept = [ImageStatus::Building, ImageStatus::Testing];
        stage.is_none_or(|stage| kept.iter().any(|status| status.as_str() == stage))
    }

    pub(super) fn commands(&self) -> Vec<ShellCommand> {
        let region = quoted(self.arn.region());
        let bundle = self
            .outputs()
            .and_then(|outputs| outputs.log_url.as_deref());
        let bundle = bundle.filter(|location| location.starts_with("s3://"));
        let mut commands = vec![ShellCommand {
            id: "logs",
            title: "Log of the build",
            line: format!(
                "aws logs filter-log-events --region {region} --log-group-name={} --log-stream-names={}",
                quoted(&self.log_group),
                quoted(self.log_stream)
            ),
        }];
        if let Some(id) = self
            .outputs()
            .and_then(|outputs| outputs.run_command_id.as_deref())
        {
            let line = match self.instance_id {
                Some(instance) => format!(
                    "aws ssm get-command-invocation --region {region} --command-id {} --instance-id {}",
                    quoted(id),
                    quoted(instance)
                ),
                None => format!(
                    "aws ssm list-command-invocations --region {region} --command-id {} --details",
                    quoted(id)
                ),
            };
            commands.push(ShellCommand {
                id: "run_command",
                title: "Output of the command",
                line,
            });
        }
        commands.extend(bundle.map(|location| ShellCommand {
            id: "log_bundle",
            title: "Files of the log bundle",
            line: format!("aws s3 ls --recursive {}", quoted(location)),
        }));
        if self.may_have_left_instance() {
            commands.push(ShellCommand {
                id: "instances",
                title: "Instances that were kept",
                line: format!(
                    "aws ec2 describe-instances --region {region} --filters {} {}",
                    quoted(&format!(
                        "Name=tag:Ec2ImageBuilderArn,Values={}",
                        self.arn.as_str()
                    )),
                    quoted("Name=instance-state-name,Values=pending,running,stopping,stopped")
                ),
            });
        }
        commands
    }
}

/// Returns the step that made the build fail, with its execution: the one that the service names,
/// else the last one that failed.
fn failed_step<'a, 'b>(
    build: &'b Build<'a>,
    reported: Option<&ImageFailure>,
) -> Option<(&'b Execution<'a>, Step<'a>)> {
    let named: Option<StepExecutionId> = reported.and_then(|reported| reported.step_execution_id);
    let executions = build.executions.iter().filter(|one| !one.superseded());
    let steps = executions.flat_map(|one| one.steps.iter().map(move |step| (one, *step)));
    let failed = |step: &Step<'_>| {
        { step.observed() }.is_some_and(|observed| observed.values.status == StepStatus::Failed)
    };
    match named {
        Some(id) => { steps }.find(|(_, step)| step.record.id == id),
        None => { steps.rev() }.find(|(_, step)| failed(step)),
    }
}

/// Returns the instance that a step of the execution launched.
fn instance_id<'a>(execution: &Execution<'a>) -> Option<&'a str> {
    let observed = execution.steps.iter().filter_map(Step::observed);
    let mut outputs = observed.filter_map(|observed| observed.values.outputs.as_deref());
    outputs.find_map(|outputs| outputs.instance_id.as_deref())
}

/// Returns the text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@+".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_word_of_a_shell() {
        assert_eq!(
            quoted("/aws/imagebuilder/Golden"),
            "/aws/imagebuilder/Golden"
        );
        assert_eq!(quoted("a b; it's $(id)"), r"'a b; it'\''s $(id)'");
        assert_eq!(quoted(""), "''");
    }
}
