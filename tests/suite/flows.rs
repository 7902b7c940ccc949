//! What happens every day, on both families, with the bank's books as the measure.

use quittance::money::Amount;
use quittance::sim::Policy;
use serde_json::json;

use super::rig::Rig;

const BOTH: [&str; 2] = ["apollo-1", "p6x-1"];

#[test]
fn an_approved_session_is_committed_for_what_was_charged() {
    let rig = Rig::pair().start();
    for terminal in BOTH {
        let session = rig.approve(terminal, 5000);
        rig.energy(&session, 1240);
        let body = rig.commit(&session, 3140);
        assert_eq!(body["state"], "committed", "{body}");
        assert_eq!(body["disposal"]["confirmed_by"], "result_ok");
        assert_eq!(
            (&body["amount_held"], &body["amount_energy"], &body["amount_final"]),
            (&json!(5000), &json!(1240), &json!(3140))
        );
        assert_eq!(rig.taken(&session), Some(3140));
        let labels = [("terminal", terminal)];
        assert_eq!(rig.metric("quittance_sessions_approved_total", &labels), 1.0);
        assert_eq!(rig.metric("quittance_committed_amount_minor_total", &labels), 3140.0);
        assert_eq!(rig.metric("quittance_sessions_undisposed", &labels), 0.0);
    }
    rig.finish();
}

#[test]
fn an_approved_session_is_voided() {
    let rig = Rig::pair().start();
    for terminal in BOTH {
        let session = rig.approve(terminal, 5000);
        let body = rig.void(&session);
        assert_eq!((&body["state"], &body["amount_final"]), (&json!("voided"), &json!(0)));
        assert_eq!(rig.taken(&session), None);
        let zero = rig.approve(terminal, 700);
        assert_eq!(rig.commit(&zero, 0)["disposal"]["decision"], "void");
        assert_eq!(rig.taken(&zero), None);
    }
    rig.finish();
}

#[test]
fn a_declined_card_leaves_nothing_behind() {
    let rig = Rig::pair().start();
    for terminal in BOTH {
        let session = rig.open(terminal, 5000);
        rig.tap(terminal, &rig.card_with(Policy::decline(0x09)));
        let body = rig.wait_state(&session, "declined");
        assert_eq!(body["terminal_session_id"], json!(null));
        assert_eq!(rig.metric("quittance_sessions_declined_total", &[("terminal", terminal)]), 1.0);
        rig.approve(terminal, 100);
    }
    assert_eq!(rig.bank().holds().len(), 2);
    rig.finish();
}

#[test]
fn a_flow_is_cancelled_before_a_card_comes() {
    let rig = Rig::pair().start();
    for terminal in BOTH {
        let session = rig.open(terminal, 5000);
        rig.command(&session, "cancel", &json!({}));
        rig.wait_state(&session, "cancelled");
        let next = rig.approve(terminal, 100);
        let (status, body) = rig.api.post(&format!("/v1/sessions/{next}/cancel"), &json!({}));
        assert_eq!((status, &body["code"]), (409, &json!("has_hold")));
    }
    rig.finish();
}

#[test]
fn nobody_presents_a_card() {
    let rig = Rig::pair().start();
    for terminal in BOTH {
        rig.terminal(terminal).set_quirks(|quirks| quirks.card_timeout = std::time::Duration::from_millis(200));
        let session = rig.open(terminal, 5000);
        rig.wait_state(&session, "cancelled");
        rig.terminal(terminal).set_quirks(|quirks| quirks.card_timeout = std::time::Duration::from_secs(60));
        rig.approve(terminal, 100);
    }
    assert_eq!(rig.bank().holds().len(), 2);
    rig.finish();
}

#[test]
fn an_apollo_holds_less_than_was_asked_for() {
    let rig = Rig::builder().apollos(1).start();
    let session = rig.open("apollo-1", 5000);
    rig.tap("apollo-1", &rig.card_with(Policy::partial(Amount::from_minor(2000))));
    let body = rig.wait_state(&session, "approved");
    assert_eq!((&body["amount_requested"], &body["amount_held"]), (&json!(5000), &json!(2000)));
    let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit"), &json!({ "amount": 2001 }));
    assert_eq!((status, &body["code"]), (422, &json!("over_commit")));
    assert_eq!(rig.commit(&session, 2000)["state"], "committed");
    assert_eq!(rig.taken(&session), Some(2000));
    rig.finish();
}

#[test]
fn two_connectors_hold_at_once_and_a_third_driver_waits() {
    let rig = Rig::pair().connectors(2).start();
    for terminal in BOTH {
        let first = rig.approve(terminal, 4000);
        let second = rig.approve(terminal, 3000);
        assert_eq!((&rig.session(&first)["connector"], &rig.session(&second)["connector"]), (&json!(1), &json!(2)));
        assert_eq!(rig.metric("quittance_held_amount_minor", &[("terminal", terminal)]), 7000.0);
        let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
        assert_eq!((status, &body["code"]), (409, &json!("terminal_full")));
        assert_eq!(rig.commit(&second, 2500)["state"], "committed");
        assert_eq!(rig.void(&first)["state"], "voided");
        assert_eq!((rig.taken(&first), rig.taken(&second)), (None, Some(2500)));
    }
    rig.finish();
}

#[test]
fn the_same_card_again_voids_the_hold_without_energy() {
    let rig = Rig::pair().connectors(2).start();
    for terminal in BOTH {
        let card = rig.new_card();
        let [earlier, later] = [(); 2].map(|()| {
            let session = rig.open(terminal, 5000);
            rig.tap(terminal, &card);
            rig.wait_state(&session, "approved");
            session
        });
        let body = rig.wait_state(&earlier, "voided");
        assert_eq!(body["disposal"]["by"], "duplicate_tap");
        assert_eq!(rig.taken(&earlier), None);
        assert_eq!(rig.commit(&later, 900)["state"], "committed");
        assert_eq!(rig.taken(&later), Some(900));
    }
    rig.finish();
}

#[test]
fn the_same_card_again_stops_what_is_charging() {
    let rig = Rig::pair().connectors(2).start();
    for terminal in BOTH {
        let card = rig.new_card();
        let charging = rig.open(terminal, 5000);
        rig.tap(terminal, &card);
        rig.wait_state(&charging, "approved");
        rig.energy(&charging, 800);
        let version = rig.session(&charging)["version"].as_u64().unwrap();
        let tapped = rig.open(terminal, 5000);
        rig.tap(terminal, &card);
        rig.wait_state(&tapped, "cancelled");
        let told = rig.wait_session(&charging, "told", |body| body["version"].as_u64() > Some(version));
        assert_eq!(told["state"], "approved", "whoever delivers the energy decides what it costs: {told}");
        assert_eq!(rig.commit(&charging, 800)["state"], "committed");
        assert_eq!(rig.taken(&charging), Some(800));
    }
    assert_eq!(rig.bank().holds().len(), 2);
    rig.finish();
}

#[test]
fn a_hold_that_nobody_plugs_in_is_voided() {
    let rig = Rig::pair().policy("plug_in_timeout", "\"300ms\"").start();
    for terminal in BOTH {
        let session = rig.open(terminal, 5000);
        rig.tap(terminal, &rig.new_card());
        let body = rig.wait_state(&session, "voided");
        assert_eq!((&body["disposal"]["by"], rig.taken(&session)), (&json!("plug_in_timeout"), None));
    }
    rig.finish();
}

#[test]
fn a_session_that_nobody_ends_is_committed_for_the_last_running_total() {
    let rig = Rig::pair().policy("plug_in_timeout", "\"8s\"").policy("max_session", "\"10s\"").start();
    let sessions = BOTH.map(|terminal| {
        let session = rig.approve(terminal, 5000);
        rig.energy(&session, 400);
        rig.energy(&session, 1700);
        session
    });
    for session in sessions {
        let body = rig.wait_state(&session, "committed");
        assert_eq!((&body["disposal"]["by"], rig.taken(&session)), (&json!("max_session"), Some(1700)));
    }
    rig.finish();
}

#[test]
fn a_decision_is_made_once() {
    let rig = Rig::pair().start();
    for terminal in BOTH {
        let session = rig.approve(terminal, 5000);
        rig.commit(&session, 1000);
        rig.commit(&session, 1000);
        for (verb, body) in [("commit", json!({ "amount": 1001 })), ("void", json!({}))] {
            let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/{verb}"), &body);
            assert_eq!((status, &body["code"]), (409, &json!("already_decided")), "{body}");
        }
        assert_eq!(rig.taken(&session), Some(1000));
    }
    rig.finish();
}
