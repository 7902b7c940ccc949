//! Update Session: the bank's books before and after, and what the terminal says of them.

use std::time::Duration;

use super::{Bench, START_OF_TIME, said};
use crate::id::TerminalSessionId;
use crate::money::Amount;
use crate::protocol::request::{Options, Setup, TimeoutAction};
use crate::protocol::response::{Reason, UpdateOutcome, UpdateResult, Verdict};
use crate::protocol::{Family, Request, Response};
use crate::sim::{BankVerdict, By, HoldState, Input, Policy, SimCard, ViolationKind};

const S: TerminalSessionId = TerminalSessionId(1001);

fn cents(minor: u32) -> Amount {
    Amount::from_minor(minor)
}

fn update(minor: u32) -> Request {
    Request::UpdateSession { session: S, amount: cents(minor) }
}

/// An Apollo with a hold of 2500; to Update, the bank says this.
fn bench(verdict: BankVerdict) -> Bench {
    let mut bench = Bench::new(Family::Apollo);
    bench.bank.set_policy(&SimCard::numbered(1), Policy::APPROVE.updating(verdict));
    bench.set_up(Options::DETAILED_CODES, Setup { timeout_seconds: 60, action: TimeoutAction::Commit });
    bench.hold(2500);
    bench
}

#[test]
fn a_hold_goes_up_and_down_partly_or_not_at_all() {
    use UpdateOutcome::{Approved, Declined, Partly};
    for (verdict, asked, outcome, amount, change, reason) in [
        (BankVerdict::Approve, 4000, Approved, 4000, 1500, 0x00),
        (BankVerdict::Approve, 1000, Approved, 1000, 1500, 0x00),
        (BankVerdict::Approve, 2500, Approved, 2500, 0, 0x00),
        (BankVerdict::Partial(Amount::from_minor(3000)), 4000, Partly, 3000, 500, 0x00),
        (BankVerdict::Partial(Amount::from_minor(3000)), 2800, Approved, 2800, 300, 0x00),
        // Too little for more, but less is always possible.
        (BankVerdict::Partial(Amount::from_minor(700)), 4000, Declined, 2500, 0, 0x09),
        (BankVerdict::Partial(Amount::from_minor(700)), 900, Approved, 900, 1600, 0x00),
        (BankVerdict::Decline(0x05), 4000, Declined, 2500, 0, 0x05),
        (BankVerdict::Decline(0x05), 100, Declined, 2500, 0, 0x05),
    ] {
        let mut bench = bench(verdict);
        let wanted = UpdateResult { outcome, session: S, amount: cents(amount), change, reason };
        assert_eq!(bench.ask(update(asked)), [Response::UpdateResult(wanted)], "{verdict:?}, {asked}");
        let ledger = bench.bank.ledger();
        let (raised, lowered) = (u64::from(amount.saturating_sub(2500)), u64::from(2500u32.saturating_sub(amount)));
        assert_eq!((ledger.updated.raised, ledger.updated.lowered), (raised, lowered));
        assert_eq!((ledger.approved.amount, ledger.open.amount), (2500, u64::from(amount)));
        assert!(ledger.balances(), "{ledger}");
        // What is held is what can be taken, and no more.
        let commit = |minor| Request::CommitSession { session: S, amount: cents(minor) };
        assert_eq!(bench.ask(commit(amount + 1)), [Response::Result(Verdict::NotOk(Some(Reason(0x03))))]);
        assert_eq!(bench.ask(commit(amount)), [Response::Result(Verdict::Ok)]);
        assert!(bench.bank.ledger().balances());
    }
}

#[test]
fn what_cannot_be_updated_is_refused() {
    let refused = |reason| [Response::Result(Verdict::NotOk(Some(Reason(reason))))];
    let mut bench = bench(BankVerdict::Approve);
    let other = Request::UpdateSession { session: TerminalSessionId(7), amount: cents(100) };
    assert_eq!(bench.ask(other), refused(0x0C));
    assert_eq!(bench.ask(update(0)), refused(0x03));
    let held = cents(2500);
    let kinds = |bench: &Bench| bench.bank.violations().iter().map(|violation| violation.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&bench), [ViolationKind::AmountOutOfHold { held, asked: cents(0) }]);
    bench.terminal.quirks.updates = false;
    assert_eq!(bench.ask(update(100)), refused(0x0D));
    bench.terminal.quirks.updates = true;
    bench.ask(Request::VoidSession { session: S });
    assert_eq!(bench.ask(update(100)), refused(0x0C));
    assert_eq!(kinds(&bench).len(), 2, "a host that updates what it has voided has changed its mind");
    assert_eq!(bench.bank.hold(&"bay-01".parse().unwrap(), S).unwrap().amount, held);
    // A P6X does not know the word.
    let mut p6x = Bench::new(Family::P6x);
    p6x.enable();
    p6x.hold(2500);
    assert_eq!(p6x.ask(update(100)), [Response::Result(Verdict::NotOk(None))]);
    assert_eq!(p6x.bank.ledger().open.amount, 2500);
}

#[test]
fn a_slow_bank_changes_the_hold_even_when_nobody_waits_any_more() {
    let mut bench = bench(BankVerdict::Approve);
    bench.bank.set_default_policy(Policy::APPROVE);
    let slow = Policy { reaches_after: Duration::from_secs(2), answers_after: Duration::from_secs(3), ..Policy::APPROVE };
    bench.bank.set_policy(&SimCard::numbered(1), slow);
    assert_eq!(bench.ask(update(4000)), []);
    assert_eq!(said(bench.pass(Duration::from_millis(1_999))), []);
    assert_eq!(bench.bank.ledger().open.amount, 2500);
    assert_eq!(said(bench.pass(Duration::from_millis(1))), []);
    assert_eq!(bench.bank.ledger().open.amount, 4000);
    assert!(matches!(said(bench.pass(Duration::from_secs(3))).as_slice(), [Response::UpdateResult(_)]));

    assert_eq!(bench.ask(update(5000)), []);
    bench.on(Input::LinkLost);
    assert_eq!(said(bench.pass(Duration::from_secs(10))), []);
    assert_eq!(bench.bank.ledger().open.amount, 5000);
}

#[test]
fn the_dead_man_takes_the_updated_amount() {
    let mut bench = bench(BankVerdict::Approve);
    bench.ask(update(4000));
    bench.pass(Duration::from_secs(60));
    let at = START_OF_TIME.after(Duration::from_secs(60));
    let states: Vec<_> = bench.bank.holds().into_iter().map(|hold| hold.state).collect();
    assert_eq!(states, [HoldState::Captured { amount: cents(4000), by: By::TerminalTimer, at }]);
    assert!(bench.bank.ledger().balances());
}
