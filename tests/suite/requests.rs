//! What integrators ask of a terminal beside money, on its real wire.

use quittance::protocol::response::TerminalState;
use quittance::sim::{Command as Heard, Fault, Paper, SimCard, SimHandle};
use serde_json::{Value, json};

use super::rig::Rig;

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

fn ask(rig: &Rig, terminal: &str, request: &Value) -> (u16, Value) {
    rig.api.post(&format!("/v1/terminals/{terminal}/request"), request)
}

/// The answer to a request that is answered.
fn answer(rig: &Rig, terminal: &str, request: Value) -> Value {
    let (status, body) = ask(rig, terminal, &request);
    assert_eq!(status, 200, "{request}: {body}");
    body
}

fn on_a_thread<T: Send>(
    rig: &Rig,
    terminal: &str,
    request: Value,
    meanwhile: impl FnOnce(&SimHandle) -> T,
) -> ((u16, Value), T) {
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(rig, terminal, &request));
        let done = meanwhile(rig.terminal(terminal));
        (asked.join().unwrap(), done)
    })
}

/// Raw payloads go out and come back as they are, and the answers are the terminal's own.
#[test]
fn each_family_answers_what_it_knows() {
    let rig = Rig::pair().start();
    for terminal in [APOLLO, P6X] {
        let body = answer(&rig, terminal, json!({ "request": "get_status" }));
        assert_eq!(body, json!({ "response": "status", "state": "enabled", "running": false }));
        let body = answer(&rig, terminal, json!({ "request": "request_ids" }));
        assert!(body["serial_number"].as_str().unwrap().ends_with(terminal), "{body}");
    }
    let papers = [
        (APOLLO, "get_connection_info", "connection_info", Paper::ConnectionInfo),
        (APOLLO, "get_receipt", "receipt", Paper::Receipt),
        (APOLLO, "get_transaction_record", "transaction_record", Paper::TransactionRecord),
        (P6X, "read_file", "file", Paper::File),
    ];
    for (terminal, request, response, paper) in papers {
        rig.terminal(terminal).set_paper(paper, Some(&[0x00, 0xCC, 0xFF]));
        let body = answer(&rig, terminal, json!({ "request": request }));
        assert_eq!(body, json!({ "response": response, "payload": "00ccff" }));
        rig.terminal(terminal).set_paper(paper, None);
        let body = answer(&rig, terminal, json!({ "request": request }));
        assert_eq!((&body["response"], &body["ok"]), (&json!("result"), &json!(false)), "{body}");
    }
    let body = answer(&rig, APOLLO, json!({ "request": "select_language", "payload": "646500" }));
    assert_eq!(body["ok"], true, "{body}");
    assert_eq!(rig.terminal(APOLLO).language(), Some(vec![0x64, 0x65, 0x00]));
    rig.finish();
}

/// What the family does not know is refused before the wire, in words.
#[test]
fn what_a_family_does_not_know_is_not_sent() {
    let rig = Rig::pair().start();
    let of_apollo = [
        json!({ "request": "get_receipt" }),
        json!({ "request": "get_connection_info" }),
        json!({ "request": "get_transaction_record" }),
        json!({ "request": "select_language", "payload": "00" }),
        json!({ "request": "ui", "type": "info", "values": [["title", "x"]] }),
        json!({ "request": "read_card" }),
        json!({ "request": "exchange", "payload": "00" }),
        json!({ "request": "mifare", "payload": "00" }),
        json!({ "request": "reboot" }),
    ];
    let of_p6x = json!({ "request": "read_file" });
    let rows = of_apollo.iter().map(|request| (P6X, request, "Apollo")).chain([(APOLLO, &of_p6x, "P6X")]);
    for (terminal, request, who) in rows {
        let (status, body) = ask(&rig, terminal, request);
        assert_eq!((status, &body["code"]), (409, &json!("not_supported")), "{request}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(who), "{body}");
    }
    let (apollo, p6x) = (rig.terminal(APOLLO), rig.terminal(P6X));
    assert_eq!((apollo.count(Heard::ReadFile), p6x.count(Heard::Other)), (0, 0));
    for kind in [
        Heard::Receipt,
        Heard::ConnectionInfo,
        Heard::TransactionRecord,
        Heard::Language,
        Heard::Ui,
        Heard::ReadCard,
        Heard::Exchange,
        Heard::MiFare,
        Heard::Control,
    ] {
        assert_eq!(p6x.count(kind), 0, "{kind:?}");
    }
    rig.finish();
}

/// A badge is read for an integrator, spoken to, and let go; a session has the lane again afterwards.
#[test]
fn a_badge_is_read_and_spoken_to() {
    let rig = Rig::builder().apollos(1).terminal("scan", "\"always\"").terminal("preauth", "2500").start();
    let badge = SimCard::badge(7).answering(&[0x00, 0xA4], &[0x90, 0x00]);
    let (status, body) = ask(&rig, APOLLO, &json!({ "request": "exchange", "payload": "00A4" }));
    assert_eq!((status, &body["code"]), (503, &json!("terminal_not_ready")), "{body}");

    // The terminal scans, and gives way.
    let reads = json!({ "request": "read_card", "message": "Your badge, please" });
    let ((status, body), ()) = on_a_thread(&rig, APOLLO, reads.clone(), |_| {
        rig.wait_terminal(APOLLO, "reads", |seen| seen.heard.get(&Heard::ReadCard) == Some(&1));
        rig.tap(APOLLO, &badge);
    });
    assert_eq!((status, &body["response"]), (200, &json!("proprietary_card_read")), "{body}");
    let (status, refused) = rig.api.post("/v1/sessions", &json!({ "terminal": APOLLO, "amount": 100 }));
    assert_eq!((status, &refused["code"]), (409, &json!("terminal_busy")), "{refused}");
    let body = answer(&rig, APOLLO, json!({ "request": "exchange", "payload": "00a4" }));
    assert_eq!(body, json!({ "response": "proprietary_response", "payload": "9000" }));
    let body = answer(&rig, APOLLO, json!({ "request": "mifare", "payload": "30" }));
    assert_eq!(body["payload"], "6d00", "{body}");
    assert_eq!(answer(&rig, APOLLO, json!({ "request": "cancel_card" })), json!({ "response": "cancelled" }));

    // One that is given up before a card came.
    let ((status, body), ()) = on_a_thread(&rig, APOLLO, reads, |_| {
        rig.wait_terminal(APOLLO, "reads again", |seen| {
            seen.heard.get(&Heard::ReadCard) == Some(&2) && seen.state == TerminalState::WaitCard
        });
        assert_eq!(answer(&rig, APOLLO, json!({ "request": "cancel_card" })), json!({ "response": "cancelled" }));
    });
    assert_eq!((status, body), (200, json!({ "response": "cancelled" })));

    // And it scans again.
    rig.tap(APOLLO, &rig.new_card());
    rig.until("a session", || (rig.api.sessions("&state=approved").len() == 1).then_some(()));
    rig.finish();
}

/// A badge that is presented for a session ends it, and the session says which card that was.
#[test]
fn a_badge_pays_nothing() {
    let rig = Rig::builder().apollos(1).start();
    let session = rig.open(APOLLO, 5000);
    rig.tap(APOLLO, &SimCard::badge(7));
    let body = rig.wait_state(&session, "cancelled");
    assert_eq!(body["card"]["hash"].as_str().unwrap().len(), 40, "{body}");
    assert!(body["why"].as_str().unwrap().contains("no bank card"), "{body}");
    rig.approve(APOLLO, 5000);
    rig.finish();
}

/// Nothing is asked beside a card that is being authorised: a terminal that does not answer costs its link, and then somebody's money
/// would be in doubt.
#[test]
fn nothing_is_asked_beside_an_authorisation() {
    let rig = Rig::builder().apollos(1).start();
    let session = rig.open(APOLLO, 5000);
    rig.terminal(APOLLO).plan(Heard::Auth, Fault::Delay(std::time::Duration::from_secs(5)));
    rig.tap(APOLLO, &rig.new_card());
    rig.wait_terminal(APOLLO, "authorises", |seen| seen.heard.get(&Heard::Auth) == Some(&1));
    for request in ["reboot", "get_receipt", "read_card"] {
        let (status, body) = ask(&rig, APOLLO, &json!({ "request": request }));
        assert_eq!((status, &body["code"]), (409, &json!("terminal_busy")), "{body}");
    }
    rig.wait_state(&session, "approved");
    rig.finish();
}

/// A terminal that does not answer is said to be so, is set up again, and its holds are safe.
#[test]
fn a_request_that_is_not_answered() {
    let rig = Rig::builder().apollos(1).timeout("command", "\"300ms\"").start();
    let session = rig.approve(APOLLO, 5000);
    rig.terminal(APOLLO).plan(Heard::ConnectionInfo, Fault::LoseRequest);
    let (status, body) = ask(&rig, APOLLO, &json!({ "request": "get_connection_info" }));
    assert_eq!((status, &body["code"]), (504, &json!("terminal_unanswered")), "{body}");
    assert_eq!(rig.commit(&session, 1500)["state"], "committed");
    assert_eq!(rig.taken(&session), Some(1500));
    rig.finish();
}

/// A reboot would throw out whoever stands before the terminal: while a card flow is open, for a session, a scan or an integrator, it is
/// refused, and the card is authorised as if nobody had asked.
#[test]
fn no_reboot_under_the_hands_of_a_driver() {
    let rig = Rig::builder().apollos(1).start();
    let refused = || {
        let (status, body) = ask(&rig, APOLLO, &json!({ "request": "reboot" }));
        assert_eq!((status, &body["code"]), (409, &json!("terminal_busy")), "{body}");
    };
    let session = rig.open(APOLLO, 5000);
    refused();
    rig.tap(APOLLO, &rig.new_card());
    rig.wait_state(&session, "approved");
    rig.wait_terminal(APOLLO, "enabled", |seen| seen.state == TerminalState::Enabled);

    let ((status, _), ()) = on_a_thread(&rig, APOLLO, json!({ "request": "read_card" }), |terminal| {
        rig.wait_terminal(APOLLO, "waits for a card", |seen| seen.state == TerminalState::WaitCard);
        refused();
        assert!(terminal.tap(&rig.new_card()));
    });
    assert_eq!(status, 200);
    refused();
    answer(&rig, APOLLO, json!({ "request": "cancel_card" }));
    assert_eq!(rig.terminal(APOLLO).count(Heard::Control), 0);
    rig.void(&session);
    rig.finish();

    let scans = Rig::builder().apollos(1).terminal("scan", "\"always\"").terminal("preauth", "2500").start();
    scans.wait_terminal(APOLLO, "waits for a card", |seen| seen.state == TerminalState::WaitCard);
    let (status, body) = ask(&scans, APOLLO, &json!({ "request": "reboot" }));
    assert_eq!((status, &body["code"]), (409, &json!("terminal_busy")), "{body}");
    // Drained, it takes no more cards.
    assert_eq!(scans.api.post(&format!("/v1/terminals/{APOLLO}/drain"), &json!({})).0, 200);
    scans.wait_terminal(APOLLO, "enabled", |seen| seen.state == TerminalState::Enabled);
    let body = scans
        .until("rebooted", || Some(ask(&scans, APOLLO, &json!({ "request": "reboot" })).1).filter(|body| body["ok"] == true));
    assert_eq!(body["response"], "result");
    scans.finish();
}

/// A reboot is answered, the terminal is set up again afterwards, and its hold is disposed of.
#[test]
fn a_terminal_reboots() {
    let rig = Rig::builder().apollos(1).start();
    let session = rig.approve(APOLLO, 5000);
    let body = answer(&rig, APOLLO, json!({ "request": "reboot" }));
    assert_eq!(body["ok"], true, "{body}");
    rig.wait_terminal(APOLLO, "is set up again", |seen| seen.heard.get(&Heard::Enable) == Some(&2));
    assert_eq!(rig.commit(&session, 1500)["state"], "committed");
    assert_eq!(rig.taken(&session), Some(1500));
    rig.finish();
}

/// A screen with buttons, and the button that somebody presses: whoever reads the journal hears of it.
#[test]
fn a_button_is_journaled() {
    let rig = Rig::builder().apollos(1).start();
    let screen = json!({
        "request": "ui", "type": "dialog",
        "values": [["title", "Receipt?"], ["buttons.yes", ""], ["buttons.yes.label", "Yes"], ["buttons.no", ""]],
    });
    assert_eq!(answer(&rig, APOLLO, screen)["ok"], true);
    assert!(rig.terminal(APOLLO).press("yes"));
    rig.until("journaled", || rig.journal_show().contains("button_pressed").then_some(()));
    assert!(rig.journal_show().contains("yes"));
    let body = answer(&rig, APOLLO, json!({ "request": "ui", "type": "nonsense", "values": [] }));
    assert_eq!(body["reason"], "incorrect UI screen (0x08)", "{body}");
    rig.finish();
}
