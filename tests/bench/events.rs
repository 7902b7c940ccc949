//! Whether people who read events slow a commit down: the real program with a simulated terminal, from the request over HTTP until
//! the terminal has read the Commit from its wire, without readers of `/v1/events`, with a thousand, and without again, in one run.
//! The readers are in the bench's own process, so what they cost is in the figures, too.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use quittance::protocol::response::TerminalState;
use quittance::sim::{Command as Heard, Depot, SimCard, SimConfig, SimHandle};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// How many read.
const READERS: usize = 1000;

/// How many commits are measured each time.
const COMMITS: usize = 40;

/// Prints the medians and their ratio.
pub(crate) fn bench(_: &mut Criterion) {
    let mut site = Site::start();
    let before = site.median();
    let readers = Readers::connect(&site.address);
    let between = site.median();
    let events = readers.end();
    let after = site.median();
    let without = (before + after) / 2;
    eprintln!(
        "events: a commit takes {between:?} with {READERS} readers, {without:?} without ({before:?} before, {after:?} after; medians of \
         {COMMITS}); ratio {:.2}; the readers were sent {events} events",
        between.as_secs_f64() / without.as_secs_f64()
    );
}

/// Runs something on a thread and a runtime of its own until it is told to end.
struct Beside {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Beside {
    fn run<F: Future<Output = ()>>(work: impl FnOnce(oneshot::Receiver<()>) -> F + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work(stopped));
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// The program, and a terminal for it.
struct Site {
    process: Child,
    address: String,
    terminal: SimHandle,
    agent: ureq::Agent,
    cards: u32,
    _depot: Beside,
    _folder: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let (tell, told) = mpsc::channel();
        let depot = Beside::run(move |stopped| async move {
            let config = SimConfig::apollo("bay-01".parse().unwrap());
            let depot = Depot::start(vec![config]).await.unwrap();
            let terminal = depot.terminals().next().unwrap().clone();
            tell.send((depot.address(terminal.id()).unwrap().to_owned(), terminal)).unwrap();
            let _ = stopped.await;
        });
        let (link, terminal) = told.recv().unwrap();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (config, journal) = (folder.path().join("quittance.toml"), folder.path().join("journal.db"));
        let text = format!(
            "[site]\nid = \"bench\"\ncurrency = \"EUR\"\n[api]\nlisten = \"{address}\"\n[journal]\npath = \"{}\"\n\
             [policy]\nterminal_timeout_action = \"void\"\n\
             [[terminals]]\nid = \"bay-01\"\nfamily = \"apollo\"\nlink = {{ tcp = \"{link}\" }}\n",
            journal.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_quittance"));
        let process = command.args(["run", "--config"]).arg(config).stderr(Stdio::null()).spawn().unwrap();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let site = Self { process, address, terminal, agent, cards: 0, _depot: depot, _folder: folder };
        while site.agent.get(site.url("/readyz")).call().map_or(0, |answer| answer.status().as_u16()) != 200 {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        site
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> Value {
        let text = self.agent.get(self.url(path)).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.agent.post(self.url(path)).header("Content-Type", "application/json");
        let mut answer = request.send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    }

    fn until(&self, path: &str, state: &str) {
        let mut seen = self.get(path);
        while seen["state"] != state {
            seen = self.get(&format!("{path}?wait=10&version={}", seen["version"]));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a bench measures the time")]
    fn commit(&mut self) -> Duration {
        let here = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let session = loop {
            match self.post("/v1/sessions", &json!({ "terminal": "bay-01", "amount": 5000 })) {
                (201, session) => break session,
                // The card flow before it has not ended yet.
                _ => std::thread::park_timeout(Duration::from_millis(1)),
            }
        };
        let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
        here.block_on(self.terminal.wait_until(TerminalState::WaitCard));
        self.cards += 1;
        self.terminal.tap(&SimCard::numbered(self.cards));
        self.until(&path, "approved");

        let heard = self.terminal.count(Heard::Commit);
        let began = Instant::now();
        let (status, body) = self.post(&format!("{path}/commit?wait=0"), &json!({ "amount": 3140 }));
        here.block_on(self.terminal.wait_for_requests(Heard::Commit, heard + 1));
        let took = began.elapsed();
        assert!(status == 200 || status == 202, "{body}");
        self.until(&path, "committed");
        took
    }

    fn median(&mut self) -> Duration {
        let mut took: Vec<Duration> = (0..COMMITS).map(|_| self.commit()).collect();
        took.sort_unstable();
        took[COMMITS / 2]
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Those who read.
struct Readers {
    bytes: Arc<AtomicU64>,
    events: Arc<AtomicU64>,
    beside: Beside,
}

impl Readers {
    /// Connects all of them, and waits until each has been sent its first block.
    fn connect(address: &str) -> Self {
        let (bytes, events, address) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), address.to_owned());
        let (tell, told) = mpsc::channel();
        let (all, many) = (Arc::clone(&bytes), Arc::clone(&events));
        let beside = Beside::run(move |stopped| async move {
            let here = tokio::task::LocalSet::new();
            let connected = Arc::new(AtomicUsize::new(0));
            for _ in 0..READERS {
                let mut socket = TcpStream::connect(&address).await.unwrap();
                let (connected, bytes, events, tell) =
                    (Arc::clone(&connected), Arc::clone(&all), Arc::clone(&many), tell.clone());
                here.spawn_local(async move {
                    socket.write_all(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                    let (mut buffer, mut begun) = (vec![0; 4096], false);
                    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
                        bytes.fetch_add(read as u64, Ordering::Relaxed);
                        let found = buffer[..read].windows(5).filter(|text| text == b"data:").count();
                        events.fetch_add(found as u64, Ordering::Relaxed);
                        if !begun && buffer[..read].windows(6).any(|text| text == b"retry:") {
                            begun = true;
                            if connected.fetch_add(1, Ordering::Relaxed) + 1 == READERS {
                                tell.send(()).unwrap();
                            }
                        }
                    }
                });
            }
            tokio::select! {
                () = here => {}
                _ = stopped => {}
            }
        });
        told.recv().unwrap();
        Self { bytes, events, beside }
    }

    /// Sends them away; how many events they were sent.
    fn end(self) -> u64 {
        drop(self.beside);
        assert!(self.bytes.load(Ordering::Relaxed) > 0);
        self.events.load(Ordering::Relaxed)
    }
}
