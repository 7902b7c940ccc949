//! `/v1/events`: the records of the journal as Server-Sent Events, each as soon as it is durable, from any record on.
//!
//! ```text
//!           newest ──► feed (a thread): reads and renders every record once ──► ring ──► readers at the end
//!  journal ─┤
//!           pages ─────────────────────────────────────────────────────────────────────► readers that are behind
//! ```
//!
//! A reader is its number in the journal and nothing else: nothing is gathered for it, so one that is slow, or gone, costs nothing
//! but its turn. What it is sent is asked for only when its socket has taken what came before; a socket that takes nothing for
//! `write_timeout` is cut by the kernel (see [`listener`](super::listener)), and its reader goes on with `Last-Event-ID`.
//!
//! There is no `event:` field: so one handler (`onmessage` in browsers) gets every record, also of kinds that it has never heard of.

mod feed;
mod ring;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

pub use feed::Events;

use super::auth::{By, Viewer};
use super::error::{Problem, quoted};
use super::query::Query;
use super::routes::Routes;
use super::{Api, in_time, schema};
use crate::id::{SessionId, TerminalId};
use crate::journal::{JournalError, Selection};
use crate::session::Refusal;

pub(super) fn routes(routes: &mut Routes) {
    routes.serve(__path_events, events);
}

/// How events are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many may read at once.
    pub streams: usize,
    /// After so long without an event comes a comment, so that everybody on the way sees that the stream lives.
    pub heartbeat: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { streams: 1000, heartbeat: Duration::from_secs(15) }
    }
}

/// What a reader that was cut off says, in browsers by itself.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Read events
///
/// Every record of the journal as a Server-Sent Event, as soon as it is durable; the stream stays open. `id:` is the record's number,
/// `data:` a JSON object with `seq`, `at`, `terminal`, `session`, `kind` and what the record says; there is no `event:`. The first
/// block has an `id:` and no `data:`: where the stream begins. A comment comes when there are no events for long.
#[utoipa::path(get, path = "/v1/events", operation_id = "read_events", security(("token" = ["viewer"])),
    params(("after" = Option<u64>, Query,
            description = "Begin with the record that follows on this number, 0 for all; with what comes next, if not said."),
        ("terminal" = Option<schema::TerminalName>, Query, description = "Only those of this terminal."),
        ("session" = Option<schema::SessionName>, Query, description = "Only those of this session."),
        ("Last-Event-ID" = Option<u64>, Header, description = "Likewise as `after`, and before it.")),
    responses((status = 200, description = "The events.", body = String, content_type = "text/event-stream")),
    extensions(("x-problem-codes" =
        json!(["event_unknown", "terminal_unknown", "session_unknown", "too_many_streams", "journal_unavailable"]))))]
async fn events(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request, &["after", "terminal", "session"])?;
    let of = Selection { terminal: terminal(&query, &api).await?, session: session(&query, &api).await? };
    let newest = api.live.events.newest();
    let after = match after(&request, &query)? {
        None => newest,
        Some(after) if after <= newest => after,
        Some(after) => return Err(Problem::event_unknown(after, newest)),
    };
    let mut response = HttpResponse::Ok();
    // Nginx would gather events until a page of memory is full.
    response.content_type("text/event-stream").insert_header(("X-Accel-Buffering", "no"));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let stream = api.live.events.open(of, after).ok_or_else(|| Problem::too_many_streams(api.live.events.limit()))?;
    Ok(response.streaming(stream.chunks()))
}

/// The record after which the reader wants to go on. A browser that reconnects asks for the same address again, and so for the same
/// `after`: the header knows better.
fn after(request: &HttpRequest, query: &Query) -> Result<Option<u64>, Problem> {
    const EXPECTED: &str = "the number of a record, such as 4711";
    let asked = query.parsed("after", EXPECTED)?;
    let mut last = request.headers().get_all(LAST_EVENT_ID).filter(|value| !value.is_empty());
    let Some(value) = last.next() else { return Ok(asked) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    match number {
        Some(number) if last.next().is_none() => Ok(Some(number)),
        _ => {
            let came = quoted(&String::from_utf8_lossy(value.as_bytes()));
            Err(Problem::malformed(format!("one {LAST_EVENT_ID} is expected, {EXPECTED}, but it is {came}")))
        }
    }
}

/// The terminal of the query. One that is not configured any more has its events all the same.
async fn terminal(query: &Query, api: &Api) -> Result<Option<TerminalId>, Problem> {
    let Some(text) = query.text("terminal") else { return Ok(None) };
    let unknown = || Problem::from(Refusal::TerminalUnknown(quoted(text)));
    let terminal: TerminalId = text.parse().map_err(|_| unknown())?;
    if let Err(Refusal::TerminalUnknown(_)) = api.depot.terminal(text) {
        let sessions = api.live.events.journal().sessions(Some(terminal.clone()), None, 1);
        if in_time(async { sessions.await.map_err(unreadable) }).await?.is_empty() {
            return Err(unknown());
        }
    }
    Ok(Some(terminal))
}

/// The session of the query.
async fn session(query: &Query, api: &Api) -> Result<Option<SessionId>, Problem> {
    let Some(text) = query.text("session") else { return Ok(None) };
    let unknown = || Problem::from(Refusal::SessionUnknown(quoted(text)));
    let session: SessionId = text.parse().map_err(|_| unknown())?;
    let of = Selection { session: Some(session), ..Selection::default() };
    let first = api.live.events.journal().select(of, 0, u64::MAX, 1);
    match in_time(async { first.await.map_err(unreadable) }).await?.is_empty() {
        true => Err(unknown()),
        false => Ok(Some(session)),
    }
}

fn unreadable(error: JournalError) -> Refusal {
    Refusal::JournalUnavailable(error.to_string())
}
