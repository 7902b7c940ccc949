//! What goes out as JSON. The names and meanings are promised to those who read it; the domain types are free to change beneath.
//! What is not known is `null` and never left out.

use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::card::Card;
use crate::id::TerminalSessionId;
use crate::journal::record::{ConfirmedBy, DecidedBy, Decision, Discrepancy, Fact, Outcome, Record, Report, Trigger};
use crate::money::Amount;
use crate::session::resolution::Resolution;
use crate::session::state::{Disposal, Failure};
use crate::session::update::{Answer, Update};
use crate::session::words::{cancelled_by, declined, last_error};
use crate::session::{Session, State};
use crate::terminal::{Identity, View};
use crate::time::Timestamp;

/// A session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session, example = json!({
    "id": "01936b1e-7c00-7000-8000-000000000001", "version": 7, "terminal": "bay-01", "connector": 1, "reference": "plug 7",
    "state": "committed", "amount_requested": 5000, "amount_held": 5000, "amount_held_at_most": 5000, "amount_energy": 3140,
    "amount_final": 3140, "currency": "EUR", "terminal_session_id": 11,
    "card": { "hash": "0123456789abcdef", "masked_pan": "541333******0019" },
    "created_at": "2026-03-01T10:00:00.000Z", "approved_at": "2026-03-01T10:00:20.000Z", "deadline_at": null,
    "disposed_at": "2026-03-01T11:00:01.000Z", "why": null, "update": null, "resolution": null,
    "disposal": { "decision": "commit", "amount": 3140, "by": "api", "attempts": 1, "confirmed_by": "result_ok", "last_error": null }
}))]
pub(super) struct SessionView<'a> {
    #[schema(value_type = schema::SessionName)]
    id: String,
    /// Counts the changes; see `?wait=` and `ETag`.
    #[schema(value_type = schema::Count)]
    version: u64,
    #[schema(value_type = schema::TerminalName)]
    terminal: &'a str,
    /// The plug, if it is known.
    #[schema(minimum = 1)]
    connector: Option<u8>,
    /// The caller's own text.
    reference: Option<&'a str>,
    #[schema(value_type = schema::SessionState)]
    state: &'static str,
    /// What was asked for; null for a hold that only the terminal knew of.
    #[schema(value_type = Option<schema::Amount>)]
    amount_requested: Option<u32>,
    /// What can be committed; may be less than was asked for.
    #[schema(value_type = Option<schema::Amount>)]
    amount_held: Option<u32>,
    /// What may be held, while the answer to an update is not known.
    #[schema(value_type = Option<schema::Amount>)]
    amount_held_at_most: Option<u32>,
    /// The running total that was reported last.
    #[schema(value_type = Option<schema::Amount>)]
    amount_energy: Option<u32>,
    /// What was taken; 0 for a void. Null as long as there is no end.
    #[schema(value_type = Option<schema::Amount>)]
    amount_final: Option<u32>,
    /// ISO 4217.
    currency: &'a str,
    /// The terminal's number of the hold.
    #[schema(value_type = Option<schema::Number>)]
    terminal_session_id: Option<u32>,
    card: Option<CardView<'a>>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = Option<schema::Moment>)]
    approved_at: Option<Timestamp>,
    /// By when it should be disposed of, or is by the terminal's own timer.
    #[schema(value_type = Option<schema::Moment>)]
    deadline_at: Option<Timestamp>,
    #[schema(value_type = Option<schema::Moment>)]
    disposed_at: Option<Timestamp>,
    /// Why it was declined, cancelled, failed, expired or is uncertain; in words, and not for cardholders.
    why: Option<String>,
    /// The last wish to raise or lower the hold.
    update: Option<UpdateView>,
    /// What was decided, and how far that is.
    disposal: Option<DisposalView>,
    resolution: Option<ResolutionView<'a>>,
}

/// What may be shown of a card.
#[derive(Serialize, ToSchema)]
#[schema(as = Card)]
pub(super) struct CardView<'a> {
    /// The same card has the same hash.
    hash: Option<&'a str>,
    masked_pan: Option<&'a str>,
}

/// A wish to raise or lower a hold.
#[derive(Serialize, ToSchema)]
#[schema(as = Update)]
struct UpdateView {
    /// The total that was asked for.
    #[schema(value_type = schema::Amount)]
    amount: u32,
    #[schema(value_type = schema::UpdateState)]
    state: &'static str,
    why: Option<String>,
}

/// The end of a hold: what was decided once, and how its delivery goes.
#[derive(Serialize, ToSchema)]
#[schema(as = Disposal)]
struct DisposalView {
    #[schema(value_type = schema::Decision)]
    decision: &'static str,
    #[schema(value_type = schema::Amount)]
    amount: u32,
    #[schema(value_type = schema::DecidedBy)]
    by: &'static str,
    #[schema(value_type = schema::Number)]
    attempts: u32,
    #[schema(value_type = Option<schema::ConfirmedBy>)]
    confirmed_by: Option<&'static str>,
    last_error: Option<String>,
}

/// How it ended, as a person says. While the session is open it is a proposal.
#[derive(Serialize, ToSchema)]
#[schema(as = Resolution)]
struct ResolutionView<'a> {
    #[schema(value_type = schema::ResolvedAs)]
    outcome: &'static str,
    #[schema(value_type = schema::Amount)]
    amount: u32,
    /// The name of a token.
    proposed_by: &'a str,
    note: &'a str,
    #[schema(value_type = schema::Moment)]
    at: Timestamp,
    /// The name of the second person's token, where two are needed.
    confirmed_by: Option<&'a str>,
    confirmed_note: Option<&'a str>,
    #[schema(value_type = Option<schema::Moment>)]
    confirmed_at: Option<Timestamp>,
}

impl<'a> SessionView<'a> {
    /// The session, with the time by which the fleet wants it to be disposed of.
    pub(super) fn of(session: &'a Session, deadline: Option<Timestamp>) -> Self {
        let hold = session.hold.as_ref();
        let (amount_final, disposed_at) = match &session.state {
            State::Disposed(Outcome::Committed(amount)) => (Some(amount.minor()), Some(session.changed_at)),
            State::Disposed(Outcome::Voided | Outcome::Expired) => (Some(0), Some(session.changed_at)),
            State::Opened
            | State::CardRead(_)
            | State::Authorising(_)
            | State::InDoubt(_)
            | State::Held
            | State::Disposing
            | State::Uncertain(_)
            | State::Declined(_)
            | State::Cancelled(_)
            | State::Failed(_) => (None, None),
        };
        Self {
            id: session.id.to_string(),
            version: session.version,
            terminal: session.terminal.as_str(),
            connector: session.connector.map(|connector| connector.0),
            reference: session.caller_reference.as_deref(),
            state: session.state_name(),
            amount_requested: session.amount_requested.map(Amount::minor),
            amount_held: hold.and_then(|hold| hold.amount).map(Amount::minor),
            amount_held_at_most: session.held_at_most().map(Amount::minor),
            amount_energy: session.energy.map(Amount::minor),
            amount_final,
            currency: session.currency.as_str(),
            terminal_session_id: hold.map(|hold| hold.terminal_session_id.0),
            card: session.card.as_ref().map(CardView::of),
            created_at: session.created_at,
            approved_at: hold.map(|hold| hold.since),
            deadline_at: deadline,
            disposed_at,
            why: why(session),
            update: session.update.as_ref().map(UpdateView::of),
            disposal: session.disposal.as_ref().map(DisposalView::of),
            resolution: session.resolution.as_ref().map(ResolutionView::of),
        }
    }
}

impl UpdateView {
    fn of(update: &Update) -> Self {
        let state = match update.answer {
            None => "under_way",
            Some(Answer::Approved) => "approved",
            Some(Answer::Partly) => "partly_approved",
            Some(Answer::Declined(_)) => "declined",
            Some(Answer::Refused(_)) => "refused",
            Some(Answer::Unsent) => "unsent",
            Some(Answer::Unanswered(_)) => "unanswered",
        };
        Self { amount: update.asked.minor(), state, why: update.answer.and_then(why_not_updated) }
    }
}

/// Why a hold is not what was asked for.
pub(super) fn why_not_updated(answer: Answer) -> Option<String> {
    match answer {
        Answer::Approved | Answer::Partly => None,
        Answer::Declined(reason) => Some(declined(reason)),
        Answer::Refused(reason) => Some(last_error(Failure::Refused(reason))),
        Answer::Unsent => Some(last_error(Failure::Unsent)),
        Answer::Unanswered(cause) => Some(last_error(Failure::Unanswered(cause))),
    }
}

impl<'a> CardView<'a> {
    /// What may be shown of a card.
    pub(super) fn of(card: &'a Card) -> Self {
        Self {
            hash: card.hash.as_ref().map(|hash| hash.reveal()),
            masked_pan: card.masked_pan.as_ref().map(|pan| pan.as_str()),
        }
    }
}

impl DisposalView {
    fn of(disposal: &Disposal) -> Self {
        let (decision, amount) = match disposal.decision {
            Decision::Commit(amount) => ("commit", amount),
            Decision::Void => ("void", Amount::ZERO),
        };
        Self {
            decision,
            amount: amount.minor(),
            by: decided_by(disposal.by),
            attempts: disposal.attempts,
            confirmed_by: disposal.confirmed_by.map(confirmed_by),
            last_error: disposal.last_failure.map(last_error),
        }
    }
}

impl<'a> ResolutionView<'a> {
    fn of(resolution: &'a Resolution) -> Self {
        let (outcome, amount) = match resolution.outcome {
            Outcome::Committed(amount) => ("committed", amount),
            Outcome::Voided => ("voided", Amount::ZERO),
            Outcome::Expired => ("expired", Amount::ZERO),
        };
        let second = resolution.confirmed.as_ref();
        Self {
            outcome,
            amount: amount.minor(),
            proposed_by: &resolution.by,
            note: &resolution.note,
            at: resolution.at,
            confirmed_by: second.map(|second| second.by.as_str()),
            confirmed_note: second.map(|second| second.note.as_str()),
            confirmed_at: second.map(|second| second.at),
        }
    }
}

/// A terminal.
#[derive(Serialize, ToSchema)]
#[schema(as = Terminal)]
pub(super) struct TerminalView<'a> {
    #[schema(value_type = schema::TerminalName)]
    id: &'a str,
    #[schema(value_type = schema::Family)]
    family: &'static str,
    #[schema(value_type = schema::TerminalState)]
    state: &'static str,
    #[schema(value_type = schema::LinkState)]
    link: &'static str,
    /// It takes no new card flows.
    draining: bool,
    /// Why it takes no cards although it may be there, in words; null when nothing stands against it.
    refuses_cards: Option<&'a str>,
    /// How many holds may be open on it at once.
    connectors: u8,
    /// How many are open, or may be.
    #[schema(value_type = schema::Number)]
    undisposed: usize,
    identity: Option<IdentityView<'a>>,
    protocol: Option<ProtocolView<'a>>,
    last_reconciliation: Option<LastReconciliation<'a>>,
    /// What went wrong last, in words.
    last_error: Option<&'a str>,
}

/// What a terminal says it is.
#[derive(Serialize, ToSchema)]
#[schema(as = Identity)]
struct IdentityView<'a> {
    serial_number: &'a str,
    model: Option<&'a str>,
    software: &'a [String],
}

/// What a terminal has accepted of Protocol, and what it has not.
#[derive(Serialize, ToSchema)]
#[schema(as = Protocol)]
struct ProtocolView<'a> {
    version: u8,
    #[schema(value_type = Vec<String>)]
    options: &'a [&'static str],
    #[schema(value_type = Vec<String>)]
    missing: &'a [&'static str],
}

/// The last comparison of our holds with a terminal's.
#[derive(Serialize, ToSchema)]
struct LastReconciliation<'a> {
    #[schema(value_type = schema::Moment)]
    at: Timestamp,
    #[serde(flatten)]
    compared: Compared<'a>,
}

impl<'a> TerminalView<'a> {
    /// The terminal.
    pub(super) fn of(view: &'a View) -> Self {
        let identity = |identity: &'a Identity| IdentityView {
            serial_number: &identity.serial_number,
            model: identity.model.as_deref(),
            software: &identity.software,
        };
        Self {
            id: view.id.as_str(),
            family: view.family.as_str(),
            state: view.state,
            link: view.link.as_str(),
            draining: view.draining || view.leaving,
            refuses_cards: view.refuses_cards.as_ref().map(|refusing| refusing.why.as_str()),
            connectors: view.connectors,
            undisposed: view.undisposed,
            identity: view.identity.as_ref().map(identity),
            protocol: view.protocol.as_ref().map(|accepted| ProtocolView {
                version: accepted.version,
                options: &accepted.options,
                missing: &accepted.missing,
            }),
            last_reconciliation: view
                .last_reconciliation
                .as_ref()
                .map(|(at, report)| LastReconciliation { at: *at, compared: Compared::of(report) }),
            last_error: view.last_error.as_deref(),
        }
    }
}

/// A reconciliation as the journal has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Reconciliation)]
pub(super) struct ReportView<'a> {
    /// Its place in the journal.
    #[schema(value_type = schema::Count)]
    seq: u64,
    #[schema(value_type = schema::Moment)]
    at: Timestamp,
    #[schema(value_type = Option<schema::TerminalName>)]
    terminal: Option<&'a str>,
    #[serde(flatten)]
    compared: Compared<'a>,
}

/// What was compared, what did not agree, and what was done about it.
#[derive(Serialize, ToSchema)]
#[schema(as = Comparison)]
struct Compared<'a> {
    #[schema(value_type = schema::Moment)]
    began_at: Timestamp,
    #[schema(value_type = schema::Trigger)]
    trigger: &'static str,
    #[schema(value_type = schema::ComparisonResult)]
    result: &'static str,
    /// The numbers that the terminal lists; null where it cannot be asked.
    #[schema(value_type = Option<Vec<schema::Number>>)]
    on_terminal: Option<Vec<u32>>,
    /// The numbers that the journal has.
    #[schema(value_type = Vec<schema::Number>)]
    in_journal: Vec<u32>,
    discrepancies: Vec<DiscrepancyView<'a>>,
    error: Option<&'a str>,
}

/// What did not agree.
#[derive(Serialize, ToSchema)]
#[schema(as = Discrepancy)]
struct DiscrepancyView<'a> {
    #[schema(value_type = schema::DiscrepancyKind)]
    kind: &'static str,
    #[schema(value_type = Option<schema::Number>)]
    terminal_session_id: Option<u32>,
    #[schema(value_type = Option<schema::SessionName>)]
    session: Option<String>,
    action: &'a str,
    why: &'a str,
}

impl<'a> ReportView<'a> {
    /// The report, if the record holds one.
    pub(super) fn of_record(record: &'a Record) -> Option<Self> {
        let Fact::Reconciled { report } = &record.entry.fact else { return None };
        let terminal = record.entry.terminal.as_ref().map(|terminal| terminal.as_str());
        Some(Self { seq: record.seq, at: record.entry.at, terminal, compared: Compared::of(report) })
    }
}

impl<'a> Compared<'a> {
    fn of(report: &'a Report) -> Self {
        let numbers = |sessions: &[TerminalSessionId]| sessions.iter().map(|session| session.0).collect();
        let discrepancy = |found: &'a Discrepancy| DiscrepancyView {
            kind: found.kind.as_str(),
            terminal_session_id: found.terminal_session_id.map(|session| session.0),
            session: found.session.map(|session| session.to_string()),
            action: &found.action,
            why: &found.why,
        };
        Self {
            began_at: report.began_at,
            trigger: match report.trigger {
                Trigger::Connect => "connect",
                Trigger::Periodic => "periodic",
                Trigger::Demand => "demand",
            },
            result: report.result.as_str(),
            on_terminal: report.on_terminal.as_deref().map(numbers),
            in_journal: numbers(&report.in_journal),
            discrepancies: report.discrepancies.iter().map(discrepancy).collect(),
            error: report.error.as_deref(),
        }
    }
}

/// Why it ended without what was wanted, or waits for a person.
fn why(session: &Session) -> Option<String> {
    let shared = session.hold.as_ref().and_then(|hold| hold.shared_with.map(|with| (hold.terminal_session_id, with)));
    let shared = shared.map(|(number, with)| {
        format!(
            "session {with} was being disposed of under the same number {number} while this one was authorised: that may have met \
             this hold"
        )
    });
    match (why_of_state(session), shared) {
        (Some(why), Some(shared)) => Some(format!("{why}; {shared}")),
        (why, shared) => why.or(shared),
    }
}

fn why_of_state(session: &Session) -> Option<String> {
    match &session.state {
        State::Uncertain(why) | State::Failed(why) => Some(why.clone()),
        State::Declined(reason) => Some(declined(*reason)),
        State::Cancelled(by) => Some(cancelled_by(*by).to_owned()),
        State::Disposed(Outcome::Expired) => Some("the terminal's own timer has ended the hold".to_owned()),
        State::Opened
        | State::CardRead(_)
        | State::Authorising(_)
        | State::InDoubt(_)
        | State::Held
        | State::Disposing
        | State::Disposed(Outcome::Committed(_) | Outcome::Voided) => None,
    }
}

pub(super) const fn decided_by(by: DecidedBy) -> &'static str {
    match by {
        DecidedBy::Api => "api",
        DecidedBy::PlugInTimeout => "plug_in_timeout",
        DecidedBy::MaxSession => "max_session",
        DecidedBy::Orphan => "orphan",
        DecidedBy::DuplicateTap => "duplicate_tap",
        DecidedBy::Shutdown => "shutdown",
    }
}

const fn confirmed_by(by: ConfirmedBy) -> &'static str {
    match by {
        ConfirmedBy::ResultOk => "result_ok",
        ConfirmedBy::ListAbsent => "list_absent",
        ConfirmedBy::Presumed => "presumed",
        ConfirmedBy::Timer => "timer",
        ConfirmedBy::Person => "person",
    }
}

/// What a reconciliation has found and done, for people.
pub(super) fn discrepancies_in_words(report: &Report) -> String {
    let found = report.discrepancies.iter().map(|found| {
        let number = found.terminal_session_id.map(|number| format!(" {}", number.0)).unwrap_or_default();
        format!("{}{number}: {} ({})", found.kind.as_str().replace('_', " "), found.action, found.why)
    });
    let sentences: Vec<String> = found.chain(report.error.clone()).collect();
    if sentences.is_empty() { "nothing".to_owned() } else { sentences.join("; ") }
}
