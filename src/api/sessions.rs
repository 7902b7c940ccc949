//! `/v1/sessions`: opening them, reading them, and everything that can be done to one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::auth::{Admin, By, Operator, Viewer};
use super::body::Body;
use super::depot::Enough;
use super::error::{Problem, quoted};
use super::query::Query;
use super::view::{SessionView, why_not_updated};
use super::{ANSWER_LIMIT, Api, in_time, only};
use crate::fleet::{Filter, Wanted};
use crate::id::{Connector, SessionId};
use crate::journal::record::{Idempotency, Outcome};
use crate::money::Amount;
use crate::session::update::Answer;
use crate::session::{Command, Refusal, Session, State};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        web::resource("/v1/sessions").route(web::get().to(list)).route(web::post().to(open)).default_service(only("GET, POST")),
    )
    .service(web::resource("/v1/sessions/{id}").route(web::get().to(one)).default_service(only("GET")))
    .service(web::resource("/v1/sessions/{id}/energy").route(web::post().to(energy)).default_service(only("POST")))
    .service(web::resource("/v1/sessions/{id}/commit").route(web::post().to(commit)).default_service(only("POST")))
    .service(web::resource("/v1/sessions/{id}/void").route(web::post().to(void)).default_service(only("POST")))
    .service(web::resource("/v1/sessions/{id}/cancel").route(web::post().to(cancel)).default_service(only("POST")))
    .service(
        web::resource("/v1/sessions/{id}/resolve")
            .route(web::post().to(resolve))
            .route(web::delete().to(withdraw))
            .default_service(only("DELETE, POST")),
    )
    .service(web::resource("/v1/sessions/{id}/authorise").route(web::post().to(authorise)).default_service(only("POST")))
    .service(web::resource("/v1/sessions/{id}/update").route(web::post().to(update)).default_service(only("POST")));
}

/// Contract: `?wait=` of a reader; who wants to wait longer asks again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Cancel is one command of the terminal's, whose time-out is 5 s.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// How long after the time for an answer the last word of a wait is still listened to.
const GRACE: Duration = Duration::from_millis(200);

/// An Apollo shows it as its reference string (contract).
const REFERENCE_MAX: usize = 63;

/// Longer ones are no keys.
const KEY_MAX: usize = 255;

/// Enough for a page of reasons; the note stays in the journal for ever.
const NOTE_MAX: usize = 1000;

/// Every value of `state` (contract).
const STATES: [&str; 14] = [
    "waiting_card",
    "card_read",
    "authorising",
    "approved",
    "committing",
    "voiding",
    "in_doubt",
    "uncertain",
    "committed",
    "voided",
    "declined",
    "cancelled",
    "expired",
    "failed",
];

#[derive(Serialize)]
struct List<'a> {
    sessions: Vec<SessionView<'a>>,
    next: Option<String>,
}

async fn open(by: By<Operator>, request: HttpRequest, mut body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
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

async fn one(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request, &["wait", "version"])?;
    let version = query.parsed::<u64>("version", "a whole number")?;
    let wait = wait(&query, WAIT_MAX)?;
    let id = id(&request)?;
    let now = in_time(api.depot.session(id)).await?;
    let Some(limit) = wait else { return Ok(api.shown(HttpResponse::Ok(), &now)) };
    let seen = version.unwrap_or(now.version);
    let session = api.depot.wait(id, limit, Box::new(move |session| session.version > seen)).await?;
    Ok(api.shown(HttpResponse::Ok(), &session))
}

async fn list(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request, &["undisposed", "terminal", "state", "limit", "cursor"])?;
    let state = query.text("state").map(str::to_owned);
    if let Some(unknown) = state.as_deref().filter(|state| !STATES.contains(state)) {
        let known = STATES.join(", ");
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

async fn energy(_by: By<Operator>, request: HttpRequest, mut body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    let amount = body.amount("amount")?;
    body.nothing_else()?;
    let session = in_time(api.depot.command(id, Command::Energy(amount))).await?;
    Ok(api.shown(HttpResponse::Ok(), &session))
}

async fn commit(_by: By<Operator>, request: HttpRequest, mut body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    let amount = body.amount("amount")?;
    body.nothing_else()?;
    dispose(&api, &request, id, Command::Commit(amount)).await
}

async fn void(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    body.nothing_else()?;
    dispose(&api, &request, id, Command::Void).await
}

/// Decides, and waits for the terminal as long as the contract allows. From the decision on nothing is a failure any more:
/// whatever happens next, the answer says that it is durable.
async fn dispose(api: &Api, request: &HttpRequest, id: SessionId, command: Command) -> Result<HttpResponse, Problem> {
    let limit = wait(&Query::of(request, &["wait"])?, ANSWER_LIMIT)?.unwrap_or(ANSWER_LIMIT);
    let enough = |session: &Session| !session.undisposed() || matches!(session.state, State::Uncertain(_));
    let (_, session) = then_wait(api, id, command, limit, Box::new(enough)).await?;
    let confirmed = matches!(session.state, State::Disposed(_));
    Ok(api.shown(HttpResponse::build(if confirmed { StatusCode::OK } else { StatusCode::ACCEPTED }), &session))
}

/// Does something to a session, then waits until it has come far enough; the session right after it was done, and in the end.
#[expect(clippy::disallowed_methods, reason = "a driver that asks how much of its time to answer is left")]
async fn then_wait(
    api: &Api,
    id: SessionId,
    command: Command,
    limit: Duration,
    enough: Enough,
) -> Result<(Session, Session), Problem> {
    let in_all = tokio::time::sleep(ANSWER_LIMIT);
    tokio::pin!(in_all);
    let done = tokio::select! {
        biased;
        done = api.depot.command(id, command) => done?,
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

async fn cancel(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    body.nothing_else()?;
    let asked = in_time(api.depot.command(id, Command::Cancel)).await?;
    let enough = |session: &Session| session.ended() || session.hold.is_some();
    let session = api.depot.wait(id, CANCEL_LIMIT, Box::new(enough)).await.unwrap_or(asked);
    if session.hold.is_some() {
        // The bank was faster than the wish.
        return Err(Refusal::HasHold { session: id, state: session.state_name() }.into());
    }
    let ended = session.ended();
    Ok(api.shown(HttpResponse::build(if ended { StatusCode::OK } else { StatusCode::ACCEPTED }), &session))
}

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
    let session = in_time(api.depot.command(id, Command::Resolve { outcome, note, by: by.name, needs_two })).await?;
    Ok(api.shown(HttpResponse::build(if session.ended() { StatusCode::OK } else { StatusCode::ACCEPTED }), &session))
}

async fn withdraw(by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    body.nothing_else()?;
    let session = in_time(api.depot.command(id, Command::WithdrawResolution { by: by.name })).await?;
    Ok(api.shown(HttpResponse::Ok(), &session))
}

/// Goes on with the card that was read; what the bank says is told by the session.
async fn authorise(_by: By<Operator>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let id = id(&request)?;
    body.nothing_else()?;
    let session = in_time(api.depot.command(id, Command::Authorise)).await?;
    Ok(api.shown(HttpResponse::Ok(), &session))
}

async fn update(_by: By<Operator>, request: HttpRequest, mut body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let session = id(&request)?;
    let amount = body.amount("amount")?;
    body.nothing_else()?;
    let known = |session: &Session| !session.updating();
    let (asked, later) = then_wait(&api, session, Command::Update(amount), ANSWER_LIMIT, Box::new(known)).await?;
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
    let seconds = query.parsed::<u64>("wait", "a whole number of seconds")?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds).min(most)))
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
    let meaning = serde_json::json!([terminal, amount.minor(), connector, reference]).to_string();
    Sha256::digest(meaning).iter().map(|byte| format!("{byte:02x}")).collect()
}
