//! approved = disposed + undisposed, counted from facts on one side and from states on the other.

use super::*;
use crate::journal::Record;
use crate::journal::record::{CancelledBy, Cause};
use crate::session::ledger::{Ledger, Totals};

fn records(lives: &[&[Fact]]) -> Vec<Record> {
    let names = (1..).map(|number| SessionId::new(at(0), [number; 10]));
    let entries = lives
        .iter()
        .zip(names)
        .flat_map(|(facts, name)| facts.iter().map(move |fact| Entry { session: Some(name), ..entry(0, fact.clone()) }));
    (1..).zip(entries).map(|(seq, entry)| Record { seq, entry }).collect()
}

#[test]
fn every_way_in_and_out_is_counted_once() {
    let doubt = || Fact::AuthoriseUnanswered { cause: Cause::Crash };
    let failed = || Fact::Failed { why: "no hold".to_owned() };
    let held = || hold(Some(5000), Learned::Approved);
    let resolved =
        Fact::Resolved { outcome: Ending::Voided, note: "seen".to_owned(), by: "anna".to_owned(), proposed_by: None };
    // What a life adds to approved, disposed and undisposed.
    type Row = (&'static str, Vec<Fact>, (u64, u64, u64));
    let rows: Vec<Row> = vec![
        ("waits for a card", vec![opened()], (0, 0, 0)),
        ("nobody came", vec![opened(), Fact::Cancelled { by: CancelledBy::Terminal }], (0, 0, 0)),
        ("failed before the card", vec![opened(), failed()], (0, 0, 0)),
        ("authorising", vec![opened(), intended()], (1, 0, 1)),
        ("declined", vec![opened(), intended(), Fact::Declined { reason: None }], (1, 1, 0)),
        ("cancelled at the PIN", vec![opened(), intended(), Fact::Cancelled { by: CancelledBy::Terminal }], (1, 1, 0)),
        ("Auth never left", vec![opened(), intended(), failed()], (1, 1, 0)),
        ("in doubt", vec![opened(), intended(), doubt()], (1, 0, 1)),
        ("in doubt, nothing there", vec![opened(), intended(), doubt(), failed()], (1, 1, 0)),
        ("in doubt, expired", vec![opened(), intended(), doubt(), disposed(Ending::Expired)], (1, 1, 0)),
        ("in doubt, adopted", vec![opened(), intended(), doubt(), hold(Some(5000), Learned::Listed)], (1, 0, 1)),
        ("held", vec![opened(), intended(), held()], (1, 0, 1)),
        ("orphan", vec![orphan(), hold(None, Learned::Listed)], (1, 0, 1)),
        (
            "orphan, voided",
            vec![orphan(), hold(None, Learned::Listed), decided(Decision::Void), disposed(Ending::Voided)],
            (1, 1, 0),
        ),
        ("uncertain", vec![opened(), intended(), held(), uncertain()], (1, 0, 1)),
        ("settled by a person", vec![opened(), intended(), held(), uncertain(), resolved], (1, 1, 0)),
        (
            "committed",
            vec![opened(), intended(), held(), decided(commit(3140)), disposed(Ending::Committed(minor(3140)))],
            (1, 1, 0),
        ),
    ];
    for (what, facts, (approved, disposed, undisposed)) in &rows {
        let totals = Ledger::replay(&records(&[facts])).unwrap().totals();
        assert_eq!((totals.approved, totals.disposed, totals.undisposed), (*approved, *disposed, *undisposed), "{what}");
        assert_eq!(totals.imbalance(), 0, "{what}");
    }
    let all: Vec<&[Fact]> = rows.iter().map(|(_, facts, _)| facts.as_slice()).collect();
    let expected = Totals { sessions: 17, approved: 14, disposed: 8, undisposed: 6, committed_minor: 3140 };
    assert_eq!(Ledger::replay(&records(&all)).unwrap().totals(), expected);
}

#[test]
fn an_imbalance_has_a_sign() {
    let totals = Totals { sessions: 9, approved: 5, disposed: 2, undisposed: 2, committed_minor: 0 };
    assert_eq!(totals.imbalance(), 1);
    assert_eq!(Totals { approved: 3, ..totals }.imbalance(), -1);
}

#[test]
fn a_record_that_cannot_follow_is_named() {
    let unsound = Ledger::replay(&records(&[&[opened(), intended(), decided(Decision::Void)]])).unwrap_err();
    assert_eq!(unsound.to_string(), "record 3: disposal_decided cannot follow in state authorising");
}

#[test]
fn a_drained_terminal_stays_drained_until_somebody_resumes_it() {
    let terminal = "bay-01".parse().unwrap();
    let drained = Entry { session: None, ..entry(0, Fact::Drained { by: "anna".to_owned() }) };
    let resumed = Entry { session: None, ..entry(1, Fact::Resumed { by: "anna".to_owned() }) };
    let records: Vec<Record> = (1..).zip([drained, resumed]).map(|(seq, entry)| Record { seq, entry }).collect();
    assert!(Ledger::default().drained().next().is_none());
    assert!(Ledger::replay(&records[..1]).unwrap().drained().eq([&terminal]));
    assert!(Ledger::replay(&records).unwrap().drained().next().is_none());
}
