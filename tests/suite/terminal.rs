//! What operators and integrators do with a terminal, beside taking money with it.

use std::time::Duration;

use quittance::sim::{Command as Heard, Policy};
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
