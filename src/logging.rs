//! Sets up the destination and the format of log lines.

use std::io::{self, Write};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use crate::cli::{LogFormat, LogLevel};

/// Modules of the AWS SDK that read settings and log ignored ones.
const SETTINGS: [&str; 4] = [
    "aws_config::default_provider",
    "aws_config::provider_config",
    "aws_runtime::env_config",
    "aws_smithy_http_client::client::tls",
];

/// Returns a subscriber that writes to standard error.
///
/// Libraries log only warnings, and only about settings: at finer levels, the AWS SDK logs complete
/// responses, whose `inputs` and `outputs` can hold secrets. It also logs each failed attempt, which
/// the exporter counts and logs once, without credentials.
pub fn subscriber(level: LogLevel, format: LogFormat) -> impl Subscriber + Send + Sync {
    let own = LevelFilter::from(level);
    let of_libraries = own.min(LevelFilter::WARN);
    let filter = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), own)
        .with_targets(SETTINGS.map(|module| (module, of_libraries)))
        .with_default(LevelFilter::OFF);
    // The module a line comes from would be called `target`, which is the name of a configured
    // target here.
    let (logfmt, json) = match format {
        LogFormat::Logfmt => {
            let layer = tracing_logfmt::builder()
                .with_target(false)
                .with_span_name(false)
                .with_span_path(false)
                .layer()
                .with_writer(io::stderr);
            (Some(layer), None)
        }
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_target(false)
                .with_current_span(false)
                .with_span_list(false)
                .with_writer(|| Escaped(io::stderr()));
            (None, Some(layer))
        }
    };
    tracing_subscriber::registry()
        .with(logfmt.with_filter(filter.clone()))
        .with(json.with_filter(filter))
}

/// Logs each panic of the process in one line, with its place. `mask` removes credentials from a message.
pub fn log_panics(mask: impl Fn(&str) -> String + Send + Sync + 'static) {
    // What panics may have turned its own log off.
    let log = tracing::dispatcher::get_default(Clone::clone);
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string);
        tracing::dispatcher::with_default(&log, || {
            tracing::error!(
                place,
                error = mask(message),
                "panic: this is a defect of the exporter"
            );
        });
    }));
}

/// Escapes, within the strings of a line of JSON, what JSON may leave as it is, but what ends a line
/// for some readers and steers some terminals: the service's texts are untrusted.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut escaped = String::with_capacity(line.len());
        for character in String::from_utf8_lossy(line).chars() {
            match character {
                '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                other => escaped.push(other),
            }
        }
        self.0.write_all(escaped.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}
