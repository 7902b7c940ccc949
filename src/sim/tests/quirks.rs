//! The opposite of each assumption that can be switched.

use std::time::Duration;

use super::{Bench, said};
use crate::id::TerminalSessionId;
use crate::money::Amount;
use crate::protocol::request::{Options, Protocol, Setup, TimeoutAction};
use crate::protocol::response::{Status, TerminalState, Verdict};
use crate::protocol::{Family, RawPayload, Request, Response};
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
        // Conflict C1, both sides of it.
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

#[test]
fn when_it_forgets_its_sessions() {
    let occasions = [Occasion::Reset, Occasion::Synchronize, Occasion::Setup, Occasion::Connection, Occasion::PowerCycle];
    for occasion in occasions {
        for forgets in [None, Some(occasion)] {
            let mut bench = bench(|quirks| quirks.forgets_at = forgets.into_iter().collect());
            bench.hold(100);
            match occasion {
                Occasion::Reset => drop(bench.ask(Request::Reset)),
                Occasion::Synchronize => drop(bench.ask(Request::Synchronize)),
                Occasion::Setup => {
                    bench.ask(Request::Disable);
                    bench.ask(Request::Setup(Setup { timeout_seconds: 60, action: TimeoutAction::Void }));
                }
                Occasion::Connection => drop(bench.on(Input::LinkUp)),
                Occasion::PowerCycle => drop(bench.on(Input::PowerCycle)),
            }
            assert_eq!(bench.terminal.sessions().len(), usize::from(forgets.is_none()), "{occasion:?}");
            assert_eq!(bench.bank.ledger().open.count, 1, "the bank forgets nothing");
        }
    }
}

#[test]
fn nobody_says_auth_and_the_terminal_says_so() {
    for (on_auth_timeout, wanted) in [(CardTimeout::Cancelled, &[Response::Cancelled]), (CardTimeout::NotOk, &NO)] {
        let mut bench = bench(|quirks| {
            quirks.on_auth_timeout = on_auth_timeout;
            quirks.auth_wait = Duration::from_secs(5);
        });
        bench.start(100);
        bench.tap(1);
        assert_eq!(said(bench.pass(Duration::from_millis(4_999))), []);
        assert_eq!(said(bench.pass(Duration::from_millis(1))), wanted);
        assert_eq!(bench.terminal.state(), TerminalState::Enabled);
    }
}

#[test]
fn a_lost_connection_is_not_noticed() {
    for (keeps_state, state) in [(false, TerminalState::Offline), (true, TerminalState::WaitCard)] {
        let mut bench = bench(|quirks| quirks.keeps_state = keeps_state);
        bench.start(100);
        bench.on(Input::LinkLost);
        bench.on(Input::LinkUp);
        assert_eq!(bench.terminal.state(), state);
    }
}

#[test]
fn options_are_echoed_that_are_not_accepted() {
    let mut bench = bench(|quirks| quirks.echoes_all_options = true);
    bench.ask(Request::Synchronize);
    let wanted = Protocol { version: 3, options: Options(0x1F) };
    assert_eq!(bench.ask(Request::Protocol(wanted)), [Response::Protocol(wanted)]);
    assert_eq!(bench.terminal.style(), Style::default());
}

#[test]
fn a_transaction_is_running_while_auth_is_waited_for() {
    let mut bench = bench(|quirks| quirks.running_in_wait_auth = true);
    bench.start(100);
    bench.tap(1);
    let status = Status { state: TerminalState::WaitAuth, running: true };
    assert_eq!(bench.ask(Request::GetStatus), [Response::Status(status)]);
}

#[test]
fn a_setup_of_nothing_ends_sessions_at_once() {
    for (zero_is_at_once, expired) in [(false, 0), (true, 1)] {
        let mut bench = bench(|quirks| quirks.zero_is_at_once = zero_is_at_once);
        bench.set_up(Options(0), Setup { timeout_seconds: 0, action: TimeoutAction::Void });
        bench.hold(100);
        bench.pass(Duration::ZERO);
        assert_eq!(bench.bank.ledger().expired.count, expired);
    }
}

#[test]
fn a_dropped_flow_is_told() {
    for (request, answer) in [(Request::Reset, Response::Result(Verdict::Ok)), (Request::Synchronize, Response::Synchronize)] {
        let mut bench = bench(|quirks| quirks.tells_dropped_flow = true);
        assert_eq!(bench.ask(request.clone()), std::slice::from_ref(&answer));
        bench.enable();
        bench.start(100);
        assert_eq!(bench.ask(request), [Response::Cancelled, answer]);
    }
}

#[test]
fn disable_ends_a_card_flow() {
    let mut bench = bench(|quirks| quirks.disable_ends_flow = true);
    bench.start(100);
    assert_eq!(bench.ask(Request::Disable), OK);
    assert_eq!((bench.terminal.state(), bench.tap(1)), (TerminalState::Disabled, Vec::new()));
    // But it is not taken where there is no flow to end and no set-up.
    bench.ask(Request::Reset);
    assert_eq!(bench.ask(Request::Disable), NO);
}

#[test]
fn start_session_is_answered_at_once_or_taken_twice() {
    let mut bench = bench(|quirks| {
        quirks.start_says_ok = true;
        quirks.takes_duplicates = true;
    });
    assert_eq!(bench.start(100), OK);
    bench.tap(1);
    bench.ask(Request::AuthSession);
    assert_eq!(bench.ask(super::start(100, 1)), OK);
}

#[test]
fn a_session_has_the_number_of_its_reference() {
    let mut bench = bench(|quirks| quirks.id_is_reference = true);
    bench.hold(100);
    bench.hold(200);
    assert_eq!(bench.terminal.sessions(), [TerminalSessionId(1), TerminalSessionId(2)]);
}

#[test]
fn remove_sessions_gives_the_holds_back() {
    for (remove_voids, open) in [(false, 1), (true, 0)] {
        let mut bench = bench(|quirks| quirks.remove_voids = remove_voids);
        bench.hold(100);
        assert_eq!(bench.ask(Request::RemoveSessions(RawPayload::default())), OK);
        assert_eq!((bench.bank.ledger().open.count, bench.terminal.sessions().len()), (open, 0));
        assert!(bench.bank.ledger().balances());
    }
}
