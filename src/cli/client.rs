//! The running API as the commands see it: a GET with a token, and one line when that fails.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio_rustls::rustls;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::tls::fault::{Attempt, names};
use crate::tls::{Fault, FileError, files, provider};

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
    #[error("there is no API at {url}: {why}; is the orchestrator running, and is --url right?")]
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
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// An answer that takes longer is none.
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl Server {
    /// The JSON at this path.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        // The API is in the same depot: a proxy of the environment has no business with its token.
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIME_LIMIT));
        let config = config.tls_config(self.tls()?);
        let agent = ureq::Agent::new_with_config(config.build());
        let url = self.url.trim_end_matches('/');
        let mut request = agent.get(format!("{url}{path}")).query_pairs(query.iter().copied());
        if let Some(Secret(token)) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let unreachable = |error: ureq::Error| Failure::Unreachable { url: url.to_owned(), why: self.why(&error) };
        let mut response = request.call().map_err(unreachable)?;
        let status = response.status().as_u16();
        let body = response.body_mut().read_json::<Value>().map_err(|_| Failure::Strange(url.to_owned()));
        match status {
            200 => body,
            401 => Err(Failure::Unauthorised(url.to_owned())),
            _ => match body?.get("detail").and_then(Value::as_str) {
                Some(detail) => Err(Failure::Refused { url: url.to_owned(), status, detail: printable(detail) }),
                None => Err(Failure::Strange(url.to_owned())),
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

/// Columns as wide as their widest cell.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// A field as a cell: `-` when it is null, and nothing that could confuse a screen.
pub(crate) fn cell(row: &Value, field: &str) -> String {
    match row.get(field) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(other) => other.to_string(),
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
