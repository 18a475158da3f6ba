//! The finished counter and histogram.

use super::*;
use crate::finished::{Finished, FinishedSettings, StepPoll};

const LABELS: &str = "account_id=\"111122223333\",region=\"us-west-2\",image=\"golden\",\
    workflow=\"build-image\",step=\"ApplyBuildComponents\",team=\"platform\"";

fn settings() -> FinishedSettings {
    FinishedSettings {
        warmup: Duration::from_secs(120),
        buckets: [500, 10_000, 60_000].map(Duration::from_millis).into(),
        keep: Duration::from_secs(3_600),
        retention: None,
    }
}

/// Passes on a poll.
pub(super) fn see(
    finished: &Finished,
    own: &LabelText,
    before: Option<&StepRecord>,
    after: &StepRecord,
    now: Timestamp,
) {
    let now = moment(now);
    let end = after.observed.as_ref().and_then(|observed| observed.end);
    let poll = StepPoll {
        target: "production",
        region: "us-west-2",
        target_labels: own,
        before,
        after,
        since: now.past(end.unwrap_or(now.time)),
    };
    finished.see(&poll, now);
}

/// So many executions of a step of this name have COMPLETED.
pub(super) fn counted(own: &str, name: &str, count: u64) -> Finished {
    let finished = Finished::new(moment(START).instant, &settings());
    for at in 0..count {
        let id = id(usize::try_from(at).unwrap());
        let record = StepRecord::unseen(id, LabelText::default()).after_response(
            StepExecution {
                name: Some(name.into()),
                end: Some(after(1_000)),
                ..response(StepStatus::Completed)
            },
            "us-west-2",
            START,
        );
        let own = LabelText::new([("team", own)]);
        see(&finished, &own, None, &record, START);
    }
    finished
}

fn shown(finished: &Finished, now: Timestamp, format: Format) -> String {
    let scrape = Scrape {
        finished: finished.snapshot(moment(now).instant),
        ..scrape([], now)
    };
    rendered(scrape, format)
        .lines()
        .filter(|line| line.contains("_finished") && !line.starts_with("# HELP"))
        .map(|line| format!("{}\n", line.replace(LABELS, "ID")))
        .collect()
}

#[test]
fn finished_steps_are_a_counter_and_a_histogram_after_the_warmup_at_0() {
    let finished = Finished::new(moment(START).instant, &settings());
    let own = LabelText::new([("team", "platform")]);
    let step = ended(StepStatus::Failed, 147_404);
    see(&finished, &own, Some(&running()), &step, START);
    let skipped = StepRecord {
        id: id(1),
        ..ended(StepStatus::Skipped, 0)
    };
    see(&finished, &own, None, &skipped, START);
    let warm = r#"# TYPE imagebuilder_workflow_steps_finished_total counter
imagebuilder_workflow_steps_finished_total{ID,status="COMPLETED"} 0
imagebuilder_workflow_steps_finished_total{ID,status="FAILED"} 1
imagebuilder_workflow_steps_finished_total{ID,status="SKIPPED"} 1
# TYPE imagebuilder_workflow_step_finished_duration_seconds histogram
imagebuilder_workflow_step_finished_duration_seconds_bucket{ID,status="COMPLETED",le="0.5"} 0
imagebuilder_workflow_step_finished_duration_seconds_bucket{ID,status="COMPLETED",le="10.0"} 0
imagebuilder_workflow_step_finished_duration_seconds_bucket{ID,status="COMPLETED",le="60.0"} 0
imagebuilder_workflow_step_finished_duration_seconds_bucket{ID,status="COMPLETED",le="+Inf"} 0
imagebuilder_workflow_step_finished_duration_seconds_sum{ID,status="COMPLETED"} 0
imagebuilder_workflow_step_finished_duration_seconds_count{ID,status="COMPLETED"} 0
imagebuilder_workflow_step_finished_duration_seconds_bucket{ID,status="FAILED",le="0.5"} 0
imagebuilder_workflow_step_finished_duration_seconds_bucket{ID,status="FAILED",le="10.0"} 0
imagebuilder_workflow_step_finished_duration_seconds_bucket{ID,status="FAILED",le="60.0"} 0
imagebuilder_workflow_step_finished_duration_seconds_bucket{ID,status="FAILED",le="+Inf"} 1
imagebuilder_workflow_step_finished_duration_seconds_sum{ID,status="FAILED"} 147.404
imagebuilder_workflow_step_finished_duration_seconds_count{ID,status="FAILED"} 1
"#;
    let at = |millis, format| shown(&finished, after(millis), format);
    assert_eq!(at(120_000, Format::Text), warm);
    assert_eq!(
        at(120_000, Format::OpenMetrics),
        warm.replace("finished_total counter", "finished counter")
    );
    let cold = warm.replace(" 1\n", " 0\n").replace(" 147.404\n", " 0\n");
    assert_eq!(at(119_999, Format::Text), cold);
}

#[test]
fn executions_of_one_step_are_one_series_each_status() {
    let text = shown(
        &counted("platform", "a\"b", 3),
        after(120_000),
        Format::Text,
    );
    let steps: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("imagebuilder_workflow_steps_finished_total{"))
        .map(|line| line.split_once("step=").unwrap().1)
        .collect();
    assert_eq!(
        steps,
        [
            r#""a\"b",team="platform",status="COMPLETED"} 3"#,
            r#""a\"b",team="platform",status="FAILED"} 0"#
        ]
    );
}
