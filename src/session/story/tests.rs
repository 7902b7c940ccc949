//! Stories, told from records that are typed by hand.

use super::*;
use crate::card::{Card, CardHash, MaskedPan};
use crate::id::{Connector, SessionReference, TerminalSessionId};
use crate::journal::record::{
    AtEnd, CancelledBy, Cause, ConfirmedBy, DeadMan, DeadManAction, DecidedBy, Decision, Discrepancy, DiscrepancyKind, Learned,
    Origin, Outcome, Report, ReportResult, Trigger,
};

const SESSION: &str = "01936b1e-7c00-7000-8000-000000000001";
const HASH: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

fn id() -> SessionId {
    SESSION.parse().unwrap()
}

/// So many seconds after 10:00.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_772_359_200_000 + seconds * 1000)
}

fn minor(amount: u32) -> Amount {
    Amount::from_minor(amount)
}

fn record(seq: u64, seconds: i64, session: Option<SessionId>, terminal: Option<&str>, fact: Fact) -> Place {
    let entry = Entry { at: at(seconds), terminal: terminal.map(|name| name.parse().unwrap()), session, fact };
    Place::Record(Record { seq, entry })
}

fn own(seq: u64, seconds: i64, fact: Fact) -> Place {
    record(seq, seconds, Some(id()), Some("bay-02"), fact)
}

fn opened(origin: Origin) -> Fact {
    let ours = origin != Origin::Orphan;
    Fact::Opened {
        origin,
        connector: ours.then_some(Connector(1)),
        reference: ours.then_some(SessionReference(4711)),
        caller_reference: ours.then(|| "plug 7".to_owned()),
        amount: ours.then(|| minor(5000)),
        currency: "EUR".parse().unwrap(),
        idempotency: None,
        device: None,
    }
}

fn dead_man() -> DeadMan {
    DeadMan { at: Some(at(24 * 3600 + 1)), action: DeadManAction::Void }
}

fn card() -> Card {
    Card { hash: Some(CardHash::new(HASH)), masked_pan: Some(MaskedPan::new("541333******0019")) }
}

fn intended() -> Fact {
    Fact::AuthoriseIntended { card: Some(card()), dead_man: dead_man() }
}

fn hold(learned: Learned, amount: Option<u32>) -> Fact {
    Fact::HoldPlaced {
        terminal_session_id: TerminalSessionId(1012),
        amount: amount.map(minor),
        learned,
        plug_in_by: at(302),
        end_by: at(12 * 3600 + 2),
        at_end: AtEnd::CommitLastKnown,
        dead_man: dead_man(),
    }
}

fn energy(amount: u32) -> Fact {
    Fact::EnergyReported { amount: minor(amount) }
}

fn decided() -> Fact {
    Fact::DisposalDecided { decision: Decision::Commit(minor(3140)), by: DecidedBy::Api }
}

fn disposed(confirmed_by: ConfirmedBy) -> Fact {
    Fact::Disposed { outcome: Outcome::Committed(minor(3140)), confirmed_by }
}

fn started() -> Fact {
    Fact::Started { version: "0.1.0".to_owned() }
}

fn reconciled(kind: DiscrepancyKind) -> Fact {
    let found = Discrepancy {
        kind,
        terminal_session_id: Some(TerminalSessionId(1012)),
        session: Some(id()),
        action: "close it as committed".to_owned(),
        why: "not listed any more".to_owned(),
    };
    let report = Report {
        trigger: Trigger::Connect,
        on_terminal: Some(vec![TerminalSessionId(1013)]),
        in_journal: vec![TerminalSessionId(1012)],
        discrepancies: vec![found],
        result: ReportResult::Repaired,
        error: None,
        began_at: at(0),
    };
    Fact::Reconciled { report }
}

fn told(places: &[Place]) -> Story {
    Story::tell(id(), places, at(4000)).unwrap()
}

fn sentences(story: &Story) -> Vec<&str> {
    story.lines.iter().map(|line| line.sentence.as_str()).collect()
}

/// A commit whose answer is lost, a crash, and the terminal's list that tells: every turn is told, with what happened around.
#[test]
fn a_lost_answer_and_a_restart() {
    let places = [
        record(1, -10, None, None, started()),
        own(2, 0, opened(Origin::Api)),
        own(3, 1, intended()),
        own(4, 2, hold(Learned::PartiallyApproved, Some(4500))),
        own(5, 60, energy(120)),
        own(6, 90, energy(2000)),
        own(7, 120, energy(3140)),
        own(8, 130, decided()),
        own(9, 130, Fact::AttemptStarted { attempt: 1 }),
        record(10, 140, None, None, started()),
        own(11, 140, Fact::AttemptUnanswered { attempt: 1, cause: Cause::Crash }),
        record(12, 150, None, Some("bay-02"), reconciled(DiscrepancyKind::DisposalConfirmed)),
        own(13, 150, disposed(ConfirmedBy::ListAbsent)),
        record(14, 900, None, None, Fact::Stopped),
    ];
    let story = told(&places);
    assert_eq!(
        sentences(&story),
        [
            "A hold of 50.00 EUR on bay-02 for connector 1 was asked for through the API (reference \"plug 7\"). The terminal is to wait \
             for a card. Its session reference is 4711.",
            "A card was read (541333******0019, hash 01234567…). Auth is sent: from here on there may be a hold. The terminal's own \
             timer would give it back at 10:00:01 on 2026-03-02.",
            "Approved in part: the bank holds 45.00 EUR of the 50.00 EUR that were asked for; the terminal's number for it is 1012. \
             Without energy by 10:05:02 it is voided; if nobody has ended it by 22:00:02, the last known energy is committed. The \
             terminal's own timer would give it back at 10:00:01 on 2026-03-02.",
            "Energy is reported as it flows, 3 times: 1.20 EUR at first, 31.40 EUR by 10:02:00.",
            "Decided by a request to the API: commit 31.40 EUR of 45.00 EUR, 13.60 EUR go back. That is said once; every attempt \
             repeats it.",
            "Commit of 31.40 EUR is sent to the terminal (attempt 1).",
            "The orchestrator was started (version 0.1.0). It had not ended in order: it was killed, or its machine was. It has read \
             its journal and goes on.",
            "The answer to attempt 1 is lost: the orchestrator ended in between. The terminal may have done it or not.",
            "Our holds were compared with bay-02's after the link came up; it lists 1013. Close it as committed: not \
             listed any more.",
            "The terminal does not list the hold any more, so an attempt whose answer was lost was carried out: committed, 31.40 EUR \
             taken.",
        ]
    );
    let marks: Vec<&str> = story.lines.iter().map(|line| line.mark.as_str()).collect();
    assert_eq!(marks, ["step", "step", "step", "step", "step", "step", "around", "doubt", "around", "end"]);
    assert_eq!(story.head, format!("Session {SESSION} on bay-02, connector 1: committed, 31.40 EUR of 45.00 EUR held"));
    assert_eq!(story.next, ["Nothing is left to be done."]);
    assert!(story.sound);
}

/// Where a record is damaged or missing the story says so, and does not pretend to know how it goes on.
#[test]
fn gaps_are_told() {
    let (begin, end) = ([own(2, 0, opened(Origin::Api)), own(3, 1, intended())], [own(8, 130, decided())]);
    let why = || "its hash does not fit".to_owned();
    let nobodys = Place::Damaged { seq: 5, session: None, why: why() };
    let missing = Place::Missing { from: 6, to: 7 };
    let story = told(&[&begin[..], &[nobodys, missing], &end[..]].concat());
    assert_eq!(
        sentences(&story)[2..],
        [
            "Record 5 is damaged (its hash does not fit); it names no session, and nobody can say whether it was about this one.",
            "Records 6 to 7 are missing; nobody can say whether they were about this session.",
            "Here something is missing or wrong: disposal_decided cannot follow in state authorising. What follows is what the records \
             say, not what the session is.",
            "Decided by a request to the API: commit 31.40 EUR. That is said once; every attempt repeats it.",
        ]
    );
    assert!(!story.sound && story.now.is_none() && story.head.contains("is not known"));
    assert!(story.next[0].contains("settlement file") && story.next[1].contains("damaged"), "{:?}", story.next);

    let ours = Place::Damaged { seq: 4, session: Some(SESSION.to_owned()), why: why() };
    let story = told(&[&begin[..], &[ours], &end[..]].concat());
    let damaged = "Record 4 of this session is damaged (its hash does not fit): what it said is not known.";
    assert_eq!((sentences(&story)[2], story.lines.len(), story.now.is_none()), (damaged, 4, true));

    let others = Place::Damaged { seq: 4, session: Some(SESSION.replace('1', "2")), why: why() };
    let story = told(&[&begin[..], &[others], &[own(8, 130, hold(Learned::Approved, Some(5000)))]].concat());
    assert!(
        story.now.is_some() && story.head.ends_with("approved, 50.00 EUR held, as far as its journal can be read"),
        "{}",
        story.head
    );

    let unreadable = Place::Unreadable { after: 3, why: "disk I/O error".to_owned() };
    let story = told(&[&begin[..], &[unreadable]].concat());
    assert!(!story.sound && story.lines.last().unwrap().mark == Mark::Gap);
    assert!(story.next.last().unwrap().contains("damaged"), "{:?}", story.next);
}

/// Damage before a session began, and after it ended, is not its own; a beginning that is gone is told with it.
#[test]
fn gaps_of_others_are_not_told() {
    let elsewhere = |seq| Place::Damaged { seq, session: None, why: "x".to_owned() };
    let cancelled = Fact::Cancelled { by: CancelledBy::Api };
    let story = told(&[elsewhere(1), own(2, 0, opened(Origin::Api)), own(3, 1, cancelled), elsewhere(4)]);
    assert_eq!((story.sound, story.lines.len()), (true, 2));
    let story = told(&[elsewhere(1), own(2, 0, energy(100))]);
    assert!(!story.sound && sentences(&story)[0].starts_with("Record 1 is damaged"), "{:?}", sentences(&story));
    assert!(sentences(&story)[2].contains("100 minor units"), "{:?}", sentences(&story));
    assert!(Story::tell(id(), &[elsewhere(1), record(2, 0, None, None, started())], at(0)).is_none());
}

/// Every kind of record has a sentence of its own that ends like one, shows no card, and obeys no control character.
#[test]
fn every_kind_is_told() {
    let evil = || "a\u{1b}[2Jb".to_owned();
    let facts = [
        started(),
        Fact::Stopped,
        Fact::Drained { by: evil() },
        Fact::Resumed { by: evil() },
        Fact::Rebuilt,
        reconciled(DiscrepancyKind::NoHold),
        Fact::ButtonPressed { button: evil() },
        opened(Origin::Api),
        opened(Origin::Scan),
        opened(Origin::Orphan),
        Fact::CardRead { card: card(), authorise_by: at(27) },
        Fact::OtherCardRead { card: card() },
        intended(),
        Fact::AuthoriseUnanswered { cause: Cause::Timeout },
        Fact::AuthoriseUnsure { dead_man: dead_man() },
        hold(Learned::Approved, Some(5000)),
        hold(Learned::Listed, None),
        Fact::Declined { reason: Some(9) },
        Fact::Cancelled { by: CancelledBy::Terminal },
        Fact::Failed { why: evil() },
        energy(100),
        Fact::StopTapped { tapped_in: Some(id()) },
        Fact::UpdateIntended { amount: minor(6000) },
        Fact::UpdateUnsent,
        Fact::HoldUpdated { amount: minor(6000) },
        Fact::UpdateRefused { declined: true, reason: Some(9) },
        Fact::UpdateRefused { declined: false, reason: None },
        Fact::UpdateUnanswered { cause: Cause::LinkLost },
        decided(),
        Fact::DisposalDecided { decision: Decision::Void, by: DecidedBy::PlugInTimeout },
        Fact::AttemptStarted { attempt: 2 },
        Fact::AttemptUnsent { attempt: 2 },
        Fact::AttemptUnanswered { attempt: 2, cause: Cause::Resynchronised },
        Fact::AttemptRefused { attempt: 2, reason: Some(0x0C) },
        disposed(ConfirmedBy::ResultOk),
        disposed(ConfirmedBy::Presumed),
        Fact::Disposed { outcome: Outcome::Expired, confirmed_by: ConfirmedBy::Timer },
        Fact::NumberReused { by: id(), listed: false },
        Fact::NumberReused { by: id(), listed: true },
        Fact::NumberShared { with: id() },
        Fact::Configured { settings: serde_json::json!({ "family": "p6x" }) },
        Fact::Removed,
        Fact::BecameUncertain { why: evil() },
        Fact::ResolutionProposed { outcome: Outcome::Voided, note: evil(), by: evil() },
        Fact::ResolutionWithdrawn { by: evil() },
        Fact::Resolved { outcome: Outcome::Voided, note: evil(), by: evil(), proposed_by: Some(evil()) },
    ];
    let teller = Teller::of(id());
    let mut seen = std::collections::BTreeSet::new();
    for fact in facts {
        let entry = Entry { at: at(0), terminal: Some("bay-02".parse().unwrap()), session: Some(id()), fact };
        let (sentence, _) = teller.sentence(&entry, None);
        assert!(sentence.ends_with('.') && !sentence.contains("..") && sentence.len() > 20, "{sentence}");
        assert!(sentence.chars().next().is_some_and(|first| first.is_uppercase() || first.is_ascii_lowercase()), "{sentence}");
        assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
        assert!(!sentence.contains(&HASH[..9]), "{sentence}");
        assert!(seen.insert(sentence.clone()), "said before: {sentence}");
    }
}

/// What comes next, for every state in which a person may ask.
#[test]
fn what_comes_next_is_told() {
    let begin = || vec![own(2, 0, opened(Origin::Api)), own(3, 1, intended())];
    let held = || [begin(), vec![own(4, 2, hold(Learned::Approved, Some(5000)))]].concat();
    let deciding = || [held(), vec![own(5, 60, energy(3140)), own(6, 70, decided())]].concat();
    let refused =
        [own(7, 71, Fact::AttemptStarted { attempt: 1 }), own(8, 72, Fact::AttemptRefused { attempt: 1, reason: Some(0x11) })];
    let uncertain = own(7, 80, Fact::BecameUncertain { why: "nobody knows".to_owned() });
    let doubt = own(4, 211, Fact::AuthoriseUnanswered { cause: Cause::Timeout });
    let cases = [
        (vec![own(2, 0, opened(Origin::Api))], 5, "A card is waited for"),
        (begin(), 5, "The bank is being asked"),
        ([begin(), vec![doubt]].concat(), 300, "it counts as expired from 10:15:01 on 2026-03-02 on"),
        (held(), 100, "without any it is voided at 10:05:02"),
        ([held(), vec![own(5, 60, energy(3140))]].concat(), 100, "if nobody does by 22:00:02, 31.40 EUR are."),
        (deciding(), 100, "is sent as soon as the terminal can be reached"),
        (
            [deciding(), refused.to_vec()].concat(),
            100,
            "was tried once and is sent again until the terminal answers; the last attempt: refused: not ready",
        ),
        ([deciding(), refused.to_vec()].concat(), 1000, "It is overdue since 10:11:10."),
        ([deciding(), vec![uncertain]].concat(), 100, "--outcome voided"),
    ];
    for (places, now, wanted) in cases {
        let story = Story::tell(id(), &places, at(now)).unwrap();
        assert!(story.next.iter().any(|sentence| sentence.contains(wanted)), "{wanted}: {:?}", story.next);
    }
}
