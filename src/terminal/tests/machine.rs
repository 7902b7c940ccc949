//! The set-up as a table: every stage, and everything that may be answered to it.

use std::time::Duration;

use crate::id::TerminalSessionId;
use crate::journal::record::Cause;
use crate::link::Outcome;
use crate::protocol::request::{Options, Protocol, Setup, TimeoutAction};
use crate::protocol::response::{Ids, Reason, Response, SessionList, Status, TerminalState, Verdict};
use crate::protocol::{BlockFormat, Family, Request};
use crate::terminal::machine::{Action, Machine, Phase, Plan};
use crate::time::Timestamp;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000 + seconds * 1000)
}

fn plan(family: Family, serial_number: Option<&str>) -> Plan {
    Plan {
        family,
        serial: true,
        serial_number: serial_number.map(str::to_owned),
        options: Options(0x0F),
        setup: Setup { timeout_seconds: 86_400, action: TimeoutAction::Void },
        keepalive: Duration::from_secs(15),
    }
}

fn machine(family: Family, serial_number: Option<&str>) -> Machine {
    Machine::new(plan(family, serial_number), at(0))
}

fn answers() -> Vec<(&'static str, Response)> {
    let status = |state| Response::Status(Status { state, running: false });
    vec![
        ("ok", Response::Result(Verdict::Ok)),
        ("not_ok", Response::Result(Verdict::NotOk(Some(Reason::WRONG_STATE)))),
        ("echo", Response::Synchronize),
        ("ids", ids("4711")),
        ("protocol", Response::Protocol(Protocol { version: 3, options: Options(0) })),
        ("enabled", status(TerminalState::Enabled)),
        ("disabled", status(TerminalState::Disabled)),
        ("offline", status(TerminalState::Offline)),
        ("wait_card", status(TerminalState::WaitCard)),
        ("list", Response::SessionList(SessionList { total: 1, sessions: vec![TerminalSessionId(1)] })),
        ("cancelled", Response::Cancelled),
    ]
}

fn ids(serial_number: &str) -> Response {
    Response::Ids(Ids { serial_number: serial_number.to_owned(), model: None, software: vec!["1.0".to_owned()] })
}

/// The answer that leads on from each stage, in order.
fn right() -> Vec<Response> {
    let names = ["ok", "echo", "ids", "protocol", "ok", "ok", "enabled"];
    names.map(|name| answers().into_iter().find(|(known, _)| *known == name).unwrap().1).to_vec()
}

fn answer(machine: &mut Machine, response: Response) -> Option<Action> {
    machine.answered(&Outcome::Answered(response), at(1))
}

/// A machine that has got so many right answers.
fn after(answers: usize) -> Machine {
    let mut machine = machine(Family::Apollo, None);
    machine.opened(at(0));
    for response in right().into_iter().take(answers) {
        answer(&mut machine, response);
    }
    machine
}

fn name(action: Option<Action>) -> String {
    match action {
        None => "-".to_owned(),
        Some(Action::Ask(request)) => request.name().to_owned(),
        Some(Action::SetUp) => "UP".to_owned(),
        Some(Action::GiveUp(trouble, _)) => trouble.label().to_owned(),
    }
}

/// What is asked next; a reason when the link is given up.
#[rustfmt::skip]
const TABLE: &str = "
answer     reset           synchronize     request_ids     protocol        setup           enable          get_status         up
ok         synchronize     refused_set_up  refused_set_up  refused_set_up  enable          get_status      refused_set_up     out_of_step
not_ok     synchronize     refused_set_up  protocol        setup           refused_set_up  refused_set_up  refused_set_up     out_of_step
echo       refused_set_up  request_ids     refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up     out_of_step
ids        refused_set_up  refused_set_up  protocol        refused_set_up  refused_set_up  refused_set_up  refused_set_up     out_of_step
protocol   refused_set_up  refused_set_up  refused_set_up  setup           refused_set_up  refused_set_up  refused_set_up     out_of_step
enabled    refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  UP                 -
disabled   refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up     terminal_restarted
offline    refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up     terminal_restarted
wait_card  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up     -
list       refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up     out_of_step
cancelled  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up  refused_set_up     out_of_step
";

#[test]
fn every_answer_at_every_stage() {
    let rows: Vec<Vec<&str>> = TABLE.trim().lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), answers().len());
    for (row, (what, response)) in rows.iter().zip(answers()) {
        assert_eq!(row[0], what);
        for (stage, expected) in row[1..].iter().enumerate() {
            let mut machine = after(stage);
            assert_eq!(name(answer(&mut machine, response.clone())), *expected, "{what} after {stage} right answers");
        }
    }
}

/// A link that ends says so itself; the machine asks for nothing more.
#[test]
fn what_is_not_answered_ends_with_the_link() {
    for stage in 0..8 {
        for outcome in [Outcome::Unsent, Outcome::Unanswered(Cause::Timeout), Outcome::Unanswered(Cause::LinkLost)] {
            let mut machine = after(stage);
            assert_eq!(machine.answered(&outcome, at(1)), None);
        }
    }
}

/// G9: the timer and its action go out on every connect, and nothing goes on without an OK.
#[test]
fn the_terminals_own_timer_is_set_on_every_connect() {
    for family in [Family::Apollo, Family::P6x] {
        let mut machine = machine(family, None);
        for connect in 0..2 {
            let mut asked = vec![machine.opened(at(connect))];
            for response in right() {
                asked.extend(answer(&mut machine, response));
            }
            let expected = [
                Action::Ask(Request::Reset),
                Action::Ask(Request::Synchronize),
                Action::Ask(Request::RequestIds),
                Action::Ask(Request::Protocol(Protocol { version: 3, options: Options(0x0F) })),
                Action::Ask(Request::Setup(Setup { timeout_seconds: 86_400, action: TimeoutAction::Void })),
                Action::Ask(Request::Enable),
                Action::Ask(Request::GetStatus),
                Action::SetUp,
            ];
            assert_eq!(asked, expected, "{family:?}, connect {connect}");
            assert!(machine.is_up());
            machine.lost();
            assert_eq!((machine.phase(), machine.state_name()), (Phase::Down, "unreachable"));
        }
    }
}

#[test]
fn another_device_is_not_used() {
    let not_ok = Response::Result(Verdict::NotOk(None));
    let rows = [
        (Some("4711"), ids("4711"), "protocol"),
        (Some("4711"), ids("4712"), "identity"),
        (Some("4711"), ids("4711 "), "identity"),
        // One that does not tell who it is cannot be the right one.
        (Some("4711"), not_ok.clone(), "identity"),
        (None, ids("4712"), "protocol"),
        (None, not_ok, "protocol"),
    ];
    for (expected, response, then) in rows {
        let mut machine = machine(Family::Apollo, expected);
        machine.opened(at(0));
        answer(&mut machine, Response::Result(Verdict::Ok));
        answer(&mut machine, Response::Synchronize);
        assert_eq!(name(answer(&mut machine, response.clone())), then, "{expected:?}: {response:?}");
        assert!(!machine.is_up());
    }
}

#[test]
fn the_state_follows_what_the_terminal_says() {
    let states = ["offline", "offline", "online", "online", "online", "disabled", "enabled", "enabled"];
    for (answers, expected) in states.into_iter().enumerate() {
        assert_eq!(after(answers).state_name(), expected, "after {answers} right answers");
    }
    let mut machine = after(7);
    machine.moved(TerminalState::WaitCard);
    assert_eq!(machine.state_name(), "wait_card");
    answer(&mut machine, Response::Status(Status { state: TerminalState::WaitAuth, running: true }));
    assert_eq!(machine.state_name(), "wait_auth");
}

/// On a serial line a terminal keeps the block format when its host goes, and loses it with its power.
#[test]
fn the_next_link_begins_in_the_format_that_was_agreed_on() {
    use BlockFormat::{Default, Extended};
    let mut machine = machine(Family::Apollo, None);
    assert_eq!(machine.format(), Default);
    for expected in [Extended, Default, Extended] {
        machine.opened(at(1));
        machine.lost();
        assert_eq!(machine.format(), expected, "a Reset that came to nothing");
    }
    let accepted = |options| Response::Protocol(Protocol { version: 3, options: Options(options) });
    for (options, expected) in [(0x0B, Default), (0x0F, Extended)] {
        machine.opened(at(2));
        for response in [Response::Result(Verdict::Ok), Response::Synchronize, ids("4711"), accepted(options)] {
            answer(&mut machine, response);
        }
        machine.lost();
        assert_eq!(machine.format(), expected, "{options:#x} accepted");
    }
    for change in [(|plan| plan.options = Options(0x0B)) as fn(&mut Plan), |plan| plan.serial = false] {
        let mut plan = plan(Family::Apollo, None);
        change(&mut plan);
        let mut plain = Machine::new(plan, at(0));
        plain.opened(at(1));
        plain.lost();
        assert_eq!(plain.format(), Default);
    }
}

/// The link is asked for a sign of life when it has been silent, once at a time, and only when it is set up.
#[test]
fn the_keep_alive_counts_from_the_last_answer() {
    for stage in 0..7 {
        assert_eq!(after(stage).status_due_at(), None, "after {stage} right answers");
    }
    let mut machine = after(7);
    assert_eq!(machine.status_due_at(), Some(at(16)));
    machine.spoke(at(10));
    assert_eq!(machine.status_due_at(), Some(at(25)));
    assert_eq!(machine.ask_status(), Request::GetStatus);
    assert_eq!(machine.status_due_at(), None);
    let status = Response::Status(Status { state: TerminalState::Enabled, running: false });
    assert_eq!(machine.answered(&Outcome::Answered(status), at(26)), None);
    assert_eq!(machine.status_due_at(), Some(at(41)));
    // A status that was on its way when the link was lost does not keep the next link from being watched.
    machine.ask_status();
    machine.lost();
    machine.opened(at(50));
    for response in right() {
        machine.answered(&Outcome::Answered(response), at(50));
    }
    assert_eq!(machine.status_due_at(), Some(at(65)));
}

/// What is not accepted is said in words, and the set-up goes on all the same.
#[test]
fn options_that_are_not_accepted() {
    let protocol = |version, bits| Response::Protocol(Protocol { version, options: Options(bits) });
    let rows = [
        (protocol(3, 0x0F), None),
        (protocol(3, 0x0B), Some("refused: extended block")),
        (protocol(3, 0x1F), Some("on without being asked for: data objects after a decline")),
        (protocol(2, 0x0F), Some("it uses version 2")),
        (Response::Result(Verdict::NotOk(None)), Some("it accepts no Protocol at all")),
    ];
    for (response, said) in rows {
        let mut machine = after(3);
        assert_eq!(name(answer(&mut machine, response.clone())), "setup", "{response:?}");
        assert_eq!(machine.disagreement().as_deref(), said, "{response:?}");
    }
}
