//! The rules of answers where money is at stake: whose is a Result, and what may settle a disposal.

use super::exchange::*;

use std::time::Duration;

use crate::id::TerminalSessionId;
use crate::journal::record::Cause;
use crate::link::exchange::{Action, Lane};
use crate::link::{Loss, Outcome, Ticket};
use crate::money::Amount;
use crate::protocol::Dol;
use crate::protocol::request::{Request, Ui};
use crate::protocol::response::{Reason, Response, SessionList, TerminalState, Verdict};

const WRONG_STATE: Response = Response::Result(Verdict::NotOk(Some(Reason::WRONG_STATE)));

#[test]
fn an_approval_that_nobody_waits_for_is_told_before_the_link_is_lost() {
    for open in [vec![], vec![start()], vec![COMMIT]] {
        let mut bench = Bench::with(open.clone());
        let actions = bench.frame(approved());
        assert_eq!(actions.first(), Some(&Action::Unasked(approved())), "with {open:?} open");
        assert_eq!(actions.last(), Some(&lose(Loss::OutOfStep)), "with {open:?} open");
        assert_eq!(actions.len(), 2 + open.len());
    }
    assert_eq!(Bench::opening().frame(approved()), [Action::Unasked(approved())], "late, while the next link opens");
}

#[test]
fn result_ok_answers_the_command_and_never_a_card_flow() {
    for flow in [start(), Request::AuthSession] {
        let mut bench = Bench::with([flow, COMMIT]);
        assert_eq!(bench.frame(OK), [answered(3, OK)]);
        assert_eq!(bench.frame(OK), [unanswered(2, Cause::LinkLost), lose(Loss::OutOfStep)]);
    }
}

#[test]
fn a_refusal_that_fits_both_is_decided_by_a_status() {
    let (commit_is_lost, out) = (unanswered(3, Cause::Resynchronised), lose(Loss::OutOfStep));
    let table = [
        (start(), TerminalState::WaitCard, vec![answered(3, WRONG_STATE)]),
        (start(), TerminalState::WaitAuth, vec![answered(3, WRONG_STATE)]),
        (start(), TerminalState::Enabled, vec![answered(2, WRONG_STATE), commit_is_lost.clone(), out.clone()]),
        (
            Request::AuthSession,
            TerminalState::Enabled,
            vec![unanswered(2, Cause::Resynchronised), commit_is_lost.clone(), out.clone()],
        ),
    ];
    for (flow, state, expected) in table {
        let mut bench = Bench::with([flow.clone(), COMMIT]);
        assert_eq!(bench.frame(WRONG_STATE), [fence()]);
        assert_eq!(bench.frame(status(state)), expected, "{flow:?}, {state:?}");
    }
}

/// The terminal waits for Auth or Cancel also after it has refused an Auth, so here a status decides nothing.
#[test]
fn a_refusal_of_auth_or_a_command_is_decided_by_the_other_ones_answer() {
    let not_found = Response::Result(Verdict::NotOk(Some(Reason::SESSION_NOT_FOUND)));
    let updated = update_of(10);
    let table = [
        (COMMIT, WRONG_STATE, approved(), vec![answered(2, approved()), answered(3, WRONG_STATE)]),
        (COMMIT, WRONG_STATE, Response::Cancelled, vec![answered(2, Response::Cancelled), answered(3, WRONG_STATE)]),
        (COMMIT, WRONG_STATE, OK, vec![answered(3, OK), answered(2, WRONG_STATE)]),
        (UPDATE, WRONG_STATE, updated.clone(), vec![answered(3, updated), answered(2, WRONG_STATE)]),
        (UPDATE, WRONG_STATE, OK, vec![unanswered(2, Cause::LinkLost), unanswered(3, Cause::LinkLost), lose(Loss::OutOfStep)]),
        // Both are refused: what stood before the status was answered before it, but for what waits for a bank. Auth names no session.
        (COMMIT, WRONG_STATE, NOT_OK, vec![answered(3, WRONG_STATE), answered(2, NOT_OK)]),
        (COMMIT, WRONG_STATE, not_found.clone(), vec![answered(3, not_found.clone()), answered(2, WRONG_STATE)]),
        (UPDATE, WRONG_STATE, NOT_OK, vec![answered(3, NOT_OK), answered(2, WRONG_STATE)]),
    ];
    for (command, first, second, expected) in table {
        let mut bench = Bench::with([Request::AuthSession, command.clone()]);
        assert_eq!(bench.frame(first.clone()), [fence()]);
        assert_eq!(bench.frame(status(TerminalState::WaitAuth)), [], "{command:?}");
        assert_eq!(bench.frame(second.clone()), expected, "{first:?}, then {second:?}, with {command:?}");
    }

    let mut bench = Bench::with([Request::AuthSession, UPDATE]);
    bench.frame(not_found.clone());
    assert_eq!(bench.frame(status(TerminalState::WaitAuth)), [answered(3, not_found)], "Auth names no session");

    // Without another answer both are in doubt when Auth's time is over (30 s here), whatever the command's own was.
    let mut bench = Bench::with([UPDATE]);
    bench.after(10_000);
    bench.ask(Request::AuthSession);
    bench.frame(NOT_OK);
    bench.frame(status(TerminalState::WaitAuth));
    assert_eq!(bench.after(29_999), []);
    let late = |ticket, cause, seconds| Action::Ended {
        ticket: Ticket(ticket),
        outcome: Outcome::Unanswered(cause),
        took: Duration::from_secs(seconds),
    };
    let lost = lose(Loss::Timeout(Request::AuthSession.name()));
    assert_eq!(bench.after(1), [late(3, Cause::Timeout, 30), late(2, Cause::LinkLost, 40), lost]);
}

#[test]
fn a_second_result_before_that_status_settles_nothing() {
    for second in [OK, NOT_OK] {
        let mut bench = Bench::with([start(), COMMIT]);
        bench.frame(NOT_OK);
        assert_eq!(
            bench.frame(second),
            [unanswered(2, Cause::Resynchronised), unanswered(3, Cause::Resynchronised), lose(Loss::OutOfStep)]
        );
    }
}

#[test]
fn a_card_flow_that_goes_on_shows_that_the_refusal_was_not_its_own() {
    let read = Response::CardRead(Dol::default());
    let mut bench = Bench::with([start(), COMMIT]);
    bench.frame(NOT_OK);
    assert_eq!(bench.frame(read.clone()), [answered(2, read)]);
    assert_eq!(bench.frame(status(TerminalState::WaitAuth)), [answered(3, NOT_OK)]);
}

#[test]
fn a_refusal_while_get_status_is_out_was_the_card_flows() {
    let enabled = status(TerminalState::Enabled);
    let mut bench = Bench::with([start(), Request::GetStatus]);
    assert_eq!(bench.frame(NOT_OK), []);
    assert_eq!(bench.frame(enabled.clone()), [answered(3, enabled), answered(2, NOT_OK)]);

    let waiting = status(TerminalState::WaitCard);
    let mut bench = Bench::with([start(), Request::GetStatus]);
    bench.frame(NOT_OK);
    assert_eq!(
        bench.frame(waiting.clone()),
        [answered(3, waiting), unanswered(2, Cause::LinkLost), lose(Loss::OutOfStep)],
        "a flow that was refused cannot wait"
    );
}

#[test]
fn cancelled_ends_the_flow_at_once_and_the_cancel_behind_a_fence() {
    for trailing in [vec![], vec![NOT_OK]] {
        let mut bench = Bench::with([start(), Request::CancelSession]);
        assert_eq!(bench.frame(Response::Cancelled), [answered(2, Response::Cancelled), fence()]);
        assert_eq!(bench.ask(start()), [], "the next flow waits: a Not OK may still come");
        for response in trailing {
            assert_eq!(bench.frame(response), []);
        }
        let after = bench.frame(status(TerminalState::Enabled));
        assert_eq!(after[0], answered(3, Response::Cancelled));
        assert!(matches!(after[1..], [Action::Write { request: Request::StartSession(_), .. }]), "{after:?}");
    }
    let mut bench = Bench::with([start(), Request::CancelSession]);
    bench.frame(Response::Cancelled);
    bench.frame(NOT_OK);
    assert_eq!(bench.frame(NOT_OK), [unanswered(3, Cause::LinkLost), lose(Loss::OutOfStep)], "only one may trail");
}

#[test]
fn a_card_may_be_read_while_cancel_is_on_its_way() {
    let read = Response::CardRead(Dol::default());
    let mut bench = Bench::with([start(), Request::CancelSession]);
    assert_eq!(bench.frame(read.clone()), [answered(2, read)]);
    assert_eq!(bench.ask(Request::AuthSession), [], "waits for the end of the Cancel");
    assert_eq!(bench.frame(Response::Cancelled), [answered(3, Response::Cancelled), fence()]);
    let after = bench.frame(status(TerminalState::WaitAuth));
    assert!(matches!(after[..], [Action::Write { request: Request::AuthSession, .. }]), "{after:?}");
}

#[test]
fn a_refused_cancel_is_ambiguous_but_two_refusals_are_not() {
    let mut bench = Bench::with([start(), Request::CancelSession]);
    assert_eq!(bench.frame(NOT_OK), [fence()]);
    assert_eq!(bench.frame(status(TerminalState::WaitCard)), [answered(3, NOT_OK)]);

    let mut bench = Bench::with([start(), Request::CancelSession]);
    bench.frame(NOT_OK);
    assert_eq!(bench.frame(NOT_OK), [answered(2, NOT_OK), answered(3, NOT_OK)]);
    assert_eq!(bench.frame(status(TerminalState::Enabled)), []);

    // The terminal has given up waiting for a card without a word, while Cancel was on its way.
    let mut bench = Bench::with([start(), Request::CancelSession]);
    bench.frame(NOT_OK);
    assert_eq!(bench.frame(status(TerminalState::Enabled)), [ended(2, Outcome::FlowEnded), answered(3, NOT_OK)]);
    assert_eq!(bench.ask(start()), [fence()]);
    let next = bench.frame(status(TerminalState::Enabled));
    assert!(matches!(next[..], [Action::Write { request: Request::StartSession(_), .. }]), "the link goes on: {next:?}");
}

#[test]
fn auth_is_in_doubt_when_the_terminal_restarts_and_waits_otherwise() {
    for state in [TerminalState::Disabled, TerminalState::Enabled, TerminalState::WaitCard, TerminalState::WaitAuth] {
        let mut bench = Bench::with([Request::AuthSession, Request::GetStatus]);
        assert_eq!(bench.frame(status(state)), [answered(3, status(state))]);
        assert_eq!(bench.frame(approved()), [answered(2, approved())]);
    }
    for state in [TerminalState::Offline, TerminalState::Online] {
        let mut bench = Bench::with([Request::AuthSession, Request::GetStatus]);
        let expected = [answered(3, status(state)), unanswered(2, Cause::LinkLost), lose(Loss::OutOfStep)];
        assert_eq!(bench.frame(status(state)), expected);
    }
}

#[test]
fn reset_and_synchronize_drop_a_card_flow() {
    for (request, response) in [(Request::Reset, OK), (Request::Synchronize, Response::Synchronize)] {
        let mut bench = Bench::with([start(), request.clone()]);
        assert_eq!(bench.frame(response.clone()), [answered(3, response.clone()), ended(2, Outcome::FlowEnded)]);
        let mut bench = Bench::with([Request::AuthSession, request]);
        assert_eq!(
            bench.frame(response.clone()),
            [answered(3, response), unanswered(2, Cause::LinkLost), lose(Loss::OutOfStep)]
        );
    }
}

#[test]
fn noise_puts_open_money_in_doubt() {
    for request in [COMMIT, VOID, Request::AuthSession, Request::ListSessions { offset: 0 }] {
        let mut bench = Bench::with([request.clone()]);
        assert_eq!(bench.noise(), [unanswered(2, Cause::Resynchronised), lose(Loss::Garbage)], "{request:?}");
        assert_eq!(bench.frame(OK), [], "{request:?}");
    }
    let mut bench = Bench::with([start(), COMMIT]);
    assert_eq!(bench.noise(), [unanswered(3, Cause::Resynchronised), unanswered(2, Cause::LinkLost), lose(Loss::Garbage)]);
}

#[test]
fn after_noise_no_money_is_asked_for_until_the_next_synchronize() {
    for request in [start(), Request::AuthSession, COMMIT, VOID] {
        let mut bench = Bench::in_step();
        bench.noise();
        assert_eq!(bench.ask(request.clone()), [ended(2, Outcome::Unsent), lose(Loss::Garbage)], "{request:?}");
    }
    let mut bench = Bench::in_step();
    bench.noise();
    bench.ask(Request::Synchronize);
    bench.frame(Response::Synchronize);
    bench.ask(COMMIT);
    assert_eq!(bench.frame(OK), [answered(3, OK)]);
}

#[test]
fn an_answer_cannot_be_for_what_has_not_been_written() {
    let mut bench = Bench::in_step();
    bench.slow_wire = true;
    bench.ask(COMMIT);
    assert_eq!(bench.frame(OK), [ended(2, Outcome::Unsent), lose(Loss::OutOfStep)]);

    let list = Response::SessionList(SessionList { total: 0, sessions: Vec::new() });
    let mut bench = Bench::in_step();
    bench.slow_wire = true;
    bench.ask(Request::ListSessions { offset: 0 });
    assert_eq!(bench.frame(list), [ended(2, Outcome::Unsent), lose(Loss::OutOfStep)]);
}

#[test]
fn what_waits_behind_a_status_is_not_written_after_noise() {
    for request in [start(), Request::AuthSession] {
        let mut bench = Bench::with([Request::Enable, start()]);
        bench.frame(NOT_OK);
        assert_eq!(bench.frame(Response::Cancelled), [answered(3, Response::Cancelled)]);
        assert_eq!(bench.ask(request), [], "it waits for the status");
        assert_eq!(
            bench.noise(),
            [ended(4, Outcome::Unsent), unanswered(2, Cause::LinkLost), lose(Loss::Garbage)],
            "not one byte was written"
        );
    }
}

#[test]
fn a_status_ends_nothing_that_has_waited_for_it() {
    // The card flow ends by itself, and the next one is asked for before the status comes.
    let mut bench = Bench::with([Request::Enable, start()]);
    assert_eq!(bench.frame(NOT_OK), [fence()]);
    assert_eq!(bench.frame(Response::Cancelled), [answered(3, Response::Cancelled)]);
    assert_eq!(bench.ask(start()), []);
    assert_eq!(
        bench.frame(status(TerminalState::Enabled)),
        [answered(2, NOT_OK), Action::Write { lane: Lane::Flow, request: start() }]
    );

    // Both are refused, and others are asked for before the status comes.
    let mut bench = Bench::with([Request::AuthSession, Request::CancelSession]);
    assert_eq!(bench.frame(NOT_OK), [fence()]);
    assert_eq!(bench.frame(NOT_OK), [answered(2, NOT_OK), answered(3, NOT_OK)]);
    assert_eq!(bench.ask(COMMIT), []);
    assert_eq!(bench.frame(status(TerminalState::Enabled)), [Action::Write { lane: Lane::Command, request: COMMIT }]);
}

#[test]
fn a_reset_drops_no_card_flow_that_was_asked_for_after_it() {
    for (request, answer) in [(Request::Reset, OK), (Request::Synchronize, Response::Synchronize)] {
        let mut bench = Bench::with([request.clone(), start()]);
        assert_eq!(bench.frame(answer.clone()), [answered(2, answer.clone())]);
        assert_eq!(bench.frame(NOT_OK), [answered(3, NOT_OK)], "the refusal is Start Session's");

        let mut bench = Bench::with([start(), request]);
        assert_eq!(bench.frame(answer.clone()), [answered(3, answer), ended(2, Outcome::FlowEnded)]);
    }
}

#[test]
fn a_second_answer_is_never_the_next_requests() {
    let nobody = Response::SessionList(SessionList { total: 0, sessions: Vec::new() });
    for (request, answer) in [
        (COMMIT, OK),
        (COMMIT, NOT_OK),
        (Request::ListSessions { offset: 0 }, nobody),
        (Request::AuthSession, approved()),
        (start(), Response::Cancelled),
    ] {
        for next in [VOID, start(), Request::ListSessions { offset: 1 }] {
            let mut bench = Bench::with([request.clone()]);
            assert_eq!(bench.frame(answer.clone()), [answered(2, answer.clone())]);
            assert_eq!(bench.ask(next.clone()), [fence()], "{next:?} after {request:?}");
            let second = bench.frame(answer.clone());
            let end = &second[second.len() - 2..];
            assert_eq!(end, [ended(3, Outcome::Unsent), lose(Loss::OutOfStep)], "{next:?} after {request:?}");

            let mut bench = Bench::with([request.clone()]);
            bench.frame(answer.clone());
            bench.ask(next.clone());
            let after = bench.frame(status(TerminalState::Enabled));
            assert!(
                matches!(&after[..], [Action::Write { request, .. }] if *request == next),
                "nothing has trailed: {after:?}"
            );
        }
    }
}

#[test]
fn a_status_that_was_read_since_is_fence_enough() {
    for barrier in [(Request::GetStatus, status(TerminalState::Enabled)), (Request::Synchronize, Response::Synchronize)] {
        let mut bench = Bench::with([VOID]);
        bench.frame(OK);
        bench.ask(barrier.0);
        assert_eq!(bench.frame(barrier.1.clone()), [answered(3, barrier.1)]);
        assert_eq!(bench.ask(COMMIT), [Action::Write { lane: Lane::Command, request: COMMIT }]);
    }
}

#[test]
fn what_has_no_money_waits_for_no_status() {
    let mut bench = Bench::with([COMMIT]);
    bench.frame(OK);
    assert_eq!(bench.ask(Request::Enable), [Action::Write { lane: Lane::Command, request: Request::Enable }]);
}

/// One that has ended may linger for a moment; one that stays was not over.
#[test]
fn no_card_flow_is_started_over_one_that_the_terminal_still_has() {
    for state in [TerminalState::WaitCard, TerminalState::WaitAuth] {
        // The Not OK was a second answer to something before it.
        let stuck = || {
            let mut bench = Bench::with([start()]);
            bench.frame(NOT_OK);
            assert_eq!(bench.ask(start()), [fence()]);
            for _ in 0..9 {
                assert_eq!(bench.frame(status(state)), [], "{state:?}: it waits");
                assert_eq!(bench.after(499), []);
                assert_eq!(bench.after(1), [fence()], "and is looked at again");
            }
            bench
        };
        let mut bench = stuck();
        let started = Action::Write { lane: Lane::Flow, request: start() };
        assert_eq!(bench.frame(status(TerminalState::Enabled)), [started], "{state:?} lingered");

        let mut bench = stuck();
        bench.frame(status(state));
        bench.after(500);
        assert_eq!(bench.frame(status(state)), [ended(3, Outcome::Unsent), lose(Loss::OutOfStep)], "{state:?} is for good");
    }
}

/// Money of others goes on meanwhile, and a status that somebody has asked for is as good.
#[test]
fn a_card_flow_that_lingers_holds_up_nobody_else() {
    let waits = status(TerminalState::WaitAuth);
    let mut bench = Bench::with([start()]);
    bench.frame(NOT_OK);
    bench.ask(start());
    bench.frame(waits);
    assert_eq!(bench.ask(COMMIT), [Action::Write { lane: Lane::Command, request: COMMIT }]);
    assert_eq!(bench.frame(OK), [answered(4, OK), fence()], "what has been answered may be so twice");
    let started = Action::Write { lane: Lane::Flow, request: start() };
    assert_eq!(bench.frame(status(TerminalState::Enabled)), [started]);
}

/// A card flow is asked for long before it is answered, so a status that came in between says nothing of a second answer.
#[test]
fn a_status_before_an_answer_is_no_fence_behind_it() {
    for flow in [start(), Request::AuthSession] {
        let mut bench = Bench::with([flow, Request::GetStatus]);
        bench.frame(status(TerminalState::WaitAuth));
        assert_eq!(bench.frame(NOT_OK), [answered(2, NOT_OK)]);
        assert_eq!(bench.ask(VOID), [fence()]);
        assert_eq!(bench.frame(NOT_OK), [ended(4, Outcome::Unsent), lose(Loss::OutOfStep)]);
    }
}

/// A refused Auth may leave its card in the terminal, whether the refusal came before the status that says so or with it.
#[test]
fn a_card_that_was_left_there_is_seen() {
    let waits = status(TerminalState::WaitAuth);
    let mut bench = Bench::with([Request::AuthSession, Request::GetStatus]);
    assert_eq!(bench.frame(WRONG_STATE), []);
    assert_eq!(bench.frame(waits.clone()), [answered(3, waits.clone()), answered(2, WRONG_STATE)]);
    assert_eq!(bench.ask(start()), [fence()], "the status has ended the flow, and says nothing of what trails");
    assert_eq!(bench.frame(waits.clone()), [], "it may linger, and is looked at again");
    assert_eq!(bench.after(5000), [fence()]);
    assert_eq!(bench.frame(waits.clone()), [ended(4, Outcome::Unsent), lose(Loss::OutOfStep)]);

    let mut bench = Bench::with([UPDATE, Request::AuthSession]);
    bench.frame(WRONG_STATE);
    bench.frame(waits.clone());
    assert_eq!(bench.frame(NOT_OK), [answered(2, NOT_OK), answered(3, WRONG_STATE)]);
    assert_eq!(bench.ask(start()), [fence()]);
    assert_eq!(bench.frame(waits), []);
}

/// A terminal that begins its numbers anew has forgotten the older hold: what still waits behind a fence would meet the newer one.
#[test]
fn what_waits_never_meets_a_hold_that_has_just_got_its_number() {
    for (waiting, meets) in [(COMMIT, true), (VOID, true), (UPDATE, true), (other(), false)] {
        let mut bench = Bench::with([Request::AuthSession, Request::UiRequest(Ui::info("Wait"))]);
        bench.frame(OK);
        assert_eq!(bench.ask(waiting.clone()), [fence()]);
        let expected = [meets.then(|| ended(4, Outcome::Unsent)), Some(answered(2, approved()))];
        assert_eq!(bench.frame(approved()), expected.into_iter().flatten().collect::<Vec<_>>(), "{waiting:?}");
        let after = bench.frame(status(TerminalState::Enabled));
        let written = Action::Write { lane: Lane::Command, request: waiting.clone() };
        assert_eq!(after, if meets { vec![] } else { vec![written] }, "{waiting:?}");
    }
}

/// A Commit of another session than the one that is approved here.
fn other() -> Request {
    Request::CommitSession { session: TerminalSessionId(11), amount: Amount::from_minor(100) }
}

#[test]
fn what_has_not_left_is_unsent_whatever_is_in_doubt_beside_it() {
    let mut bench = Bench::with([start(), Request::CancelSession]);
    bench.frame(NOT_OK);
    assert_eq!(bench.frame(NOT_OK), [answered(2, NOT_OK), answered(3, NOT_OK)]);
    assert_eq!(bench.ask(COMMIT), []);
    assert_eq!(bench.frame(NOT_OK), [ended(4, Outcome::Unsent), lose(Loss::OutOfStep)]);
}

#[test]
fn a_status_that_was_asked_for_is_not_asked_for_again() {
    let read = Response::CardRead(Dol::default());
    let mut bench = Bench::with([start(), Request::Enable]);
    bench.frame(OK);
    bench.ask(Request::GetStatus);
    bench.frame(read);
    assert_eq!(bench.ask(Request::AuthSession), [], "it waits for the status that is out");
    let waits = status(TerminalState::WaitAuth);
    let auth = Action::Write { lane: Lane::Flow, request: Request::AuthSession };
    assert_eq!(bench.frame(waits.clone()), [answered(4, waits), auth]);
}

/// Its frame is in line behind nothing, and no status can be read before it any more.
#[test]
fn money_that_is_in_line_when_something_else_is_answered_is_not_sent() {
    let mut bench = Bench::with([start()]);
    bench.slow_wire = true;
    assert_eq!(bench.ask(COMMIT), [Action::Write { lane: Lane::Command, request: COMMIT }]);
    assert_eq!(bench.frame(NOT_OK), [answered(2, NOT_OK), ended(3, Outcome::Unsent), lose(Loss::OutOfStep)]);
}
