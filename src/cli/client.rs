//! The running API as the commands see it: a request with a token, and one line when that fails.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio_rustls::rustls;
use ureq::RequestBuilder;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::tls::fault::{Attempt, names};
use crate::tls::{Fault, FileError, files, provider};

use super::table::printable;

/// Where the API is and who asks.
#[derive(Clone, Debug, clap::Args)]
pub struct Server {
    /// Where the API is
    #[arg(long, env = "QUITTANCE_URL", default_value = "http://127.0.0.1:8470", value_name = "URL")]
    pub url: String,
    /// The token to show to the API, when it wants one
    #[arg(long, env = "QUITTANCE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<Secret>,
    /// The CA that signed the API's certificate (PEM), when --url begins with https
    #[arg(long, env = "QUITTANCE_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// A token. It shows itself to nobody but the API.
#[derive(Clone)]
pub struct Secret(String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Why there is nothing to show, in one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody listens there, or it is not an address.
    #[error(
        "there is no API at {url}: {why}; is the orchestrator running (`systemctl status quittance`), and is --url or QUITTANCE_URL right?"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// What happened.
        why: String,
    },
    /// Nobody is believed without being known.
    #[error("{0} has TLS: give the CA that signed its certificate by --ca FILE or QUITTANCE_CA")]
    NoCa(String),
    /// The CA's file is of no use.
    #[error("--ca: {0}")]
    BadCa(#[from] FileError),
    /// 401.
    #[error("{0} wants a token that it knows: give it by --token or QUITTANCE_TOKEN")]
    Unauthorised(String),
    /// 403.
    #[error("{url} knows the token, but {detail} (403); give another one by --token or QUITTANCE_TOKEN")]
    Forbidden {
        /// Who.
        url: String,
        /// The API's own words.
        detail: String,
    },
    /// Any other answer than the one hoped for.
    #[error("{url} refuses: {detail} ({status})")]
    Refused {
        /// Who.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The API's own words.
        detail: String,
    },
    /// Something answers, but not our API.
    #[error("{0} does not answer like this API; is --url right?")]
    Strange(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Usage(String),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// An answer that takes longer is none. A reconciliation may take a minute.
const TIME_LIMIT: Duration = Duration::from_secs(65);

/// How long a session's name is.
const WHOLE_NAME: usize = 36;

impl Server {
    /// The JSON at this path.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let agent = self.agent()?;
        let request = agent.get(format!("{}{path}", self.base())).query_pairs(query.iter().copied());
        self.read(self.with_token(request).call()).map(|(_, body)| body)
    }

    /// What the API answers to this; and the status, for 202 means something else than 200.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), Failure> {
        let agent = self.agent()?;
        let request = agent.post(format!("{}{path}", self.base()));
        self.read(self.with_token(request).send_json(body))
    }

    /// Likewise.
    pub(crate) fn delete(&self, path: &str) -> Result<(u16, Value), Failure> {
        let agent = self.agent()?;
        let request = agent.delete(format!("{}{path}", self.base()));
        self.read(self.with_token(request).call())
    }

    /// The session of this name, or of a name that begins like this if only one does.
    pub(crate) fn session(&self, name: &str) -> Result<Value, Failure> {
        let prefix = name.to_ascii_lowercase();
        if prefix.len() >= WHOLE_NAME {
            return self.get(&format!("/v1/sessions/{}", segment(&prefix)), &[]);
        }
        // Names begin with the time, so the ones that begin like this are next to each other in the list.
        let Some(behind) = last_name(&prefix) else {
            return Err(Failure::Usage(format!("{name:?} is not the beginning of a session's name")));
        };
        let mut answer = self.get("/v1/sessions", &[("cursor", &behind), ("limit", "10")])?;
        let mut found = self.list(&mut answer, "sessions")?;
        let text = |session: &Value, field: &str| session.get(field).and_then(Value::as_str).map(printable).unwrap_or_default();
        found.retain(|session| text(session, "id").starts_with(&prefix));
        match found.len() {
            0 => Err(Failure::Usage(format!("{}: no session's name begins with {name}", self.base()))),
            1 => Ok(found.remove(0)),
            _ => {
                let named = |session: &Value| ["id", "terminal", "state"].map(|field| text(session, field)).join(" ");
                let all: Vec<_> = found.iter().map(named).collect();
                Err(Failure::Usage(format!("more than one session's name begins with {name}: {}", all.join(", "))))
            }
        }
    }

    /// The story of the session of this name, or of a name that begins like this if only one does.
    pub(crate) fn story(&self, name: &str) -> Result<Value, Failure> {
        let session = self.session(name)?;
        let id = session.get("id").and_then(Value::as_str).unwrap_or_default();
        self.get(&format!("/v1/sessions/{}/story", segment(id)), &[])
    }

    fn base(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    fn agent(&self) -> Result<ureq::Agent, Failure> {
        // The API is in the same depot: a proxy of the environment has no business with its token.
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIME_LIMIT));
        Ok(ureq::Agent::new_with_config(config.tls_config(self.tls()?).build()))
    }

    fn with_token<Body>(&self, request: RequestBuilder<Body>) -> RequestBuilder<Body> {
        match &self.token {
            Some(Secret(token)) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn read(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<(u16, Value), Failure> {
        let url = self.base().to_owned();
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => return Err(Failure::Unreachable { why: self.why(&error), url }),
        };
        let status = response.status().as_u16();
        let body = response.body_mut().read_json::<Value>().map_err(|_| Failure::Strange(url.clone()));
        match status {
            200..=202 => body.map(|body| (status, body)),
            401 => Err(Failure::Unauthorised(url)),
            _ => match body?.get("detail").and_then(Value::as_str).map(printable) {
                Some(detail) if status == 403 => Err(Failure::Forbidden { url, detail }),
                Some(detail) => Err(Failure::Refused { url, status, detail }),
                None => Err(Failure::Strange(url)),
            },
        }
    }

    fn speaks_tls(&self) -> bool {
        self.url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }

    /// The roots are always named, since ureq has none of its own here.
    fn tls(&self) -> Result<TlsConfig, Failure> {
        let known = match &self.ca {
            Some(path) => files::certificates(path)?,
            None if self.speaks_tls() => return Err(Failure::NoCa(self.url.clone())),
            None => Vec::new(),
        };
        let known: Vec<_> = known.iter().map(|known| Certificate::from_der(known).to_owned()).collect();
        let config = TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(RootCerts::new_with_certs(&known));
        Ok(config.unversioned_rustls_crypto_provider(provider()).build())
    }

    /// What an error means, with what only we know about it.
    fn why(&self, error: &ureq::Error) -> String {
        let fault = match error {
            ureq::Error::Rustls(error) => self.attempt().map(|attempt| Fault::of(error, &attempt)),
            ureq::Error::Io(io) if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                self.attempt().map(|attempt| Fault::of_io(io, &attempt))
            }
            _ => None,
        };
        match fault {
            Some(Fault::WrongName { wanted, presented }) => {
                format!("its certificate is for {}, not for {wanted}", names(&presented))
            }
            Some(Fault::NotTls) => "it speaks no TLS, so --url begins with http://".to_owned(),
            Some(fault) => fault.to_string(),
            // A server of TLS answers a plain request with an alert, which is no HTTP.
            None if matches!(error, ureq::Error::Protocol(_)) && !self.speaks_tls() => {
                format!("it speaks no plain HTTP; with TLS, --url begins with https:// ({error})")
            }
            None => error.to_string(),
        }
    }

    /// None when the address is none.
    fn attempt(&self) -> Option<Attempt> {
        let url: ureq::http::Uri = self.url.parse().ok()?;
        let host = url.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Attempt {
            ca: self.ca.as_ref().map_or_else(|| "--ca".to_owned(), |path| path.display().to_string()),
            wanted: host.try_into().ok()?,
            with_1_2: true,
            asked: false,
            given: false,
            shown: None,
        })
    }

    /// The list under this key of an answer.
    pub(crate) fn list(&self, answer: &mut Value, key: &str) -> Result<Vec<Value>, Failure> {
        match answer.get_mut(key).map(Value::take) {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err(Failure::Strange(self.url.clone())),
        }
    }
}

/// 0, or 1 and one line on `err`. Whoever stops reading our output early has had enough, which is no failure.
pub(crate) fn exit_code(done: Result<(), Failure>, err: &mut dyn Write) -> u8 {
    match done {
        Ok(()) => 0,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(failure) => {
            // When not even this can be written, the exit code still tells.
            let _ = writeln!(err, "{failure}");
            1
        }
    }
}

/// A name as a part of a path; whatever is no name stays one part.
pub(crate) fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The last name that begins like this: the list after it begins with those that do.
fn last_name(prefix: &str) -> Option<String> {
    const LAST: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    let fits = |(byte, last): (u8, u8)| if last == b'-' { byte == b'-' } else { byte.is_ascii_hexdigit() };
    let like_a_name = !prefix.is_empty() && prefix.len() < LAST.len() && prefix.bytes().zip(LAST.bytes()).all(fits);
    like_a_name.then(|| format!("{prefix}{}", &LAST[prefix.len()..]))
}
