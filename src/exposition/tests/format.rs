//! Tests what all families share: comments, formats, and the series of sources.

use super::*;

#[test]
fn sources_expose_whether_they_are_up_and_what_they_track() {
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
    clock.observe(START.plus(Duration::from_secs(90)), Duration::ZERO, START);
    scrape.sources[0].up = Some(false);
    let text = rendered(scrape, Format::Text);
    let line = "imagebuilder_exporter_clock_skew_seconds{target=\"production\",region=\"us-west-2\"} 90.5\n";
    assert!(text.contains(line), "{text}");
    let line = "imagebuilder_exporter_target_up{target=\"production\",region=\"us-west-2\"} 0\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn families_of_several_registries_are_merged() {
    let mut scrape = scrape([], START);
    let other = ScrapeSource {
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
fn formats_differ_only_in_comments_and_the_end() {
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
fn every_label_of_the_exporter_is_reserved() {
    let mut at = 0;
    while let Some(entry) = families::entry(at) {
        for label in entry.family.labels {
            assert!(
                crate::labels::names::RESERVED.contains(label),
                "{label} of {}",
                entry.family.name
            );
        }
        at += 1;
    }
    assert!(at > 20);
}

#[test]
fn every_family_has_its_comments_without_any_data() {
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
            entry.family.metric_type.as_str()
        );
        assert_eq!(text.matches(&comment).count(), 1, "{comment}");
    }
}
