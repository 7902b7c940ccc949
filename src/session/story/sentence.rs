//! A record as a sentence.

use crate::card::Card;
use crate::journal::Entry;
use crate::journal::record::{
    AtEnd, Cause, ConfirmedBy, DeadMan, DeadManAction, DecidedBy, Decision, Fact, Learned, Origin, Outcome, Report,
    ReportResult, Trigger,
};
use crate::money::{Amount, Currency};
use crate::protocol::error::explain_reason;
use crate::protocol::response::Reason;
use crate::time::Timestamp;

use super::super::words::{cancelled_by, declined};
use super::{Mark, Session, Teller};

impl Teller {
    /// What a record says, and what it is to a reader. `before` is the session as it was until then, where that is known.
    pub(super) fn sentence(&self, entry: &Entry, before: Option<&Session>) -> (String, Mark) {
        let terminal = entry.terminal.as_ref().or(self.terminal.as_ref()).map_or("the terminal", |terminal| terminal.as_str());
        let at = entry.at;
        match &entry.fact {
            Fact::Started { version } if self.running => (
                format!(
                    "The orchestrator was started (version {}). It had not ended in order: it was killed, or its machine was. It has \
                     read its journal and goes on.",
                    words(version)
                ),
                Mark::Around,
            ),
            Fact::Started { version } => (
                format!("The orchestrator was started (version {}), has read its journal and goes on.", words(version)),
                Mark::Around,
            ),
            Fact::Stopped => ("The orchestrator ended in order; what was open stayed in its journal.".to_owned(), Mark::Around),
            Fact::Drained { by } => {
                (format!("{terminal} was drained by {}: no new cards, open holds go on.", words(by)), Mark::Around)
            }
            Fact::Resumed { by } => (format!("{} let {terminal} take cards again.", words(by)), Mark::Around),
            Fact::Rebuilt => (
                format!("The program's part for {terminal} crashed and was built anew from the journal; the others went on."),
                Mark::Around,
            ),
            Fact::Configured { .. } => (format!("{terminal} is configured otherwise from here on."), Mark::Around),
            Fact::Removed => (format!("{terminal} is configured no more; nothing is open on it."), Mark::Around),
            Fact::Reconciled { report } => (self.reconciled(report, terminal), Mark::Around),
            Fact::ButtonPressed { button } => {
                (format!("The button {:?} was pressed on {terminal}.", words(button)), Mark::Around)
            }
            Fact::Opened { origin, connector, reference, caller_reference, amount, .. } => {
                let amount = amount.map_or_else(|| "an unknown amount".to_owned(), |amount| self.money(amount));
                let plug = connector.map(|connector| format!(" for connector {connector}")).unwrap_or_default();
                let theirs =
                    caller_reference.as_deref().map(|text| format!(" (reference {:?})", words(text))).unwrap_or_default();
                let ours = reference.map(|number| format!(" Its session reference is {number}.")).unwrap_or_default();
                let sentence = match origin {
                    Origin::Api => format!(
                        "A hold of {amount} on {terminal}{plug} was asked for through the API{theirs}. The terminal is to wait for a card.{ours}"
                    ),
                    Origin::Scan => {
                        format!(
                            "A card was presented to {terminal}, which always waits for one: a hold of {amount}{plug} is to be asked for.{ours}"
                        )
                    }
                    Origin::Orphan => format!(
                        "{terminal} holds money of which the journal knows nothing: it gets a session of its own, so that it comes to an end."
                    ),
                };
                (sentence, Mark::Step)
            }
            Fact::CardRead { card, authorise_by } => (
                format!("A card was read ({}). Somebody has to say by {} to go on.", shown(card), clock(*authorise_by, at)),
                Mark::Step,
            ),
            Fact::OtherCardRead { card } => {
                (format!("A card was presented that is none of a bank ({}).", shown(card)), Mark::Step)
            }
            Fact::AuthoriseIntended { card, dead_man } => {
                let card = match (card, before.is_some_and(|before| before.card.is_some())) {
                    (Some(card), false) => format!("A card was read ({}). ", shown(card)),
                    (_, true) => "Somebody said to go on. ".to_owned(),
                    (None, false) => "A card was read. ".to_owned(),
                };
                (format!("{card}Auth is sent: from here on there may be a hold. {}", timer(*dead_man, at)), Mark::Step)
            }
            Fact::AuthoriseUnanswered { cause } => (
                format!("The answer to Auth is lost: {}. There may be a hold, and its number is not known.", lost(*cause)),
                Mark::Doubt,
            ),
            Fact::AuthoriseUnsure { dead_man } => (
                format!(
                    "The journal has lost a record that may have said that Auth is sent: there may be a hold, and its number is not \
                     known. {}",
                    timer(*dead_man, at)
                ),
                Mark::Doubt,
            ),
            Fact::HoldPlaced { terminal_session_id, amount, learned, plug_in_by, end_by, at_end, dead_man } => {
                let held = amount.map_or_else(|| "an amount that it does not tell".to_owned(), |amount| self.money(amount));
                let how = match (learned, before.and_then(|before| before.amount_requested)) {
                    (Learned::Approved, _) => format!("Approved: the bank holds {held}"),
                    (Learned::PartiallyApproved, Some(asked)) => {
                        format!("Approved in part: the bank holds {held} of the {} that were asked for", self.money(asked))
                    }
                    (Learned::PartiallyApproved, None) => format!("Approved in part: the bank holds {held}"),
                    (Learned::Listed, _) => format!("Found in the terminal's own list: the bank holds {held}"),
                };
                let ending = match at_end {
                    AtEnd::CommitLastKnown => "the last known energy is committed",
                    AtEnd::Void => "it is voided",
                    AtEnd::Alert => "a person has to decide",
                };
                let sentence = format!(
                    "{how}; the terminal's number for it is {terminal_session_id}. Without energy by {} it is voided; if nobody has \
                     ended it by {}, {ending}. {}",
                    clock(*plug_in_by, at),
                    clock(*end_by, at),
                    timer(*dead_man, at)
                );
                (sentence, Mark::Step)
            }
            Fact::Declined { reason } => (format!("{}. Nothing is held.", capital(&declined(*reason))), Mark::End),
            Fact::Cancelled { by } => (format!("Cancelled: {}. Nothing is held.", cancelled_by(*by)), Mark::End),
            Fact::Failed { why } => (format!("Failed: {}. Nothing is held.", words(why)), Mark::End),
            Fact::EnergyReported { amount } => (format!("Energy for {} was reported.", self.money(*amount)), Mark::Step),
            Fact::StopTapped { tapped_in } => {
                let other = tapped_in.map(|session| format!(" (session {session})")).unwrap_or_default();
                (format!("The card was tapped again to stop{other}; whoever listens was told."), Mark::Step)
            }
            Fact::UpdateIntended { amount } => (
                format!(
                    "The hold is to become {}: Update is sent. Until the answer is known, only the smaller amount counts as held.",
                    self.money(*amount)
                ),
                Mark::Step,
            ),
            Fact::UpdateUnsent => ("Update never left, since the link was gone: the hold is as before.".to_owned(), Mark::Step),
            Fact::HoldUpdated { amount } => {
                (format!("The terminal says that {} are held now.", self.money(*amount)), Mark::Step)
            }
            Fact::UpdateRefused { declined: true, reason } => {
                (format!("{}. The hold is as before.", capital(&declined(*reason))), Mark::Step)
            }
            Fact::UpdateRefused { declined: false, reason } => {
                (format!("The terminal said Not OK to Update{}. The hold is as before.", because(*reason)), Mark::Step)
            }
            Fact::UpdateUnanswered { cause } => (
                format!(
                    "The answer to Update is lost: {}. How much is held is not known; the smaller amount counts.",
                    lost(*cause)
                ),
                Mark::Doubt,
            ),
            Fact::DisposalDecided { decision, by } => (self.decided(*decision, *by, before), Mark::Step),
            Fact::AttemptStarted { attempt } => {
                let what = before.and_then(|before| before.disposal.as_ref()).map(|disposal| disposal.decision);
                let what = match what {
                    Some(Decision::Commit(amount)) => format!("Commit of {}", self.money(amount)),
                    Some(Decision::Void) => "Void".to_owned(),
                    None => "What was decided".to_owned(),
                };
                let again = if *attempt > 1 { ", the same once more" } else { "" };
                (format!("{what} is sent to the terminal (attempt {attempt}{again})."), Mark::Step)
            }
            Fact::AttemptUnsent { attempt } => (
                format!("Attempt {attempt} never left, since the link was gone before its first byte: it has done nothing."),
                Mark::Step,
            ),
            Fact::AttemptUnanswered { attempt, cause } => (
                format!("The answer to attempt {attempt} is lost: {}. The terminal may have done it or not.", lost(*cause)),
                Mark::Doubt,
            ),
            Fact::AttemptRefused { attempt, reason } => {
                (format!("The terminal said Not OK to attempt {attempt}{}.", because(*reason)), Mark::Step)
            }
            Fact::Disposed { outcome, confirmed_by } => (self.disposed(*outcome, *confirmed_by, before), Mark::End),
            Fact::NumberReused { by, listed: true } => (
                format!(
                    "Session {by} has found the hold's number in the terminal's list, and nobody can tell whose hold it is. Nothing is \
                     sent about it any more; a person has to find out."
                ),
                Mark::Person,
            ),
            Fact::NumberReused { by, listed: false } => (
                format!(
                    "The terminal has given the hold's number to session {by} as well, so it has forgotten this one. Nothing is sent \
                     about it any more, since it would end the other; a person has to find out."
                ),
                Mark::Person,
            ),
            Fact::NumberShared { with } => (
                format!(
                    "Session {with} was being disposed of under the same number while this one's Auth was under way: that may have met \
                     this hold."
                ),
                Mark::Doubt,
            ),
            Fact::BecameUncertain { why } => {
                (format!("Uncertain: {}. A person has to find out.", words(why).trim_end_matches('.')), Mark::Person)
            }
            Fact::ResolutionProposed { outcome, note, by } => (
                format!(
                    "{} says that it was {}, and another person has to say the same. Note: {:?}.",
                    words(by),
                    self.outcome(*outcome),
                    words(note)
                ),
                Mark::Person,
            ),
            Fact::ResolutionWithdrawn { by } => (format!("{} withdrew what was proposed.", words(by)), Mark::Step),
            Fact::Resolved { outcome, note, by, proposed_by } => {
                let first =
                    proposed_by.as_deref().map(|first| format!(" as {} had proposed,", words(first))).unwrap_or_default();
                let sentence =
                    format!("{} settled it,{first} as {}. Note: {:?}.", words(by), self.outcome(*outcome), words(note));
                (sentence, Mark::End)
            }
        }
    }

    fn decided(&self, decision: Decision, by: DecidedBy, before: Option<&Session>) -> String {
        let who = match by {
            DecidedBy::Api => "a request to the API",
            DecidedBy::PlugInTimeout => "the plug-in deadline, since no energy came in time",
            DecidedBy::MaxSession => "the longest time that a session may last",
            DecidedBy::Orphan => "the rule for holds that nobody has asked for, or whose approval was lost",
            DecidedBy::DuplicateTap => "the same card's next tap, since there was no energy yet",
            DecidedBy::Shutdown => "the end of the program",
        };
        let held = before.and_then(|before| before.hold.as_ref()?.amount);
        let what = match (decision, held) {
            (Decision::Commit(amount), Some(held)) if held > amount => {
                let rest = held.checked_sub(amount).unwrap_or(Amount::ZERO);
                format!("commit {} of {}, {} go back", self.money(amount), self.money(held), self.money(rest))
            }
            (Decision::Commit(amount), _) => format!("commit {}", self.money(amount)),
            (Decision::Void, _) => "void, all of it goes back".to_owned(),
        };
        format!("Decided by {who}: {what}. That is said once; every attempt repeats it.")
    }

    fn disposed(&self, outcome: Outcome, confirmed_by: ConfirmedBy, before: Option<&Session>) -> String {
        let end = self.outcome(outcome);
        let doubtful = before.and_then(|before| before.disposal.as_ref()).is_some_and(|disposal| disposal.doubtful);
        match confirmed_by {
            ConfirmedBy::ResultOk if doubtful => format!("The terminal said OK, so the doubt is over: {end}."),
            ConfirmedBy::ResultOk => format!("The terminal said OK: {end}."),
            ConfirmedBy::ListAbsent => {
                format!(
                    "The terminal does not list the hold any more, so an attempt whose answer was lost was carried out: {end}."
                )
            }
            ConfirmedBy::Presumed => format!(
                "The terminal does not know the hold any more and cannot list any; an attempt whose answer was lost must have been \
                 carried out. Presumed: {end}."
            ),
            ConfirmedBy::Timer => format!("The terminal's own timer is past: {end}."),
            ConfirmedBy::Person => format!("A person says: {end}."),
        }
    }

    fn outcome(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Committed(amount) => format!("committed, {} taken", self.money(amount)),
            Outcome::Voided => "voided, all given back".to_owned(),
            Outcome::Expired => "expired, given back by the terminal itself".to_owned(),
        }
    }

    fn reconciled(&self, report: &Report, terminal: &str) -> String {
        let why = match report.trigger {
            Trigger::Connect => "after the link came up",
            Trigger::Periodic => "as every so often",
            Trigger::Demand => "as somebody asked",
        };
        let list = match &report.on_terminal {
            Some(numbers) if numbers.is_empty() => "it lists none".to_owned(),
            Some(numbers) => {
                format!("it lists {}", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            None => "it cannot list them, or did not".to_owned(),
        };
        let ours = report.discrepancies.iter().filter(|found| found.session == Some(self.id));
        let found: Vec<String> = ours
            .map(|found| {
                let (action, why) = (words(&found.action), words(&found.why));
                format!("{}: {}.", capital(action.trim_end_matches('.')), small(why.trim_end_matches('.')))
            })
            .collect();
        let found = match (found.is_empty(), report.result) {
            (false, _) => found.join(" "),
            (true, ReportResult::Failed) => "It could not be completed.".to_owned(),
            (true, ReportResult::Clean | ReportResult::Repaired) => "Nothing was wrong with this session.".to_owned(),
        };
        format!("Our holds were compared with {terminal}'s {why}; {list}. {found}")
    }
}

/// An amount with its currency.
pub(super) fn money(amount: Amount, currency: Option<Currency>) -> String {
    match currency {
        Some(currency) => format!("{} {currency}", currency.major(amount.minor().into())),
        None => format!("{amount} minor units (the record of their currency is lost)"),
    }
}

/// A moment's time of day, with its date if that is another than the reader's.
pub(super) fn clock(at: Timestamp, reader: Timestamp) -> String {
    let (at, reader) = (at.to_string(), reader.to_string());
    let part = |text: &str, range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
    let time = part(&at, 11..19);
    if part(&at, 0..10) == part(&reader, 0..10) { time } else { format!("{time} on {}", part(&at, 0..10)) }
}

/// What the terminal does by itself, and when.
pub(super) fn timer(dead_man: DeadMan, reader: Timestamp) -> String {
    match (dead_man.at, dead_man.action) {
        (None, _) => "The terminal's own timer is off.".to_owned(),
        (Some(at), DeadManAction::Void) => format!("The terminal's own timer would give it back at {}.", clock(at, reader)),
        (Some(at), DeadManAction::Commit) => format!("The terminal's own timer would take all of it at {}.", clock(at, reader)),
    }
}

/// As much of a card as may be shown.
fn shown(card: &Card) -> String {
    // Masked once more: the file may have been written by other hands.
    let pan = card.masked_pan.as_ref().map(|pan| crate::card::MaskedPan::new(pan.as_str()).as_str().to_owned());
    let hash = card.hash.as_ref().map(|hash| format!("hash {}…", hash.short()));
    let known: Vec<String> = pan.into_iter().chain(hash).map(|text| words(&text)).collect();
    if known.is_empty() { "the terminal tells nothing of it".to_owned() } else { known.join(", ") }
}

/// Why there is no answer.
const fn lost(cause: Cause) -> &'static str {
    match cause {
        Cause::Timeout => "none came in time",
        Cause::LinkLost => "the link was cut",
        Cause::Resynchronised => "what came could not be told from another answer",
        Cause::Crash => "the orchestrator ended in between",
    }
}

/// The terminal's reason (PSP, Errors).
fn because(reason: Option<u8>) -> String {
    match reason {
        None => ", without a reason".to_owned(),
        Some(code) => format!(": {} (0x{code:02X})", explain_reason(Reason(code))),
    }
}

/// Somebody else's words, without what could confuse a screen.
fn words(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// For the middle of a sentence; a name in capitals stays one.
fn small(text: &str) -> String {
    let mut rest = text.chars();
    match (rest.next(), rest.as_str().chars().next()) {
        (Some(first), second) if second.is_none_or(|second| !second.is_uppercase() && !second.is_ascii_digit()) => {
            first.to_lowercase().chain(rest).collect()
        }
        _ => text.to_owned(),
    }
}
