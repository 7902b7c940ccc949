//! What goes out, compared with JSON typed by hand.

use serde_json::json;

use super::*;
use crate::journal::record::{
    CancelledBy, Cause, ConfirmedBy, Discrepancy, DiscrepancyKind, Entry, Fact, Outcome, Report, ReportResult, Trigger,
};
use crate::session::resolution::{Confirmation, Resolution};
use crate::session::state::Failure;
use crate::session::update::{Answer, Update};

/// An approved session that is being committed shows every field that was promised.
#[tokio::test]
async fn a_session_that_is_being_committed() {
    let mut session = disposing();
    session.disposal.as_mut().unwrap().last_failure = Some(Failure::Unanswered(Cause::Timeout));
    let reply = get(&Scripted::new(session), &path("")).await;
    assert_eq!(reply.status, 200);
    let expected = r#"{
        "id": "01936b1e-7c00-7000-8000-000000000001", "version": 7, "terminal": "bay-01", "connector": 1,
        "reference": "plug 7", "state": "committing",
        "amount_requested": 5000, "amount_held": 4500, "amount_held_at_most": null, "amount_energy": 1240, "amount_final": null,
        "currency": "EUR", "terminal_session_id": 11,
        "card": { "hash": "0123456789abcdef", "masked_pan": "541333******0019" },
        "created_at": "2026-03-01T10:00:00.000Z", "approved_at": "2026-03-01T10:00:20.000Z",
        "deadline_at": "2026-03-01T22:00:20.000Z", "disposed_at": null, "why": null, "update": null,
        "disposal": { "decision": "commit", "amount": 3140, "by": "api", "attempts": 2,
                      "confirmed_by": null, "last_error": "no answer: timeout" },
        "resolution": null }"#;
    assert_eq!(reply.json(), serde_json::from_str::<Value>(expected).unwrap());
}

/// What is not known yet is null and not left out.
#[tokio::test]
async fn a_session_that_waits_for_a_card() {
    let reply = get(&Scripted::new(opened()), &path("")).await;
    let expected = r#"{
        "id": "01936b1e-7c00-7000-8000-000000000001", "version": 1, "terminal": "bay-01", "connector": 1,
        "reference": "plug 7", "state": "waiting_card",
        "amount_requested": 5000, "amount_held": null, "amount_held_at_most": null, "amount_energy": null, "amount_final": null,
        "currency": "EUR", "terminal_session_id": null, "card": null,
        "created_at": "2026-03-01T10:00:00.000Z", "approved_at": null, "deadline_at": null, "disposed_at": null,
        "why": null, "update": null, "disposal": null, "resolution": null }"#;
    assert_eq!(reply.json(), serde_json::from_str::<Value>(expected).unwrap());
}

/// What a person proposes, and what two persons have said, each with time and words.
#[tokio::test]
async fn what_persons_say_of_the_end() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let proposed = Resolution {
        outcome: Outcome::Committed(Amount::from_minor(3140)),
        by: "anna".to_owned(),
        note: "in the portal".to_owned(),
        at: at("2026-03-01T10:30:00Z"),
        confirmed: None,
    };
    let expected = json!({
        "outcome": "committed", "amount": 3140, "proposed_by": "anna", "note": "in the portal", "at": "2026-03-01T10:30:00.000Z",
        "confirmed_by": null, "confirmed_note": null, "confirmed_at": null
    });
    let waits = Session { resolution: Some(proposed.clone()), ..disposing() };
    assert_eq!(get(&Scripted::new(waits.clone()), &path("")).await.json()["resolution"], expected);
    let page = get(&Scripted::new(waits), "/").await.text;
    assert!(page.contains("anna proposes: 31.40 EUR committed; another admin has to say the same."), "{page}");

    let confirmed = Confirmation { by: "ben".to_owned(), note: "seen too".to_owned(), at: at("2026-03-01T10:31:00Z") };
    let (outcome, resolution) =
        (Outcome::Voided, Resolution { outcome: Outcome::Voided, confirmed: Some(confirmed), ..proposed });
    let ended = Session { state: State::Disposed(outcome), resolution: Some(resolution), ..disposing() };
    let shown = get(&Scripted::new(ended), &path("")).await.json();
    let expected = json!({
        "outcome": "voided", "amount": 0, "proposed_by": "anna", "note": "in the portal", "at": "2026-03-01T10:30:00.000Z",
        "confirmed_by": "ben", "confirmed_note": "seen too", "confirmed_at": "2026-03-01T10:31:00.000Z"
    });
    assert_eq!(shown["resolution"], expected);
}

/// A hold that may be one of two amounts is never shown as one, and what came of the wish is said in words.
#[tokio::test]
async fn a_hold_that_was_to_be_changed() {
    let amount = Amount::from_minor;
    let unsure = Some(amount(7000));
    let table = [
        (None, unsure, json!(7000), "under_way", Value::Null),
        (Some(Answer::Approved), None, Value::Null, "approved", Value::Null),
        (Some(Answer::Partly), None, Value::Null, "partly_approved", Value::Null),
        (
            Some(Answer::Declined(Some(0x09))),
            None,
            Value::Null,
            "declined",
            json!("the bank or the terminal declined: insufficient funds (0x09)"),
        ),
        (
            Some(Answer::Refused(Some(0x0D))),
            None,
            Value::Null,
            "refused",
            json!("refused: service not supported by the terminal's configuration (0x0D)"),
        ),
        (Some(Answer::Unsent), None, Value::Null, "unsent", json!("not sent: the link was down")),
        (Some(Answer::Unanswered(Cause::Timeout)), unsure, json!(7000), "unanswered", json!("no answer: timeout")),
    ];
    for (answer, at_most, shown_at_most, state, why) in table {
        let update = Update { asked: amount(7000), before: amount(4500), before_at_most: None, at_most, answer };
        let shown = get(&Scripted::new(Session { update: Some(update), ..held() }), &path("")).await.json();
        assert_eq!((&shown["amount_held"], &shown["amount_held_at_most"]), (&json!(4500), &shown_at_most), "{state}");
        assert_eq!(shown["update"], json!({ "amount": 7000, "state": state, "why": why }));
    }
}

/// How each end shows itself: the final amount and the time.
#[tokio::test]
async fn the_ends_of_a_session() {
    let ended = json!("2026-03-01T11:00:01.000Z");
    let table = [
        (State::Disposed(Outcome::Committed(Amount::from_minor(3140))), "committed", json!(3140), ended.clone()),
        (State::Disposed(Outcome::Voided), "voided", json!(0), ended.clone()),
        (State::Disposed(Outcome::Expired), "expired", json!(0), ended),
        (State::Declined(Some(5)), "declined", Value::Null, Value::Null),
        (State::Cancelled(CancelledBy::Api), "cancelled", Value::Null, Value::Null),
        (State::Failed("no card".to_owned()), "failed", Value::Null, Value::Null),
        (State::Uncertain("why".to_owned()), "uncertain", Value::Null, Value::Null),
    ];
    for (state, name, amount_final, disposed_at) in table {
        let shown = get(&Scripted::new(Session { state, ..disposing() }), &path("")).await.json();
        assert_eq!(
            (&shown["state"], &shown["amount_final"], &shown["disposed_at"]),
            (&json!(name), &amount_final, &disposed_at)
        );
    }
}

/// A hold under whose number another session was being disposed of says so, beside whatever else is to be said.
#[tokio::test]
async fn why_a_hold_may_be_another_sessions() {
    let other = "01936b1e-7c00-7000-8000-000000000009";
    let words = format!(
        "session {other} was being disposed of under the same number 11 while this one was authorised: that may have met this hold"
    );
    for (state, why) in [(State::Held, words.clone()), (State::Uncertain("gone".to_owned()), format!("gone; {words}"))] {
        let mut session = Session { state, ..held() };
        session.hold.as_mut().unwrap().shared_with = Some(other.parse().unwrap());
        assert_eq!(get(&Scripted::new(session), &path("")).await.json()["why"], why);
    }
}

/// Whoever runs the depot reads why a session has not come to what was wanted; what goes well needs no words.
#[tokio::test]
async fn why_a_session_ended() {
    let cancelled = State::Cancelled;
    let table = [
        (State::Uncertain("nobody knows".to_owned()), Some("nobody knows")),
        (State::Failed("the link was lost".to_owned()), Some("the link was lost")),
        (State::Declined(None), Some("the bank or the terminal declined, without a reason")),
        (State::Declined(Some(0x09)), Some("the bank or the terminal declined: insufficient funds (0x09)")),
        (State::Declined(Some(0x0C)), Some("the bank or the terminal declined: transaction database not reachable (0x0C)")),
        (
            State::Declined(Some(0x42)),
            Some("the bank or the terminal declined: a reason that Payter's pages do not name (0x42)"),
        ),
        (cancelled(CancelledBy::Api), Some("a request to the API cancelled it")),
        (
            cancelled(CancelledBy::Terminal),
            Some("the terminal ended the card flow: nobody presented a card, or the cardholder cancelled"),
        ),
        (cancelled(CancelledBy::Shutdown), Some("the orchestrator was going down, or the terminal was taken out of service")),
        (cancelled(CancelledBy::TapToStop), Some("the card was tapped to stop its earlier session, which is charging")),
        (cancelled(CancelledBy::Journal), Some("the journal could not remember the authorisation, so it was not asked for")),
        (cancelled(CancelledBy::NotAuthorised), Some("a card was read, but nobody said in time to authorise it")),
        (State::Disposed(Outcome::Expired), Some("the terminal's own timer has ended the hold")),
        (State::Disposed(Outcome::Voided), None),
        (State::Disposed(Outcome::Committed(Amount::from_minor(1))), None),
        (State::CardRead(at("2026-03-01T10:00:40Z")), None),
        (State::Held, None),
    ];
    for (state, why) in table {
        let shown = get(&Scripted::new(Session { state: state.clone(), ..held() }), &path("")).await.json();
        assert_eq!(shown["why"].as_str(), why, "{state:?}");
    }
}

#[tokio::test]
async fn the_words_of_a_disposal() {
    let failures = [
        (Failure::Unsent, "not sent: the link was down"),
        (Failure::Unanswered(Cause::LinkLost), "no answer: link lost"),
        (Failure::Unanswered(Cause::Resynchronised), "no answer that could be trusted: resynchronised"),
        (Failure::Unanswered(Cause::Crash), "no answer: the orchestrator ended in between"),
        (Failure::Refused(None), "refused: no reason given"),
        (Failure::Refused(Some(0x0C)), "refused: session id not found (0x0C)"),
        (Failure::Refused(Some(0x11)), "refused: not ready, for instance while starting up (0x11)"),
        (Failure::Refused(Some(0x99)), "refused: a reason that Payter's pages do not name (0x99)"),
    ];
    for (failure, words) in failures {
        assert_eq!(disposal(|disposal| disposal.last_failure = Some(failure)).await["last_error"], words);
    }
    let confirmations = [
        (ConfirmedBy::ResultOk, "result_ok"),
        (ConfirmedBy::ListAbsent, "list_absent"),
        (ConfirmedBy::Presumed, "presumed"),
        (ConfirmedBy::Timer, "timer"),
        (ConfirmedBy::Person, "person"),
    ];
    for (confirmed_by, name) in confirmations {
        assert_eq!(disposal(|disposal| disposal.confirmed_by = Some(confirmed_by)).await["confirmed_by"], name);
    }
    let deciders = [
        (DecidedBy::PlugInTimeout, "plug_in_timeout"),
        (DecidedBy::MaxSession, "max_session"),
        (DecidedBy::Orphan, "orphan"),
        (DecidedBy::DuplicateTap, "duplicate_tap"),
        (DecidedBy::Shutdown, "shutdown"),
    ];
    for (by, name) in deciders {
        assert_eq!(disposal(|disposal| disposal.by = by).await["by"], name);
    }
    let void = disposal(|disposal| disposal.decision = Decision::Void).await;
    assert_eq!((&void["decision"], &void["amount"]), (&json!("void"), &json!(0)));
}

async fn disposal(change: impl FnOnce(&mut Disposal)) -> Value {
    let mut session = disposing();
    change(session.disposal.as_mut().unwrap());
    get(&Scripted::new(session), &path("")).await.json()["disposal"].take()
}

#[tokio::test]
async fn a_terminal() {
    let depot = Scripted::new(opened());
    let expected = r#"{
        "id": "bay-01", "family": "apollo", "state": "wait_card", "link": "up", "draining": false,
        "refuses_cards": null, "connectors": 2,
        "undisposed": 1, "identity": { "serial_number": "A0042", "model": null, "software": ["psp 3.1"] },
        "protocol": { "version": 3, "options": ["events"], "missing": ["extended_block"] },
        "last_reconciliation": null, "last_error": "no answer\nto Get Status" }"#;
    let expected: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(get(&depot, "/v1/terminals/bay-01").await.json(), expected);
    assert_eq!(get(&depot, "/v1/terminals").await.json(), json!({ "terminals": [expected] }));
}

/// A report is the same on demand, in the list, and (without its place in the journal) at its terminal.
#[tokio::test]
async fn a_reconciliation() {
    let depot = Scripted::new(opened());
    let report = Report {
        trigger: Trigger::Demand,
        on_terminal: Some(vec![TerminalSessionId(11), TerminalSessionId(12)]),
        in_journal: vec![TerminalSessionId(11)],
        discrepancies: vec![Discrepancy {
            kind: DiscrepancyKind::OrphanOnTerminal,
            terminal_session_id: Some(TerminalSessionId(12)),
            session: Some(SESSION.parse().unwrap()),
            action: "void".to_owned(),
            why: "orphan_policy".to_owned(),
        }],
        result: ReportResult::Repaired,
        error: None,
        began_at: at("2026-03-01T12:00:00Z"),
    };
    let view = View { last_reconciliation: Some((at("2026-03-01T12:00:02Z"), report.clone())), ..view() };
    let entry = Entry {
        at: at("2026-03-01T12:00:02Z"),
        terminal: Some("bay-01".parse().unwrap()),
        session: None,
        fact: Fact::Reconciled { report },
    };
    depot.change(|script| script.records = vec![Record { seq: 99, entry }]);
    let expected = r#"{
        "seq": 99, "at": "2026-03-01T12:00:02.000Z", "terminal": "bay-01", "began_at": "2026-03-01T12:00:00.000Z",
        "trigger": "demand", "result": "repaired", "on_terminal": [11, 12], "in_journal": [11],
        "discrepancies": [{ "kind": "orphan_on_terminal", "terminal_session_id": 12,
            "session": "01936b1e-7c00-7000-8000-000000000001", "action": "void", "why": "orphan_policy" }],
        "error": null }"#;
    let mut expected: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(post(&depot, "/v1/terminals/bay-01/reconcile", "").await.json(), expected);
    assert_eq!(
        get(&depot, "/v1/reconciliations?terminal=bay-01&limit=5").await.json(),
        json!({ "reconciliations": [expected] })
    );
    assert_eq!(depot.asked(), ["reconcile bay-01", "5 reconciliations of Some(bay-01)"]);

    let shown = serde_json::to_value(crate::api::view::TerminalView::of(&view)).unwrap();
    let without_place = expected.as_object_mut().unwrap();
    without_place.remove("seq");
    without_place.remove("terminal");
    assert_eq!(shown["last_reconciliation"], expected);
}
