//! What operators and integrators do with a terminal, beside taking money with it.

use std::time::Duration;

use quittance::protocol::request::Options;
use quittance::sim::{Command as Heard, Policy, Screen, Snapshot};
use serde_json::json;

use super::rig::Rig;

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

/// A terminal that was quarantined for an hour is there at once when somebody asks for it.
#[test]
fn a_person_ends_a_quarantine() {
    let rig = Rig::pair().with_serial_numbers().supervision("quarantine_retry", "\"1h\"").start();
    for (terminal, serial_number) in [(APOLLO, "APO-apollo-1"), (P6X, "P6X-p6x-1")] {
        rig.terminal(terminal).set_serial_number("SOMEBODY-ELSE");
        rig.terminal(terminal).cut();
        let quarantined = || rig.metric("quittance_terminal_quarantined", &[("terminal", terminal)]) == 1.0;
        rig.until("quarantined", || quarantined().then_some(()));
        rig.terminal(terminal).set_serial_number(serial_number);
        let (status, body) = rig.api.post(&format!("/v1/terminals/{terminal}/reconnect"), &json!({}));
        assert_eq!((status, &body["id"]), (200, &json!(terminal)), "{body}");
        rig.until("up", || (rig.metric("quittance_link_up", &[("terminal", terminal)]) == 1.0).then_some(()));
        assert!(!quarantined());
    }
    rig.finish();
}

/// A card that is being authorised is waited for: the hold is known, and only then is the link another one.
#[test]
fn a_new_link_waits_for_an_authorisation() {
    let rig = Rig::pair().start();
    for terminal in [APOLLO, P6X] {
        let session = rig.open(terminal, 5000);
        let slow = rig.card_with(Policy { answers_after: Duration::from_millis(500), ..Policy::APPROVE });
        rig.tap(terminal, &slow);
        rig.wait_terminal(terminal, "authorises", |seen| seen.heard.get(&Heard::Auth) == Some(&1));
        let (status, body) = rig.api.post(&format!("/v1/terminals/{terminal}/reconnect"), &json!({}));
        assert_eq!(status, 200, "{body}");
        rig.wait_state(&session, "approved");
        let labels = [("terminal", terminal), ("reason", "asked")];
        rig.until("another link", || (rig.metric("quittance_link_restarts_total", &labels) == 1.0).then_some(()));
        assert_eq!(rig.commit(&session, 1500)["state"], "committed");
        assert_eq!(rig.taken(&session), Some(1500));
    }
    rig.finish();
}

/// What an Apollo shows when no card flow has its display.
fn shows(seen: &Snapshot, title: &str, message: Option<&str>) -> bool {
    matches!(&seen.screen, Some(Screen::Ui(ui)) if ui.get("title") == Some(title) && ui.get("message") == message)
}

/// Each moment has its screen; a terminal that refuses one goes on taking money; P6X are shown nothing.
#[test]
fn screens_follow_what_happens() {
    let ui = [
        r#"ready = { type = "notification", title = "Welcome to {site}" }"#,
        r#"please_wait = { type = "spinner", title = "One moment", amount = "{amount}", currency = "{currency}" }"#,
        r#"approved = { type = "notification", title = "Approved", message = "Plug {connector}", icon = "approved", color = "green" }"#,
        r#"declined = { type = "notification", title = "Declined", icon = "declined", color = "red" }"#,
        r#"thank_you = { type = "notification", title = "Thank you", message = "{amount} {currency}" }"#,
        r#"out_of_service = { type = "info", title = "{terminal} is closed" }"#,
    ];
    let rig = Rig::builder().apollos(1).terminal("ui", &format!("{{ {} }}", ui.join(", "))).start();
    let until = |what: &str, title: &str, message: Option<&str>| {
        rig.wait_terminal(APOLLO, what, |seen| shows(seen, title, message));
    };
    let closed = |verb: &str| assert_eq!(rig.api.post(&format!("/v1/terminals/{APOLLO}/{verb}"), &json!({})).0, 200);
    until("welcomes", "Welcome to rig", None);
    closed("drain");
    until("is closed", "apollo-1 is closed", None);
    closed("resume");
    until("welcomes again", "Welcome to rig", None);

    let session = rig.open(APOLLO, 5000);
    let screens = rig.terminal(APOLLO).count(Heard::Ui);
    rig.tap(APOLLO, &rig.card_with(Policy::slow(Duration::from_millis(500))));
    rig.wait_state(&session, "approved");
    let nth = |command, nth: u64| rig.terminal(APOLLO).requests(command)[usize::try_from(nth).unwrap()].order;
    assert!(nth(Heard::Ui, screens) < nth(Heard::Auth, 0), "one moment is said before the bank is asked");
    until("says which plug", "Approved", Some("Plug 1"));
    rig.commit(&session, 1505);
    until("says what it cost", "Thank you", Some("15.05 EUR"));

    rig.terminal(APOLLO).refuse_next(Heard::Ui, 0x08);
    let declined = rig.open(APOLLO, 5000);
    rig.tap(APOLLO, &rig.card_with(Policy::decline(0x09)));
    rig.wait_state(&declined, "declined");
    let refused = || rig.metric("quittance_frame_errors_total", &[("terminal", APOLLO), ("kind", "refused_screen")]);
    rig.until("counted", || (refused() == 1.0).then_some(()));
    assert_eq!(rig.terminal(APOLLO).count(Heard::Reset), 1, "a screen has cost the link");
    rig.finish();
}

/// A terminal that does not answer screens loses its link once for it, and is shown nothing more.
#[test]
fn screens_that_are_not_answered_are_given_up() {
    let ui = r#"{ ready = { type = "info", title = "Welcome" }, out_of_service = { type = "info", title = "Closed" } }"#;
    let rig = Rig::builder().apollos(1).terminal("ui", ui).timeout("command", "\"2s\"").start();
    rig.wait_terminal(APOLLO, "welcomes", |seen| shows(seen, "Welcome", None));
    rig.terminal(APOLLO).plan(Heard::Ui, quittance::sim::Fault::LoseRequest);
    assert_eq!(rig.api.post(&format!("/v1/terminals/{APOLLO}/drain"), &json!({})).0, 200);
    rig.wait_terminal(APOLLO, "is set up again", |seen| seen.heard.get(&Heard::Enable) == Some(&2));
    assert_eq!(rig.api.post(&format!("/v1/terminals/{APOLLO}/resume"), &json!({})).0, 200);
    let session = rig.approve(APOLLO, 5000);
    rig.commit(&session, 1500);
    assert_eq!(rig.terminal(APOLLO).count(Heard::Ui), 2);
    rig.finish();
}

/// Options that a terminal does not accept are shown, logged, and done without: also the extended block, whose frames would not be
/// understood.
#[test]
fn options_are_compared_with_what_was_asked() {
    let rig = Rig::builder()
        .apollos(1)
        .terminal("protocol", "{ extended_block = true, declined_dol = true, events = false }")
        .start();
    let protocol = || rig.api.get(&format!("/v1/terminals/{APOLLO}")).1["protocol"].clone();
    let all = json!(["authorization_dol", "extended_block", "detailed_codes", "declined_dol"]);
    assert_eq!(protocol(), json!({ "version": 3, "options": all, "missing": [] }));
    let session = rig.approve(APOLLO, 5000);
    assert_eq!(rig.commit(&session, 1500)["state"], "committed");
    assert!(!rig.said().contains("not with all Protocol options"));

    rig.terminal(APOLLO).set_quirks(|quirks| quirks.accepted_options = Options::AUTHORIZATION_DOL);
    rig.terminal(APOLLO).cut();
    let less = json!({ "version": 3, "options": ["authorization_dol"], "missing": ["extended_block", "detailed_codes", "declined_dol"] });
    rig.until("compared again", || (protocol() == less).then_some(()));
    rig.wait_ready();
    let session = rig.approve(APOLLO, 5000);
    assert_eq!(rig.commit(&session, 1500)["state"], "committed");
    assert!(rig.said().contains("not with all Protocol options"));
    rig.finish();
}
