//! What holds for every scrape, whatever is in it.

use super::*;

/// Text with everything in it that has to be escaped or cut.
pub(super) fn some_text() -> impl Strategy<Value = String> {
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

pub(super) fn some_status() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(StepStatus::KNOWN).prop_map(str::to_owned),
        some_text()
    ]
}

fn some_time() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::of((-10_000..4_000_000_000_000_i64).prop_map(Timestamp::from_millis))
}

prop_compose! {
    pub(super) fn some_answer()(
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
        let full = response(StepStatus::parse(&status));
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
    pub(super) fn some_scrape()(
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
            let mut store = discovery::store(target, objects, &own, &text, &status);
            let records = answers.iter().enumerate().map(|(at, answer)| {
                let own_labels = LabelText::new([("team", own.as_str())]);
                let record = StepRecord::unseen(id(at * 2 + target), own_labels);
                match answer {
                    None => record,
                    Some(answer) => StepRecord {
                        full: true,
                        phase,
                        ..record.after_response(answer.clone(), "us-west-2", after(0))
                    },
                }
            });
            store.steps = StepTable::new(records);
            ScrapeSource {
                snapshot: store.snapshot(),
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
            finished: finished::counted(&own, &text, counted)
                .snapshot(moment(now.unwrap_or(START)).instant),
            baselines: Default::default(),
            process: Arc::new(ProcessMetrics::new(&["startTime"])),
            series_limit: 0,
            derived: Default::default(),
        }
    }
}

/// Names and values, unescaped.
pub(super) type Labels = Vec<(String, String)>;

/// A sample taken apart by what the formats say: its name, labels and value.
pub(super) fn parsed(line: &str) -> Option<(String, Labels, f64)> {
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
pub(super) fn without_process(text: &str) -> String {
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
            .map(|entry| (entry.family.name, [entry.family.identity, entry.family.labels].concat()))
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
    let records = (1..600).map(|at| StepRecord {
        id: scattered_id(at),
        ..running()
    });
    let scrape = scrape(records, after(1_000));
    let expected = without_process(&rendered(scrape.clone(), Format::OpenMetrics));
    let shared = SharedFrames::default();
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        let exposition = Exposition::new(scrape.clone(), Format::OpenMetrics);
        let mut frames = Frames::new(exposition, encoding, &shared);
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
