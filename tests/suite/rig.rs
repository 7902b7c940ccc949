//! A whole depot for a test: the real program as a child process, over real sockets and pseudo terminals, with simulated
//! terminals and their bank in the process of the test.
//!
//! Nothing here sleeps. A test waits for an answer of the API that changes, for a terminal that sees something, or for the next
//! line of the program's log. The limit of all waiting is far beyond what any of it takes; it only ends a test of a broken program.

mod api;
pub(crate) mod certificates;
mod child;
mod disk;
pub(crate) mod events;
mod site;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use quittance::id::{TerminalId, TerminalSessionId};
use quittance::protocol::response::TerminalState;
use quittance::sim::{Bank, Hold, HoldState, Policy, SimCard, SimConfig, SimHandle, Snapshot};
use quittance::tls::IdentityFiles;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use api::Api;
pub(crate) use child::BINARY;
use child::Child;
pub(crate) use disk::SmallDisk;
use site::Site;

/// A broken program is told from a slow machine by this.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// What a rig is made of.
pub(crate) struct Builder {
    apollos: usize,
    p6xs: usize,
    others: Vec<(SimConfig, String)>,
    connectors: u8,
    policy: Vec<(String, String)>,
    timeouts: Vec<(String, String)>,
    terminal: Vec<(String, String)>,
    supervision: Vec<(String, String)>,
    serial_numbers: bool,
    token: Option<&'static str>,
    second_token: Option<&'static str>,
    bearers: Vec<(&'static str, &'static str)>,
    api_tls: Option<(IdentityFiles, PathBuf)>,
    api: Vec<(String, String)>,
    log: &'static str,
    journal: Option<PathBuf>,
    recorder: Option<(PathBuf, &'static str)>,
    environment: Vec<(String, String)>,
}

/// A depot that runs.
pub(crate) struct Rig {
    pub(crate) api: Api,
    child: Child,
    site: Site,
    folder: TempDir,
    journal: PathBuf,
    cards: AtomicU32,
}

impl Builder {
    /// So many Apollos on TCP: `apollo-1`, …
    pub(crate) fn apollos(mut self, count: usize) -> Self {
        self.apollos = count;
        self
    }

    /// So many P6X on pseudo terminals: `p6x-1`, …
    pub(crate) fn p6xs(mut self, count: usize) -> Self {
        self.p6xs = count;
        self
    }

    /// A terminal of its own kind, and the `link` that leads to it, in TOML, with `ADDRESS` where its address belongs.
    pub(crate) fn other(mut self, config: SimConfig, link: String) -> Self {
        self.others.push((config, link));
        self
    }

    /// How many holds each may have at once.
    pub(crate) fn connectors(mut self, count: u8) -> Self {
        self.connectors = count;
        self
    }

    /// A key of `[policy]`, its value in TOML.
    pub(crate) fn policy(mut self, key: &str, value: &str) -> Self {
        set(&mut self.policy, key, value);
        self
    }

    /// A key of every terminal's `timeouts`, its value in TOML.
    pub(crate) fn timeout(mut self, key: &str, value: &str) -> Self {
        set(&mut self.timeouts, key, value);
        self
    }

    /// A key of every terminal, its value in TOML.
    pub(crate) fn terminal(mut self, key: &str, value: &str) -> Self {
        set(&mut self.terminal, key, value);
        self
    }

    /// A key of `[supervision]`, its value in TOML.
    pub(crate) fn supervision(mut self, key: &str, value: &str) -> Self {
        set(&mut self.supervision, key, value);
        self
    }

    /// Every terminal must have the serial number that it has.
    pub(crate) fn with_serial_numbers(mut self) -> Self {
        self.serial_numbers = true;
        self
    }

    /// Everybody needs this token; its bearer is an admin.
    pub(crate) fn token(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    /// The API speaks TLS, with this certificate, and this file's CA is believed by whoever asks it.
    pub(crate) fn api_tls(mut self, files: IdentityFiles, ca: PathBuf) -> Self {
        self.api_tls = Some((files, ca));
        self
    }

    /// There is a second admin, and it needs two to settle a session.
    pub(crate) fn second_token(mut self, token: &'static str) -> Self {
        self.second_token = Some(token);
        self
    }

    /// Somebody else has a role and a token; there must be an admin's.
    pub(crate) fn bearer(mut self, role: &'static str, token: &'static str) -> Self {
        self.bearers.push((role, token));
        self
    }

    /// A key of `[api]`, its value in TOML.
    pub(crate) fn api(mut self, key: &str, value: &str) -> Self {
        set(&mut self.api, key, value);
        self
    }

    /// What is logged.
    pub(crate) fn log(mut self, filter: &'static str) -> Self {
        self.log = filter;
        self
    }

    /// Where the journal is, if not in the rig's own folder.
    pub(crate) fn journal(mut self, path: PathBuf) -> Self {
        self.journal = Some(path);
        self
    }

    /// All terminals are recorded into this folder, which is in the rig's own unless it is somewhere else; says what becomes of
    /// card data.
    pub(crate) fn recorder(mut self, folder: impl Into<PathBuf>, cards: &'static str) -> Self {
        self.recorder = Some((folder.into(), cards));
        self
    }

    /// A variable of the program's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        set(&mut self.environment, name, value);
        self
    }

    /// Opens the simulated terminals, starts the program and waits until it is ready.
    pub(crate) fn start(self) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::open(&self, folder.path());
        let journal = self.journal.clone().unwrap_or_else(|| folder.path().join("journal.db"));
        let config = folder.path().join("quittance.toml");
        std::fs::write(&config, site::config(&self, &site, &journal, folder.path())).unwrap();
        let child = Child::start(&config, self.environment);
        let api = Api::new(&child.address(), self.token, self.api_tls.as_ref().map(|(_, ca)| ca.as_path()));
        let rig = Rig { api, child, site, folder, journal, cards: AtomicU32::new(0) };
        rig.wait_ready();
        rig
    }
}

fn set(list: &mut Vec<(String, String)>, key: &str, value: &str) {
    list.retain(|(known, _)| known != key);
    list.push((key.to_owned(), value.to_owned()));
}

/// The program.
impl Rig {
    /// A rig without terminals, with deadlines that no test reaches, a ladder of tens of milliseconds, and no quarantine.
    pub(crate) fn builder() -> Builder {
        let mut builder = Builder {
            apollos: 0,
            p6xs: 0,
            others: Vec::new(),
            connectors: 1,
            policy: Vec::new(),
            timeouts: Vec::new(),
            terminal: Vec::new(),
            supervision: Vec::new(),
            serial_numbers: false,
            token: None,
            second_token: None,
            bearers: Vec::new(),
            api_tls: None,
            api: Vec::new(),
            log: "info",
            journal: None,
            recorder: None,
            environment: Vec::new(),
        };
        for (key, value) in [
            ("terminal_timeout", "\"24h\""),
            ("terminal_timeout_action", "\"void\""),
            ("retry", "[\"20ms\", \"50ms\", \"100ms\", \"200ms\"]"),
        ] {
            set(&mut builder.policy, key, value);
        }
        for (key, value) in [("backoff_min", "\"20ms\""), ("backoff_max", "\"200ms\""), ("intensity", "1000")] {
            set(&mut builder.supervision, key, value);
        }
        builder
    }

    /// One terminal of each family.
    pub(crate) fn pair() -> Builder {
        Self::builder().apollos(1).p6xs(1)
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill9(&self) {
        self.child.kill();
    }

    /// Starts the program that was killed or has ended, on the same journal; waits until it is ready.
    pub(crate) fn start_again(&self) {
        self.start_unready();
        self.wait_ready();
    }

    /// Likewise, but does not wait.
    pub(crate) fn start_unready(&self) {
        self.child.start_again();
        self.api.moved(&self.child.address());
    }

    /// Likewise; says whether it runs, or ended before.
    pub(crate) fn try_start(&self) -> bool {
        self.child.start_again();
        let Some(address) = self.child.try_address() else { return false };
        self.api.moved(&address);
        true
    }

    /// Starts it and waits for nothing, not even for its address: only good for killing it again.
    pub(crate) fn start_blindly(&self) {
        self.child.start_again();
    }

    /// SIGTERM, at once.
    pub(crate) fn ask_to_end(&self) {
        self.child.terminate();
    }

    /// SIGHUP, at once.
    pub(crate) fn hang_up(&self) {
        self.child.hang_up();
    }

    /// Another configuration takes the place of the one that is there; nobody is told.
    pub(crate) fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(text)).unwrap();
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(&self) -> i32 {
        self.ask_to_end();
        self.exit_code()
    }

    /// Waits for the end; the exit code.
    pub(crate) fn exit_code(&self) -> i32 {
        self.child.exit_code()
    }

    /// Everything that the program has written to stderr, over all its lives.
    pub(crate) fn said(&self) -> String {
        self.child.said()
    }

    /// Waits until the check gives something; it is made again whenever the program logs something, and now and then.
    pub(crate) fn until<T>(&self, what: &str, check: impl FnMut() -> Option<T>) -> T {
        self.child.until(what, check)
    }

    /// Waits until the program logs something, for a moment: something may be otherwise then.
    pub(crate) fn pause(&self) {
        self.child.pause();
    }

    /// Waits until the program is ready.
    pub(crate) fn wait_ready(&self) {
        self.until("ready", || (self.api.get("/readyz").0 == 200).then_some(()));
    }

    /// The configuration's file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("quittance.toml")
    }

    /// A file or folder in the rig's own folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The journal's file.
    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// `quittance journal verify`.
    pub(crate) fn verify(&self) -> Output {
        let journal = ["journal", "verify", "--journal"];
        Command::new(BINARY).args(journal).arg(&self.journal).output().unwrap()
    }

    /// `quittance journal show`.
    pub(crate) fn journal_show(&self) -> String {
        let shown = Command::new(BINARY).args(["journal", "show", "--journal"]).arg(&self.journal).output().unwrap();
        String::from_utf8(shown.stdout).unwrap()
    }

    /// The end of a test: no terminal's ledger is out of balance, the program ends in order, its journal is sound, and the bank has
    /// nothing to complain about.
    pub(crate) fn finish(self) {
        let metrics = self.api.metrics();
        let imbalance = metrics.lines().filter(|line| line.starts_with("quittance_ledger_imbalance{"));
        let wrong: Vec<&str> = imbalance.clone().filter(|line| !line.ends_with(" 0")).collect();
        assert_eq!((imbalance.count(), wrong), (self.names().len(), Vec::new()));
        assert_eq!(self.terminate(), 0);
        self.check_books();
    }

    /// The journal is sound, and the bank has nothing to complain about.
    pub(crate) fn check_books(&self) {
        let verified = self.verify();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        assert_eq!(self.bank().violations(), []);
    }
}

/// What a charger does.
impl Rig {
    /// Opens a card flow, as soon as the terminal has ended the one before it and its link is up; the session's name. (A cancelled
    /// session has ended a moment before its terminal has, and on a slow machine an answer may come too late for the link.)
    pub(crate) fn open(&self, terminal: &str, amount: u32) -> String {
        let wanted = json!({ "terminal": terminal, "amount": amount });
        let (status, body) = self.until("no other card flow", || {
            let answer = self.api.post("/v1/sessions", &wanted);
            let later = ["terminal_busy", "terminal_not_ready"];
            later.iter().all(|code| answer.1["code"] != *code).then_some(answer)
        });
        assert_eq!(status, 201, "{body}");
        assert_eq!(body["state"], "waiting_card", "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// The session.
    pub(crate) fn session(&self, session: &str) -> Value {
        let (status, body) = self.api.get(&format!("/v1/sessions/{session}"));
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Waits until the session is in this state, by long polls.
    pub(crate) fn wait_state(&self, session: &str, state: &str) -> Value {
        self.wait_session(session, state, |body| body["state"] == state)
    }

    /// Waits until the session is as it should be, by long polls.
    pub(crate) fn wait_session(&self, session: &str, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        let mut body = self.session(session);
        while !enough(&body) {
            assert!(began.elapsed() < LIMIT, "not {what}: {body}");
            let ended = ["committed", "voided", "declined", "cancelled", "expired", "failed"];
            assert!(!ended.iter().any(|state| body["state"] == *state), "will never be {what}: {body}");
            let path = format!("/v1/sessions/{session}?wait=10&version={}", body["version"]);
            let (status, next) = self.api.get(&path);
            assert_eq!(status, 200, "{next}");
            body = next;
        }
        body
    }

    /// Does something to a session that must succeed; the session.
    pub(crate) fn command(&self, session: &str, verb: &str, body: &Value) -> Value {
        let (status, body) = self.api.post(&format!("/v1/sessions/{session}/{verb}"), body);
        assert!(status == 200 || status == 202, "{verb}: {status} {body}");
        body
    }

    /// Reports the running total.
    pub(crate) fn energy(&self, session: &str, amount: u32) {
        self.command(session, "energy", &json!({ "amount": amount }));
    }

    /// Decides a commit, and waits until it is no longer being delivered.
    pub(crate) fn commit(&self, session: &str, amount: u32) -> Value {
        self.dispose(session, "commit", &json!({ "amount": amount }))
    }

    /// Decides a void, and waits until it is no longer being delivered.
    pub(crate) fn void(&self, session: &str) -> Value {
        self.dispose(session, "void", &json!({}))
    }

    fn dispose(&self, session: &str, verb: &str, body: &Value) -> Value {
        let body = self.command(session, verb, body);
        let under_way = |body: &Value| body["state"] == "committing" || body["state"] == "voiding";
        if under_way(&body) { self.wait_session(session, "delivered", |body| !under_way(body)) } else { body }
    }

    /// A card flow from its opening to an approval; the session's name.
    pub(crate) fn approve(&self, terminal: &str, amount: u32) -> String {
        let session = self.open(terminal, amount);
        self.tap(terminal, &self.new_card());
        self.wait_state(&session, "approved");
        session
    }

    /// The sum of the series with these labels; there must be one.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.api.metric(name, labels)
    }
}

/// The other side.
impl Rig {
    /// The bank.
    pub(crate) fn bank(&self) -> &Bank {
        &self.site.bank
    }

    /// The terminal.
    pub(crate) fn terminal(&self, name: &str) -> &SimHandle {
        self.site.terminal(name)
    }

    /// All terminals' names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.site.names()
    }

    /// Ends all faults of all terminals.
    pub(crate) fn terminals_recover(&self) {
        self.names().iter().for_each(|name| self.terminal(name).clear_faults());
    }

    /// A card that nobody has used.
    pub(crate) fn new_card(&self) -> SimCard {
        SimCard::numbered(self.cards.fetch_add(1, Ordering::Relaxed))
    }

    /// A card that the bank treats so.
    pub(crate) fn card_with(&self, policy: Policy) -> SimCard {
        let card = self.new_card();
        self.bank().set_policy(&card, policy);
        card
    }

    /// Holds a card against the terminal as soon as it waits for one.
    pub(crate) fn tap(&self, terminal: &str, card: &SimCard) {
        self.wait_terminal(terminal, "waits for a card", |seen| seen.state == TerminalState::WaitCard);
        assert!(self.terminal(terminal).tap(card), "{terminal} did not read the card");
    }

    /// Waits until the terminal has seen what is wanted.
    pub(crate) fn wait_terminal(&self, terminal: &str, what: &str, enough: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        self.site.wait(self.terminal(terminal), what, enough)
    }

    /// What the bank has for this session.
    pub(crate) fn hold(&self, session: &str) -> Hold {
        let body = self.session(session);
        let number = body["terminal_session_id"].as_u64().and_then(|number| u32::try_from(number).ok());
        let terminal: TerminalId = body["terminal"].as_str().unwrap().parse().unwrap();
        self.bank().hold(&terminal, TerminalSessionId(number.unwrap())).unwrap()
    }

    /// How much the bank has taken for this session; none if it has given the hold back.
    pub(crate) fn taken(&self, session: &str) -> Option<u32> {
        match self.hold(session).state {
            HoldState::Captured { amount, .. } => Some(amount.minor()),
            HoldState::Released { .. } => None,
            HoldState::Held => panic!("the hold of {session} is still open"),
        }
    }
}
