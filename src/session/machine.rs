//! What is to be done about a session.

use crate::journal::record::Outcome;
use crate::money::Amount;

/// What somebody wants of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// So much energy was delivered, as a running total.
    Energy(Amount),
    /// Take this much. Nothing is a void.
    Commit(Amount),
    /// Give the hold back.
    Void,
    /// End the card flow; there is no hold yet.
    Cancel,
    /// A person settles what is uncertain.
    Resolve {
        /// How it ended.
        outcome: Outcome,
        /// The person's words.
        note: String,
        /// The name of the person's token.
        by: String,
    },
}
