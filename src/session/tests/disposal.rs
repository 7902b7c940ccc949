//! The rules of commit and void where a life does not reach: the ladder's ends, and what is overdue.

use super::*;
use crate::session::disposal::{deadline, next_attempt_at};

#[test]
fn the_ladder_counts_from_the_last_end_and_its_last_step_repeats() {
    let ladder = [1, 5, 30].map(Duration::from_secs);
    for (attempts, expected) in [(0, 1), (1, 1), (2, 5), (3, 30), (4, 30), (u32::MAX, 30)] {
        assert_eq!(next_attempt_at(&ladder, attempts, at(100)), at(100 + expected), "{attempts} attempts");
    }
    // Configuration refuses an empty ladder; should one get here, an hour is never too often.
    assert_eq!(next_attempt_at(&[], 1, at(100)), at(100 + HOUR));
}

/// What `deadline_at` and `quittance_sessions_overdue` go by.
#[test]
fn everything_that_nobody_but_time_can_end_has_a_deadline() {
    let held = [opened(), intended(), hold(Some(5000), Learned::Approved)];
    let with = |more: &[Fact]| session(&[&held[..], more].concat());
    let in_doubt = session(&[opened(), intended(), Fact::AuthoriseUnanswered { cause: crate::journal::record::Cause::Crash }]);
    let rows = [
        ("waiting for a card", session(&held[..1]), None),
        ("authorising", session(&held[..2]), None),
        ("in doubt: the terminal's timer and a margin", in_doubt, Some(24 * HOUR + 15 * MINUTE)),
        ("no energy yet", session(&held), Some(5 * MINUTE)),
        ("nothing delivered yet", with(&[Fact::EnergyReported { amount: minor(0) }]), Some(5 * MINUTE)),
        ("energy flows", with(&[Fact::EnergyReported { amount: minor(1) }]), Some(12 * HOUR)),
        // Decided in second 3, and ten minutes are enough for any terminal that answers.
        ("decided", with(&[decided(Decision::Void)]), Some(3 + 10 * MINUTE)),
        ("a person's turn", with(&[uncertain()]), None),
        ("over", with(&[decided(Decision::Void), disposed(Ending::Voided)]), None),
    ];
    for (what, session, expected) in rows {
        assert_eq!(deadline(&session), expected.map(at), "{what}");
    }
}
