//! The API as a charger sees it.

use std::path::Path;
use std::sync::RwLock;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::LIMIT;
use super::events::Stream;

/// Beyond the longest wait that a test asks for.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The API; it may move when the program is started again.
pub(crate) struct Api {
    agent: Agent,
    scheme: &'static str,
    address: RwLock<String>,
    token: Option<&'static str>,
}

impl Api {
    /// With TLS, if there is the file of a CA that is believed.
    pub(super) fn new(address: &str, token: Option<&'static str>, ca: Option<&Path>) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIME_LIMIT));
        let known = ca.map(|ca| Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap());
        let known: Vec<_> = known.into_iter().collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&known));
        let tls = tls.unversioned_rustls_crypto_provider(quittance::tls::provider()).build();
        let scheme = if ca.is_some() { "https" } else { "http" };
        Self { agent: config.tls_config(tls).build().into(), scheme, address: RwLock::new(address.to_owned()), token }
    }

    pub(super) fn moved(&self, address: &str) {
        address.clone_into(&mut self.address.write().unwrap());
    }

    /// Where it listens, as a host and a port.
    pub(crate) fn address(&self) -> String {
        self.address.read().unwrap().clone()
    }

    /// The path, with the server before it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address.read().unwrap())
    }

    /// Status and body; the body is null when it is no JSON.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.try_get(path).unwrap()
    }

    /// Likewise, as somebody else.
    pub(crate) fn get_as(&self, token: Option<&str>, path: &str) -> (u16, Value) {
        let request = self.agent.get(self.url(path));
        let request =
            token.into_iter().fold(request, |request, token| request.header("Authorization", format!("Bearer {token}")));
        read(request.call().unwrap()).unwrap()
    }

    /// Likewise.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.try_post(path, body).unwrap()
    }

    /// Likewise, with these words as they are.
    pub(crate) fn post_text(&self, path: &str, body: &str) -> (u16, Value) {
        self.send(path, body, self.token).unwrap()
    }

    /// Likewise, as somebody else.
    pub(crate) fn post_as(&self, token: Option<&str>, path: &str, body: &Value) -> (u16, Value) {
        self.send(path, &body.to_string(), token).unwrap()
    }

    /// Likewise.
    pub(crate) fn delete(&self, path: &str) -> (u16, Value) {
        let mut request = self.agent.delete(self.url(path));
        if let Some(token) = self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        read(request.call().unwrap()).unwrap()
    }

    /// None when the program is not there or goes away meanwhile.
    pub(crate) fn try_get(&self, path: &str) -> Option<(u16, Value)> {
        let mut request = self.agent.get(self.url(path));
        if let Some(token) = self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        read(request.call().ok()?)
    }

    /// None when the program is not there or goes away meanwhile.
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.send(path, &body.to_string(), self.token)
    }

    /// Opens `/v1/events` with this query, behind the event `last`, if one is given; a refusal is status and body.
    pub(crate) fn events(&self, query: &str, last: Option<u64>) -> Result<Stream, (u16, Value)> {
        self.events_as(self.token, query, last)
    }

    /// Likewise, as somebody else.
    pub(crate) fn events_as(&self, token: Option<&str>, query: &str, last: Option<u64>) -> Result<Stream, (u16, Value)> {
        let mut request = self.agent.get(self.url(&format!("/v1/events{query}"))).config();
        request = request.timeout_global(None).timeout_recv_response(Some(LIMIT)).timeout_recv_body(Some(LIMIT));
        let mut request = request.build();
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        let Ok(mut response) = request.call() else { return Err((0, Value::Null)) };
        if response.status() != 200 {
            let retry = response.headers().get("Retry-After").and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
            let text = response.body_mut().read_to_string().unwrap();
            let mut body: Value = serde_json::from_str(&text).unwrap();
            body["retry_after"] = retry.into();
            return Err((response.status().as_u16(), body));
        }
        assert_eq!(response.headers()["Content-Type"], "text/event-stream");
        Ok(Stream::of(response.into_body().into_reader()))
    }

    /// Opens a session with this key.
    pub(crate) fn open_with_key(&self, key: &str, body: &Value) -> (u16, Value) {
        let request = self.agent.post(self.url("/v1/sessions")).header("Content-Type", "application/json");
        read(request.header("Idempotency-Key", key).send(body.to_string()).unwrap()).unwrap()
    }

    fn send(&self, path: &str, body: &str, token: Option<&str>) -> Option<(u16, Value)> {
        let mut request = self.agent.post(self.url(path)).header("Content-Type", "application/json");
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        read(request.send(body).ok()?)
    }

    /// The text of `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        self.agent.get(self.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap()
    }

    /// The sum of the series with these labels; there must be one.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.metrics();
        let found: Vec<f64> = text.lines().filter_map(|line| series(line, name, labels)).collect();
        assert!(!found.is_empty(), "there is no {name} {labels:?} in\n{text}");
        found.iter().sum()
    }

    /// Every session that the API lists for this question, newest first, over all pages.
    pub(crate) fn sessions(&self, question: &str) -> Vec<Value> {
        let mut sessions = Vec::new();
        let mut cursor = String::new();
        loop {
            let (status, body) = self.get(&format!("/v1/sessions?limit=100{question}{cursor}"));
            assert_eq!(status, 200, "{body}");
            sessions.extend(body["sessions"].as_array().unwrap().iter().cloned());
            match body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return sessions,
            }
        }
    }
}

fn read(mut response: Response<Body>) -> Option<(u16, Value)> {
    let text = response.body_mut().read_to_string().ok()?;
    Some((response.status().as_u16(), serde_json::from_str(&text).unwrap_or(json!(null))))
}

/// `name{a="x",b="y"} 1` if it is this series. No label of ours holds a comma or a quotation mark.
fn series(line: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let (key, value) = line.rsplit_once(' ')?;
    let (found, given) = key.split_once('{').map_or((key, ""), |(found, given)| (found, given.trim_end_matches('}')));
    let given: Vec<&str> = given.split(',').collect();
    let all = labels.iter().all(|(label, value)| given.contains(&format!("{label}=\"{value}\"").as_str()));
    if found == name && all { value.parse().ok() } else { None }
}
