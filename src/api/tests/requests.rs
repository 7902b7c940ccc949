//! What comes in: what the fleet is asked, and how each mistake is named.

use super::*;
use crate::journal::record::Outcome;

const NEW: &str = r#"{"terminal":"bay-01","amount":5000}"#;

#[tokio::test]
async fn a_new_session() {
    let depot = Scripted::new(opened());
    let body = r#"{"terminal":"bay-01","amount":5000,"connector":2,"reference":"plug 7 ✓"}"#;
    let reply = post(&depot, "/v1/sessions", body).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("Location"), "/v1/sessions/01936b1e-7c00-7000-8000-000000000001");
    assert_eq!(reply.header("Idempotency-Replayed"), "");
    assert_eq!(reply.json()["state"], "waiting_card");
    let wanted = "Wanted { terminal: bay-01, amount: Amount(5000), connector: Some(Connector(2)), \
                  caller_reference: Some(\"plug 7 ✓\"), idempotency: None }";
    assert_eq!(depot.asked(), [wanted]);
}

/// The digest is of what is meant: order, white space and nulls do not matter, everything else does. It is typed by hand
/// (`printf '["bay-01",5000,null,null]' | sha256sum`), since it must stay the same from version to version: a key may be
/// repeated after an update.
#[tokio::test]
async fn an_idempotency_key() {
    const DIGEST: &str = "c09e4455b1b7e05811beaa82d483e23cc3ea7971c7e1800a0ddabaa26a825564";
    let depot = Scripted::new(opened());
    let key = [("Idempotency-Key", "k:1"), ("Authorization", "Bearer operator-token")];
    for same in [NEW, r#" { "amount" : 5000, "connector": null, "terminal":"bay-01" }"#] {
        ask(&depot, tokens(), "POST", "/v1/sessions", &key, Some(same)).await;
        let asked = depot.asked().remove(0);
        assert!(asked.ends_with(&format!("Some(Idempotency {{ key: \"charger:k:1\", digest: \"{DIGEST}\" }}) }}")), "{asked}");
    }
    let others = [
        r#"{"terminal":"bay-02","amount":5000}"#,
        r#"{"terminal":"bay-01","amount":5001}"#,
        r#"{"terminal":"bay-01","amount":5000,"connector":1}"#,
        r#"{"terminal":"bay-01","amount":5000,"reference":""}"#,
    ];
    for other in others {
        ask(&depot, Vec::new(), "POST", "/v1/sessions", &key, Some(other)).await;
        let asked = depot.asked().remove(0);
        assert!(asked.contains("key: \"local:k:1\"") && !asked.contains(DIGEST), "{asked}");
    }
    depot.change(|script| script.replayed = true);
    let reply = ask(&depot, Vec::new(), "POST", "/v1/sessions", &key, Some(NEW)).await;
    assert_eq!((reply.status, reply.header("Idempotency-Replayed")), (201, "true"));
}

#[tokio::test]
async fn keys_that_are_none() {
    let depot = Scripted::new(opened());
    let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
    for key in ["", "a b", &too_long] {
        let reply = ask(&depot, Vec::new(), "POST", "/v1/sessions", &[("Idempotency-Key", key)], Some(NEW)).await;
        assert_eq!(reply.problem(), (400, "malformed".to_owned()), "{key}");
    }
    assert!(depot.asked().is_empty());
    let reply = ask(&depot, Vec::new(), "POST", "/v1/sessions", &[("Idempotency-Key", &longest)], Some(NEW)).await;
    assert_eq!(reply.status, 201);
}

/// Body, code, and the words that name the mistake.
#[tokio::test]
async fn bodies_that_open_nothing() {
    let long = format!(r#"{{"terminal":"bay-01","amount":1,"reference":"{}"}}"#, "x".repeat(64));
    let table: [(&str, u16, &str, &str); 26] = [
        (
            r#"{"terminal":"bay-01","amount":-1}"#,
            422,
            "amount_invalid",
            "an amount is a whole number of minor units, but this is -1",
        ),
        (
            r#"{"terminal":"bay-01","amount":12.5}"#,
            422,
            "amount_invalid",
            "an amount is a whole number of minor units, but this is 12.5",
        ),
        (r#"{"terminal":"bay-01","amount":5000.0}"#, 422, "amount_invalid", "this is 5000.0"),
        (r#"{"terminal":"bay-01","amount":"5000"}"#, 422, "amount_invalid", "this is \"5000\""),
        (r#"{"terminal":"bay-01","amount":null}"#, 422, "amount_invalid", "this is null"),
        (r#"{"terminal":"bay-01","amount":[1]}"#, 422, "amount_invalid", "this is a list"),
        (
            r#"{"terminal":"bay-01","amount":4294967296}"#,
            422,
            "amount_invalid",
            "at most 4294967295 minor units, but this is 4294967296",
        ),
        (r#"{"terminal":"bay-01","amount":99999999999999999999}"#, 422, "amount_invalid", "whole number"),
        (r#"{"terminal":"bay-01","amount":0}"#, 422, "amount_invalid", "at least 1 minor unit, but this is 0"),
        (r#"{"terminal":"bay-01"}"#, 400, "malformed", "the field \"amount\" is missing"),
        (r#"{"amount":1}"#, 400, "malformed", "the field \"terminal\" is missing"),
        (r#"{"terminal":7,"amount":1}"#, 400, "malformed", "the field \"terminal\" is expected to be a text, but it is 7"),
        (r#"{"terminal":"Bay 1","amount":1}"#, 404, "terminal_unknown", "there is no terminal \"Bay 1\""),
        (r#"{"terminal":"bay-01","amount":1,"amout":1}"#, 400, "malformed", "the field \"amout\" is not known here"),
        (r#"{"terminal":"bay-01","amount":1,"amount":2}"#, 400, "malformed", "the field \"amount\" is there twice"),
        (r#"{"terminal":"bay-01","amount":1,"connector":0}"#, 400, "malformed", "a whole number from 1 to 255, but it is 0"),
        (r#"{"terminal":"bay-01","amount":1,"connector":256}"#, 400, "malformed", "\"connector\""),
        (r#"{"terminal":"bay-01","amount":1,"connector":"1"}"#, 400, "malformed", "\"connector\""),
        (r#"{"terminal":"bay-01","amount":1,"reference":5}"#, 400, "malformed", "\"reference\""),
        (r#"{"terminal":"bay-01","amount":1,"reference":"a\nb"}"#, 400, "malformed", "no control characters"),
        (&long, 400, "malformed", "at most 63 bytes, but it has 64"),
        ("[]", 400, "malformed", "expected an object"),
        ("5", 400, "malformed", "expected an object"),
        ("{", 400, "malformed", "EOF"),
        ("{} {}", 400, "malformed", "trailing"),
        ("\u{0}", 400, "malformed", "not a JSON object"),
    ];
    let depot = Scripted::new(opened());
    for (body, status, code, words) in table {
        let reply = post(&depot, "/v1/sessions", body).await;
        assert_eq!(reply.problem(), (status, code.to_owned()), "{body}");
        assert!(reply.detail().contains(words), "{body}: {}", reply.detail());
    }
    assert!(depot.asked().is_empty());
}

#[tokio::test]
async fn bodies_of_the_wrong_kind_and_size() {
    let depot = Scripted::new(opened());
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let reply = ask(&depot, Vec::new(), "POST", "/v1/sessions", &[("Content-Type", kind)], Some(NEW)).await;
        assert_eq!(reply.problem(), (415, "wrong_media_type".to_owned()), "{kind}");
        assert!(reply.detail().contains(kind));
    }
    let large = format!("{}{NEW}", " ".repeat(16 * 1024));
    assert_eq!(post(&depot, "/v1/sessions", &large).await.problem(), (413, "too_large".to_owned()));
    assert!(depot.asked().is_empty());
    let kind = [("Content-Type", "Application/JSON; charset=utf-8")];
    assert_eq!(ask(&depot, Vec::new(), "POST", "/v1/sessions", &kind, Some(NEW)).await.status, 201);
}

/// What can be done to a session: path, body, and what the fleet is asked, or which problem there is instead.
#[tokio::test]
async fn wishes() {
    let depot = Scripted::new(Session { state: State::Disposed(Outcome::Voided), ..opened() });
    let long_note = format!(r#"{{"outcome":"voided","note":"{}"}}"#, "ä".repeat(1001));
    let table = [
        ("/energy", r#"{"amount":1240}"#, Ok("Energy(Amount(1240))")),
        ("/energy", r#"{"amount":0}"#, Ok("Energy(Amount(0))")),
        ("/energy", r#"{"amount":-1}"#, Err((422, "amount_invalid"))),
        ("/energy", "", Err((400, "malformed"))),
        ("/commit", r#"{"amount":4294967295}"#, Ok("Commit(Amount(4294967295))")),
        ("/commit", r#"{"amount":0}"#, Ok("Commit(Amount(0))")),
        ("/commit", r#"{"amount":31.4}"#, Err((422, "amount_invalid"))),
        ("/commit", "{}", Err((400, "malformed"))),
        ("/commit?wait=soon", r#"{"amount":1}"#, Err((400, "malformed"))),
        ("/commit?wiat=0", r#"{"amount":1}"#, Err((400, "malformed"))),
        ("/void", "{}", Ok("Void")),
        ("/void", r#"{"amount":1}"#, Err((400, "malformed"))),
        ("/cancel", "", Ok("Cancel")),
        ("/update", r#"{"amount":7000}"#, Ok("Update(Amount(7000))")),
        ("/update", r#"{"amount":-1}"#, Err((422, "amount_invalid"))),
        ("/update", "{}", Err((400, "malformed"))),
        ("/update", r#"{"amount":1,"by":1}"#, Err((400, "malformed"))),
        ("/authorise", "", Ok("Authorise")),
        ("/authorise", "{}", Ok("Authorise")),
        ("/authorise", r#"{"amount":1}"#, Err((400, "malformed"))),
        (
            "/resolve",
            r#"{"outcome":"committed","amount":3140,"note":"seen"}"#,
            Ok("Resolve { outcome: Committed(Amount(3140)), note: \"seen\", by: \"local\", needs_two: false }"),
        ),
        (
            "/resolve",
            r#"{"outcome":"voided","note":"seen"}"#,
            Ok("Resolve { outcome: Voided, note: \"seen\", by: \"local\", needs_two: false }"),
        ),
        ("/resolve", r#"{"outcome":"committed","note":"seen"}"#, Err((400, "malformed"))),
        ("/resolve", r#"{"outcome":"committed","amount":0,"note":"seen"}"#, Err((422, "amount_invalid"))),
        ("/resolve", r#"{"outcome":"voided","amount":1,"note":"seen"}"#, Err((400, "malformed"))),
        ("/resolve", r#"{"outcome":"expired","note":"seen"}"#, Err((400, "malformed"))),
        ("/resolve", r#"{"outcome":"voided","note":"  "}"#, Err((400, "malformed"))),
        ("/resolve", r#"{"outcome":"voided"}"#, Err((400, "malformed"))),
        ("/resolve", &long_note, Err((400, "malformed"))),
    ];
    for (action, body, expected) in table {
        let reply = post(&depot, &path(action), body).await;
        match expected {
            Ok(wish) => {
                assert_eq!(reply.status, 200, "{action} {body}: {}", reply.text);
                assert_eq!(depot.asked(), [wish], "{action} {body}");
            }
            Err((status, code)) => {
                assert_eq!(reply.problem(), (status, code.to_owned()), "{action} {body}");
                assert!(depot.asked().is_empty(), "{action} {body}");
            }
        }
    }
}

/// Settled is 200, proposed is 202; the names of the tokens go with it, and what was proposed can be taken back.
#[tokio::test]
async fn what_is_proposed_and_taken_back() {
    let body = r#"{"outcome":"voided","note":"seen"}"#;
    for (state, status) in [(State::Uncertain("why".to_owned()), 202), (State::Disposed(Outcome::Voided), 200)] {
        let depot = Scripted::new(Session { state, ..opened() });
        let admin = [("Authorization", "Bearer admin-token")];
        let reply = ask(&depot, tokens(), "POST", &path("/resolve"), &admin, Some(body)).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(depot.asked()[0].contains("by: \"boss\""));
        let reply = ask(&depot, tokens(), "DELETE", &path("/resolve"), &admin, None).await;
        assert_eq!((reply.status, depot.asked()), (200, vec!["WithdrawResolution { by: \"boss\" }".to_owned()]));
    }
}

/// Every refusal of the fleet, and the whole body of one.
#[tokio::test]
async fn problems_of_the_fleet() {
    let terminal: TerminalId = "bay-01".parse().unwrap();
    let session: SessionId = SESSION.parse().unwrap();
    let (held, asked) = (Amount::from_minor(4500), Amount::from_minor(4501));
    let table = [
        (Refusal::TerminalUnknown("x".to_owned()), 404, "terminal_unknown"),
        (Refusal::SessionUnknown("x".to_owned()), 404, "session_unknown"),
        (Refusal::TerminalBusy(terminal.clone()), 409, "terminal_busy"),
        (Refusal::TerminalFull { terminal: terminal.clone(), open: 2, connectors: 2 }, 409, "terminal_full"),
        (Refusal::TerminalNotReady { terminal, why: "link down".to_owned() }, 503, "terminal_not_ready"),
        (Refusal::Draining("bay-01".to_owned()), 503, "draining"),
        (Refusal::JournalUnavailable("disk full".to_owned()), 503, "journal_unavailable"),
        (Refusal::AmountInvalid("no".to_owned()), 422, "amount_invalid"),
        (Refusal::IdempotencyMismatch, 422, "idempotency_mismatch"),
        (Refusal::AlreadyDecided { session, decided: "void".to_owned() }, 409, "already_decided"),
        (Refusal::NotSupported("no".to_owned()), 409, "not_supported"),
        (Refusal::NoHold { session, state: "declined" }, 409, "no_hold"),
        (Refusal::HasHold { session, state: "approved" }, 409, "has_hold"),
        (Refusal::NoCard { session, state: "waiting_card" }, 409, "no_card"),
        (Refusal::UpdateUnderWay { session, under_way: held }, 409, "update_under_way"),
        (Refusal::UpdateDeclined { session, why: "declined".to_owned() }, 409, "update_declined"),
        (Refusal::NotStuck { session, state: "approved", since: String::new() }, 409, "not_supported"),
        (Refusal::AttemptUnderWay(session), 409, "attempt_under_way"),
        (Refusal::NeedsAnotherPerson { session, proposed_by: "anna".to_owned() }, 409, "needs_another_person"),
        (
            Refusal::ResolutionConflict { session, proposed_by: "anna".to_owned(), proposed: "voided".to_owned() },
            409,
            "resolution_conflict",
        ),
    ];
    let depot = Scripted::new(opened());
    for (refusal, status, code) in table {
        depot.change(|script| script.refusal = Some(refusal));
        assert_eq!(post(&depot, &path("/commit"), r#"{"amount":1}"#).await.problem(), (status, code.to_owned()));
    }
    depot.change(|script| script.refusal = Some(Refusal::OverCommit { held, asked }));
    let expected = serde_json::json!({
        "type": "urn:quittance:problem:over_commit",
        "title": "More than the hold",
        "status": 422,
        "code": "over_commit",
        "detail": "the hold is 4500, so 4501 cannot be committed (minor units)",
    });
    assert_eq!(post(&depot, &path("/commit"), r#"{"amount":4501}"#).await.json(), expected);
}

#[tokio::test]
async fn names_of_nothing() {
    let depot = Scripted::new(opened());
    let ids = ["x", "1", "%20", "%ff%fe", "01936b1e-7c00-7000-8000-000000000002", "..%2f..", "01936b1e"];
    for id in ids {
        assert_eq!(get(&depot, &format!("/v1/sessions/{id}")).await.problem(), (404, "session_unknown".to_owned()), "{id}");
        let void = post(&depot, &format!("/v1/sessions/{id}/void"), "").await;
        assert_eq!(void.problem(), (404, "session_unknown".to_owned()), "{id}");
        let update = post(&depot, &format!("/v1/sessions/{id}/update"), r#"{"amount":1}"#).await;
        assert_eq!(update.problem(), (404, "session_unknown".to_owned()), "{id}");
        assert_eq!(get(&depot, &format!("/v1/terminals/{id}")).await.problem(), (404, "terminal_unknown".to_owned()), "{id}");
    }
    for path in
        ["/status", "/v1", "/v2/sessions", "/v1/sessions/", "/v1/sessions/x/y/z", "/v1/event", "/v1/terminals/bay-01/reboot"]
    {
        assert_eq!(get(&depot, path).await.problem(), (404, "path_unknown".to_owned()), "{path}");
    }
    let methods = [
        ("DELETE", "/v1/sessions".to_owned(), "GET, HEAD, POST"),
        ("PUT", path(""), "GET, HEAD"),
        ("GET", path("/commit"), "POST"),
        ("GET", "/v1/terminals/bay-01/drain".to_owned(), "POST"),
        ("POST", "/metrics".to_owned(), "GET, HEAD"),
        ("BREW", "/healthz".to_owned(), "GET, HEAD"),
    ];
    for (method, path, allowed) in methods {
        let reply = ask(&depot, Vec::new(), method, &path, &[], None).await;
        assert_eq!(
            (reply.problem(), reply.header("Allow")),
            ((405, "method_not_allowed".to_owned()), allowed),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn lists() {
    let depot = Scripted::new(opened());
    let all = "(false, None, None, None, 100)";
    for query in ["", "?", "?undisposed=&terminal=&state=&limit=&cursor=", "?undisposed=false"] {
        let reply = get(&depot, &format!("/v1/sessions{query}")).await.json();
        assert_eq!((reply["sessions"].as_array().unwrap().len(), &reply["next"]), (1, &SESSION.into()));
        assert_eq!(depot.asked(), [all], "{query}");
    }
    let reply =
        get(&depot, &format!("/v1/sessions?undisposed=true&terminal=bay-02&state=in_doubt&limit=1000&cursor={SESSION}")).await;
    assert_eq!(reply.json()["next"], Value::Null);
    let narrow = format!("(true, Some(bay-02), Some(\"in_doubt\"), Some({SESSION:?}), 1000)");
    assert_eq!(depot.asked(), [narrow]);

    let wrong = [
        "/v1/sessions?undisposed=yes",
        "/v1/sessions?terminal=Bay",
        "/v1/sessions?state=held",
        "/v1/sessions?limit=0",
        "/v1/sessions?limit=1001",
        "/v1/sessions?limit=-1",
        "/v1/sessions?cursor=7",
        "/v1/sessions?undispsoed=true",
        "/v1/sessions?limit=1&limit=2",
        "/v1/reconciliations?limit=x",
        "/v1/reconciliations?state=x",
        "/v1/terminals?link=up",
    ];
    for path in
        wrong.map(str::to_owned).into_iter().chain([path("?wait=-1"), path("?wait=1.5"), path("?version=x"), path("?v=1")])
    {
        assert_eq!(get(&depot, &path).await.problem(), (400, "malformed".to_owned()), "{path}");
    }
    assert!(depot.asked().is_empty());
}

#[tokio::test]
async fn health() {
    let depot = Scripted::new(opened());
    assert_eq!(get(&depot, "/healthz").await.json(), serde_json::json!({ "status": "ok" }));
    assert_eq!(get(&depot, "/readyz").await.json(), serde_json::json!({ "ready": true, "reasons": [] }));
    let metrics = get(&depot, "/metrics").await;
    assert_eq!(metrics.text, "quittance_link_up 1\n");
    assert_eq!(metrics.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");

    depot.change(|script| script.unready = vec!["bay-01 is not reconciled".to_owned()]);
    let unready = get(&depot, "/readyz").await;
    assert_eq!(unready.status, 503);
    assert_eq!(unready.json(), serde_json::json!({ "ready": false, "reasons": ["bay-01 is not reconciled"] }));
    assert_eq!(get(&depot, "/healthz").await.status, 200);
}
