//! `POST /v1/reload`: the configuration is read again, as on SIGHUP.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Admin, By};
use super::body::Body;
use super::error::Problem;
use super::routes::Routes;
use super::{Api, schema};
use crate::config::Mistakes;
use crate::session::Refusal;

pub(super) fn routes(routes: &mut Routes) {
    routes.serve(__path_reload, reload);
}

/// Whoever can read the configuration again.
pub trait Reloader: Send + Sync {
    /// Reads it and follows it, or changes nothing. One at a time: a second one waits. `by` is who wanted it.
    fn reload(self: Arc<Self>, by: String) -> Pin<Box<dyn Future<Output = Result<Reloaded, NotReloaded>>>>;
}

/// Why nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotReloaded {
    /// The file is no good.
    #[error("the configuration is invalid, so nothing was changed: {0}")]
    Invalid(Mistakes),
    /// It is, but it cannot be followed now.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What has become of the configuration; terminals by name.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Reloaded {
    /// New terminals.
    pub added: Vec<String>,
    /// Terminals that are gone.
    pub removed: Vec<String>,
    /// Terminals that go as soon as nothing is open on them.
    pub draining: Vec<Draining>,
    /// Terminals with other settings.
    pub changed: Vec<Changed>,
    /// Terminals to which nothing has happened.
    pub unchanged: Vec<String>,
    /// New or changed terminals that must wait for one that leaves.
    pub waiting: Vec<Waiting>,
    /// Keys beside the terminals' whose new values hold now.
    pub settings: Vec<&'static str>,
    /// Keys whose new values hold after a restart only.
    pub needs_restart: Vec<&'static str>,
    /// What may become trouble.
    pub warnings: Vec<String>,
}

/// A terminal that goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Draining {
    /// Which.
    pub terminal: String,
    /// How many sessions have not ended.
    #[schema(value_type = schema::Number)]
    pub open: usize,
}

/// A terminal with other settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Changed {
    /// Which.
    pub terminal: String,
    /// What is different.
    pub keys: Vec<&'static str>,
    /// Its link is opened anew for it.
    pub reopens: bool,
}

/// A terminal that waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Waiting {
    /// Which.
    pub terminal: String,
    /// What for.
    pub why: String,
}

/// Read the configuration again
///
/// As on SIGHUP. The file is judged as a whole first; one that is no good changes nothing. Otherwise terminals come, go and change, and
/// nobody else is touched. One at a time: a second request waits for the first.
#[utoipa::path(post, path = "/v1/reload", operation_id = "reload", security(("token" = ["admin"])),
    request_body(content = Option<schema::Nothing>, description = "Nothing, or an object without fields."),
    responses((status = 200, description = "What has become of it.", body = Reloaded)),
    extensions(("x-problem-codes" = json!(["configuration_invalid", "journal_unavailable", "draining"]))))]
async fn reload(by: By<Admin>, body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    body.nothing_else()?;
    match Arc::clone(&api.live.reloader).reload(by.name).await {
        Ok(reloaded) => Ok(HttpResponse::Ok().json(reloaded)),
        Err(NotReloaded::Invalid(mistakes)) => Err(Problem::configuration_invalid(&mistakes)),
        Err(NotReloaded::Refused(refusal)) => Err(refusal.into()),
    }
}
