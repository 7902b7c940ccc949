//! From a cut cable to a message in somebody's pocket: the real program, Prometheus and Alertmanager with the shipped rules and
//! examples, and a receiver of messages in the test. Times are divided (see `prometheus`), rules are not touched.

use serde_json::json;

use super::prometheus::{Alert, Watchers};
use super::rig::Rig;

/// Half a minute of the rules is a second here; Prometheus then asks twice a second.
const FASTER: f64 = 30.0;

const APOLLO: &str = "apollo-1";

fn stands<'a>(alerts: &'a [Alert], name: &str, state: &str) -> Option<&'a Alert> {
    alerts.iter().find(|alert| alert.name == name && alert.state == state)
}

/// Waits until nothing but the watchdog stands, although Prometheus has seen so many undisposed sessions.
fn quiet(watchers: &Watchers, undisposed: &str) {
    let query = "query?query=sum(quittance_sessions_undisposed)";
    watchers.until("quiet", |alerts| {
        let seen = watchers.get(query)["result"][0]["value"][1] == *undisposed;
        (seen && alerts.iter().all(|alert| alert.name == "QuittanceWatchdog") && !alerts.is_empty()).then_some(())
    });
}

#[test]
fn a_hold_that_a_cut_terminal_keeps_reaches_a_person_and_is_taken_back() {
    let rig = Rig::builder().apollos(2).start();
    let Some(watchers) = Watchers::start(FASTER, &[("depot", rig.api.address())]) else { return rig.finish() };
    assert_eq!(watchers.told("QuittanceWatchdog", "firing").0, "/deadman");
    let session = rig.approve(APOLLO, 5000);
    rig.energy(&session, 100);
    quiet(&watchers, "1");

    rig.terminal(APOLLO).unplug();
    let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 1500 }));
    assert_eq!(status, 202, "{body}");
    let name = "QuittanceUndisposed";
    watchers.until("pending", |alerts| stands(alerts, name, "pending").map(drop));
    let alert = watchers.until("firing", |alerts| stands(alerts, name, "firing").cloned());
    assert_eq!(alert.value, 5000.0);
    let labels = json!({ "alertname": name, "severity": "warning", "job": "quittance", "instance": "depot",
        "site": "depot-demo", "terminal": APOLLO, "family": "apollo", "currency": "EUR" });
    assert_eq!(alert.labels, labels);

    let (place, told) = watchers.told(name, "firing");
    assert_eq!((place.as_str(), &told["labels"], &told["annotations"]), ("/tickets", &labels, &alert.annotations));
    let words = told["annotations"]["description"].as_str().unwrap();
    assert!(words.ends_with("At stake on this terminal: 5000 minor units of EUR."), "{words}");
    assert_eq!(told["annotations"]["runbook_url"].as_str().unwrap().rsplit_once('#').unwrap().1, "undisposed");
    assert_eq!(watchers.told("QuittanceLinkDownWithHolds", "firing").0, "/pager");

    rig.terminal(APOLLO).plug();
    rig.wait_state(&session, "committed");
    assert_eq!(watchers.told(name, "resolved").0, "/tickets");
    watchers.told("QuittanceLinkDownWithHolds", "resolved");
    quiet(&watchers, "0");

    for rule in watchers.rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    rig.finish();
}

/// With the orchestrator all its series end, and every alert on a hold would end with them. One does not, until it is back.
#[test]
fn an_orchestrator_that_dies_with_a_hold_reaches_a_person_until_it_is_back() {
    let rig = Rig::builder().apollos(1).start();
    let Some(watchers) = Watchers::start(FASTER, &[("depot", rig.api.address())]) else { return rig.finish() };
    let session = rig.approve(APOLLO, 5000);
    rig.energy(&session, 100);
    quiet(&watchers, "1");
    rig.kill9();
    let (place, told) = watchers.told("QuittanceGoneWithHolds", "firing");
    assert_eq!(place, "/pager");
    let words = told["annotations"]["description"].as_str().unwrap();
    assert!(words.ends_with("At stake when it was last seen: 5000 minor units of EUR."), "{words}");
    // That it does not answer is true as well, but no message of its own. (That it is over may be told in one message with the other.)
    watchers.until("down", |alerts| stands(alerts, "QuittanceDown", "firing").map(drop));

    rig.start_again();
    watchers.moved(&[("depot", rig.api.address())]);
    watchers.told("QuittanceGoneWithHolds", "resolved");
    quiet(&watchers, "1");
    assert!(!watchers.was_told("QuittanceDown", "firing"));
    assert_eq!(rig.void(&session)["state"], "voided");
    rig.finish();
}
