//! `/v1/sessions/{id}/story`: what became of a session, in sentences, for a person who asks why.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::{By, Viewer};
use super::error::{Problem, quoted};
use super::query::Query;
use super::routes::Routes;
use super::{Api, in_time, schema};
use crate::journal::view::public_json;
use crate::session::story::{Line, Story};
use crate::session::{Refusal, Session};
use crate::time::Timestamp;

pub(super) fn routes(routes: &mut Routes) {
    routes.serve(__path_story, story);
}

/// What became of a session.
#[derive(Serialize, ToSchema)]
#[schema(as = Story)]
pub(crate) struct StoryView<'a> {
    /// Whose it is.
    #[schema(value_type = schema::SessionName)]
    session: String,
    /// Where it took place; null where the journal is damaged.
    #[schema(value_type = Option<schema::TerminalName>)]
    terminal: Option<&'a str>,
    /// What it is now; null where the journal is damaged.
    #[schema(value_type = Option<schema::SessionState>)]
    state: Option<&'static str>,
    /// Whether nothing of it is damaged or missing.
    sound: bool,
    /// What it is about, in a sentence.
    head: &'a str,
    /// What happened, oldest first.
    story: Vec<StoryLine<'a>>,
    /// What comes next, or what a person should do.
    next: &'a [String],
}

/// One thing that happened.
#[derive(Serialize, ToSchema)]
struct StoryLine<'a> {
    /// The number of the record that says so; null where one is damaged or missing.
    #[schema(value_type = Option<schema::Count>)]
    seq: Option<u64>,
    /// When.
    #[schema(value_type = Option<schema::Moment>)]
    at: Option<Timestamp>,
    /// What it is to a reader: `step`, `around` (the program or the terminal), `doubt`, `person` (nothing moves without one), `end` or `gap`.
    mark: &'static str,
    /// What is to be said of it.
    sentence: &'a str,
    /// The record, as an event has it.
    record: Option<Value>,
}

impl<'a> StoryView<'a> {
    /// The story, for programs.
    pub(crate) fn of(story: &'a Story) -> Self {
        let line = |line: &'a Line| StoryLine {
            seq: line.record.as_ref().map(|record| record.seq),
            at: line.at,
            mark: line.mark.as_str(),
            sentence: &line.sentence,
            record: line.record.as_ref().map(public_json),
        };
        Self {
            session: story.session.to_string(),
            terminal: story.now.as_ref().map(|session| session.terminal.as_str()),
            state: story.now.as_ref().map(Session::state_name),
            sound: story.sound,
            head: &story.head,
            story: story.lines.iter().map(line).collect(),
            next: &story.next,
        }
    }
}

/// Tell what became of a session
///
/// In sentences with times, for people: what was asked, answered, doubted, decided and confirmed, what happened to the program and
/// the terminal meanwhile, and what comes next. Programs read the records beside the sentences, which may change.
#[utoipa::path(get, path = "/v1/sessions/{id}/story", operation_id = "tell_session", security(("token" = ["viewer"])),
    params(("id" = schema::SessionName, Path)),
    responses((status = 200, description = "The story.", body = StoryView)),
    extensions(("x-problem-codes" = json!(["journal_unavailable"]))))]
async fn story(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let name = request.match_info().query("id");
    let session = name.parse().map_err(|_| Refusal::SessionUnknown(quoted(name)))?;
    let story = in_time(api.depot.story(session)).await?;
    Ok(HttpResponse::Ok().json(StoryView::of(&story)))
}
