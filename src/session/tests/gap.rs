//! Records are lost in the middle of a journal: what the bank may still hold stays undisposed, and nothing is told of an end that nobody
//! knows.

use super::crash::{Bank, banks, lives};
use super::*;
use crate::journal::Record;
use crate::journal::record::{CancelledBy, Cause};
use crate::session::replay::{Replay, Replayed};
use Family::{Apollo, P6x};

fn numbered(entries: &[Entry]) -> Vec<Record> {
    (1..).zip(entries).map(|(seq, entry)| Record { seq, entry: entry.clone() }).collect()
}

/// What a start makes of these records, of which others may be missing.
fn replayed(records: &[Record], end_lost: bool) -> Replayed {
    let mut replay = Replay::new("EUR".parse().unwrap());
    let counting = records.iter().filter(|record| replay.take(record).counts() && record.entry.session.is_some()).count();
    let replayed = replay.end(end_lost);
    let versions: u64 = replayed.ledger.sessions().map(|session| session.version).sum();
    assert_eq!(versions, counting as u64, "whoever counts a session's records must come to its version");
    replayed
}

fn session_in(replayed: Replayed) -> Option<Session> {
    assert_eq!(replayed.ledger.totals().imbalance(), 0);
    let mut sessions = replayed.ledger.into_sessions();
    let session = sessions.next();
    assert_eq!(sessions.next(), None);
    session
}

/// The session of which these facts can be read; where there is none a record is lost.
fn of(facts: &[Option<Fact>]) -> Option<Session> {
    let read = (1..).zip(facts).filter_map(|(seq, fact)| Some(Record { seq, entry: entry(0, fact.clone()?) }));
    session_in(replayed(&read.collect::<Vec<_>>(), facts.last().is_some_and(Option::is_none)))
}

fn recovered(session: Session, family: Family) -> (Machine, Vec<Fact>) {
    let ended = session.ended();
    let mut machine = Machine::new(session, rules(family));
    if ended {
        // It gets no actor.
        return (machine, Vec::new());
    }
    let step = machine.on(Input::Recover, at(2 * HOUR)).unwrap();
    let entries: Vec<Entry> = step.append.iter().map(|fact| entry(2 * HOUR, fact.clone())).collect();
    machine.done(&step, &entries).unwrap();
    (machine, step.append)
}

/// Whether the state says nothing that the bank may contradict.
fn is_true(session: &Session, bank: Bank) -> bool {
    session.undisposed()
        || match bank {
            Bank::Nothing => ["failed", "cancelled", "declined"].contains(&session.state_name()),
            Bank::Holds => false,
            Bank::Took(_) => session.state_name() == "committed",
            Bank::GaveBack => session.state_name() == "voided",
        }
}

/// Every life, killed after each of its records, with any one or two of those lost: whatever the bank may be, the session says so after
/// the recovery, or is undisposed. A second start finds the same and nothing to do.
#[test]
fn no_lost_record_hides_a_hold() {
    let mut tried = 0;
    for family in [Apollo, P6x] {
        for (what, rules, script) in lives(family) {
            let whole = crash::records(rules, script);
            for (cut, first) in (1..=whole.len()).flat_map(|cut| (0..cut).map(move |first| (cut, first))) {
                for second in first..cut {
                    let lost = [first, second];
                    let mut read = numbered(&whole[..cut]);
                    read.retain(|record| !lost.contains(&(usize::try_from(record.seq).unwrap() - 1)));
                    let kinds: Vec<_> = whole[..cut].iter().map(|entry| entry.fact.kind()).collect();
                    let name = format!("{family:?}: {what}: {kinds:?} without {lost:?}");
                    let Some(session) = session_in(replayed(&read, second == cut - 1)) else {
                        let held = ["authorise_intended", "authorise_unanswered", "hold_placed", "disposal_decided"];
                        let says = read.iter().any(|record| held.contains(&record.entry.fact.kind()));
                        assert!(!says || kinds.contains(&"disposed"), "{name}: unknown");
                        continue;
                    };
                    let (machine, facts) = recovered(session, family);
                    for bank in banks(&whole[..cut]) {
                        let session = machine.session();
                        assert!(is_true(session, bank), "{name}: {}, and the bank {bank:?}", session.state_name());
                    }
                    let next = u64::try_from(cut).unwrap() + 1;
                    let more = (next..).zip(facts).map(|(seq, fact)| Record { seq, entry: entry(2 * HOUR, fact) });
                    let again = session_in(replayed(&[read, more.collect()].concat(), false)).unwrap();
                    assert_eq!(again, *machine.session(), "{name}");
                    assert_eq!(recovered(again, family).1, [], "{name}: the second recovery finds nothing to do");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn each_gap_has_its_rule() {
    let held = || Some(hold(Some(5000), Learned::Approved));
    let (opened, intended) = (|| Some(opened()), || Some(intended()));
    let unanswered = || Some(Fact::AuthoriseUnanswered { cause: Cause::Timeout });
    let started = |attempt| Some(Fact::AttemptStarted { attempt });
    let energy = || Some(Fact::EnergyReported { amount: minor(100) });
    let decided_commit = || Some(decided(commit(3140)));
    let committed = || Some(disposed(Ending::Committed(minor(3140))));
    let raised = || Some(Fact::HoldUpdated { amount: minor(7000) });
    let rows: Vec<(&str, Vec<Option<Fact>>, &str)> = vec![
        ("its intent lost, held", vec![opened(), None, held()], "approved"),
        ("its intent lost, failed by an earlier version", vec![opened(), None, held(), Some(failed())], "approved"),
        ("its intent and its doubt lost, found", vec![opened(), None, None, Some(hold(None, Learned::Listed))], "approved"),
        ("its intent lost, in doubt", vec![opened(), None, unanswered()], "in_doubt"),
        (
            "its intent lost, declined",
            vec![opened(), Some(card_read()), None, Some(Fact::Declined { reason: None })],
            "declined",
        ),
        ("its doubt lost, found", vec![opened(), intended(), None, held()], "approved"),
        ("its doubt lost, expired", vec![opened(), intended(), None, Some(disposed(Ending::Expired))], "expired"),
        ("its opening lost, held", vec![None, intended(), held()], "approved"),
        (
            "its opening lost, an orphan",
            vec![None, Some(hold(None, Learned::Listed)), Some(decided(Decision::Void))],
            "voiding",
        ),
        (
            "its opening lost, voided",
            vec![None, intended(), held(), Some(decided(Decision::Void)), Some(disposed(Ending::Voided))],
            "voided",
        ),
        ("its hold lost, charging", vec![opened(), intended(), None, energy()], "uncertain"),
        ("its hold lost, decided", vec![opened(), intended(), None, decided_commit(), started(1)], "uncertain"),
        ("its hold lost, committed", vec![opened(), intended(), None, decided_commit(), committed()], "committed"),
        ("all of its flow lost, charging", vec![opened(), None, None, energy()], "uncertain"),
        ("its decision lost, being sent", vec![opened(), intended(), held(), None, started(1)], "uncertain"),
        ("its decision lost, over", vec![opened(), intended(), held(), None, started(1), committed()], "committed"),
        (
            "its intent to raise lost, committed",
            vec![opened(), intended(), held(), None, raised(), Some(decided(commit(6500)))],
            "committing",
        ),
        ("its raise lost, decided", vec![opened(), intended(), held(), None, None, Some(decided(commit(6500)))], "committing"),
        ("a record of another", vec![opened(), None, Some(Fact::Cancelled { by: CancelledBy::Api })], "cancelled"),
    ];
    for (what, facts, state) in rows {
        let session = of(&facts).unwrap_or_else(|| panic!("{what}: unknown"));
        assert_eq!(session.state_name(), state, "{what}");
    }
}

fn failed() -> Fact {
    Fact::Failed { why: "the orchestrator stopped before a card was read".to_owned() }
}

/// An attempt whose beginning is lost was made all the same: "not found" is then no proof that nothing was done.
#[test]
fn an_attempt_whose_beginning_is_lost_is_doubted() {
    let facts = [opened(), intended(), hold(Some(5000), Learned::Approved), decided(commit(3140))].map(Some);
    let unanswered = Some(Fact::AttemptUnanswered { attempt: 1, cause: Cause::LinkLost });
    let session = of(&[facts.as_slice(), &[None, unanswered]].concat()).unwrap();
    let disposal = session.disposal.unwrap();
    assert_eq!((disposal.attempts, disposal.doubtful, disposal.under_way), (1, true, false));
}

/// Whether a gap matters to a session that waits for a card depends on where it is.
#[test]
fn only_a_record_that_is_lost_behind_it_can_have_asked_the_bank() {
    let rest = Fact::Stopped;
    let doubted = |facts: &[Option<Fact>]| {
        let entries = (1..).zip(facts).filter_map(|(seq, fact)| {
            let fact = fact.clone()?;
            let session = Some(id()).filter(|_| fact != Fact::Stopped);
            Some(Record { seq, entry: Entry { session, ..entry(0, fact) } })
        });
        let end_lost = facts.last().is_some_and(Option::is_none);
        let session = session_in(replayed(&entries.collect::<Vec<_>>(), end_lost)).unwrap();
        recovered(session, Apollo).0.session().state_name()
    };
    let (opened, rest) = (Some(opened()), Some(rest));
    assert_eq!(doubted(&[rest.clone(), opened.clone(), rest.clone()]), "failed");
    assert_eq!(doubted(&[None, opened.clone(), rest.clone()]), "failed");
    assert_eq!(doubted(&[opened.clone(), None, rest.clone()]), "in_doubt");
    assert_eq!(doubted(&[opened.clone(), Some(card_read()), None, rest.clone()]), "in_doubt");
    assert_eq!(doubted(&[rest, opened, None]), "in_doubt");
}

/// What is in doubt for a gap ends as every doubt: a person may settle it, or an Apollo's own timer, once that has surely acted.
#[test]
fn a_doubt_for_a_gap_ends() {
    let session = of(&[Some(opened()), None]).unwrap();
    let (mut machine, facts) = recovered(session, Apollo);
    let Some(Fact::AuthoriseUnsure { dead_man }) = facts.first() else { panic!("{facts:?}") };
    assert_eq!(dead_man.at, Some(at(2 * HOUR + 210 + 24 * HOUR)), "as late as Auth may have been answered");
    assert!(machine.session().stuck_from().is_some());
    let later = at(2 * HOUR + 210 + 24 * HOUR + 15 * MINUTE);
    assert_eq!(machine.next_tick(), Some(later));
    let step = machine.on(Input::Tick, later).unwrap();
    let entries: Vec<Entry> = step.append.iter().map(|fact| entry(0, fact.clone())).collect();
    machine.done(&step, &entries).unwrap();
    assert_eq!(machine.session().state_name(), "expired");
}

/// The session that has the number now has lost the record of its Auth; the older one must not be asked for under it all the same.
#[test]
fn a_reused_number_is_believed_although_the_other_session_is_damaged() {
    let own = [opened(), intended(), hold(Some(5000), Learned::Approved)];
    let entries = own.into_iter().map(|fact| entry(0, fact));
    let other = Entry { session: Some(later_id()), ..entry(0, opened()) };
    let entries: Vec<Entry> = entries.chain([other, entry(0, number_reused())]).collect();
    let Replayed { ledger, unsound, .. } = replayed(&numbered(&entries), false);
    assert!(unsound.is_some_and(|why| why.starts_with("record 5: ")));
    let older = ledger.sessions().find(|session| session.id == id()).unwrap();
    assert!(older.number_reused() && older.undisposed());
}
