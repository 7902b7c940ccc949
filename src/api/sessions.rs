//! `/v1/sessions`: opening them, reading them, and everything that can be done to one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::auth::{Admin, By, Operator, Viewer};
use super::body::Body;
use super::depot::Enough;
use super::error::{Problem, quoted};
use super::query::Query;
use super::routes::Routes;
use super::view::{SessionView, why_not_updated};
use super::{ANSWER_LIMIT, Api, in_time, schema, tag};
use crate::fleet::{Filter, Wanted};
use crate::id::{Connector, SessionId};
use crate::journal::record::{Idempotency, Outcome};
use crate::money::Amount;
use crate::session::update::Answer;
use crate::session::{Refusal, Session, State, Wish};

pub(super) fn routes(routes: &mut Routes) {
    routes
        .serve(__path_list, list)
        .serve(__path_open, open)
        .serve(__path_one, one)
        .serve(__path_authorise, authorise)
        .serve(__path_energy, energy)
        .serve(__path_update, update)
        .serve(__path_commit, commit)
        .serve(__path_void, void)
        .serve(__path_cancel, cancel)
        .serve(__path_resolve, resolve)
        .serve(__path_withdraw, withdraw);
}

/// `?wait=` of a reader; who wants to wait longer asks again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Cancel is one command of the terminal's, whose time-out is 5 s.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// How long after the time for an answer the last word of a wait is still listened to.
const GRACE: Duration = Duration::from_millis(200);

/// An Apollo shows it as its reference string (README, The API).
const REFERENCE_MAX: usize = 63;

/// Longer ones are no keys.
const KEY_MAX: usize = 255;

/// Enough for a page of reasons; the note stays in the journal for ever.
const NOTE_MAX: usize = 1000;

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

/// An amount in all, not in addition.
#[derive(ToSchema)]
#[schema(example = json!({ "amount": 3140 }))]
struct Total {
    #[schema(value_type = schema::Amount)]
    amount: Amount,
}

impl Total {
    fn read(mut body: Body) -> Result<Self, Problem> {
        let amount = body.amount("amount")?;
        body.nothing_else()?;
        Ok(Self { amount })
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
        key: format!("{}:{key}", by.name),
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

/// Report energy
///
/// The running total of what was delivered; it never goes down. It ends the plug-in timer, and is what `commit_last_known` commits.
#[utoipa::path(post, path = "/v1/sessions/{id}/energy", operation_id = "report_energy", security(("token" = ["operator"])),
    params(("id" = schema::SessionName, Path)),
    request_body = Total,
    responses((status = 200, description = "It is remembered.", body = SessionView)),
    extensions(("x-problem-codes" = json!(["no_hold", "already_decided", "amount_invalid", "terminal_not_ready", "journal_unavailable"]))))]
async fn energy(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    let Total { amount } = Total::read(body)?;
    let session = in_time(api.depot.instruct(id, Wish::Energy(amount))).await?;
    Ok(api.shown(HttpResponse::Ok(), &session))
}

/// Take an amount from the hold, and give back the rest
///
/// A decision is made once: repeating it is harmless, another one is refused. An amount of 0 is a void.
#[utoipa::path(post, path = "/v1/sessions/{id}/commit", operation_id = "commit_session", security(("token" = ["operator"])),
    params(("id" = schema::SessionName, Path),
        ("wait" = Option<schema::Seconds>, Query, description = "For how many seconds to wait for the terminal, 19 at most: more counts as 19.")),
    request_body = Total,
    responses((status = 200, description = "The terminal has confirmed it.", body = SessionView),
        (status = 202, description = "It is decided, durably, and still being delivered.", body = SessionView)),
    extensions(("x-problem-codes" = json!(["no_hold", "already_decided", "over_commit", "amount_invalid", "terminal_not_ready", "journal_unavailable"]))))]
async fn commit(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    let Total { amount } = Total::read(body)?;
    dispose(&api, &request, id, Wish::Commit(amount)).await
}

/// Give the whole hold back
///
/// A decision is made once: repeating it is harmless, another one is refused.
#[utoipa::path(post, path = "/v1/sessions/{id}/void", operation_id = "void_session", security(("token" = ["operator"])),
    params(("id" = schema::SessionName, Path),
        ("wait" = Option<schema::Seconds>, Query, description = "For how many seconds to wait for the terminal, 19 at most: more counts as 19.")),
    request_body(content = schema::Nothing, description = "Nothing, or an object without fields."),
    responses((status = 200, description = "The terminal has confirmed it.", body = SessionView),
        (status = 202, description = "It is decided, durably, and still being delivered.", body = SessionView)),
    extensions(("x-problem-codes" = json!(["no_hold", "already_decided", "terminal_not_ready", "journal_unavailable"]))))]
async fn void(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    body.nothing_else()?;
    dispose(&api, &request, id, Wish::Void).await
}

/// Decides, and waits for the terminal as long as an answer may take. From the decision on nothing is a failure any more:
/// whatever happens next, the answer says that it is durable.
async fn dispose(api: &Api, request: &HttpRequest, id: SessionId, wish: Wish) -> Result<HttpResponse, Problem> {
    let limit = wait(&Query::of(request, &["wait"])?, ANSWER_LIMIT)?.unwrap_or(ANSWER_LIMIT);
    let enough = |session: &Session| !session.undisposed() || matches!(session.state, State::Uncertain(_));
    let (_, session) = then_wait(api, id, wish, limit, Box::new(enough)).await?;
    let confirmed = matches!(session.state, State::Disposed(_));
    Ok(api.shown(HttpResponse::build(if confirmed { StatusCode::OK } else { StatusCode::ACCEPTED }), &session))
}

/// Does something to a session, then waits until it has come far enough; the session right after it was done, and in the end.
#[expect(clippy::disallowed_methods, reason = "a driver that asks how much of its time to answer is left")]
async fn then_wait(
    api: &Api,
    id: SessionId,
    wish: Wish,
    limit: Duration,
    enough: Enough,
) -> Result<(Session, Session), Problem> {
    let in_all = tokio::time::sleep(ANSWER_LIMIT);
    tokio::pin!(in_all);
    let done = tokio::select! {
        biased;
        done = api.depot.instruct(id, wish) => done?,
        () = &mut in_all => return Err(Problem::no_answer(ANSWER_LIMIT)),
    };
    let session = if limit.is_zero() {
        done.clone()
    } else {
        // The wait is over first, so that it can say how the session is by then: attempts, and why they failed.
        let until = in_all.deadline();
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        in_all.as_mut().reset(until + GRACE);
        tokio::select! {
            biased;
            later = api.depot.wait(id, limit.min(left), enough) => later.unwrap_or_else(|_| done.clone()),
            () = &mut in_all => done.clone(),
        }
    };
    Ok((done, session))
}

/// End a card flow that has no hold yet
///
/// Afterwards there may be one: then it is to be committed or voided.
#[utoipa::path(post, path = "/v1/sessions/{id}/cancel", operation_id = "cancel_session", security(("token" = ["operator"])),
    params(("id" = schema::SessionName, Path)),
    request_body(content = schema::Nothing, description = "Nothing, or an object without fields."),
    responses((status = 200, description = "It has ended.", body = SessionView),
        (status = 202, description = "The terminal was told, and has not ended it yet.", body = SessionView)),
    extensions(("x-problem-codes" = json!(["has_hold", "terminal_not_ready", "journal_unavailable"]))))]
async fn cancel(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    body.nothing_else()?;
    let asked = in_time(api.depot.instruct(id, Wish::Cancel)).await?;
    let enough = |session: &Session| session.ended() || session.hold.is_some();
    let session = api.depot.wait(id, CANCEL_LIMIT, Box::new(enough)).await.unwrap_or(asked);
    if session.hold.is_some() {
        // The bank was faster than the wish.
        return Err(Refusal::HasHold { session: id, state: session.state_name() }.into());
    }
    let ended = session.ended();
    Ok(api.shown(HttpResponse::build(if ended { StatusCode::OK } else { StatusCode::ACCEPTED }), &session))
}

/// Settle an uncertain or stuck session
///
/// A person has found out what became of it, and says so; the note and the token's name are remembered for ever. With
/// `resolve_requires_two` in the configuration the first person proposes (202), and another one has to say the same.
#[utoipa::path(post, path = "/v1/sessions/{id}/resolve", operation_id = "resolve_session", security(("token" = ["admin"])),
    params(("id" = schema::SessionName, Path)),
    request_body = NewResolution,
    responses((status = 200, description = "It is settled.", body = SessionView),
        (status = 202, description = "It is proposed; another person has to say the same.", body = SessionView)),
    extensions(("x-problem-codes" = json!(["not_supported", "no_hold", "already_decided", "attempt_under_way", "needs_another_person",
        "resolution_conflict", "over_commit", "amount_invalid", "terminal_not_ready", "journal_unavailable"]))))]
async fn resolve(by: By<Admin>, request: HttpRequest, mut body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    let outcome = body.text("outcome")?;
    let amount = body.optional_amount("amount")?;
    let note = body.text("note")?;
    body.nothing_else()?;
    let outcome = match (outcome.as_str(), amount) {
        ("committed", Some(amount)) if !amount.is_zero() => Outcome::Committed(amount),
        ("committed", Some(_)) => {
            return Err(Refusal::AmountInvalid("a commit of nothing is a void, but this says committed".to_owned()).into());
        }
        ("committed", None) => return Err(Problem::malformed("the field \"amount\" is missing: how much was committed?")),
        ("voided", None) => Outcome::Voided,
        ("voided", Some(_)) => return Err(Problem::malformed("the field \"amount\" is not known here: a void takes nothing")),
        (other, _) => {
            let came = quoted(other);
            return Err(Problem::malformed(format!(
                "the field \"outcome\" is expected to be committed or voided, but it is {came}"
            )));
        }
    };
    let length = note.chars().count();
    if note.trim().is_empty() || length > NOTE_MAX {
        let detail =
            format!("the field \"note\" is expected to have 1 to {NOTE_MAX} characters that say why, but it has {length}");
        return Err(Problem::malformed(detail));
    }
    let needs_two = api.live.resolve_requires_two.load(Ordering::Relaxed);
    let session = in_time(api.depot.instruct(id, Wish::Resolve { outcome, note, by: by.name, needs_two })).await?;
    Ok(api.shown(HttpResponse::build(if session.ended() { StatusCode::OK } else { StatusCode::ACCEPTED }), &session))
}

/// Take back what was proposed
///
/// Only where settling needs two people, and before the second one has spoken. Nothing proposed, nothing to take back: that is no mistake.
#[utoipa::path(delete, path = "/v1/sessions/{id}/resolve", operation_id = "withdraw_resolution", security(("token" = ["admin"])),
    params(("id" = schema::SessionName, Path)),
    responses((status = 200, description = "Nothing is proposed.", body = SessionView)),
    extensions(("x-problem-codes" = json!(["no_hold", "already_decided", "terminal_not_ready", "journal_unavailable"]))))]
async fn withdraw(by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    body.nothing_else()?;
    let session = in_time(api.depot.instruct(id, Wish::WithdrawResolution { by: by.name })).await?;
    Ok(api.shown(HttpResponse::Ok(), &session))
}

/// Go on with the card that was read
///
/// Only with `authorise = "ask"` in the configuration. What the bank says is told by the session.
#[utoipa::path(post, path = "/v1/sessions/{id}/authorise", operation_id = "authorise_session", security(("token" = ["operator"])),
    params(("id" = schema::SessionName, Path)),
    request_body(content = schema::Nothing, description = "Nothing, or an object without fields."),
    responses((status = 200, description = "The bank is being asked, or was already.", body = SessionView)),
    extensions(("x-problem-codes" = json!(["no_card", "terminal_not_ready", "journal_unavailable"]))))]
async fn authorise(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    body.nothing_else()?;
    let session = in_time(api.depot.instruct(id, Wish::Authorise)).await?;
    Ok(api.shown(HttpResponse::Ok(), &session))
}

/// Raise or lower the hold to a new total
///
/// On an Apollo only. 200 when the terminal has said what is held now; 202 when its answer is still missing: until it is known, no more than
/// `amount_held` can be committed. Nothing asks again by itself.
#[utoipa::path(post, path = "/v1/sessions/{id}/update", operation_id = "update_session", security(("token" = ["operator"])),
    params(("id" = schema::SessionName, Path)),
    request_body = Total,
    responses((status = 200, description = "So much is held now.", body = SessionView),
        (status = 202, description = "The terminal was asked, and its answer is not known yet.", body = SessionView)),
    extensions(("x-problem-codes" = json!(["not_supported", "no_hold", "already_decided", "update_under_way", "update_declined", "amount_invalid", "terminal_not_ready", "journal_unavailable"]))))]
async fn update(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let session = id(&request)?;
    let Total { amount } = Total::read(body)?;
    let known = |session: &Session| !session.updating();
    let (asked, later) = then_wait(&api, session, Wish::Update(amount), ANSWER_LIMIT, Box::new(known)).await?;
    // Nothing had to be asked: so much was held already.
    let answer = later.update.filter(|_| asked.updating()).and_then(|update| update.answer);
    match answer {
        Some(Answer::Declined(_) | Answer::Refused(_)) => {
            let why = answer.and_then(why_not_updated).unwrap_or_default();
            Err(Refusal::UpdateDeclined { session, why }.into())
        }
        Some(Answer::Unsent) => {
            let why = "its link was gone before the hold could be raised or lowered".to_owned();
            Err(Refusal::TerminalNotReady { terminal: later.terminal, why }.into())
        }
        Some(Answer::Unanswered(_)) => Ok(api.shown(HttpResponse::Accepted(), &later)),
        None if later.updating() => Ok(api.shown(HttpResponse::Accepted(), &later)),
        Some(Answer::Approved | Answer::Partly) | None => Ok(api.shown(HttpResponse::Ok(), &later)),
    }
}

/// What a person has found out.
struct NewResolution;

impl PartialSchema for NewResolution {
    fn schema() -> RefOr<Schema> {
        let note = || {
            schema::text()
                .min_length(Some(1))
                .max_length(Some(NOTE_MAX))
                .pattern(Some("\\S"))
                .description(Some("How that is known."))
        };
        let kind = |outcome| {
            let object = ObjectBuilder::new().property("outcome", schema::one_of(&[outcome])).required("outcome");
            object.property("note", note()).required("note")
        };
        let committed = kind("committed").property("amount", schema::AmountToHold::schema()).required("amount");
        let committed =
            committed.examples([json!({ "outcome": "committed", "amount": 249, "note": "settlement file of 24 November" })]);
        let voided = kind("voided").examples([json!({ "outcome": "voided", "note": "not in the settlement file" })]);
        OneOfBuilder::new().item(committed).item(voided).description(Some("What a person has found out.")).into()
    }
}

impl ToSchema for NewResolution {}

impl Api {
    fn shown(&self, mut response: HttpResponseBuilder, session: &Session) -> HttpResponse {
        response.json(SessionView::of(session, self.depot.deadline(session)))
    }
}

/// The session of the path. What is no name of ours names no session.
fn id(request: &HttpRequest) -> Result<SessionId, Problem> {
    let text = request.match_info().query("id");
    text.parse().map_err(|_| Refusal::SessionUnknown(quoted(text)).into())
}

fn wait(query: &Query, most: Duration) -> Result<Option<Duration>, Problem> {
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

/// What the request means, whatever the order of its fields and its white space.
fn digest(terminal: &str, amount: Amount, connector: Option<u8>, reference: Option<&str>) -> String {
    let meaning = json!([terminal, amount.minor(), connector, reference]).to_string();
    Sha256::digest(meaning).iter().map(|byte| format!("{byte:02x}")).collect()
}
