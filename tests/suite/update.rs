//! Raising and lowering a hold with the whole program, with the bank's books as the measure.

use quittance::money::Amount;
use quittance::sim::{BankVerdict, Command, Fault, Policy};
use serde_json::{Value, json};

use super::rig::Rig;

const APOLLO: &str = "apollo-1";

fn update(rig: &Rig, session: &str, amount: u32) -> (u16, Value) {
    rig.api.post(&format!("/v1/sessions/{session}/update"), &json!({ "amount": amount }))
}

/// A hold of 50.00 on a card that the bank treats so when the hold is to be changed.
fn approved(rig: &Rig, verdict: BankVerdict) -> String {
    let session = rig.open(APOLLO, 5000);
    rig.tap(APOLLO, &rig.card_with(Policy::APPROVE.updating(verdict)));
    rig.wait_state(&session, "approved");
    session
}

#[test]
fn a_hold_is_raised_and_lowered() {
    let rig = Rig::builder().apollos(1).start();
    let session = approved(&rig, BankVerdict::Approve);
    for total in [7000, 3000, 6000] {
        let (status, body) = update(&rig, &session, total);
        assert_eq!((status, &body["update"]["state"]), (200, &json!("approved")), "{body}");
        let held = (&body["amount_requested"], &body["amount_held"], &body["amount_held_at_most"]);
        assert_eq!(held, (&json!(5000), &json!(total), &Value::Null));
        assert_eq!(rig.hold(&session).amount.minor(), total);
        assert_eq!(rig.metric("quittance_held_amount_minor", &[("terminal", APOLLO)]), f64::from(total));
    }
    // As much as there is: nothing has to be asked.
    assert_eq!(update(&rig, &session, 6000).0, 200);
    assert_eq!(rig.terminal(APOLLO).count(Command::Update), 3);
    rig.energy(&session, 1240);
    for amount in [1239, 0, 10_001] {
        let (status, body) = update(&rig, &session, amount);
        assert_eq!((status, &body["code"]), (422, &json!("amount_invalid")), "{body}");
    }
    assert_eq!(rig.commit(&session, 5500)["state"], "committed");
    assert_eq!(rig.taken(&session), Some(5500));
    assert_eq!(update(&rig, &session, 7000).1["code"], "already_decided");
    rig.finish();
}

#[test]
fn a_bank_that_gives_less_or_nothing_more() {
    let rig = Rig::builder().apollos(1).connectors(2).start();
    let partly = approved(&rig, BankVerdict::Partial(Amount::from_minor(6000)));
    let (status, body) = update(&rig, &partly, 7000);
    assert_eq!((status, &body["update"]["state"], &body["amount_held"]), (200, &json!("partly_approved"), &json!(6000)));
    let (status, body) = rig.api.post(&format!("/v1/sessions/{partly}/commit"), &json!({ "amount": 6001 }));
    assert_eq!((status, &body["code"]), (422, &json!("over_commit")));

    let declined = approved(&rig, BankVerdict::Decline(0x09));
    let (status, body) = update(&rig, &declined, 7000);
    assert_eq!((status, &body["code"]), (409, &json!("update_declined")), "{body}");
    assert!(body["detail"].as_str().unwrap().ends_with("insufficient funds (0x09)"), "{body}");
    let body = rig.session(&declined);
    assert_eq!((&body["amount_held"], &body["update"]["state"]), (&json!(5000), &json!("declined")));
    assert_eq!((rig.commit(&partly, 6000), rig.commit(&declined, 5000)).0["state"], "committed");
    assert_eq!((rig.taken(&partly), rig.taken(&declined)), (Some(6000), Some(5000)));
    rig.finish();
}

#[test]
fn a_p6x_changes_no_hold() {
    let rig = Rig::builder().p6xs(1).start();
    let session = rig.approve("p6x-1", 5000);
    let (status, body) = update(&rig, &session, 7000);
    assert_eq!((status, &body["code"]), (409, &json!("not_supported")), "{body}");
    rig.finish();
}

/// Whether the bank has heard of it or not: what is shown as held is held, no more can be taken, and asking again tells.
#[test]
fn an_update_whose_answer_is_lost_is_a_doubt_that_is_shown() {
    let rig = Rig::builder().apollos(1).timeout("authorise", "\"2s\"").start();
    let faults = [Fault::CutAfter, Fault::CutBefore, Fault::LoseAnswer, Fault::LoseRequest];
    for (fault, total) in faults.into_iter().flat_map(|fault| [(fault, 7000), (fault, 3000)]) {
        let session = approved(&rig, BankVerdict::Approve);
        rig.terminal(APOLLO).plan(Command::Update, fault);
        let (status, body) = update(&rig, &session, total);
        assert_eq!((status, &body["update"]["state"]), (202, &json!("unanswered")), "{fault:?}: {body}");
        let (least, most) = (total.min(5000), total.max(5000));
        assert_eq!((&body["amount_held"], &body["amount_held_at_most"]), (&json!(least), &json!(most)), "{fault:?}");
        let really = rig.hold(&session).amount.minor();
        assert!((least..=most).contains(&really), "{fault:?}: the bank holds {really}");
        let (status, refused) = rig.api.post(&format!("/v1/sessions/{session}/commit"), &json!({ "amount": least + 1 }));
        assert_eq!((status, &refused["code"]), (422, &json!("over_commit")), "{fault:?}");

        // Refused while the link is away, and never sent later.
        let (status, body) = rig.until("the link is back", || {
            let answer = update(&rig, &session, total);
            (answer.1["code"] != "terminal_not_ready").then_some(answer)
        });
        assert_eq!((status, &body["amount_held"], &body["amount_held_at_most"]), (200, &json!(total), &Value::Null), "{body}");
        assert_eq!(rig.hold(&session).amount.minor(), total);
        assert_eq!(rig.commit(&session, total)["state"], "committed", "{fault:?}");
        assert_eq!(rig.taken(&session), Some(total), "{fault:?}");
    }
    rig.finish();
}

#[test]
fn a_kill_between_an_update_and_its_answer_is_a_doubt() {
    let rig = Rig::builder().apollos(1).start();
    let session = approved(&rig, BankVerdict::Approve);
    rig.terminal(APOLLO).plan(Command::Update, Fault::LoseAnswer);
    std::thread::scope(|scope| {
        scope.spawn(|| rig.api.try_post(&format!("/v1/sessions/{session}/update"), &json!({ "amount": 3000 })));
        rig.wait_terminal(APOLLO, "has heard of it", |seen| seen.heard.get(&Command::Update).is_some_and(|heard| *heard == 1));
        rig.kill9();
    });
    rig.start_again();
    let body = rig.wait_session(&session, "in doubt", |body| body["update"]["state"] == "unanswered");
    assert_eq!(body["state"], "approved", "{body}");
    assert_eq!((&body["amount_held"], &body["amount_held_at_most"]), (&json!(3000), &json!(5000)));
    assert_eq!(rig.commit(&session, 3000)["state"], "committed");
    assert_eq!(rig.taken(&session), Some(3000));
    rig.finish();
}
