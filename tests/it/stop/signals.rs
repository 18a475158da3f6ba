//! Signals at the start, and a second one.

use super::{STEP, WITHIN, begun_scrape, make_pipe, much, once_read, scenario};
use crate::process::{Exporter, PATIENCE, Setup, Simulated};

/// Processes that are observed at their start.
#[cfg(target_os = "linux")]
const STARTS: usize = 20;

/// SIGHUP, SIGINT and SIGTERM in the mask of handled signals.
#[cfg(target_os = "linux")]
const SIGNALS: u64 = 1 | 1 << 1 | 1 << 14;

/// Starts a process, and waits until it handles the signals. It must do so before it has a runtime,
/// whose threads are the first ones besides the main thread.
#[cfg(target_os = "linux")]
async fn just_started(setup: Setup) -> Exporter {
    let exporter = setup.spawn();
    let status = format!("/proc/{}/status", exporter.id());
    let starting = async {
        loop {
            let status = std::fs::read_to_string(&status).unwrap();
            let value = |name| status.lines().find_map(|line| line.strip_prefix(name));
            let handled = value("SigCgt:\t").unwrap();
            if u64::from_str_radix(handled, 16).unwrap() & SIGNALS == SIGNALS {
                return;
            }
            assert_eq!(value("Threads:\t"), Some("1"), "{status}");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, starting).await.unwrap();
    exporter
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn signals_are_handled_before_anything_else_begins() {
    let simulated = Simulated::start(scenario()).await;
    for _ in 0..STARTS {
        let setup = Setup::exporter(&simulated.config(&[STEP]));
        let exporter = just_started(setup).await;
        exporter.signal("HUP");
        assert!(exporter.listens().await);
        let setup = Setup::exporter(&simulated.config(&[STEP]));
        let exporter = just_started(setup).await;
        exporter.signal("TERM");
        let ended = exporter.ended(WITHIN).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[tokio::test]
async fn second_signal_ends_the_drain_at_once() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&much(&simulated, 3_000)).start().await;
    let (_stream, _) = begun_scrape(&exporter).await;
    exporter.signal("TERM");
    exporter.until_line(&["message=stopping"]).await;
    exporter.signal("TERM");
    let ended = exporter.ended(WITHIN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let drained = ["drain timeout expired", "message=stopped"];
    let drained = |line: &String| drained.iter().any(|end| line.contains(end));
    assert!(!ended.stderr.iter().any(drained), "{ended:?}");
}

#[tokio::test]
async fn check_of_a_file_that_cannot_be_read_can_be_interrupted() {
    for signal in ["TERM", "HUP"] {
        let setup = Setup::new();
        let pipe = setup.files.path("config.yaml");
        make_pipe(&pipe);
        let checking = setup.arg("check-config").arg("config.yaml").spawn();
        let _open = once_read(pipe).await;
        checking.signal(signal);
        let ended = checking.ended(WITHIN).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(
            ended.stderr,
            ["check-config: interrupted before all files were checked"]
        );
    }
}
