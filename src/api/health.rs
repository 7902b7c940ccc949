//! Is it alive, is it ready, and its metrics. For probes and Prometheus: no token is needed. Nothing about cards
//! is told, and of sessions only the names of those that nobody can dispose of.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{Api, only};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/healthz").route(web::get().to(healthz)).default_service(only("GET")))
        .service(web::resource("/readyz").route(web::get().to(readyz)).default_service(only("GET")))
        .service(web::resource("/metrics").route(web::get().to(metrics)).default_service(only("GET")));
}

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<String>,
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}

async fn readyz(api: web::Data<Api>) -> HttpResponse {
    let reasons = api.depot.unready();
    let ready = reasons.is_empty();
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Ready { ready, reasons })
}

/// Made on a thread of its own: what a large depot has to say takes so long that others would wait for it.
async fn metrics(api: web::Data<Api>) -> HttpResponse {
    match web::block(move || (api.metrics)()).await {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
