//! Counts the instructions of hot paths with callgrind, and compares them with `figures.txt`.
//!
//! Counts vary by less than a percent, also on a busy machine, and a change that makes a path do more
//! work shows. The build is the one of the other tests, without optimization: another build takes
//! minutes, and an additional pass, copy or allocation adds instructions to either. So a count is
//! comparable with its figure only, and is no measure of speed: that is what `benches/` is for.
//!
//! `UPDATE_FIGURES=1 cargo test --test instructions` writes the figures. They are of one compiler and
//! architecture. On another one nothing is compared, and `tests/run` says so at its end.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program that measures, and prints what it finds"
)]

mod paths;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The number of a path, in the process that callgrind runs.
const MEASURED: &str = "INSTRUCTIONS_MEASURED";

/// A count may exceed its figure by so many percent.
const TOLERANCE: u64 = 5;

/// What a count depends on besides the sources.
const BUILD: &str = concat!("rustc ", env!("BUILD_RUSTC_VERSION"));

fn main() -> ExitCode {
    if let Some(path) = env::var(MEASURED).ok().and_then(|path| path.parse().ok()) {
        paths::run(path);
        return ExitCode::SUCCESS;
    }
    // `cargo test NAME` gives each test binary the name.
    let mut filters = env::args().skip(1).filter(|one| !one.starts_with('-'));
    if !filters.all(|filter| "instructions".contains(&filter)) {
        return ExitCode::SUCCESS;
    }
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("instructions: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), String> {
    let build = format!("{BUILD} {}", env::consts::ARCH);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions/figures.txt");
    if env::var_os("UPDATE_FIGURES").is_some() {
        let text = paths::NAMES.iter().zip(counts()?);
        let text: String = text
            .map(|(name, count)| format!("{name}: {count}\n"))
            .collect();
        return fs::write(file, format!("{build}\n{text}")).map_err(|error| error.to_string());
    }
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let (expected, figures) = text.split_once('\n').ok_or("figures.txt is empty")?;
    if expected != build || !cfg!(debug_assertions) {
        let reason = format!("figures are of a debug build with {expected}, this is {build}");
        return not_made(&reason).map_err(|error| error.to_string());
    }
    let figures: BTreeMap<&str, u64> = { figures.lines() }
        .filter_map(|line| {
            let (name, figure) = line.split_once(": ")?;
            Some((name, figure.parse().ok()?))
        })
        .collect();
    let mut worse = Vec::new();
    for (name, count) in paths::NAMES.into_iter().zip(counts()?) {
        let figure = figures.get(name).ok_or(format!("{name} has no figure"))?;
        let change = 100.0 * (count as f64 / *figure as f64 - 1.0);
        let line = format!("{name}: {count} instructions, {change:+.1} % ({figure})");
        println!("{line}");
        if count * 100 > figure * (100 + TOLERANCE) {
            worse.push(line);
        }
    }
    if worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than {TOLERANCE} % above the figures:\n  {}\nIf the work is worth it, \
         `UPDATE_FIGURES=1 cargo test --test instructions` writes new figures.",
        worse.join("\n  ")
    ))
}

/// Says here and at the end of `tests/run` that nothing is compared.
fn not_made(reason: &str) -> std::io::Result<()> {
    let line = format!("instruction counts: {reason}\n");
    eprint!("{line}");
    let Some(file) = env::var_os("CHECKS_NOT_MADE") else {
        return Ok(());
    };
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?;
    file.write_all(line.as_bytes())
}

/// Returns the number of instructions of each path.
fn counts() -> Result<Vec<u64>, String> {
    let counts = { 0..paths::NAMES.len() }.map(count);
    counts.collect()
}

/// Runs one path in callgrind. Returns the number of its instructions.
fn count(path: usize) -> Result<u64, String> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{path}"));
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg("--collect-atstart=no")
        .arg("--toggle-collect=*paths::measured*")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .env(MEASURED, path.to_string())
        .output()
        .map_err(|error| format!("valgrind, which tests/setup installs: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let summary = text.lines().find_map(|line| line.strip_prefix("summary: "));
    match summary.and_then(|count| count.trim().parse().ok()) {
        None | Some(0) => Err(format!("callgrind counted nothing in {}", file.display())),
        Some(count) => Ok(count),
    }
}
