//! What a reconciliation tells a session.

use crate::id::TerminalSessionId;

/// What the terminal's list says about one session; found by the plan of a reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// In doubt: the terminal holds this approval, which we never heard. It is the session's hold, to be voided.
    Adopt(TerminalSessionId),
    /// In doubt: two lists agree that no hold was placed.
    NoHold,
    /// The terminal still has the session's hold.
    Present,
    /// Two lists agree that the terminal does not have the session's hold any more.
    Absent,
    /// Two lists show nothing of it, which proves nothing: the terminal forgets sessions, or a part of the journal is lost.
    Unproven,
}
