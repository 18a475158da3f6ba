//! Shares frames between scrapes with gzip that begin together.
//!
//! The first scrape renders for itself, since most scrapes are alone. The second one renders for all that
//! follow: its frames are kept until the last of these scrapes has ended.
//!
//! Only one recording is kept at a time, so clients that read slowly together keep at most the
//! compressed text of one scrape. Until they end, later scrapes render for themselves.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

use super::buffers::{FramePool, Next};
use super::gzip::GzipFrames;
use super::render::Exposition;
use super::scrape::Scrape;
use super::text::Format;

/// Maximum number of moving records in a scrape that is recorded. A recording has their text for itself,
/// about 5 MB. Most other text is that of kept pieces, once these are joined.
const MOST_MOVING: usize = 10_000;

/// What scrapes share: a pool of buffers, and the frames of those that begin together.
#[derive(Debug, Default)]
pub struct SharedFrames {
    pub(super) pool: Arc<FramePool>,
    last: Mutex<Last>,
}

/// The last scrape that began alone, and the recording of those that began together with one.
#[derive(Debug, Default)]
struct Last {
    alone: Option<(Weak<Scrape>, Format)>,
    recording: Weak<Recording>,
}

/// The frames of a scrape, from the first one to the one that the fastest of its readers has reached.
#[derive(Debug)]
struct Recording {
    scrape: Arc<Scrape>,
    format: Format,
    recorded: Mutex<Recorded>,
}

#[derive(Debug)]
struct Recorded {
    frames: Vec<Bytes>,
    /// Renders the next frame; `None` after the last one.
    rest: Option<Box<GzipFrames>>,
}

/// A scrape that takes its frames from a recording.
#[derive(Debug)]
pub(super) struct Reader {
    recording: Arc<Recording>,
    /// The number of frames that it has taken.
    taken: usize,
}

impl SharedFrames {
    /// Returns a reader if the scrape began together with another one, or else its own frames.
    pub(super) fn reader(&self, exposition: Exposition) -> Result<Reader, Box<GzipFrames>> {
        let (scrape, format) = (exposition.scrape().clone(), exposition.format());
        let frames = |is_recorded| {
            let frames = GzipFrames::new(exposition, self.pool.clone(), is_recorded);
            Box::new(frames)
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recording) = last.recording.upgrade() {
            return match recording.serves(&scrape, format) {
                true => Ok(recording.reader()),
                false => Err(frames(false)),
            };
        }
        if !last.began_with(&scrape, format) || scrape.moving_len() > MOST_MOVING {
            last.alone = Some((Arc::downgrade(&scrape), format));
            return Err(frames(false));
        }
        let recording = Arc::new(Recording {
            scrape,
            format,
            recorded: Mutex::new(Recorded {
                frames: Vec::new(),
                rest: Some(frames(true)),
            }),
        });
        last.recording = Arc::downgrade(&recording);
        Ok(recording.reader())
    }
}

impl Last {
    fn began_with(&self, scrape: &Scrape, format: Format) -> bool {
        let Some((alone, its_format)) = &self.alone else {
            return false;
        };
        *its_format == format && { alone.upgrade() }.is_some_and(|alone| alone.began_with(scrape))
    }
}

impl Recording {
    /// Whether a scrape can take its frames from it. After a panic it cannot.
    fn serves(&self, scrape: &Scrape, format: Format) -> bool {
        let is_same = self.format == format && self.scrape.began_with(scrape);
        is_same && !self.recorded.is_poisoned()
    }

    fn reader(self: Arc<Self>) -> Reader {
        Reader {
            recording: self,
            taken: 0,
        }
    }
}

impl Reader {
    pub(super) fn next(&mut self) -> Next {
        // After a panic the frames are not complete. Each reader then ends as the first one did.
        let mut recorded = { self.recording.recorded.lock() }.expect("rendering does not panic");
        if let Some(frame) = recorded.frames.get(self.taken) {
            self.taken += 1;
            return Next::Frame(frame.clone());
        }
        let Some(rest) = &mut recorded.rest else {
            return Next::End;
        };
        let next = rest.next();
        match &next {
            Next::Frame(frame) => {
                recorded.frames.push(frame.clone());
                self.taken += 1;
            }
            Next::Working => {}
            Next::End => recorded.rest = None,
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::super::tests::scrape;
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn scrapes_that_begin_after_a_panic_render_for_themselves() {
        let scrape = scrape([], Timestamp::from_millis(0));
        let shared = SharedFrames::default();
        let begin = || shared.reader(Exposition::new(scrape.clone(), Format::Text));
        let (_alone, mut reader) = (begin(), begin().unwrap());
        assert!(begin().is_ok());
        let recording = reader.recording.clone();
        let interrupted = catch_unwind(AssertUnwindSafe(|| {
            let _recorded = recording.recorded.lock();
            panic!("half-way");
        }));
        assert!(interrupted.is_err());
        let next = catch_unwind(AssertUnwindSafe(|| reader.next()));
        assert!(next.is_err(), "the frames are not complete");
        assert!(begin().is_err());
    }
}
