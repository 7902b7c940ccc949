//! What every answer has: a name, no body for HEAD, a tag where it may be kept, and when to come again where it was refused for now.

use super::*;

async fn named(name: &str) -> String {
    let depot = Scripted::new(opened());
    let reply = ask(&depot, Vec::new(), "GET", "/v1/terminals", &[("X-Request-Id", name)], None).await;
    reply.header("X-Request-Id").to_owned()
}

/// A request's own name comes back; what cannot stand in a log, or is too long, is replaced, and no two are the same.
#[tokio::test]
async fn names_of_requests() {
    let longest = "x".repeat(128);
    for name in ["a", "4bf92f35-77b3.4da6:A3/ce_929d+0e=0e@4736", &longest] {
        assert_eq!(named(name).await, name);
    }
    let too_long = "x".repeat(129);
    let mut made = Vec::new();
    for name in ["", "two words", "\"quoted\"", "new\tline", "ümlaut", &too_long] {
        made.push(named(name).await);
    }
    made.push(get(&Scripted::new(opened()), "/nowhere").await.header("X-Request-Id").to_owned());
    assert!(made.iter().all(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())), "{made:?}");
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 7);
}

/// HEAD says what GET would say, without saying it; also of what is not there.
#[tokio::test]
async fn head_is_get_without_a_body() {
    let depot = Scripted::new(opened());
    for path in ["/healthz", "/metrics", "/openapi.json", "/v1/terminals", &path(""), "/", "/status.css", "/v1/sessions/x"] {
        let (head, get) = (ask(&depot, Vec::new(), "HEAD", path, &[], None).await, get(&depot, path).await);
        assert_eq!((head.status, head.header("Content-Type")), (get.status, get.header("Content-Type")), "{path}");
        assert!(head.text.is_empty() && !get.text.is_empty(), "{path}");
    }
    assert_eq!(ask(&depot, Vec::new(), "HEAD", &path("/void"), &[], None).await.status, 405);
}

/// A session's tag is its version: who has it is told so; any other tag gets the session.
#[tokio::test]
async fn a_session_that_is_known() {
    let depot = Scripted::new(held());
    let fresh = get(&depot, &path("")).await;
    assert_eq!((fresh.status, fresh.header("ETag"), fresh.header("Cache-Control")), (200, "\"4\"", "private, no-cache"));
    for (tag, status) in
        [("\"4\"", 304), ("W/\"4\"", 304), ("\"3\", \"4\"", 304), ("*", 304), ("\"3\"", 200), ("4", 200), ("", 200)]
    {
        let reply = ask(&depot, Vec::new(), "GET", &path(""), &[("If-None-Match", tag)], None).await;
        assert_eq!((reply.status, reply.header("ETag"), reply.text.is_empty()), (status, "\"4\"", status == 304), "{tag}");
    }
    let described = get(&depot, "/openapi.json").await;
    let again = [("If-None-Match", described.header("ETag"))];
    assert_eq!(ask(&depot, Vec::new(), "GET", "/openapi.json", &again, None).await.status, 304);
    assert_eq!(get(&depot, "/v1/terminals").await.header("Cache-Control"), "no-store");
}

/// Whatever cannot be done now says when to ask again.
#[tokio::test]
async fn when_to_ask_again() {
    let depot = Scripted::new(opened());
    for refusal in [Refusal::Draining("bay-01".to_owned()), Refusal::JournalUnavailable("full".to_owned())] {
        depot.change(|script| script.refusal = Some(refusal));
        let reply = post(&depot, &path("/void"), "").await;
        assert_eq!((reply.status, reply.header("Retry-After")), (503, "5"));
    }
    depot.change(|script| script.unready = vec!["bay-01 is not reconciled".to_owned()]);
    let reply = get(&depot, "/readyz").await;
    assert_eq!((reply.status, reply.header("Retry-After")), (503, "5"));
}
