//! `/v1/sessions`: opening them, and reading them. What else can be wanted of one is in `wishes`.

use std::time::Duration;

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::auth::{By, Operator, Viewer};
use super::body::Body;
use super::error::{Problem, quoted};
use super::query::Query;
use super::routes::Routes;
use super::view::SessionView;
use super::{Api, in_time, schema, tag};
use crate::fleet::{Filter, Wanted};
use crate::id::{Connector, SessionId};
use crate::journal::record::Idempotency;
use crate::money::Amount;
use crate::session::{Refusal, Session};

pub(super) fn routes(routes: &mut Routes) {
    routes.serve(__path_list, list).serve(__path_open, open).serve(__path_one, one);
}

/// `?wait=` of a reader; who wants to wait longer asks again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// An Apollo shows it as its reference string (README, The API).
const REFERENCE_MAX: usize = 63;

/// Longer ones are no keys.
const KEY_MAX: usize = 255;

/// A page of sessions, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
struct List<'a> {
    sessions: Vec<SessionView<'a>>,
    /// The `cursor` of the next page, if there is one.
    #[schema(value_type = Option<schema::SessionName>)]
    next: Option<String>,
}

/// A card flow that is wanted.
#[derive(ToSchema)]
#[schema(example = json!({ "terminal": "bay-01", "amount": 5000, "connector": 1, "reference": "plug 7" }))]
struct NewSession {
    #[schema(value_type = schema::TerminalName)]
    terminal: String,
    /// How much to hold; at most the configuration's `max_hold`.
    #[schema(value_type = schema::AmountToHold)]
    amount: Amount,
    /// Which plug; the first free one, if not said.
    #[schema(minimum = 1, maximum = 255)]
    connector: Option<u8>,
    /// The caller's own text, at most 63 bytes in UTF-8; an Apollo shows it.
    #[schema(max_length = 63, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    reference: Option<String>,
}

impl NewSession {
    fn read(mut body: Body) -> Result<Self, Problem> {
        let terminal = body.text("terminal")?;
        let amount = body.amount("amount")?;
        let connector = body.optional_ordinal("connector")?;
        let reference = body.optional_text("reference")?;
        body.nothing_else()?;
        if amount.is_zero() {
            return Err(Refusal::AmountInvalid("an amount to hold is at least 1 minor unit, but this is 0".to_owned()).into());
        }
        if let Some(reference) = &reference {
            legal_reference(reference)?;
        }
        Ok(Self { terminal, amount, connector, reference })
    }
}

/// Open a card flow
///
/// The terminal asks for a card, and the bank for a hold of this amount. The answer comes at once, with the session in state `waiting_card`;
/// what happens next is told by the session. Send an `Idempotency-Key`, and the request can be repeated when its answer was lost: the same
/// key with the same body gives the same session, with `Idempotency-Replayed: true`.
#[utoipa::path(post, path = "/v1/sessions", operation_id = "open_session", security(("token" = ["operator"])),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
        description = "Any text of visible ASCII characters that is not used for another session.")),
    request_body = NewSession,
    responses((status = 201, description = "The session is there.", body = SessionView,
        headers(("Location" = String, description = "The session's path."),
            ("Idempotency-Replayed" = String, description = "`true` if this is the answer to an earlier request with this key.")))),
    extensions(("x-problem-codes" = json!(["terminal_unknown", "terminal_busy", "terminal_full", "terminal_not_ready", "draining", "not_supported",
        "journal_unavailable", "journal_slow", "too_many_undelivered", "amount_invalid", "idempotency_mismatch", "malformed"]))))]
async fn open(by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let NewSession { terminal, amount, connector, reference } = NewSession::read(body)?;
    let idempotency = idempotency_key(&request)?.map(|key| Idempotency {
        key: remembered_key(&by.name, key),
        digest: digest(&terminal, amount, connector, reference.as_deref()),
    });
    let terminal = terminal.parse().map_err(|_| Refusal::TerminalUnknown(quoted(&terminal)))?;
    let connector = connector.map(Connector);
    let wanted = Wanted { terminal, amount, connector, caller_reference: reference, idempotency };
    let (session, new) = in_time(api.depot.open(wanted)).await?;

    let mut response = HttpResponse::Created();
    response.insert_header(("Location", format!("/v1/sessions/{}", session.id)));
    if !new {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    Ok(api.shown(response, &session))
}

/// Read one session
///
/// With `wait`, the answer comes as soon as the session's version exceeds `version`, or with the session as it is when the time is over.
/// The ETag is the version.
#[utoipa::path(get, path = "/v1/sessions/{id}", operation_id = "get_session", security(("token" = ["viewer"])),
    params(("id" = schema::SessionName, Path),
        ("wait" = Option<schema::Seconds>, Query, description = "For how many seconds to wait, 60 at most: more counts as 60."),
        ("version" = Option<schema::Count>, Query, description = "The version that is known; the present one, if not said.")),
    responses((status = 200, description = "The session.", body = SessionView, headers(("ETag" = String, description = "Its version."))),
        (status = 304, description = "It still has the version of `If-None-Match`.")),
    extensions(("x-problem-codes" = json!(["journal_unavailable"]))))]
async fn one(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request, &["wait", "version"])?;
    let version = query.parsed::<u64>("version", "a whole number")?;
    let wait = wait(&query, WAIT_MAX)?;
    let id = id(&request)?;
    let now = in_time(api.depot.session(id)).await?;
    let session = match wait {
        None => now,
        Some(limit) => {
            let seen = version.unwrap_or(now.version);
            api.depot.wait(id, limit, Box::new(move |session| session.version > seen)).await?
        }
    };
    let version = tag::of_version(session.version);
    if tag::has(&request, &version) {
        return Ok(tag::unchanged(&version));
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, version)).insert_header(tag::ASK_AGAIN);
    Ok(api.shown(response, &session))
}

/// List sessions
///
/// Newest first. A page may have fewer than `limit` of them and a `next` all the same.
#[utoipa::path(get, path = "/v1/sessions", operation_id = "list_sessions", security(("token" = ["viewer"])),
    params(("undisposed" = Option<bool>, Query, description = "Only those with a hold, or perhaps with one, that has not come to its end."),
        ("terminal" = Option<schema::AnyTerminal>, Query, description = "Only those of this terminal."),
        ("state" = Option<schema::SessionState>, Query, description = "Only those in this state."),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "So many at most; 100, if not said."),
        ("cursor" = Option<schema::Cursor>, Query, description = "What `next` of the page before said.")),
    responses((status = 200, description = "A page of sessions.", body = List)),
    extensions(("x-problem-codes" = json!(["journal_unavailable"]))))]
async fn list(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request, &["undisposed", "terminal", "state", "limit", "cursor"])?;
    let state = query.text("state").map(str::to_owned);
    if let Some(unknown) = state.as_deref().filter(|state| !schema::STATES.contains(state)) {
        let known = schema::STATES.join(", ");
        return Err(Problem::malformed(format!("there is no state {}; there are {known}", quoted(unknown))));
    }
    let filter = Filter {
        undisposed: query.parsed("undisposed", "true or false")?.unwrap_or(false),
        terminal: query.parsed("terminal", "a terminal's name")?,
        state,
        before: query.parsed("cursor", "what \"next\" said")?,
        limit: query.limit()?,
    };
    let (sessions, next) = in_time(api.depot.sessions(filter)).await?;
    let sessions = sessions.iter().map(|session| SessionView::of(session, api.depot.deadline(session))).collect();
    Ok(HttpResponse::Ok().json(List { sessions, next: next.map(|next| next.to_string()) }))
}

impl Api {
    pub(super) fn shown(&self, mut response: HttpResponseBuilder, session: &Session) -> HttpResponse {
        response.json(SessionView::of(session, self.depot.deadline(session)))
    }
}

/// The session of the path. What is no name of ours names no session.
pub(super) fn id(request: &HttpRequest) -> Result<SessionId, Problem> {
    let text = request.match_info().query("id");
    text.parse().map_err(|_| Refusal::SessionUnknown(quoted(text)).into())
}

pub(super) fn wait(query: &Query, most: Duration) -> Result<Option<Duration>, Problem> {
    let seconds = query.parsed::<u32>("wait", "a whole number of seconds")?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into()).min(most)))
}

fn legal_reference(reference: &str) -> Result<(), Problem> {
    if reference.len() > REFERENCE_MAX {
        let length = reference.len();
        let detail = format!("the field \"reference\" is expected to have at most {REFERENCE_MAX} bytes, but it has {length}");
        return Err(Problem::malformed(detail));
    }
    if reference.chars().any(char::is_control) {
        return Err(Problem::malformed("the field \"reference\" is expected to have no control characters, but it has one"));
    }
    Ok(())
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let mut keys = request.headers().get_all("Idempotency-Key");
    let Some(key) = keys.next() else { return Ok(None) };
    let legal = (1..=KEY_MAX).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
    match key.to_str() {
        Ok(key) if legal && keys.next().is_none() => Ok(Some(key)),
        _ => Err(Problem::malformed(format!("one Idempotency-Key of 1 to {KEY_MAX} visible ASCII characters is expected"))),
    }
}

/// Everybody has keys of their own. The first colon ends the name.
fn remembered_key(name: &str, key: &str) -> String {
    format!("{}:{key}", name.replace('%', "%25").replace(':', "%3A"))
}

/// What the request means, whatever the order of its fields and its white space.
fn digest(terminal: &str, amount: Amount, connector: Option<u8>, reference: Option<&str>) -> String {
    let meaning = json!([terminal, amount.minor(), connector, reference]).to_string();
    Sha256::digest(meaning).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::remembered_key;

    #[test]
    fn nobody_has_anothers_key() {
        assert_eq!(remembered_key("charger-7", "4711"), "charger-7:4711");
        assert_ne!(remembered_key("a", "b:c"), remembered_key("a:b", "c"));
        assert_ne!(remembered_key("a%3Ab", "c"), remembered_key("a:b", "c"));
    }
}
