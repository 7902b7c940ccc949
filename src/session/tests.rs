//! What the tests of a session share: a policy, facts as they stand in a journal, and a [`Life`] that is led step by step.

mod ask;
mod crash;
mod disposal;
mod gap;
mod ledger;
mod machine;
mod random;
mod resolution;
mod reuse;
mod rows;
mod state;
mod update;

use std::time::Duration;

use crate::card::{Card, CardHash, MaskedPan};
use crate::id::{Connector, SessionId, SessionReference, TerminalSessionId};
use crate::journal::record::{
    AtEnd, ConfirmedBy, DeadMan, DeadManAction, DecidedBy, Decision, Learned, Origin, Outcome as Ending,
};
use crate::journal::{Entry, Fact};
use crate::link::Outcome;
use crate::money::Amount;
use crate::protocol::Family;
use crate::protocol::response::{Reason, Response, UpdateOutcome, UpdateResult, Verdict as Answer};
use crate::time::Timestamp;

use super::machine::{Effect, Input, Machine, Rules};
use super::policy::{Authorise, DuplicateTap, OrphanPolicy, Policy};
use super::{Refusal, Session, Wish};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

/// So many seconds after the beginning of each test.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000 + seconds * 1000)
}

fn minor(amount: u32) -> Amount {
    Amount::from_minor(amount)
}

fn policy() -> Policy {
    Policy {
        terminal_timeout: Duration::from_secs(24 * 3600),
        terminal_timeout_action: DeadManAction::Void,
        plug_in_timeout: Duration::from_secs(5 * 60),
        max_session: Duration::from_secs(12 * 3600),
        on_max_session: AtEnd::CommitLastKnown,
        orphan_policy: OrphanPolicy::Void,
        duplicate_tap: DuplicateTap::VoidEarlier,
        tap_to_stop: true,
        authorise: Authorise::Auto,
        authorise_within: Duration::from_secs(27),
        max_hold: minor(10_000),
        retry: [1, 5, 30, 60, 60, 60, 60, 60, 3600].map(Duration::from_secs).to_vec(),
        reconcile_every: Duration::from_secs(15 * 60),
        max_undelivered: 10,
        settle_within: None,
    }
}

fn rules(family: Family) -> Rules {
    let authorise_timeout = match family {
        Family::Apollo => Duration::from_secs(210),
        Family::P6x => Duration::from_secs(30),
    };
    Rules { policy: policy(), family, keeps_sessions: true, authorise_timeout }
}

/// Somebody must say to go on after a card is read.
fn asking(family: Family) -> Rules {
    let mut rules = rules(family);
    rules.policy.authorise = Authorise::Ask;
    rules
}

fn id() -> SessionId {
    SessionId::new(at(0), [7; 10])
}

fn entry(seconds: i64, fact: Fact) -> Entry {
    Entry { at: at(seconds), terminal: Some("bay-01".parse().unwrap()), session: Some(id()), fact }
}

fn card() -> Card {
    Card {
        hash: Some(CardHash::new("0123456789ABCDEF0123456789ABCDEF01234567")),
        masked_pan: Some(MaskedPan::new("541333******4111")),
    }
}

fn opened() -> Fact {
    Fact::Opened {
        origin: Origin::Api,
        connector: Some(Connector(1)),
        reference: Some(SessionReference(900)),
        caller_reference: None,
        amount: Some(minor(5000)),
        currency: "EUR".parse().unwrap(),
        idempotency: None,
        device: None,
    }
}

fn orphan() -> Fact {
    Fact::Opened {
        origin: Origin::Orphan,
        connector: None,
        reference: None,
        caller_reference: None,
        amount: None,
        currency: "EUR".parse().unwrap(),
        idempotency: None,
        device: None,
    }
}

fn dead_man(seconds: i64, action: DeadManAction) -> DeadMan {
    DeadMan { at: Some(at(seconds)), action }
}

fn intended() -> Fact {
    Fact::AuthoriseIntended { card: Some(card()), dead_man: dead_man(24 * HOUR, DeadManAction::Void) }
}

fn card_read() -> Fact {
    Fact::CardRead { card: card(), authorise_by: at(27) }
}

fn hold(amount: Option<u32>, learned: Learned) -> Fact {
    Fact::HoldPlaced {
        terminal_session_id: TerminalSessionId(11),
        amount: amount.map(minor),
        learned,
        plug_in_by: at(5 * MINUTE),
        end_by: at(12 * HOUR),
        at_end: AtEnd::CommitLastKnown,
        dead_man: dead_man(24 * HOUR, DeadManAction::Void),
    }
}

fn decided(decision: Decision) -> Fact {
    Fact::DisposalDecided { decision, by: DecidedBy::Api }
}

fn commit(amount: u32) -> Decision {
    Decision::Commit(minor(amount))
}

fn disposed(outcome: Ending) -> Fact {
    Fact::Disposed { outcome, confirmed_by: ConfirmedBy::ResultOk }
}

/// A session that is opened later on the same terminal.
fn later_id() -> SessionId {
    SessionId::new(at(1), [8; 10])
}

fn number_reused() -> Fact {
    Fact::NumberReused { by: later_id(), listed: false }
}

fn proposed() -> Fact {
    Fact::ResolutionProposed { outcome: Ending::Voided, note: "seen in the portal".to_owned(), by: "anna".to_owned() }
}

fn resolved_by_another() -> Fact {
    let (note, by) = ("seen there, too".to_owned(), "ben".to_owned());
    Fact::Resolved { outcome: Ending::Voided, note, by, proposed_by: Some("anna".to_owned()) }
}

fn uncertain() -> Fact {
    Fact::BecameUncertain { why: "nobody here knows".to_owned() }
}

/// A session with these records, made one second after the other.
fn session(facts: &[Fact]) -> Session {
    let mut entries = (0..).zip(facts).map(|(second, fact)| entry(second, fact.clone()));
    let first = Session::opened(&entries.next().unwrap()).unwrap();
    entries.fold(first, |session, entry| session.after(&entry).unwrap())
}

// ── what a terminal answers ──

fn answered(response: Response) -> Outcome {
    Outcome::Answered(response)
}

fn ok() -> Outcome {
    answered(Response::Result(Answer::Ok))
}

fn not_ok(reason: Option<u8>) -> Outcome {
    answered(Response::Result(Answer::NotOk(reason.map(Reason))))
}

fn approved(session: u32) -> Outcome {
    answered(Response::Approved { session: TerminalSessionId(session), dol: crate::protocol::dol::Dol::default() })
}

fn partially_approved(session: u32, amount: u32) -> Outcome {
    let session = TerminalSessionId(session);
    answered(Response::PartiallyApproved { session, amount: minor(amount), dol: crate::protocol::dol::Dol::default() })
}

fn update_result(outcome: UpdateOutcome, session: u32, amount: u32) -> Outcome {
    let reason = if outcome == UpdateOutcome::Declined { 0x09 } else { 0 };
    let (session, amount) = (TerminalSessionId(session), minor(amount));
    answered(Response::UpdateResult(UpdateResult { outcome, session, amount, change: 0, reason }))
}

/// The least and the greatest that may be held, as the facts say: every total that was asked for may be the hold until the terminal
/// has said how much it is.
fn may_be_held(records: &[Entry]) -> (Option<u32>, Option<u32>) {
    let mut may_be: Vec<u32> = Vec::new();
    let mut before: Vec<u32> = Vec::new();
    for record in records {
        match &record.fact {
            Fact::HoldPlaced { amount, .. } => may_be = amount.iter().map(|amount| amount.minor()).collect(),
            Fact::UpdateIntended { amount } => {
                before.clone_from(&may_be);
                may_be.push(amount.minor());
            }
            Fact::HoldUpdated { amount } => may_be = vec![amount.minor()],
            Fact::UpdateUnsent | Fact::UpdateRefused { .. } => may_be.clone_from(&before),
            _ => {}
        }
    }
    (may_be.iter().min().copied(), may_be.iter().max().copied())
}

/// A session, its records, and the clock on the wall.
struct Life {
    machine: Machine,
    records: Vec<Entry>,
    now: i64,
}

impl Life {
    fn of(machine: Machine, records: Vec<Entry>) -> Self {
        Self { machine, records, now: 0 }
    }

    fn with(rules: Rules, first: Fact) -> Self {
        let first = entry(0, first);
        Self::of(Machine::new(Session::opened(&first).unwrap(), rules), vec![first])
    }

    /// A session that was just opened, on a terminal that is ready.
    fn new(family: Family) -> Self {
        Self::under(rules(family))
    }

    fn under(rules: Rules) -> Self {
        let mut life = Self::with(rules, opened());
        assert_eq!(life.does(Input::Ready), []);
        assert_eq!(life.does(Input::Begin), [Effect::StartFlow]);
        life
    }

    /// One whose Auth is under way.
    fn authorising(family: Family) -> Self {
        Self::new(family).and_card()
    }

    /// One whose card was read, on a terminal where somebody must say to go on.
    fn asked(family: Family) -> Self {
        let mut life = Self::under(asking(family));
        assert_eq!(life.does(Input::CardRead(card())), []);
        assert_eq!(life.state(), "card_read");
        life
    }

    fn and_card(mut self) -> Self {
        assert_eq!(self.does(Input::CardRead(card())), [Effect::Authorise]);
        assert_eq!(self.state(), "authorising");
        self
    }

    /// One with a hold of 50.00, number 11 on its terminal.
    fn held(family: Family) -> Self {
        Self::authorising(family).and_hold()
    }

    fn and_hold(mut self) -> Self {
        assert_eq!(self.does(Input::Authorised(approved(11))), []);
        assert_eq!(self.state(), "approved");
        self
    }

    /// One whose first attempt at this disposal is under way.
    fn attempting(family: Family, decision: Decision) -> Self {
        Self::held(family).and_attempt(decision)
    }

    fn and_attempt(mut self, decision: Decision) -> Self {
        let wish = match decision {
            Decision::Commit(amount) => Wish::Commit(amount),
            Decision::Void => Wish::Void,
        };
        assert_eq!(self.does(Input::Wish(wish)), [Effect::AskTurn]);
        self.turn();
        self
    }

    /// Gets the turn that it has asked for, and uses it.
    fn turn(&mut self) {
        let effects = self.does(Input::Turn);
        assert!(matches!(effects[..], [Effect::Attempt(_)]), "{effects:?}");
    }

    fn tries(&mut self, input: Input) -> Result<Vec<Effect>, Refusal> {
        let step = self.machine.on(input, at(self.now))?;
        let entries: Vec<Entry> = step.append.iter().map(|fact| entry(self.now, fact.clone())).collect();
        self.machine.done(&step, &entries).unwrap();
        self.records.extend(entries);
        Ok(step.then)
    }

    fn does(&mut self, input: Input) -> Vec<Effect> {
        self.tries(input).unwrap()
    }

    /// Time passes, and the machine is told.
    fn waits(&mut self, seconds: i64) -> Vec<Effect> {
        self.now += seconds;
        self.does(Input::Tick)
    }

    /// The program ends and comes up again.
    fn crashes(&mut self) {
        let first = Session::opened(&self.records[0]).unwrap();
        let session = self.records[1..].iter().fold(first, |session, entry| session.after(entry).unwrap());
        let rules = self.machine.rules().clone();
        self.machine = Machine::new(session, rules);
        assert_eq!(self.does(Input::Recover), []);
    }

    /// The link is lost, set up again, and the holds are compared.
    fn reconnects(&mut self) -> Vec<Effect> {
        assert_eq!(self.does(Input::NotReady), []);
        self.does(Input::Ready)
    }

    fn state(&self) -> &'static str {
        self.machine.session().state_name()
    }

    fn confirmed_by(&self) -> Option<ConfirmedBy> {
        self.machine.session().disposal.as_ref().and_then(|disposal| disposal.confirmed_by)
    }

    /// The kinds of the last records.
    fn last(&self, count: usize) -> Vec<&'static str> {
        self.records[self.records.len() - count..].iter().map(|entry| entry.fact.kind()).collect()
    }
}
