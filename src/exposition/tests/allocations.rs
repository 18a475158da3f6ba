//! The memory that a scrape allocates, whatever the number of steps.

use allocation_counter::AllocationInfo;

use super::*;
use crate::baseline::{BaselineSnapshot, Baselines};
use crate::model::{WorkflowExecution, WorkflowStatus};
use crate::snapshot::WorkflowRecord;

/// Scrapes these steps, and returns the number of frames.
fn frames(
    records: &Records,
    baselines: &BaselineSnapshot,
    now: Timestamp,
    encoding: Encoding,
    shared: &SharedFrames,
) -> u64 {
    let mut scrape = scrape([], now);
    scrape.sources[0].snapshot = records.snapshot();
    scrape.baselines = baselines.clone();
    let exposition = Exposition::new(scrape, Format::Text);
    let mut frames = Frames::new(exposition, encoding, shared);
    let mut count = 0;
    loop {
        match frames.advance() {
            Next::Frame(_) => count += 1,
            Next::Working => {}
            Next::End => return count,
        }
    }
}

/// The baseline of the step, and the workflow execution that all these steps are of.
fn known() -> (BaselineSnapshot, WorkflowRecord) {
    let (baselines, labels) = (Baselines::default(), LabelText::default);
    for at in 1..4 {
        let settled = StepRecord {
            id: scattered_id(at),
            phase: Phase::Settled,
            ..ended(StepStatus::Completed, 9_000)
        };
        baselines.feed("production", &labels(), &settled);
    }
    let id = response(StepStatus::Running).workflow_execution_id;
    let execution = WorkflowRecord::unseen(id.unwrap(), labels(), labels());
    let running = WorkflowExecution::with_status(WorkflowStatus::Running);
    let execution = execution.after_response(&running, "us-west-2");
    (baselines.snapshot(), execution)
}

/// Returns what a scrape of so many steps, a tenth of them RUNNING, allocates after some others, and
/// its number of frames.
fn allocated(steps: u64, encoding: Encoding) -> (AllocationInfo, u64) {
    let record = |at: u64| match at % 10 {
        0 => StepRecord {
            id: scattered_id(at),
            phase: Phase::Active,
            last_success: Some(after(100_000_000)),
            ..running()
        },
        _ => StepRecord {
            id: scattered_id(at),
            phase: Phase::Settled,
            ..ended(StepStatus::Completed, 9_000)
        },
    };
    let (baselines, execution) = known();
    let mut records = Records {
        steps: StepTable::new((0..steps).map(record)),
        ..Records::default()
    };
    records.workflows.put(execution);
    let shared = SharedFrames::default();
    let frames = |now| frames(&records, &baselines, now, encoding, &shared);
    // Makes pieces, joins them, and fills the pool.
    for second in 100_000..100_004 {
        frames(after(second * 1_000));
    }
    let mut count = 0;
    let info = allocation_counter::measure(|| {
        count = frames(after(100_004_000));
    });
    (info, count)
}

#[test]
fn scrape_allocates_nothing_for_a_step() {
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        let (few, few_frames) = allocated(200, encoding);
        let (many, many_frames) = allocated(4_000, encoding);
        // Each frame is counted by its reader and by its writer.
        let for_frames = 2 * (many_frames - few_frames);
        let more = many.count_total.saturating_sub(few.count_total);
        assert!(
            more <= for_frames + 20,
            "{encoding:?}: {few:?}, {many:?}, {for_frames}"
        );
        assert!(many.bytes_max < 200_000, "{encoding:?}: {many:?}");
    }
}
