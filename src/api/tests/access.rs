//! Who may do what: every path with every role, and what a refused one learns.

use super::*;
use crate::journal::record::CancelledBy;

/// A body that each path accepts, and the least role; none where no token is needed.
const PATHS: &[(&str, &str, &str, Option<Role>)] = &[
    ("GET", "/healthz", "", None),
    ("GET", "/readyz", "", None),
    ("GET", "/metrics", "", None),
    ("GET", "/openapi.json", "", None),
    ("GET", "/status.css", "", None),
    ("GET", "/status.js", "", None),
    ("GET", "/v1/sessions", "", Some(Role::Viewer)),
    ("POST", "/v1/sessions", r#"{"terminal":"bay-01","amount":5000}"#, Some(Role::Operator)),
    ("GET", "/v1/sessions/ID", "", Some(Role::Viewer)),
    ("POST", "/v1/sessions/ID/energy", r#"{"amount":1}"#, Some(Role::Operator)),
    ("POST", "/v1/sessions/ID/commit?wait=0", r#"{"amount":1}"#, Some(Role::Operator)),
    ("POST", "/v1/sessions/ID/void?wait=0", "", Some(Role::Operator)),
    ("POST", "/v1/sessions/ID/cancel", "", Some(Role::Operator)),
    ("POST", "/v1/sessions/ID/authorise", "", Some(Role::Operator)),
    ("POST", "/v1/sessions/ID/update", r#"{"amount":1}"#, Some(Role::Operator)),
    ("GET", "/v1/sessions/ID/story", "", Some(Role::Viewer)),
    ("POST", "/v1/sessions/ID/resolve", r#"{"outcome":"voided","note":"seen"}"#, Some(Role::Admin)),
    ("DELETE", "/v1/sessions/ID/resolve", "", Some(Role::Admin)),
    ("GET", "/v1/terminals", "", Some(Role::Viewer)),
    ("GET", "/v1/terminals/bay-01", "", Some(Role::Viewer)),
    ("GET", "/v1/reconciliations", "", Some(Role::Viewer)),
    ("GET", "/v1/events", "", Some(Role::Viewer)),
    ("POST", "/v1/terminals/bay-01/drain", "", Some(Role::Admin)),
    ("POST", "/v1/terminals/bay-01/resume", "", Some(Role::Admin)),
    ("POST", "/v1/terminals/nowhere/reconcile", "", Some(Role::Admin)),
    ("POST", "/v1/terminals/bay-01/reconnect", "", Some(Role::Admin)),
    ("POST", "/v1/terminals/bay-01/request", r#"{"request":"get_status"}"#, Some(Role::Admin)),
    ("POST", "/v1/terminals/nowhere/drain", "", Some(Role::Admin)),
    ("POST", "/v1/reload", "", Some(Role::Admin)),
];

/// The table above leaves out nothing that is described, and the description says the same roles.
#[test]
fn every_described_path_is_tried() {
    let described: Value = serde_json::from_str(&crate::api::openapi::document()).unwrap();
    let tried = |(method, path, _, role): &(&str, &str, &str, Option<Role>)| {
        let path =
            path.split('?').next().unwrap().replace("ID", "{id}").replace("/bay-01", "/{id}").replace("/nowhere", "/{id}");
        (path, method.to_ascii_lowercase(), role.map(|role| role.as_str().to_owned()))
    };
    let tried: Vec<_> = PATHS.iter().map(tried).collect();
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["security"][0]["token"][0].as_str().map(str::to_owned);
            let operation = (path.clone(), method.clone(), role);
            assert!(tried.contains(&operation), "{operation:?}");
        }
    }
}

/// A role that is too low gets 403 and nobody gets 401, and then the fleet is not asked at all.
#[tokio::test]
async fn every_path_with_every_role() {
    let callers = [
        (None, None),
        (Some("viewer-token"), Some(Role::Viewer)),
        (Some("operator-token"), Some(Role::Operator)),
        (Some("admin-token"), Some(Role::Admin)),
    ];
    for (method, path, body, least) in PATHS.iter().copied() {
        for (token, role) in callers {
            let depot = Scripted::new(Session { state: State::Cancelled(CancelledBy::Api), ..opened() });
            let header = token.map(|token| format!("Bearer {token}"));
            let headers: Vec<_> = header.iter().map(|header| ("Authorization", header.as_str())).collect();
            let body = (!body.is_empty()).then_some(body);
            let reply = ask(&depot, tokens(), method, &path.replace("ID", SESSION), &headers, body).await;
            let case = format!("{method} {path} as {role:?}: {}", reply.text);
            if least.is_some() && role.is_none() {
                assert_eq!(reply.problem(), (401, "unauthorised".to_owned()), "{case}");
                assert_eq!(reply.header("WWW-Authenticate"), "Bearer realm=\"quittance\"");
                assert!(depot.asked().is_empty(), "{case}");
            } else if least > role {
                assert_eq!(reply.problem(), (403, "forbidden".to_owned()), "{case}");
                assert!(depot.asked().is_empty(), "{case}");
            } else {
                assert!(reply.status != 401 && reply.status != 403, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn headers_that_are_no_token() {
    let depot = Scripted::new(opened());
    let wrong = ["", "Bearer", "Bearer ", "Bearer wrong", "Basic viewer-token", "viewer-token", "Bearer viewer-token x"];
    for header in wrong {
        let reply = ask(&depot, tokens(), "GET", "/v1/sessions", &[("Authorization", header)], None).await;
        assert_eq!(reply.problem(), (401, "unauthorised".to_owned()), "{header}");
    }
    for header in ["Bearer viewer-token", "bearer viewer-token", "BEARER  viewer-token"] {
        let reply = ask(&depot, tokens(), "GET", "/v1/sessions", &[("Authorization", header)], None).await;
        assert_eq!(reply.status, 200, "{header}");
    }
}

/// The words say who was recognised and what would be needed.
#[tokio::test]
async fn a_role_that_is_too_low_is_named() {
    let header = [("Authorization", "Bearer viewer-token")];
    let reply = ask(&Scripted::new(opened()), tokens(), "POST", &path("/void"), &header, None).await;
    assert_eq!(reply.detail(), "this needs the role operator, but dashboard is viewer");
}

/// The token's name goes with what it decides; without tokens it is "local".
#[tokio::test]
async fn the_name_is_passed_on() {
    let depot = Scripted::new(opened());
    let header = [("Authorization", "Bearer admin-token")];
    ask(&depot, tokens(), "POST", "/v1/terminals/bay-01/drain", &header, None).await;
    post(&depot, "/v1/terminals/bay-01/resume", "").await;
    assert_eq!(depot.asked(), ["drain bay-01 by boss", "resume bay-01 by local"]);
}

/// Without tokens, a web page in a browser on the same machine could send a POST: it must not.
#[tokio::test]
async fn a_web_page_is_refused_without_tokens() {
    let depot = Scripted::new(opened());
    let origin = [("Origin", "https://example.org")];
    let reply = ask(&depot, Vec::new(), "POST", "/v1/terminals/bay-01/drain", &origin, None).await;
    assert_eq!(reply.problem(), (403, "forbidden".to_owned()));
    assert!(depot.asked().is_empty());
}

#[test]
fn roles_by_name() {
    assert_eq!("viewer".parse(), Ok(Role::Viewer));
    assert_eq!("operator".parse(), Ok(Role::Operator));
    assert_eq!("admin".parse(), Ok(Role::Admin));
    assert!("Admin".parse::<Role>().is_err());
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
}
