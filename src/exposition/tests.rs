//! Records go in, text is compared.

mod discovery;
mod finished;

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::buffers::*;
use super::*;
use crate::api::{ErrorKind, Operation};
use crate::config::StatusFormat;
use crate::finished::FinishedSnapshot;
use crate::labels::LabelText;
use crate::model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepStatus, Timestamp,
    WorkflowArn,
};
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::store::{Observation, Phase, StepRecord, StepStore, StoreSnapshot};

const ID: &str = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01";
const IDENTITY: &str = "account_id=\"111122223333\",region=\"us-west-2\",image=\"golden\",\
    workflow=\"build-image\",step=\"ApplyBuildComponents\",\
    step_execution_id=\"step-2e6fef0d-657c-4b7e-8706-ff24da9afa01\"";
const POLL: &str = "target=\"production\",region=\"us-west-2\",\
    step_execution_id=\"step-2e6fef0d-657c-4b7e-8706-ff24da9afa01\"";
const START: Timestamp = Timestamp::from_millis(1_788_981_143_418);

fn after(millis: u64) -> Timestamp {
    START.plus(Duration::from_millis(millis))
}

fn unseen() -> StepRecord {
    StepRecord::unseen(ID.parse().unwrap(), LabelText::new([]))
}

/// What the service tells of a step that it has told everything of.
fn answer(status: StepStatus) -> StepExecution {
    StepExecution {
        name: Some("ApplyBuildComponents".into()),
        action: Some("ExecuteComponents".into()),
        on_failure: Some(OnFailure::Abort),
        workflow_execution_id: "wf-165b0d0a-657c-4b7e-8706-ff24da9afa01".parse().ok(),
        workflow: WorkflowArn::parse(
            "arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1",
        ),
        image: ImageArn::parse("arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1"),
        start: Some(START),
        timeout_seconds: Some(60),
        ..StepExecution::with_status(status)
    }
}

fn seen(answer: StepExecution) -> StepRecord {
    StepRecord {
        full: true,
        ..unseen().answered(answer, "us-west-2", after(500))
    }
}

fn running() -> StepRecord {
    seen(answer(StepStatus::Running))
}

fn ended(status: StepStatus, millis: u64) -> StepRecord {
    seen(StepExecution {
        end: Some(after(millis)),
        ..answer(status)
    })
}

fn store_of(records: impl IntoIterator<Item = StepRecord>) -> StoreSnapshot {
    StoreSnapshot {
        steps: StepStore::new(records).snapshot(),
        ..StoreSnapshot::default()
    }
}

fn scrape(records: impl IntoIterator<Item = StepRecord>, now: Timestamp) -> Scrape {
    Scrape {
        now,
        status_format: StatusFormat::Stateset,
        message_labels: false,
        sources: vec![Source {
            target: "production".into(),
            region: "us-west-2".into(),
            store: store_of(records),
            up: None,
            metrics: Arc::new(PollerMetrics::new("production", "us-west-2")),
        }],
        finished: FinishedSnapshot::default(),
        process: Arc::new(ProcessMetrics::new(&[])),
    }
}

fn rendered(scrape: Scrape, format: Format) -> String {
    let mut out = Vec::new();
    let mut exposition = Exposition::new(scrape, format);
    assert!(!exposition.write(&mut out, usize::MAX));
    String::from_utf8(out).unwrap()
}

/// The samples of the step families, without those of the polling.
fn samples_of(scrape: Scrape) -> String {
    rendered(scrape, Format::Text)
        .lines()
        .filter(|line| line.starts_with("imagebuilder_workflow_") && !line.contains(POLL))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The values of a family's series, with the labels that come behind the identity.
fn values(scrape: Scrape, family: &str) -> Vec<String> {
    let prefix = format!("imagebuilder_workflow_step_{family}{{");
    rendered(scrape, Format::Text)
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .map(|line| {
            line.trim_start_matches(IDENTITY)
                .trim_start_matches(POLL)
                .trim_start_matches([',', '}', ' '])
                .to_owned()
        })
        .collect()
}

#[test]
fn running_step_shows_everything_that_is_known_of_it() {
    let expected = "\
        imagebuilder_workflow_step_info{ID,target=\"production\",action=\"ExecuteComponents\",on_failure=\"Abort\",image_version=\"1.0.0/1\",workflow_type=\"build\",workflow_version=\"1.0.3/1\",workflow_execution_id=\"wf-165b0d0a-657c-4b7e-8706-ff24da9afa01\",image_build_version_arn=\"arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1\",workflow_build_version_arn=\"arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1\"} 1
        imagebuilder_workflow_step_status{ID,status=\"PENDING\"} 0
        imagebuilder_workflow_step_status{ID,status=\"SKIPPED\"} 0
        imagebuilder_workflow_step_status{ID,status=\"RUNNING\"} 1
        imagebuilder_workflow_step_status{ID,status=\"COMPLETED\"} 0
        imagebuilder_workflow_step_status{ID,status=\"FAILED\"} 0
        imagebuilder_workflow_step_status{ID,status=\"CANCELLED\"} 0
        imagebuilder_workflow_step_rollback_status{ID,status=\"RUNNING\"} 0
        imagebuilder_workflow_step_rollback_status{ID,status=\"COMPLETED\"} 0
        imagebuilder_workflow_step_rollback_status{ID,status=\"SKIPPED\"} 0
        imagebuilder_workflow_step_rollback_status{ID,status=\"FAILED\"} 0
        imagebuilder_workflow_step_start_time_seconds{ID} 1788981143.418
        imagebuilder_workflow_step_duration_seconds{ID} 1.25
        imagebuilder_workflow_step_timeout_seconds{ID} 60
        imagebuilder_workflow_step_timeout_breached{ID} 0
        imagebuilder_workflow_step_waiting_for_action{ID} 0
        "
    .replace("        ", "")
    .replace("{ID", &format!("{{{IDENTITY}"));
    assert_eq!(samples_of(scrape([running()], after(1_250))), expected);
}

#[test]
fn step_never_seen_shows_only_its_polling() {
    assert_eq!(samples_of(scrape([unseen()], START)), "");
    assert_eq!(
        values(scrape([unseen()], START), "last_poll_success"),
        ["0"]
    );
    assert_eq!(values(scrape([unseen()], START), "settled"), ["0"]);
    let never = values(scrape([unseen()], START), "last_success_timestamp_seconds");
    assert!(never.is_empty());
}

#[test]
fn polling_is_shown_of_seen_failed_and_settled_steps() {
    let failed = running().unanswered(ErrorKind::Timeout, START);
    assert_eq!(
        values(scrape([running()], START), "last_poll_success"),
        ["1"]
    );
    assert_eq!(
        values(scrape([failed.clone()], START), "last_poll_success"),
        ["0"]
    );
    assert_eq!(
        values(scrape([failed], START), "last_success_timestamp_seconds"),
        ["1788981143.918"]
    );
    for (phase, shown) in [
        (Phase::Active, "0"),
        (Phase::Settled, "1"),
        (Phase::Gone, "0"),
    ] {
        let record = StepRecord { phase, ..running() };
        assert_eq!(values(scrape([record], START), "settled"), [shown]);
    }
}

#[test]
fn duration_of_a_running_step_moves_with_the_scrape_and_stops_with_the_polling() {
    let duration = |record: StepRecord, millis| {
        values(scrape([record], after(millis)), "duration_seconds").join(" ")
    };
    assert_eq!(duration(running(), 1_000), "1");
    assert_eq!(duration(running(), 2_000), "2");
    let early = StepRecord {
        observed: running().observed.map(|observed| Observation {
            start: Some(after(5_000)),
            ..observed
        }),
        ..running()
    };
    assert_eq!(duration(early, 1_000), "0");
    let gone = StepRecord {
        phase: Phase::Gone,
        ..running()
    };
    assert_eq!(duration(gone, 2_000), "0.5");
    assert_eq!(
        duration(ended(StepStatus::Completed, 147_404), 999_000),
        "147.404"
    );
    assert_eq!(duration(seen(answer(StepStatus::Completed)), 999_000), "");
}

#[test]
fn timeout_is_breached_while_running_and_by_failing_at_it() {
    let breached = |record: StepRecord, millis| {
        values(scrape([record], after(millis)), "timeout_breached").join(" ")
    };
    assert_eq!(breached(running(), 59_999), "0");
    assert_eq!(breached(running(), 60_000), "1");
    assert_eq!(breached(ended(StepStatus::Failed, 58_999), 0), "0");
    assert_eq!(breached(ended(StepStatus::Failed, 59_000), 0), "1");
    assert_eq!(breached(ended(StepStatus::Completed, 61_000), 0), "0");
    let without = StepExecution {
        timeout_seconds: None,
        ..answer(StepStatus::Running)
    };
    assert_eq!(breached(seen(without.clone()), 60_000), "");
    let timeouts = values(scrape([seen(without)], START), "timeout_seconds");
    assert!(timeouts.is_empty());
}

#[test]
fn budget_is_exceeded_above_it() {
    let mut record = running();
    record.observed.as_mut().unwrap().budget_millis = Some(45_000);
    let at = |millis| scrape([record.clone()], after(millis));
    assert_eq!(values(at(0), "budget_seconds"), ["45"]);
    assert_eq!(values(at(45_000), "budget_exceeded"), ["0"]);
    assert_eq!(values(at(45_001), "budget_exceeded"), ["1"]);
}

#[test]
fn attempts_and_waiting_are_shown_where_reported() {
    let record = seen(StepExecution {
        action: Some("WaitForAction".into()),
        attempt: Some(2),
        max_attempts: Some(3),
        ..answer(StepStatus::Running)
    });
    assert_eq!(values(scrape([record.clone()], START), "attempt"), ["2"]);
    assert_eq!(
        values(scrape([record.clone()], START), "max_attempts"),
        ["3"]
    );
    assert_eq!(values(scrape([record], START), "waiting_for_action"), ["1"]);
}

#[test]
fn unknown_status_is_shown_as_written_beside_the_known_ones() {
    let record = seen(StepExecution {
        rollback_status: Some(RollbackStatus::parse("\"NEW\"")),
        ..answer(StepStatus::parse("PAUSED"))
    });
    assert_eq!(
        values(scrape([record.clone()], START), "status"),
        [
            r#"status="PENDING"} 0"#,
            r#"status="SKIPPED"} 0"#,
            r#"status="RUNNING"} 0"#,
            r#"status="COMPLETED"} 0"#,
            r#"status="FAILED"} 0"#,
            r#"status="CANCELLED"} 0"#,
            r#"status="PAUSED"} 1"#,
        ]
    );
    assert_eq!(
        values(scrape([record], START), "rollback_status"),
        [
            r#"status="RUNNING"} 0"#,
            r#"status="COMPLETED"} 0"#,
            r#"status="SKIPPED"} 0"#,
            r#"status="FAILED"} 0"#,
            r#"status="\"NEW\""} 1"#,
        ]
    );
}

#[test]
fn sparse_format_shows_only_the_current_status() {
    let sparse = |record| Scrape {
        status_format: StatusFormat::Sparse,
        ..scrape([record], START)
    };
    assert_eq!(
        values(sparse(running()), "status"),
        [r#"status="RUNNING"} 1"#]
    );
    assert!(values(sparse(running()), "rollback_status").is_empty());
    let record = seen(StepExecution {
        rollback_status: Some(RollbackStatus::Skipped),
        ..answer(StepStatus::parse("PAUSED"))
    });
    assert_eq!(
        values(sparse(record.clone()), "status"),
        [r#"status="PAUSED"} 1"#]
    );
    assert_eq!(
        values(sparse(record), "rollback_status"),
        [r#"status="SKIPPED"} 1"#]
    );
}

#[test]
fn labels_without_a_value_are_left_out_and_own_labels_come_on_top() {
    let record = StepRecord {
        own_labels: LabelText::new([("team", "a\"b"), ("change", "")]),
        ..unseen()
    }
    .answered(
        StepExecution::with_status(StepStatus::Pending),
        "us-west-2",
        START,
    );
    let record = StepRecord {
        full: true,
        ..record
    };
    let text = rendered(scrape([record], START), Format::Text);
    for line in [
        r#"imagebuilder_workflow_step_info{region="us-west-2",step_execution_id="ID",team="a\"b",target="production"} 1"#,
        r#"imagebuilder_workflow_step_status{region="us-west-2",step_execution_id="ID",team="a\"b",status="PENDING"} 1"#,
        r#"imagebuilder_workflow_step_settled{target="production",region="us-west-2",step_execution_id="ID",team="a\"b"} 0"#,
    ] {
        let line = line.replace("\"ID\"", &format!("\"{ID}\""));
        assert!(text.contains(&format!("{line}\n")), "{line}\n{text}");
    }
}

#[test]
fn message_is_shown_only_where_it_is_wanted() {
    let record = seen(StepExecution {
        message: Some("it \"failed\"\nbadly".into()),
        ..answer(StepStatus::Failed)
    });
    let without = rendered(scrape([record.clone()], START), Format::Text);
    assert!(!without.contains("message"), "{without}");
    let with = |record| Scrape {
        message_labels: true,
        ..scrape([record], START)
    };
    assert_eq!(
        values(with(record), "message_info"),
        [r#"message="it \"failed\" badly"} 1"#]
    );
    assert!(values(with(running()), "message_info").is_empty());
}

#[test]
fn sources_show_whether_they_are_up_and_what_they_track() {
    let mut scrape = scrape(
        [unseen(), running()]
            .into_iter()
            .enumerate()
            .map(|(at, record)| StepRecord {
                id: id(at),
                ..record
            }),
        START,
    );
    let text = rendered(scrape.clone(), Format::Text);
    assert!(!text.contains("imagebuilder_exporter_target_up{"));
    for (state, count) in [("pending", 1), ("active", 1), ("settled", 0), ("gone", 0)] {
        let line = format!(
            "imagebuilder_exporter_tracked_steps\
             {{target=\"production\",region=\"us-west-2\",state=\"{state}\"}} {count}\n"
        );
        assert!(text.contains(&line), "{text}");
    }
    assert!(!text.contains("imagebuilder_exporter_clock_skew_seconds{"));
    let clock = scrape.sources[0].metrics.service_clock();
    clock.told(START.plus(Duration::from_secs(90)), START, START);
    scrape.sources[0].up = Some(false);
    let text = rendered(scrape, Format::Text);
    let line = "imagebuilder_exporter_clock_skew_seconds{target=\"production\",region=\"us-west-2\"} 90.5\n";
    assert!(text.contains(line), "{text}");
    let line = "imagebuilder_exporter_target_up{target=\"production\",region=\"us-west-2\"} 0\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn families_of_several_registries_are_one() {
    let mut scrape = scrape([], START);
    let other = Source {
        region: "eu-west-1".into(),
        metrics: Arc::new(PollerMetrics::new("production", "eu-west-1")),
        ..scrape.sources[0].clone()
    };
    for source in [&scrape.sources[0], &other] {
        source.metrics.poll_lag(Duration::from_millis(200));
        source.metrics.request(
            Operation::GetWorkflowStepExecution,
            Err(ErrorKind::Throttled),
            Some(Duration::from_millis(7)),
        );
    }
    scrape.sources.push(other);
    let text = rendered(scrape, Format::Text);
    let name = "imagebuilder_exporter_poll_lag_seconds";
    let lines: Vec<_> = text.lines().filter(|line| line.contains(name)).collect();
    assert_eq!(lines[1], format!("# TYPE {name} histogram"));
    assert_eq!(lines.len(), 2 + 2 * 15);
    assert_eq!(
        lines[4],
        format!("{name}_bucket{{region=\"us-west-2\",target=\"production\",le=\"0.1\"}} 0")
    );
    assert_eq!(
        lines[5],
        format!("{name}_bucket{{region=\"us-west-2\",target=\"production\",le=\"0.25\"}} 1")
    );
    assert_eq!(
        lines[14..17],
        [
            format!("{name}_bucket{{region=\"us-west-2\",target=\"production\",le=\"+Inf\"}} 1"),
            format!("{name}_sum{{region=\"us-west-2\",target=\"production\"}} 0.2"),
            format!("{name}_count{{region=\"us-west-2\",target=\"production\"}} 1"),
        ]
    );
    assert!(text.contains(
        "imagebuilder_exporter_api_requests_total{operation=\"GetWorkflowStepExecution\",\
         region=\"eu-west-1\",result=\"throttled\",target=\"production\"} 1\n"
    ));
}

#[test]
fn formats_differ_in_their_comments_and_the_end_alone() {
    let scrape = scrape([running()], after(1_000));
    let text = rendered(scrape.clone(), Format::Text);
    let open_metrics = rendered(scrape, Format::OpenMetrics);
    let open_metrics = open_metrics.strip_suffix("# EOF\n").unwrap();
    for (text, open_metrics) in text.lines().zip(open_metrics.lines()) {
        if text.starts_with("process_") {
            continue;
        }
        match text
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.strip_suffix(" counter"))
        {
            Some(name) => assert_eq!(
                open_metrics,
                format!("# TYPE {} counter", name.strip_suffix("_total").unwrap())
            ),
            None if text.starts_with("# HELP ") => {}
            None => assert_eq!(text, open_metrics),
        }
    }
    assert_eq!(text.lines().count(), open_metrics.lines().count());
}

#[test]
fn every_label_of_ours_is_refused_as_a_users_own() {
    let mut at = 0;
    while let Some(entry) = families::entry(at) {
        for label in entry.family.labels {
            assert!(
                crate::config::RESERVED_LABELS.contains(label),
                "{label} of {}",
                entry.family.name
            );
        }
        at += 1;
    }
    assert!(at > 20);
}

#[test]
fn every_family_has_its_comments_while_nothing_is_known() {
    let scrape = Scrape {
        sources: Vec::new(),
        message_labels: true,
        ..scrape([], START)
    };
    let text = rendered(scrape, Format::Text);
    for entry in (0..).map_while(families::entry) {
        let comment = format!(
            "# TYPE {} {}\n",
            entry.family.name,
            entry.family.kind.as_str()
        );
        assert_eq!(text.matches(&comment).count(), 1, "{comment}");
    }
}

fn id(at: usize) -> StepExecutionId {
    format!("step-00000000-0000-0000-0000-{at:012x}")
        .parse()
        .unwrap()
}

/// Text with everything in it that has to be escaped or cut.
fn some_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just('"'),
            Just('\\'),
            Just('\n'),
            Just('{'),
            Just('}'),
            Just(','),
            any::<char>()
        ],
        0..8,
    )
    .prop_map(String::from_iter)
}

fn some_status() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(StepStatus::KNOWN).prop_map(str::to_owned),
        some_text()
    ]
}

fn some_time() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::of((-10_000..4_000_000_000_000_i64).prop_map(Timestamp::from_millis))
}

prop_compose! {
    fn some_answer()(
        status in some_status(),
        rollback_status in proptest::option::of(some_status()),
        name in proptest::option::of(some_text()),
        action in proptest::option::of(some_text()),
        on_failure in proptest::option::of(some_text()),
        known in any::<bool>(),
        start in some_time(),
        end in some_time(),
        timeout_seconds in proptest::option::of(1..50_000_u32),
        attempt in proptest::option::of(any::<u32>()),
        message in proptest::option::of(some_text()),
    ) -> StepExecution {
        let full = answer(StepStatus::parse(&status));
        StepExecution {
            rollback_status: rollback_status.as_deref().map(RollbackStatus::parse),
            name,
            action,
            on_failure: on_failure.as_deref().map(OnFailure::parse),
            workflow_execution_id: full.workflow_execution_id.filter(|_| known),
            workflow: full.workflow.filter(|_| !known),
            image: full.image.filter(|_| known),
            start,
            end,
            timeout_seconds,
            attempt,
            max_attempts: attempt,
            message,
            ..StepExecution::with_status(full.status)
        }
    }
}

prop_compose! {
    fn some_scrape()(
        answers in proptest::collection::vec(proptest::option::of(some_answer()), 0..12),
        own in some_text(),
        phase in proptest::sample::select(&Phase::ALL[..]),
        sparse in any::<bool>(),
        message_labels in any::<bool>(),
        targets in 1..3_usize,
        up in proptest::option::of(any::<bool>()),
        now in some_time(),
        text in some_text(),
        status in some_status(),
        counted in 0..3_u64,
        objects in 0..4_usize,
    ) -> Scrape {
        let source = |target: usize| {
            let name = format!("target{target}");
            let store = discovery::store(target, objects, &own, &text, &status);
            let records = answers.iter().enumerate().map(|(at, answer)| {
                let own_labels = LabelText::new([("team", own.as_str())]);
                let record = StepRecord::unseen(id(at * 2 + target), own_labels);
                match answer {
                    None => record,
                    Some(answer) => StepRecord {
                        full: true,
                        phase,
                        ..record.answered(answer.clone(), "us-west-2", after(0))
                    },
                }
            });
            Source {
                store: StoreSnapshot {
                    steps: StepStore::new(records).snapshot(),
                    ..store.snapshot()
                },
                metrics: Arc::new(PollerMetrics::new(&name, "us-west-2")),
                target: name.into(),
                region: "us-west-2".into(),
                up,
            }
        };
        Scrape {
            now: now.unwrap_or(START),
            status_format: if sparse { StatusFormat::Sparse } else { StatusFormat::Stateset },
            message_labels,
            sources: (0..targets).map(source).collect(),
            finished: finished::counted(&own, &text, counted).snapshot(),
            process: Arc::new(ProcessMetrics::new(&["startTime"])),
        }
    }
}

/// Names and values, unescaped.
type Labels = Vec<(String, String)>;

/// A sample taken apart by what the formats say: its name, labels and value.
fn parsed(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, value) = rest.split_once("=\"")?;
            let mut text = String::new();
            let mut characters = value.char_indices();
            rest = loop {
                match characters.next()? {
                    (at, '"') => break &value[at + 1..],
                    (_, '\\') => text.push(match characters.next()?.1 {
                        'n' => '\n',
                        escaped @ ('"' | '\\') => escaped,
                        _ => return None,
                    }),
                    (_, character) => text.push(character),
                }
            };
            labels.push((label.to_owned(), text));
            match rest.split_at_checked(1)? {
                (",", next) => rest = next,
                ("}", next) => break rest = next,
                _ => return None,
            }
        }
    }
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    Some((name.to_owned(), labels, value))
}

/// Without what the system counts, which moves between two scrapes.
fn without_process(text: &str) -> String {
    text.lines()
        .filter(|line| !line.starts_with("process_"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn in_frames(scrape: Scrape, format: Format, frame_size: usize) -> String {
    let mut exposition = Exposition::new(scrape, format);
    let mut text = Vec::new();
    loop {
        let mut frame = Vec::new();
        let more = exposition.write(&mut frame, frame_size);
        assert!(!more || frame.len() >= frame_size);
        text.extend_from_slice(&frame);
        if !more {
            return String::from_utf8(text).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_parses_and_no_two_series_are_the_same(scrape in some_scrape()) {
        let families: HashMap<_, _> = (0..)
            .map_while(families::entry)
            .map(|entry| (entry.family.name, entry.family.labels))
            .collect();
        let text = rendered(scrape, Format::Text);
        let mut series = HashSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, mut labels, value)) = parsed(line) else {
                panic!("{line:?}");
            };
            prop_assert!(value.is_finite());
            let family = ["", "_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| families.get(name.strip_suffix(suffix)?));
            for (label, value) in &labels {
                let known = family.is_some_and(|labels| labels.contains(&label.as_str()));
                prop_assert!(known || label == "team" || label == "le", "{}", line);
                prop_assert!(!value.is_empty(), "{}", line);
            }
            labels.sort();
            prop_assert!(labels.windows(2).all(|pair| pair[0].0 != pair[1].0), "{}", line);
            prop_assert!(series.insert((name, labels)), "{}", line);
        }
    }

    #[test]
    fn frames_of_any_size_hold_the_same_text(
        scrape in some_scrape(),
        frame_size in prop_oneof![1..100_usize, 100..20_000_usize],
        open_metrics in any::<bool>(),
    ) {
        let format = if open_metrics { Format::OpenMetrics } else { Format::Text };
        let at_once = rendered(scrape.clone(), format);
        let framed = in_frames(scrape, format, frame_size);
        prop_assert_eq!(without_process(&at_once), without_process(&framed));
    }
}

#[test]
fn frames_plain_and_compressed_hold_the_text_of_many_steps() {
    // Ids without a pattern, so that what is compressed fills frames too.
    let records = (1..600_u64).map(|at| {
        let [a, b] = [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9].map(|m| at.wrapping_mul(m));
        let id = format!(
            "step-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        );
        StepRecord {
            id: id.parse().unwrap(),
            ..running()
        }
    });
    let scrape = scrape(records, after(1_000));
    let expected = without_process(&rendered(scrape.clone(), Format::OpenMetrics));
    let pool = Arc::new(FramePool::default());
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        let exposition = Exposition::new(scrape.clone(), Format::OpenMetrics);
        let mut frames = Frames::new(exposition, encoding, pool.clone());
        let (mut sent, mut count) = (Vec::new(), 0);
        loop {
            match frames.advance() {
                Next::Frame(bytes) => {
                    assert!(!bytes.is_empty());
                    count += 1;
                    sent.extend_from_slice(&bytes);
                }
                Next::Working => {}
                Next::End => break,
            }
        }
        assert!(count > 1, "{encoding:?}");
        if encoding == Encoding::Gzip {
            let packed = std::mem::take(&mut sent);
            flate2::read::GzDecoder::new(&packed[..])
                .read_to_end(&mut sent)
                .unwrap();
        }
        let text = String::from_utf8(sent).unwrap();
        assert!(without_process(&text) == expected, "{encoding:?}");
    }
}
