//! `/v1/terminals`: what each one does, and the few things that an admin may ask of it.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::auth::{Admin, By, Viewer};
use super::body::Body;
use super::error::Problem;
use super::query::Query;
use super::view::{ReportView, TerminalView};
use super::{Api, in_time, only};
use crate::session::Refusal;

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/v1/terminals").route(web::get().to(list)).default_service(only("GET")))
        .service(web::resource("/v1/terminals/{id}").route(web::get().to(one)).default_service(only("GET")))
        .service(web::resource("/v1/terminals/{id}/drain").route(web::post().to(drain)).default_service(only("POST")))
        .service(web::resource("/v1/terminals/{id}/resume").route(web::post().to(resume)).default_service(only("POST")))
        .service(web::resource("/v1/terminals/{id}/reconnect").route(web::post().to(reconnect)).default_service(only("POST")))
        .service(web::resource("/v1/terminals/{id}/reconcile").route(web::post().to(reconcile)).default_service(only("POST")));
}

/// A P6X lists its sessions twice, page by page, each within its command time-out; more than this means that it does not answer.
const RECONCILE_LIMIT: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct List<'a> {
    terminals: Vec<TerminalView<'a>>,
}

async fn list(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let terminals = api.depot.terminals();
    Ok(HttpResponse::Ok().json(List { terminals: terminals.iter().map(TerminalView::of).collect() }))
}

async fn one(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let terminal = api.depot.terminal(name(&request))?;
    Ok(HttpResponse::Ok().json(TerminalView::of(&terminal)))
}

async fn drain(by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    body.nothing_else()?;
    let terminal = in_time(api.depot.drain(name(&request), by.name)).await?;
    Ok(HttpResponse::Ok().json(TerminalView::of(&terminal)))
}

async fn resume(by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    body.nothing_else()?;
    let terminal = in_time(api.depot.resume(name(&request), by.name)).await?;
    Ok(HttpResponse::Ok().json(TerminalView::of(&terminal)))
}

async fn reconnect(by: By<Admin>, request: HttpRequest, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    body.nothing_else()?;
    let terminal = in_time(api.depot.reconnect(name(&request), by.name)).await?;
    Ok(HttpResponse::Ok().json(TerminalView::of(&terminal)))
}

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
