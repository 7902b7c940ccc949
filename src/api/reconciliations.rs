//! `/v1/reconciliations`: past comparisons of our holds with the terminals'.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::auth::{By, Viewer};
use super::error::Problem;
use super::query::Query;
use super::view::ReportView;
use super::{Api, in_time, only};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/v1/reconciliations").route(web::get().to(list)).default_service(only("GET")));
}

#[derive(Serialize)]
struct List<'a> {
    reconciliations: Vec<ReportView<'a>>,
}

async fn list(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request, &["terminal", "limit"])?;
    let terminal = query.parsed("terminal", "a terminal's name")?;
    let records = in_time(api.depot.reconciliations(terminal, query.limit()?)).await?;
    let reconciliations = records.iter().filter_map(ReportView::of_record).collect();
    Ok(HttpResponse::Ok().json(List { reconciliations }))
}
