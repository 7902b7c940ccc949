//! What the bank complains about.

use serde::Serialize;

use super::bank::Demand;
use crate::id::{TerminalId, TerminalSessionId};
use crate::money::Amount;
use crate::time::Timestamp;

/// Something that must never happen, whatever goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Where.
    pub terminal: TerminalId,
    /// Which session.
    pub session: TerminalSessionId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: ViolationKind,
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// A capture of a hold that was captured before reached the bank.
    DoubleCapture,
    /// Somebody asked for more than the hold, or for nothing.
    AmountOutOfHold {
        /// How much is held.
        held: Amount,
        /// How much was asked for.
        asked: Amount,
    },
    /// A host changed its mind: it asked for something else than what had ended the hold. (The same once more is no violation:
    /// the answer may have been lost.)
    SecondDecision(Demand),
}
