//! A terminal that has forgotten its sessions and begins its numbers anew: the older of two sessions with one number is never spoken
//! of to the terminal again. And one that remembers them again: what is listed again is carried out.

use super::*;
use crate::journal::Record;
use crate::journal::record::Cause;
use crate::protocol::Request;
use crate::session::ledger::Ledger;
use crate::session::machine::Errand;
use crate::session::{State, Verdict};
use Family::{Apollo, P6x};

fn reused() -> Input {
    Input::NumberReused { by: later_id(), listed: false }
}

/// Nothing leaves for the older session, whatever is wanted, due or listed, now or after a restart; a person settles it.
fn is_left_alone(mut life: Life, what: &str) {
    assert_eq!(life.state(), "uncertain", "{what}");
    let State::Uncertain(why) = &life.machine.session().state else { unreachable!() };
    assert!(why.contains("number 11") && why.contains(&later_id().to_string()), "{WHY}");
    for _ in 0..2 {
        let kinds = life.records.len();
        for wish in [Wish::Commit(minor(1)), Wish::Void, Wish::Update(minor(7000)), Wish::Energy(minor(4000))] {
            let code = life.tries(Input::Wish(wish.clone())).map_err(|refusal| refusal.code());
            assert!(matches!(code, Err("no_hold" | "already_decided" | "not_supported")), "{what}: {wish:?}: {code:?}");
        }
        for input in [
            Input::Listed(Verdict::Present),
            Input::Listed(Verdict::Absent),
            Input::DuplicateTap,
            Input::StopTapped { tapped_in: Some(id()) },
            reused(),
            Input::Ready,
        ] {
            assert_eq!(life.does(input.clone()), [], "{what}: {input:?}");
        }
        assert_eq!(life.waits(48 * HOUR), [], "{what}");
        assert_eq!(life.machine.next_tick(), None, "{what}");
        assert_eq!(life.does(Input::Turn), [Effect::ReleaseTurn], "{what}");
        assert_eq!(life.records.len(), kinds, "{what}: nothing is to be remembered");
        life.crashes();
    }
    let resolve = Wish::Resolve { outcome: Ending::Voided, note: "seen".to_owned(), by: "anna".to_owned(), needs_two: false };
    life.does(Input::Wish(resolve));
    assert_eq!(life.state(), "voided", "{what}");
}

#[test]
fn the_older_of_two_sessions_with_one_number_is_left_alone() {
    for family in [Apollo, P6x] {
        let mut held = Life::held(family);
        assert_eq!(held.does(reused()), []);
        is_left_alone(held, "held");

        let mut waits = Life::held(family);
        assert_eq!(waits.does(Input::Wish(Wish::Commit(minor(3140)))), [Effect::AskTurn]);
        assert_eq!(waits.does(reused()), []);
        assert_eq!(waits.machine.errand(), Errand::Idle);
        assert_eq!(waits.does(Input::Turn), [Effect::ReleaseTurn]);
        is_left_alone(waits, "waits for its turn");

        let mut retries = Life::attempting(family, commit(3140));
        retries.does(Input::Attempted(Outcome::Unanswered(Cause::LinkLost)));
        retries.does(reused());
        is_left_alone(retries, "would try again");

        let mut uncertain = Life::attempting(family, commit(3140));
        uncertain.does(Input::Attempted(not_ok(Some(0x0C))));
        uncertain.does(reused());
        is_left_alone(uncertain, "uncertain before");
    }
    let mut updates = Life::held(Apollo);
    updates.does(Input::Wish(Wish::Update(minor(7000))));
    updates.does(reused());
    assert_eq!(updates.last(2), ["update_unsent", "number_reused"]);
    is_left_alone(updates, "would raise its hold");
}

/// An answer that comes after the number was given again may be about either session: it settles nothing.
#[test]
fn an_answer_to_a_reused_number_settles_nothing() {
    for answer in [ok(), not_ok(None), not_ok(Some(0x0C)), Outcome::Unanswered(Cause::Timeout)] {
        let mut life = Life::attempting(Apollo, commit(3140));
        life.does(reused());
        assert_eq!(life.does(Input::Attempted(answer)), []);
        assert_eq!(life.last(1), ["attempt_unanswered"]);
        is_left_alone(life, "answered too late");
    }
    let mut life = Life::attempting(Apollo, commit(3140));
    life.does(reused());
    life.does(Input::Attempted(Outcome::Unsent));
    assert_eq!(life.last(1), ["attempt_unsent"]);
    is_left_alone(life, "not sent");
}

#[test]
fn before_a_hold_and_after_its_end_no_number_is_lost() {
    for mut life in [Life::new(Apollo), Life::authorising(Apollo), {
        let mut life = Life::attempting(Apollo, commit(3140));
        life.does(Input::Attempted(ok()));
        life
    }] {
        let before = life.machine.session().clone();
        assert_eq!(life.does(reused()), []);
        assert_eq!(life.machine.session(), &before);
    }
}

const WHY: &str = "number_reused disagrees with what was decided: the other session has asked for no hold there";

/// `journal verify`: a number can only have been given to a session of the same terminal whose Auth was about to be sent, or be an orphan's.
#[test]
fn a_number_is_given_to_a_session_that_has_asked_the_bank() {
    let judge = |other: &[Fact], elsewhere: bool| {
        let mut entries: Vec<Entry> =
            [opened(), intended(), hold(Some(5000), Learned::Approved)].map(|fact| entry(0, fact)).to_vec();
        entries.extend(other.iter().map(|fact| Entry {
            session: Some(later_id()),
            terminal: Some(if elsewhere { "bay-02" } else { "bay-01" }.parse().unwrap()),
            ..entry(1, fact.clone())
        }));
        entries.push(entry(2, number_reused()));
        let records: Vec<Record> = (1..).zip(entries).map(|(seq, entry)| Record { seq, entry }).collect();
        Ledger::replay(&records).map(|ledger| ledger.totals().undisposed).map_err(|unsound| unsound.to_string())
    };
    let placed = hold(Some(4000), Learned::Approved);
    assert_eq!(judge(&[opened(), intended(), placed.clone()], false), Ok(2));
    // Found in a list: an orphan has asked no bank.
    assert_eq!(judge(&[orphan(), hold(None, Learned::Listed)], false), Ok(2));
    assert_eq!(judge(&[orphan(), hold(None, Learned::Listed)], true), Err(format!("record 6: {WHY}")));
    // Killed before the newer approval was durable.
    assert_eq!(judge(&[opened(), intended()], false), Ok(2));
    assert_eq!(judge(&[opened()], false), Err(format!("record 5: {WHY}")));
    assert_eq!(judge(&[], false), Err(format!("record 4: {WHY}")));
    assert_eq!(judge(&[opened(), intended(), placed], true), Err(format!("record 7: {WHY}")));
}

/// A session whose number was given again can be read without the other one: its actor may have to be built anew, or somebody asks for
/// it long after it has ended.
#[test]
fn a_session_whose_number_was_given_again_is_read_alone() {
    let facts = [opened(), intended(), hold(Some(5000), Learned::Approved), number_reused()];
    let records: Vec<Record> = (1..).zip(facts).map(|(seq, fact)| Record { seq, entry: entry(0, fact) }).collect();
    let session = Ledger::session(&records).unwrap().unwrap();
    assert_eq!((session.state_name(), session.version), ("uncertain", 4));
    assert_eq!(Ledger::session(&[]), Ok(None));
}

/// A P6X session that was missing and is listed again is carried out when its decision is known, and only on the link that lists it.
#[test]
fn what_is_listed_again_is_carried_out() {
    let missing = || {
        let mut life = Life::attempting(P6x, commit(3140));
        life.does(Input::Attempted(Outcome::Unsent));
        life.does(Input::NotReady);
        life.does(Input::Listed(Verdict::Absent));
        assert_eq!(life.state(), "uncertain");
        life
    };
    let attempt = [Effect::Attempt(Request::CommitSession { session: TerminalSessionId(11), amount: minor(3140) })];
    let mut life = missing();
    assert_eq!(life.does(Input::Ready), [], "not while it is missing");
    life.does(Input::Listed(Verdict::Present));
    assert_eq!(life.does(Input::Tick), [Effect::AskTurn]);
    assert_eq!(life.does(Input::Turn), attempt);
    life.does(Input::Attempted(ok()));
    assert_eq!((life.state(), life.confirmed_by()), ("committed", Some(ConfirmedBy::ResultOk)));

    // On a connect the list comes before the terminal is ready; what an earlier link has listed counts no more.
    let mut life = missing();
    assert_eq!(life.does(Input::Listed(Verdict::Present)), []);
    assert_eq!(life.does(Input::NotReady), []);
    assert_eq!(life.does(Input::Ready), []);
    life.does(Input::NotReady);
    life.does(Input::Listed(Verdict::Present));
    assert_eq!(life.does(Input::Ready), [Effect::AskTurn]);
    life.does(Input::Listed(Verdict::Absent));
    assert_eq!(life.does(Input::Turn), [Effect::ReleaseTurn], "and it is missing again");

    // Nobody has decided: it waits for somebody who does, or for its time to plug in to be over.
    let mut undecided = Life::held(P6x);
    undecided.does(Input::Listed(Verdict::Absent));
    assert_eq!(undecided.does(Input::Listed(Verdict::Present)), []);
    assert_eq!((undecided.state(), undecided.machine.next_tick()), ("uncertain", Some(at(300))));
    assert_eq!(undecided.does(Input::Wish(Wish::Void)), [Effect::AskTurn]);
}

/// What is decided of a session that was missing waits for a list that shows it again, over restarts and links: its number may be
/// another's by now. A terminal that cannot list is asked.
#[test]
fn what_is_decided_of_a_missing_session_waits_for_the_list() {
    for wish in [Wish::Commit(minor(3140)), Wish::Void] {
        let mut life = Life::held(P6x);
        life.does(Input::Listed(Verdict::Absent));
        assert_eq!(life.does(Input::Wish(wish.clone())), []);
        for _ in 0..2 {
            assert_eq!(life.waits(HOUR), [], "{wish:?}");
            assert_eq!(life.reconnects(), []);
            assert_eq!(life.does(Input::Turn), [Effect::ReleaseTurn]);
            assert_eq!(life.machine.next_tick(), None);
            life.crashes();
        }
        life.does(Input::Ready);
        life.does(Input::Listed(Verdict::Present));
        assert_eq!(life.does(Input::Tick), [Effect::AskTurn]);
        life.turn();
        life.does(Input::Attempted(ok()));
        assert!(life.machine.session().ended());
    }
    let mut gone = Life::held(P6x);
    gone.does(Input::Listed(Verdict::Absent));
    gone.does(Input::Wish(Wish::Commit(minor(3140))));
    gone.does(Input::Listed(Verdict::Absent));
    assert_eq!((gone.state(), gone.last(1)), ("uncertain", vec!["became_uncertain"]));

    let mut apollo = Life::attempting(Apollo, commit(3140));
    for _ in 0..5 {
        apollo.does(Input::Attempted(not_ok(Some(0x09))));
        if apollo.state() == "committing" {
            apollo.waits(60);
            apollo.turn();
        }
    }
    assert_eq!(apollo.state(), "uncertain");
    assert_eq!(apollo.waits(HOUR), [Effect::AskTurn]);
}

/// A hold that was missing and is listed again ends by its deadline, as if it had been there all the time; one that is not listed on this
/// link, or has become another's, does not.
#[test]
fn what_is_listed_again_keeps_its_deadlines() {
    let missing = |energy: &[u32]| {
        let mut life = Life::held(P6x);
        for total in energy {
            life.does(Input::Wish(Wish::Energy(minor(*total))));
        }
        life.does(Input::Ready);
        life.does(Input::Listed(Verdict::Absent));
        assert_eq!((life.state(), life.machine.next_tick()), ("uncertain", None));
        life
    };
    for (energy, decided) in [(&[][..], "voiding"), (&[1240][..], "committing")] {
        let mut life = missing(energy);
        life.does(Input::Listed(Verdict::Present));
        assert!(life.machine.next_tick().is_some());
        assert_eq!(life.waits(24 * HOUR), [Effect::AskTurn]);
        assert_eq!((life.state(), life.last(1)), (decided, vec!["disposal_decided"]));
        life.turn();
        life.does(Input::Attempted(ok()));
        assert!(life.machine.session().ended());

        let mut life = missing(energy);
        life.does(Input::Listed(Verdict::Present));
        life.reconnects();
        assert_eq!((life.waits(24 * HOUR), life.state()), (vec![], "uncertain"), "not listed on this link");

        let mut life = missing(energy);
        life.does(Input::Listed(Verdict::Present));
        life.does(reused());
        assert_eq!((life.waits(24 * HOUR), life.state()), (vec![], "uncertain"), "another's by now");
    }
}

/// Energy flows although the terminal does not list the hold: what is reported then counts when the hold is listed again.
#[test]
fn energy_counts_while_the_hold_is_missing() {
    let mut life = Life::held(P6x);
    life.does(Input::Ready);
    life.does(Input::Listed(Verdict::Absent));
    life.does(Input::Wish(Wish::Energy(minor(1240))));
    assert_eq!((life.state(), life.last(1)), ("uncertain", vec!["energy_reported"]));
    let lower = life.tries(Input::Wish(Wish::Energy(minor(1239))));
    assert!(matches!(lower, Err(Refusal::AmountInvalid(_))), "{lower:?}");
    life.does(Input::Listed(Verdict::Present));
    assert_eq!(life.waits(6 * MINUTE), [], "the time to plug in is over, and energy flows");
    assert_eq!(life.waits(12 * HOUR), [Effect::AskTurn]);
    assert_eq!(life.machine.session().disposal.as_ref().map(|disposal| disposal.decision), Some(commit(1240)));
}

/// A number that was missing, and that a session in doubt finds in the list: what became of it is told in both, and neither is said to
/// have had the hold for certain.
#[test]
fn a_number_that_was_taken_over_is_told_as_such() {
    let mut life = Life::held(P6x);
    life.does(Input::Listed(Verdict::Absent));
    life.does(Input::NumberReused { by: later_id(), listed: true });
    let State::Uncertain(why) = &life.machine.session().state else { panic!("{}", life.state()) };
    assert!(why.contains("taken it over and voids it") && why.contains("nobody here knows"), "{why}");
    is_left_alone(life, "taken over");
    // As it stood in journals before there was a difference.
    let old = format!(r#"{{"kind":"number_reused","by":"{}"}}"#, later_id());
    assert_eq!(serde_json::from_str::<Fact>(&old).unwrap(), number_reused());
    assert_eq!(serde_json::to_string(&number_reused()).unwrap(), old);
}

/// The hold goes on as any other; that another session was disposed of under its number is remembered, once, and told.
#[test]
fn a_number_under_which_another_ended_meanwhile_is_told() {
    let shared = Input::NumberShared { with: later_id() };
    let mut life = Life::held(Apollo);
    for _ in 0..2 {
        assert_eq!(life.does(shared.clone()), []);
    }
    life.crashes();
    assert_eq!((life.state(), life.last(1)), ("approved", vec!["number_shared"]));
    assert_eq!(life.machine.session().hold.as_ref().unwrap().shared_with, Some(later_id()));
    life.does(Input::Ready);
    assert_eq!(life.does(Input::Wish(Wish::Commit(minor(3140)))), [Effect::AskTurn]);
    life.turn();
    life.does(Input::Attempted(not_ok(Some(0x0C))));
    assert_eq!(life.state(), "uncertain");
    assert_eq!(life.does(shared), []);
}

/// Not found is the terminal's last word about a number, whatever it lists.
#[test]
fn what_was_not_found_is_never_asked_for_again() {
    let mut life = Life::attempting(P6x, commit(3140));
    life.does(Input::Attempted(not_ok(Some(0x0C))));
    assert_eq!(life.state(), "uncertain");
    life.does(Input::Listed(Verdict::Present));
    assert_eq!(life.waits(48 * HOUR), []);
    assert_eq!((life.machine.next_tick(), life.reconnects()), (None, vec![]));
}
