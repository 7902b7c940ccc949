//! A Get Status of the link's own: the terminal answers in order (assumption 13), so that whatever could still trail has come when the
//! status comes. Pure.
//!
//! What is answered may be answered twice, since a wire repeated it or the terminal did; and a Result has no name, so that a second one would
//! be taken for the answer to the next request (G5). Money is asked for only behind a fence.

use std::time::Duration;

use crate::protocol::response::{Response, Status, TerminalState, Verdict};
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

/// How long a terminal may take from the end of a card flow, as it has told it, to ENABLED (PSP, States: "automatically").
const LINGERS: Duration = Duration::from_secs(5);

/// How often is looked meanwhile: somebody stands there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A card flow of the terminal's that is none of ours: one that has just ended and lingers, or one that we took for ended.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) since: Timestamp,
    pub(super) look_again_at: Timestamp,
}

impl Stray {
    /// It was there at first then, and is now.
    pub(super) fn seen(since: Timestamp, now: Timestamp) -> Self {
        Self { since, look_again_at: now.after(LOOK_EVERY) }
    }

    /// It does not only linger.
    pub(super) fn is_for_good(&self, now: Timestamp) -> bool {
        now >= self.since.after(LINGERS)
    }
}

/// Whether this, if it came a second time, would be taken for the answer to another request. A card is only asked for behind a fence, and
/// only Auth follows, so that a second Card Read is seen to be one.
pub(super) const fn has_twin(response: &Response) -> bool {
    !matches!(response, Response::Synchronize | Response::Status(_) | Response::CardRead(_) | Response::ProprietaryCardRead(_))
}

/// Whether the terminal waits for a card, or with one for what is to become of it.
pub(super) const fn is_in_card_flow(status: Status) -> bool {
    matches!(status.state, TerminalState::WaitCard | TerminalState::WaitAuth)
}
