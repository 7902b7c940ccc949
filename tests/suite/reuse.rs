//! Terminals that forget their sessions, and begin their numbers anew: whose card is charged must stay certain.

use std::time::Duration;

use quittance::sim::{Command, Fault, HoldState, Policy};
use serde_json::json;

use super::rig::Rig;

const BOTH: [&str; 2] = ["apollo-1", "p6x-1"];
const P6X: &str = "p6x-1";

/// The older of two sessions with one number is never spoken of to the terminal again: its commit would charge the other card.
#[test]
fn a_number_that_is_given_again_is_the_newer_sessions() {
    let rig = Rig::pair().connectors(2).start();
    for terminal in BOTH {
        rig.terminal(terminal).set_quirks(|quirks| quirks.reuse_ids = true);
        let older = rig.approve(terminal, 5000);
        rig.energy(&older, 1240);
        let number = rig.session(&older)["terminal_session_id"].clone();
        let set_ups = rig.terminal(terminal).count(Command::Setup);
        rig.terminal(terminal).power_cycle_forgetting();
        rig.terminal(terminal).cut();
        rig.wait_terminal(terminal, "is set up anew", |seen| seen.heard.get(&Command::Setup) > Some(&set_ups));
        let opened = rig.open(terminal, 4000);
        rig.tap(terminal, &rig.new_card());
        let newer = rig.wait_state(&opened, "approved");
        assert_eq!(newer["terminal_session_id"], number, "the terminal begins anew");

        let body = rig
            .wait_session(&older, "known to be reused", |body| body["why"].as_str().is_some_and(|why| why.contains(&opened)));
        assert_eq!(body["state"], "uncertain", "{body}");
        for restarted in [false, true] {
            let commits = rig.terminal(terminal).count(Command::Commit);
            for (verb, wish) in
                [("commit", json!({ "amount": 1240 })), ("void", json!({})), ("update", json!({ "amount": 6000 }))]
            {
                let (status, body) = rig.api.post(&format!("/v1/sessions/{older}/{verb}"), &wish);
                assert_eq!(status, 409, "{terminal}, {verb}, restarted: {restarted}: {body}");
            }
            assert_eq!(rig.terminal(terminal).count(Command::Commit), commits);
            if !restarted {
                rig.kill9();
                rig.start_again();
            }
        }
        assert_eq!(rig.commit(&opened, 900)["state"], "committed");
        let holds: Vec<_> = rig.bank().holds().into_iter().filter(|hold| hold.terminal.as_str() == terminal).collect();
        let states: Vec<HoldState> = holds.iter().map(|hold| hold.state).collect();
        assert!(matches!(states[..], [HoldState::Held, HoldState::Captured { .. }]), "{terminal}: {states:?}");
        let settled = json!({ "outcome": "committed", "amount": 1240, "note": "settlement file" });
        assert_eq!(rig.command(&older, "resolve", &settled)["state"], "committed");
    }
    rig.finish();
}

/// A P6X that has forgotten a hold, and has given its number to one whose approval is lost: a commit of the older session that is decided
/// before the next list waits for that list, and never meets the other card's hold. Both sessions tell what became of the number.
#[test]
fn a_commit_never_meets_a_hold_whose_approval_was_lost() {
    let rig = Rig::builder().p6xs(1).connectors(2).timeout("authorise", "\"2s\"").timeout("command", "\"2s\"").start();
    let terminal = rig.terminal(P6X);
    terminal.set_quirks(|quirks| quirks.reuse_ids = true);
    let older = rig.approve(P6X, 5000);
    rig.energy(&older, 1240);
    terminal.power_cycle_forgetting();
    terminal.cut();
    rig.wait_state(&older, "uncertain");

    let newer = rig.open(P6X, 4000);
    let asked = terminal.count(Command::Auth) + 1;
    terminal.plan(Command::Auth, Fault::LoseAnswer);
    rig.tap(P6X, &rig.new_card());
    rig.wait_terminal(P6X, "has heard Auth", |seen| seen.heard.get(&Command::Auth) == Some(&asked));
    terminal.hold_answers();
    rig.wait_state(&newer, "in_doubt");
    let (status, body) = rig.api.post(&format!("/v1/sessions/{older}/commit?wait=0"), &json!({ "amount": 1240 }));
    assert_eq!((status, &body["state"]), (202, &json!("committing")), "{body}");
    terminal.release_answers();

    assert_eq!(rig.wait_state(&newer, "voided")["disposal"]["by"], "orphan");
    let body = rig.wait_state(&older, "uncertain");
    let why = body["why"].as_str().unwrap();
    assert!(why.contains(&newer) && why.contains("voids it"), "{why}");
    let states: Vec<HoldState> = rig.bank().holds().into_iter().map(|hold| hold.state).collect();
    assert!(matches!(states[..], [HoldState::Held, HoldState::Released { .. }]), "{states:?}");
    assert_eq!(terminal.count(Command::Commit), 0);
    rig.finish();
}

/// A bank that answers only after our two lists: the hold is found when Auth's own time is over, and given back.
#[test]
fn a_hold_that_a_slow_bank_places_behind_our_lists_is_found() {
    let rig = Rig::builder().p6xs(1).timeout("authorise", "\"3s\"").start();
    let session = rig.open(P6X, 5000);
    rig.tap(P6X, &rig.card_with(Policy::late(Duration::from_millis(1500))));
    rig.wait_terminal(P6X, "has heard Auth", |seen| seen.heard.get(&Command::Auth).is_some_and(|heard| *heard == 1));
    rig.terminal(P6X).cut();
    rig.wait_state(&session, "in_doubt");
    let body = rig.wait_state(&session, "voided");
    assert_eq!(body["disposal"]["by"], "orphan", "{body}");
    assert_eq!(rig.taken(&session), None);
    rig.finish();
}
