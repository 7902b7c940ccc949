//! `/v1/sessions/{id}/…`: what people want of a session. A handler for each [`Wish`].

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::auth::{Admin, By, Operator};
use super::body::Body;
use super::depot::Enough;
use super::error::{Problem, quoted};
use super::query::Query;
use super::routes::Routes;
use super::sessions::{id, wait};
use super::view::{SessionView, why_not_updated};
use super::{ANSWER_LIMIT, Api, in_time, schema};
use crate::id::SessionId;
use crate::journal::record::Outcome;
use crate::money::Amount;
use crate::session::update::Answer;
use crate::session::{Refusal, Session, State, Wish};

pub(super) fn routes(routes: &mut Routes) {
    routes
        .serve(__path_authorise, authorise)
        .serve(__path_energy, energy)
        .serve(__path_update, update)
        .serve(__path_commit, commit)
        .serve(__path_void, void)
        .serve(__path_cancel, cancel)
        .serve(__path_resolve, resolve)
        .serve(__path_withdraw, withdraw);
}

/// Cancel is one command of the terminal's, whose time-out is 5 s.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// How long after the time for an answer the last word of a wait is still listened to.
const GRACE: Duration = Duration::from_millis(200);

/// Enough for a page of reasons; the note stays in the journal for ever.
const NOTE_MAX: usize = 1000;

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
