//! A person has the last word about what nobody can find out, and where two are needed, two who say the same.

use serde_json::{Value, json};

use super::rig::Rig;

const APOLLO: &str = "apollo-1";
const SECOND: &str = "the-second-admins-token";

/// A hold that its terminal has forgotten before anything was asked of it.
fn forgotten(rig: &Rig) -> String {
    let session = rig.approve(APOLLO, 5000);
    rig.terminal(APOLLO).power_cycle_forgetting();
    let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 1500 }));
    assert_eq!(status, 202, "{body}");
    rig.wait_state(&session, "uncertain");
    session
}

/// One admin proposes, the same one cannot confirm, another one who says something else neither; the proposal survives a kill, can be
/// taken back, and the second admin's same words settle it for ever.
#[test]
fn two_admins_settle_what_is_uncertain() {
    let rig = Rig::builder().apollos(1).token("the-first-admins-token").second_token(SECOND).start();
    let session = forgotten(&rig);
    let path = format!("/v1/sessions/{session}/resolve");
    let committed = |note: &str| json!({ "outcome": "committed", "amount": 1500, "note": note });
    let voided = json!({ "outcome": "voided", "note": "no, given back" });
    let code = |(status, body): (u16, Value)| (status, body["code"].as_str().unwrap_or_default().to_owned());
    let refused = |code: &str| (409, code.to_owned());

    let (status, body) = rig.api.post(&path, &committed("in the portal"));
    assert_eq!((status, &body["state"]), (202, &json!("uncertain")), "{body}");
    assert_eq!((&body["resolution"]["proposed_by"], &body["resolution"]["amount"]), (&json!("rig"), &json!(1500)), "{body}");
    assert_eq!(rig.api.delete(&path).0, 200);
    assert_eq!(rig.session(&session)["resolution"], Value::Null);

    assert_eq!(rig.api.post(&path, &committed("in the portal, really")).0, 202);
    for killed in [false, true] {
        if killed {
            rig.kill9();
            rig.start_again();
        }
        assert_eq!(code(rig.api.post(&path, &committed("once more"))), refused("needs_another_person"));
        assert_eq!(code(rig.api.post_as(Some(SECOND), &path, &voided)), refused("resolution_conflict"));
        assert_eq!(rig.session(&session)["resolution"]["note"], "in the portal, really");
        assert_eq!(rig.metric("quittance_sessions_uncertain", &[("terminal", APOLLO)]), 1.0);
    }
    let (status, body) = rig.api.post_as(Some(SECOND), &path, &committed("seen there, too"));
    assert_eq!((status, &body["state"], &body["amount_final"]), (200, &json!("committed"), &json!(1500)), "{body}");
    assert_eq!(body["resolution"]["confirmed_by"], "second", "{body}");
    assert_eq!(
        (&body["resolution"]["confirmed_note"], &body["disposal"]["confirmed_by"]),
        (&json!("seen there, too"), &json!("person"))
    );

    for killed in [false, true] {
        if killed {
            rig.kill9();
            rig.start_again();
        }
        let (status, again) = rig.api.post_as(Some(SECOND), &path, &committed("and again"));
        assert_eq!((status, again), (200, rig.session(&session)));
        assert_eq!(code(rig.api.post(&path, &voided)), refused("already_decided"));
        assert_eq!(code(rig.api.delete(&path)), refused("already_decided"));
        assert_eq!(code(rig.api.post(&format!("/v1/sessions/{session}/void"), &json!({}))), refused("already_decided"));
        assert_eq!(rig.session(&session)["state"], "committed");
    }
    rig.finish();
}
