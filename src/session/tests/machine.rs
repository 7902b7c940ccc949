//! What deadlines, taps, people and a journal that cannot be written make of a session.

use super::*;
use crate::journal::record::{CancelledBy, Cause};
use crate::protocol::Request;
use crate::session::machine::Errand;
use Family::{Apollo, P6x};

fn decided_by(life: &Life) -> Option<(Decision, DecidedBy)> {
    life.machine.session().disposal.as_ref().map(|disposal| (disposal.decision, disposal.by))
}

fn energy(amount: u32) -> Input {
    Input::Wish(Wish::Energy(minor(amount)))
}

fn void() -> Input {
    Input::Wish(Wish::Void)
}

// ── deadlines ──

#[test]
fn a_hold_without_energy_is_voided_by_the_plug_in_deadline() {
    for family in [Apollo, P6x] {
        let mut life = Life::held(family);
        // Nothing delivered yet does not count as energy.
        assert_eq!(life.does(energy(0)), []);
        assert_eq!(life.machine.next_tick(), Some(at(5 * MINUTE)));
        assert_eq!(life.waits(5 * MINUTE - 1), []);
        assert_eq!(life.state(), "approved");
        assert_eq!(life.waits(1), [Effect::AskTurn]);
        assert_eq!(decided_by(&life), Some((Decision::Void, DecidedBy::PlugInTimeout)));
    }
}

/// While the terminal is away the decision is made in time all the same, and is delivered when it is back.
#[test]
fn a_deadline_passes_while_the_terminal_is_away() {
    let mut life = Life::held(Apollo);
    life.does(Input::NotReady);
    assert_eq!(life.waits(5 * MINUTE), []);
    assert_eq!((life.state(), life.machine.next_tick()), ("voiding", None));
    assert_eq!(life.does(Input::Ready), [Effect::AskTurn]);
}

/// The same while we are away: the deadline counts from the approval, not from the restart.
#[test]
fn a_deadline_passes_while_we_are_away() {
    let mut life = Life::held(Apollo);
    life.now = HOUR;
    life.crashes();
    assert_eq!(life.machine.next_tick(), Some(at(5 * MINUTE)));
    assert_eq!(life.does(Input::Tick), []);
    assert_eq!(life.state(), "voiding");
}

#[test]
fn the_longest_session_ends_as_the_policy_says() {
    let rows = [
        (AtEnd::CommitLastKnown, 1240, Some(commit(1240))),
        (AtEnd::CommitLastKnown, 5000, Some(commit(5000))),
        // What was delivered beyond the hold cannot be taken.
        (AtEnd::CommitLastKnown, 5001, Some(commit(5000))),
        (AtEnd::Void, 1240, Some(Decision::Void)),
        (AtEnd::Alert, 1240, None),
    ];
    for (at_end, total, expected) in rows {
        let mut rules = rules(Apollo);
        rules.policy.on_max_session = at_end;
        let mut life = Life::under(rules).and_card().and_hold();
        life.does(energy(total));
        life.now = 12 * HOUR - 1;
        assert_eq!(life.does(Input::Tick), []);
        assert_eq!(decided_by(&life), None);
        life.waits(1);
        assert_eq!(decided_by(&life), expected.map(|decision| (decision, DecidedBy::MaxSession)), "{at_end:?} at {total}");
        if at_end == AtEnd::Alert {
            // Nothing is to be done at that time, so nothing wakes us; a person, or the terminal's timer, ends it.
            assert_eq!((life.state(), life.machine.next_tick()), ("approved", None));
            life.does(Input::Wish(Wish::Commit(minor(1240))));
            assert_eq!(decided_by(&life), Some((commit(1240), DecidedBy::Api)));
        }
    }
}

// ── taps ──

#[test]
fn the_same_card_before_energy_voids_the_earlier_hold_once() {
    let mut life = Life::held(Apollo);
    assert_eq!(life.does(Input::DuplicateTap), [Effect::AskTurn]);
    assert_eq!(decided_by(&life), Some((Decision::Void, DecidedBy::DuplicateTap)));
    assert_eq!(life.does(Input::DuplicateTap), []);

    // Energy came first: the hold is in use, and the tap does not take it away.
    let mut charging = Life::held(Apollo);
    charging.does(energy(1));
    assert_eq!(charging.does(Input::DuplicateTap), []);
    assert_eq!(decided_by(&charging), None);
}

#[test]
fn a_tap_to_stop_is_told_and_ends_the_flow_that_it_opened() {
    let mut charging = Life::held(Apollo);
    charging.does(energy(1240));
    assert_eq!(charging.does(Input::StopTapped { tapped_in: Some(id()) }), []);
    assert_eq!((charging.state(), charging.last(1)), ("approved", vec!["stop_tapped"]));
    assert_eq!(charging.machine.session().energy, Some(minor(1240)));

    let mut tapped = Life::new(Apollo);
    assert_eq!(tapped.does(Input::TapToStop), [Effect::CancelFlow]);
    let by = &tapped.records.last().unwrap().fact;
    assert_eq!((tapped.state(), by), ("cancelled", &Fact::Cancelled { by: CancelledBy::TapToStop }));
    // It had just been decided when the second tap came.
    charging.does(void());
    assert_eq!(charging.does(Input::StopTapped { tapped_in: Some(id()) }), []);
    assert_eq!(charging.last(1), ["disposal_decided"]);
}

/// A card that was read for a session that has ended meanwhile is dropped, not authorised.
#[test]
fn a_card_for_a_session_that_has_ended_is_dropped() {
    let mut life = Life::new(Apollo);
    assert_eq!(life.does(Input::Wish(Wish::Cancel)), [Effect::CancelFlow]);
    assert_eq!(life.does(Input::CardRead(card())), [Effect::CancelFlow]);
    assert_eq!(life.last(1), ["cancelled"]);
}

#[test]
fn going_down_ends_a_flow_but_no_authorisation() {
    let mut waiting = Life::new(Apollo);
    assert_eq!(waiting.does(Input::StopFlow(CancelledBy::Shutdown)), [Effect::CancelFlow]);
    assert_eq!(waiting.state(), "cancelled");
    for mut life in [Life::authorising(Apollo), Life::held(Apollo)] {
        let before = life.state();
        assert_eq!(life.does(Input::StopFlow(CancelledBy::Shutdown)), []);
        assert_eq!(life.state(), before);
    }
}

// ── what people want ──

#[test]
fn energy_never_goes_down() {
    let mut life = Life::held(Apollo);
    let total = |life: &Life| life.machine.session().energy.map(Amount::minor);
    for (amount, records) in [(100, 1), (100, 0), (1240, 1), (6000, 1)] {
        let before = life.records.len();
        assert_eq!(life.does(energy(amount)), []);
        assert_eq!((total(&life), life.records.len() - before), (Some(amount), records));
    }
    for amount in [0, 100, 5999] {
        let refusal = life.tries(energy(amount)).unwrap_err();
        assert_eq!((refusal.code(), total(&life)), ("amount_invalid", Some(6000)));
    }
}

/// A decision is made once: the same one again is the same answer, another one is refused, and nothing changes.
#[test]
fn one_decision() {
    let wishes = [
        (Wish::Commit(minor(3140)), commit(3140)),
        (Wish::Commit(minor(5000)), commit(5000)),
        (Wish::Void, Decision::Void),
        // A commit of nothing is a void.
        (Wish::Commit(minor(0)), Decision::Void),
    ];
    for (first, decision) in &wishes {
        for (second, other) in &wishes {
            let mut life = Life::held(Apollo);
            life.does(Input::Wish(first.clone()));
            let before = life.machine.session().clone();
            let again = life.tries(Input::Wish(second.clone()));
            match again {
                Ok(effects) => assert_eq!((effects, decision), (vec![], other), "{first:?}, {second:?}"),
                Err(refusal) => {
                    assert_eq!(refusal.code(), "already_decided", "{first:?}, {second:?}");
                    assert_ne!(decision, other);
                }
            }
            assert_eq!(life.machine.session(), &before);
        }
    }
}

/// What each wish is answered in each state: the code of the refusal, or the state that follows.
#[test]
fn every_wish_in_every_state() {
    let in_doubt = || {
        let mut life = Life::authorising(Apollo);
        life.does(Input::Authorised(Outcome::Unanswered(Cause::LinkLost)));
        life
    };
    let uncertain = || {
        let mut life = Life::attempting(Apollo, commit(3140));
        life.does(Input::Attempted(not_ok(Some(0x0C))));
        life
    };
    let ended = |outcome: Outcome| {
        let mut life = Life::authorising(Apollo);
        life.does(Input::Authorised(outcome));
        life
    };
    let committed = || {
        let mut life = Life::attempting(Apollo, commit(3140));
        life.does(Input::Attempted(ok()));
        life
    };
    let lost = || {
        let mut life = Life::held(P6x);
        life.does(Input::Listed(crate::session::Verdict::Absent));
        life
    };
    let wishes = || {
        let outcome = Ending::Voided;
        [
            Wish::Energy(minor(10)),
            Wish::Commit(minor(3140)),
            Wish::Commit(minor(5001)),
            Wish::Void,
            Wish::Cancel,
            Wish::Resolve { outcome, note: "seen".to_owned(), by: "anna".to_owned(), needs_two: false },
        ]
    };
    type Make<'a> = &'a dyn Fn() -> Life;
    #[rustfmt::skip]
    let rows: [(Make<'_>, [&str; 6]); 9] = [
        //                                        energy             commit             commit 50.01       void               cancel       resolve
        (&|| Life::new(Apollo),                  ["no_hold",         "no_hold",         "no_hold",         "no_hold",         "cancelled", "not_supported"]),
        (&|| Life::authorising(Apollo),          ["no_hold",         "no_hold",         "no_hold",         "no_hold",         "has_hold",  "not_supported"]),
        (&in_doubt,                              ["no_hold",         "no_hold",         "no_hold",         "no_hold",         "has_hold",  "not_supported"]),
        (&|| Life::held(Apollo),                 ["approved",        "committing",      "over_commit",     "voiding",         "has_hold",  "not_supported"]),
        (&|| Life::attempting(Apollo, commit(3140)), ["already_decided", "committing",   "already_decided", "already_decided", "has_hold",  "not_supported"]),
        (&uncertain,                             ["already_decided", "uncertain",       "already_decided", "already_decided", "has_hold",  "voided"]),
        (&lost,                                  ["uncertain",       "committing",      "over_commit",     "voiding",         "has_hold",  "voided"]),
        (&|| ended(answered(Response::Cancelled)), ["no_hold",       "no_hold",         "no_hold",         "no_hold",         "cancelled", "not_supported"]),
        (&committed,                             ["already_decided", "committed",       "already_decided", "already_decided", "has_hold",  "already_decided"]),
    ];
    for (make, expected) in rows {
        for (wish, expected) in wishes().into_iter().zip(expected) {
            let mut life = make();
            let state = life.state();
            let before = life.machine.session().clone();
            match life.tries(Input::Wish(wish.clone())) {
                Ok(_) => assert_eq!(life.state(), expected, "{wish:?} in {state}"),
                Err(refusal) => {
                    assert_eq!(refusal.code(), expected, "{wish:?} in {state}: {refusal}");
                    assert_eq!(life.machine.session(), &before);
                }
            }
        }
    }
}

#[test]
fn a_person_settles_what_is_uncertain_and_within_the_hold() {
    let resolve = |outcome| {
        Input::Wish(Wish::Resolve { outcome, note: "in the bank's file".to_owned(), by: "anna".to_owned(), needs_two: false })
    };
    for (outcome, end) in [
        (Ending::Committed(minor(5000)), "committed"),
        (Ending::Committed(minor(3140)), "committed"),
        (Ending::Voided, "voided"),
        (Ending::Committed(minor(5001)), "over_commit"),
    ] {
        let mut life = Life::attempting(Apollo, commit(3140));
        life.does(Input::Attempted(not_ok(Some(0x0C))));
        match life.tries(resolve(outcome)) {
            Ok(effects) => assert_eq!((effects, life.state(), life.confirmed_by()), (vec![], end, Some(ConfirmedBy::Person))),
            Err(refusal) => assert_eq!((refusal.code(), life.state()), (end, "uncertain")),
        }
    }
}

// ── turns ──

/// A turn is asked for once, given back when it is of no use, and asked for again when the link is back.
#[test]
fn a_turn_is_asked_for_once_and_never_lost() {
    let mut life = Life::held(Apollo);
    assert_eq!(life.does(void()), [Effect::AskTurn]);
    assert_eq!(life.does(Input::Tick), []);
    assert_eq!(life.does(Input::Ready), []);
    life.does(Input::NotReady);
    // The lane was handed to us on the new link before our holds were compared.
    assert_eq!(life.does(Input::Turn), [Effect::ReleaseTurn]);
    assert_eq!(life.machine.errand(), Errand::Idle);
    assert_eq!(life.does(Input::Ready), [Effect::AskTurn]);
    assert_eq!(life.does(Input::Turn), [Effect::Attempt(Request::VoidSession { session: TerminalSessionId(11) })]);
    // The answer is on its way: no list, no time and no second link makes a second attempt beside the first.
    for input in [Input::Tick, Input::Ready, Input::NotReady, Input::Ready] {
        assert_eq!(life.does(input.clone()), [], "{input:?}");
    }
    assert_eq!(life.last(1), ["attempt_started"]);
}

// ── a journal that cannot be written ──

#[test]
fn without_a_durable_intent_nothing_leaves() {
    let life = Life::new(Apollo);
    let input = Input::CardRead(card());
    let step = life.machine.on(input.clone(), at(0)).unwrap();
    assert_eq!(step.append.iter().map(Fact::kind).collect::<Vec<_>>(), ["authorise_intended"]);
    // The driver does not wait for a disk.
    let instead = life.machine.when_unwritable(&input);
    assert_eq!(instead, Some((vec![Effect::CancelFlow], Some(Input::StopFlow(CancelledBy::Journal)))));

    let mut life = Life::held(Apollo);
    life.does(void());
    let step = life.machine.on(Input::Turn, at(0)).unwrap();
    assert_eq!(step.append, [Fact::AttemptStarted { attempt: 1 }]);
    assert_eq!(life.machine.when_unwritable(&Input::Turn), Some((vec![Effect::ReleaseTurn], None)));
    // Others get the lane, and this one is due again as soon as the journal can be tried again.
    life.machine.forget_turn();
    assert_eq!(life.machine.next_tick(), Some(at(0)));
    assert_eq!(life.does(Input::Tick), [Effect::AskTurn]);
}

/// What the terminal has told us is tried again until it is durable; what somebody wanted is refused to them.
#[test]
fn what_is_kept_and_what_is_refused_when_the_journal_is_full() {
    let life = Life::held(Apollo);
    let kept = [
        Input::FlowEnded(ok()),
        Input::Authorised(approved(11)),
        Input::Attempted(ok()),
        Input::Listed(crate::session::Verdict::Absent),
        Input::Recover,
        Input::StopTapped { tapped_in: Some(id()) },
        Input::DuplicateTap,
    ];
    for input in kept {
        assert_eq!(life.machine.when_unwritable(&input), None, "{input:?}");
    }
    for input in [Input::Tick, void(), energy(1)] {
        assert_eq!(life.machine.when_unwritable(&input), Some((vec![], None)), "{input:?}");
    }
    // A stop by tapping ends the flow at once, and is remembered when that is possible again.
    for input in [Input::TapToStop, Input::StopFlow(CancelledBy::Shutdown)] {
        assert_eq!(life.machine.when_unwritable(&input), Some((vec![Effect::CancelFlow], Some(input.clone()))));
    }
}
