//! Ends the processes that profiles start for credentials (`credential_process`).
//!
//! Such a process has no process group of its own, so that it can ask on the terminal. The exporter
//! starts no other processes, so all of its children are of this kind.

use std::time::Duration;

/// Ends all these processes and their children, when the exporter ends.
pub fn end_credential_processes() {
    let _ = end_older_than(Duration::ZERO);
}

/// Ends the processes that have run at least so long, and their children. Returns whether there were
/// any.
#[cfg(target_os = "linux")]
pub(super) fn end_older_than(age: Duration) -> bool {
    use procfs::Current;

    let Ok(uptime) = procfs::Uptime::current() else {
        return false;
    };
    let age_of =
        |starttime: u64| uptime.uptime - starttime as f64 / procfs::ticks_per_second() as f64;
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    end_trees(|stat| stat.ppid == own && age_of(stat.starttime) >= age.as_secs_f64())
}

/// Ends a process that this one started and has not waited for, and its children.
#[cfg(target_os = "linux")]
pub(super) fn end(id: Option<u32>) {
    let id = id.and_then(|id| i32::try_from(id).ok());
    end_trees(|stat| Some(stat.pid) == id);
}

/// Ends the processes that are selected and all below them. Returns whether there were any.
#[cfg(target_os = "linux")]
fn end_trees(is_selected: impl Fn(&procfs::process::Stat) -> bool) -> bool {
    use std::collections::BTreeSet;

    use rustix::process::{Pid, Signal, kill_process};

    let Ok(processes) = procfs::process::all_processes() else {
        return false;
    };
    let stats: Vec<_> = processes
        .filter_map(|process| process.ok()?.stat().ok())
        .collect();
    let selected = { stats.iter() }.filter(|stat| is_selected(stat));
    let mut ended: BTreeSet<i32> = selected.map(|stat| stat.pid).collect();
    loop {
        let below = { stats.iter() }.filter(|stat| ended.contains(&stat.ppid));
        let below: Vec<i32> = below.map(|stat| stat.pid).collect();
        let before = ended.len();
        ended.extend(below);
        if ended.len() == before {
            break;
        }
    }
    for &pid in &ended {
        if let Some(pid) = Pid::from_raw(pid) {
            // One that has ended meanwhile is what is wanted.
            let _ = kill_process(pid, Signal::Kill);
        }
    }
    !ended.is_empty()
}

/// Only Linux has `/proc`, from which the parents of processes are read.
#[cfg(not(target_os = "linux"))]
pub(super) fn end_older_than(_age: Duration) -> bool {
    false
}

/// A process whose output is not read any more ends by itself, unless it ignores that.
#[cfg(not(target_os = "linux"))]
pub(super) fn end(_id: Option<u32>) {}
