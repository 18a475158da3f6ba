//! What is shown, as JSON: flat lists, whose entries have the names that the metrics' labels have.

mod entries;
mod target;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::markup::steers_direction;
use super::{Site, Status};
use entries::{Image, StepExecution, WorkflowExecution};
use target::Target;

/// The answer to `GET /api/v1/steps`.
pub fn json(status: &Status<'_>, site: &Site) -> Vec<u8> {
    let answer = Answer::of(status, site);
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, Plain);
    let written = answer.serialize(&mut serializer);
    written.expect("a Vec takes all that is written to it, and no key is anything but text");
    out.push(b'\n');
    out
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    version: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
    page: usize,
    pages: usize,
    executions_matched: usize,
    /// The query of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    targets: Vec<Target<'a>>,
    images: Vec<Image<'a>>,
    executions: Vec<WorkflowExecution<'a>>,
    steps: Vec<StepExecution<'a>>,
}

/// Which part of all targets and regions this is.
#[derive(Serialize)]
struct Shard {
    index: u32,
    total: u32,
}

impl<'a> Answer<'a> {
    fn of(status: &'a Status<'a>, site: &Site) -> Self {
        let (known, query) = (status.known, status.query);
        let mut answer = Self {
            time: known.now.rfc3339(),
            version: env!("CARGO_PKG_VERSION"),
            ready: known.ready,
            shard: known.shard.map(|(index, total)| Shard { index, total }),
            page: query.page,
            pages: status.pages,
            executions_matched: status.matched,
            next: (query.page < status.pages).then(|| query.address(query.page + 1)),
            targets: known.sources.iter().map(Target::of).collect(),
            images: status.builds.iter().filter_map(Image::of).collect(),
            executions: Vec::new(),
            steps: Vec::new(),
        };
        for build in &status.builds {
            for execution in &build.executions {
                answer
                    .executions
                    .extend(WorkflowExecution::of(execution, build, known.now, site));
                let wanted = execution
                    .steps
                    .iter()
                    .filter(|step| query.takes_step(step, execution, build.image, build.arn));
                answer.steps.extend(
                    wanted.map(|step| StepExecution::of(step, execution, build, known.now, site)),
                );
            }
        }
        answer
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

/// Escapes also what JSON lets through and a terminal does not take for text.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let steers = |c: char| c.is_control() || steers_direction(c);
        let mut rest = fragment;
        while let Some(at) = rest.find(steers) {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let character = from.chars().next().unwrap_or_default();
            write!(writer, "\\u{:04x}", u32::from(character))?;
            rest = &from[character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}
