//! `/v1/reconciliations`: past comparisons of our holds with the terminals'.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{By, Viewer};
use super::error::Problem;
use super::query::Query;
use super::routes::Routes;
use super::view::ReportView;
use super::{Api, in_time, schema};

pub(super) fn routes(routes: &mut Routes) {
    routes.serve(__path_list, list);
}

/// Past comparisons, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Reconciliations)]
struct List<'a> {
    reconciliations: Vec<ReportView<'a>>,
}

/// List past reconciliations
///
/// What was compared, every discrepancy, every action and why; newest first.
#[utoipa::path(get, path = "/v1/reconciliations", operation_id = "list_reconciliations", security(("token" = ["viewer"])),
    params(("terminal" = Option<schema::TerminalName>, Query, description = "Only those of this terminal."),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "So many at most; 100, if not said.")),
    responses((status = 200, description = "The reports.", body = List)),
    extensions(("x-problem-codes" = json!(["journal_unavailable"]))))]
async fn list(_by: By<Viewer>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request, &["terminal", "limit"])?;
    let terminal = query.parsed("terminal", "a terminal's name")?;
    let records = in_time(api.depot.reconciliations(terminal, query.limit()?)).await?;
    let reconciliations = records.iter().filter_map(ReportView::of_record).collect();
    Ok(HttpResponse::Ok().json(List { reconciliations }))
}
