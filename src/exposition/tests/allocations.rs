//! The memory that a scrape allocates, whatever the number of steps.

use allocation_counter::AllocationInfo;

use super::*;

/// Scrapes so many steps, a tenth of them RUNNING, and returns the number of frames.
fn frames(steps: &StepTable, now: Timestamp, encoding: Encoding, pool: &Arc<FramePool>) -> u64 {
    let mut scrape = scrape([], now);
    scrape.sources[0].snapshot = Arc::new(Snapshot {
        steps: steps.snapshot(),
        ..Snapshot::default()
    });
    let exposition = Exposition::new(scrape, Format::Text);
    let mut frames = Frames::new(exposition, encoding, pool.clone());
    let mut count = 0;
    loop {
        match frames.advance() {
            Next::Frame(_) => count += 1,
            Next::Working => {}
            Next::End => return count,
        }
    }
}

/// Returns what a scrape allocates after some others, and its number of frames.
fn allocated(steps: u64, encoding: Encoding) -> (AllocationInfo, u64) {
    let record = |at: u64| match at % 10 {
        0 => StepRecord {
            id: scattered_id(at),
            phase: Phase::Active,
            ..running()
        },
        _ => StepRecord {
            id: scattered_id(at),
            phase: Phase::Settled,
            ..ended(StepStatus::Completed, 9_000)
        },
    };
    let steps: StepTable = StepTable::new((0..steps).map(record));
    let pool = Arc::default();
    // Makes pieces, joins them, and fills the pool.
    for second in 100_000..100_004 {
        frames(&steps, after(second * 1_000), encoding, &pool);
    }
    let mut count = 0;
    let info = allocation_counter::measure(|| {
        count = frames(&steps, after(100_004_000), encoding, &pool);
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
