//! Images and pipelines.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_imagebuilder::operation::get_image::GetImageOutput;
use aws_sdk_imagebuilder::operation::list_image_build_versions::ListImageBuildVersionsOutput;
use aws_sdk_imagebuilder::operation::list_image_pipelines::ListImagePipelinesOutput;
use aws_sdk_imagebuilder::types::{
    ImageLoggingConfiguration, ImagePipeline, ImageState, ImageSummary, OutputResources,
    PipelineStatus, RegionFailure as RegionFailureMember,
};

use super::members::{Members, check_id, check_status};
use super::text::{free_text, label, present};
use crate::api::{ApiError, ErrorKind, ImagePage, ListPage, Parsed};
use crate::model::{
    Ami, Image, ImageArn, ImageFailure, ImageStatus, Pipeline, PipelineArn, RegionFailure, Tags,
    Timestamp, resource_name,
};

/// Regions and accounts of one image that are kept: a distribution has a few dozen at most.
const MAX_REGIONS: usize = 200;

/// Parses a page of images. Entries without a valid ARN of this region are left out: the labels of
/// two images do not differ by region.
pub(in crate::aws) fn image_page(
    output: ListImageBuildVersionsOutput,
    region: &str,
) -> Parsed<ImagePage> {
    let of_region = |arn: &str| ImageArn::parse(arn).filter(|arn| arn.is_of_region(region));
    let mut members = Members::default();
    let mut images = Vec::new();
    for summary in output.image_summary_list.unwrap_or_default() {
        let Some(arn) = members.read("arn", summary.arn(), of_region) else {
            continue;
        };
        let image = members.summary(&arn, summary);
        images.push((arn, image));
    }
    members.page(images, output.next_token)
}

/// Parses an image.
///
/// # Errors
///
/// [`ErrorKind::Parse`] if the response has no status or is about another image.
pub(in crate::aws) fn image(
    output: GetImageOutput,
    requested: &ImageArn,
) -> Result<Parsed<Image>, ApiError> {
    let Some(image) = output.image else {
        return Err(ApiError::new(ErrorKind::Parse, "the response has no image"));
    };
    check_id("arn", image.arn(), requested.as_str())?;
    let status = image.state().and_then(|state| state.status());
    let status = ImageStatus::parse(check_status(status.map(|status| status.as_str()))?);
    let mut members = Members::default();
    let value = Image {
        arn: requested.clone(),
        created: members.read("dateCreated", image.date_created(), Timestamp::parse),
        name: present(image.name()).map(str::to_owned),
        failure: members.failure(image.state()),
        log_group: log_group(image.logging_configuration()),
        amis: amis(image.output_resources()),
        platform: image
            .platform()
            .map(|platform| platform.as_str().to_owned()),
        kind: image.r#type().map(|kind| kind.as_str().to_owned()),
        build_type: image.build_type().map(|kind| kind.as_str().to_owned()),
        pipeline: members.read(
            "sourcePipelineArn",
            image.source_pipeline_arn(),
            PipelineArn::parse,
        ),
        tags: tags(image.tags),
        status,
    };
    Ok(members.parsed(value))
}

/// Parses a page of pipelines. Entries without a valid ARN of this region are left out.
pub(in crate::aws) fn pipeline_page(
    output: ListImagePipelinesOutput,
    region: &str,
) -> Parsed<ListPage<Pipeline>> {
    let of_region = |arn: &str| PipelineArn::parse(arn).filter(|arn| arn.is_of_region(region));
    let mut members = Members::default();
    let mut pipelines = Vec::new();
    for pipeline in output.image_pipeline_list.unwrap_or_default() {
        let Some(arn) = members.read("arn", pipeline.arn(), of_region) else {
            continue;
        };
        let schedule = pipeline.schedule();
        let schedule = schedule.and_then(|schedule| schedule.schedule_expression());
        let status = pipeline.status().map(|status| status.as_str());
        let status = members.status_of_entry("status", status);
        let last_status = pipeline.last_run_status().map(|status| status.as_str());
        pipelines.push(Pipeline {
            arn,
            enabled: status.map(|status| status == PipelineStatus::Enabled.as_str()),
            schedule: present(schedule).map(str::to_owned),
            last_run_status: present(last_status).map(ImageStatus::parse),
            last_run: members.read("dateLastRun", pipeline.date_last_run(), Timestamp::parse),
            next_run: members.read("dateNextRun", pipeline.date_next_run(), Timestamp::parse),
            consecutive_failures: members
                .count("consecutiveFailures", pipeline.consecutive_failures()),
            recipe: members.recipe(&pipeline),
            platform: pipeline
                .platform()
                .map(|platform| platform.as_str().to_owned()),
            tags: tags(pipeline.tags),
        });
    }
    members.page(pipelines, output.next_token)
}

impl Members {
    /// Returns `None` if the summary has no status.
    fn summary(&mut self, arn: &ImageArn, summary: ImageSummary) -> Option<Image> {
        let status = summary.state().and_then(|state| state.status());
        let status = self.status_of_entry("state", status.map(|status| status.as_str()))?;
        let status = ImageStatus::parse(status);
        Some(Image {
            arn: arn.clone(),
            created: self.read("dateCreated", summary.date_created(), Timestamp::parse),
            name: present(summary.name()).map(str::to_owned),
            failure: self.failure(summary.state()),
            log_group: log_group(summary.logging_configuration()),
            amis: amis(summary.output_resources()),
            platform: summary
                .platform()
                .map(|platform| platform.as_str().to_owned()),
            kind: summary.r#type().map(|kind| kind.as_str().to_owned()),
            build_type: summary.build_type().map(|kind| kind.as_str().to_owned()),
            pipeline: None,
            tags: tags(summary.tags),
            status,
        })
    }

    fn failure(&mut self, state: Option<&ImageState>) -> Option<ImageFailure> {
        let state = state?;
        let context = state.failure_context();
        let component = context.and_then(|context| context.component_failure());
        let distribution = context.and_then(|context| context.distribution_failure());
        let regions = distribution.map_or(&[][..], |failure| failure.region_failures());
        let stage = context.and_then(|context| context.image_status());
        let step_execution_id = context.and_then(|context| context.step_execution_id());
        let arn = component.and_then(|component| component.component_arn());
        let name = |arn: &str| resource_name(arn, &["component"]).map(str::to_owned);
        let failure = ImageFailure {
            reason: free_text(state.reason()),
            stage: label(stage.map(|stage| stage.as_str())),
            step: label(context.and_then(|context| context.failed_step())),
            step_execution_id: self
                .read("stepExecutionId", step_execution_id, |id| id.parse().ok()),
            component: self.read("componentArn", arn, name),
            phase: label(component.and_then(|component| component.phase_name())),
            component_step: label(component.and_then(|component| component.step_name())),
            component_action: label(component.and_then(|component| component.action())),
            component_error: free_text(component.and_then(|failed| failed.error_message())),
            distribution_error: free_text(distribution.and_then(|failed| failed.error_message())),
            regions: regions
                .iter()
                .take(MAX_REGIONS)
                .map(region_failure)
                .collect(),
        };
        (failure != ImageFailure::default()).then_some(failure)
    }

    fn recipe(&mut self, pipeline: &ImagePipeline) -> Option<String> {
        let image = (
            "imageRecipeArn",
            "image-recipe",
            pipeline.image_recipe_arn(),
        );
        let container = (
            "containerRecipeArn",
            "container-recipe",
            pipeline.container_recipe_arn(),
        );
        [image, container]
            .into_iter()
            .find_map(|(member, kind, arn)| {
                self.read(member, arn, |arn| {
                    resource_name(arn, &[kind]).map(str::to_owned)
                })
            })
    }
}

fn region_failure(failure: &RegionFailureMember) -> RegionFailure {
    let step = failure.image_configuration_step();
    RegionFailure {
        region: label(failure.region()),
        account_id: label(failure.target_account_id()),
        status: label(failure.status().map(|status| status.as_str())),
        configuration_step: label(step.map(|step| step.as_str())),
        error: free_text(failure.error_message()),
    }
}

fn log_group(configuration: Option<&ImageLoggingConfiguration>) -> Option<String> {
    // The pattern of CloudWatch Logs. The page puts the name into a command.
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte);
    let is_group = |name: &&str| name.len() <= 512 && name.bytes().all(is_part);
    let name = present(configuration?.log_group_name()).filter(is_group);
    name.map(str::to_owned)
}

/// Returns the AMIs that have an id and are AVAILABLE.
fn amis(resources: Option<&OutputResources>) -> BTreeSet<Ami> {
    let amis = resources.map_or(&[][..], |resources| resources.amis());
    let available = amis.iter().filter(|ami| {
        let status = ami.state().and_then(|state| state.status());
        status.is_none_or(|status| *status == aws_sdk_imagebuilder::types::ImageStatus::Available)
    });
    let read = available.filter_map(|ami| {
        Some(Ami {
            region: label(ami.region()).unwrap_or_default(),
            account_id: label(ami.account_id()).unwrap_or_default(),
            id: label(ami.image()).filter(|id| id.starts_with("ami-"))?,
        })
    });
    // Sorted, so that the bound cuts the same AMIs each time.
    let read: BTreeSet<Ami> = read.collect();
    read.into_iter().take(MAX_REGIONS).collect()
}

fn tags(tags: Option<HashMap<String, String>>) -> Tags {
    tags.unwrap_or_default().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_imagebuilder::types;

    use super::*;

    #[test]
    fn log_group_has_the_pattern_of_cloudwatch_or_is_missing() {
        let read = |name: &str| {
            let configuration = ImageLoggingConfiguration::builder().log_group_name(name);
            log_group(Some(&configuration.build()))
        };
        for valid in ["/builds/golden", "a.b-c_d#1", &"a".repeat(512)] {
            assert_eq!(read(valid).as_deref(), Some(valid));
        }
        let too_long = "a".repeat(513);
        for invalid in [
            "",
            "a b",
            "file:///etc/passwd",
            "a\n",
            "$(id)",
            "\u{202e}a",
            &too_long,
        ] {
            assert_eq!(read(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn image_or_pipeline_of_another_region_or_partition_is_left_out() {
        let arn = |partition: &str, region: &str, resource: &str| {
            format!("arn:{partition}:imagebuilder:{region}:111122223333:{resource}")
        };
        let all = |resource: &str| {
            [
                ("aws", "us-west-2"),
                ("aws", "eu-west-1"),
                ("aws-cn", "us-west-2"),
            ]
            .map(|(partition, region)| arn(partition, region, resource))
        };
        let summary = |arn: String| {
            let state = ImageState::builder().status(types::ImageStatus::Available);
            let summary = ImageSummary::builder().arn(arn);
            summary.state(state.build()).build()
        };
        let summaries = all("image/golden/1.0.0/1").map(summary).into();
        let output = ListImageBuildVersionsOutput::builder();
        let output = output.set_image_summary_list(Some(summaries)).build();
        let images = image_page(output, "us-west-2");
        assert_eq!(images.value.entries.len(), 1);
        assert_eq!(images.value.entries[0].0.region(), "us-west-2");
        assert_eq!(images.unparsable, ["arn", "arn"]);
        let pipelines = all("image-pipeline/golden");
        let pipelines = pipelines.map(|arn| {
            let pipeline = ImagePipeline::builder().arn(arn);
            pipeline.status(PipelineStatus::Enabled).build()
        });
        let output = ListImagePipelinesOutput::builder();
        let output = output
            .set_image_pipeline_list(Some(pipelines.into()))
            .build();
        let pipelines = pipeline_page(output, "us-west-2");
        assert_eq!(pipelines.value.entries.len(), 1);
        assert_eq!(pipelines.unparsable, ["arn", "arn"]);
    }

    fn ami(region: &str, id: &str, status: Option<types::ImageStatus>) -> types::Ami {
        let state = status.map(|status| ImageState::builder().status(status).build());
        let ami = types::Ami::builder().region(region).image(id);
        ami.set_state(state).build()
    }

    #[test]
    fn amis_are_the_available_ones_each_once_and_bounded_in_one_order() {
        use types::ImageStatus::{Available, Failed};
        let read = |all: Vec<types::Ami>| {
            let resources = OutputResources::builder().set_amis(Some(all)).build();
            let ids = amis(Some(&resources)).into_iter().map(|ami| ami.id);
            ids.collect::<Vec<_>>()
        };
        let all = vec![
            ami("us-west-2", "ami-2", Some(Available)),
            ami("eu-west-1", "ami-1", None),
            ami("us-west-2", "ami-2", None),
            ami("us-west-2", "ami-3", Some(Failed)),
            ami("us-west-2", "7", None),
            ami("us-west-2", "", None),
        ];
        assert_eq!(read(all), ["ami-1", "ami-2"]);
        let many = (0..3_000).map(|at| ami("us-west-2", &format!("ami-{at:04}"), None));
        let mut many: Vec<_> = many.collect();
        let forward = read(many.clone());
        many.reverse();
        assert_eq!((forward.len(), &forward[0][..]), (MAX_REGIONS, "ami-0000"));
        assert_eq!(read(many), forward);
    }

    #[test]
    fn texts_of_a_failure_are_bounded() {
        let long = "ü".repeat(100_000);
        let component = types::ComponentFailureContext::builder()
            .phase_name(&long)
            .error_message(&long);
        let region = RegionFailureMember::builder().region(&long).build();
        let regions = vec![region; MAX_REGIONS + 1];
        let distribution = types::DistributionFailureContext::builder();
        let context = types::ImageFailureContext::builder()
            .component_failure(component.build())
            .distribution_failure(distribution.set_region_failures(Some(regions)).build());
        let state = ImageState::builder().reason(&long);
        let state = state.failure_context(context.build()).build();
        let failure = Members::default().failure(Some(&state)).unwrap();
        let length = |text: &Option<String>| text.as_ref().unwrap().len();
        assert_eq!(length(&failure.reason), 4_096);
        assert_eq!(length(&failure.component_error), 4_096);
        assert_eq!(length(&failure.phase), 256);
        assert_eq!(length(&failure.regions[0].region), 256);
        assert_eq!(failure.regions.len(), MAX_REGIONS);
    }
}
