//! A browser without a window, by the words of WebDriver (W3C).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use crate::rig::LIMIT;
use crate::tool::tool;

/// How often a page is looked at again.
const LOOK_EVERY_MS: u64 = 100;

/// What a browser must not do in a closed network, and must do without a screen or a sandbox of its own.
const ARGUMENTS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];

/// Ends with its window.
pub(super) struct Browser {
    driver: Child,
    agent: Agent,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// None when this machine has no browser.
    pub(super) fn start(script: bool) -> Option<Self> {
        let chromium = tool("chromium", "chromium")?;
        let program = tool("chromedriver", "chromium-driver")?;
        let mut driver = Command::new(program).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).find_map(|line| {
            let port = line.split_once("started successfully on port ")?.1.trim_end_matches('.').to_owned();
            Some(port)
        });
        let address = format!("http://127.0.0.1:{}", told.expect("the driver says where it listens"));
        let agent: Agent =
            Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(LIMIT)).build().into();
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(|argument| (*argument).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        // 2 is "block".
        let preferences = json!({ "profile.managed_default_content_settings.javascript": if script { 1 } else { 2 } });
        let options = json!({ "binary": chromium, "args": arguments, "prefs": preferences });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let mut answer = agent.post(format!("{address}/session")).send_json(&wanted).unwrap();
        let body: Value = answer.body_mut().read_json().unwrap();
        let id = body["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no window: {body}"));
        let browser = Self { driver, session: format!("{address}/session/{id}"), agent, _profile: profile };
        browser.size(1280, 900);
        Some(browser)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let mut answer = self.agent.post(format!("{}/{path}", self.session)).send_json(body).unwrap();
        let body: Value = answer.body_mut().read_json().unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}: {body}");
        body["value"].clone()
    }

    /// Loads a page.
    pub(super) fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// The window's size.
    pub(super) fn size(&self, width: u32, height: u32) {
        self.post("window/rect", &json!({ "width": width, "height": height }));
    }

    /// Runs a function's body; what it returns, as text.
    pub(super) fn run(&self, script: &str) -> String {
        match self.post("execute/sync", &json!({ "script": script, "args": [] })) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// Likewise, a number.
    pub(super) fn number(&self, script: &str) -> u64 {
        self.run(script).parse().unwrap()
    }

    /// What a reader sees of the elements that the selector finds.
    pub(super) fn texts(&self, selector: &str) -> Vec<String> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": selector }));
        let ids = found.as_array().unwrap().iter().filter_map(|element| element.as_object()?.values().next()?.as_str());
        ids.filter_map(|id| {
            let mut answer = self.agent.get(format!("{}/element/{id}/text", self.session)).call().unwrap();
            let body: Value = answer.body_mut().read_json().unwrap();
            // An element may have been replaced since it was found.
            body["value"].as_str().map(str::to_owned)
        })
        .collect()
    }

    /// Likewise, of the first one; empty while it is being replaced.
    pub(super) fn text(&self, selector: &str) -> String {
        self.texts(selector).into_iter().next().unwrap_or_default()
    }

    /// Waits until the page is as it should be. A page does not say that it has changed, so it is looked at again and again.
    pub(super) fn until(&self, what: &str, enough: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !enough(self) {
            assert!(began.elapsed() < LIMIT, "never: {what}; the page says {:?}", self.text("body"));
            std::thread::park_timeout(Duration::from_millis(LOOK_EVERY_MS));
        }
    }

    /// Leaves a picture in `target/tmp`.
    pub(super) fn picture(&self, name: &str) {
        let mut answer = self.agent.get(format!("{}/screenshot", self.session)).call().unwrap();
        let body: Value = answer.body_mut().with_config().limit(64 << 20).read_json().unwrap();
        let png = BASE64.decode(body["value"].as_str().unwrap()).unwrap();
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png")), png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The window first: a driver that is killed leaves its browser behind.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
