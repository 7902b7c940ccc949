//! When no new cards are taken, and that what was begun goes on all the same.

use quittance::protocol::response::TerminalState;
use quittance::sim::Command as Heard;
use serde_json::json;

use super::rig::Rig;

const APOLLO: &str = "apollo-1";
const OTHER: &str = "apollo-2";

fn read_again(rig: &Rig, that: &str, this: &str) {
    rig.configure(|text| {
        assert!(text.contains(that), "{text}");
        text.replace(that, this)
    });
    let (status, body) = rig.api.post("/v1/reload", &json!({}));
    assert_eq!(status, 200, "{body}");
}

fn refused(rig: &Rig, terminal: &str, code: &str) {
    let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
    assert_eq!((status, &body["code"]), (503, &json!(code)), "{body}");
}

/// A hold on a terminal that scans. A card that came before the caller's own card flow would be the scan's, and go with it.
fn approve(rig: &Rig, terminal: &str, amount: u32) -> String {
    rig.wait_terminal(terminal, "scans", |seen| seen.state == TerminalState::WaitCard);
    let scans = rig.terminal(terminal).count(Heard::Start);
    let session = rig.open(terminal, amount);
    rig.wait_terminal(terminal, "asks for the caller", |seen| {
        seen.state == TerminalState::WaitCard && seen.heard.get(&Heard::Start) > Some(&scans)
    });
    rig.tap(terminal, &rig.new_card());
    rig.wait_state(&session, "approved");
    session
}

/// With as many undelivered commits as there may be, the terminal takes no cards, neither on request nor by scanning, and says why;
/// another one does. When the commit is delivered, cards are taken again.
#[test]
fn a_terminal_with_too_much_to_deliver_takes_no_cards() {
    let rig = Rig::builder()
        .apollos(2)
        .connectors(3)
        .policy("max_undelivered", "1")
        .policy("retry", "[\"1h\"]")
        .policy("settle_within", "\"48h\"")
        .terminal("scan", "\"always\"")
        .terminal("preauth", "2500")
        .start();
    let session = approve(&rig, APOLLO, 5000);
    rig.wait_terminal(APOLLO, "scans", |seen| seen.state == TerminalState::WaitCard);
    // "Access denied" settles nothing: it is tried again after the next step of the ladder.
    rig.terminal(APOLLO).refuse_next(Heard::Commit, 0x10);
    let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 2000 }));
    assert_eq!(status, 202, "{body}");
    rig.wait_terminal(APOLLO, "does not scan", |seen| {
        seen.heard.contains_key(&Heard::Commit) && seen.state == TerminalState::Enabled
    });
    refused(&rig, APOLLO, "too_many_undelivered");
    let shown = rig.api.get(&format!("/v1/terminals/{APOLLO}")).1;
    assert!(shown["refuses_cards"].as_str().unwrap().contains("policy.max_undelivered is 1"), "{shown}");
    let gauge = |terminal| {
        rig.metric("quittance_terminal_refuses_cards", &[("terminal", terminal), ("reason", "too_many_undelivered")])
    };
    assert_eq!((gauge(APOLLO), gauge(OTHER)), (1.0, 0.0));
    assert!(rig.metric("quittance_settle_deadline_timestamp_seconds", &[("terminal", APOLLO)]) > 0.0);
    assert_eq!(rig.metric("quittance_settle_deadline_timestamp_seconds", &[("terminal", OTHER)]), 0.0);
    let other = approve(&rig, OTHER, 3000);
    assert_eq!(rig.void(&other)["state"], "voided");

    // A shorter ladder holds for what is open, too.
    read_again(&rig, "retry = [\"1h\"]", "retry = [\"20ms\"]");
    rig.wait_state(&session, "committed");
    rig.wait_terminal(APOLLO, "scans again", |seen| seen.state == TerminalState::WaitCard);
    assert_eq!((rig.taken(&session), gauge(APOLLO)), (Some(2000), 0.0));
    assert_eq!(rig.api.get(&format!("/v1/terminals/{APOLLO}")).1["refuses_cards"], json!(null));
    rig.finish();
}

/// A journal that is too slow (here by a limit that no disk keeps) stops new cards on all terminals, and says why; what is held is
/// committed all the same. In step again, cards are taken again.
#[test]
fn a_slow_journal_stops_new_cards_and_nothing_else() {
    let rig = Rig::pair().connectors(2).start();
    let held = [APOLLO, "p6x-1"].map(|terminal| rig.approve(terminal, 5000));
    rig.configure(|text| text.replace("slow_after = \"1h\"", "slow_after = \"1us\""));
    let (_, told) = rig.api.post("/v1/reload", &json!({}));
    assert_eq!((&told["settings"], &told["changed"]), (&json!(["journal.slow_after"]), &json!([])), "{told}");
    // Three appends must have been slow, and now and then one is done within the same millisecond.
    let mut energy = 0;
    rig.until("a slow journal", || {
        energy += 1;
        rig.energy(&held[0], energy);
        (rig.api.get("/readyz").0 == 503).then_some(())
    });
    [APOLLO, "p6x-1"].iter().for_each(|terminal| refused(&rig, terminal, "journal_slow"));
    let (status, body) = rig.api.get("/readyz");
    assert!(status == 503 && body["reasons"].to_string().contains("too slow for new cards"), "{body}");
    rig.until("metric", || (rig.metric("quittance_journal_slow", &[]) == 1.0).then_some(()));
    assert_eq!(rig.metric("quittance_journal_writable", &[]), 1.0);
    for session in &held {
        assert_eq!(rig.commit(session, 1500)["state"], "committed");
        assert_eq!(rig.taken(session), Some(1500));
    }
    read_again(&rig, "slow_after = \"1us\"", "slow_after = \"10s\"");
    rig.wait_ready();
    let session = rig.approve(APOLLO, 100);
    assert_eq!(rig.void(&session)["state"], "voided");
    rig.until("metric", || (rig.metric("quittance_journal_slow", &[]) == 0.0).then_some(()));
    rig.finish();
}
