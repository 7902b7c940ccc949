//! Bodies that nobody has thought of: they are refused with a reason, or what they mean reaches the fleet.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// JSON of any shape, with the field names of our requests among its keys.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u32>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        Just("4294967296".to_owned()),
        Just("1e3".to_owned()),
        Just("\"bay-01\"".to_owned()),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![vec(inner.clone(), 0..6).prop_map(|values| format!("[{}]", values.join(","))), any_object(inner)]
    })
}

fn any_object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => proptest::sample::select(vec!["terminal", "amount", "connector", "reference", "note", "decision"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let field = (name, value).prop_map(|(name, value)| format!("{}:{value}", Value::from(name)));
    vec(field, 0..5).prop_map(|fields| format!("{{{}}}", fields.join(",")))
}

/// A body that is nearly right.
fn any_new_session() -> impl Strategy<Value = String> {
    let amount = prop_oneof![any::<u32>().prop_map(|amount| amount.to_string()), any_json()];
    (amount, any_json())
        .prop_map(|(amount, extra)| format!("{{\"terminal\":\"bay-01\",\"amount\":{amount},\"connector\":{extra}}}"))
}

/// Sends it to each place that takes a body.
fn send(body: &str, content_type: &str) -> Vec<(Reply, Vec<String>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let session = format!("/v1/sessions/{SESSION}");
    let places =
        ["/v1/sessions".to_owned(), format!("{session}/energy"), format!("{session}/commit"), format!("{session}/void")];
    runtime.block_on(async {
        let mut replies = Vec::new();
        for place in &places {
            let depot = Scripted::new(held());
            let reply = ask(&depot, Vec::new(), "POST", place, &[("Content-Type", content_type)], Some(body)).await;
            replies.push((reply, depot.asked()));
        }
        replies
    })
}

/// A refusal says why and asks nobody; anything else has asked the fleet once.
fn is_proper(replies: &[(Reply, Vec<String>)]) {
    for (reply, asked) in replies {
        match reply.status {
            200..=299 => assert_eq!(asked.len(), 1),
            400..=499 => {
                assert!(!reply.problem().1.is_empty() && !reply.detail().is_empty());
                assert_eq!(asked.len(), 0, "{}", reply.text);
            }
            other => panic!("{other}: {}", reply.text),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_taken_or_refused(body in prop_oneof![any_json(), any_object(any_json()), any_new_session()]) {
        is_proper(&send(&body, "application/json"));
    }

    #[test]
    fn any_text_is_taken_or_refused(body in any::<String>(), content_type in "[ -~]{0,30}") {
        is_proper(&send(&body, "application/json"));
        is_proper(&send(&body, &content_type));
    }

    /// The amount that the fleet is asked for is the one in the body, to the unit; or there is none.
    #[test]
    fn an_amount_is_what_was_written(amount in any_json()) {
        let body = format!("{{\"terminal\":\"bay-01\",\"amount\":{amount}}}");
        let (reply, asked) = send(&body, "application/json").remove(0);
        match amount.parse::<u32>() {
            Ok(number) => {
                prop_assert_eq!(reply.status, 201);
                let wanted = format!("amount: Amount({number})");
                prop_assert!(asked[0].contains(&wanted), "{}", asked[0]);
            }
            Err(_) => prop_assert_eq!(reply.problem().0, 422, "{}", reply.text),
        }
    }
}

/// A reload is answered with everything that came of it; a file that is no good, with every mistake and its key.
#[tokio::test]
async fn reading_the_configuration_again() {
    let depot = Scripted::new(opened());
    let reply = post(&depot, "/v1/reload", "").await;
    assert_eq!((reply.status, depot.asked()), (200, vec!["reload by local".to_owned()]));
    let nothing = serde_json::json!([]);
    for list in ["removed", "draining", "changed", "unchanged", "waiting", "settings", "warnings"] {
        assert_eq!(reply.json()[list], nothing, "{list}");
    }
    assert_eq!((&reply.json()["added"][0], &reply.json()["needs_restart"][0]), (&"bay-02".into(), &"api.listen".into()));

    let mistake = |path: &str, message: &str| Mistake { path: path.to_owned(), message: message.to_owned() };
    depot.change(|script| script.mistakes = vec![mistake("site.id", "is missing"), mistake("", "is odd")]);
    let reply = post(&depot, "/v1/reload", "").await;
    assert_eq!(reply.problem(), (422, "configuration_invalid".to_owned()));
    assert_eq!(reply.detail(), "the configuration is invalid, so nothing was changed: site.id: is missing; is odd");
    let errors = serde_json::json!([{ "key": "site.id", "detail": "is missing" }, { "key": "", "detail": "is odd" }]);
    assert_eq!(reply.json()["errors"], errors);
    assert_eq!(post(&depot, "/v1/reload", r#"{"file":"other.toml"}"#).await.problem().0, 400);
}
