//! Random inputs in random order, most of them out of place: whatever comes, the promises hold, and when the world behaves
//! again, the session ends.

use proptest::prelude::*;

use super::*;
use crate::journal::Record;
use crate::journal::record::{CancelledBy, Cause};
use crate::protocol::Request;
use crate::protocol::response::UpdateOutcome;
use crate::session::ledger::Ledger;
use crate::session::machine::Errand;
use crate::session::{State, Verdict};

fn any_cause() -> impl Strategy<Value = Cause> {
    prop::sample::select(&[Cause::Timeout, Cause::LinkLost, Cause::Resynchronised][..])
}

fn any_reason() -> impl Strategy<Value = Option<u8>> {
    prop::sample::select(&[None, Some(0x04), Some(0x05), Some(0x09), Some(0x0C), Some(0x0E), Some(0x11)][..])
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(ok()),
        3 => any_reason().prop_map(not_ok),
        2 => any_cause().prop_map(Outcome::Unanswered),
        1 => Just(Outcome::Unsent),
        1 => Just(Outcome::FlowEnded),
        1 => Just(answered(Response::Cancelled)),
        1 => Just(answered(Response::declined(None))),
        4 => Just(approved(11)),
        2 => (0_u32..7000).prop_map(|amount| partially_approved(11, amount)),
    ]
}

fn any_update() -> impl Strategy<Value = Outcome> {
    let told = (0_u8..3, prop::sample::select(&[11, 11, 11, 12][..]), 0_u32..9000).prop_map(|(said, session, amount)| {
        let outcome = [UpdateOutcome::Approved, UpdateOutcome::Partly, UpdateOutcome::Declined][usize::from(said)];
        update_result(outcome, session, amount)
    });
    prop_oneof![3 => told, 2 => any_outcome()]
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    let verdicts = [Verdict::Present, Verdict::Absent, Verdict::NoHold, Verdict::Adopt(TerminalSessionId(77))];
    prop::sample::select(verdicts.to_vec())
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let amount = || (0_u32..7000).prop_map(Amount::from_minor);
    let who = || prop::sample::select(&["anna", "ben"][..]).prop_map(str::to_owned);
    let outcome = prop_oneof![amount().prop_map(Ending::Committed), Just(Ending::Voided), Just(Ending::Expired)];
    prop_oneof![
        4 => amount().prop_map(Wish::Energy),
        3 => amount().prop_map(Wish::Commit),
        2 => Just(Wish::Void),
        1 => Just(Wish::Cancel),
        3 => amount().prop_map(Wish::Update),
        2 => Just(Wish::Authorise),
        1 => (outcome, who(), any::<bool>()).prop_map(|(outcome, by, needs_two)| {
            Wish::Resolve { outcome, note: String::new(), by, needs_two }
        }),
        1 => who().prop_map(|by| Wish::WithdrawResolution { by }),
    ]
}

/// What happens: an input, or the end of this run and the beginning of the next.
#[derive(Clone, Debug)]
enum Happens {
    Input(Input),
    Crash,
}

fn anything() -> impl Strategy<Value = Happens> {
    let input = prop_oneof![
        1 => Just(Input::Begin),
        1 => any_outcome().prop_map(Input::FlowEnded),
        3 => Just(Input::CardRead(card())),
        1 => Just(Input::TapToStop),
        1 => Just(Input::DuplicateTap),
        1 => Just(Input::StopTapped { tapped_in: Some(id()) }),
        4 => any_outcome().prop_map(Input::Authorised),
        4 => Just(Input::Ready),
        2 => Just(Input::NotReady),
        6 => Just(Input::Turn),
        5 => any_outcome().prop_map(Input::Attempted),
        3 => any_update().prop_map(Input::Updated),
        3 => any_verdict().prop_map(Input::Listed),
        5 => any_wish().prop_map(Input::Wish),
        1 => Just(Input::StopFlow(CancelledBy::Shutdown)),
        1 => any::<bool>().prop_map(|listed| Input::NumberReused { by: later_id(), listed }),
        1 => Just(Input::NumberShared { with: later_id() }),
        4 => Just(Input::Tick),
    ];
    prop_oneof![20 => input.prop_map(Happens::Input), 1 => Just(Happens::Crash)]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let family = prop::sample::select(&[Family::Apollo, Family::P6x][..]);
    let at_end = prop::sample::select(&[AtEnd::CommitLastKnown, AtEnd::Void, AtEnd::Alert][..]);
    let action = prop::sample::select(&[DeadManAction::Void, DeadManAction::Commit][..]);
    let authorise = prop::sample::select(&[Authorise::Auto, Authorise::Auto, Authorise::Ask][..]);
    (family, at_end, action, authorise).prop_map(|(family, at_end, action, authorise)| {
        let mut rules = rules(family);
        rules.policy.authorise = authorise;
        rules.policy.on_max_session = at_end;
        rules.policy.terminal_timeout_action = action;
        rules
    })
}

/// What must be so after every step.
struct Promises {
    ready: bool,
    decided: Option<Decision>,
}

impl Promises {
    /// G1: what moves money leaves in the step that makes its intent durable; G2 and G4: as it was decided, and within the hold.
    fn hold(&self, life: &Life, appended: &[Entry], effects: &[Effect]) {
        let kinds: Vec<&str> = appended.iter().map(|entry| entry.fact.kind()).collect();
        for effect in effects {
            if matches!(effect, Effect::Attempt(_) | Effect::Update { .. }) {
                assert!(
                    !life.records.iter().any(|entry| entry.fact.kind() == "number_reused"),
                    "its number means another session"
                );
            }
            match effect {
                Effect::Authorise => assert_eq!(kinds, ["authorise_intended"]),
                Effect::Attempt(request) => {
                    // An update that still waited has given way.
                    assert!(matches!(kinds[..], ["attempt_started"] | ["update_unsent", "attempt_started"]), "{kinds:?}");
                    assert!(self.ready, "not before the terminal is ready");
                    self.fits(life, request);
                }
                // Its intent was durable when it asked for the turn.
                Effect::Update { session, amount } => {
                    assert!(self.ready && kinds.is_empty(), "not before the terminal is ready");
                    let known = life.machine.session();
                    assert_eq!(Some(*session), known.open_terminal_session());
                    assert!(known.updating() && known.update.is_some_and(|update| update.asked == *amount));
                    assert_eq!(self.decided, None, "a hold is not changed after its disposal was decided");
                }
                Effect::AskUpdateTurn => assert_eq!(kinds, ["update_intended"]),
                Effect::StartFlow | Effect::CancelFlow | Effect::AskTurn | Effect::ReleaseTurn | Effect::SetUpAgain(_) => {}
            }
        }
        let attempts = |kind| kinds.iter().filter(|known| **known == kind).count();
        let money = effects.iter().filter(|effect| matches!(effect, Effect::Authorise | Effect::Attempt(_))).count();
        assert_eq!(attempts("authorise_intended") + attempts("attempt_started"), money, "an intent without its request");
    }

    fn fits(&self, life: &Life, request: &Request) {
        let held = life.machine.session().hold.as_ref().unwrap();
        let number = held.terminal_session_id;
        match (self.decided, request) {
            (Some(Decision::Commit(decided)), Request::CommitSession { session, amount }) => {
                assert_eq!((*session, *amount), (number, decided));
                assert!(!amount.is_zero() && *amount <= held.amount.unwrap());
            }
            (Some(Decision::Void), Request::VoidSession { session }) => assert_eq!(*session, number),
            other => panic!("{other:?}"),
        }
    }
}

/// All sessions of a journal: this one, and another that has asked the bank meanwhile.
fn ledger(records: &[Entry]) -> Ledger {
    let other = [opened(), intended(), Fact::Declined { reason: None }];
    let other = other.map(|fact| Entry { session: Some(later_id()), ..entry(0, fact) });
    let records: Vec<Record> =
        (1..).zip(other.iter().chain(records)).map(|(seq, entry)| Record { seq, entry: entry.clone() }).collect();
    Ledger::replay(&records).unwrap()
}

/// The world behaves from now on: what is asked for is granted, and every disposal is accepted.
fn settle(life: &mut Life) {
    for _ in 0..200 {
        if life.machine.session().ended() {
            return;
        }
        let input = match (life.machine.errand(), &life.machine.session().state) {
            (Errand::CardFlow, State::Opened | State::CardRead(_)) => Input::FlowEnded(answered(Response::Cancelled)),
            (Errand::CardFlow, _) => Input::Authorised(Outcome::Unanswered(Cause::LinkLost)),
            (Errand::Turn, _) => Input::Turn,
            (Errand::Attempt, _) => Input::Attempted(ok()),
            (Errand::Update, _) => Input::Updated(Outcome::Unanswered(Cause::LinkLost)),
            (Errand::Idle, State::InDoubt(_)) if life.machine.rules().family.lists_sessions() => Input::Listed(Verdict::NoHold),
            (Errand::Idle, _) => match life.machine.next_tick() {
                Some(due) => {
                    life.now = life.now.max((due.unix_millis() - at(0).unix_millis()).div_euclid(1000));
                    Input::Tick
                }
                // What was missing, and has been decided since, waits for a list that shows it.
                None if life.machine.session().state == State::Disposing && life.machine.rules().family.lists_sessions() => {
                    Input::Listed(Verdict::Present)
                }
                None => return,
            },
        };
        life.does(input);
    }
    panic!("{} goes round and round", life.state());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_promises_hold_and_it_ends(
        rules in any_rules(),
        is_orphan in prop::bool::weighted(0.1),
        inputs in prop::collection::vec((anything(), 0_i64..4000), 0..40),
    ) {
        let mut life = Life::with(rules, if is_orphan { orphan() } else { opened() });
        let mut promises = Promises { ready: false, decided: None };
        for (happens, wait) in inputs {
            life.now += wait;
            let known = life.records.len();
            match happens {
                Happens::Crash => {
                    life.crashes();
                    promises.ready = false;
                }
                Happens::Input(input) => {
                    match &input {
                        Input::Ready => promises.ready = true,
                        Input::NotReady => promises.ready = false,
                        _ => {}
                    }
                    // `does` applies the facts, so that every step is legal is asserted there.
                    let effects = life.tries(input).unwrap_or_default();
                    promises.hold(&life, &life.records[known..], &effects);
                }
            }
            // G4: what may be decided is what is held whatever has become of an update, counted from the facts alone.
            let (least, most) = may_be_held(&life.records);
            let session = life.machine.session();
            prop_assert_eq!(session.hold.as_ref().and_then(|hold| hold.amount).map(Amount::minor), least);
            prop_assert_eq!(session.held_at_most().map(Amount::minor).or(least), most);
            // G2.
            for entry in &life.records[known..] {
                if let Fact::DisposalDecided { decision, .. } = entry.fact {
                    prop_assert_eq!(promises.decided.replace(decision), None, "a second decision");
                }
            }
            // G3, and: what the records say is what the session is.
            let ledger = ledger(&life.records);
            prop_assert_eq!(ledger.totals().imbalance(), 0);
            prop_assert_eq!(ledger.totals().undisposed, u64::from(life.machine.session().undisposed()));
            prop_assert!(ledger.sessions().any(|session| session == life.machine.session()));
        }
        // G8: nothing is left that only waits.
        life.does(Input::NotReady);
        if life.machine.errand() == Errand::Attempt {
            life.does(Input::Attempted(Outcome::Unanswered(Cause::LinkLost)));
        }
        if life.machine.errand() == Errand::Update {
            life.does(Input::Updated(Outcome::Unanswered(Cause::LinkLost)));
        }
        life.does(Input::Ready);
        settle(&mut life);
        let session = life.machine.session();
        let alerted = session.charging() && session.hold.as_ref().is_some_and(|hold| hold.at_end == AtEnd::Alert);
        let left = match session.state {
            State::Uncertain(_) => true,
            State::Held => alerted,
            // Nobody has begun, or the adoption of an orphan never came.
            State::Opened => life.machine.errand() == Errand::Idle,
            _ => session.ended(),
        };
        prop_assert!(left, "{} is left, errand {:?}", session.state_name(), life.machine.errand());
    }
}
