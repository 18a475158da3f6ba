//! Generates `docs/metrics.md` from the metric tables; `UPDATE_DOCS=1 cargo test` updates the file.

use std::fmt::Write;

use super::families;

const HEAD: &str = "\
# Metrics

This page lists every metric on `/metrics`, for people who write queries, alerts and dashboards.
It is generated from the tables in the code: change those, then run
`UPDATE_DOCS=1 cargo test --lib docs`.

- A label without a value is omitted, and so is a series without a value.
- The `labels` of a target are added to its series, except to `imagebuilder_exporter_*`.
- The `labels` of a listed step are added to its gauges.
- Counters and histograms of finished steps leave `metrics.counter_retention` after the last use of
  their image name. If the name returns, they start at 0.
- `# HELP` and `# TYPE` are written for each family, also when it has no series.

| name | type | labels | help |
| --- | --- | --- | --- |
";

fn rendered() -> String {
    let mut page = HEAD.to_owned();
    for entry in (0..).map_while(families::entry) {
        let family = entry.family;
        let labels = family.identity.iter().chain(family.labels);
        let labels: Vec<_> = labels.map(|label| format!("`{label}`")).collect();
        writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            family.name,
            family.metric_type.as_str(),
            labels.join(", "),
            family.help
        )
        .unwrap();
    }
    page
}

#[test]
fn metrics_page_matches_the_tables() {
    crate::docs::assert_kept("docs/metrics.md", &rendered());
}

#[test]
fn help_ends_with_a_period_and_needs_no_escapes() {
    for entry in (0..).map_while(families::entry) {
        let family = entry.family;
        assert!(
            !family.help.contains(['\n', '\\', '"', '|']) && family.help.ends_with('.'),
            "{}",
            family.name
        );
    }
}
