//! When a terminal that scans opens its card flow again, as histories.

use std::time::Duration;

use crate::id::SessionReference;
use crate::terminal::scan::{End, Scan};
use crate::time::Timestamp;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000 + millis)
}

#[test]
fn it_is_opened_again_at_once_unless_it_is_of_no_use() {
    // (name, flows as: opened at, ended at, how, due again at), in milliseconds; jitter is 1, so every pause is a whole one.
    type Row = (&'static str, &'static [(i64, i64, End, i64)]);
    let table: [Row; 6] = [
        ("a card", &[(0, 10, End::Card, 10)]),
        ("nobody came", &[(0, 60_000, End::Nobody, 60_000)]),
        ("we ended it", &[(0, 10, End::Ours, 10)]),
        ("over too soon", &[(0, 999, End::Nobody, 1_999), (1_999, 2_000, End::Nobody, 4_000)]),
        (
            "refused, longer each time, at most a minute",
            &[
                (0, 0, End::Refused, 1_000),
                (1_000, 1_000, End::Refused, 3_000),
                (3_000, 3_000, End::Refused, 7_000),
                (7_000, 7_000, End::Refused, 15_000),
                (15_000, 15_000, End::Refused, 31_000),
                (31_000, 31_000, End::Refused, 63_000),
                (63_000, 63_000, End::Refused, 123_000),
                (123_000, 123_000, End::Refused, 183_000),
            ],
        ),
        (
            "a card forgives",
            &[(0, 0, End::Refused, 1_000), (1_000, 1_010, End::Card, 1_010), (1_010, 1_010, End::Refused, 2_010)],
        ),
    ];
    for (name, flows) in table {
        let mut scan = Scan::default();
        for (number, (opened, ended, how, due)) in (1..).zip(flows) {
            assert!(scan.is_due(at(*opened)), "{name}, flow {number}");
            scan.opened(SessionReference(number), at(*opened));
            assert_eq!(scan.reference(), Some(SessionReference(number)));
            assert!(!scan.is_due(at(*ended)), "{name}: one at a time");
            scan.ended(*how, at(*ended), 1.0);
            assert_eq!(scan.reference(), None);
            assert!(*due == *ended || !scan.is_due(at(due - 1)), "{name}, flow {number}: too early");
            assert!(scan.is_due(at(*due)), "{name}, flow {number}: too late");
        }
    }
}

/// What we have cancelled is no refusal of the terminal's, however it says so.
#[test]
fn a_cancelled_flow_is_opened_again_at_once() {
    for end in [End::Nobody, End::Refused, End::Ours, End::Card] {
        let mut scan = Scan::default();
        scan.opened(SessionReference(1), at(0));
        assert!(scan.cancel(at(1)));
        scan.ended(end, at(2), 1.0);
        assert!(scan.is_due(at(2)), "{end:?}");
    }
}

#[test]
fn a_terminal_that_does_not_cancel_is_asked_once_a_second() {
    let mut scan = Scan::default();
    assert!(scan.cancel(at(0)), "one that was only wanted needs no word");
    scan.opened(SessionReference(1), at(0));
    assert!(scan.cancel(at(0)));
    assert!(!scan.cancel(at(999)));
    assert!(scan.cancel(at(1_000)));
    assert!(!scan.cancel(at(1_001)));
}

#[test]
fn it_is_old_when_a_card_flow_may_not_be_longer() {
    let minute = Duration::from_secs(60);
    let mut scan = Scan::default();
    assert!(!scan.is_old(minute, at(0)));
    scan.opened(SessionReference(1), at(0));
    assert!(!scan.is_old(minute, at(59_999)));
    assert!(scan.is_old(minute, at(60_000)));
}
