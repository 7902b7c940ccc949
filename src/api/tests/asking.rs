//! Requests that are about no money: how they are read, and how answers are shown.

use super::*;
use crate::protocol::RawPayload;
use crate::protocol::response::{Ids, Reason, Status, TerminalState, Verdict};
use serde_json::json;

const PATH: &str = "/v1/terminals/bay-01/request";

/// Every request reaches the fleet as what it is; raw payloads are never shown by `Debug`, so only their lengths are.
#[tokio::test]
async fn every_request_is_read() {
    let rows = [
        (r#"{"request":"get_status"}"#, "GetStatus"),
        (r#"{"request":"request_ids"}"#, "RequestIds"),
        (r#"{"request":"cancel_card"}"#, "CancelSession"),
        (r#"{"request":"exchange","payload":"00A404000E"}"#, "ProprietaryExchange(RawPayload(5 bytes))"),
        (r#"{"request":"mifare","payload":"30"}"#, "MiFare(RawPayload(1 bytes))"),
        (r#"{"request":"select_language","payload":"656e00"}"#, "SelectLanguage(RawPayload(3 bytes))"),
        (r#"{"request":"read_file"}"#, "ReadFile(RawPayload(0 bytes))"),
        (r#"{"request":"get_connection_info"}"#, "GetConnectionInfo(RawPayload(0 bytes))"),
        (r#"{"request":"get_receipt","payload":"0000000B"}"#, "GetReceipt(RawPayload(4 bytes))"),
        (r#"{"request":"get_transaction_record","payload":""}"#, "GetTransactionRecord(RawPayload(0 bytes))"),
        (r#"{"request":"reboot"}"#, "Control(Reboot)"),
        (
            r#"{"request":"ui","type":"dialog","values":[["title","Sure?"],["buttons.yes",""],["buttons.yes.label","Yes"]]}"#,
            r#"UiRequest(Ui { kind: Dialog, values: [("title", "Sure?"), ("buttons.yes", ""), ("buttons.yes.label", "Yes")] })"#,
        ),
    ];
    for (body, expected) in rows {
        let depot = Scripted::new(opened());
        let reply = post(&depot, PATH, body).await;
        assert_eq!((reply.status, reply.json()), (200, json!({ "response": "cancelled" })), "{body}");
        assert_eq!(depot.asked(), [format!("{expected} of bay-01 by local")], "{body}");
    }
    let depot = Scripted::new(opened());
    post(&depot, PATH, r#"{"request":"read_card","message":"Show your badge"}"#).await;
    let asked = depot.asked();
    assert!(asked[0].starts_with("ReadCard(") && asked[0].contains("Some(\"Show your badge\")"), "{asked:?}");
}

/// What cannot be read names its field, and the fleet is not asked. Nothing about money has a name here.
#[tokio::test]
async fn a_mistake_names_its_field() {
    let rows = [
        ("{}", "request"),
        (r#"{"request":"commit_session"}"#, "request"),
        (r#"{"request":"remove_sessions"}"#, "request"),
        (r#"{"request":"start_session"}"#, "request"),
        (r#"{"request":"exchange"}"#, "payload"),
        (r#"{"request":"exchange","payload":"0"}"#, "payload"),
        (r#"{"request":"exchange","payload":"0g"}"#, "payload"),
        (r#"{"request":"exchange","payload":7}"#, "payload"),
        (r#"{"request":"ui","values":[]}"#, "type"),
        (r#"{"request":"ui","type":"info","values":{"title":"x"}}"#, "values"),
        (r#"{"request":"ui","type":"info","values":[["title"]]}"#, "values"),
        (r#"{"request":"ui","type":"info","values":[["title","a\u0000b"]]}"#, "values"),
        (r#"{"request":"reboot","payload":"00"}"#, "payload"),
    ];
    for (body, field) in rows {
        let depot = Scripted::new(opened());
        let reply = post(&depot, PATH, body).await;
        assert_eq!(reply.problem(), (400, "malformed".to_owned()), "{body}");
        assert!(reply.detail().contains(field), "{body}: {}", reply.detail());
        assert_eq!(depot.asked(), Vec::<String>::new(), "{body}");
    }
    let depot = Scripted::new(opened());
    let reply = post(&depot, "/v1/terminals/bay-99/request", r#"{"request":"reboot"}"#).await;
    assert_eq!(reply.problem(), (404, "terminal_unknown".to_owned()));
}

/// Answers by their names; a card is shown as a session's is, raw payloads as digits.
#[tokio::test]
async fn every_answer_is_shown() {
    let ids = Ids { serial_number: "A1".to_owned(), model: Some("Apollo".to_owned()), software: vec!["psp".to_owned()] };
    let rows = [
        (Response::Result(Verdict::Ok), json!({ "response": "result", "ok": true, "reason": null })),
        (
            Response::Result(Verdict::NotOk(Some(Reason(0x08)))),
            json!({ "response": "result", "ok": false, "reason": "incorrect UI screen (0x08)" }),
        ),
        (
            Response::Status(Status { state: TerminalState::WaitCard, running: true }),
            json!({ "response": "status", "state": "wait_card", "running": true }),
        ),
        (Response::Ids(ids), json!({ "response": "ids", "serial_number": "A1", "model": "Apollo", "software": ["psp"] })),
        (Response::Receipt(RawPayload::from(vec![0x00, 0x0f, 0xff])), json!({ "response": "receipt", "payload": "000fff" })),
        (
            Response::ProprietaryResponse(RawPayload::from(vec![0x90, 0x00])),
            json!({ "response": "proprietary_response", "payload": "9000" }),
        ),
    ];
    for (response, expected) in rows {
        let depot = Scripted::new(opened());
        depot.change(|script| script.response = response);
        assert_eq!(post(&depot, PATH, r#"{"request":"get_status"}"#).await.json(), expected);
    }
}

/// A terminal that does not answer is no fault of the caller's: 504.
#[tokio::test]
async fn a_terminal_that_does_not_answer() {
    let depot = Scripted::new(opened());
    let refusal = Refusal::TerminalUnanswered { terminal: "bay-01".parse().unwrap(), request: "get_receipt" };
    depot.change(|script| script.refusal = Some(refusal));
    let reply = post(&depot, PATH, r#"{"request":"get_receipt"}"#).await;
    assert_eq!(reply.problem(), (504, "terminal_unanswered".to_owned()));
    assert!(reply.detail().contains("get_receipt"), "{}", reply.detail());
}
