//! A real Prometheus and a real Alertmanager for a test, with the configuration and the rules that the project ships. Only times are
//! others: all of them are divided by one number, so that what takes minutes in a depot takes seconds here. Nothing is said to a rule but
//! what the real program says.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;

use super::tool;

/// A broken rule is told from a slow machine by this.
const LIMIT: Duration = Duration::from_secs(300);

/// How often Prometheus is asked while something is waited for.
const AGAIN: Duration = Duration::from_millis(100);

/// Prometheus waits for 5 minutes before it takes a series that says nothing for gone.
const LOOKBACK_SECONDS: f64 = 300.0;

/// Prometheus, Alertmanager and whoever is told of alerts, until this is dropped.
pub(crate) struct Watchers {
    prometheus: Server,
    _alertmanager: Server,
    receiver: Receiver,
    agent: Agent,
    faster: f64,
    folder: TempDir,
    alertmanager_address: String,
}

/// An alert as Prometheus sees it.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) labels: Value,
    pub(crate) annotations: Value,
    /// As a number, where it is one.
    pub(crate) value: f64,
}

impl Watchers {
    /// Starts them over these programs, by the name that becomes the label `instance`. None where they are not installed.
    pub(crate) fn start(faster: f64, targets: &[(&str, String)]) -> Option<Self> {
        let prometheus = tool::tool("prometheus", "prometheus")?;
        let alertmanager = tool::tool("prometheus-alertmanager", "prometheus-alertmanager")?;
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start();
        let place = |name: &str| folder.path().join(name);
        let shipped = |name: &str| fs::read_to_string(tool::root().join(name)).unwrap();

        let told = shipped("config/alertmanager.yml").replace("http://127.0.0.1:9095", &receiver.url);
        fs::write(place("alertmanager.yml"), divide_times(&told, faster)).unwrap();
        let mut command = Command::new(alertmanager);
        command.arg("--config.file").arg(place("alertmanager.yml")).arg("--storage.path").arg(place("alertmanager"));
        // Without a cluster: others of this network are no concern of a test.
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
        let alertmanager = Server::start(command, "Listening on");

        fs::write(place("alerts.yml"), divide_times(&shipped("dashboards/alerts.yml"), faster)).unwrap();
        let alertmanager_address = alertmanager.address.clone();
        fs::write(place("prometheus.yml"), prometheus_config(faster, &alertmanager_address, targets)).unwrap();
        let mut command = Command::new(prometheus);
        command.arg("--config.file").arg(place("prometheus.yml")).arg("--storage.tsdb.path").arg(place("prometheus"));
        command.arg("--web.listen-address=127.0.0.1:0");
        command.arg(format!("--query.lookback-delta={}", shorter(LOOKBACK_SECONDS, faster)));
        command.arg(format!("--rules.alert.resend-delay={}", shorter(60.0, faster)));
        let prometheus = Server::start(command, "Server is ready to receive web requests");

        let agent = Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(LIMIT)).build();
        let agent = agent.into();
        Some(Self { prometheus, _alertmanager: alertmanager, receiver, agent, faster, folder, alertmanager_address })
    }

    /// The programs are elsewhere now.
    pub(crate) fn moved(&self, targets: &[(&str, String)]) {
        let config = prometheus_config(self.faster, &self.alertmanager_address, targets);
        fs::write(self.folder.path().join("prometheus.yml"), config).unwrap();
        self.prometheus.signal(Signal::HUP);
    }

    /// An answer of Prometheus' API.
    pub(crate) fn get(&self, path: &str) -> Value {
        let url = format!("http://{}/api/v1/{path}", self.prometheus.address);
        let text = self.agent.get(url).call().unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// What a query finds now.
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        let letter = |byte: u8| {
            if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
        };
        let encoded: String = expression.bytes().map(letter).collect();
        self.get(&format!("query?query={encoded}"))["result"].as_array().unwrap().clone()
    }

    /// All alerts that stand.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        let data = self.get("alerts");
        let alert = |alert: &Value| Alert {
            name: alert["labels"]["alertname"].as_str().unwrap().to_owned(),
            state: alert["state"].as_str().unwrap().to_owned(),
            labels: alert["labels"].clone(),
            annotations: alert["annotations"].clone(),
            value: alert["value"].as_str().unwrap().parse().unwrap(),
        };
        data["alerts"].as_array().unwrap().iter().map(alert).collect()
    }

    /// Every rule, as Prometheus has read it.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let groups = self.get("rules");
        let rules = groups["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone());
        rules.collect()
    }

    /// Waits until the alerts are so; gives what was looked for.
    pub(crate) fn until<T>(&self, what: &str, mut found: impl FnMut(&[Alert]) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let alerts = self.alerts();
            if let Some(found) = found(&alerts) {
                return found;
            }
            assert!(began.elapsed() < LIMIT, "never {what}; these stand: {alerts:#?}");
            std::thread::park_timeout(AGAIN);
        }
    }

    /// Whether a message about this alert has come with this status and was not taken out by [`Self::told`].
    pub(crate) fn was_told(&self, name: &str, status: &str) -> bool {
        let inbox = self.receiver.inbox.alerts.lock().unwrap();
        inbox.iter().any(|(_, alert)| alert["labels"]["alertname"] == name && alert["status"] == status)
    }

    /// Waits for the next message about this alert with this status, `firing` or `resolved`: the receiver's path, and the alert.
    pub(crate) fn told(&self, name: &str, status: &str) -> (String, Value) {
        self.receiver.wait(&format!("told that {name} is {status}"), |(_, alert)| {
            alert["labels"]["alertname"] == name && alert["status"] == status
        })
    }
}

/// The shipped example, with our addresses in the place of its own.
fn prometheus_config(faster: f64, alertmanager: &str, targets: &[(&str, String)]) -> String {
    let shipped = fs::read_to_string(tool::root().join("config/prometheus.yml")).unwrap();
    let (head, example) = shipped.split_once("    static_configs:\n      - targets: [\"127.0.0.1:8470\"]").unwrap();
    assert!(head.contains("job_name: quittance") && example.contains("site: depot-demo"));
    let mut text = head.replace("127.0.0.1:9093", alertmanager).replace("../dashboards/alerts.yml", "alerts.yml");
    text.push_str("    static_configs:\n");
    for (instance, address) in targets {
        text.push_str(&format!(
            "      - targets: [\"{address}\"]\n        labels: {{instance: {instance}, site: depot-demo}}\n"
        ));
    }
    divide_times(&text, faster)
}

/// A program that says where it listens.
struct Server {
    process: Child,
    address: String,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Waits until it has said these words.
    fn start(mut command: Command, ready: &'static str) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let (listening, address) = mpsc::channel();
        let all = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut address = String::new();
            for line in stderr.lines().map_while(Result::ok) {
                all.lock().unwrap().push_str(&format!("{line}\n"));
                if let Some((_, at)) = line.split_once("msg=\"Listening on\" address=") {
                    at.trim().clone_into(&mut address);
                }
                if line.contains(ready) {
                    // Nobody waits for a second time.
                    let _ = listening.send(address.clone());
                }
            }
        });
        let address = address.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("not ready: {}", said.lock().unwrap()));
        Self { process, address, said }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let said = self.said.lock().map(|said| said.clone()).unwrap_or_default();
            eprintln!("--- {} said ---\n{said}---", self.address);
        }
    }
}

/// Whoever is told of alerts: an HTTP server that keeps what is posted to it.
struct Receiver {
    url: String,
    inbox: Arc<Inbox>,
}

/// Alerts that were told, and to which path.
#[derive(Default)]
struct Inbox {
    alerts: Mutex<Vec<(String, Value)>>,
    grown: Condvar,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inbox = Arc::new(Inbox::default());
        let theirs = Arc::clone(&inbox);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Some((path, message)) = take_post(stream) {
                    let alerts = message["alerts"].as_array().cloned().unwrap_or_default();
                    theirs.alerts.lock().unwrap().extend(alerts.into_iter().map(|alert| (path.clone(), alert)));
                    theirs.grown.notify_all();
                }
            }
        });
        Self { url, inbox }
    }

    /// Waits for a message and takes it out.
    fn wait(&self, what: &str, wanted: impl Fn(&(String, Value)) -> bool) -> (String, Value) {
        let began = Instant::now();
        let mut inbox = self.inbox.alerts.lock().unwrap();
        loop {
            if let Some(place) = inbox.iter().position(&wanted) {
                return inbox.remove(place);
            }
            assert!(began.elapsed() < LIMIT, "never {what}: {inbox:#?}");
            inbox = self.inbox.grown.wait_timeout(inbox, AGAIN).unwrap().0;
        }
    }
}

/// One request with a body, answered with 200; its path and body.
fn take_post(stream: TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    Some((path, serde_json::from_slice(&body).ok()?))
}

/// Divides every time in the rules and the examples: durations behind a key or in brackets, and seconds written as a product with
/// 60, 3600 or 86400 (see the head of `dashboards/alerts.yml`).
pub(crate) fn divide_times(text: &str, by: f64) -> String {
    const KEYS: [&str; 6] =
        ["for", "scrape_interval", "evaluation_interval", "group_wait", "group_interval", "repeat_interval"];
    let line = |line: &str| -> String {
        let (code, comment) =
            line.split_once('#').filter(|(code, _)| code.ends_with(' ') || code.is_empty()).unwrap_or((line, ""));
        if let Some((key, value)) = code.split_once(": ")
            && KEYS.contains(&key.trim())
        {
            return format!("{key}: {}", shorter(seconds(value.trim()).unwrap_or_else(|| panic!("{line}")), by));
        }
        let mut words: Vec<String> = Vec::new();
        for word in code.split(' ') {
            let unit = word.trim_end_matches(')');
            let product =
                words.len().checked_sub(2).filter(|at| words[at + 1] == "*" && ["60", "3600", "86400"].contains(&unit));
            if let Some(at) = product {
                words[at] = (words[at].parse::<f64>().unwrap() / by).to_string();
            }
            words.push(in_brackets(word, by));
        }
        if comment.is_empty() { words.join(" ") } else { format!("{}#{comment}", words.join(" ")) }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn in_brackets(word: &str, by: f64) -> String {
    let range = word.split_once('[').and_then(|(head, rest)| rest.split_once(']').map(|(range, tail)| (head, range, tail)));
    match range.and_then(|(head, range, tail)| seconds(range).map(|seconds| (head, seconds, tail))) {
        Some((head, seconds, tail)) => format!("{head}[{}]{tail}", shorter(seconds, by)),
        None => word.to_owned(),
    }
}

fn shorter(seconds: f64, by: f64) -> String {
    // 0 is a time, too: at once.
    if seconds == 0.0 { "0s".to_owned() } else { format!("{}ms", (seconds * 1000.0 / by).ceil()) }
}

fn seconds(duration: &str) -> Option<f64> {
    let unit = duration.chars().last()?;
    let number: f64 = duration.strip_suffix(unit)?.parse().ok()?;
    let in_seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        'd' => 86400.0,
        _ => return None,
    };
    Some(number * in_seconds)
}

#[test]
fn times_are_divided_and_nothing_else() {
    let text = "    for: 5m\n      - a[15m]) > 5 # for: 5m stays\n  x < time() - 13 * 3600)\n  group_wait: 0s\n  repeat_interval: 1h\n  expr: x * 60s\n  name: a:b:p99_5m\n# [5m]\n";
    let expected = "    for: 10000ms\n      - a[30000ms]) > 5 # for: 5m stays\n  x < time() - 0.43333333333333335 * 3600)\n  group_wait: 0s\n  repeat_interval: 120000ms\n  expr: x * 60s\n  name: a:b:p99_5m\n# [5m]\n";
    assert_eq!(divide_times(text, 30.0), expected);
}
