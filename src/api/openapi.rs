//! `/openapi.json`: this API's own description, OpenAPI 3.1, made from the handlers and the types that they answer with. What holds for many operations
//! is said here once: who may ask, which problems come with a token, a body or a name, which headers every answer has.

mod problems;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::Tag;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApiBuilder, PathsBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::auth::Anybody;
use super::error::{Body, KeyError};
use super::routes::Routes;
use super::schema;
use super::tag::Tagged;

/// What a reader should know before the first operation.
const WORDS: &str = "\
Chargers open a session for a card, wait until it is `approved`, report energy, and commit or void its hold. Whatever an answer says \
about money is in the journal already.

Where tokens are configured, send `Authorization: Bearer TOKEN`. A token has a role: a `viewer` reads; an `operator` may also open \
sessions, authorise, report energy, update, commit, void and cancel; an `admin` may do everything. Each operation says the least role that it needs.

Amounts are whole numbers of minor units of the site's one currency (cents, for euros). Times are RFC 3339, UTC. Fields that are not \
known are `null`, never left out. Further fields may be added to answers; unknown fields, parameters and methods of requests are refused.

Whatever is refused is an `application/problem+json` with a stable `code` for programs and a `detail` for people. An answer with status 503 or 429 \
says in `Retry-After` after how many seconds to ask again. Every answer has an `X-Request-Id`: that of the request, if it had one, \
else a new one; the log has it, too. What can be read by GET can be asked about by HEAD.";

/// The nouns, in the order of reading.
const TAGS: [(&str, &str); 6] = [
    ("sessions", "One attempt to take money, from the wish to the end."),
    ("terminals", "The devices that read cards."),
    ("reconciliations", "Comparisons of our holds with those that terminals list."),
    ("events", "What the journal has, as it happens."),
    ("reload", "The configuration, while the program runs."),
    ("process", "The program itself: for probes, for Prometheus, for whoever writes a client."),
];

/// Which operations are never refused for being too many: what ends, keeps or protects a hold, and probes.
pub(super) fn unlimited(path: &str) -> bool {
    let of_a_session = path.starts_with("/v1/sessions/{id}/") && !path.ends_with("/story");
    of_a_session || path == "/healthz" || path == "/readyz"
}

/// The description of this API
///
/// OpenAPI 3.1, the same for every depot with this version.
#[utoipa::path(get, path = "/openapi.json", operation_id = "get_description",
    responses((status = 200, description = "This document.", body = serde_json::Value)))]
async fn openapi(_by: Anybody, request: HttpRequest) -> HttpResponse {
    static TEXT: OnceLock<Tagged> = OnceLock::new();
    TEXT.get_or_init(|| Tagged::new(Bytes::from(document()))).answer(&request, "application/json")
}

pub(super) fn routes(routes: &mut Routes) {
    routes.serve(__path_openapi, openapi);
}

/// The whole document.
pub(super) fn document() -> String {
    let (described, schemas) = Routes::all().described();
    let paths = described.iter().fold(PathsBuilder::new(), |paths, one| {
        paths.path(&one.path, utoipa::openapi::PathItem::new(one.method.clone(), one.operation.clone()))
    });
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of the configuration's `[api] tokens`. None is needed where none is configured, on loopback addresses only."))
        .build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .schema(Body::name(), Body::schema())
        .schema(KeyError::name(), KeyError::schema())
        // Of parameters only.
        .schema(schema::Seconds::name(), schema::Seconds::schema())
        .schema(schema::Cursor::name(), schema::Cursor::schema())
        .schema(schema::AnyTerminal::name(), schema::AnyTerminal::schema())
        .security_scheme("token", SecurityScheme::Http(token))
        .build();
    let info = InfoBuilder::new().title("Quittance").version(env!("CARGO_PKG_VERSION")).description(Some(WORDS)).build();
    let tags = TAGS.map(|(name, words)| {
        let mut tag = Tag::new(name);
        tag.description = Some(words.to_owned());
        tag
    });
    let api = OpenApiBuilder::new().info(info).paths(paths.build()).components(Some(components)).tags(Some(tags)).build();
    let mut api = serde_json::to_value(api).unwrap_or_default();
    for one in &described {
        let method = method(&one.method);
        if let Some(operation) = api["paths"][&one.path][method].as_object_mut() {
            complete(&one.path, operation);
        }
    }
    shared(&mut api["components"]);
    everything_is_there(&mut api);
    api.to_string()
}

const fn method(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "get",
        HttpMethod::Post => "post",
        HttpMethod::Put => "put",
        HttpMethod::Delete => "delete",
        HttpMethod::Options => "options",
        HttpMethod::Head => "head",
        HttpMethod::Patch => "patch",
        HttpMethod::Trace => "trace",
    }
}

/// Adds what follows from the operation's path, body, parameters and role.
fn complete(path: &str, operation: &mut Map<String, Value>) {
    let noun = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next()).unwrap_or("process");
    operation.insert("tags".to_owned(), json!([noun]));

    let mut codes: Vec<String> = Vec::new();
    if let Some(own) = operation.get("x-problem-codes").and_then(Value::as_array) {
        codes.extend(own.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    let mut add = |more: &[&str]| codes.extend(more.iter().map(|code| (*code).to_owned()));
    let role = operation.get("security").and_then(|security| security[0]["token"][0].as_str()).map(str::to_owned);
    if let Some(role) = &role {
        add(&["unauthorised", "forbidden"]);
        let words = operation.get("description").and_then(Value::as_str).unwrap_or_default();
        let words = format!("{words}\n\nNeeds the role {role}.");
        operation.insert("description".to_owned(), words.trim().into());
    }
    let parameters = operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    if parameters.iter().any(|parameter| parameter["in"] != "path") {
        add(&["malformed"]);
    }
    if let Some(body) = operation.get_mut("requestBody") {
        add(&["malformed", "too_slow", "too_large", "wrong_media_type"]);
        if body["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Nothing" {
            body["required"] = false.into();
        }
    }
    if path.starts_with("/v1/sessions/{id}") {
        add(&["session_unknown"]);
    }
    // Its terminal may have been taken out of the configuration.
    if path.starts_with("/v1/terminals/{id}") || path.starts_with("/v1/sessions/{id}/") {
        add(&["terminal_unknown"]);
    }
    if !unlimited(path) {
        add(&["too_many_requests"]);
    }
    codes.sort();
    codes.dedup();
    operation.insert("x-problem-codes".to_owned(), json!(codes));

    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for code in codes.iter().filter_map(|code| problems::find(code)) {
        let status = code.status.to_string();
        let response = responses.entry(status).or_insert_with(|| refusal(code.status));
        tell(response, code);
    }
    for response in responses.values_mut() {
        response["headers"]["X-Request-Id"] = json!({ "$ref": "#/components/headers/RequestId" });
    }
}

/// An answer with one of several problems.
fn refusal(status: u16) -> Value {
    // What stands beside a reference narrows it (JSON Schema 2020-12).
    let schema = json!({ "$ref": "#/components/schemas/Problem", "properties": { "code": { "enum": [] }, "status": { "const": status } } });
    let mut response =
        json!({ "description": "", "content": { "application/problem+json": { "schema": schema, "examples": {} } } });
    match status {
        401 => response["headers"]["WWW-Authenticate"] = json!({ "required": true, "schema": { "type": "string" } }),
        429 | 503 => response["headers"]["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" }),
        _ => {}
    }
    response
}

/// Adds a code to an answer.
fn tell(response: &mut Value, code: &problems::Code) {
    let words = response["description"].as_str().unwrap_or_default();
    response["description"] = format!("{words} `{}`", code.code).trim().into();
    let content = &mut response["content"]["application/problem+json"];
    content["examples"][code.code] = json!({ "$ref": format!("#/components/examples/{}", code.code) });
    if let Some(codes) = content["schema"]["properties"]["code"]["enum"].as_array_mut() {
        codes.push(code.code.into());
    }
}

/// What operations refer to: headers that many answers have, and every problem.
fn shared(components: &mut Value) {
    components["headers"] = json!({
        "RequestId": { "description": "The request's own, or a new one.", "required": true, "schema": { "type": "string" } },
        "RetryAfter": {
            "description": "Seconds after which to ask again.", "required": true, "schema": { "type": "integer", "minimum": 0 }
        },
    });
    for code in problems::CODES {
        let value = Body::example(code.code, code.status, code.meaning);
        components["examples"][code.code] = json!({ "summary": code.meaning, "value": value });
    }
    components["schemas"]["Problem"]["properties"]["code"]["enum"] = problems::CODES.iter().map(|code| code.code).collect();
}

/// What is not known is null, so every field of an answer is there. What nobody knows is refused in a request.
fn everything_is_there(api: &mut Value) {
    let bodies: Vec<String> = api["paths"]
        .as_object()
        .into_iter()
        .flat_map(Map::values)
        .flat_map(|path| path.as_object().into_iter().flat_map(Map::values))
        .filter_map(|operation| operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str())
        .filter_map(|name| name.rsplit('/').next().map(str::to_owned))
        .collect();
    let Some(schemas) = api["components"]["schemas"].as_object_mut() else { return };
    for (name, schema) in schemas {
        if bodies.contains(name) {
            close(schema);
        } else if *name != Body::name() {
            // A refusal has `errors` only where there are several.
            fill(schema);
        }
    }
}

fn close(schema: &mut Value) {
    match schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        Some(kinds) => kinds.iter_mut().for_each(close),
        None => schema["additionalProperties"] = false.into(),
    }
}

fn fill(schema: &mut Value) {
    if let Some(parts) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        parts.iter_mut().for_each(fill);
    }
    // What says that it is open has some of its fields only.
    if schema.get("additionalProperties").is_some() {
        return;
    }
    if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
        schema["required"] = fields.keys().map(String::as_str).collect();
    }
}
