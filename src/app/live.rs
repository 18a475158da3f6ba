//! Holds what HTTP handlers read. A reload replaces it in one step, so that no scrape exposes a
//! half-applied configuration.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::baseline::Baselines;
use crate::clock::{Clock, Now};
use crate::config::Config;
use crate::exposition::{Derived, LimitedRecords, Scrape, ScrapeSource, series_usage};
use crate::finished::Finished;
use crate::http::{Exporter, Reload};
use crate::poller::{Published, RateLimiter};
use crate::self_metrics::{PollerMetrics, ProcessMetrics, Subsystem};
use crate::shard::Shard;
use crate::snapshot::SeriesUsage;
use crate::status::{self, Known};

/// The effective configuration and the pollers that it has.
#[derive(Debug)]
pub(super) struct View {
    pub config: Arc<Config>,
    pub shard: Shard,
    pub polled: Vec<Polled>,
    pub finished: Arc<Finished>,
    pub baselines: Arc<Baselines>,
}

/// The data of one poller that HTTP handlers read.
#[derive(Debug)]
pub(super) struct Polled {
    pub target: Arc<str>,
    pub region: Arc<str>,
    pub published: Arc<Published>,
    pub metrics: Arc<PollerMetrics>,
    pub limiter: Arc<RateLimiter>,
}

impl View {
    /// Returns a scrape with all series.
    fn scrape(&self, process: &Arc<ProcessMetrics>, now: Now) -> Scrape {
        let source = |polled: &Polled| {
            let published = polled.published.get();
            let interval = self.config.polling.interval;
            ScrapeSource {
                target: polled.target.clone(),
                region: polled.region.clone(),
                up: published.health.is_up(now.instant, interval),
                snapshot: published.snapshot,
                metrics: polled.metrics.clone(),
            }
        };
        let metrics = &self.config.metrics;
        Scrape {
            now: Scrape::time_at(now.time),
            status_format: metrics.status_format,
            message_labels: metrics.message_labels,
            sources: self.polled.iter().map(source).collect(),
            finished: self.finished.snapshot(now.instant),
            baselines: self.baselines.snapshot(),
            process: process.clone(),
            series_limit: metrics.series_limit.into(),
            derived: Derived::default(),
        }
    }
}

/// Receives the result of a reload.
type ReloadAnswer = oneshot::Sender<Result<(), String>>;

/// A request over HTTP to reload.
#[derive(Debug)]
pub(super) struct ReloadRequest {
    pub answer: ReloadAnswer,
}

/// The exporter as the HTTP server uses it.
#[derive(Debug)]
pub(super) struct Live {
    clock: Clock,
    process: Arc<ProcessMetrics>,
    view: RwLock<Arc<View>>,
    ready: AtomicBool,
    /// The records that the limit leaves in scrapes.
    limited: Mutex<LimitedRecords>,
    /// Whether the limit kept series out of the last scrape.
    is_limited: AtomicBool,
    /// `None` when reload over HTTP is disabled.
    reload: Option<mpsc::Sender<ReloadRequest>>,
}

impl Live {
    pub(super) fn new(
        clock: Clock,
        process: Arc<ProcessMetrics>,
        view: View,
        reload: Option<mpsc::Sender<ReloadRequest>>,
    ) -> Self {
        Self {
            clock,
            process,
            view: RwLock::new(Arc::new(view)),
            ready: AtomicBool::new(false),
            limited: Mutex::default(),
            is_limited: AtomicBool::new(false),
            reload,
        }
    }

    pub(super) fn show(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    pub(super) fn process(&self) -> &ProcessMetrics {
        &self.process
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Logs when the limit starts and stops keeping series out of scrapes.
    fn log_limit(&self, is_limited: bool, scrape: &Scrape) {
        if self.is_limited.swap(is_limited, Ordering::Relaxed) == is_limited {
            return;
        }
        let SeriesUsage {
            exposed,
            dropped,
            limit,
        } = series_usage(scrape);
        if is_limited {
            warn!(
                limit,
                exposed,
                dropped,
                "metrics.series_limit keeps resources out of /metrics; raise it, or track fewer resources"
            );
        } else {
            info!(
                limit,
                exposed, "metrics.series_limit no longer keeps resources out of /metrics"
            );
        }
    }

    fn view(&self) -> Arc<View> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.clone()
    }
}

impl Exporter for Live {
    fn scrape(&self) -> Scrape {
        let view = self.view();
        let mut scrape = view.scrape(&self.process, self.clock.now());
        let is_limited = {
            // No code under the lock panics between two changes.
            let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            limited.apply(&mut scrape)
        };
        self.log_limit(is_limited, &scrape);
        scrape
    }

    fn config(&self) -> String {
        self.view().config.effective()
    }

    fn status(&self) -> Known {
        let view = self.view();
        let now = self.clock.now();
        let source = |polled: &Polled| {
            let published = polled.published.get();
            let slowed_to = polled.limiter.slowed_to(now.instant);
            status::StatusSource {
                target: polled.target.clone(),
                region: polled.region.clone(),
                health: published.health(now, view.config.polling.interval, slowed_to),
                snapshot: published.snapshot,
            }
        };
        let scrape = view.scrape(&self.process, now);
        Known {
            now: scrape.now,
            ready: self.is_ready(),
            shard: (!view.shard.is_all()).then(|| (view.shard.index(), view.shard.total())),
            sources: view.polled.iter().map(source).collect(),
            series: series_usage(&scrape),
            ends: scrape.ends().clone(),
            baselines: scrape.baselines,
        }
    }

    fn ready(&self) -> bool {
        self.is_ready()
    }

    fn panicked(&self) {
        self.process.panicked(Subsystem::Http);
    }

    fn reload(&self) -> Option<Reload> {
        let requests = self.reload.clone()?;
        Some(Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let stopping = || "the exporter is stopping".to_owned();
            let request = ReloadRequest { answer };
            requests.send(request).await.map_err(|_| stopping())?;
            answered.await.unwrap_or_else(|_| Err(stopping()))
        }))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::pollers::counting;
    use super::*;
    use crate::exposition::{Encoding, Exposition, Format, Frames, Next, SharedFrames};
    use crate::model::Timestamp;

    /// A target in one region, of which nothing is known.
    fn live(clock: Clock) -> Live {
        let text = "targets: [{name: production, regions: [us-west-2], images: ['*']}]";
        let config = Config::read("test.yaml", text, &|_| None).unwrap().config;
        let now = clock.now().instant;
        let settings = counting(&config.metrics);
        let polled = Polled {
            target: "production".into(),
            region: "us-west-2".into(),
            published: Arc::default(),
            metrics: Arc::new(PollerMetrics::new("production", "us-west-2")),
            limiter: Arc::new(RateLimiter::new(config.targets[0].rate_limit, now)),
        };
        let view = View {
            config: Arc::new(config),
            shard: Shard::default(),
            polled: vec![polled],
            finished: Arc::new(Finished::new(now, &settings)),
            baselines: Arc::default(),
        };
        Live::new(clock, Arc::new(ProcessMetrics::new(&[])), view, None)
    }

    #[tokio::test(start_paused = true)]
    async fn scrapes_that_begin_together_share_their_frames() {
        let live = live(Clock::Tokio(Now {
            instant: Clock::System.now().instant,
            time: Timestamp::from_millis(1_788_981_143_410),
        }));
        let shared = SharedFrames::default();
        let begin = || {
            let exposition = Exposition::new(live.scrape(), Format::Text);
            Frames::new(exposition, Encoding::Gzip, &shared)
        };
        let received = |frames: &mut Frames| -> Vec<Bytes> {
            let next = || match frames.advance() {
                Next::Frame(bytes) => Some(Some(bytes)),
                Next::Working => Some(None),
                Next::End => None,
            };
            std::iter::from_fn(next).flatten().collect()
        };
        let mut scrapes = [begin(), begin(), begin()];
        let received = scrapes.each_mut().map(received);
        let [_, second, third] = { received.each_ref() }.map(|frames| {
            frames
                .iter()
                .map(|bytes| bytes.as_ptr())
                .collect::<Vec<_>>()
        });
        assert_eq!(second, third);
    }
}
