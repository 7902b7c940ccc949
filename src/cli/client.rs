//! The running API as the commands see it: a GET with a token, and one line when that fails.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

/// Where the API is and who asks.
#[derive(Clone, Debug, clap::Args)]
pub struct Server {
    /// Where the API is
    #[arg(long, env = "QUITTANCE_URL", default_value = "http://127.0.0.1:8470", value_name = "URL")]
    pub url: String,
    /// The token to show to the API, when it wants one
    #[arg(long, env = "QUITTANCE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<Secret>,
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
        let agent = ureq::Agent::new_with_config(config.build());
        let url = self.url.trim_end_matches('/');
        let mut request = agent.get(format!("{url}{path}")).query_pairs(query.iter().copied());
        if let Some(Secret(token)) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let unreachable = |error: ureq::Error| Failure::Unreachable { url: url.to_owned(), why: error.to_string() };
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
