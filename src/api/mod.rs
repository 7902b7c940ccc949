//! HTTP for chargers, operators and dashboards: JSON over actix-web, one file per noun of the URL, and `wishes` for what people want of a
//! session.
//!
//! * [`auth`]: who may do what. A handler says in its signature which role it needs ([`auth::By`]).
//! * [`body`] and [`query`]: what comes in, told apart field by field, so that a mistake is named.
//! * [`view`]: what goes out. The domain types know nothing of it.
//! * [`certificate`]: what the API shows of itself where it speaks TLS; renewed without a restart.
//! * `routes`: what is served, each handler with its description; `openapi`: all of that as one document.
//! * [`edge`]: what happens to every request; [`limits`] and [`connections`]: how many there may be.
//! * [`error`]: every refusal as `application/problem+json` with a stable code.
//! * [`events`]: the records of the journal as they come, over streams that stay open.
//! * [`reload`]: the configuration is read again.
//! * `page`: the depot on one page, for people.
//! * [`depot`]: the fleet as the API sees it; tests put a scripted one in its place.
//!
//! Whatever is said here about money is durable already: the fleet answers only after the journal has it.

pub mod auth;
mod body;
pub mod certificate;
mod connections;
pub mod depot;
mod edge;
mod error;
pub mod events;
mod health;
mod limits;
mod listener;
mod openapi;
mod page;
mod query;
mod reconciliations;
pub mod reload;
mod requests;
mod routes;
mod schema;
mod sessions;
pub(crate) mod story;
mod tag;
mod terminals;
mod view;
mod wishes;

#[cfg(test)]
pub(crate) mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpRequest, HttpServer, web};
use rustix::process::{Resource, getrlimit};
use tracing::warn;

pub use auth::{Role, Token, Tokens};
pub use certificate::Certificate;
pub use depot::Depot;
pub use events::Events;

use crate::session::Refusal;
use crate::tls::IdentityFiles;
use connections::Connections;
use error::Problem;
use limits::Limits;
use reload::Reloader;
use routes::Routes;

/// What the API must know to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may use it at first. With no tokens at all everybody is admin, so the configuration allows that on a loopback address only.
    pub tokens: Vec<Token>,
    /// What it shows of itself; without it, it speaks plain HTTP.
    pub tls: Option<IdentityFiles>,
    /// Whoever has not taken what it is sent after so long is cut off.
    pub write_timeout: Duration,
    /// How `/v1/events` is served; [`serve`] is given what follows from it.
    pub events: events::Settings,
    /// A session that a person settles needs another person who says the same.
    pub resolve_requires_two: bool,
    /// How much of it one client, and all together, may use.
    pub bounds: Bounds,
}

/// How much of the API may be used at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of one client, in the long run; none is no limit.
    pub requests_per_second: Option<NonZeroU32>,
    /// Of all clients.
    pub max_connections: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { requests_per_second: NonZeroU32::new(1000), max_connections: 2000 }
    }
}

impl Settings {
    /// The usual ones.
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen,
            tokens: Vec::new(),
            tls: None,
            write_timeout: Duration::from_secs(30),
            events: events::Settings::default(),
            resolve_requires_two: false,
            bounds: Bounds::default(),
        }
    }
}

/// What may change while the API is served, and who changes it.
pub struct Live {
    /// Who may use it.
    pub tokens: Arc<Tokens>,
    /// Whether a session that a person settles needs another person.
    pub resolve_requires_two: Arc<AtomicBool>,
    /// Who reads the configuration again.
    pub reloader: Arc<dyn Reloader>,
    /// The records of the journal as they come.
    pub events: Events,
}

/// One thread parses requests while another one writes a long list; the work itself is done by the fleet's arbiters.
const WORKERS: usize = 2;

/// A client that has not said its whole request head by then is not a client.
const HEAD_LIMIT: Duration = Duration::from_secs(5);

/// A little longer than the longest `?wait=`, so that a long-polling client keeps its connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Whoever is still waiting for something this many seconds after the server was told to stop asks again after the restart.
const STOP_LIMIT_SECONDS: u64 = 3;

/// So many more than there may be are accepted, so that the ones that have to go can be told.
const CONNECTIONS_BEYOND: usize = 256;

/// A commit or void answers within 20 s (README, The API). One second is left for the way.
const ANSWER_LIMIT: Duration = Duration::from_secs(19);

/// Listens at once, with TLS if there is a certificate to show, and serves the depot called `site` for as long as the server is
/// awaited. It does not look at signals: it goes on while the fleet
/// drains, and ends by [`Server::handle`] and `stop(true)`.
pub fn serve(
    site: String,
    settings: Settings,
    live: Live,
    certificate: Option<&Arc<Certificate>>,
    depot: impl Depot,
    metrics: impl Fn() -> String + Send + Sync + 'static,
) -> io::Result<(Server, SocketAddr)> {
    let listen = settings.listen;
    let mut api = Api::new(site, depot, live, metrics);
    api.limits = Limits::new(settings.bounds.requests_per_second);
    let api = web::Data::new(api);
    let most = affordable(settings.bounds);
    let connections = Connections::new(most);
    let app = move || App::new().wrap(from_fn(edge::pass)).configure(|app| routes(app, api.clone()));
    let server = HttpServer::new(app)
        .workers(WORKERS)
        .on_connect(move |socket, data| {
            let connection = match (socket.downcast_ref::<TcpStream>(), socket.downcast_ref::<TlsStream<TcpStream>>()) {
                (Some(socket), _) => connections.open(socket),
                (_, Some(tls)) => connections.open(tls.get_ref().0),
                _ => None,
            };
            connection.map(|connection| data.insert(connection));
        })
        .max_connections(most + CONNECTIONS_BEYOND)
        // Whoever does not go on with the TLS handshake is cut, and keeps nobody else from theirs.
        .max_connection_rate(most + CONNECTIONS_BEYOND)
        .client_request_timeout(HEAD_LIMIT)
        .tls_handshake_timeout(HEAD_LIMIT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(STOP_LIMIT_SECONDS)
        .disable_signals();
    let socket = listener::listen(listen, settings.write_timeout)
        .map_err(|error| io::Error::new(error.kind(), format!("the API cannot listen on {listen}: {error}")))?;
    let server = match certificate {
        Some(certificate) => server.listen_rustls_0_23(socket, certificate.server().map_err(io::Error::other)?)?,
        None => server.listen(socket)?,
    };
    let address = server.addrs().first().copied().unwrap_or(listen);
    Ok((server.run(), address))
}

/// As many connections as are wanted, or as file descriptors allow.
fn affordable(bounds: Bounds) -> usize {
    let wanted = bounds.max_connections;
    let most = connections::affordable(wanted, getrlimit(Resource::Nofile).current);
    if most < wanted {
        warn!(wanted, most, "api.max_connections is lowered: this process may not open so many files (LimitNOFILE, ulimit -n)");
    }
    most
}

/// What every handler has at hand.
struct Api {
    site: String,
    depot: Arc<dyn Depot>,
    live: Live,
    limits: Limits,
    metrics: Box<dyn Fn() -> String + Send + Sync>,
}

impl Api {
    fn new(site: String, depot: impl Depot, live: Live, metrics: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { site, depot: Arc::new(depot), live, limits: Limits::new(None), metrics: Box::new(metrics) }
    }
}

/// Everything that is served, noun by noun.
impl Routes {
    fn all() -> Self {
        let mut routes = Self::default();
        sessions::routes(&mut routes);
        wishes::routes(&mut routes);
        story::routes(&mut routes);
        terminals::routes(&mut routes);
        requests::routes(&mut routes);
        reconciliations::routes(&mut routes);
        events::routes(&mut routes);
        reload::routes(&mut routes);
        health::routes(&mut routes);
        openapi::routes(&mut routes);
        page::routes(&mut routes);
        routes
    }
}

fn routes(app: &mut web::ServiceConfig, api: web::Data<Api>) {
    app.app_data(api).service(Routes::all()).default_service(web::to(unknown_path));
}

async fn unknown_path(request: HttpRequest) -> Problem {
    Problem::unknown_path(request.path())
}

/// What the fleet answers, or, when that takes too long, that nobody knows yet. Asking again is safe: a decision is made once.
async fn in_time<T>(answer: impl Future<Output = Result<T, Refusal>>) -> Result<T, Problem> {
    match tokio::time::timeout(ANSWER_LIMIT, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::no_answer(ANSWER_LIMIT)),
    }
}
