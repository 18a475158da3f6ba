//! Handles SIGTERM, SIGINT and SIGHUP from the first statement of `main` on, before there is a runtime.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// The signals since the start of the process. Their default, to end the process, is off.
#[derive(Debug)]
pub struct Signals {
    /// Whether SIGTERM or SIGINT came.
    stopped: Arc<AtomicBool>,
    hung_up: Arc<AtomicBool>,
}

/// What SIGHUP means to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// It reloads the configuration, which other code does.
    Reloads,
    /// It ends the command, as for programs that do not handle it.
    Stops,
}

impl Signals {
    /// Handles the signals from now on.
    ///
    /// # Errors
    ///
    /// The system refuses a handler.
    pub fn handle() -> io::Result<Self> {
        let (stopped, hung_up) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        // First of all: it reloads a running exporter, and must not end one that starts.
        register(SIGHUP, hung_up.clone())?;
        register(SIGTERM, stopped.clone())?;
        register(SIGINT, stopped.clone())?;
        Ok(Self { stopped, hung_up })
    }

    /// Runs a command, which gets a future that ends with the first signal to stop. `None` means that a
    /// second one came before the command had ended.
    ///
    /// # Errors
    ///
    /// The system refuses a handler.
    pub async fn run<T, F: Future<Output = T>>(
        &self,
        hangup: Hangup,
        command: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) -> io::Result<Option<T>> {
        let mut stops = Stops {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: match hangup {
                Hangup::Reloads => None,
                Hangup::Stops => Some(signal(SignalKind::hangup())?),
            },
        };
        // Read after the handlers above are there, so that no signal is lost between.
        let early = self.stopped.load(Ordering::Relaxed)
            || hangup == Hangup::Stops && self.hung_up.load(Ordering::Relaxed);
        let (stop, stopped) = oneshot::channel();
        let second = async move {
            if !early {
                stops.next().await;
            }
            // The command may ignore it.
            let _ = stop.send(());
            stops.next().await;
        };
        Ok(tokio::select! {
            biased;
            done = command(stopped) => Some(done),
            () = second => None,
        })
    }
}

struct Stops {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Stops {
    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hangup => {}
        }
    }
}
