//! A charger that repeats its request, at once or after a restart, gets the session that it has got: never a second hold.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::rig::Rig;

const APOLLO: &str = "apollo-1";

/// However often and fast one request is repeated, one session comes of it; after a kill, too, open or ended, and another body is refused.
#[test]
fn a_repeated_request_opens_one_session() {
    let rig = Rig::builder().apollos(1).connectors(2).start();
    let wanted = json!({ "terminal": APOLLO, "amount": 5000, "reference": "plug 7" });
    let repeated = || rig.api.open_with_key("k-1", &wanted);
    let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..16).map(|_| scope.spawn(repeated)).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    let ids: BTreeSet<&str> = answers.iter().filter_map(|(_, body)| body["id"].as_str()).collect();
    assert!(ids.len() == 1 && answers.iter().all(|(status, _)| *status == 201), "{answers:?}");
    let session = ids.into_iter().next().unwrap();

    let other = json!({ "terminal": APOLLO, "amount": 5001, "reference": "plug 7" });
    let restart = || {
        rig.kill9();
        rig.start_again();
    };
    let same = |state: &str| {
        let (status, body) = repeated();
        assert_eq!((status, &body["id"], &body["state"]), (201, &json!(session), &json!(state)), "{body}");
        let (status, body) = rig.api.open_with_key("k-1", &other);
        assert_eq!((status, &body["code"]), (422, &json!("idempotency_mismatch")), "{body}");
    };
    same("waiting_card");
    rig.tap(APOLLO, &rig.new_card());
    rig.wait_state(session, "approved");
    restart();
    same("approved");
    assert_eq!(rig.commit(session, 1500)["state"], "committed");
    restart();
    same("committed");
    assert_eq!(rig.api.sessions("").len(), 1);
    rig.finish();
}
