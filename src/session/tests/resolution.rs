//! What a person may say of a session's end, and when: what is stuck, two who must say the same, and the terminal's own word.

use super::*;
use crate::journal::record::Cause;
use crate::session::Verdict;
use crate::session::state::Illegal;
use Family::{Apollo, P6x};

const ANNA: &str = "anna";
const BEN: &str = "ben";

fn says(by: &str, outcome: Ending) -> Input {
    Input::Wish(Wish::Resolve { outcome, note: "seen".to_owned(), by: by.to_owned(), needs_two: true })
}

fn says_alone(outcome: Ending) -> Input {
    Input::Wish(Wish::Resolve { outcome, note: "seen".to_owned(), by: ANNA.to_owned(), needs_two: false })
}

fn withdraws(by: &str) -> Input {
    Input::Wish(Wish::WithdrawResolution { by: by.to_owned() })
}

fn committed(amount: u32) -> Ending {
    Ending::Committed(minor(amount))
}

/// The code of the refusal, or the state afterwards.
fn comes_of(life: &mut Life, input: Input) -> &'static str {
    match life.tries(input) {
        Ok(effects) => {
            assert_eq!(effects, [], "nothing is sent for a person's word");
            life.state()
        }
        Err(refusal) => refusal.code(),
    }
}

fn proposed_by(life: &Life) -> Option<&str> {
    life.machine.session().resolution.as_ref().map(|proposed| proposed.by.as_str())
}

/// A commit that was decided and cannot be delivered: its terminal is gone.
fn unreachable(family: Family) -> Life {
    let mut life = Life::held(family);
    life.does(Input::NotReady);
    assert_eq!(life.does(Input::Wish(Wish::Commit(minor(3140)))), []);
    life
}

fn unsure() -> Life {
    let mut life = Life::attempting(Apollo, commit(3140));
    life.does(Input::Attempted(not_ok(Some(0x0C))));
    assert_eq!(life.state(), "uncertain");
    life
}

/// What has waited for ten minutes is stuck, to the second; before that, and in every other state, nobody settles it.
#[test]
fn what_is_stuck() {
    let in_doubt = |family| {
        let mut life = Life::authorising(family);
        life.does(Input::Authorised(Outcome::Unanswered(Cause::LinkLost)));
        life
    };
    let refused = |family| {
        let mut life = Life::attempting(family, commit(3140));
        life.does(Input::Attempted(not_ok(Some(0x09))));
        life
    };
    for family in [Apollo, P6x] {
        for make in [&(|| unreachable(family)) as &dyn Fn() -> Life, &|| refused(family), &|| in_doubt(family)] {
            for (outcome, end) in [(Ending::Voided, "voided"), (committed(3140), "committed")] {
                let mut life = make();
                let state = life.state();
                life.now = 599;
                assert_eq!(comes_of(&mut life, says_alone(outcome)), "not_supported", "{state}");
                let Err(refusal) = life.tries(says_alone(outcome)) else { unreachable!() };
                assert!(refusal.to_string().ends_with("and counts as stuck from 2023-11-14T22:23:20.000Z on"), "{refusal}");
                life.now = 600;
                assert_eq!(comes_of(&mut life, says_alone(outcome)), end, "{state}");
                assert_eq!(life.machine.session().disposal.is_some(), life.confirmed_by() == Some(ConfirmedBy::Person));
            }
        }
        for mut never in [Life::new(family), Life::authorising(family), Life::held(family)] {
            never.now = 1000 * HOUR;
            assert_eq!(comes_of(&mut never, says_alone(Ending::Voided)), "not_supported", "{}", never.state());
        }
    }
}

/// Nobody is asked for more than there may be, whoever says it.
#[test]
fn a_persons_word_is_within_the_hold() {
    let mut life = unsure();
    for (outcome, code) in [(committed(5001), "over_commit"), (committed(5000), "uncertain")] {
        assert_eq!(comes_of(&mut life, says(ANNA, outcome)), code);
    }
    let mut doubt = Life::authorising(Apollo);
    doubt.does(Input::Authorised(Outcome::Unanswered(Cause::LinkLost)));
    doubt.now = 600;
    assert_eq!(comes_of(&mut doubt, says_alone(committed(5001))), "over_commit");
}

/// The first one proposes; alone it changes nothing, and another who says something else is told so. Only the same outcome and
/// amount from another person settle it, also after a crash.
#[test]
fn two_persons_say_the_same() {
    let mut life = unsure();
    assert_eq!(comes_of(&mut life, says(ANNA, committed(3140))), "uncertain");
    assert_eq!(life.last(1), ["resolution_proposed"]);
    for _ in 0..2 {
        let known = life.records.len();
        assert_eq!(comes_of(&mut life, says(ANNA, committed(3140))), "needs_another_person");
        assert_eq!(comes_of(&mut life, says(BEN, committed(3141))), "resolution_conflict");
        assert_eq!(comes_of(&mut life, says(BEN, Ending::Voided)), "resolution_conflict");
        assert_eq!((life.records.len(), proposed_by(&life)), (known, Some(ANNA)));
        life.crashes();
    }
    assert_eq!(comes_of(&mut life, says(BEN, committed(3140))), "committed");
    let resolution = life.machine.session().resolution.clone().unwrap();
    assert_eq!((resolution.by.as_str(), resolution.confirmed.unwrap().by.as_str()), (ANNA, BEN));
    assert_eq!((life.last(1), life.confirmed_by()), (vec!["resolved"], Some(ConfirmedBy::Person)));
    // Said once more, nothing happens; something else is too late, and so is taking it back.
    let known = life.records.len();
    for (input, comes) in [
        (says(ANNA, committed(3140)), "committed"),
        (says(BEN, committed(3140)), "committed"),
        (says(BEN, committed(3139)), "already_decided"),
        (says(ANNA, Ending::Voided), "already_decided"),
        (says_alone(Ending::Voided), "already_decided"),
        (withdraws(ANNA), "already_decided"),
    ] {
        assert_eq!(comes_of(&mut life, input.clone()), comes, "{input:?}");
    }
    assert_eq!(life.records.len(), known);
}

/// Whoever has proposed may say something else, which then stands alone; anybody may take it back; and where one is enough,
/// the first word settles it whatever was proposed before.
#[test]
fn a_proposal_is_changed_withdrawn_or_no_more_needed() {
    let mut life = unsure();
    assert_eq!(comes_of(&mut life, withdraws(ANNA)), "uncertain");
    assert_eq!(life.last(1), ["became_uncertain"], "nothing was there to be taken back");
    life.does(says(ANNA, committed(3140)));
    life.does(says(ANNA, Ending::Voided));
    assert_eq!(comes_of(&mut life, says(BEN, committed(3140))), "resolution_conflict", "it was changed meanwhile");
    life.does(withdraws(BEN));
    assert_eq!((life.last(1), proposed_by(&life)), (vec!["resolution_withdrawn"], None));
    life.crashes();
    assert_eq!(comes_of(&mut life, says(BEN, committed(3140))), "uncertain", "it is the first one again");
    assert_eq!(proposed_by(&life), Some(BEN));
    assert_eq!(comes_of(&mut life, says_alone(Ending::Voided)), "voided");
    assert_eq!(proposed_by(&life), Some(ANNA));
}

/// The terminal's answer goes before what was proposed: the session ends as the terminal says, and the second person comes too late.
#[test]
fn the_terminals_answer_goes_before_a_proposal() {
    let mut life = unreachable(Apollo);
    life.now = 600;
    assert_eq!(comes_of(&mut life, says(ANNA, Ending::Voided)), "committing");
    assert_eq!(life.does(Input::Ready), [Effect::AskTurn]);
    life.turn();
    // It is being asked right now.
    assert_eq!(comes_of(&mut life, says(BEN, Ending::Voided)), "attempt_under_way");
    assert_eq!(comes_of(&mut life, says_alone(Ending::Voided)), "attempt_under_way");
    life.does(Input::Attempted(ok()));
    assert_eq!((life.state(), life.confirmed_by(), proposed_by(&life)), ("committed", Some(ConfirmedBy::ResultOk), None));
    for by in [ANNA, BEN] {
        assert_eq!(comes_of(&mut life, says(by, Ending::Voided)), "already_decided");
        assert_eq!(comes_of(&mut life, says(by, committed(3140))), "already_decided");
    }
}

/// An answer that was lost leaves the proposal as it is; once it is settled, nothing leaves any more and a late answer changes nothing.
#[test]
fn after_a_persons_word_nothing_is_sent() {
    let mut life = unreachable(Apollo);
    life.now = 600;
    life.does(says(ANNA, Ending::Voided));
    life.does(Input::Ready);
    life.turn();
    life.does(Input::Attempted(Outcome::Unanswered(Cause::LinkLost)));
    life.does(Input::NotReady);
    life.now += 5;
    assert_eq!(life.does(Input::Ready), [Effect::AskTurn]);
    assert_eq!(comes_of(&mut life, says(BEN, Ending::Voided)), "voided");
    let end = life.machine.session().clone();
    assert_eq!(life.does(Input::Turn), [Effect::ReleaseTurn]);
    for late in [Input::Attempted(ok()), Input::Listed(Verdict::Absent), Input::Tick, Input::Ready, Input::Wish(Wish::Void)] {
        let _ = life.tries(late);
        assert_eq!(life.machine.session(), &end);
    }
    assert_eq!((life.machine.next_tick(), end.ended()), (None, true));
}

/// What a terminal lists it still holds. Whoever says that it was committed is told so; given back it may be: a list that shows it
/// once more makes an orphan of it, and that is voided.
#[test]
fn what_is_listed_was_not_committed() {
    let mut life = Life::attempting(P6x, commit(3140));
    life.does(Input::Attempted(not_ok(None)));
    life.does(Input::Listed(Verdict::Present));
    life.now = 600;
    assert_eq!(comes_of(&mut life, says(ANNA, committed(3140))), "not_supported");
    // On another link it may not be there any more.
    life.does(Input::NotReady);
    assert_eq!(comes_of(&mut life, says(ANNA, committed(3140))), "committing");
    life.does(Input::Listed(Verdict::Present));
    assert_eq!(comes_of(&mut life, says(BEN, committed(3140))), "not_supported");
    life.does(withdraws(ANNA));
    assert_eq!(comes_of(&mut life, says_alone(Ending::Voided)), "voided");
}

/// What was proposed of a session that nobody knew anything about falls when there is a hold after all, or a decision.
#[test]
fn what_is_new_makes_a_proposal_fall() {
    let mut doubt = Life::authorising(P6x);
    doubt.does(Input::Authorised(Outcome::Unanswered(Cause::LinkLost)));
    doubt.now = 600;
    doubt.does(says(ANNA, Ending::Voided));
    doubt.does(Input::Listed(Verdict::Adopt(TerminalSessionId(77))));
    assert_eq!((doubt.state(), proposed_by(&doubt)), ("voiding", None));

    let mut none = Life::authorising(P6x);
    none.does(Input::Authorised(Outcome::Unanswered(Cause::LinkLost)));
    none.now = 600;
    none.does(says(ANNA, Ending::Voided));
    none.does(Input::Listed(Verdict::NoHold));
    assert_eq!((none.state(), proposed_by(&none)), ("failed", None));

    let mut missing = Life::held(P6x);
    missing.does(Input::Listed(Verdict::Absent));
    missing.does(says(ANNA, Ending::Voided));
    missing.does(Input::Wish(Wish::Commit(minor(3140))));
    assert_eq!((missing.state(), proposed_by(&missing)), ("committing", None));
}

/// `State::after` itself refuses it, whoever wrote the journal: before its time, without another person's proposal, and after any end.
#[test]
fn the_journal_holds_no_word_out_of_place() {
    let proposal = |by: &str, outcome| Fact::ResolutionProposed { outcome, note: "seen".to_owned(), by: by.to_owned() };
    let resolved = |by: &str, first: Option<&str>, outcome| Fact::Resolved {
        outcome,
        note: "seen".to_owned(),
        by: by.to_owned(),
        proposed_by: first.map(str::to_owned),
    };
    let void = Ending::Voided;
    let stuck = session(&[opened(), intended(), hold(Some(5000), Learned::Approved), decided(commit(3140))]);
    let judge = |facts: &[Fact]| {
        let mut entries = (700..).zip(facts).map(|(second, fact)| entry(second, fact.clone()));
        entries.try_fold(stuck.clone(), |session, entry| session.after(&entry)).map(|session| session.state_name())
    };
    assert_eq!(judge(&[resolved(BEN, None, void)]), Ok("voided"));
    assert_eq!(judge(&[proposal(ANNA, void), resolved(BEN, Some(ANNA), void)]), Ok("voided"));
    assert_eq!(judge(&[proposal(ANNA, void), resolved(BEN, None, committed(1))]), Ok("committed"));
    let started = Fact::AttemptStarted { attempt: 1 };
    for wrong in [
        &[resolved(BEN, Some(ANNA), void)][..],
        &[proposal(ANNA, void), resolved(ANNA, Some(ANNA), void)],
        &[proposal(ANNA, void), resolved(BEN, Some("carl"), void)],
        &[proposal(ANNA, void), resolved(BEN, Some(ANNA), committed(3140))],
        &[proposal(ANNA, committed(5001))],
        &[proposal(ANNA, void), proposal(BEN, void)],
        &[proposal(ANNA, void), Fact::ResolutionWithdrawn { by: BEN.to_owned() }, resolved(BEN, Some(ANNA), void)],
        &[started, resolved(BEN, None, void)],
        &[Fact::ResolutionWithdrawn { by: BEN.to_owned() }],
    ] {
        assert!(matches!(judge(wrong), Err(Illegal::Disagrees { .. })), "{wrong:?}: {:?}", judge(wrong));
    }
    let ends = [
        vec![Fact::AttemptStarted { attempt: 1 }, disposed(committed(3140))],
        vec![resolved(BEN, None, committed(3140))],
        vec![disposed(Ending::Expired)],
    ];
    for end in ends {
        for word in [proposal(ANNA, void), resolved(BEN, None, void), Fact::ResolutionWithdrawn { by: BEN.to_owned() }] {
            let all: Vec<Fact> = end.iter().cloned().chain([word]).collect();
            assert!(matches!(judge(&all), Err(Illegal::Order { .. })), "{all:?}");
        }
    }
    for early in [resolved(BEN, None, void), proposal(ANNA, void)] {
        let due = 3 + 600;
        assert!(stuck.after(&entry(due - 1, early.clone())).is_err());
        assert!(stuck.after(&entry(due, early)).is_ok());
    }
}
