//! The opposite of each assumption of PSP 18 that can be switched.

use std::time::Duration;

use super::{Bench, said};
use crate::id::TerminalSessionId;
use crate::money::Amount;
use crate::protocol::request::{Setup, TimeoutAction};
use crate::protocol::response::{Status, TerminalState, Verdict};
use crate::protocol::{Family, Request, Response};
use crate::sim::wire;
use crate::sim::{CardTimeout, Heard, Input, Occasion, Quirks, Style};

const OK: [Response; 1] = [Response::Result(Verdict::Ok)];
const NO: [Response; 1] = [Response::Result(Verdict::NotOk(None))];
const S: TerminalSessionId = TerminalSessionId(1001);

fn bench(change: impl FnOnce(&mut Quirks)) -> Bench {
    let mut quirks = Quirks::default();
    change(&mut quirks);
    let mut bench = Bench::with(Family::P6x, quirks);
    bench.enable();
    bench
}

#[test]
fn ids_are_reused() {
    let mut bench = bench(|quirks| quirks.reuse_ids = true);
    bench.hold(100);
    bench.hold(200);
    bench.ask(Request::VoidSession { session: S });
    bench.hold(300);
    let mut ids = bench.terminal.sessions();
    ids.sort();
    assert_eq!(ids, [S, TerminalSessionId(1002)]);
    // The bank tells the two holds of one number apart.
    let ledger = bench.bank.ledger();
    assert_eq!((ledger.voided.amount, ledger.open.amount), (100, 500));
}

#[test]
fn a_repeat_is_ok_and_takes_nothing_twice() {
    let mut bench = bench(|quirks| quirks.repeat_is_ok = true);
    bench.hold(100);
    let commit = |minor| Request::CommitSession { session: S, amount: Amount::from_minor(minor) };
    assert_eq!(bench.ask(commit(70)), OK);
    assert_eq!(bench.ask(commit(70)), OK);
    assert_eq!(bench.ask(commit(71)), NO);
    assert_eq!(bench.ask(Request::VoidSession { session: S }), NO);
    assert_eq!((bench.bank.ledger().captured, bench.bank.ledger().repeats), (70, 1));
}

#[test]
fn reset_forgets() {
    let mut bench = bench(|quirks| quirks.forgets_at = vec![Occasion::Reset]);
    bench.hold(100);
    bench.ask(Request::Reset);
    assert_eq!((bench.terminal.sessions().len(), bench.bank.ledger().open.count), (0, 1));
}

#[test]
fn setup_rearms_open_sessions() {
    for (rearms, expired) in [(false, 0), (true, 1)] {
        let mut bench = bench(|quirks| quirks.setup_rearms = rearms);
        bench.hold(100);
        bench.ask(Request::Synchronize);
        bench.ask(Request::Setup(Setup { timeout_seconds: 60, action: TimeoutAction::Void }));
        bench.pass(Duration::from_secs(60));
        assert_eq!(bench.bank.ledger().expired.count, expired);
    }
}

#[test]
fn damaged_frames_are_ignored() {
    let mut bench = bench(|quirks| quirks.ignore_damaged = true);
    assert_eq!(bench.on(Input::Heard(Heard::Damaged)), []);
}

#[test]
fn nobody_presents_a_card_and_the_terminal_says_something_else() {
    for (on_card_timeout, wanted) in [(CardTimeout::NotOk, NO.as_slice()), (CardTimeout::Silent, &[])] {
        let mut bench = bench(|quirks| quirks.on_card_timeout = on_card_timeout);
        bench.start(100);
        assert_eq!(said(bench.pass(Duration::from_secs(60))), wanted);
        assert_eq!(bench.terminal.state(), TerminalState::Enabled);
    }
}

#[test]
fn frames_as_they_may_look() {
    let plain = Quirks::default();
    let status = Response::Status(Status { state: TerminalState::WaitCard, running: true });
    let ok = Response::Result(Verdict::Ok);
    let style = |extended, detailed| Style { extended, detailed };
    for (response, style, quirks, bytes) in [
        // PSP conflict C1, both sides of it.
        (&status, style(false, false), &plain, [0xAA, 0x04, 0x3C, 0x26, 0x10, 0x01, 0x21].as_slice()),
        (
            &status,
            style(false, false),
            &Quirks { status_as_result: true, ..plain.clone() },
            &[0xAA, 0x04, 0x3C, 0x00, 0x10, 0x01, 0xFB],
        ),
        // With reasons, an OK has two bytes; the extended block has a length of four (PSP, Frame format).
        (&ok, style(false, true), &plain, &[0xAA, 0x04, 0x3C, 0x00, 0x00, 0x00, 0xEA]),
        (&ok, style(true, false), &plain, &[0xAA, 0x00, 0x00, 0x00, 0x03, 0x3C, 0x00, 0x00, 0xE9]),
    ] {
        assert_eq!(wire::write(response, style, Family::Apollo, quirks).unwrap(), bytes);
    }
}
