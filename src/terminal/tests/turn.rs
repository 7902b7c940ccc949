//! Whose exchange goes next, as a table: what waits, and in which order it goes.

use crate::id::SessionId;
use crate::terminal::turn::{Flow, Holder, Next, Turns};
use crate::time::Timestamp;

fn session(number: u8) -> SessionId {
    SessionId::new(Timestamp::from_unix_millis(1_700_000_000_000), [number; 10])
}

/// Everything that goes until nothing more can: each turn ends before the next is taken.
fn order(turns: &mut Turns, mut status_due: bool) -> Vec<Next> {
    let mut order = Vec::new();
    while let Some(next) = turns.next(status_due) {
        status_due &= next != Next::Status;
        if !matches!(next, Next::Start(_)) {
            assert_ne!(turns.holder, Holder::Nobody, "{next:?} takes the lane");
            assert_eq!(turns.next(true), None, "the lane is taken");
        }
        turns.release();
        order.push(next);
    }
    order
}

#[test]
fn cancel_then_disposals_then_the_list_then_status_then_a_new_flow() {
    let (one, two, flow) = (session(1), session(2), session(9));
    let all = |flow, cancel| {
        let mut turns = Turns { flow, cancel, list: true, ..Turns::default() };
        turns.want(two);
        turns.want(one);
        // Asked for once, however often.
        turns.want(two);
        turns
    };
    let disposals = [Next::Dispose(two), Next::Dispose(one)];
    let rows: [(Flow, bool, &[Next], &[Next]); 9] = [
        // the flow, whether it is to be cancelled, what goes before the disposals, what after them
        (Flow::None, false, &[], &[Next::List, Next::Status]),
        (Flow::Opening(flow), false, &[], &[Next::List, Next::Status]),
        (Flow::Wanted(flow), false, &[], &[Next::List, Next::Status, Next::Start(flow)]),
        // A hold that is being placed would look like an orphan: no list beside an open flow.
        (Flow::Waiting(flow), false, &[], &[Next::Status]),
        (Flow::CardRead(flow), false, &[], &[Next::Status]),
        (Flow::Authorising(flow), false, &[], &[Next::Status]),
        (Flow::Waiting(flow), true, &[Next::Cancel], &[Next::Status]),
        (Flow::CardRead(flow), true, &[Next::Cancel], &[Next::Status]),
        // What the bank has been asked cannot be cancelled any more.
        (Flow::Authorising(flow), true, &[], &[Next::Status]),
    ];
    for (state, cancel, before, after) in rows {
        let expected = [before, &disposals, after].concat();
        assert_eq!(order(&mut all(state, cancel), true), expected, "{state:?}, cancel: {cancel}");
    }
}

#[test]
fn a_flow_that_was_only_wanted_is_cancelled_without_a_word() {
    let mut turns = Turns { flow: Flow::Wanted(session(9)), cancel: true, ..Turns::default() };
    assert_eq!(order(&mut turns, false), []);
    assert_eq!((turns.flow, turns.cancel), (Flow::None, false));
}

/// A wish to cancel is for the flow that was open then, not for the next one.
#[test]
fn a_cancel_that_comes_too_late_hits_no_later_flow() {
    for state in [Flow::None, Flow::Opening(session(1)), Flow::Authorising(session(1))] {
        let mut turns = Turns { flow: state, cancel: true, ..Turns::default() };
        assert_eq!(turns.next(false), None);
        turns.flow = Flow::Wanted(session(2));
        assert_eq!(order(&mut turns, false), [Next::Start(session(2))]);
    }
}

#[test]
fn a_started_flow_is_waiting_and_leaves_the_lane_free() {
    let mut turns = Turns { flow: Flow::Wanted(session(9)), ..Turns::default() };
    assert_eq!(turns.next(false), Some(Next::Start(session(9))));
    assert_eq!((turns.flow, turns.holder), (Flow::Waiting(session(9)), Holder::Nobody));
    assert_eq!(turns.flow_session(), Some(session(9)));
    turns.want(session(1));
    assert_eq!(turns.next(false), Some(Next::Dispose(session(1))));
    assert_eq!(turns.holder, Holder::Session(session(1)));
}

#[test]
fn who_has_ended_or_lost_the_link_waits_no_more() {
    let mut turns = Turns { flow: Flow::Waiting(session(9)), list: true, ..Turns::default() };
    turns.want(session(1));
    turns.want(session(2));
    turns.forget(session(1));
    assert_eq!(turns.next(false), Some(Next::Dispose(session(2))));
    turns.want(session(1));
    turns.lost();
    assert_eq!((turns.holder, turns.flow, turns.list, turns.cancel), (Holder::Nobody, Flow::None, false, false));
    assert_eq!(turns.next(false), None);
}
