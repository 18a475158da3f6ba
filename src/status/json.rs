//! Renders the status as JSON: flat lists whose fields are named as the labels of the metrics.

mod entries;
mod failure;
mod target;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::selection::Status;
use super::site::Site;
use super::text::is_steering;
use entries::{ImageEntry, StepExecutionEntry, WorkflowExecutionEntry};
use target::TargetEntry;

/// Renders the response to `GET /api/v1/steps`.
pub fn json(status: &Status<'_>, site: &Site) -> Vec<u8> {
    let document = Document::of(status, site);
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, VisibleText);
    let written = document.serialize(&mut serializer);
    written.expect("writing to a Vec cannot fail, and all keys are text");
    out.push(b'\n');
    out
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    version: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<ShardEntry>,
    page: usize,
    pages: usize,
    executions_matched: usize,
    slow_steps: usize,
    series: SeriesEntry,
    /// The query of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    targets: Vec<TargetEntry<'a>>,
    images: Vec<ImageEntry<'a>>,
    executions: Vec<WorkflowExecutionEntry<'a>>,
    steps: Vec<StepExecutionEntry<'a>>,
}

/// How many series `/metrics` has, and how many the limit keeps out of it. A limit of 0 is none.
#[derive(Serialize)]
struct SeriesEntry {
    exposed: u64,
    dropped: u64,
    limit: u64,
}

/// The index of this shard and the number of shards.
#[derive(Serialize)]
struct ShardEntry {
    index: u32,
    total: u32,
}

impl<'a> Document<'a> {
    fn of(status: &'a Status<'a>, site: &Site) -> Self {
        let (known, query) = (status.known, status.query);
        let mut document = Self {
            time: known.now.rfc3339(),
            version: env!("CARGO_PKG_VERSION"),
            ready: known.ready,
            shard: known
                .shard
                .map(|(index, total)| ShardEntry { index, total }),
            page: query.page,
            pages: status.pages,
            executions_matched: status.matched,
            slow_steps: status.slow_steps,
            series: SeriesEntry {
                exposed: known.series.exposed,
                dropped: known.series.dropped,
                limit: known.series.limit,
            },
            next: (query.page < status.pages).then(|| query.address(query.page + 1)),
            targets: known.sources.iter().map(TargetEntry::of).collect(),
            images: { status.builds.iter() }
                .filter_map(|build| ImageEntry::of(build, known))
                .collect(),
            executions: Vec::new(),
            steps: Vec::new(),
        };
        for build in &status.builds {
            for execution in &build.executions {
                document
                    .executions
                    .extend(WorkflowExecutionEntry::of(execution, build, known, site));
                let wanted = query.steps(execution, build);
                document.steps.extend(
                    wanted.map(|step| {
                        StepExecutionEntry::of(step, execution, build, known.now, site)
                    }),
                );
            }
        }
        document
    }
}

/// Escapes also characters that JSON allows and a terminal interprets.
struct VisibleText;

impl Formatter for VisibleText {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_steering) {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let character = from.chars().next().unwrap_or_default();
            write!(writer, "\\u{:04x}", u32::from(character))?;
            rest = &from[character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}
