//! `/openapi.json`, as the real program serves it.

use serde_json::Value;

use super::rig::Rig;
use super::tool::root;

/// What is described changes only when somebody means it: QUITTANCE_RENEW=1 writes the file anew, and then its difference is looked at.
#[test]
fn the_description_is_as_it_was() {
    let rig = Rig::builder().apollos(1).token("secret").start();
    let (status, described) = rig.api.get_as(None, "/openapi.json");
    assert_eq!(status, 200);
    let text = serde_json::to_string_pretty(&described).unwrap() + "\n";
    let file = root().join("tests/suite/data/openapi.json");
    if std::env::var_os("QUITTANCE_RENEW").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let known: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap_or_default()).unwrap_or_default();
    assert_eq!(known["openapi"], "3.1.0");
    let differing: Vec<&String> =
        ["paths", "components"].iter().flat_map(|part| differences(&known[part], &described[part])).collect();
    assert!(known == described, "QUITTANCE_RENEW=1 cargo test --test suite openapi:: writes it anew; other: {differing:?}");
    rig.finish();
}

/// The names of what is there once, or is there twice and not the same.
fn differences<'a>(known: &'a Value, now: &'a Value) -> Vec<&'a String> {
    let names = |value: &'a Value| value.as_object().into_iter().flat_map(|map| map.keys());
    let mut differing: Vec<&String> = names(known).chain(names(now)).filter(|name| known[*name] != now[*name]).collect();
    differing.sort();
    differing.dedup();
    differing
}
