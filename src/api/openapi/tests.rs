//! The description says what the API does: its problems are those that can come, its roles those that are asked for.

use super::*;
use crate::api::Role;

fn api() -> Value {
    serde_json::from_str(&document()).unwrap()
}

fn operations(api: &Value) -> Vec<(String, String, Value)> {
    let paths = api["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path.clone(), method.clone(), operation.clone()))
    });
    all.collect()
}

/// A refusal that is new has a code here, or this fails: the codes are read out of the file that gives them.
#[test]
fn every_refusal_has_its_code_and_status() {
    let refusals = include_str!("../../session/refusal.rs").split("fn code(").nth(1).unwrap();
    let codes: Vec<&str> = refusals.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(codes.contains(&"terminal_unknown") && codes.len() >= 17, "{codes:?}");
    for code in codes {
        assert!(problems::find(code).is_some(), "{code} is not described");
    }
    // The words beside a code are its own, not those of what nobody knows.
    for code in problems::CODES.iter().filter(|code| code.code != "malformed") {
        assert_ne!(Body::example(code.code, code.status, "")["title"], "The request cannot be understood", "{}", code.code);
    }
}

/// Operations name only codes that there are, and each of these under its status.
#[test]
fn every_operation_names_its_problems() {
    for (path, method, operation) in operations(&api()) {
        for code in operation["x-problem-codes"].as_array().unwrap() {
            let known =
                problems::find(code.as_str().unwrap()).unwrap_or_else(|| panic!("{method} {path}: {code} is not known"));
            let content = &operation["responses"][known.status.to_string()]["content"]["application/problem+json"];
            assert!(
                content["schema"]["properties"]["code"]["enum"].as_array().unwrap().contains(code),
                "{method} {path}: {code}"
            );
            assert!(content["examples"][known.code].is_object(), "{method} {path}: {code}");
        }
    }
}

/// Whoever reads it finds for each operation a name of its own, words, who may ask, and an answer that is no refusal.
#[test]
fn every_operation_is_described() {
    let api = api();
    let operations = operations(&api);
    let mut names: Vec<&str> = operations.iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), operations.len());
    let tags: Vec<&Value> = api["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, method, operation) in &operations {
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path}: {}", operation["tags"]);
        assert!(operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('2')), "{method} {path}");
        let role = operation["security"][0]["token"][0].as_str();
        assert_eq!(role.is_some(), path.starts_with("/v1/"), "{method} {path}");
        assert!(role.is_none_or(|role| role.parse::<Role>().is_ok()), "{method} {path}: {role:?}");
    }
}

/// Nothing is named that is not there, and what an answer holds is all there.
#[test]
fn every_reference_leads_somewhere() {
    let api = api();
    let text = api.to_string();
    let names: Vec<&str> = text.split("\"#/components/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(names.len() > 100);
    for name in names {
        assert!(api["components"].pointer(&format!("/{name}")).is_some_and(Value::is_object), "{name}");
    }
    let session = &api["components"]["schemas"]["Session"];
    assert_eq!(session["required"].as_array().unwrap().len(), session["properties"].as_object().unwrap().len());
    assert_eq!(api["components"]["schemas"]["NewSession"]["additionalProperties"], false);
}
