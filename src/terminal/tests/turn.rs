//! Whose exchange goes next, as a table: what waits, and in which order it goes.

use crate::id::SessionId;
use crate::terminal::turn::{Flow, Holder, Next, Owner, Turns};
use crate::time::Timestamp;

fn session(number: u8) -> SessionId {
    SessionId::new(Timestamp::from_unix_millis(1_700_000_000_000), [number; 10])
}

/// Everything that goes until nothing more can: each turn ends before the next is taken.
fn order(turns: &mut Turns, mut status_due: bool) -> Vec<Next> {
    let mut order = Vec::new();
    while let Some(next) = turns.next(status_due) {
        status_due &= next != Next::Status;
        turns.ask &= next != Next::Ask;
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
fn cancel_disposals_the_list_status_requests_a_new_flow() {
    let (one, two, raises, flow) = (session(1), session(2), session(3), session(9));
    let owner = Owner::Session(flow);
    let all = |flow, cancel| {
        let mut turns = Turns { flow, cancel, list: true, ask: true, ..Turns::default() };
        turns.want_update(raises);
        turns.want_update(raises);
        // One that is to be disposed of does not wait for its update.
        turns.want_update(one);
        turns.want(two);
        turns.want(one);
        // Asked for once, however often.
        turns.want(two);
        turns
    };
    let disposals = [Next::Dispose(two), Next::Dispose(one), Next::Dispose(raises)];
    let rows: [(Flow, bool, &[Next], &[Next]); 11] = [
        // the flow, whether it is to be cancelled, what goes before the disposals, what after them
        (Flow::None, false, &[], &[Next::List, Next::Status, Next::Ask]),
        (Flow::Opening(flow), false, &[], &[Next::List, Next::Status, Next::Ask]),
        (Flow::Wanted(owner), false, &[], &[Next::List, Next::Status, Next::Ask, Next::Start(owner)]),
        // A hold that is being placed would look like an orphan: no list beside an open flow.
        (Flow::Waiting(owner), false, &[], &[Next::Status, Next::Ask]),
        // A request that is not answered costs the link, and with it the answer to Auth: none beside a card.
        (Flow::CardRead(owner), false, &[], &[Next::Status]),
        (Flow::Authorising(flow), false, &[], &[Next::Status]),
        // A card that is only read may be spoken to.
        (Flow::CardRead(Owner::Reader), false, &[], &[Next::Status, Next::Ask]),
        (Flow::Waiting(owner), true, &[Next::Cancel], &[Next::Status, Next::Ask]),
        (Flow::CardRead(owner), true, &[Next::Cancel], &[Next::Status]),
        (Flow::CardRead(Owner::Reader), true, &[Next::Cancel], &[Next::Status, Next::Ask]),
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
    let mut turns = Turns { flow: Flow::Wanted(Owner::Session(session(9))), cancel: true, ..Turns::default() };
    assert_eq!(order(&mut turns, false), []);
    assert_eq!((turns.flow, turns.cancel), (Flow::None, false));
}

/// A wish to cancel is for the flow that was open then, not for the next one.
#[test]
fn a_cancel_that_comes_too_late_hits_no_later_flow() {
    for state in [Flow::None, Flow::Opening(session(1)), Flow::Authorising(session(1))] {
        let mut turns = Turns { flow: state, cancel: true, ..Turns::default() };
        assert_eq!(turns.next(false), None);
        turns.flow = Flow::Wanted(Owner::Session(session(2)));
        assert_eq!(order(&mut turns, false), [Next::Start(Owner::Session(session(2)))]);
    }
}

#[test]
fn a_started_flow_is_waiting_and_leaves_the_lane_free() {
    let mut turns = Turns { flow: Flow::Wanted(Owner::Session(session(9))), ..Turns::default() };
    assert_eq!(turns.next(false), Some(Next::Start(Owner::Session(session(9)))));
    assert_eq!((turns.flow, turns.holder), (Flow::Waiting(Owner::Session(session(9))), Holder::Nobody));
    assert_eq!(turns.flow_session(), Some(session(9)));
    turns.want(session(1));
    assert_eq!(turns.next(false), Some(Next::Dispose(session(1))));
    assert_eq!(turns.holder, Holder::Session(session(1)));
}

#[test]
fn who_has_ended_or_lost_the_link_waits_no_more() {
    let mut turns = Turns { flow: Flow::Waiting(Owner::Session(session(9))), list: true, ..Turns::default() };
    turns.want(session(1));
    turns.want(session(2));
    turns.forget(session(1));
    assert_eq!(turns.next(false), Some(Next::Dispose(session(2))));
    turns.want(session(1));
    turns.lost();
    assert_eq!((turns.holder, turns.flow, turns.list, turns.cancel), (Holder::Nobody, Flow::None, false, false));
    assert_eq!(turns.next(false), None);
}

/// Nobody stands before a scan, so it gives way to whoever asks for a card flow, and to no other flow.
#[test]
fn a_scan_gives_way() {
    let (caller, other) = (session(1), Owner::Session(session(2)));
    let rows = [
        // the flow, whether a caller's is admitted, what goes then, the flow when the caller is durable
        (Flow::None, true, vec![], Flow::Wanted(Owner::Session(caller))),
        (Flow::Wanted(Owner::Scan), true, vec![], Flow::Wanted(Owner::Session(caller))),
        (Flow::Waiting(Owner::Scan), true, vec![Next::Cancel], Flow::Wanted(Owner::Session(caller))),
        (Flow::CardRead(Owner::Scan), false, vec![], Flow::CardRead(Owner::Scan)),
        (Flow::Opening(session(2)), false, vec![], Flow::Opening(session(2))),
        (Flow::Wanted(other), false, vec![], Flow::Wanted(other)),
        (Flow::Waiting(other), false, vec![], Flow::Waiting(other)),
        (Flow::CardRead(other), false, vec![], Flow::CardRead(other)),
        (Flow::Authorising(session(2)), false, vec![], Flow::Authorising(session(2))),
    ];
    for (flow, admitted, asked, then) in rows {
        // The caller's session becomes durable before the scan has ended, or after.
        for durable_first in [true, false] {
            let mut turns = Turns { flow, ..Turns::default() };
            assert_eq!(turns.admits(), admitted, "{flow:?}");
            if admitted {
                turns.reserve(caller);
                assert!(!turns.admits(), "{flow:?}: one caller at a time");
            }
            if durable_first && admitted {
                assert!(turns.start(caller), "{flow:?}");
            }
            let mut went = Vec::new();
            if matches!(turns.flow, Flow::Waiting(Owner::Scan)) {
                went.extend(turns.next(false));
                turns.release();
                turns.flow_over();
            }
            if !durable_first && admitted {
                assert!(turns.start(caller), "{flow:?}");
            }
            assert_eq!((went, turns.flow), (asked.clone(), then), "{flow:?}, durable first: {durable_first}");
            assert!(!turns.start(session(3)), "nobody else's lane");
        }
    }
}

/// A card flow that is only being cancelled for a stop is nobody's either.
#[test]
fn a_card_that_was_tapped_to_stop_keeps_nobody_waiting() {
    let mut turns = Turns { flow: Flow::CardRead(Owner::Scan), cancel: true, ..Turns::default() };
    assert!(turns.admits());
    turns.reserve(session(1));
    assert_eq!(turns.next(false), Some(Next::Cancel));
    turns.flow_over();
    assert_eq!(turns.flow, Flow::Opening(session(1)));
}

/// A caller that gives up, or whose session cannot be made durable, leaves nothing behind.
#[test]
fn a_caller_that_gives_up_frees_the_lane() {
    for flow in [Flow::None, Flow::Wanted(Owner::Scan), Flow::Waiting(Owner::Scan)] {
        for gives_up in [Turns::cancel as fn(&mut Turns, SessionId), Turns::forget] {
            let mut turns = Turns { flow, ..Turns::default() };
            turns.reserve(session(1));
            assert!(turns.flow_sessions().contains(&session(1)));
            gives_up(&mut turns, session(1));
            assert_eq!(turns.flow_sessions(), []);
            assert!(!turns.start(session(1)));
            if flow == Flow::Waiting(Owner::Scan) {
                assert_eq!(turns.flow, flow, "the scan ends, or goes on, by itself");
                turns.flow_over();
            }
            assert!(turns.flow_is_free(), "{flow:?}");
        }
    }
}

#[test]
fn a_scan_is_ended_by_itself() {
    let mut turns = Turns { flow: Flow::Wanted(Owner::Scan), ..Turns::default() };
    turns.end_scan();
    assert!(turns.flow_is_free());
    let other = Flow::Waiting(Owner::Session(session(1)));
    let mut turns = Turns { flow: other, ..Turns::default() };
    turns.end_scan();
    assert_eq!((turns.flow, turns.cancel), (other, false), "somebody stands before it");
}

/// A card that is only read for an integrator waits for the end of a scan, keeps sessions out, and is left again.
#[test]
fn a_card_that_is_only_read_takes_the_lane() {
    for flow in [Flow::None, Flow::Wanted(Owner::Scan), Flow::Waiting(Owner::Scan)] {
        let mut turns = Turns { flow, ..Turns::default() };
        turns.want_reader();
        assert!(turns.reads() && !turns.admits(), "{flow:?}");
        if flow == Flow::Waiting(Owner::Scan) {
            assert_eq!(turns.next(false), Some(Next::Cancel));
            turns.release();
            turns.flow_over();
        }
        assert_eq!(turns.next(false), Some(Next::Start(Owner::Reader)), "{flow:?}");
        assert!(turns.reads() && !turns.admits() && turns.flow_sessions().is_empty());
        turns.flow = Flow::CardRead(Owner::Reader);
        assert!(turns.reads() && !turns.money_flows());
        turns.cancel_reader();
        assert_eq!(turns.next(false), Some(Next::Cancel));
        turns.flow_over();
        assert!(!turns.reads() && turns.flow_is_free());
    }
    // Nobody else's flow is cancelled for it, and one that has not begun needs no word.
    let session = Flow::Waiting(Owner::Session(session(1)));
    for (flow, then) in [(session, session), (Flow::Wanted(Owner::Reader), Flow::None)] {
        let mut turns = Turns { flow, ..Turns::default() };
        turns.cancel_reader();
        assert_eq!((turns.flow, turns.cancel), (then, false));
    }
}
