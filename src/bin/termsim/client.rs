//! The orchestrator's API as a charger would use it: JSON over HTTP, and patience when nobody answers.

use std::time::Duration;

use serde_json::Value;

/// Longer than the API ever takes (20 s).
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A client of the API. Copies share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
}

/// An answer: its status and what it says.
pub(crate) type Answer = Result<(u16, Value), String>;

impl Client {
    /// Asks there.
    pub(crate) fn new(url: &str) -> Self {
        // The API is on this machine: a proxy of the environment has no business with it.
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIME_LIMIT));
        Self { agent: ureq::Agent::new_with_config(config.build()), url: url.to_owned() }
    }

    /// Where it asks.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads JSON; the error is that nobody has answered.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let (agent, url) = (self.agent.clone(), format!("{}{path}", self.url));
        blocking(move || {
            let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
            let body = response.body_mut().read_json().map_err(|error| error.to_string())?;
            Ok((response.status().as_u16(), body))
        })
        .await
    }

    /// Asks for something to be done. The same key is the same wish, however often it is sent.
    pub(crate) async fn post(&self, path: &str, key: Option<String>, body: Value) -> Answer {
        let (agent, url) = (self.agent.clone(), format!("{}{path}", self.url));
        blocking(move || {
            let mut request = agent.post(url);
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            let mut response = request.send_json(body).map_err(|error| error.to_string())?;
            let body = response.body_mut().read_json().map_err(|error| error.to_string())?;
            Ok((response.status().as_u16(), body))
        })
        .await
    }

    /// Reads a text.
    pub(crate) async fn text(&self, path: &str) -> Result<String, String> {
        let (agent, url) = (self.agent.clone(), format!("{}{path}", self.url));
        blocking(move || {
            let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
            response.body_mut().read_to_string().map_err(|error| error.to_string())
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(question: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    match tokio::task::spawn_blocking(question).await {
        Ok(answer) => answer,
        Err(error) => Err(error.to_string()),
    }
}

/// A text field of an answer; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A number field of an answer.
pub(crate) fn number(value: &Value, field: &str) -> Option<u64> {
    value.get(field).and_then(Value::as_u64)
}
