//! Terminals that restart, go away, come back as others, or speak nonsense, while money is held on them.

use quittance::sim::{Command as Heard, HoldState};
use serde_json::json;

use super::rig::Rig;

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

#[test]
fn a_terminal_restarts_with_a_hold() {
    let rig = Rig::pair().start();
    for terminal in [APOLLO, P6X] {
        let session = rig.approve(terminal, 5000);
        rig.terminal(terminal).power_cycle();
        let body = rig.commit(&session, 1500);
        assert_eq!(body["state"], "committed", "{body}");
        assert_eq!(rig.taken(&session), Some(1500));
    }
    rig.finish();
}

/// Nobody can know what has become of the hold, so a person says it, and the API remembers who and why.
#[test]
fn a_terminal_that_has_forgotten_its_hold_leaves_it_to_a_person() {
    let rig = Rig::pair().start();
    for terminal in [APOLLO, P6X] {
        let session = rig.approve(terminal, 5000);
        rig.terminal(terminal).power_cycle_forgetting();
        let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 1500 }));
        assert_eq!(status, 202, "{body}");
        rig.wait_state(&session, "uncertain");
        assert_eq!(rig.metric("quittance_sessions_uncertain", &[("terminal", terminal)]), 1.0);
        let body = rig.command(&session, "resolve", &json!({ "outcome": "voided", "note": "seen in the acquirer's portal" }));
        assert_eq!((&body["state"], &body["disposal"]["confirmed_by"]), (&json!("voided"), &json!("person")), "{body}");
        assert_eq!(rig.metric("quittance_sessions_undisposed", &[("terminal", terminal)]), 0.0);
    }
    rig.finish();
}

#[test]
fn a_commit_waits_for_a_terminal_that_is_unplugged() {
    let rig = Rig::pair().start();
    for terminal in [APOLLO, P6X] {
        let session = rig.approve(terminal, 5000);
        rig.terminal(terminal).unplug();
        rig.until("down", || (rig.metric("quittance_link_up", &[("terminal", terminal)]) == 0.0).then_some(()));
        let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 1500 }));
        assert_eq!((status, &body["state"]), (202, &json!("committing")), "{body}");
        let (status, refused) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
        assert!(status == 409 || status == 503, "{refused}");
        rig.terminal(terminal).plug();
        rig.wait_state(&session, "committed");
        assert_eq!(rig.taken(&session), Some(1500));
    }
    rig.finish();
}

/// One wrong serial number is enough (the rig's `intensity` is 1000), and nothing about money is sent to its bearer.
#[test]
fn another_terminal_in_its_place_is_quarantined() {
    let rig = Rig::pair().with_serial_numbers().supervision("quarantine_retry", "\"300ms\"").start();
    for (terminal, serial_number) in [(APOLLO, "APO-apollo-1"), (P6X, "P6X-p6x-1")] {
        let session = rig.approve(terminal, 5000);
        rig.terminal(terminal).set_serial_number("SOMEBODY-ELSE");
        rig.terminal(terminal).cut();
        let quarantined = || rig.metric("quittance_terminal_quarantined", &[("terminal", terminal)]) == 1.0;
        rig.until("quarantined", || quarantined().then_some(()));
        let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 1500 }));
        assert_eq!(status, 202, "{body}");
        // Each retry shows the link as down for a moment.
        let view = rig.until("shown", || {
            let (_, view) = rig.api.get(&format!("/v1/terminals/{terminal}"));
            (view["link"] == "quarantined").then_some(view)
        });
        assert_eq!(view["undisposed"], 1, "{view}");
        let error = view["last_error"].as_str().unwrap();
        assert!(error.contains("SOMEBODY-ELSE") && error.contains(serial_number), "{view}");
        assert_eq!(rig.terminal(terminal).count(Heard::Commit), 0, "money was spoken of to a strange terminal");
        let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
        assert_ne!(status, 201, "{body}");
        assert!(matches!(rig.hold(&session).state, HoldState::Held), "money was moved on a strange terminal");

        rig.terminal(terminal).set_serial_number(serial_number);
        rig.wait_state(&session, "committed");
        assert_eq!(rig.taken(&session), Some(1500));
    }
    rig.finish();
}

#[test]
fn noise_is_survived() {
    let rig = Rig::pair().timeout("commit", "\"500ms\"").start();
    for terminal in [APOLLO, P6X] {
        // Half a frame, a frame with a wrong sum, a length that promises more than ever comes.
        for noise in [&[0x00, 0xFF, 0x55, 0x13][..], &[0xAA, 0x03, 0x3C, 0x26, 0x01, 0x00], &[0xAA, 0xFF, 0x3C]] {
            let session = rig.approve(terminal, 5000);
            rig.terminal(terminal).send_bytes(noise);
            let body = rig.commit(&session, 1500);
            assert_eq!(body["state"], "committed", "{body}");
            assert_eq!(rig.taken(&session), Some(1500));
            rig.until("up", || (rig.metric("quittance_link_up", &[("terminal", terminal)]) == 1.0).then_some(()));
            rig.wait_ready();
        }
        assert!(rig.metric("quittance_frame_errors_total", &[("terminal", terminal)]) > 0.0);
    }
    rig.finish();
}
