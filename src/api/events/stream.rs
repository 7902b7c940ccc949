//! What one reader is sent.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream::{self, Stream as Chunks};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tracing::warn;

use super::feed::{Feed, Place};
use crate::journal::Selection;

/// A comment, which every reader ignores.
const HEARTBEAT: &[u8] = b":\n\n";

/// How long a browser waits before it connects again.
const RETRY_MILLIS: u32 = 1000;

/// One reader's events.
pub(super) struct Stream {
    place: Place,
    of: Selection,
    /// It has been sent all that it wants up to this record.
    after: u64,
    woken: watch::Receiver<u64>,
    beat: Interval,
    ended: bool,
}

impl Stream {
    pub(super) fn new(place: Place, of: Selection, after: u64, woken: watch::Receiver<u64>) -> Self {
        let mut beat = tokio::time::interval(place.0.settings.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        Self { place, of, after, woken, beat, ended: false }
    }

    /// One after the other, each when the one before it is on its way.
    pub(super) fn chunks(self) -> impl Chunks<Item = Result<Bytes, Infallible>> {
        // An id without data is no event, but from now on it is the last id: so nobody who is cut off before the first event misses
        // any.
        let first = Bytes::from(format!("retry: {RETRY_MILLIS}\nid: {}\n\n", self.after));
        stream::unfold((Some(first), self), |(first, mut events)| async move {
            let chunk = match first {
                Some(first) => Some(first),
                None => events.next().await,
            };
            chunk.map(|chunk| (Ok(chunk), (None, events)))
        })
    }

    /// Events, or a heartbeat when there are none for long. None at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            let closed = self.feed().closed.is_cancelled();
            // Before the ring is looked at, so that nothing can come unnoticed in between.
            self.woken.mark_unchanged();
            let (chunk, at_end) = match self.feed().recent(self.after, &self.of) {
                Some(chunk) => (chunk, true),
                None if closed => return None,
                None => match self.feed().page(self.after, &self.of).await {
                    Ok(chunk) => (chunk, false),
                    Err(error) => {
                        warn!(%error, "a reader of events is sent away; it may come again");
                        self.ended = true;
                        return Some(comment(&error.to_string()));
                    }
                },
            };
            self.after = chunk.up_to;
            if !chunk.bytes.is_empty() {
                self.beat.reset();
                return Some(chunk.bytes);
            }
            if closed {
                return None;
            }
            tokio::select! {
                biased;
                _ = self.beat.tick() => return Some(Bytes::from_static(HEARTBEAT)),
                // A page without anything for this reader: on to the next one.
                () = std::future::ready(()), if !at_end => {}
                _ = self.woken.changed() => {}
                () = self.place.0.closed.cancelled() => {}
            }
        }
        None
    }

    fn feed(&self) -> &Feed {
        &self.place.0
    }
}

/// For a person who looks at the stream.
fn comment(text: &str) -> Bytes {
    let line: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    format!(": {line}\n\n").into()
}
