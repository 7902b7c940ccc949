//! Answers about money that are lost on a real wire: the bank's books and the API must come to the same end.

use quittance::sim::{Command, Fault, HoldState};
use serde_json::json;

use super::rig::Rig;

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

/// What becomes of a Commit and its answer, and by what its confirmation is known on each family.
const LOST: [(Fault, &str, &str); 6] = [
    (Fault::CutAfter, "presumed", "list_absent"),
    (Fault::CutBefore, "result_ok", "result_ok"),
    (Fault::LoseAnswer, "presumed", "list_absent"),
    (Fault::LoseRequest, "result_ok", "result_ok"),
    (Fault::Corrupt, "presumed", "list_absent"),
    (Fault::Delay(std::time::Duration::from_secs(5)), "presumed", "list_absent"),
];

#[test]
fn a_commit_whose_answer_is_lost_is_taken_once() {
    let rig = Rig::pair().timeout("commit", "\"2s\"").start();
    for (fault, on_apollo, on_p6x) in LOST {
        for (terminal, confirmed_by) in [(APOLLO, on_apollo), (P6X, on_p6x)] {
            let session = rig.approve(terminal, 5000);
            rig.terminal(terminal).plan(Command::Commit, fault);
            let body = rig.commit(&session, 3140);
            assert_eq!(body["state"], "committed", "{terminal}, {fault:?}: {body}");
            assert_eq!(body["disposal"]["confirmed_by"], confirmed_by, "{terminal}, {fault:?}: {body}");
            assert_eq!(rig.taken(&session), Some(3140), "{terminal}, {fault:?}");
            rig.terminal(terminal).clear_faults();
            rig.wait_ready();
        }
    }
    rig.finish();
}

#[test]
fn a_void_whose_answer_is_lost_gives_back_once() {
    let rig = Rig::pair().timeout("commit", "\"2s\"").start();
    for (fault, on_apollo, on_p6x) in LOST {
        for (terminal, confirmed_by) in [(APOLLO, on_apollo), (P6X, on_p6x)] {
            let session = rig.approve(terminal, 5000);
            rig.terminal(terminal).plan(Command::Void, fault);
            let body = rig.void(&session);
            assert_eq!(body["state"], "voided", "{terminal}, {fault:?}: {body}");
            assert_eq!(body["disposal"]["confirmed_by"], confirmed_by, "{terminal}, {fault:?}: {body}");
            assert_eq!(rig.taken(&session), None, "{terminal}, {fault:?}");
            rig.terminal(terminal).clear_faults();
            rig.wait_ready();
        }
    }
    rig.finish();
}

#[test]
fn an_answer_that_comes_twice_settles_one_commit() {
    let rig = Rig::pair().connectors(2).start();
    for terminal in [APOLLO, P6X] {
        let first = rig.approve(terminal, 5000);
        let second = rig.approve(terminal, 4000);
        rig.terminal(terminal).plan(Command::Commit, Fault::Duplicate);
        assert_eq!(rig.commit(&first, 1000)["state"], "committed");
        assert_eq!(rig.commit(&second, 2000)["state"], "committed");
        assert_eq!((rig.taken(&first), rig.taken(&second)), (Some(1000), Some(2000)));
    }
    rig.finish();
}

#[test]
fn an_approval_that_a_p6x_could_not_tell_is_found_and_voided() {
    let rig = Rig::builder().p6xs(1).timeout("authorise", "\"500ms\"").start();
    for fault in [Fault::CutAfter, Fault::LoseAnswer, Fault::Corrupt] {
        rig.terminal(P6X).plan(Command::Auth, fault);
        let session = rig.open(P6X, 5000);
        rig.tap(P6X, &rig.new_card());
        let body = rig.wait_state(&session, "voided");
        assert_eq!(body["disposal"]["by"], "orphan", "{fault:?}: {body}");
        assert_eq!(rig.taken(&session), None, "{fault:?}");
        rig.wait_ready();
    }
    let found = [("kind", "lost_approval")];
    assert_eq!(rig.metric("quittance_reconciliation_discrepancies_total", &found), 3.0);
    rig.finish();
}

#[test]
fn an_auth_that_never_reached_a_p6x_has_failed() {
    let rig = Rig::builder().p6xs(1).timeout("authorise", "\"500ms\"").start();
    rig.terminal(P6X).cut_at(Command::Auth, false);
    let session = rig.open(P6X, 5000);
    rig.tap(P6X, &rig.new_card());
    rig.wait_state(&session, "failed");
    assert_eq!(rig.bank().holds(), []);
    rig.finish();
}

/// An Apollo cannot be asked what it holds: the doubt stays in sight until the terminal's own timer has ended the hold.
#[test]
fn an_approval_that_an_apollo_could_not_tell_stays_in_sight() {
    let rig = Rig::builder().apollos(1).start();
    rig.terminal(APOLLO).approve_while_cut();
    let session = rig.open(APOLLO, 5000);
    rig.tap(APOLLO, &rig.new_card());
    let body = rig.wait_state(&session, "in_doubt");
    assert!(body["deadline_at"].is_string(), "{body}");
    let labels = [("terminal", APOLLO)];
    let seen = || (rig.metric("quittance_sessions_in_doubt", &labels), rig.metric("quittance_sessions_undisposed", &labels));
    assert_eq!(seen(), (1.0, 1.0));

    rig.kill9();
    rig.start_again();
    assert_eq!(rig.session(&session)["state"], "in_doubt");
    assert_eq!(seen(), (1.0, 1.0));
    let undisposed = rig.api.sessions("&undisposed=true");
    assert_eq!(undisposed.iter().map(|session| &session["id"]).collect::<Vec<_>>(), [&json!(session)]);

    let next = rig.approve(APOLLO, 700);
    assert_eq!(rig.commit(&next, 700)["state"], "committed");
    let states: Vec<HoldState> = rig.bank().holds().into_iter().map(|hold| hold.state).collect();
    assert!(matches!(states[..], [HoldState::Held, HoldState::Captured { .. }]), "{states:?}");
    rig.finish();
}

/// As after a lost disk: the terminal holds money for a session of which the journal has never heard.
#[test]
fn a_hold_that_the_journal_does_not_know_is_voided() {
    let rig = Rig::builder().p6xs(1).start();
    let session = rig.approve(P6X, 5000);
    rig.kill9();
    for end in ["", "-wal", "-shm"] {
        let path = format!("{}{end}", rig.journal().display());
        assert!(std::fs::remove_file(&path).is_ok() || !end.is_empty(), "{path}");
    }
    rig.start_again();
    assert_eq!(rig.api.get(&format!("/v1/sessions/{session}")).0, 404);
    let orphan = rig.until("an orphan", || rig.api.sessions("&terminal=p6x-1").first().cloned());
    let body = rig.wait_state(orphan["id"].as_str().unwrap(), "voided");
    assert_eq!((&body["amount_requested"], &body["disposal"]["by"]), (&json!(null), &json!("orphan")), "{body}");
    assert!(matches!(rig.bank().holds()[0].state, HoldState::Released { .. }));
    assert_eq!(rig.metric("quittance_reconciliation_discrepancies_total", &[("kind", "orphan_on_terminal")]), 1.0);
    rig.finish();
}

#[test]
fn a_hold_that_the_journal_does_not_know_is_only_reported_where_that_is_wanted() {
    let rig = Rig::builder().p6xs(1).policy("orphan_policy", "\"report\"").start();
    rig.approve(P6X, 5000);
    rig.kill9();
    for end in ["", "-wal", "-shm"] {
        let path = format!("{}{end}", rig.journal().display());
        assert!(std::fs::remove_file(&path).is_ok() || !end.is_empty(), "{path}");
    }
    rig.start_again();
    let (status, report) = rig.api.post("/v1/terminals/p6x-1/reconcile", &json!({}));
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["discrepancies"][0]["kind"], "orphan_on_terminal", "{report}");
    assert_eq!(rig.bank().holds()[0].state, HoldState::Held);
    rig.finish();
}
