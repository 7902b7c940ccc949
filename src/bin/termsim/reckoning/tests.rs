//! The comparison finds what differs, and only that. Records and holds are made by hand, so that neither side is computed by
//! the orchestrator or the simulated terminals.

use quittance::id::SessionId;
use quittance::journal::record::{AtEnd, Cause, ConfirmedBy, DeadMan, DeadManAction, DecidedBy, Entry, Fact, Learned, Origin};

use super::*;

const BEGAN: Timestamp = Timestamp::from_unix_millis(1_000_000);
const DEAD_MAN: DeadMan = DeadMan { at: None, action: DeadManAction::Void };

fn terminal() -> TerminalId {
    "bay-01".parse().unwrap()
}

fn amount(minor: u32) -> Amount {
    Amount::from_minor(minor)
}

/// A session of 50.00 on `bay-01` whose reference and terminal session id are this number, with these facts behind the opening.
fn ledger_of(sessions: Vec<(u8, Timestamp, Vec<Fact>)>) -> Ledger {
    let mut ledger = Ledger::default();
    let mut seq = 0;
    for (number, at, facts) in sessions {
        let opened = Fact::Opened {
            origin: Origin::Api,
            connector: None,
            reference: Some(SessionReference(u32::from(number))),
            caller_reference: None,
            amount: Some(amount(5000)),
            currency: "EUR".parse().unwrap(),
            idempotency: None,
            device: None,
        };
        let intended = Fact::AuthoriseIntended { card: None, dead_man: DEAD_MAN };
        for fact in [opened, intended].into_iter().chain(facts) {
            seq += 1;
            let session = Some(SessionId::new(at, [number; 10]));
            let record = Record { seq, entry: Entry { at, terminal: Some(terminal()), session, fact } };
            ledger.take(&record).unwrap();
        }
    }
    ledger
}

fn held(number: u8) -> Fact {
    Fact::HoldPlaced {
        terminal_session_id: TerminalSessionId(u32::from(number)),
        amount: Some(amount(5000)),
        learned: Learned::Approved,
        plug_in_by: BEGAN,
        end_by: BEGAN,
        at_end: AtEnd::Void,
        dead_man: DEAD_MAN,
    }
}

fn decided(decision: Decision) -> Vec<Fact> {
    vec![Fact::DisposalDecided { decision, by: DecidedBy::Api }, Fact::AttemptStarted { attempt: 1 }]
}

fn disposed(outcome: Outcome) -> Fact {
    Fact::Disposed { outcome, confirmed_by: ConfirmedBy::ResultOk }
}

fn at_bank(number: u8, state: HoldState) -> Hold {
    Hold {
        terminal: terminal(),
        session: TerminalSessionId(u32::from(number)),
        reference: SessionReference(u32::from(number)),
        card: "abcd".to_owned(),
        amount: amount(5000),
        approved_at: BEGAN,
        state,
    }
}

fn captured(minor: u32) -> HoldState {
    HoldState::Captured { amount: amount(minor), by: By::Host, at: BEGAN }
}

const RELEASED: HoldState = HoldState::Released { by: By::Host, at: BEGAN };

fn sum(count: u64, amount: u64) -> Sum {
    Sum { count, amount }
}

#[test]
fn both_sides_are_added_up_and_agree() {
    let committed = [vec![held(1)], decided(Decision::Commit(amount(3140))), vec![disposed(Outcome::Committed(amount(3140)))]];
    let voided = [vec![held(2)], decided(Decision::Void), vec![disposed(Outcome::Voided)]];
    let ledger = ledger_of(vec![(1, BEGAN, committed.concat()), (2, BEGAN, voided.concat()), (3, BEGAN, vec![held(3)])]);
    let holds = [at_bank(1, captured(3140)), at_bank(2, RELEASED), at_bank(3, HoldState::Held)];

    let reckoning = Reckoning::of(&ledger, BEGAN, &holds, 0);
    let side = Side {
        approved: sum(3, 15000),
        committed: sum(1, 5000),
        voided: sum(1, 5000),
        open: sum(1, 5000),
        captured: 3140,
        ..Side::default()
    };
    assert_eq!((reckoning.journal, reckoning.bank), (side, side));
    assert!(reckoning.agrees(), "{reckoning}");
}

#[test]
fn what_one_side_denies_is_found() {
    let committed =
        || [vec![held(1)], decided(Decision::Commit(amount(3140))), vec![disposed(Outcome::Committed(amount(3140)))]];
    let voided = || [vec![held(1)], decided(Decision::Void), vec![disposed(Outcome::Voided)]];
    let cases: [(&str, Vec<Fact>, Vec<Hold>); 8] = [
        ("another amount was taken", committed().concat(), vec![at_bank(1, captured(3141))]),
        ("nothing was taken", committed().concat(), vec![at_bank(1, HoldState::Held)]),
        ("taken, not given back", voided().concat(), vec![at_bank(1, captured(5000))]),
        ("taken, though nobody decided", vec![held(1)], vec![at_bank(1, captured(5000))]),
        (
            "given back, though a commit was decided",
            [vec![held(1)], decided(Decision::Commit(amount(1)))].concat(),
            vec![at_bank(1, RELEASED)],
        ),
        ("the bank has no hold", vec![held(1)], vec![]),
        ("the journal has no hold", vec![Fact::Declined { reason: None }], vec![at_bank(1, HoldState::Held)]),
        ("a hold of another number", vec![held(1)], vec![at_bank(1, HoldState::Held), at_bank(2, HoldState::Held)]),
    ];
    for (what, facts, holds) in cases {
        let reckoning = Reckoning::of(&ledger_of(vec![(1, BEGAN, facts)]), BEGAN, &holds, 0);
        assert_eq!(reckoning.disagreements.len(), 1, "{what}: {reckoning}");
        assert!(!reckoning.agrees(), "{what}");
    }
}

#[test]
fn what_the_journal_does_not_know_is_no_disagreement() {
    let doubt = || vec![Fact::AuthoriseUnanswered { cause: Cause::Timeout }];
    let outstanding = || [vec![held(1)], decided(Decision::Commit(amount(3140)))].concat();
    let cases: [(&str, Vec<Fact>, Vec<Hold>, u64); 4] = [
        ("in doubt, and there is a hold", doubt(), vec![at_bank(1, HoldState::Held)], 0),
        ("in doubt, and there is none", doubt(), vec![], 0),
        ("decided, and done already", outstanding(), vec![at_bank(1, captured(3140))], 1),
        ("decided, and not done yet", outstanding(), vec![at_bank(1, HoldState::Held)], 1),
    ];
    for (what, facts, holds, outstanding) in cases {
        let reckoning = Reckoning::of(&ledger_of(vec![(1, BEGAN, facts)]), BEGAN, &holds, 0);
        assert!(reckoning.agrees(), "{what}: {reckoning}");
        assert_eq!(reckoning.outstanding, outstanding, "{what}");
    }
}

#[test]
fn sessions_of_an_earlier_run_are_left_out() {
    let before = Timestamp::from_unix_millis(999_999);
    let reckoning = Reckoning::of(&ledger_of(vec![(1, before, vec![held(1)])]), BEGAN, &[], 0);
    assert_eq!((reckoning.journal, reckoning.agrees()), (Side::default(), true));
}
