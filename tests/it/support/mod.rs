//! What several test modules share: a scripted API, and the exporter's core on tokio's clock.

pub mod busy_account;
pub mod config_text;
pub mod exposition;
pub mod fleet;
pub mod kept;
pub mod poller;
pub mod scenario_text;
pub mod scripted;
#[expect(dead_code, reason = "only long simulations show it")]
pub mod simulation;
pub mod wall_clock;

/// Runs the future on a paused clock of its own.
pub fn paused<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be built");
    runtime.block_on(future)
}
