//! Is it alive, is it ready, and its metrics. For probes and Prometheus: no token is needed. Nothing about cards
//! is told, and of sessions only the names of those that nobody can dispose of.

use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::Anybody;
use super::error::{Problem, RETRY_SECONDS};
use super::routes::Routes;

pub(super) fn routes(routes: &mut Routes) {
    routes.serve(__path_healthz, healthz).serve(__path_readyz, readyz).serve(__path_metrics, metrics);
}

/// It answers.
#[derive(Serialize, ToSchema)]
struct Alive {
    /// Always `ok`.
    status: &'static str,
}

/// Whether it can do its work, and why not.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "ready": false, "reasons": ["bay-01 is not reconciled yet"] }))]
struct Ready {
    ready: bool,
    /// In words; empty when it is ready.
    reasons: Vec<String>,
}

/// Is it alive?
#[utoipa::path(get, path = "/healthz", operation_id = "get_health", responses((status = 200, description = "It is.", body = Alive)))]
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}

/// Is it ready?
///
/// The journal is sound and takes records in time, every terminal is reconciled or known to be down, and nothing is open on a terminal that
/// nobody knows how to reach.
#[utoipa::path(get, path = "/readyz", operation_id = "get_readiness",
    responses((status = 200, description = "It is.", body = Ready),
        (status = 503, description = "It is not; here is why.", body = Ready,
            headers(("Retry-After" = u32, description = "Seconds after which to ask again.")))))]
async fn readyz(api: web::Data<Api>) -> HttpResponse {
    let reasons = api.depot.unready();
    let ready = reasons.is_empty();
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    if !ready {
        response.insert_header((RETRY_AFTER, RETRY_SECONDS));
    }
    response.json(Ready { ready, reasons })
}

/// Metrics
///
/// In the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics",
    responses((status = 200, description = "All series.", body = String, content_type = "text/plain")),
    extensions(("x-problem-codes" = json!(["internal"]))))]
async fn metrics(_by: Anybody, api: web::Data<Api>) -> HttpResponse {
    // Made on a thread of its own: what a large depot has to say takes so long that others would wait for it.
    match web::block(move || (api.metrics)()).await {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(_) => Problem::internal("the metrics' rendering").error_response(),
    }
}
