//! Holds, and what ends them. The bank is the truth, so it is tested hardest.

use std::time::Duration;

use super::{Bench, said};
use crate::id::{SessionReference, TerminalId, TerminalSessionId};
use crate::money::Amount;
use crate::protocol::request::{Options, Setup, TimeoutAction};
use crate::protocol::response::{Reason, TerminalState, Verdict};
use crate::protocol::{Family, Request, Response};
use crate::sim::{Bank, By, Decision, HoldState, Input, Policy, Question, Refusal, SimCard, ViolationKind};
use crate::time::Timestamp;

const OK: [Response; 1] = [Response::Result(Verdict::Ok)];
const NO: [Response; 1] = [Response::Result(Verdict::NotOk(None))];
const S: TerminalSessionId = TerminalSessionId(1001);

fn cents(minor: u32) -> Amount {
    Amount::from_minor(minor)
}

fn commit(session: TerminalSessionId, minor: u32) -> Request {
    Request::CommitSession { session, amount: cents(minor) }
}

#[test]
fn a_commit_takes_once_and_a_repeat_is_no_violation() {
    let mut bench = Bench::new(Family::P6x);
    bench.enable();
    bench.hold(2500);
    assert_eq!(bench.ask(commit(S, 0)), NO);
    assert_eq!(bench.ask(commit(S, 2501)), NO);
    assert_eq!(bench.ask(commit(S, 1234)), OK);
    assert_eq!(bench.ask(commit(S, 1234)), NO);
    let ledger = bench.bank.ledger();
    assert_eq!((ledger.approved.count, ledger.approved.amount), (1, 2500));
    assert_eq!((ledger.committed.count, ledger.committed.amount, ledger.captured), (1, 2500, 1234));
    assert_eq!((ledger.open.count, ledger.repeats), (0, 1));
    // Nothing and too much are violations of the host, the repeat is not.
    let kinds: Vec<_> = bench.bank.violations().iter().map(|violation| violation.kind).collect();
    let out = |asked| ViolationKind::AmountOutOfHold { held: cents(2500), asked: cents(asked) };
    assert_eq!(kinds, [out(0), out(2501)]);
    assert!(ledger.balances());
}

#[test]
fn a_second_decision_is_a_violation() {
    for (first, second, violations) in [
        (commit(S, 100), commit(S, 100), 0),
        (commit(S, 100), commit(S, 101), 1),
        (commit(S, 100), Request::VoidSession { session: S }, 1),
        (Request::VoidSession { session: S }, Request::VoidSession { session: S }, 0),
        (Request::VoidSession { session: S }, commit(S, 100), 1),
    ] {
        let mut bench = Bench::new(Family::Apollo);
        bench.enable();
        bench.hold(2500);
        assert_eq!(bench.ask(first.clone()), OK);
        assert_eq!(bench.ask(second.clone()), NO);
        assert_eq!(bench.bank.violations().len(), violations, "{first:?}, then {second:?}");
    }
}

#[test]
fn the_bank_itself_refuses_a_second_capture_and_says_so() {
    let (bank, terminal, at) = (Bank::new(), "bay-01".parse::<TerminalId>().unwrap(), Timestamp::from_unix_millis(0));
    let card = SimCard::numbered(1);
    let question = Question {
        terminal: &terminal,
        session: S,
        reference: SessionReference(1),
        card: &card,
        amount: cents(500),
        partial: true,
    };
    assert_eq!(bank.authorise(&question, at), Decision::Held(cents(500)));
    assert_eq!(bank.open_holds(&terminal).len(), 1);
    assert_eq!(bank.capture(&terminal, S, cents(400), By::Host, at), Ok(()));
    assert_eq!(bank.capture(&terminal, S, cents(400), By::Host, at), Err(Refusal::Ended));
    assert_eq!(bank.release(&terminal, S, By::Host, at), Err(Refusal::Ended));
    assert_eq!(bank.capture(&terminal, TerminalSessionId(7), cents(400), By::Host, at), Err(Refusal::Unknown));
    assert_eq!(bank.open_holds(&terminal), []);
    let ledger = bank.ledger();
    assert_eq!(ledger.captured, 400);
    assert_eq!(ledger.violations.len(), 2);
    assert_eq!(ledger.violations[0].kind, ViolationKind::DoubleCapture);
    assert!(ledger.to_string().contains("VIOLATION bay-01 session 1001"));
    let json = serde_json::to_value(&ledger).unwrap();
    assert_eq!(json["approved"]["amount"], 500);
}

#[test]
fn the_bank_may_approve_less_or_nothing() {
    for (family, options, wanted) in [
        (Family::Apollo, Options(0), "partial 700"),
        // A P6X knows no partial approval (PSP, Family differences).
        (Family::P6x, Options(0), "declined None"),
    ] {
        let mut bench = Bench::new(family);
        bench.bank.set_policy(&SimCard::numbered(1), Policy::partial(cents(700)));
        bench.set_up(options, Setup { timeout_seconds: 60, action: TimeoutAction::Void });
        let came = match bench.hold(2500).as_slice() {
            [Response::PartiallyApproved { amount, .. }] => format!("partial {amount}"),
            [Response::Declined { reason, .. }] => format!("declined {reason:?}"),
            other => format!("{other:?}"),
        };
        assert_eq!(came, wanted);
    }
    for (options, reason) in [(Options(0), None), (Options::DETAILED_CODES, Some(0x05))] {
        let mut bench = Bench::new(Family::Apollo);
        bench.bank.set_default_policy(Policy::decline(0x05));
        bench.set_up(options, Setup { timeout_seconds: 60, action: TimeoutAction::Void });
        assert_eq!(bench.hold(2500), [Response::declined(reason)]);
        assert_eq!((bench.bank.holds().len(), bench.bank.ledger().declined), (0, 1));
        assert_eq!(bench.terminal.state(), TerminalState::Enabled);
    }
}

#[test]
fn the_dead_man_acts_at_its_time_by_the_setup_in_force_at_the_approval() {
    let setup = |timeout_seconds, action| Request::Setup(Setup { timeout_seconds, action });
    let mut bench = Bench::new(Family::P6x);
    for (seconds, action) in [(100, TimeoutAction::Void), (200, TimeoutAction::Commit), (0, TimeoutAction::Void)] {
        bench.ask(Request::Synchronize);
        bench.ask(setup(seconds, action));
        bench.ask(Request::Enable);
        bench.hold(1000 + seconds);
    }
    // A power cycle stops no timer.
    bench.on(Input::PowerCycle);
    assert_eq!(bench.terminal.sessions().len(), 3);
    bench.pass(Duration::from_millis(99_999));
    assert_eq!(bench.bank.ledger().expired.count, 0);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.bank.ledger().expired.amount, 1100);
    bench.pass(Duration::from_secs(100));
    let ledger = bench.bank.ledger();
    assert_eq!((ledger.expired.amount, ledger.captured, ledger.captured_by_timer), (2300, 1200, 1200));
    bench.pass(Duration::from_secs(10 * 365 * 86_400));
    assert_eq!((bench.bank.ledger().open.amount, bench.terminal.sessions().len()), (1000, 1));
    assert!(bench.bank.ledger().balances());
    let states: Vec<_> = bench.bank.holds().into_iter().map(|hold| hold.state).collect();
    let at = |seconds| super::START_OF_TIME.after(Duration::from_secs(seconds));
    let (by, amount) = (By::TerminalTimer, cents(1200));
    let wanted = [HoldState::Released { by, at: at(100) }, HoldState::Captured { amount, by, at: at(200) }, HoldState::Held];
    assert_eq!(states, wanted);
    // The host could not know that the timer was faster.
    bench.enable();
    assert_eq!(bench.ask(commit(S, 1)), NO);
    assert_eq!(bench.bank.violations(), []);
}

#[test]
fn an_auth_that_the_bank_received_makes_the_hold_even_when_the_flow_is_gone() {
    let mut bench = Bench::new(Family::P6x);
    bench.bank.set_default_policy(Policy::late(Duration::from_secs(5)));
    bench.enable();
    assert_eq!(bench.hold(2500), []);
    assert_eq!(bench.ask(Request::CancelSession), NO);
    bench.ask(Request::Reset);
    assert_eq!(said(bench.pass(Duration::from_millis(4_999))), []);
    assert_eq!(bench.bank.holds().len(), 0);
    assert_eq!(said(bench.pass(Duration::from_millis(1))), []);
    assert_eq!(bench.bank.ledger().open.amount, 2500);
    assert_eq!(bench.terminal.sessions(), [S]);
}

#[test]
fn a_slow_bank_holds_at_once_and_answers_late() {
    let mut bench = Bench::new(Family::Apollo);
    bench.bank.set_default_policy(Policy::slow(Duration::from_secs(5)));
    bench.enable();
    assert_eq!(bench.hold(2500), []);
    assert_eq!(bench.bank.ledger().open.amount, 2500);
    assert_eq!(bench.terminal.state(), TerminalState::WaitAuth);
    assert!(matches!(said(bench.pass(Duration::from_secs(5))).as_slice(), [Response::Approved { session: S, .. }]));
}

#[test]
fn sessions_are_listed_in_pages_of_63() {
    let mut bench = Bench::new(Family::P6x);
    bench.enable();
    for _ in 0..130 {
        bench.hold(100);
    }
    for (offset, first, count) in [(0, 1001, 63), (63, 1064, 63), (126, 1127, 4), (130, 0, 0), (255, 0, 0)] {
        let answers = bench.ask(Request::ListSessions { offset });
        let [Response::SessionList(list)] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!((list.total, list.sessions.len()), (130, count));
        assert_eq!(list.sessions.first().map_or(0, |session| session.0), first);
    }
    // The bank keeps what the terminal forgets.
    bench.on(Input::ForgetSessions);
    assert_eq!(bench.ask(commit(S, 100)), NO);
    assert_eq!(bench.bank.ledger().open.count, 130);
    assert_eq!(bench.bank.violations(), []);
}

#[test]
fn not_ok_names_an_unknown_session_where_reasons_exist() {
    let mut bench = Bench::new(Family::Apollo);
    bench.set_up(Options::DETAILED_CODES, Setup { timeout_seconds: 60, action: TimeoutAction::Void });
    bench.hold(2500);
    assert_eq!(bench.ask(Request::VoidSession { session: S }), OK);
    let gone = [Response::Result(Verdict::NotOk(Some(Reason(0x0C))))];
    assert_eq!(bench.ask(Request::VoidSession { session: S }), gone);
}
