//! Every refusal as a problem (RFC 9457): a stable code for the program that asks, words for the person behind it.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::Serialize;

use crate::config::Mistakes;
use crate::session::Refusal;

/// How much of a text is quoted in an explanation.
const QUOTED_MAX: usize = 64;

/// A refused request.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Box<str>,
    header: Option<(HeaderName, HeaderValue)>,
    errors: Option<Box<Mistakes>>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<KeyError<'a>>,
}

/// A mistake of the configuration.
#[derive(Serialize)]
struct KeyError<'a> {
    key: &'a str,
    detail: &'a str,
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
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "malformed", detail)
    }

    /// There is nothing of that name.
    pub(super) fn unknown_path(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "malformed", format!("there is nothing at {}", quoted(path)))
    }

    /// There is something of that name, but it cannot do that.
    pub(super) fn method_not_allowed(methods: &'static str) -> Self {
        let detail = format!("only {methods} can be asked of this path");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "malformed", detail);
        Self { header: Some((ALLOW, HeaderValue::from_static(methods))), ..problem }
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

    /// The configuration's file is no good; nothing was changed.
    pub(super) fn configuration_invalid(mistakes: &Mistakes) -> Self {
        let detail = format!("the configuration is invalid, so nothing was changed: {mistakes}");
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "configuration_invalid", detail);
        Self { errors: Some(Box::new(mistakes.clone())), ..problem }
    }

    fn title(&self) -> &'static str {
        match self.code {
            "terminal_unknown" => "No such terminal",
            "session_unknown" => "No such session",
            "terminal_busy" => "A card flow is open already",
            "terminal_full" => "All connectors hold",
            "terminal_not_ready" => "The terminal cannot take a card now",
            "terminal_unanswered" => "The terminal did not answer",
            "draining" => "No new card flows are taken",
            "journal_unavailable" => "The journal cannot remember",
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
            "forbidden" => "The token's role does not allow this",
            _ => "The request cannot be understood",
        }
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
            Refusal::TerminalNotReady { .. } | Refusal::Draining(_) | Refusal::JournalUnavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
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
        let body = Body {
            r#type: format!("urn:quittance:problem:{}", self.code),
            title: self.title(),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            errors: self
                .errors
                .iter()
                .flat_map(|mistakes| &mistakes.0)
                .map(|mistake| KeyError { key: &mistake.path, detail: &mistake.message })
                .collect(),
        };
        let mut response = HttpResponse::build(self.status);
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
