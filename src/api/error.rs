//! Every refusal as a problem (RFC 9457): a stable code for the program that asks, words for the person behind it.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONNECTION, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::config::Mistakes;
use crate::session::Refusal;

/// How much of a text is quoted in an explanation.
const QUOTED_MAX: usize = 64;

/// After so many seconds asking again makes sense, where it cannot be done now.
pub(super) const RETRY_SECONDS: u64 = 5;

/// A refused request.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Box<str>,
    header: Option<(HeaderName, HeaderValue)>,
    errors: Option<Box<Mistakes>>,
}

/// A refusal (RFC 9457). `code` is for programs and stays the same; `detail` is for people.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body<'a> {
    r#type: String,
    title: &'a str,
    /// The status of the answer.
    status: u16,
    code: &'a str,
    /// What was expected and what came, in words.
    detail: &'a str,
    /// Of `configuration_invalid` only: every mistake.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<KeyError<'a>>,
}

/// A mistake of the configuration.
#[derive(Serialize, ToSchema)]
#[schema(as = Mistake)]
pub(super) struct KeyError<'a> {
    /// The path of the key, such as `terminals[1].id`; empty when it concerns the whole file.
    key: &'a str,
    /// What is wrong with it.
    detail: &'a str,
}

impl<'a> Body<'a> {
    fn new(code: &'a str, status: u16, detail: &'a str) -> Self {
        Self { r#type: format!("urn:quittance:problem:{code}"), title: title(code), status, code, detail, errors: Vec::new() }
    }

    /// How such a refusal looks.
    pub(super) fn example(code: &str, status: u16, detail: &str) -> Value {
        serde_json::to_value(Body::new(code, status, detail)).unwrap_or_default()
    }
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into().into_boxed_str(), header: None, errors: None }
    }

    /// The request cannot be understood.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// The body is longer than any request of ours.
    pub(super) fn too_large(limit: usize) -> Self {
        let detail = format!("a request body has at most {limit} bytes, but this has more");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// The body did not arrive in time.
    pub(super) fn too_slow(limit: Duration) -> Self {
        let detail = format!("the body is expected within {} s, but it did not arrive", limit.as_secs());
        let problem = Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail);
        Self { header: Some((CONNECTION, HeaderValue::from_static("close"))), ..problem }
    }

    /// The body is no JSON.
    pub(super) fn wrong_media_type(came: &str) -> Self {
        let detail = format!("the Content-Type is expected to be application/json, but it is {}", quoted(came));
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_media_type", detail)
    }

    /// A part of this program failed.
    pub(super) fn internal(what: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("{what} failed; the log has more"))
    }

    /// There is nothing of that name.
    pub(super) fn unknown_path(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "path_unknown", format!("there is nothing at {}", quoted(path)))
    }

    /// There is something of that name, but it cannot do that.
    pub(super) fn method_not_allowed(methods: &str) -> Self {
        let detail = format!("only {methods} can be asked of this path");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        Self { header: HeaderValue::from_str(methods).ok().map(|methods| (ALLOW, methods)), ..problem }
    }

    /// Nobody knows who asks.
    pub(super) fn unauthorised(detail: &str) -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "unauthorised", detail);
        Self { header: Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"quittance\""))), ..problem }
    }

    /// The same refusal, but a browser that gets it asks its user for a password.
    pub(super) fn asking_for_password(self) -> Self {
        let basic = HeaderValue::from_static("Basic realm=\"Quittance: a token as password\", charset=\"UTF-8\"");
        match self.status {
            StatusCode::UNAUTHORIZED => Self { header: Some((WWW_AUTHENTICATE, basic)), ..self },
            _ => self,
        }
    }

    /// Whoever asks may not do that.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// The fleet has not answered, so it may or may not have done it.
    pub(super) fn no_answer(limit: Duration) -> Self {
        let detail = format!(
            "the journal has not answered within {} s, so nobody knows yet whether this was done; asking the same again is safe",
            limit.as_secs()
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "journal_unavailable", detail)
    }

    /// The journal has no such record.
    pub(super) fn event_unknown(after: u64, newest: u64) -> Self {
        let detail = format!(
            "events are asked for that follow on number {after}, but the journal ends with {newest}: it is another journal, or the \
             number is none of an event"
        );
        Self::new(StatusCode::NOT_FOUND, "event_unknown", detail)
    }

    /// As many read events as may.
    pub(super) fn too_many_streams(limit: usize) -> Self {
        let detail = format!("{limit} streams of events are open already, and there may be no more (api.events.streams)");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", detail)
    }

    /// The configuration's file is no good; nothing was changed.
    pub(super) fn configuration_invalid(mistakes: &Mistakes) -> Self {
        let detail = format!("the configuration is invalid, so nothing was changed: {mistakes}");
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "configuration_invalid", detail);
        Self { errors: Some(Box::new(mistakes.clone())), ..problem }
    }
}

/// What a code means, in a few words.
fn title(code: &str) -> &'static str {
    match code {
        "event_unknown" => "No such event",
        "too_many_streams" => "Too many read events",
        "terminal_unknown" => "No such terminal",
        "session_unknown" => "No such session",
        "terminal_busy" => "A card flow is open already",
        "terminal_full" => "All connectors hold",
        "terminal_not_ready" => "The terminal cannot take a card now",
        "terminal_unanswered" => "The terminal did not answer",
        "draining" => "No new card flows are taken",
        "journal_unavailable" => "The journal cannot remember",
        "journal_slow" => "The journal is too slow",
        "too_many_undelivered" => "Too much waits for this terminal",
        "over_commit" => "More than the hold",
        "amount_invalid" => "Not an amount that can be taken",
        "idempotency_mismatch" => "The same key with another request",
        "already_decided" => "Another decision was made before",
        "not_supported" => "Not supported",
        "no_hold" => "There is no hold",
        "update_under_way" => "The hold is just being changed",
        "update_declined" => "The hold was not changed",
        "configuration_invalid" => "The configuration cannot be used",
        "no_card" => "There is no card to go on with",
        "has_hold" => "There is, or may be, a hold",
        "attempt_under_way" => "The terminal is just being asked",
        "needs_another_person" => "Another person has to say the same",
        "resolution_conflict" => "Somebody has proposed something else",
        "unauthorised" => "A token is needed",
        "path_unknown" => "No such path",
        "method_not_allowed" => "Not what this path can do",
        "too_slow" => "The body did not arrive in time",
        "too_large" => "The body is too long",
        "wrong_media_type" => "The body is no JSON",
        "internal" => "A part of the program failed",
        "forbidden" => "The token's role does not allow this",
        _ => "The request cannot be understood",
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::TerminalUnknown(_) | Refusal::SessionUnknown(_) => StatusCode::NOT_FOUND,
            Refusal::TerminalBusy(_)
            | Refusal::TerminalFull { .. }
            | Refusal::AlreadyDecided { .. }
            | Refusal::NotSupported(_)
            | Refusal::NoHold { .. }
            | Refusal::NoCard { .. }
            | Refusal::UpdateUnderWay { .. }
            | Refusal::UpdateDeclined { .. }
            | Refusal::NotStuck { .. }
            | Refusal::AttemptUnderWay(_)
            | Refusal::NeedsAnotherPerson { .. }
            | Refusal::ResolutionConflict { .. }
            | Refusal::HasHold { .. } => StatusCode::CONFLICT,
            Refusal::TerminalNotReady { .. }
            | Refusal::Draining(_)
            | Refusal::JournalSlow(_)
            | Refusal::TooManyUndelivered { .. }
            | Refusal::JournalUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::TerminalUnanswered { .. } => StatusCode::GATEWAY_TIMEOUT,
            Refusal::OverCommit { .. } | Refusal::AmountInvalid(_) | Refusal::IdempotencyMismatch => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = Body::new(self.code, self.status.as_u16(), &self.detail);
        let mistakes = self.errors.iter().flat_map(|mistakes| &mistakes.0);
        body.errors = mistakes.map(|mistake| KeyError { key: &mistake.path, detail: &mistake.message }).collect();
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, RETRY_SECONDS));
        }
        if let Some(header) = self.header.clone() {
            response.insert_header(header);
        }
        response.insert_header(("Content-Type", "application/problem+json")).json(body)
    }
}

impl Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

/// Somebody else's text inside an explanation: not too long, and without control characters.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED_MAX).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}
