//! Raising and lowering a hold: what leaves, what the terminal may say, and what may be taken meanwhile.

use super::*;
use crate::journal::record::Cause;
use crate::link::Outcome::{FlowEnded, Unanswered, Unsent};
use crate::protocol::Request;
use crate::session::machine::Errand;
use crate::session::update::Answer as Came;
use Family::{Apollo, P6x};
use UpdateOutcome::{Approved, Declined, Partly};

fn update(amount: u32) -> Input {
    Input::Wish(Wish::Update(minor(amount)))
}

/// A hold of 50.00 whose update to this total has left.
fn updating(amount: u32) -> Life {
    let mut life = Life::held(Apollo);
    assert_eq!(life.does(update(amount)), [Effect::AskUpdateTurn]);
    assert_eq!(life.last(1), ["update_intended"], "remembered before it leaves");
    let frame = Effect::Update { session: TerminalSessionId(11), amount: minor(amount) };
    assert_eq!(life.does(Input::Turn), [frame]);
    life
}

/// What surely is held, what at most if that is not sure, and what came of the update.
fn held(life: &Life) -> (Option<u32>, Option<u32>, Option<Came>) {
    let session = life.machine.session();
    let sure = session.hold.as_ref().and_then(|hold| hold.amount).map(Amount::minor);
    (sure, session.held_at_most().map(Amount::minor), session.update.and_then(|update| update.answer))
}

#[test]
fn what_the_terminal_says_is_held_and_doubt_is_the_least_of_both() {
    let says = |outcome, amount| update_result(outcome, 11, amount);
    let lost = Some(Came::Unanswered(Cause::Resynchronised));
    let rows = [
        ("raised", 7000, says(Approved, 7000), (5000, 7000), (7000, None, Some(Came::Approved))),
        ("raised partly", 7000, says(Partly, 6000), (5000, 7000), (6000, None, Some(Came::Partly))),
        ("not raised", 7000, says(Declined, 5000), (5000, 7000), (5000, None, Some(Came::Declined(Some(0x09))))),
        ("lowered", 3000, says(Approved, 3000), (3000, 5000), (3000, None, Some(Came::Approved))),
        ("lowered partly", 3000, says(Partly, 4000), (3000, 5000), (4000, None, Some(Came::Partly))),
        ("not lowered", 3000, says(Declined, 5000), (3000, 5000), (5000, None, Some(Came::Declined(Some(0x09))))),
        ("refused", 7000, not_ok(Some(0x0D)), (5000, 7000), (5000, None, Some(Came::Refused(Some(0x0D))))),
        ("lowering refused", 3000, not_ok(None), (3000, 5000), (5000, None, Some(Came::Refused(None)))),
        ("unsent", 7000, Unsent, (5000, 7000), (5000, None, Some(Came::Unsent))),
        ("lowering unsent", 3000, Unsent, (3000, 5000), (5000, None, Some(Came::Unsent))),
        (
            "no answer",
            7000,
            Unanswered(Cause::Timeout),
            (5000, 7000),
            (5000, Some(7000), Some(Came::Unanswered(Cause::Timeout))),
        ),
        (
            "lowering, no answer",
            3000,
            Unanswered(Cause::LinkLost),
            (3000, 5000),
            (3000, Some(5000), Some(Came::Unanswered(Cause::LinkLost))),
        ),
        ("another session's answer", 7000, update_result(Approved, 12, 7000), (5000, 7000), (5000, Some(7000), lost)),
        ("less than before", 7000, says(Partly, 4000), (5000, 7000), (5000, Some(7000), lost)),
        ("more than asked for", 7000, says(Partly, 7001), (5000, 7000), (5000, Some(7000), lost)),
        ("OK, which answers something else", 3000, ok(), (3000, 5000), (3000, Some(5000), lost)),
        ("no answer to a command", 3000, FlowEnded, (3000, 5000), (3000, Some(5000), lost)),
    ];
    for (what, asked, outcome, (sure, at_most), after) in rows {
        let mut life = updating(asked);
        assert_eq!(held(&life), (Some(sure), Some(at_most), None), "{what}: under way");
        let resynchronised = after.2 == lost;
        let effects = life.does(Input::Updated(outcome));
        assert_eq!(matches!(effects[..], [Effect::SetUpAgain(_)]), resynchronised, "{what}: {effects:?}");
        assert_eq!(held(&life), (Some(after.0), after.1, after.2), "{what}");
        assert_eq!((life.state(), life.machine.errand()), ("approved", Errand::Idle), "{what}");
        // G4: exactly what is surely held can be taken.
        let over = life.tries(Input::Wish(Wish::Commit(minor(after.0 + 1)))).unwrap_err();
        assert_eq!(over.code(), "over_commit", "{what}");
        assert_eq!(life.does(Input::Wish(Wish::Commit(minor(after.0)))), [Effect::AskTurn], "{what}");
    }
}

/// Whoever wants to know asks again: the answer to the second says how much is held, a refusal leaves the doubt of the first.
#[test]
fn a_doubt_is_ended_by_asking_again() {
    let doubt = || {
        let mut life = updating(7000);
        life.does(Input::Updated(Unanswered(Cause::LinkLost)));
        life.reconnects();
        life
    };
    let rows = [
        (7000, update_result(Approved, 11, 7000), (Some(7000), None)),
        (6000, update_result(Approved, 11, 6000), (Some(6000), None)),
        (5000, update_result(Approved, 11, 5000), (Some(5000), None)),
        (8000, update_result(Declined, 11, 0), (Some(5000), Some(7000))),
        (8000, Unsent, (Some(5000), Some(7000))),
        (8000, Unanswered(Cause::Timeout), (Some(5000), Some(8000))),
        (3000, Unanswered(Cause::Timeout), (Some(3000), Some(7000))),
    ];
    for (asked, outcome, (sure, at_most)) in rows {
        let mut life = doubt();
        assert_eq!(life.does(update(asked)), [Effect::AskUpdateTurn]);
        life.does(Input::Turn);
        life.does(Input::Updated(outcome.clone()));
        assert_eq!((held(&life).0, held(&life).1), (sure, at_most), "{asked} {outcome:?}");
    }
}

#[test]
fn who_may_not_update_is_told_why() {
    let rows: [(&str, Life, u32, &str); 12] = [
        ("a P6X cannot", Life::held(P6x), 7000, "not_supported"),
        ("no card yet", Life::new(Apollo), 7000, "no_hold"),
        ("no hold yet", Life::authorising(Apollo), 7000, "no_hold"),
        ("decided", Life::attempting(Apollo, commit(3140)), 7000, "already_decided"),
        ("nothing", Life::held(Apollo), 0, "amount_invalid"),
        ("above max_hold", Life::held(Apollo), 10_001, "amount_invalid"),
        ("all of max_hold", Life::held(Apollo), 10_000, "approved"),
        (
            "less than was delivered",
            {
                let mut life = Life::held(Apollo);
                life.does(Input::Wish(Wish::Energy(minor(1240))));
                life
            },
            1239,
            "amount_invalid",
        ),
        ("another at once", updating(7000), 6000, "update_under_way"),
        ("the same at once", updating(7000), 7000, "approved"),
        ("as much as there is", Life::held(Apollo), 5000, "approved"),
        (
            "no link",
            {
                let mut life = Life::held(Apollo);
                life.does(Input::NotReady);
                life
            },
            7000,
            "terminal_not_ready",
        ),
    ];
    for (what, mut life, amount, expected) in rows {
        match life.tries(update(amount)) {
            Ok(_) => assert_eq!(life.state(), expected, "{what}"),
            Err(refusal) => assert_eq!(refusal.code(), expected, "{what}: {refusal}"),
        }
    }
}

/// An update waits behind every disposal, and gives way to its own session's.
/// The append of another step failed, and the turn that was asked for is forgotten: when it comes all the same, the update is sent; and
/// when the link goes first, it is told as unsent.
#[test]
fn an_update_whose_turn_was_forgotten_goes_on() {
    let waits = || {
        let mut life = Life::held(Apollo);
        assert_eq!(life.does(Input::Wish(Wish::Update(minor(7000)))), [Effect::AskUpdateTurn]);
        life.machine.forget_turn();
        assert_eq!(life.machine.errand(), Errand::Idle);
        life
    };
    let mut sent = waits();
    let update = Effect::Update { session: TerminalSessionId(11), amount: minor(7000) };
    assert_eq!(sent.does(Input::Turn), [update]);
    sent.does(Input::Updated(update_result(UpdateOutcome::Approved, 11, 7000)));
    assert_eq!(sent.last(1), ["hold_updated"]);

    let mut lost = waits();
    assert_eq!(lost.does(Input::NotReady), []);
    assert_eq!(lost.last(1), ["update_unsent"]);
}

#[test]
fn a_decision_comes_before_an_update_that_waits() {
    let mut life = Life::held(Apollo);
    assert_eq!(life.does(update(3000)), [Effect::AskUpdateTurn]);
    // Nobody knows which comes first, so the least of both is what can be decided.
    let over = life.tries(Input::Wish(Wish::Commit(minor(3001)))).unwrap_err();
    assert_eq!(over.code(), "over_commit");
    assert_eq!(life.does(Input::Wish(Wish::Commit(minor(2500)))), [Effect::AskTurn]);
    let commit = Request::CommitSession { session: TerminalSessionId(11), amount: minor(2500) };
    assert_eq!(life.does(Input::Turn), [Effect::Attempt(commit)]);
    assert_eq!(life.last(2), ["update_unsent", "attempt_started"]);
    // The turn of the update comes all the same, and is given back.
    life.does(Input::Attempted(ok()));
    assert_eq!((life.state(), held(&life).0), ("committed", Some(5000)));
    assert_eq!(life.does(Input::Turn), [Effect::ReleaseTurn]);
}

/// One that has left is waited for; then the disposal goes on by itself.
#[test]
fn a_decision_waits_for_an_update_that_has_left() {
    let mut life = updating(7000);
    assert_eq!(life.does(Input::Wish(Wish::Commit(minor(5000)))), []);
    assert_eq!(life.machine.next_tick(), None);
    assert_eq!(life.does(Input::Updated(update_result(Partly, 11, 6000))), []);
    assert_eq!(life.does(Input::Tick), [Effect::AskTurn]);
    life.turn();
    life.does(Input::Attempted(ok()));
    assert_eq!((life.state(), held(&life).0), ("committed", Some(6000)));
}

/// The link is lost before its turn: it has not left. A crash in between: nobody knows.
#[test]
fn an_update_that_is_cut_off() {
    let mut waits = Life::held(Apollo);
    waits.does(update(7000));
    assert_eq!(waits.does(Input::NotReady), []);
    assert_eq!(held(&waits), (Some(5000), None, Some(Came::Unsent)));

    for mut life in [updating(7000), {
        let mut life = Life::held(Apollo);
        life.does(update(7000));
        life
    }] {
        life.crashes();
        assert_eq!(held(&life), (Some(5000), Some(7000), Some(Came::Unanswered(Cause::Crash))));
        assert_eq!(life.reconnects(), [], "nobody asks again by himself");
        assert_eq!(life.state(), "approved");
    }
}

/// A person who knows better may say more than what is sure, and not more than what can be.
#[test]
fn a_person_settles_within_what_may_be_held() {
    for (amount, expected) in [(7000, "committed"), (7001, "over_commit")] {
        let mut life = updating(7000);
        life.does(Input::Updated(Unanswered(Cause::LinkLost)));
        life.does(Input::NotReady);
        life.does(Input::Ready);
        life.does(Input::Wish(Wish::Void));
        life.turn();
        life.does(Input::Attempted(not_ok(Some(0x0C))));
        assert_eq!(life.state(), "uncertain");
        let outcome = Ending::Committed(minor(amount));
        let resolve = Wish::Resolve { outcome, note: "seen".to_owned(), by: "anna".to_owned(), needs_two: false };
        match life.tries(Input::Wish(resolve)) {
            Ok(_) => assert_eq!(life.state(), expected),
            Err(refusal) => assert_eq!(refusal.code(), expected),
        }
    }
}
