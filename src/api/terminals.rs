//! `/v1/terminals`: what each one does, and the few things that an admin may ask of it.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Admin, By, Viewer};
use super::body::Body;
use super::error::Problem;
use super::query::Query;
use super::routes::Routes;
use super::view::{ReportView, TerminalView};
use super::{Api, in_time, schema};
use crate::session::Refusal;

pub(super) fn routes(routes: &mut Routes) {
    routes
        .serve(__path_list, list)
        .serve(__path_one, one)
        .serve(__path_drain, drain)
        .serve(__path_resume, resume)
        .serve(__path_reconnect, reconnect)
        .serve(__path_reconcile, reconcile);
}

/// A P6X lists its sessions twice, page by page, each within its command time-out; more than this means that it does not answer.
const RECONCILE_LIMIT: Duration = Duration::from_secs(60);

/// All terminals of the configuration.
#[derive(Serialize, ToSchema)]
#[schema(as = Terminals)]
struct List<'a> {
    terminals: Vec<TerminalView<'a>>,
}

/// List terminals
#[utoipa::path(get, path = "/v1/terminals", operation_id = "list_terminals", security(("token" = ["viewer"])),
    responses((status = 200, description = "All of them.", body = List)))]
async fn list(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let terminals = api.depot.terminals();
    Ok(HttpResponse::Ok().json(List { terminals: terminals.iter().map(TerminalView::of).collect() }))
}

/// Read one terminal
#[utoipa::path(get, path = "/v1/terminals/{id}", operation_id = "get_terminal", security(("token" = ["viewer"])),
    params(("id" = schema::TerminalName, Path)),
    responses((status = 200, description = "The terminal.", body = TerminalView)))]
async fn one(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let terminal = api.depot.terminal(name(&request))?;
    Ok(HttpResponse::Ok().json(TerminalView::of(&terminal)))
}

/// Take no new card flows
///
/// What is open goes on, and so do disposals. Remembered over restarts, until `resume`.
#[utoipa::path(post, path = "/v1/terminals/{id}/drain", operation_id = "drain_terminal", security(("token" = ["admin"])),
    params(("id" = schema::TerminalName, Path)),
    request_body(content = Option<schema::Nothing>, description = "Nothing, or an object without fields."),
    responses((status = 200, description = "It drains.", body = TerminalView)),
    extensions(("x-problem-codes" = json!(["terminal_not_ready", "journal_unavailable"]))))]
async fn drain(by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    body.nothing_else()?;
    let terminal = in_time(api.depot.drain(name(&request), by.name)).await?;
    Ok(HttpResponse::Ok().json(TerminalView::of(&terminal)))
}

/// Take card flows again
#[utoipa::path(post, path = "/v1/terminals/{id}/resume", operation_id = "resume_terminal", security(("token" = ["admin"])),
    params(("id" = schema::TerminalName, Path)),
    request_body(content = Option<schema::Nothing>, description = "Nothing, or an object without fields."),
    responses((status = 200, description = "It takes card flows.", body = TerminalView)),
    extensions(("x-problem-codes" = json!(["terminal_not_ready", "journal_unavailable"]))))]
async fn resume(by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    body.nothing_else()?;
    let terminal = in_time(api.depot.resume(name(&request), by.name)).await?;
    Ok(HttpResponse::Ok().json(TerminalView::of(&terminal)))
}

/// Close the link and open it anew
///
/// Also out of quarantine. A card that is being authorised and a disposal that is under way are waited for first.
#[utoipa::path(post, path = "/v1/terminals/{id}/reconnect", operation_id = "reconnect_terminal", security(("token" = ["admin"])),
    params(("id" = schema::TerminalName, Path)),
    request_body(content = Option<schema::Nothing>, description = "Nothing, or an object without fields."),
    responses((status = 200, description = "The link is being opened.", body = TerminalView)),
    extensions(("x-problem-codes" = json!(["terminal_not_ready", "journal_unavailable"]))))]
async fn reconnect(by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    body.nothing_else()?;
    let terminal = in_time(api.depot.reconnect(name(&request), by.name)).await?;
    Ok(HttpResponse::Ok().json(TerminalView::of(&terminal)))
}

/// Compare our holds with the terminal's
///
/// Answers with the report, within 60 s.
#[utoipa::path(post, path = "/v1/terminals/{id}/reconcile", operation_id = "reconcile_terminal", security(("token" = ["admin"])),
    params(("id" = schema::TerminalName, Path)),
    request_body(content = Option<schema::Nothing>, description = "Nothing, or an object without fields."),
    responses((status = 200, description = "The report.", body = ReportView)),
    extensions(("x-problem-codes" = json!(["not_supported", "terminal_not_ready", "journal_unavailable"]))))]
async fn reconcile(_by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    body.nothing_else()?;
    let terminal = api.depot.terminal(name(&request))?.id;
    let record = tokio::time::timeout(RECONCILE_LIMIT, api.depot.reconcile(terminal.as_str())).await;
    let why = "its reconciliation is not over yet; its report will be among /v1/reconciliations";
    let record = record.map_err(|_| Refusal::TerminalNotReady { terminal, why: why.to_owned() })??;
    Ok(HttpResponse::Ok().json(ReportView::of_record(&record)))
}

fn name(request: &HttpRequest) -> &str {
    request.match_info().query("id")
}
