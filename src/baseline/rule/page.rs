//! Generates the tables of docs/baselines.md and its picture; `UPDATE_DOCS=1 cargo test` updates both.

use super::picture;
use super::simulation::{Change, DISTRIBUTIONS, Figures, Rule, SAMPLES, starting_rule};
use super::slow_after;
use crate::docs::assert_kept;

const PAGE: &str = "docs/baselines.md";

/// The rule, and the one that it replaces.
const RULES: [Rule; 2] = [slow_after, starting_rule];

/// The name of a distribution, from how many samples on it meets the goal, and what each rule does.
type Row = (
    &'static str,
    Option<usize>,
    [[Figures; SAMPLES.len()]; RULES.len()],
);

#[test]
fn page_has_the_figures_of_the_rule() {
    let figures = DISTRIBUTIONS.map(|one| (one.name, one.meets_from, one.simulate(RULES)));
    for (name, meets_from, [ours, _]) in &figures {
        let pairs = SAMPLES.iter().zip(ours);
        let mut enough =
            pairs.filter(|(samples, _)| meets_from.is_some_and(|from| **samples >= from));
        assert!(enough.all(|(_, one)| one.false_alarms < 1.0), "{name}");
    }
    let false_alarms = table("distribution", &figures, |one| match one.false_alarms {
        few if few < 0.995 => format!("{few:.2}"),
        many => format!("**{many:.1}**"),
    });
    let noticed = table("distribution", &figures, |one| {
        format!("{:.1}", one.noticed)
    });
    let missed = table("distribution", &figures, |one| {
        format!("{:.1} %", 100.0 * one.missed)
    });
    let page = std::fs::read_to_string(PAGE).unwrap();
    let page = replaced(&page, "false alarms", &false_alarms);
    let page = replaced(&page, "noticed", &noticed);
    let page = replaced(&page, "missed", &missed);
    assert_kept(PAGE, &replaced(&page, "changes", &changes()));
}

#[test]
fn picture_shows_the_rule() {
    assert_kept("docs/images/slow-step.svg", &picture::svg(RULES));
}

/// A table with the figure of our rule in each cell, and that of the starting rule in parentheses.
fn table(name: &str, figures: &[Row], cell: fn(&Figures) -> String) -> String {
    let heads = SAMPLES
        .map(|samples| format!(" {samples} samples |"))
        .concat();
    let lines = " --- |".repeat(SAMPLES.len());
    let rows = figures.iter().map(|(name, _, [ours, starting])| {
        let pairs = ours.iter().zip(starting);
        let cells = pairs.map(|(ours, starting)| {
            let starting = cell(starting).replace('*', "");
            format!(" {} ({starting}) |", cell(ours))
        });
        format!("| {name} |{}\n", cells.collect::<String>())
    });
    format!(
        "| {name} |{heads}\n| --- |{lines}\n{}",
        rows.collect::<String>()
    )
}

fn changes() -> String {
    let mut text = "| change of the duration | called slow, mean | called slow, at most \
        | builds until a hang is noticed within 3 medians |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for (name, factor) in [
        ("half", 0.5),
        ("1.5 x", 1.5),
        ("2 x", 2.0),
        ("3 x", 3.0),
        ("4 x", 4.0),
        ("8 x", 8.0),
    ] {
        let [ours, starting] = RULES.map(|rule| Change::simulate(rule, factor));
        text += &format!(
            "| {name} | {:.2} ({:.2}) | {} ({}) | {:.0} ({:.0}) |\n",
            ours.slow,
            starting.slow,
            ours.most_slow,
            starting.most_slow,
            ours.steady,
            starting.steady
        );
    }
    text
}

/// The page with another text between the comments of this name.
fn replaced(page: &str, name: &str, text: &str) -> String {
    let [begin, end] = ["begin", "end"].map(|at| format!("<!-- {name}: {at} -->\n"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{text}\n{end}{after}")
}
