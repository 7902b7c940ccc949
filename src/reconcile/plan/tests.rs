use proptest::prelude::*;

use super::*;
use crate::journal::record::{
    AtEnd, Cause, ConfirmedBy, DeadMan, DeadManAction, DecidedBy, Decision, Entry, Fact, Learned, Origin, Outcome,
};
use crate::money::Amount;

const BEGAN: i64 = 1_000_000;

fn id(number: u32) -> TerminalSessionId {
    TerminalSessionId(number)
}

fn name(number: u8) -> SessionId {
    SessionId::new(Timestamp::from_unix_millis(i64::from(number)), [number; 10])
}

/// A session made of these facts, a millisecond apart, the last one at `last`.
fn session(number: u8, last: i64, facts: Vec<Fact>) -> Session {
    let mut at = last - i64::try_from(facts.len()).unwrap();
    let mut entry = |fact| {
        let entry = Entry {
            at: Timestamp::from_unix_millis(at),
            terminal: Some("bay-02".parse().unwrap()),
            session: Some(name(number)),
            fact,
        };
        at += 1;
        entry
    };
    let opened = Fact::Opened {
        origin: Origin::Api,
        connector: None,
        reference: None,
        caller_reference: None,
        amount: Some(Amount::from_minor(5000)),
        currency: "EUR".parse().unwrap(),
        idempotency: None,
        device: None,
    };
    let mut session = Session::opened(&entry(opened)).unwrap();
    for fact in facts {
        session = session.after(&entry(fact)).unwrap();
    }
    session
}

const DEAD_MAN: DeadMan = DeadMan { at: None, action: DeadManAction::Void };

fn authorising() -> Vec<Fact> {
    vec![Fact::AuthoriseIntended { card: None, dead_man: DEAD_MAN }]
}

fn in_doubt() -> Vec<Fact> {
    let mut facts = authorising();
    facts.push(Fact::AuthoriseUnanswered { cause: Cause::LinkLost });
    facts
}

fn held(number: u32) -> Vec<Fact> {
    let at = Timestamp::from_unix_millis(0);
    let mut facts = authorising();
    facts.push(Fact::HoldPlaced {
        terminal_session_id: id(number),
        amount: Some(Amount::from_minor(5000)),
        learned: Learned::Approved,
        plug_in_by: at,
        end_by: at,
        at_end: AtEnd::Void,
        dead_man: DEAD_MAN,
    });
    facts
}

fn uncertain(number: u32) -> Vec<Fact> {
    let mut facts = held(number);
    facts.push(Fact::BecameUncertain { why: "missing".to_owned() });
    facts
}

/// Committed by somebody while nobody knew whether the terminal still had it.
fn missed(number: u32) -> Vec<Fact> {
    let mut facts = uncertain(number);
    facts.push(Fact::DisposalDecided { decision: Decision::Commit(Amount::from_minor(100)), by: DecidedBy::Api });
    facts
}

fn reused(number: u32) -> Vec<Fact> {
    let mut facts = held(number);
    facts.push(Fact::NumberReused { by: name(99), listed: false });
    facts
}

fn attempted(number: u32) -> Vec<Fact> {
    let mut facts = held(number);
    facts.push(Fact::DisposalDecided { decision: Decision::Void, by: DecidedBy::Api });
    facts.push(Fact::AttemptStarted { attempt: 1 });
    facts
}

fn doubtful(number: u32) -> Vec<Fact> {
    let mut facts = attempted(number);
    facts.push(Fact::AttemptUnanswered { attempt: 1, cause: Cause::Timeout });
    facts
}

fn ended(number: u32) -> Vec<Fact> {
    let mut facts = attempted(number);
    facts.push(Fact::Disposed { outcome: Outcome::Voided, confirmed_by: ConfirmedBy::ResultOk });
    facts
}

fn plan(sessions: &[Session], first: &[u32], second: Option<&[u32]>, orphan_policy: OrphanPolicy) -> Plan {
    let first: Vec<_> = first.iter().copied().map(id).collect();
    let second: Option<Vec<_>> = second.map(|second| second.iter().copied().map(id).collect());
    Plan::of(&Question {
        sessions,
        can_list: true,
        keeps_sessions: true,
        lists: Some(Lists { first: &first, second: second.as_deref() }),
        orphan_policy,
        past_unsure: false,
        authorise_timeout: Duration::ZERO,
        began: Timestamp::from_unix_millis(BEGAN),
    })
}

#[test]
fn two_lists() {
    use DiscrepancyKind as Kind;
    use Verdict::{Absent, Adopt, NoHold, Present};
    let old = |number, facts| session(number, BEGAN - 10, facts);
    let long_ago = |number, facts| session(number, BEGAN - 1000, facts);
    let new = |number, facts| session(number, BEGAN + 10, facts);
    type Row = (&'static str, Vec<Session>, Vec<u32>, Vec<u32>, Vec<(u8, Verdict)>, Vec<u32>, Vec<Kind>);
    let table: Vec<Row> = vec![
        ("nothing", vec![], vec![], vec![], vec![], vec![], vec![]),
        ("a hold is there", vec![old(1, held(7))], vec![7], vec![7], vec![(1, Present)], vec![], vec![]),
        ("a hold is missing", vec![old(1, held(7))], vec![], vec![], vec![(1, Absent)], vec![], vec![Kind::MissingOnTerminal]),
        ("still missing, and a person knows", vec![old(1, uncertain(7))], vec![], vec![], vec![(1, Absent)], vec![], vec![]),
        ("missing in the second list only", vec![old(1, held(7))], vec![7], vec![], vec![], vec![], vec![]),
        ("missing in the first list only", vec![old(1, held(7))], vec![], vec![7], vec![(1, Present)], vec![], vec![]),
        ("a hold younger than the lists", vec![new(1, held(7))], vec![], vec![], vec![], vec![], vec![]),
        ("not done", vec![old(1, doubtful(7))], vec![7], vec![7], vec![(1, Present)], vec![], vec![Kind::DisposalOutstanding]),
        ("done", vec![old(1, doubtful(7))], vec![], vec![], vec![(1, Absent)], vec![], vec![Kind::DisposalConfirmed]),
        ("being sent", vec![old(1, attempted(7))], vec![], vec![], vec![], vec![], vec![]),
        ("an orphan", vec![], vec![9], vec![9], vec![], vec![9], vec![Kind::OrphanOnTerminal]),
        ("seen once", vec![], vec![9], vec![], vec![], vec![], vec![]),
        ("seen only later", vec![], vec![], vec![9], vec![], vec![], vec![]),
        (
            "of a session that ended long ago",
            vec![old(1, ended(7))],
            vec![7],
            vec![7],
            vec![],
            vec![7],
            vec![Kind::OrphanOnTerminal],
        ),
        ("of a session that ended meanwhile", vec![new(1, ended(7))], vec![7], vec![7], vec![], vec![], vec![]),
        (
            "a lost approval",
            vec![old(1, in_doubt())],
            vec![9],
            vec![9],
            vec![(1, Adopt(id(9)))],
            vec![],
            vec![Kind::LostApproval],
        ),
        ("no approval", vec![old(1, in_doubt())], vec![], vec![], vec![(1, NoHold)], vec![], vec![Kind::NoHold]),
        ("perhaps", vec![old(1, in_doubt())], vec![], vec![9], vec![], vec![], vec![]),
        ("perhaps not any more", vec![old(1, in_doubt())], vec![9], vec![], vec![], vec![], vec![]),
        ("doubt younger than the lists", vec![new(1, in_doubt())], vec![], vec![], vec![], vec![], vec![]),
        (
            "a hold that was missing is there again",
            vec![old(1, uncertain(7))],
            vec![7],
            vec![7],
            vec![(1, Present)],
            vec![],
            vec![],
        ),
        ("a hold whose number means another session", vec![old(1, reused(7))], vec![], vec![], vec![], vec![], vec![]),
        (
            "the number of a missing hold may be a lost approval's",
            vec![long_ago(1, uncertain(7)), old(2, in_doubt())],
            vec![7],
            vec![7],
            vec![(2, Adopt(id(7)))],
            vec![],
            vec![Kind::LostApproval],
        ),
        (
            "a lost approval takes a number of its own first",
            vec![long_ago(1, uncertain(7)), old(2, in_doubt())],
            vec![7, 9],
            vec![7, 9],
            vec![(2, Adopt(id(9)))],
            vec![],
            vec![Kind::LostApproval],
        ),
        (
            "the number of a missing hold may be a live card flow's",
            vec![long_ago(1, uncertain(7)), old(2, authorising())],
            vec![7],
            vec![7],
            vec![],
            vec![],
            vec![],
        ),
        (
            "a missing hold that was committed since is still missing, whoever may have its number",
            vec![long_ago(1, missed(7)), old(2, authorising())],
            vec![],
            vec![],
            vec![(1, Absent)],
            vec![],
            vec![Kind::MissingOnTerminal],
        ),
        (
            "the number of a missing hold may be a lost approval's, though somebody has committed it since",
            vec![old(1, missed(7)), long_ago(2, in_doubt())],
            vec![7],
            vec![7],
            vec![(1, Present), (2, NoHold)],
            vec![],
            vec![Kind::NoHold],
        ),
        (
            "the number of a missing hold that was committed since may be a lost approval's",
            vec![long_ago(1, missed(7)), old(2, in_doubt())],
            vec![7],
            vec![7],
            vec![(2, Adopt(id(7)))],
            vec![],
            vec![Kind::LostApproval],
        ),
        (
            "a doubt that is older than the loss has another number",
            vec![old(1, uncertain(7)), long_ago(2, in_doubt())],
            vec![7],
            vec![7],
            vec![(1, Present), (2, NoHold)],
            vec![],
            vec![Kind::NoHold],
        ),
        (
            "more unknown than in doubt",
            vec![old(2, in_doubt()), old(1, in_doubt())],
            vec![12, 10, 11],
            vec![12, 10, 11],
            vec![(1, Adopt(id(10))), (2, Adopt(id(11)))],
            vec![12],
            vec![Kind::LostApproval, Kind::LostApproval, Kind::OrphanOnTerminal],
        ),
        (
            "fewer unknown than in doubt",
            vec![old(1, in_doubt()), old(2, in_doubt())],
            vec![10],
            vec![10],
            vec![(1, NoHold), (2, Adopt(id(10)))],
            vec![],
            vec![Kind::NoHold, Kind::LostApproval],
        ),
        (
            "a live card flow makes an unknown number ambiguous",
            vec![old(1, authorising()), old(2, in_doubt())],
            vec![10],
            vec![10],
            vec![],
            vec![],
            vec![],
        ),
        (
            "a live card flow without an unknown number",
            vec![old(1, authorising()), old(2, in_doubt())],
            vec![],
            vec![],
            vec![(2, NoHold)],
            vec![],
            vec![Kind::NoHold],
        ),
    ];
    for (case, sessions, first, second, verdicts, orphans, kinds) in table {
        let plan = plan(&sessions, &first, Some(&second), OrphanPolicy::Void);
        let verdicts: Vec<_> = verdicts.into_iter().map(|(number, verdict)| (name(number), verdict)).collect();
        assert_eq!(plan.verdicts, verdicts, "{case}");
        assert_eq!(plan.orphans, orphans.into_iter().map(id).collect::<Vec<_>>(), "{case}");
        assert_eq!(plan.discrepancies.iter().map(|found| found.kind).collect::<Vec<_>>(), kinds, "{case}");
        assert!(!plan.needs_second_list, "{case}");
        for found in &plan.discrepancies {
            assert!(found.action.ends_with('.') && found.why.ends_with('.'), "{case}: {found:?}");
        }
    }
}

/// A bank may be slow: until Auth's own time is over, two lists without a hold prove nothing; one that shows it does.
#[test]
fn a_list_before_the_end_of_auths_time_proves_no_absence() {
    // Auth was sent 13 ms before the lists.
    let sessions = [session(1, BEGAN - 10, in_doubt())];
    let verdicts = |list: &[TerminalSessionId], authorise_timeout| {
        let lists = Some(Lists { first: list, second: Some(list) });
        let (can_list, orphan_policy) = (true, OrphanPolicy::Void);
        let began = Timestamp::from_unix_millis(BEGAN);
        let (keeps_sessions, past_unsure) = (true, false);
        let sessions = &sessions;
        let question =
            Question { sessions, can_list, keeps_sessions, lists, orphan_policy, past_unsure, authorise_timeout, began };
        Plan::of(&question).verdicts
    };
    let asked = sessions[0].asked_bank_at.unwrap();
    let passed = Timestamp::from_unix_millis(BEGAN).since(asked);
    assert_eq!(verdicts(&[], Duration::from_secs(30)), []);
    assert_eq!(verdicts(&[], passed + Duration::from_millis(1)), []);
    assert_eq!(verdicts(&[], passed), [(name(1), Verdict::NoHold)]);
    assert_eq!(verdicts(&[id(9)], Duration::from_secs(30)), [(name(1), Verdict::Adopt(id(9)))]);
}

#[test]
fn one_list() {
    let sessions = |facts| vec![session(1, BEGAN - 10, facts)];
    let table = [
        ("all there", sessions(held(7)), vec![7], false),
        ("a disposal to be sent again", sessions(doubtful(7)), vec![7], false),
        ("a hold is missing", sessions(held(7)), vec![], true),
        ("an unknown number", vec![], vec![9], true),
        ("in doubt, a number", sessions(in_doubt()), vec![9], true),
        ("in doubt, no number", sessions(in_doubt()), vec![], true),
        ("a number that a live card flow may own", sessions(authorising()), vec![9], false),
    ];
    for (case, sessions, first, second_list) in table {
        for policy in [OrphanPolicy::Void, OrphanPolicy::Report] {
            assert_eq!(plan(&sessions, &first, None, policy).needs_second_list, second_list, "{case}");
        }
    }
}

/// A hold that nobody has tried to end is missing: the terminal forgets, and so what else is missing was not necessarily carried out,
/// nor was a hold never placed because none is shown.
#[test]
fn missing_beside_a_forgotten_hold_proves_nothing() {
    use Verdict::{Absent, NoHold, Present, Unproven};
    let old = |number, facts| session(number, BEGAN - 10, facts);
    let long_ago = |number, facts| session(number, BEGAN - 1000, facts);
    type Row = (&'static str, Vec<Session>, Vec<u32>, Vec<(u8, Verdict)>);
    let table: Vec<Row> = vec![
        ("a disposal in doubt", vec![old(1, doubtful(7)), old(2, held(8))], vec![], vec![(1, Unproven), (2, Absent)]),
        ("the other one is there", vec![old(1, doubtful(7)), old(2, held(8))], vec![8], vec![(1, Absent), (2, Present)]),
        ("both are in doubt", vec![old(1, doubtful(7)), old(2, doubtful(8))], vec![], vec![(1, Absent), (2, Absent)]),
        ("an authorisation in doubt", vec![old(1, in_doubt()), old(2, held(8))], vec![], vec![(2, Absent), (1, Unproven)]),
        ("the other one is there", vec![old(1, in_doubt()), old(2, held(8))], vec![8], vec![(2, Present), (1, NoHold)]),
        ("found before", vec![long_ago(1, doubtful(7)), old(2, uncertain(8))], vec![], vec![(1, Unproven), (2, Absent)]),
        ("placed after that", vec![old(1, doubtful(7)), long_ago(2, uncertain(8))], vec![], vec![(1, Absent), (2, Absent)]),
        ("a younger hold", vec![old(1, doubtful(7)), session(2, BEGAN + 10, held(8))], vec![], vec![(1, Absent)]),
    ];
    for (case, sessions, list, verdicts) in table {
        let plan = plan(&sessions, &list, Some(&list), OrphanPolicy::Void);
        let verdicts: Vec<_> = verdicts.into_iter().map(|(number, verdict)| (name(number), verdict)).collect();
        assert_eq!(plan.verdicts, verdicts, "{case}");
        let forgotten = plan.verdicts.iter().filter(|(_, verdict)| *verdict == Unproven);
        for (session, _) in forgotten {
            let found = plan.discrepancies.iter().find(|found| found.session == Some(*session)).unwrap();
            assert_eq!(found.kind, DiscrepancyKind::MissingOnTerminal, "{case}");
            assert!(found.why.contains("proves nothing"), "{case}: {found:?}");
        }
    }
}

/// `quirks.keeps_sessions = false`: nothing is proved by a list without a hold, and an authorisation in doubt waits for the timer.
#[test]
fn a_forgetful_terminal_proves_nothing_by_its_lists() {
    let sessions = [session(1, BEGAN - 10, doubtful(7)), session(2, BEGAN - 10, in_doubt()), session(3, BEGAN - 10, held(9))];
    let question = |list| Question {
        sessions: &sessions,
        can_list: true,
        keeps_sessions: false,
        lists: Some(Lists { first: list, second: Some(list) }),
        orphan_policy: OrphanPolicy::Void,
        past_unsure: false,
        authorise_timeout: Duration::ZERO,
        began: Timestamp::from_unix_millis(BEGAN),
    };
    let all = [7, 8, 9].map(id);
    let verdicts = Plan::of(&question(&all)).verdicts;
    assert_eq!(verdicts, [(name(1), Verdict::Present), (name(3), Verdict::Present), (name(2), Verdict::Adopt(id(8)))]);
    let verdicts = Plan::of(&question(&all[2..])).verdicts;
    assert_eq!(verdicts, [(name(1), Verdict::Unproven), (name(3), Verdict::Present)]);
}

#[test]
fn an_orphan_may_only_be_reported() {
    let plan = plan(&[], &[9], Some(&[9]), OrphanPolicy::Report);
    assert_eq!(plan.orphans, []);
    assert_eq!(plan.discrepancies[0].kind, DiscrepancyKind::OrphanOnTerminal);
    assert!(plan.discrepancies[0].action.contains("only reported"));
}

/// With a damaged journal an unknown hold may be one that somebody is charging on, and a session in doubt may have had another: both
/// are left to people.
#[test]
fn nobody_adopts_or_voids_what_a_damaged_journal_may_have_known() {
    let sessions = [session(1, BEGAN - 10, in_doubt())];
    for orphan_policy in [OrphanPolicy::Void, OrphanPolicy::Report] {
        let question = Question {
            sessions: &sessions,
            can_list: true,
            keeps_sessions: true,
            lists: Some(Lists { first: &[id(9)], second: Some(&[id(9)]) }),
            orphan_policy,
            past_unsure: true,
            authorise_timeout: Duration::ZERO,
            began: Timestamp::from_unix_millis(BEGAN),
        };
        let plan = Plan::of(&question);
        assert_eq!((&plan.verdicts, &plan.orphans), (&vec![], &vec![]));
        assert_eq!(plan.discrepancies[0].terminal_session_id, Some(id(9)));
        assert!(plan.discrepancies[0].action.contains("the journal is damaged"), "{:?}", plan.discrepancies);
        let nothing_listed = Plan::of(&Question { lists: Some(Lists { first: &[], second: Some(&[]) }), ..question });
        assert_eq!(nothing_listed.verdicts, [(sessions[0].id, Verdict::Unproven)]);
        let sound = Plan::of(&Question { past_unsure: false, ..question });
        assert_eq!(sound.verdicts, [(sessions[0].id, Verdict::Adopt(id(9)))]);
    }
}

#[test]
fn a_terminal_that_cannot_list_says_nothing() {
    let sessions = [session(1, BEGAN - 10, in_doubt())];
    let lists = Some(Lists { first: &[], second: Some(&[]) });
    let question = Question {
        sessions: &sessions,
        can_list: false,
        keeps_sessions: true,
        lists,
        orphan_policy: OrphanPolicy::Void,
        past_unsure: false,
        authorise_timeout: Duration::ZERO,
        began: Timestamp::from_unix_millis(BEGAN),
    };
    assert_eq!(Plan::of(&question), Plan::default());
    assert_eq!(Plan::of(&Question { can_list: true, lists: None, ..question }), Plan::default());
}

proptest! {
    #[test]
    fn nothing_is_touched_lightly(
        kinds in prop::collection::vec((0_u8..6, any::<bool>()), 0..6),
        first in prop::collection::vec(0_u32..9, 0..6),
        second in prop::option::of(prop::collection::vec(0_u32..9, 0..6)),
    ) {
        let sessions: Vec<_> = kinds.iter().zip(0_u8..).map(|((kind, recent), number)| {
            let facts = match kind {
                0 => authorising(),
                1 => in_doubt(),
                2 => held(number.into()),
                3 => attempted(number.into()),
                4 => doubtful(number.into()),
                _ => ended(number.into()),
            };
            session(number, if *recent { BEGAN + 10 } else { BEGAN - 10 }, facts)
        }).collect();
        let plan = plan(&sessions, &first, second.as_deref(), OrphanPolicy::Void);
        let both = |id: TerminalSessionId| first.contains(&id.0) && second.as_ref().is_some_and(|ids| ids.contains(&id.0));
        for (_, verdict) in &plan.verdicts {
            match verdict {
                Verdict::Present => {}
                Verdict::Adopt(id) => prop_assert!(both(*id) && !plan.orphans.contains(id)),
                Verdict::NoHold | Verdict::Absent | Verdict::Unproven => prop_assert!(second.is_some()),
            }
        }
        for id in &plan.orphans {
            prop_assert!(both(*id));
            prop_assert!(!sessions.iter().any(|session| session.open_terminal_session() == Some(*id)));
        }
    }
}
