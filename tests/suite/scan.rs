//! Terminals that scan all the time: whoever presents a card gets a session, without anybody having asked for one.

use quittance::protocol::response::TerminalState;
use quittance::sim::{Command as Heard, Policy};
use serde_json::{Value, json};

use super::rig::{Builder, Rig};

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

/// One of each family, which hold 25.00 for whoever comes.
fn scanning() -> Builder {
    Rig::pair().connectors(2).terminal("scan", "\"always\"").terminal("preauth", "2500")
}

/// The newest session of this terminal, as soon as it is another one than `before` and is in this state.
fn newest(rig: &Rig, terminal: &str, before: &[String], state: &str) -> Value {
    rig.until(state, || {
        let sessions = rig.api.sessions(&format!("&terminal={terminal}"));
        sessions
            .into_iter()
            .find(|session| session["state"] == state && !before.iter().any(|known| session["id"] == known.as_str()))
    })
}

fn id(session: &Value) -> String {
    session["id"].as_str().unwrap().to_owned()
}

/// A tap alone makes a session with a hold, on the first free plug; the flow is open again for the next driver, and commits go on
/// beside it. With all plugs taken nobody can tap; with one free again, the next one can.
#[test]
fn a_card_makes_a_session() {
    let rig = scanning().start();
    for terminal in [APOLLO, P6X] {
        rig.tap(terminal, &rig.new_card());
        let one = newest(&rig, terminal, &[], "approved");
        assert_eq!((&one["connector"], &one["amount_requested"], &one["amount_held"]), (&json!(1), &json!(2500), &json!(2500)));
        rig.tap(terminal, &rig.new_card());
        let two = newest(&rig, terminal, &[id(&one)], "approved");
        assert_eq!(two["connector"], 2);
        rig.wait_terminal(terminal, "is full", |seen| seen.state == TerminalState::Enabled);

        // Another plug is free when the first driver has paid, and then the terminal waits for the next card again.
        assert_eq!(rig.commit(&id(&one), 1100)["state"], "committed");
        rig.tap(terminal, &rig.new_card());
        let three = newest(&rig, terminal, &[id(&one), id(&two)], "approved");
        assert_eq!(three["connector"], 1);
        // Beside an open flow.
        rig.void(&id(&three));
        rig.wait_terminal(terminal, "waits for a card", |seen| seen.state == TerminalState::WaitCard);
        assert_eq!(rig.commit(&id(&two), 1200)["state"], "committed");
        assert_eq!((rig.taken(&id(&one)), rig.taken(&id(&two)), rig.taken(&id(&three))), (Some(1100), Some(1200), None));
        // Three cards, three sessions: a card flow in which nobody came is no session.
        assert_eq!(rig.api.sessions(&format!("&terminal={terminal}")).len(), 3);
    }
    rig.finish();
}

/// The same card again while it charges: the listeners are told, and no session is left behind. Before it charges: the earlier
/// hold is voided for the new one.
#[test]
fn the_same_card_taps_again() {
    let rig = scanning().start();
    for terminal in [APOLLO, P6X] {
        let card = rig.new_card();
        rig.tap(terminal, &card);
        let first = id(&newest(&rig, terminal, &[], "approved"));
        rig.tap(terminal, &card);
        let second = id(&newest(&rig, terminal, std::slice::from_ref(&first), "approved"));
        rig.wait_state(&first, "voided");

        rig.energy(&second, 700);
        let version = rig.session(&second)["version"].as_u64().unwrap();
        let starts = rig.terminal(terminal).count(Heard::Start);
        rig.tap(terminal, &card);
        rig.wait_session(&second, "told", |body| body["version"].as_u64().unwrap() > version);
        rig.wait_terminal(terminal, "scans again", |seen| {
            seen.state == TerminalState::WaitCard && seen.heard.get(&Heard::Start) > Some(&starts)
        });
        assert_eq!(rig.api.sessions(&format!("&terminal={terminal}")).len(), 2, "a tap to stop leaves no session");
        let body = rig.commit(&second, 700);
        assert_eq!(body["state"], "committed", "{body}");
    }
    let shown = rig.journal_show();
    assert_eq!(shown.matches("stop_tapped").count(), 2, "{shown}");
    rig.finish();
}

/// Whoever asks for a card flow comes first; afterwards the terminal scans again.
#[test]
fn a_caller_takes_precedence() {
    let rig = scanning().start();
    for terminal in [APOLLO, P6X] {
        rig.wait_terminal(terminal, "scans", |seen| seen.state == TerminalState::WaitCard);
        let (status, session) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 4200, "connector": 2 }));
        assert_eq!(status, 201, "{session}");
        let starts = || rig.terminal(terminal).count(Heard::Start);
        rig.wait_terminal(terminal, "asks for the caller", |seen| {
            seen.state == TerminalState::WaitCard && seen.heard.get(&Heard::Start) == Some(&2)
        });
        // One caller at a time.
        let (status, refused) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
        assert_eq!((status, &refused["code"]), (409, &json!("terminal_busy")), "{refused}");
        rig.tap(terminal, &rig.new_card());
        let body = rig.wait_state(&id(&session), "approved");
        assert_eq!((&body["amount_held"], &body["connector"]), (&json!(4200), &json!(2)), "{body}");
        rig.wait_terminal(terminal, "scans again", |seen| seen.state == TerminalState::WaitCard);
        assert_eq!(starts(), 3);
        rig.tap(terminal, &rig.new_card());
        let scanned = newest(&rig, terminal, &[id(&session)], "approved");
        assert_eq!((&scanned["amount_held"], &scanned["connector"]), (&json!(2500), &json!(1)), "{scanned}");
    }
    rig.finish();
}

/// A terminal that is drained, reconciled, cut off or declined goes on scanning as soon as it may.
#[test]
fn scanning_pauses_and_goes_on() {
    let rig = scanning().start();
    for terminal in [APOLLO, P6X] {
        let scans = |what: &str| {
            rig.wait_terminal(terminal, what, |seen| seen.state == TerminalState::WaitCard);
        };
        scans("scans");
        let (status, body) = rig.api.post(&format!("/v1/terminals/{terminal}/drain"), &json!({}));
        assert_eq!((status, &body["draining"]), (200, &json!(true)), "{body}");
        rig.wait_terminal(terminal, "drains", |seen| seen.state == TerminalState::Enabled);
        assert_eq!(rig.api.post(&format!("/v1/terminals/{terminal}/resume"), &json!({})).0, 200);
        scans("scans after a drain");

        // A list is fetched without a card flow beside it.
        let (status, report) = rig.api.post(&format!("/v1/terminals/{terminal}/reconcile"), &json!({}));
        assert_eq!((status, &report["result"]), (200, &json!("clean")), "{report}");
        scans("scans after a reconciliation");

        rig.terminal(terminal).cut();
        rig.wait_terminal(terminal, "scans after a cut", |seen| {
            seen.state == TerminalState::WaitCard && seen.heard.get(&Heard::Reset) > Some(&1)
        });

        rig.tap(terminal, &rig.card_with(Policy::decline(0x09)));
        let declined = newest(&rig, terminal, &[], "declined");
        scans("scans after a decline");
        rig.tap(terminal, &rig.new_card());
        newest(&rig, terminal, &[id(&declined)], "approved");
    }
    rig.finish();
}

/// When nobody has come for as long as a card flow may take, the flow is opened anew, and the link is kept.
#[test]
fn nobody_comes_for_a_long_time() {
    let rig = scanning().timeout("card", "\"300ms\"").start();
    for terminal in [APOLLO, P6X] {
        rig.wait_terminal(terminal, "was asked four times", |seen| seen.heard.get(&Heard::Start) >= Some(&4));
        assert_eq!(rig.terminal(terminal).count(Heard::Reset), 1, "the link was lost");
        // A card that comes in the moment in which a scan is ended goes with it, and its owner holds it there again.
        let card = rig.new_card();
        rig.until("a session", || {
            let sessions = rig.api.sessions(&format!("&terminal={terminal}"));
            if !sessions.iter().any(|session| session["state"] == "authorising" || session["state"] == "approved") {
                rig.terminal(terminal).tap(&card);
            }
            sessions.into_iter().find(|session| session["state"] == "approved")
        });
    }
    rig.finish();
}

/// The program is killed while terminals scan: nothing was journaled of that, and nothing is to be cleared up.
#[test]
fn a_scan_is_nothing_to_remember() {
    let rig = scanning().start();
    for terminal in [APOLLO, P6X] {
        rig.wait_terminal(terminal, "scans", |seen| seen.state == TerminalState::WaitCard);
    }
    rig.kill9();
    rig.start_again();
    for terminal in [APOLLO, P6X] {
        rig.tap(terminal, &rig.new_card());
        newest(&rig, terminal, &[], "approved");
    }
    assert_eq!(rig.api.sessions("").len(), 2);
    rig.finish();
}
