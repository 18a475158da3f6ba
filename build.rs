//! Tells the program which revision it is built from and by which compiler.

#![expect(
    clippy::disallowed_methods,
    reason = "the environment is how cargo speaks to a build script"
)]

use std::env;
use std::path::Path;
use std::process::Command;

/// Where the build is told the revision, as there is no repository in an image's build.
const REVISION: &str = "IMAGEBUILDER_EXPORTER_REVISION";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={REVISION}");
    let revision = env::var(REVISION)
        .ok()
        .filter(|revision| !revision.trim().is_empty())
        .or_else(checked_out)
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=BUILD_REVISION={}", revision.trim());
    println!("cargo::rustc-env=BUILD_RUSTC_VERSION={}", rustc_version());
}

/// The commit that is checked out, where this package is a repository's root: sources unpacked
/// somewhere within a repository of another kind are not at that one's revision.
fn checked_out() -> Option<String> {
    let root = env::var_os("CARGO_MANIFEST_DIR")?;
    let top = output("git", &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&root).canonicalize().ok()? {
        return None;
    }
    // A commit moves the branch, a checkout moves HEAD, and packing moves the branch into a file
    // of many. Cargo would run this at each build for a file that is not there.
    let branch = output("git", &["symbolic-ref", "-q", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = output("git", &["rev-parse", "--git-path", name])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    output("git", &["rev-parse", "HEAD"])
}

/// `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn rustc_version() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    output(&rustc, &["--version"])
        .and_then(|text| text.split(' ').nth(1).map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The first line a command prints, or `None` where it cannot be run, fails or prints none.
fn output(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
