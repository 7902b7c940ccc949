//! Every request in every state (PSP, States, and the assumptions), and what moves a terminal besides requests.

use std::time::Duration;

use super::{Bench, said, start};
use crate::id::TerminalSessionId;
use crate::money::Amount;
use crate::protocol::request::{Options, Protocol, Setup, StartSession, TimeoutAction};
use crate::protocol::response::{Reason, Status, TerminalState, TransactionEvent, Verdict};
use crate::protocol::{Family, RawPayload, Request, Response};
use crate::sim::{Heard, Input, Output, Quirks, Style};

/// Answer and state afterwards, for each state before. `-` is no answer. LIST is what a P6X answers.
const TABLE: &str = "
    request    | OFFLINE  | ONLINE   | DISABLED | ENABLED  | WAIT_CARD | WAIT_AUTH
    reset      | ok off   | ok off   | ok off   | ok off   | ok off    | ok off
    sync       | sync onl | sync onl | sync onl | sync onl | sync onl  | sync onl
    protocol   | no off   | prot onl | no dis   | no ena   | no wca    | no wau
    setup      | no off   | ok dis   | ok dis   | no ena   | no wca    | no wau
    enable     | no off   | no onl   | ok ena   | ok ena   | ok wca    | ok wau
    disable    | no off   | no onl   | ok dis   | ok dis   | no wca    | no wau
    status     | stat off | stat onl | stat dis | stat ena | stat wca  | stat wau
    ids        | ids off  | ids onl  | ids dis  | ids ena  | ids wca   | ids wau
    start      | no off   | no onl   | no dis   | - wca    | no wca    | no wau
    auth       | no off   | no onl   | no dis   | no ena   | no wca    | appr ena
    cancel     | no off   | no onl   | no dis   | no ena   | canc ena  | canc ena
    commit     | no off   | no onl   | ok dis   | ok ena   | ok wca    | ok wau
    void       | no off   | no onl   | ok dis   | ok ena   | ok wca    | ok wau
    list       | no off   | LIST onl | LIST dis | LIST ena | LIST wca  | LIST wau
    remove     | no off   | no onl   | no dis   | ok ena   | no wca    | no wau
    unknown    | no off   | no onl   | no dis   | no ena   | no wca    | no wau
    damaged    | no off   | no onl   | no dis   | no ena   | no wca    | no wau";

const STATES: [&str; 6] = ["off", "onl", "dis", "ena", "wca", "wau"];

fn short(state: TerminalState) -> &'static str {
    match state {
        TerminalState::Offline => "off",
        TerminalState::Online => "onl",
        TerminalState::Disabled => "dis",
        TerminalState::Enabled => "ena",
        TerminalState::WaitCard => "wca",
        TerminalState::WaitAuth => "wau",
    }
}

fn kind(response: &Response) -> &'static str {
    match response {
        Response::Result(Verdict::Ok) => "ok",
        Response::Result(Verdict::NotOk(None)) => "no",
        Response::Synchronize => "sync",
        Response::Protocol(_) => "prot",
        Response::Status(_) => "stat",
        Response::Ids(_) => "ids",
        Response::Approved { .. } => "appr",
        Response::Cancelled => "canc",
        Response::SessionList(_) => "LIST",
        _ => "other",
    }
}

/// A terminal in this state that holds session 1001.
fn bench_in(family: Family, state: &str) -> Bench {
    let mut bench = Bench::new(family);
    bench.enable();
    bench.hold(2500);
    match state {
        "off" => drop(bench.ask(Request::Reset)),
        "onl" => drop(bench.ask(Request::Synchronize)),
        "dis" => drop(bench.ask(Request::Disable)),
        "ena" => {}
        "wca" => drop(bench.start(700)),
        _ => {
            bench.start(700);
            bench.tap(2);
        }
    }
    assert_eq!(short(bench.terminal.state()), state);
    assert_eq!(bench.terminal.sessions(), [TerminalSessionId(1001)]);
    bench
}

fn heard(name: &str) -> Heard {
    let session = TerminalSessionId(1001);
    Heard::Request(match name {
        "reset" => Request::Reset,
        "sync" => Request::Synchronize,
        "protocol" => Request::Protocol(Protocol { version: 3, options: Options(0) }),
        "setup" => Request::Setup(Setup { timeout_seconds: 60, action: TimeoutAction::Void }),
        "enable" => Request::Enable,
        "disable" => Request::Disable,
        "status" => Request::GetStatus,
        "ids" => Request::RequestIds,
        "start" => start(900, 77),
        "auth" => Request::AuthSession,
        "cancel" => Request::CancelSession,
        "commit" => Request::CommitSession { session, amount: Amount::from_minor(1) },
        "void" => Request::VoidSession { session },
        "list" => Request::ListSessions { offset: 0 },
        "remove" => Request::RemoveSessions(RawPayload::default()),
        "unknown" => return Heard::Unknown(0x77),
        "damaged" => return Heard::Damaged,
        other => panic!("no such request: {other}"),
    })
}

#[test]
fn every_request_in_every_state() {
    for family in [Family::Apollo, Family::P6x] {
        let mut cells = 0;
        for row in TABLE.lines().skip(2) {
            let mut columns = row.split('|').map(str::trim);
            let request = columns.next().unwrap();
            for (state, cell) in STATES.iter().zip(columns) {
                let mut wanted = cell.replace('-', "");
                if family == Family::Apollo {
                    wanted = wanted.replace("LIST", "no");
                }
                let mut bench = bench_in(family, state);
                let answers = said(bench.on(Input::Heard(heard(request))));
                let answers: Vec<_> = answers.iter().map(kind).collect();
                let came = format!("{} {}", answers.join("+"), short(bench.terminal.state()));
                assert_eq!(came.trim(), wanted.trim(), "{} in {state}, {}", request, family.as_str());
                cells += 1;
            }
        }
        assert_eq!(cells, 17 * 6);
    }
}

#[test]
fn the_running_flag_is_set_while_a_card_is_waited_for() {
    for (state, running) in [("ena", false), ("wca", true), ("wau", false)] {
        let mut bench = bench_in(Family::Apollo, state);
        let state = bench.terminal.state();
        assert_eq!(bench.ask(Request::GetStatus), [Response::Status(Status { state, running })]);
    }
}

#[test]
fn options_of_the_other_family_are_left_out_of_the_echo() {
    for (family, accepted) in [(Family::Apollo, 0x1F), (Family::P6x, 0x03)] {
        let mut bench = Bench::new(family);
        bench.ask(Request::Synchronize);
        let wanted = Protocol { version: 3, options: Options(0xFF) };
        let outputs = bench.on(Input::Heard(Heard::Request(Request::Protocol(wanted))));
        let response = Response::Protocol(Protocol { version: 3, options: Options(accepted) });
        // The echo itself still has the default block (PSP, Extended block).
        let [Output::Say { response: said, style, .. }] = outputs.as_slice() else { panic!("{outputs:?}") };
        assert_eq!((said, *style), (&response, Style { extended: false, detailed: false }));
        let apollo = family == Family::Apollo;
        assert_eq!(bench.terminal.style(), Style { extended: apollo, detailed: apollo });
        // And the answer to Reset has the format that was in force.
        let outputs = bench.on(Input::Heard(Heard::Request(Request::Reset)));
        let [Output::Say { style, .. }] = outputs.as_slice() else { panic!("{outputs:?}") };
        assert_eq!(style.extended, apollo);
        assert_eq!(bench.terminal.style(), Style::default());
    }
}

#[test]
fn reasons_come_with_option_8_only() {
    let mut bench = Bench::new(Family::Apollo);
    bench.ask(Request::Synchronize);
    bench.ask(Request::Protocol(Protocol { version: 3, options: Options::DETAILED_CODES }));
    let no = |reason| [Response::Result(Verdict::NotOk(Some(Reason(reason))))];
    assert_eq!(bench.ask(Request::Enable), no(0x05));
    assert_eq!(said(bench.on(Input::Heard(Heard::Damaged))), no(0x04));
    assert_eq!(said(bench.on(Input::Heard(Heard::Unknown(0x77)))), no(0x02));
    bench.ask(Request::Setup(Setup { timeout_seconds: 60, action: TimeoutAction::Void }));
    bench.ask(Request::Enable);
    assert_eq!(bench.ask(start(0, 1)), no(0x03));
    bench.ask(start(100, 1));
    bench.tap(1);
    bench.ask(Request::AuthSession);
    assert_eq!(bench.ask(start(100, 1)), no(0x0B));
    assert_eq!(bench.ask(Request::VoidSession { session: TerminalSessionId(5) }), no(0x0C));
}

#[test]
fn nobody_presents_a_card() {
    let mut bench = bench_in(Family::P6x, "wca");
    assert_eq!(bench.pass(Duration::from_millis(59_999)), []);
    assert_eq!(said(bench.pass(Duration::from_millis(1))), [Response::Cancelled]);
    assert_eq!(bench.terminal.state(), TerminalState::Enabled);
}

#[test]
fn without_auth_the_card_is_dropped_silently_after_30_seconds() {
    let mut bench = bench_in(Family::P6x, "wau");
    assert_eq!(bench.pass(Duration::from_millis(29_999)), []);
    assert_eq!(bench.terminal.state(), TerminalState::WaitAuth);
    assert_eq!(bench.pass(Duration::from_millis(1)), []);
    assert_eq!(bench.terminal.state(), TerminalState::Enabled);
}

#[test]
fn an_idle_connection_is_closed_but_waiting_for_a_card_is_not_idle() {
    let mut bench = Bench::new(Family::Apollo);
    bench.on(Input::LinkUp);
    bench.enable();
    assert_eq!(bench.pass(Duration::from_millis(19_999)), []);
    bench.ask(Request::GetStatus);
    assert_eq!(bench.pass(Duration::from_millis(19_999)), []);
    assert_eq!(bench.pass(Duration::from_millis(1)), [Output::Close]);
    assert_eq!(bench.terminal.state(), TerminalState::Offline);

    bench.on(Input::LinkUp);
    bench.enable();
    bench.start(100);
    assert_eq!(said(bench.pass(Duration::from_secs(60))), [Response::Cancelled]);

    // Above five minutes, it is (PSP, Timeouts).
    let mut bench = Bench::with(Family::Apollo, Quirks { card_timeout: Duration::from_secs(301), ..Quirks::default() });
    bench.on(Input::LinkUp);
    bench.enable();
    bench.start(100);
    assert_eq!(bench.pass(Duration::from_secs(20)), [Output::Close]);
}

#[test]
fn transaction_events_come_with_option_1_only() {
    for (options, events) in [(Options(0), 0), (Options::EVENTS, 4)] {
        let mut bench = Bench::new(Family::P6x);
        bench.set_up(options, Setup { timeout_seconds: 0, action: TimeoutAction::Void });
        let mut all = bench.start(100);
        all.extend(bench.tap(1));
        all.extend(bench.ask(Request::AuthSession));
        let told: Vec<_> = all
            .iter()
            .filter_map(|response| match response {
                Response::TransactionEvent(event) => Some(*event),
                _ => None,
            })
            .collect();
        let wanted = [
            TransactionEvent::Started,
            TransactionEvent::ReadingCard,
            TransactionEvent::CardReadComplete,
            TransactionEvent::TransactionComplete,
        ];
        assert_eq!(told, wanted[..events]);
        assert_eq!(all.len(), events + 2);
    }
}

#[test]
fn a_p6x_knows_no_text_in_place_of_the_reference() {
    for (family, answers) in [(Family::Apollo, 0), (Family::P6x, 1)] {
        let mut bench = bench_in(family, "ena");
        let Request::StartSession(plain) = start(100, 9) else { panic!() };
        let request = Request::StartSession(StartSession { reference_text: Some("bay 9".into()), ..plain });
        assert_eq!(bench.ask(request).len(), answers);
    }
}
