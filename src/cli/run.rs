//! `quittance run`: the only place where everything is wired. Configuration, journal, replay, fleet, API, in this order; and
//! on SIGTERM or SIGINT the way back.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix::Arbiter;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::api::reload::Reloader;
use crate::api::{self, Certificate, Events, Live, Tokens};
use crate::config::{self, Config, Environment};
use crate::fleet::{self, Fleet};
use crate::id::TerminalId;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Entry, Fact, Health, Journal, JournalObserver, PacedJournal};
use crate::metrics::Metrics;
use crate::random::Randomness;
use crate::session::ledger::Ledger;
use crate::session::replay::{self, Replayed};
use crate::time::Clock;

use super::reloader::{LogFilter, Reload, Running};
use super::{LogFormat, former, service};

/// How long decided disposals are still delivered after SIGTERM. Below the 90 s after which systemd kills, above the 20 s in which
/// most terminals answer a Commit.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// How often the wall clock is looked at, and from how many milliseconds on a difference is a jump.
const CLOCK_WATCH: Duration = Duration::from_secs(10);
const CLOCK_JUMP_MILLIS: i64 = 2000;

/// How often the journal's pace is looked at.
const PACE_WATCH: Duration = Duration::from_secs(1);

/// How often the metrics' texts are made anew between two scrapes.
const METRICS_UPKEEP: Duration = Duration::from_secs(1);

/// More arbiters than this do not help: terminals wait for wires, and the journal has one writer.
const ARBITERS_AT_MOST: usize = 4;

/// Counts what the journal does.
struct JournalMetrics(Arc<Metrics>);

impl JournalObserver for JournalMetrics {
    fn appended(&self, took: Duration) {
        self.0.append_duration(took);
    }

    fn failed(&self) {
        self.0.journal_error();
    }

    fn health(&self, now: &Health) {
        // What is damaged can still be appended to: open holds are disposed of.
        self.0.set_journal_writable(!matches!(now, Health::Failing(_)));
        if matches!(now, Health::Damaged(_)) {
            self.0.journal_is_damaged();
        }
    }
}

/// Runs until it is told to end; gives the exit code.
pub fn run(file: &Path, environment: &Environment, format: LogFormat) -> u8 {
    let config = match config::load(file, environment) {
        Ok(config) => config,
        Err(mistakes) => {
            for mistake in &mistakes.0 {
                eprintln!("quittance: {}: {mistake}", file.display());
            }
            return 1;
        }
    };
    let log_filter = start_logs(&config, environment, format);
    open_many_files();
    let place = Place { file: file.to_owned(), environment: environment.clone(), log_filter };
    let outcome = actix::System::new().block_on(orchestrate(config, place));
    match outcome {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("quittance: {why}");
            1
        }
    }
}

/// Where the configuration comes from, for reading it again.
struct Place {
    file: PathBuf,
    environment: Environment,
    log_filter: LogFilter,
}

fn start_logs(config: &Config, environment: &Environment, format: LogFormat) -> LogFilter {
    let by_environment = environment.get("RUST_LOG");
    let filter = EnvFilter::builder().parse_lossy(by_environment.unwrap_or(&config.log_filter));
    let (filter, handle) = tracing_subscriber::reload::Layer::new(filter);
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start in one process (tests) keeps the first one's logs.
    let started = match format {
        LogFormat::Text => registry.with(logs.with_ansi(std::io::stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(logs.json().flatten_event(true)).try_init(),
    };
    if let Err(error) = started {
        warn!(%error, "logs were set up before");
    }
    by_environment.is_none().then_some(handle)
}

async fn orchestrate(config: Config, place: Place) -> Result<(), String> {
    let clock = Clock::start();
    for warning in config::warnings(&config, clock.now()) {
        warn!(setting = warning.path, "{}", warning.message);
    }
    let names: Vec<_> = config.terminals.iter().map(|terminal| (terminal.id.clone(), terminal.family)).collect();
    let revision = env!("QUITTANCE_REVISION");
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), revision, config.site.currency, &names));

    let certificate = match config.api.tls.clone() {
        Some(files) => {
            let metrics = Arc::clone(&metrics);
            let told = move |expires| metrics.set_api_certificate_expiry(expires);
            Some(Certificate::open(files, clock, told).map_err(|error| format!("api.tls: {error}"))?)
        }
        None => None,
    };
    let observer = Arc::new(JournalMetrics(Arc::clone(&metrics)));
    let journal = SqliteJournal::open(&config.journal_path, observer).map_err(|error| error.to_string())?;
    let end_lost = journal.opened().end_lost;
    let paced = Arc::new(PacedJournal::new(Arc::new(journal), clock, config.journal_slow_after));
    let journal = Arc::clone(&paced) as Arc<dyn Journal>;
    let replayed = replay::whole(journal.as_ref(), config.site.currency, end_lost).await.map_err(|error| error.to_string())?;
    let Replayed { ledger, unsound, newest } = replayed;
    if clock.now() < newest {
        warn!(%newest, "the clock was set back behind the journal's newest record; time goes on from there");
    }
    let clock = clock.not_before(newest);
    let totals = ledger.totals();
    info!(sessions = totals.sessions, undisposed = totals.undisposed, imbalance = totals.imbalance(), "journal replayed");
    if unsound.is_some() {
        metrics.journal_is_damaged();
    }
    let fact = Fact::Started { version: env!("CARGO_PKG_VERSION").to_owned() };
    append(journal.as_ref(), clock, fact).await;
    let former = former::former(&config.terminals, &ledger);
    let remembered = remember(&config, &ledger, journal.as_ref(), clock).await;

    let mut signals = Signals::listen().map_err(|error| format!("cannot listen to signals: {error}"))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(ARBITERS_AT_MOST);
    let arbiters: Vec<Arbiter> = (0..cores).map(|_| Arbiter::new()).collect();
    let settings = fleet::Settings {
        terminals: config.terminals.clone(),
        remembered: former,
        supervision: config.supervision.clone(),
        currency: config.site.currency,
        arbiters: arbiters.iter().map(Arbiter::handle).collect(),
        random: Randomness::of_system(),
        unsound,
    };
    let counted = Arc::clone(&metrics);
    let events = Events::start(Arc::clone(&journal), config.api.events.clone(), move |open| counted.set_event_streams(open))
        .map_err(|error| format!("no thread for events: {error}"))?;
    let fleet = Fleet::start(settings, Arc::clone(&journal), clock, Arc::clone(&metrics), ledger);
    let rendered = Arc::clone(&metrics);
    let site = config.site.id.clone();
    let rendered = move || rendered.render();
    let (api, tokens) = (config.api.clone(), Arc::new(Tokens::new(config.api.tokens.clone())));
    let two = Arc::new(AtomicBool::new(config.api.resolve_requires_two));
    let reload = Arc::new(Reload {
        file: place.file,
        environment: place.environment,
        log_filter: place.log_filter,
        clock,
        journal: paced,
        fleet: fleet.clone(),
        tokens: Arc::clone(&tokens),
        resolve_requires_two: Arc::clone(&two),
        running: Mutex::new(Running { config, remembered }),
    });
    let live =
        Live { events: events.clone(), tokens, resolve_requires_two: two, reloader: Arc::clone(&reload) as Arc<dyn Reloader> };
    let (server, address) = match api::serve(site.clone(), api, live, certificate.as_ref(), fleet.clone(), rendered) {
        Ok(served) => served,
        Err(error) => {
            fleet.go_down(Duration::ZERO).await;
            return Err(error.to_string());
        }
    };
    let handle = server.handle();
    let serving = actix::spawn(server);
    if let Some(certificate) = certificate {
        actix::spawn(certificate.watch());
    }
    actix::spawn(watch_clock(clock));
    actix::spawn(watch_pace(Arc::clone(&journal), Arc::clone(&metrics)));
    actix::spawn(keep_metrics_ready(Arc::clone(&metrics)));
    let watchdog = actix::spawn(service::stay_alive(arbiters.iter().map(Arbiter::handle).collect()));
    info!(site, terminals = names.len(), api = %address, "running");
    service::ready(&address.to_string());

    let signal = signals
        .end(|| {
            drop(actix::spawn({
                let reload = Arc::clone(&reload);
                reload.on_signal()
            }))
        })
        .await;
    service::stopping();
    info!(signal, within_s = DRAIN_LIMIT.as_secs(), "draining: no new card flows; decided disposals are still delivered");
    tokio::select! {
        () = fleet.go_down(DRAIN_LIMIT) => {}
        signal = signals.end(|| warn!("SIGHUP: too late to read the configuration again")) => warn!(signal, "told again: ending now; what is not delivered is in the journal"),
    }
    events.close();
    handle.stop(true).await;
    if let Err(error) = serving.await {
        warn!(%error, "the API did not end in order");
    }
    append(journal.as_ref(), clock, Fact::Stopped).await;
    watchdog.abort();
    for arbiter in arbiters {
        arbiter.stop();
    }
    info!("ended");
    Ok(())
}

/// A shell allows 1024 open files, out of care for programs of long ago, and allows to ask for more. Every connection is one: readers of
/// events must not take those that terminals and the journal need.
fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, open_files = ?limit.current, "no more open files are allowed");
    }
}

/// Makes the journal remember how each terminal is configured. Gives what it knows then.
async fn remember(config: &Config, ledger: &Ledger, journal: &dyn Journal, clock: Clock) -> BTreeMap<TerminalId, Value> {
    let last = |(id, known): (&TerminalId, &Vec<(_, Value)>)| Some((id.clone(), known.last()?.1.clone()));
    let mut remembered: BTreeMap<TerminalId, Value> = ledger.configured().iter().filter_map(last).collect();
    if let Err(error) = former::tell(journal, &config.terminals, &mut remembered, clock).await {
        warn!(%error, "how the terminals are configured could not be appended");
    }
    remembered
}

/// A fact about the program itself. Nothing depends on it, so a failure is only said.
async fn append(journal: &dyn Journal, clock: Clock, fact: Fact) {
    let entry = Entry { at: clock.now(), terminal: None, session: None, fact };
    if let Err(error) = journal.append(vec![entry]).await {
        warn!(%error, "the program's own record could not be appended");
    }
}

/// So that a scrape of a large depot has little left to do. It takes a while there, hence a thread of its own.
async fn keep_metrics_ready(metrics: Arc<Metrics>) {
    let mut every = tokio::time::interval(METRICS_UPKEEP);
    loop {
        every.tick().await;
        let metrics = Arc::clone(&metrics);
        if tokio::task::spawn_blocking(move || metrics.upkeep()).await.is_err() {
            warn!("the metrics could not be made ready for the next scrape");
        }
    }
}

/// Says when the journal has become too slow for new cards, and when it is in step again.
async fn watch_pace(journal: Arc<dyn Journal>, metrics: Arc<Metrics>) {
    let mut slow = false;
    let mut every = tokio::time::interval(PACE_WATCH);
    loop {
        every.tick().await;
        match journal.health() {
            Health::Slow(why) if !slow => {
                warn!(why, "the journal is too slow: no new cards are taken; disposals go on");
                slow = true;
            }
            Health::Slow(_) => {}
            _ if slow => {
                info!("the journal is in step again");
                slow = false;
            }
            _ => {}
        }
        metrics.set_journal_slow(slow);
    }
}

async fn watch_clock(clock: Clock) {
    let mut known = clock.drift_millis();
    let mut every = tokio::time::interval(CLOCK_WATCH);
    loop {
        every.tick().await;
        let drift = clock.drift_millis();
        if drift.saturating_sub(known).saturating_abs() >= CLOCK_JUMP_MILLIS {
            warn!(by_ms = drift.saturating_sub(known), "somebody set the clock; deadlines of this run are not moved by it");
            known = drift;
        }
    }
}

/// What the operating system may tell us.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal that means the end; `reload` is done for each one that does not.
    async fn end(&mut self, reload: impl Fn()) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => reload(),
            }
        }
    }
}
