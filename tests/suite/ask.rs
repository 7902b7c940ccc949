//! `policy.authorise = "ask"` with the whole program: a card was read, and somebody says to go on, or nobody does.

use quittance::protocol::response::TerminalState;
use quittance::sim::{Command, Policy};
use serde_json::{Value, json};

use super::rig::{Builder, Rig};

const BOTH: [&str; 2] = ["apollo-1", "p6x-1"];

fn asking() -> Builder {
    Rig::pair().connectors(2).policy("authorise", "\"ask\"")
}

fn authorise(rig: &Rig, session: &str) -> (u16, Value) {
    rig.api.post(&format!("/v1/sessions/{session}/authorise"), &json!({}))
}

/// Opens a session and presents the card; returns when the API tells that it was read.
fn read(rig: &Rig, terminal: &str) -> String {
    let session = rig.open(terminal, 5000);
    rig.tap(terminal, &rig.new_card());
    let body = rig.wait_state(&session, "card_read");
    assert!(body["card"]["masked_pan"].is_string() && body["deadline_at"].is_string(), "{body}");
    session
}

/// Who waits is told of the card, Auth leaves only after the word, and the word may be repeated.
#[test]
fn a_card_is_authorised_when_somebody_says_so() {
    let rig = asking().start();
    for terminal in BOTH {
        let session = rig.open(terminal, 5000);
        let (status, body) = authorise(&rig, &session);
        assert_eq!((status, &body["code"]), (409, &json!("no_card")), "{body}");
        let card = rig.card_with(Policy::APPROVE);
        rig.tap(terminal, &card);
        rig.wait_state(&session, "card_read");
        assert_eq!(rig.terminal(terminal).count(Command::Auth), 0);
        let (busy, body) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
        assert_eq!((busy, &body["code"]), (409, &json!("terminal_busy")));
        let (status, body) = authorise(&rig, &session);
        assert_eq!(status, 200, "{body}");
        rig.wait_state(&session, "approved");
        let (status, body) = authorise(&rig, &session);
        assert_eq!((status, &body["state"]), (200, &json!("approved")), "{body}");
        assert_eq!(rig.terminal(terminal).count(Command::Auth), 1);
        assert_eq!(rig.commit(&session, 3140)["state"], "committed");
        assert_eq!(rig.taken(&session), Some(3140));
    }
    rig.finish();
}

#[test]
fn a_card_that_nobody_authorises_is_dropped() {
    let rig = asking().policy("authorise_within", "\"3s\"").start();
    for terminal in BOTH {
        let session = read(&rig, terminal);
        let body = rig.wait_state(&session, "cancelled");
        assert_eq!(body["why"], "a card was read, but nobody said in time to authorise it");
        rig.wait_terminal(terminal, "has dropped the card", |seen| seen.state == TerminalState::Enabled);
        assert_eq!(authorise(&rig, &session).1["code"], "no_card");
        assert_eq!(rig.terminal(terminal).count(Command::Auth), 0);
    }
    assert_eq!(rig.bank().holds(), []);
    rig.finish();
}

#[test]
fn a_card_that_was_read_can_be_cancelled() {
    let rig = asking().start();
    for terminal in BOTH {
        let session = read(&rig, terminal);
        assert_eq!(rig.command(&session, "cancel", &json!({}))["state"], "cancelled");
        // The terminal is free for the next driver.
        let next = read(&rig, terminal);
        assert_eq!(authorise(&rig, &next).0, 200);
        rig.wait_state(&next, "approved");
    }
    assert_eq!(rig.bank().holds().len(), 2);
    rig.finish();
}

/// Killed, or the link cut, while a card waits: no hold, and the terminal takes the next card.
#[test]
fn a_card_that_waits_survives_nothing() {
    let rig = asking().start();
    for terminal in BOTH {
        let cut = read(&rig, terminal);
        rig.terminal(terminal).cut();
        rig.wait_state(&cut, "failed");
        let up = || rig.api.get(&format!("/v1/terminals/{terminal}")).1["link"] == "up";
        rig.until("set up again", || up().then_some(()));
        rig.wait_ready();
        let killed = read(&rig, terminal);
        rig.kill9();
        rig.start_again();
        let body = rig.wait_state(&killed, "failed");
        assert_eq!(body["why"], "the orchestrator stopped before anybody said to authorise the card");
        let next = read(&rig, terminal);
        assert_eq!(authorise(&rig, &next).0, 200);
        rig.wait_state(&next, "approved");
    }
    assert_eq!(rig.bank().holds().len(), 2);
    rig.finish();
}

/// A card that is charging stops its session without a question, and one without energy gives its earlier hold back before it.
#[test]
fn taps_go_before_the_question() {
    let rig = asking().start();
    for terminal in BOTH {
        let card = rig.new_card();
        let charging = rig.open(terminal, 5000);
        rig.tap(terminal, &card);
        rig.wait_state(&charging, "card_read");
        assert_eq!(authorise(&rig, &charging).0, 200);
        rig.wait_state(&charging, "approved");
        let again = rig.open(terminal, 5000);
        rig.tap(terminal, &card);
        rig.wait_state(&again, "card_read");
        assert_eq!(rig.wait_state(&charging, "voided")["disposal"]["by"], "duplicate_tap");
        assert_eq!(authorise(&rig, &again).0, 200);
        rig.wait_state(&again, "approved");
        rig.energy(&again, 800);
        let stops = rig.open(terminal, 5000);
        rig.tap(terminal, &card);
        rig.wait_state(&stops, "cancelled");
        assert_eq!(rig.terminal(terminal).count(Command::Auth), 2);
        rig.commit(&again, 800);
    }
    rig.finish();
}

#[test]
fn where_nobody_is_asked_the_word_is_no_mistake() {
    let rig = Rig::pair().start();
    for terminal in BOTH {
        let session = rig.open(terminal, 5000);
        let (status, body) = authorise(&rig, &session);
        assert_eq!((status, &body["state"]), (200, &json!("waiting_card")), "{body}");
        rig.tap(terminal, &rig.new_card());
        rig.wait_state(&session, "approved");
        assert_eq!(authorise(&rig, &session).0, 200);
        assert_eq!(authorise(&rig, "01936b1e-7c00-7000-8000-000000000001").1["code"], "session_unknown");
    }
    rig.finish();
}

/// A terminal that scans all the time asks, too: its session begins with the card, and nobody's word means the next driver's turn.
#[test]
fn a_scanned_card_waits_for_a_word() {
    let rig = asking().terminal("scan", "\"always\"").terminal("preauth", "2500").start();
    for terminal in BOTH {
        let waits = |known: Option<&str>| {
            rig.until("a scanned card", || {
                let sessions = rig.api.sessions(&format!("&terminal={terminal}&state=card_read"));
                let id = |session: &Value| session["id"].as_str().unwrap().to_owned();
                sessions.iter().map(id).find(|id| known != Some(id.as_str()))
            })
        };
        rig.tap(terminal, &rig.new_card());
        let cancelled = waits(None);
        rig.command(&cancelled, "cancel", &json!({}));
        rig.wait_state(&cancelled, "cancelled");

        rig.tap(terminal, &rig.new_card());
        let session = waits(Some(&cancelled));
        assert_eq!(rig.terminal(terminal).count(Command::Auth), 0);
        assert_eq!(authorise(&rig, &session).0, 200);
        assert_eq!(rig.wait_state(&session, "approved")["amount_held"], 2500);
        assert_eq!(rig.commit(&session, 900)["state"], "committed");
        assert_eq!(rig.taken(&session), Some(900));
    }
    rig.finish();
}
