//! A record: one fact that must not be forgotten. What a session is follows from its records and from nothing else, so each
//! variant of [`Fact`] is part of the file format: add variants and optional fields, never rename or reuse.

mod report;

pub use report::{Discrepancy, DiscrepancyKind, Report, ReportResult, Trigger};

use serde::{Deserialize, Serialize};

use crate::card::Card;
use crate::id::{Connector, SessionId, SessionReference, TerminalId, TerminalSessionId};
use crate::money::{Amount, Currency};
use crate::time::Timestamp;

/// A fact about to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it happened.
    pub at: Timestamp,
    /// The terminal that it is about, if one.
    pub terminal: Option<TerminalId>,
    /// The session that it is about, if one.
    pub session: Option<SessionId>,
    /// What happened.
    pub fact: Fact,
}

/// A fact that the journal holds durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the journal, from 1, without gaps.
    pub seq: u64,
    /// What was appended.
    pub entry: Entry,
}

/// Everything that we may not forget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    // ── of the whole program ──
    /// The orchestrator came up.
    Started {
        /// Its version.
        version: String,
    },
    /// The orchestrator went down in an orderly way.
    Stopped,

    // ── of a terminal ──
    /// Somebody told a terminal to take no new card flows.
    Drained {
        /// Whose token it was.
        by: String,
    },
    /// Somebody let a terminal take card flows again.
    Resumed {
        /// Whose token it was.
        by: String,
    },
    /// A terminal's actor crashed and was built anew from the journal.
    Rebuilt,
    /// A terminal is configured like this from now on: what is needed to reach it and to dispose of what it holds, also when it is
    /// configured no more. Nothing of it is secret.
    Configured {
        /// As in the configuration, key by key.
        settings: serde_json::Value,
    },
    /// A terminal is configured no more, or as another device, and has nothing open.
    Removed,
    /// Our holds were compared with the terminal's.
    Reconciled {
        /// What was compared, found and done.
        report: Report,
    },

    /// A button of a screen was pressed (PSP, UI Event).
    ButtonPressed {
        /// Its name, at most 64 characters of it.
        button: String,
    },

    // ── of a session, in the order of its life ──
    /// A session begins: a card flow is about to be asked for, or (`origin`) a hold was found that we did not know.
    Opened {
        /// Why there is a session.
        origin: Origin,
        /// The plug that it is for; none for an orphan.
        connector: Option<Connector>,
        /// The number sent with Start Session; none for an orphan.
        reference: Option<SessionReference>,
        /// The caller's own text, at most 63 bytes.
        caller_reference: Option<String>,
        /// What will be asked for; none for an orphan.
        amount: Option<Amount>,
        /// The site's currency.
        currency: Currency,
        /// The request that asked for it, so that a repetition finds it again.
        idempotency: Option<Idempotency>,
        /// Where it takes place; earlier versions did not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<Device>,
    },
    /// A card was read, and somebody must say whether to go on (`policy.authorise = "ask"`).
    CardRead {
        /// The card, as far as the terminal told.
        card: Card,
        /// Nobody has said so by then: the card flow is cancelled.
        authorise_by: Timestamp,
    },
    /// A card was presented that is none of a bank (PSP, Proprietary Card Read); its session is cancelled.
    OtherCardRead {
        /// The card, as far as the terminal told.
        card: Card,
    },
    /// A card was read and Auth is about to be sent: from here on a hold may exist.
    AuthoriseIntended {
        /// The card, as far as the terminal told.
        card: Option<Card>,
        /// The terminal's own timer as it was last set up, counted from now: when it acts if nobody else does.
        dead_man: DeadMan,
    },
    /// The answer to Auth is lost: a hold may exist.
    AuthoriseUnanswered {
        /// What happened instead of an answer.
        cause: Cause,
    },
    /// The program came up again, and a record that is lost may have said that Auth is about to be sent: a hold may exist.
    AuthoriseUnsure {
        /// The terminal's own timer, counted from when Auth's time is over if it was sent just now: when it has acted at the latest.
        dead_man: DeadMan,
    },
    /// The bank holds money for us.
    HoldPlaced {
        /// The terminal's number for it.
        terminal_session_id: TerminalSessionId,
        /// How much; none when only List Sessions told us of it.
        amount: Option<Amount>,
        /// How we know.
        learned: Learned,
        /// Void by then unless energy was reported.
        plug_in_by: Timestamp,
        /// End it by then even if energy flows.
        end_by: Timestamp,
        /// What to do then.
        at_end: AtEnd,
        /// The terminal's own timer, counted from the approval.
        dead_man: DeadMan,
    },
    /// The bank refused.
    Declined {
        /// The terminal's reason, when it gives any.
        reason: Option<u8>,
    },
    /// The card flow ended without a hold: nobody came, or somebody cancelled.
    Cancelled {
        /// Who or what ended it.
        by: CancelledBy,
    },
    /// It could not even be asked for, or it turned out that no hold was placed.
    Failed {
        /// Why, in words for a person.
        why: String,
    },
    /// Energy was delivered: the running total.
    EnergyReported {
        /// Worth so much so far.
        amount: Amount,
    },
    /// The card whose hold is charging was tapped again: its owner wants to stop (`policy.tap_to_stop`).
    StopTapped {
        /// The session that the tap had opened and that was cancelled for it; none on a terminal that scans all the time.
        tapped_in: Option<SessionId>,
    },
    /// Update Session is about to be sent: the hold may be the old total or the new one from here on.
    UpdateIntended {
        /// The new total.
        amount: Amount,
    },
    /// It never left: the hold is as before.
    UpdateUnsent,
    /// The terminal said how much is held now.
    HoldUpdated {
        /// So much.
        amount: Amount,
    },
    /// The hold is as before.
    UpdateRefused {
        /// The bank has declined; otherwise the terminal said Not OK.
        declined: bool,
        /// The reason, when there is any: the bank's (PSP, Session Declined) or the terminal's (PSP, Errors).
        reason: Option<u8>,
    },
    /// It may have arrived, but no answer came: the hold is the old total or the new one.
    UpdateUnanswered {
        /// What happened instead.
        cause: Cause,
    },
    /// What will become of the hold. Said once; every attempt repeats it.
    DisposalDecided {
        /// Commit of an amount, or void.
        decision: Decision,
        /// Who decided.
        by: DecidedBy,
    },
    /// Commit or Void is about to be sent.
    AttemptStarted {
        /// Its number, from 1.
        attempt: u32,
    },
    /// It never left: the link was gone before the first byte.
    AttemptUnsent {
        /// Its number.
        attempt: u32,
    },
    /// It may have arrived, but no answer came.
    AttemptUnanswered {
        /// Its number.
        attempt: u32,
        /// What happened instead.
        cause: Cause,
    },
    /// The terminal said Not OK.
    AttemptRefused {
        /// Its number.
        attempt: u32,
        /// The terminal's reason, when it gives any (PSP, Errors).
        reason: Option<u8>,
    },
    /// The hold is gone.
    Disposed {
        /// How it ended.
        outcome: Outcome,
        /// How we know.
        confirmed_by: ConfirmedBy,
    },
    /// The terminal has given the hold's number to another session, so that nothing can be said about this one any more: a Commit or
    /// Void of the number would end the other.
    NumberReused {
        /// The other session.
        by: SessionId,
        /// The other session has found it in the terminal's list, and was not told of it: it may be this one's hold after all.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        listed: bool,
    },
    /// Another session was being disposed of under this number while this one's Auth was under way. The terminal may have forgotten that one
    /// by then, so that the disposal met this hold.
    NumberShared {
        /// The other session.
        with: SessionId,
    },
    /// We cannot find out any more; a person must.
    BecameUncertain {
        /// Why, in words for a person.
        why: String,
    },
    /// A person says how it ended, and another one must say the same (`api.resolve_requires_two`). Takes the place of the same person's
    /// earlier words.
    ResolutionProposed {
        /// How it ended, says the person.
        outcome: Outcome,
        /// The person's words.
        note: String,
        /// The name of the person's token.
        by: String,
    },
    /// What was proposed does not stand any more.
    ResolutionWithdrawn {
        /// Whose token it was.
        by: String,
    },
    /// A person has settled it.
    Resolved {
        /// How it ended, says the person.
        outcome: Outcome,
        /// The person's words.
        note: String,
        /// The name of the person's token.
        by: String,
        /// Whose proposal this confirms; none when one person was enough.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed_by: Option<String>,
    },
}

/// Kinds of what happens around sessions: to the program, and to a terminal.
pub(super) const AROUND: [&str; 4] = ["started", "stopped", "rebuilt", "reconciled"];

impl Fact {
    /// The `kind` under which the fact is stored and published.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Stopped => "stopped",
            Self::Drained { .. } => "drained",
            Self::Resumed { .. } => "resumed",
            Self::Rebuilt => "rebuilt",
            Self::Configured { .. } => "configured",
            Self::Removed => "removed",
            Self::Reconciled { .. } => "reconciled",
            Self::ButtonPressed { .. } => "button_pressed",
            Self::Opened { .. } => "opened",
            Self::CardRead { .. } => "card_read",
            Self::OtherCardRead { .. } => "other_card_read",
            Self::AuthoriseIntended { .. } => "authorise_intended",
            Self::AuthoriseUnanswered { .. } => "authorise_unanswered",
            Self::AuthoriseUnsure { .. } => "authorise_unsure",
            Self::HoldPlaced { .. } => "hold_placed",
            Self::Declined { .. } => "declined",
            Self::Cancelled { .. } => "cancelled",
            Self::Failed { .. } => "failed",
            Self::EnergyReported { .. } => "energy_reported",
            Self::StopTapped { .. } => "stop_tapped",
            Self::UpdateIntended { .. } => "update_intended",
            Self::UpdateUnsent => "update_unsent",
            Self::HoldUpdated { .. } => "hold_updated",
            Self::UpdateRefused { .. } => "update_refused",
            Self::UpdateUnanswered { .. } => "update_unanswered",
            Self::DisposalDecided { .. } => "disposal_decided",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::AttemptUnsent { .. } => "attempt_unsent",
            Self::AttemptUnanswered { .. } => "attempt_unanswered",
            Self::AttemptRefused { .. } => "attempt_refused",
            Self::Disposed { .. } => "disposed",
            Self::NumberReused { .. } => "number_reused",
            Self::NumberShared { .. } => "number_shared",
            Self::BecameUncertain { .. } => "became_uncertain",
            Self::ResolutionProposed { .. } => "resolution_proposed",
            Self::ResolutionWithdrawn { .. } => "resolution_withdrawn",
            Self::Resolved { .. } => "resolved",
        }
    }
}

/// Why a session exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody asked for it.
    Api,
    /// A card was presented to a terminal that always waits for one: it begins with the card.
    Scan,
    /// The terminal holds it and nobody here knows why.
    Orphan,
}

/// The device on which a session takes place. Its terminal's name and its address may come to mean another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its family, as in the configuration.
    pub family: String,
    /// Where its link leads to.
    pub place: String,
    /// Its serial number; none when nobody knows it.
    pub serial_number: Option<String>,
}

/// A request that is remembered, so that its repetition gives the same session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// The `Idempotency-Key`, together with the name of the token that used it.
    pub key: String,
    /// SHA-256 of the request's meaning, in hex.
    pub digest: String,
}

/// When the terminal's own timer acts, and what it does (PSP, Setup).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadMan {
    /// When; none when the timer is off.
    pub at: Option<Timestamp>,
    /// What it does then.
    pub action: DeadManAction,
}

/// What the terminal does with a session that nobody ended (PSP, Setup, timeout action).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadManAction {
    /// It gives the hold back.
    Void,
    /// It takes the whole hold.
    Commit,
}

/// What we do with a session that nobody ended (`policy.on_max_session`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    /// Commit the last running total.
    CommitLastKnown,
    /// Void.
    Void,
    /// Only count it as overdue.
    Alert,
}

/// Instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its time ran out.
    Timeout,
    /// The link went away.
    LinkLost,
    /// The stream had to be resynchronised, or an answer could not be told from another's.
    Resynchronised,
    /// The program ended in between.
    Crash,
}

/// How we know of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learned {
    /// Session Approved.
    Approved,
    /// Session Partially Approved: less than asked.
    PartiallyApproved,
    /// Found by List Sessions.
    Listed,
}

/// Who or what ended a card flow before a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    /// A request to the API.
    Api,
    /// The terminal: nobody presented a card, or the cardholder cancelled.
    Terminal,
    /// The orchestrator was going down or the terminal was drained.
    Shutdown,
    /// A card whose hold is charging was tapped again (`policy.tap_to_stop`).
    TapToStop,
    /// The journal could not remember the authorisation, so it was not sent.
    Journal,
    /// The card that was presented is none of a bank.
    OtherCard,
    /// A card was read, but nobody said in time to go on (`policy.authorise = "ask"`).
    NotAuthorised,
}

/// What is to become of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Take this much.
    Commit(Amount),
    /// Give all of it back.
    Void,
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// A request to the API.
    Api,
    /// Approved, but no energy in time.
    PlugInTimeout,
    /// Energy flowed, but nobody ended it.
    MaxSession,
    /// A hold that the terminal had and we did not know, or whose approval was lost.
    Orphan,
    /// The same card tapped again, before energy.
    DuplicateTap,
    /// The orchestrator was going down.
    Shutdown,
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// This much was taken.
    Committed(Amount),
    /// All was given back.
    Voided,
    /// The terminal's own timer ended it.
    Expired,
}

/// How we know that a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmedBy {
    /// The terminal said OK.
    ResultOk,
    /// The terminal does not list it any more after an unanswered attempt.
    ListAbsent,
    /// The terminal does not know it any more after an unanswered attempt, and cannot list.
    Presumed,
    /// The terminal's own timer is past.
    Timer,
    /// Somebody says so.
    Person,
}
