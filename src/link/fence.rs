//! What may still trail of requests that were answered, and the status that shows that nothing does. Pure.
//!
//! The terminal answers in order (assumption 13). So when a status comes, whatever could trail of what was written before it has come, too.
//! What is answered may be answered twice, since a wire repeated it or the terminal did; and a Result has no name, so that a second one would
//! be taken for the answer to the next request (G5). Money is asked for only behind a fence.

use crate::protocol::response::{Response, Verdict};
use crate::time::Timestamp;

/// Why a fence was sent.
#[derive(Debug)]
pub(super) enum Why {
    /// A Result Not OK fits the card flow and the command.
    Doubt(Verdict),
    /// Session Cancelled may have ended the card flow by itself; then a Result Not OK to our Cancel trails.
    Cancelled { swallowed: bool },
    /// Start Session has not been answered in time.
    Overdue,
    /// What was answered may be answered once more, and money is next.
    Twin,
}

/// A Get Status of our own.
#[derive(Debug)]
pub(super) struct Fence {
    pub(super) why: Why,
    /// Its place among everything written.
    pub(super) place: u64,
    pub(super) began: Option<Timestamp>,
    pub(super) deadline: Option<Timestamp>,
}

/// Which answers may come once more. Requests are known by their places among everything written.
#[derive(Debug)]
pub(super) struct Trail {
    /// The last request whose answer, if it came twice, would be taken for another's.
    answered: Option<u64>,
    /// The last request whose answer was a fence.
    fenced: Option<u64>,
}

impl Trail {
    /// Nothing was answered yet.
    pub(super) const NOTHING: Self = Self { answered: None, fenced: None };

    /// The request of this place was answered so.
    pub(super) fn answered(&mut self, place: u64, response: &Response) {
        match response {
            Response::Synchronize | Response::Status(_) => self.fenced(place),
            // A card is only asked for behind a fence, and only Auth follows, so that a second Card Read is seen to be one.
            Response::CardRead(_) | Response::ProprietaryCardRead(_) => {}
            _ => self.answered = self.answered.max(Some(place)),
        }
    }

    /// A status has come that was asked for at this place.
    pub(super) fn fenced(&mut self, place: u64) {
        self.fenced = self.fenced.max(Some(place));
    }

    /// Whether a second answer may come that would be taken for another's.
    pub(super) fn may_come(&self) -> bool {
        self.answered > self.fenced
    }
}
