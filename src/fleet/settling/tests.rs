//! Who is how far through the time to settle.

use super::*;
use crate::api::tests::{held, opened};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A hold of 10:00:20 that should be settled within 10 h: half is over at 15:00:20, four fifths at 18:00:20, all at 20:00:20. One that
/// may exist counts from when the bank was asked; without a promise nothing counts.
#[test]
fn shares_of_the_time() {
    let within = Some(Duration::from_secs(36_000));
    let cases = [
        ("2026-03-01T15:00:19Z", [0, 0, 0]),
        ("2026-03-01T15:00:20Z", [1, 0, 0]),
        ("2026-03-01T18:00:19Z", [1, 0, 0]),
        ("2026-03-01T18:00:20Z", [1, 1, 0]),
        ("2026-03-01T20:00:20Z", [1, 1, 1]),
    ];
    for (now, past) in cases {
        let mut settling = Settling::new(within, at(now));
        settling.count(&held());
        assert_eq!((settling.past, settling.deadline), (past, Some(at("2026-03-01T20:00:20Z"))), "{now}");
    }
    let mut settling = Settling::new(within, at("2026-03-01T15:00:20Z"));
    let in_doubt = Session { asked_bank_at: Some(at("2026-03-01T09:00:00Z")), ..opened() };
    [held(), in_doubt, opened()].iter().for_each(|session| settling.count(session));
    assert_eq!((settling.past, settling.deadline), ([2, 0, 0], Some(at("2026-03-01T19:00:00Z"))));
    let mut settling = Settling::new(None, at("2030-01-01T00:00:00Z"));
    settling.count(&held());
    assert_eq!((settling.past, settling.deadline), ([0; 3], None));
}
