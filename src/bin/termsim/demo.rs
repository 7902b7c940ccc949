//! The demo: simulated terminals, people and trouble in this process, the real orchestrator as its child. Whoever kills the
//! child sees it come back with the same journal, as a service manager would have it. In the end both sides are compared.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use quittance::journal::verify::verify;
use quittance::sim::{Bank, Depot, SimHandle};
use quittance::time::{Clock, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::Client;
use super::diary::Diary;
use super::drivers::Space;
use super::orchestrator::{self, Orchestrator};
use super::reckoning::{Reckoning, replay};
use super::setup::{CONNECTORS, Place, SCANNING};
use super::table::{Scene, Screen, View};
use super::trouble;

/// How the demo is to be.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Where configuration, journal and log are kept. With a journal of an earlier run the orchestrator goes on with it, but the
    /// simulated terminals are new and have forgotten their holds, so those become uncertain; the final ledger is that of this
    /// run's sessions. A new folder among the system's temporary files by default.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// End by itself after so long, such as 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    limit: Option<Duration>,
    /// Decides what people do and what goes wrong (but not to the millisecond when)
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// How often the screen is drawn, and the orchestrator looked after.
const REDRAW: Duration = Duration::from_millis(400);

/// How often somebody without a screen is told.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// As a service manager waits.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// An orchestrator that ends sooner after its start does not work, ...
const TOO_SOON: Duration = Duration::from_secs(3);

/// ... and so many times in a row are enough.
const TRIES: u32 = 5;

/// Longer than its drain (30 s) and the end of its API.
const END_LIMIT: Duration = Duration::from_secs(45);

/// Runs the demo; the exit code says whether the bank agrees with the journal.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    // First, since what it takes to build it is none of the demo's time.
    let program = orchestrator::program()?;
    let mut stop = Stop::listen(options.limit)?;
    let clock = Clock::start();
    let place = Place::make(options.dir.as_deref(), clock.now())?;
    let depot = Depot::start_with(place.terminals(clock.now()), Bank::new(), clock).await?;
    let api = place.configure(&depot)?;
    let screen = Screen::open();
    let diary = Diary::new(clock, screen.is_none());
    let orchestrator = Orchestrator::new(program, place.config.clone(), place.log.clone());
    let client = Client::new(&format!("http://{api}"));
    let mut show = Show {
        options,
        clock,
        began: clock.now(),
        place,
        depot,
        client,
        diary,
        orchestrator,
        screen,
        starts: 0,
        spoke: None,
        seen: View::default(),
    };
    show.introduce()?;

    let (teller, told) = watch::channel(None);
    let mut everybody = JoinSet::new();
    show.people(&mut everybody);
    everybody.spawn(look(show.client.clone(), teller));
    let outcome = show.play(&told, &mut stop).await;
    everybody.abort_all();
    outcome?;
    show.end(&told, &mut stop).await?;
    show.reckon()
}

/// Asks the orchestrator how it is, for ever.
async fn look(client: Client, teller: watch::Sender<Option<View>>) {
    loop {
        teller.send_replace(View::ask(&client).await);
        tokio::time::sleep(REDRAW).await;
    }
}

struct Show<'a> {
    options: &'a Options,
    clock: Clock,
    began: Timestamp,
    place: Place,
    depot: Depot,
    client: Client,
    diary: Diary,
    orchestrator: Orchestrator,
    screen: Option<Screen>,
    starts: u32,
    /// When somebody without a screen was last told.
    spoke: Option<Timestamp>,
    /// What the orchestrator said last.
    seen: View,
}

impl Show<'_> {
    fn introduce(&self) -> io::Result<()> {
        if self.screen.is_none() {
            let mut out = io::stdout().lock();
            writeln!(out, "API      {0}/v1/sessions  {0}/metrics", self.client.url())?;
            writeln!(out, "journal  {}", self.place.journal.display())?;
        }
        Ok(())
    }

    fn people(&self, everybody: &mut JoinSet<()>) {
        let terminals: Vec<SimHandle> = self.depot.terminals().cloned().collect();
        let spaces = terminals.iter().flat_map(|terminal| (0..CONNECTORS).map(move |_| terminal));
        for (number, terminal) in (0..).zip(spaces) {
            let space = Space {
                number,
                terminal: terminal.clone(),
                scans: terminal.id().as_str() == SCANNING,
                client: self.client.clone(),
                diary: self.diary.clone(),
                run: self.began.unix_millis(),
                dice: self.dice(u64::from(number)),
            };
            everybody.spawn(space.serve());
        }
        everybody.spawn(trouble::make(terminals, self.dice(u64::MAX / 2), self.diary.clone()));
    }

    /// A stream of chance of its own for each.
    fn dice(&self, number: u64) -> StdRng {
        StdRng::seed_from_u64(self.options.seed.wrapping_mul(1_000_003).wrapping_add(number))
    }

    /// Until somebody wants it to end. An orchestrator that dies is started again.
    async fn play(&mut self, told: &watch::Receiver<Option<View>>, stop: &mut Stop) -> Result<(), String> {
        let mut failures = 0;
        loop {
            let since = self.clock.now();
            self.orchestrator.start()?;
            self.starts += 1;
            if let Some(pid) = self.orchestrator.pid() {
                self.diary.announce(&format!("the orchestrator is started, pid {pid}"));
            }
            let status = loop {
                self.draw(told, false);
                if stop.wait(REDRAW).await {
                    return Ok(());
                }
                if let Some(status) = self.orchestrator.ended() {
                    break status;
                }
            };
            failures = if self.clock.now().since(since) < TOO_SOON { failures + 1 } else { 0 };
            if failures >= TRIES || status.code() == Some(1) && self.starts == 1 {
                return Err(format!("the orchestrator does not run ({status}):\n{}", self.orchestrator.last_words()));
            }
            self.diary.announce(&format!("THE ORCHESTRATOR HAS DIED ({status}); it is started again with the same journal"));
            self.draw(told, false);
            if stop.wait(RESTART_AFTER).await {
                return Ok(());
            }
        }
    }

    /// Lets the orchestrator end in order.
    async fn end(&mut self, told: &watch::Receiver<Option<View>>, stop: &mut Stop) -> Result<(), String> {
        self.diary.announce("the drivers have left; the orchestrator is told to end");
        let latest = self.clock.now().after(END_LIMIT);
        // Before its API answers it may not listen to signals yet, and would not end in order.
        while self.orchestrator.pid().is_some() && self.clock.now() < latest && self.client.text("/healthz").await.is_err() {
            if self.orchestrator.ended().is_some() || stop.signalled(REDRAW).await {
                break;
            }
        }
        if self.orchestrator.pid().is_none() {
            // It had died already. What it did not deliver is in its journal.
            return Ok(());
        }
        self.orchestrator.terminate();
        while self.clock.now() < latest {
            self.draw(told, true);
            if stop.signalled(REDRAW).await {
                self.diary.announce("told again: the orchestrator is told to end at once");
                self.orchestrator.terminate();
            }
            match self.orchestrator.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(format!("the orchestrator has ended badly ({status}):\n{}", self.orchestrator.last_words()));
                }
                None => {}
            }
        }
        Err(format!("the orchestrator has not ended within {} s of being told to", END_LIMIT.as_secs()))
    }

    /// Prints the ledger.
    fn reckon(&mut self) -> Result<ExitCode, Box<dyn Error>> {
        self.screen = None;
        let (_, ledger) = verify(&self.place.journal, replay)?;
        let bank = self.depot.bank();
        let reckoning = Reckoning::of(&ledger, self.began, &bank.holds(), bank.ledger().declined);
        let (sound, said) = self.orchestrator.verify(&self.place.journal)?;
        let violations = bank.violations();
        let mut out = io::stdout().lock();
        writeln!(out, "\n{reckoning}")?;
        for violation in &violations {
            writeln!(out, "VIOLATION at {}: session {}, {:?}", violation.terminal, violation.session, violation.kind)?;
        }
        let earlier = ledger.sessions().filter(|session| session.created_at < self.began && session.undisposed()).count();
        if earlier > 0 {
            writeln!(out, "{earlier} holds of earlier runs are undisposed: their terminals are gone.")?;
        }
        writeln!(out, "\nquittance journal verify --journal {}\n{said}", self.place.journal.display())?;
        writeln!(out, "\nThe orchestrator was started {} times; its log is {}", self.starts, self.place.log.display())?;
        let good = reckoning.agrees() && sound && violations.is_empty();
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn draw(&mut self, told: &watch::Receiver<Option<View>>, ending: bool) {
        let view = told.borrow().clone();
        let answers = view.is_some() && self.orchestrator.pid().is_some();
        if let Some(view) = view {
            self.seen = view;
        }
        let bank = self.depot.bank().ledger();
        let scene = Scene {
            view: &self.seen,
            answers,
            pid: self.orchestrator.pid(),
            starts: self.starts,
            url: self.client.url(),
            place: &self.place,
            bank: &bank,
            diary: &self.diary,
            seed: self.options.seed,
            ending,
        };
        match &mut self.screen {
            // A screen that has gone does not end the demo: its orchestrator is to end in order.
            Some(screen) => drop(screen.draw(&scene)),
            None => {
                let now = self.clock.now();
                if self.spoke.is_none_or(|spoke| now.since(spoke) >= LINE_EVERY) {
                    self.spoke = Some(now);
                    let _ = writeln!(io::stdout(), "{}", scene.line());
                }
            }
        }
    }
}

/// What ends the demo.
struct Stop {
    interrupted: Signal,
    terminated: Signal,
    hung_up: Signal,
    limit: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
}

impl Stop {
    fn listen(limit: Option<Duration>) -> io::Result<Self> {
        Ok(Self {
            interrupted: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
            hung_up: signal(SignalKind::hangup())?,
            limit: limit.map(|limit| Box::pin(tokio::time::sleep(limit))),
        })
    }

    /// Waits so long; says whether it is time to end.
    async fn wait(&mut self, duration: Duration) -> bool {
        let mut limit = self.limit.take();
        let over = tokio::select! {
            told = self.signalled(duration) => told,
            () = async { match &mut limit { Some(limit) => limit.await, None => std::future::pending().await } } => true,
        };
        self.limit = limit.filter(|limit| !limit.is_elapsed());
        over
    }

    /// Waits so long; says whether somebody wants an end.
    async fn signalled(&mut self, duration: Duration) -> bool {
        tokio::select! {
            _ = self.interrupted.recv() => true,
            _ = self.terminated.recv() => true,
            _ = self.hung_up.recv() => true,
            () = tokio::time::sleep(duration) => false,
        }
    }
}
