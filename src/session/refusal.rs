//! Why a request is refused. Each refusal answers the caller's next question: the code is stable, and the text is for a person. Nothing
//! has been changed or sent, but by the two that say so: [`Refusal::TerminalUnanswered`] and [`Refusal::UpdateDeclined`].

use crate::id::{SessionId, TerminalId};
use crate::money::Amount;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such terminal.
    #[error("there is no terminal {0}")]
    TerminalUnknown(String),
    /// No such session.
    #[error("there is no session {0}")]
    SessionUnknown(String),
    /// A card flow is open already.
    #[error("{0} is busy with another card flow; a terminal has one at a time")]
    TerminalBusy(TerminalId),
    /// All connectors hold.
    #[error("every connector of {terminal} has a session: {open} of {connectors}")]
    TerminalFull {
        /// Which.
        terminal: TerminalId,
        /// How many are open.
        open: usize,
        /// How many there may be.
        connectors: u8,
    },
    /// The terminal cannot take a card now.
    #[error("{terminal} cannot take a card now: {why}")]
    TerminalNotReady {
        /// Which.
        terminal: TerminalId,
        /// Why.
        why: String,
    },
    /// It did not answer.
    #[error("{terminal} did not answer {request} in time, or its link was lost meanwhile: whether it was done is not known")]
    TerminalUnanswered {
        /// Which.
        terminal: TerminalId,
        /// What was sent.
        request: &'static str,
    },
    /// No new card flows, by somebody's wish.
    #[error("{0} is draining and takes no new card flows")]
    Draining(String),
    /// The journal cannot remember.
    #[error("the journal cannot remember this now, so it was not done: {0}")]
    JournalUnavailable(String),
    /// The journal remembers, but too slowly for whoever would stand before a terminal.
    #[error("{0}; no new card flows are taken until it is faster")]
    JournalSlow(String),
    /// Too much is decided and not delivered.
    #[error("{terminal} takes no new card flows: {why}")]
    TooManyUndelivered {
        /// Which.
        terminal: TerminalId,
        /// How many, and how many there may be.
        why: String,
    },
    /// More than the hold.
    #[error("the hold is {held}, so {asked} cannot be committed (minor units)")]
    OverCommit {
        /// How much is held.
        held: Amount,
        /// How much was asked for.
        asked: Amount,
    },
    /// An amount out of range.
    #[error("{0}")]
    AmountInvalid(String),
    /// The same key with another request.
    #[error("this Idempotency-Key was used before with another request")]
    IdempotencyMismatch,
    /// Another decision was made before.
    #[error("session {session} is already decided: {decided}")]
    AlreadyDecided {
        /// Which.
        session: SessionId,
        /// What was decided.
        decided: String,
    },
    /// The terminal's family cannot do it.
    #[error("{0}")]
    NotSupported(String),
    /// There is no hold to decide about.
    #[error("session {session} has no known hold: it is {state}")]
    NoHold {
        /// Which.
        session: SessionId,
        /// What it is.
        state: &'static str,
    },
    /// The hold is being raised or lowered to another total.
    #[error("the hold of session {session} is just being changed to {under_way} (minor units); one at a time")]
    UpdateUnderWay {
        /// Which.
        session: SessionId,
        /// The total that was asked for.
        under_way: Amount,
    },
    /// The hold was not raised or lowered; it is as before.
    #[error("the hold of session {session} is as before: {why}")]
    UpdateDeclined {
        /// Which.
        session: SessionId,
        /// Why.
        why: String,
    },
    /// There is no card to go on with.
    #[error("session {session} has no card that waits to be authorised: it is {state}")]
    NoCard {
        /// Which.
        session: SessionId,
        /// What it is.
        state: &'static str,
    },
    /// Nothing to be settled by a person, or not yet.
    #[error("a person settles what is uncertain or stuck, but session {session} is {state}{since}")]
    NotStuck {
        /// Which.
        session: SessionId,
        /// What it is.
        state: &'static str,
        /// Until when the program goes on alone, in words; empty when there is nothing to settle.
        since: String,
    },
    /// The terminal is just being asked, and its answer goes before a person's word.
    #[error("session {0} is just being disposed of; its answer comes within a minute or so: ask again then")]
    AttemptUnderWay(SessionId),
    /// One person does not settle it (`api.resolve_requires_two`).
    #[error(
        "{proposed_by} has proposed this for session {session}, and another person has to say the same \
         (api.resolve_requires_two)"
    )]
    NeedsAnotherPerson {
        /// Which.
        session: SessionId,
        /// Who.
        proposed_by: String,
    },
    /// Another person says something else.
    #[error(
        "{proposed_by} has proposed that session {session} is {proposed}: say the same, or withdraw the proposal, before \
         another is made"
    )]
    ResolutionConflict {
        /// Which.
        session: SessionId,
        /// Who.
        proposed_by: String,
        /// What.
        proposed: String,
    },
    /// There is, or may be, a hold.
    #[error("session {session} has or may have a hold (it is {state}): commit or void it")]
    HasHold {
        /// Which.
        session: SessionId,
        /// What it is.
        state: &'static str,
    },
}

impl Refusal {
    /// The stable code of the problem.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TerminalUnknown(_) => "terminal_unknown",
            Self::SessionUnknown(_) => "session_unknown",
            Self::TerminalBusy(_) => "terminal_busy",
            Self::TerminalFull { .. } => "terminal_full",
            Self::TerminalNotReady { .. } => "terminal_not_ready",
            Self::TerminalUnanswered { .. } => "terminal_unanswered",
            Self::Draining(_) => "draining",
            Self::JournalUnavailable(_) => "journal_unavailable",
            Self::JournalSlow(_) => "journal_slow",
            Self::TooManyUndelivered { .. } => "too_many_undelivered",
            Self::OverCommit { .. } => "over_commit",
            Self::AmountInvalid(_) => "amount_invalid",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::AlreadyDecided { .. } => "already_decided",
            Self::NotSupported(_) => "not_supported",
            Self::NoHold { .. } => "no_hold",
            Self::UpdateUnderWay { .. } => "update_under_way",
            Self::UpdateDeclined { .. } => "update_declined",
            Self::NoCard { .. } => "no_card",
            Self::NotStuck { .. } => "not_supported",
            Self::AttemptUnderWay(_) => "attempt_under_way",
            Self::NeedsAnotherPerson { .. } => "needs_another_person",
            Self::ResolutionConflict { .. } => "resolution_conflict",
            Self::HasHold { .. } => "has_hold",
        }
    }
}
