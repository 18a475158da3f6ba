//! `docs/metrics.md`, made from the tables. `UPDATE_DOCS=1 cargo test` writes it anew.

use std::fmt::Write;

use super::families;

const HEAD: &str = "\
# Metrics

Made from the tables in the code; change those, then run `UPDATE_DOCS=1 cargo test --lib docs`.

A label without a value is left out, and so is a series without a value. A target's own labels come on
top of those of its series, but for the `imagebuilder_exporter_*` ones, and a listed step's own on top
of those of its gauges. A family's `# HELP` and `# TYPE` are there also while it has no series.

| name | type | labels | help |
| --- | --- | --- | --- |
";

fn rendered() -> String {
    let mut page = HEAD.to_owned();
    for entry in (0..).map_while(families::entry) {
        let family = entry.family;
        let labels: Vec<_> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            family.name,
            family.kind.as_str(),
            labels.join(", "),
            family.help
        )
        .unwrap();
    }
    page
}

#[test]
fn metrics_page_is_the_one_the_tables_make() {
    crate::docs::assert_kept("docs/metrics.md", &rendered());
}

#[test]
fn help_is_one_sentence_that_needs_no_escapes() {
    for entry in (0..).map_while(families::entry) {
        let family = entry.family;
        assert!(
            !family.help.contains(['\n', '\\', '"', '|']) && family.help.ends_with('.'),
            "{}",
            family.name
        );
    }
}
