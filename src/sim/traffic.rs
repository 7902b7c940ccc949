//! The log of a terminal's frames, for tests: which money frames came, and what became of them.

use std::fmt;

use bytes::Bytes;

use super::command::Command;
use super::wire::Heard;
use crate::protocol::Response;
use crate::time::Timestamp;

/// What has become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A request that the terminal has processed.
    Processed,
    /// A request that was lost on purpose.
    Ignored,
    /// An answer, or something unasked, that was sent.
    Sent,
    /// An answer that was lost, on purpose or since nobody listens.
    Lost,
}

/// A frame of the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Counts the frames of a whole depot in the order of their times.
    pub order: u64,
    /// When.
    pub at: Timestamp,
    /// Which request, or the request that this answers; none for what nobody asked.
    pub command: Option<Command>,
    /// What the terminal heard; none for what it said.
    pub heard: Option<Heard>,
    /// What the terminal said; none for what it heard, and for raw bytes.
    pub said: Option<Response>,
    /// What became of it.
    pub fate: Fate,
    /// The bytes, as they were or would have been on the wire.
    pub bytes: Bytes,
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the bytes: they may hold card data.
        write!(f, "{} {} {:?} {:?} ", self.order, self.at, self.fate, self.command)?;
        match (&self.heard, &self.said) {
            (Some(heard), _) => write!(f, "<- {heard:?}"),
            (None, Some(said)) => write!(f, "-> {said:?}"),
            (None, None) => write!(f, "-> {} raw bytes", self.bytes.len()),
        }
    }
}
