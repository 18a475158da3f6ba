//! Numbers of series: those of some records, kept until one of them changes, and those of a scrape.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many series the resources have in a scrape, and how many a limit keeps out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeriesUsage {
    pub exposed: u64,
    pub dropped: u64,
    /// 0 is no limit.
    pub limit: u64,
}

/// A kept number, or none.
#[derive(Debug, Default)]
pub(super) struct SeriesCount(AtomicU64);

impl Clone for SeriesCount {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl SeriesCount {
    /// Returns the kept number if it has these settings; otherwise computes and keeps it.
    pub(super) fn get(&self, settings: u32, count: impl FnOnce() -> u32) -> u32 {
        // 0 stands for no number.
        let settings = settings.wrapping_add(1);
        let kept = self.0.load(Ordering::Relaxed);
        if kept >> 32 == u64::from(settings) {
            return kept as u32;
        }
        let count = count();
        let kept = u64::from(settings) << 32 | u64::from(count);
        self.0.store(kept, Ordering::Relaxed);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_computed_once_for_each_settings() {
        let count = SeriesCount::default();
        assert_eq!(count.get(0, || 5), 5);
        assert_eq!(count.get(0, || 6), 5);
        let clone = count.clone();
        assert_eq!(count.get(1, || 9), 9);
        assert_eq!(clone.get(0, || 7), 5);
    }
}
