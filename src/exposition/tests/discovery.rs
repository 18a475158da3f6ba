//! Workflow executions, images, pipelines, and how they are looked for.

mod failures;
mod workflows;

use std::sync::Arc;

use super::*;
use crate::model::{
    Ami, Image, ImageFailure, ImageStatus, Pipeline, PipelineArn, StepTotals, WorkflowExecution,
    WorkflowExecutionId, WorkflowStatus,
};
use crate::snapshot::{
    AvailableBuild, ImageName, ImageNameRecord, ImageRecord, PipelineRecord, Records, SelectorKind,
    SelectorRecord, WorkflowRecord,
};

const REGION: &str = "us-west-2";
const WORKFLOW: &str = "account_id=\"111122223333\",region=\"us-west-2\",image=\"golden\",\
    workflow=\"build-image\",workflow_execution_id=\"wf-165b0d0a-657c-4b7e-8706-ff24da9afa01\",\
    team=\"platform\"";
const IMAGE: &str = "account_id=\"111122223333\",region=\"us-west-2\",image=\"golden\",\
    image_version=\"1.0.0/1\",team=\"platform\"";
const PIPELINE: &str = "account_id=\"111122223333\",region=\"us-west-2\",pipeline=\"nightly\",\
    team=\"platform\"";

fn own() -> LabelText {
    LabelText::new([("team", "platform")])
}

fn tags() -> LabelText {
    LabelText::new([("tag_env", "a\"b")])
}

fn image_arn(version: usize) -> ImageArn {
    let arn = format!("arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/{version}");
    ImageArn::parse(&arn).unwrap()
}

fn pipeline_arn(name: &str) -> PipelineArn {
    let arn = format!("arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/{name}");
    PipelineArn::parse(&arn).unwrap()
}

fn execution(status: WorkflowStatus) -> WorkflowExecution {
    let step = response(StepStatus::Running);
    WorkflowExecution {
        workflow: step.workflow,
        image: step.image,
        start: Some(START),
        totals: Some(StepTotals {
            planned: 7,
            succeeded: 3,
            failed: 1,
            skipped: 0,
        }),
        parallel_group: Some("group-1".into()),
        ..WorkflowExecution::with_status(status)
    }
}

fn workflow(answer: &WorkflowExecution) -> WorkflowRecord {
    let id = "wf-165b0d0a-657c-4b7e-8706-ff24da9afa01".parse().unwrap();
    WorkflowRecord::unseen(id, own(), tags()).after_response(answer, REGION)
}

fn image(status: ImageStatus) -> Image {
    Image {
        created: Some(START),
        platform: Some("Linux".into()),
        kind: Some("AMI".into()),
        build_type: Some("SCHEDULED".into()),
        pipeline: Some(pipeline_arn("nightly")),
        ..Image::with_status(image_arn(1), status)
    }
}

fn image_record(image: &Image) -> ImageRecord {
    ImageRecord::new(image, own(), tags(), REGION)
}

fn newest() -> Arc<AvailableBuild> {
    let ami = |region: &str| Ami {
        region: region.into(),
        account_id: "111122223333".into(),
        id: format!("ami-of-{region}"),
    };
    Arc::new(AvailableBuild {
        created: START,
        version: "1.0.0/1".into(),
        amis: [ami("us-west-2"), ami("eu-west-1"), ami("us-west-2")].into(),
    })
}

fn pipeline() -> Pipeline {
    Pipeline {
        arn: pipeline_arn("nightly"),
        enabled: Some(true),
        platform: Some("Linux".into()),
        schedule: Some("cron(0 10 * * ? *)".into()),
        last_run_status: Some(ImageStatus::Failed),
        last_run: Some(START),
        next_run: Some(after(86_400_000)),
        consecutive_failures: Some(2),
        recipe: None,
        tags: Default::default(),
    }
}

/// Of every kind some, with this text wherever there can be any.
pub(super) fn store(target: usize, count: usize, own: &str, text: &str, status: &str) -> Records {
    let mut store = Records::default();
    let own = LabelText::new([("team", own)]);
    for at in 0..count {
        let number = target * 100 + at + 1;
        let id: WorkflowExecutionId = format!("wf-00000000-0000-0000-0000-{number:012}")
            .parse()
            .unwrap();
        let record = WorkflowRecord::unseen(id, own.clone(), LabelText::default());
        store.workflows.put(match at {
            0 => record,
            _ => record.after_response(
                &WorkflowExecution {
                    parallel_group: Some(text.into()),
                    retried: Some(at.is_multiple_of(2)),
                    ..execution(WorkflowStatus::parse(status))
                },
                REGION,
            ),
        });
        let image = Image {
            arn: image_arn(number),
            platform: Some(text.into()),
            failure: Some(ImageFailure {
                step: Some(text.into()),
                component_action: Some(text.into()),
                ..ImageFailure::default()
            }),
            ..image(ImageStatus::parse(status))
        };
        let info = LabelText::default();
        let record = ImageRecord::new(&image, own.clone(), info.clone(), REGION);
        store.images.put(record);
        let pipeline = Pipeline {
            arn: pipeline_arn(&format!("nightly-{number}")),
            schedule: Some(text.into()),
            last_run_status: Some(ImageStatus::parse(status)),
            ..pipeline()
        };
        let record = PipelineRecord::new(
            &pipeline,
            own.clone(),
            info,
            REGION,
            Timestamp::from_millis(0),
        );
        store.pipelines.put(record);
        let name = ImageName {
            account_id: "111122223333".into(),
            name: format!("golden-{number}").into(),
        };
        let record = ImageNameRecord::new(name, own.clone(), newest(), REGION);
        store.image_names.put(record);
        let selector = format!("{at}{text}");
        let record = SelectorRecord::new(SelectorKind::Images, &selector, at);
        store.selectors.put(record);
        store.discovered = Some(START);
    }
    store
}

fn scrape_of(fill: impl FnOnce(&mut Records)) -> Scrape {
    let mut store = Records::default();
    fill(&mut store);
    let mut scrape = scrape([], after(1_250));
    scrape.sources[0].snapshot = store.snapshot();
    scrape
}

fn sparse(scrape: Scrape) -> Scrape {
    Scrape {
        status_format: StatusFormat::Sparse,
        ..scrape
    }
}

/// The samples of the families that begin so, the same in both formats, with `ID` for what says
/// which thing it is.
fn shown(scrape: Scrape, family: &str, id: &str) -> String {
    let [text, open_metrics] = [Format::Text, Format::OpenMetrics].map(|format| {
        rendered(scrape.clone(), format)
            .lines()
            .filter(|line| line.starts_with(family))
            .map(|line| format!("{}\n", line.replace(id, "ID")))
            .collect::<String>()
    });
    assert_eq!(text, open_metrics);
    text
}

/// Of one family, the label that comes behind the identity and the value.
fn behind_id(scrape: Scrape, family: &str, id: &str) -> Vec<String> {
    let prefix = format!("{family}{{ID");
    let text = shown(scrape, family, id);
    let behind = text.lines().map(|line| line.strip_prefix(&prefix).unwrap());
    behind
        .map(|rest| rest.trim_start_matches([',', '}', ' ']).to_owned())
        .collect()
}

fn expected(text: &str) -> String {
    text.lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect()
}

#[test]
fn image_exposes_all_its_series() {
    let testing = image_record(&image(ImageStatus::Testing));
    let scrape = scrape_of(|store| store.images.put(testing));
    assert_eq!(
        shown(scrape.clone(), "imagebuilder_image_", IMAGE),
        expected(
            r#"imagebuilder_image_info{ID,target="production",pipeline="nightly",platform="Linux",type="AMI",build_type="SCHEDULED",image_build_version_arn="arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1",tag_env="a\"b"} 1
            imagebuilder_image_status{ID,status="PENDING"} 0
            imagebuilder_image_status{ID,status="CREATING"} 0
            imagebuilder_image_status{ID,status="BUILDING"} 0
            imagebuilder_image_status{ID,status="TESTING"} 1
            imagebuilder_image_status{ID,status="DISTRIBUTING"} 0
            imagebuilder_image_status{ID,status="INTEGRATING"} 0
            imagebuilder_image_status{ID,status="AVAILABLE"} 0
            imagebuilder_image_status{ID,status="CANCELLED"} 0
            imagebuilder_image_status{ID,status="FAILED"} 0
            imagebuilder_image_status{ID,status="DEPRECATED"} 0
            imagebuilder_image_status{ID,status="DELETED"} 0
            imagebuilder_image_status{ID,status="DISABLED"} 0
            imagebuilder_image_created_timestamp_seconds{ID} 1788981143.418"#
        )
    );
    let status = "imagebuilder_image_status";
    let only = behind_id(sparse(scrape), status, IMAGE);
    assert_eq!(only, [r#"status="TESTING"} 1"#]);
}

#[test]
fn last_available_build_is_exposed_by_name() {
    let name = ImageName::of(&image_arn(1));
    let record = ImageNameRecord::new(name, own(), newest(), REGION);
    let scrape = scrape_of(|store| store.image_names.put(record));
    assert_eq!(
        shown(scrape, "imagebuilder_image_", IMAGE),
        "imagebuilder_image_last_available_timestamp_seconds{account_id=\"111122223333\",\
         region=\"us-west-2\",image=\"golden\",team=\"platform\"} 1788981143.418\n\
         imagebuilder_image_output_info{account_id=\"111122223333\",region=\"us-west-2\",\
         image=\"golden\",team=\"platform\",image_version=\"1.0.0/1\",output_region=\"eu-west-1\",\
         output_account_id=\"111122223333\",ami_id=\"ami-of-eu-west-1\"} 1\n\
         imagebuilder_image_output_info{account_id=\"111122223333\",region=\"us-west-2\",\
         image=\"golden\",team=\"platform\",image_version=\"1.0.0/1\",output_region=\"us-west-2\",\
         output_account_id=\"111122223333\",ami_id=\"ami-of-us-west-2\"} 1\n"
    );
}

#[test]
fn pipeline_exposes_all_its_series() {
    let record = listed(&pipeline(), after(0));
    let scrape = scrape_of(|store| store.pipelines.put(record));
    let statuses = behind_id(
        scrape.clone(),
        "imagebuilder_pipeline_last_run_status",
        PIPELINE,
    );
    assert_eq!(statuses.len(), ImageStatus::KNOWN.len());
    assert!(statuses.contains(&r#"status="FAILED"} 1"#.to_owned()));
    assert_eq!(
        shown(sparse(scrape), "imagebuilder_pipeline_", PIPELINE),
        expected(
            r#"imagebuilder_pipeline_info{ID,target="production",platform="Linux",schedule="cron(0 10 * * ? *)",tag_env="a\"b"} 1
            imagebuilder_pipeline_enabled{ID} 1
            imagebuilder_pipeline_last_run_status{ID,status="FAILED"} 1
            imagebuilder_pipeline_last_run_timestamp_seconds{ID} 1788981143.418
            imagebuilder_pipeline_next_run_timestamp_seconds{ID} 1789067543.418
            imagebuilder_pipeline_consecutive_failures{ID} 2"#
        )
    );
}

#[test]
fn pipeline_without_runs_exposes_no_run() {
    let never = Pipeline::with_arn(pipeline_arn("nightly"));
    let record = listed(&never, after(0));
    let scrape = scrape_of(|store| store.pipelines.put(record));
    for scrape in [scrape.clone(), sparse(scrape)] {
        assert_eq!(
            shown(scrape, "imagebuilder_pipeline_", PIPELINE),
            "imagebuilder_pipeline_info{ID,target=\"production\",tag_env=\"a\\\"b\"} 1\n"
        );
    }
}

fn listed(pipeline: &Pipeline, at: Timestamp) -> PipelineRecord {
    PipelineRecord::new(pipeline, own(), tags(), REGION, at)
}

#[test]
fn run_is_overdue_where_the_list_after_its_time_shows_none() {
    const DAY: u64 = 86_400_000;
    let overdue = |pipeline: &Pipeline, at| {
        let record = listed(pipeline, after(at));
        let scrape = scrape_of(|store| store.pipelines.put(record));
        behind_id(
            scrape,
            "imagebuilder_pipeline_run_overdue_seconds",
            PIPELINE,
        )
    };
    assert!(overdue(&pipeline(), DAY).is_empty());
    assert_eq!(overdue(&pipeline(), DAY + 2_500), ["2.5"]);
    let disabled = Pipeline {
        enabled: Some(false),
        ..pipeline()
    };
    assert!(overdue(&disabled, DAY + 2_500).is_empty());
    let started = Pipeline {
        last_run: Some(after(DAY)),
        ..pipeline()
    };
    assert!(overdue(&started, DAY + 2_500).is_empty());
}

#[test]
fn sources_expose_their_last_discovery_and_selection() {
    let scrape = scrape_of(|store| {
        let globs = SelectorRecord::new(SelectorKind::Pipelines, "golden-\\*", 0);
        store.selectors.put(globs);
        store.discovered = Some(START);
    });
    let source = "target=\"production\",region=\"us-west-2\"";
    assert_eq!(
        shown(scrape.clone(), "imagebuilder_exporter_discovery_", source),
        "imagebuilder_exporter_discovery_last_success_timestamp_seconds{ID} 1788981143.418\n\
         imagebuilder_exporter_discovery_age_seconds{ID} 1.25\n"
    );
    assert_eq!(
        shown(scrape, "imagebuilder_exporter_selector_", source),
        r#"imagebuilder_exporter_selector_matches{ID,kind="pipelines",selector="golden-\\*"} 0"#
            .to_owned()
            + "\n"
    );
    let never = scrape_of(|_| {});
    assert_eq!(shown(never, "imagebuilder_exporter_discovery_", source), "");
}

#[test]
fn step_seen_in_a_list_alone_has_no_info_and_tags_are_on_it_alone() {
    let mut listed = StepRecord {
        full: false,
        ..running()
    };
    listed.set_info_labels(tags());
    let full = StepRecord {
        full: true,
        ..listed.clone()
    };
    assert!(values(scrape([listed], START), "info").is_empty());
    let text = rendered(scrape([full], START), Format::Text);
    let tagged: Vec<_> = text.lines().filter(|line| line.contains("tag_")).collect();
    assert_eq!(tagged.len(), 1);
    assert!(tagged[0].starts_with("imagebuilder_workflow_step_info{"));
    assert!(tagged[0].ends_with(",tag_env=\"a\\\"b\"} 1"));
}
