//! Plays a scenario: lives of the orchestrator, one after the other, and people who go on with the next sentence of the script in each.

use std::sync::Arc;
use std::time::Duration;

use actix::System;
use quittance::config;
use quittance::fleet::{self, Fleet, Wanted};
use quittance::journal::record::{Decision, Idempotency, Outcome};
use quittance::journal::{Entry, Fact, Journal};
use quittance::link::{Address, Pipe};
use quittance::metrics::Metrics;
use quittance::money::Amount;
use quittance::protocol::Family;
use quittance::protocol::response::TerminalState;
use quittance::random::Randomness;
use quittance::session::ledger::Ledger;
use quittance::session::{Refusal, Session, Wish};
use quittance::sim::{HoldState, Policy};
use quittance::terminal::view::{LinkState, View};

use super::script::{Books, CardIs, Line, Says, Script};
use super::world::{self, Crash, Paper, World};

/// What is expected must have come true after this long, in simulated time; and whoever waits for something gives up then.
const BOUND: Duration = Duration::from_secs(600);

/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(50);

/// How often, when it takes long.
const LOOK_LATER: Duration = Duration::from_secs(1);

/// Longer than the whole ladder of retries and every time-out.
const SETTLE: Duration = Duration::from_secs(2 * 3600);

/// How long the orchestrator still delivers when it is told to end, as `quittance run` does.
const DRAIN: Duration = Duration::from_secs(30);

/// States that pass.
pub(super) const UNDER_WAY: [&str; 5] = ["waiting_card", "card_read", "authorising", "committing", "voiding"];

/// What happened.
pub(super) struct Played {
    pub(super) world: Arc<World>,
    /// What was wrong, if anything.
    pub(super) wrong: Option<String>,
}

/// Plays it; from the first crash on nothing is expected on the way, since people's fortunes may be others then.
pub(super) fn play(script: &Script, crashes: Vec<Crash>) -> Played {
    let world = World::new(script.clone(), crashes);
    loop {
        let system = System::with_tokio_rt(|| {
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
        });
        let ended = system.block_on(one_life(&world));
        world.lie_dead();
        drop(system);
        if let Some(outcome) = ended {
            return Played { world, wrong: outcome.err() };
        }
    }
}

/// One life. None when the orchestrator was killed.
async fn one_life(world: &Arc<World>) -> Option<Result<(), String>> {
    let clock = world.begin();
    let ledger = match Ledger::replay(&world.records()) {
        Ok(ledger) => ledger,
        Err(unsound) => return Some(Err(format!("the journal does not follow from itself: {unsound}"))),
    };
    if ledger.totals().imbalance() != 0 {
        return Some(Err(format!("the ledger is out of balance: {:?}", ledger.totals())));
    }
    let settings = settings(world);
    let names: Vec<_> = settings.terminals.iter().map(|terminal| (terminal.id.clone(), terminal.family)).collect();
    let metrics = Arc::new(Metrics::new("scenario", "scenario", settings.currency, &names));
    for terminal in world.terminals() {
        actix::spawn(world::serve(Arc::clone(world), terminal.port(), world.listen(terminal.id().as_str())));
    }
    let journal: Arc<dyn Journal> = Arc::new(Paper(Arc::clone(world)));
    let story = async {
        let fact = Fact::Started { version: "scenario".to_owned() };
        drop(journal.append(vec![Entry { at: clock.now(), terminal: None, session: None, fact }]).await);
        let fleet = Fleet::start(settings, Arc::clone(&journal), clock, metrics, ledger);
        let strict = world.died().is_empty();
        Teller { world, fleet, journal, strict }.tell().await
    };
    tokio::select! {
        biased;
        () = world.ended.notified() => None,
        outcome = story => Some(outcome),
    }
}

fn settings(world: &Arc<World>) -> fleet::Settings {
    let mut text = String::from("[site]\nid = \"scenario\"\ncurrency = \"EUR\"\n[policy]\n");
    if world.script.setting("terminal_timeout_action").is_none() {
        text.push_str("terminal_timeout_action = \"void\"\n");
    }
    world.script.settings.iter().for_each(|(key, value)| text.push_str(&format!("{key} = {value}\n")));
    for (number, terminal) in (1..).zip(&world.script.terminals) {
        let link = match terminal.family {
            Family::Apollo => format!("{{ tcp = \"127.0.0.1:{number}\" }}"),
            Family::P6x => format!("{{ serial = \"/dev/{number}\" }}"),
        };
        let (name, family, connectors) = (&terminal.name, terminal.family.as_str(), terminal.connectors);
        text.push_str(&format!(
            "[[terminals]]\nid = \"{name}\"\nfamily = \"{family}\"\nconnectors = {connectors}\nlink = {link}\n\
             quirks = {{ keeps_sessions = {} }}\n",
            terminal.keeps_sessions
        ));
    }
    let config = config::parse(&text, &config::Environment::new()).unwrap_or_else(|mistakes| {
        let mistakes: Vec<String> = mistakes.0.iter().map(ToString::to_string).collect();
        panic!("{}: {}", world.script.name, mistakes.join("; "))
    });
    let mut terminals = config.terminals;
    for terminal in &mut terminals {
        let (weak, name) = (Arc::downgrade(world), terminal.id.to_string());
        let call = move || match weak.upgrade() {
            Some(world) => world.connect(&name),
            None => Box::pin(std::future::pending()),
        };
        terminal.link.address = Address::Pipe(Pipe::new(terminal.id.as_str(), terminal.family == Family::P6x, call));
    }
    fleet::Settings {
        terminals,
        remembered: Vec::new(),
        supervision: config.supervision,
        currency: config.site.currency,
        arbiters: Vec::new(),
        random: Randomness::seeded(world.appends() as u64),
        unsound: None,
    }
}

/// Goes on with the script in one life.
struct Teller<'a> {
    world: &'a Arc<World>,
    fleet: Fleet,
    journal: Arc<dyn Journal>,
    strict: bool,
}

impl Teller<'_> {
    async fn tell(&self) -> Result<(), String> {
        while let Some(line) = self.world.script.lines.get(self.world.next()) {
            self.world.note(format!("{}:{}: {}", self.world.script.name, line.number, line.text));
            let outcome = self.sentence(line).await;
            if let (Err(why), true) = (&outcome, self.strict) {
                return Err(format!("{}:{}: {}: {why}", self.world.script.name, line.number, line.text));
            }
            if let Err(why) = outcome {
                self.world.note(format!("    it is otherwise: {why}"));
            }
            self.world.done(self.world.next());
        }
        self.settle().await
    }

    /// Waits until nothing is on its way any more, with terminals that are well; says what still is.
    async fn settle(&self) -> Result<(), String> {
        self.world.note("    everything is well now");
        for terminal in self.world.terminals() {
            terminal.clear_faults();
            terminal.plug();
        }
        self.world.refuse(0);
        let (began, mut look) = (self.fleet.now(), LOOK);
        loop {
            tokio::time::sleep(look).await;
            let open = self.open_yet().await;
            if open.is_empty() {
                return Ok(());
            }
            if self.fleet.now().since(began) >= SETTLE {
                return Err(format!("after {SETTLE:?} in which everything was well: {}", open.join("; ")));
            }
            look = (look * 2).min(LOOK_LATER);
        }
    }

    /// What must come to an end by itself and has not. Not what waits for a person (uncertain), for the terminal's own timer (an Apollo's
    /// doubt, and that of a P6X which may forget), or for somebody who charges.
    async fn open_yet(&self) -> Vec<String> {
        let lost = |view: &View| view.link != LinkState::Up || !view.reconciled;
        let links = self.fleet.terminals().into_iter().filter(lost).map(|view| format!("{} is {}", view.id, view.state));
        let due = |session: &Session| match session.state_name() {
            "in_doubt" => {
                let place = session.terminal.as_str();
                self.world.terminal(place).family() == Family::P6x && self.world.script.keeps_sessions(place)
            }
            "approved" => !session.charging(),
            state => UNDER_WAY.contains(&state),
        };
        let sessions = self.sessions().await.into_iter().filter(due);
        let sessions = sessions.map(|session| format!("{} is {}", session.id, session.state_name()));
        self.fleet.unready().into_iter().chain(links).chain(sessions).collect()
    }

    async fn sessions(&self) -> Vec<Session> {
        let filter = fleet::Filter { limit: 1000, ..fleet::Filter::default() };
        self.fleet.sessions(filter).await.map(|(sessions, _)| sessions).unwrap_or_default()
    }

    async fn sentence(&self, line: &Line) -> Result<(), String> {
        match &line.says {
            Says::Wants { who, amount, place, .. } => self.open(who, *amount, place).await,
            Says::Presents { who, card } => self.present(who, *card).await,
            Says::MayGoOn { who } => self.instruct(who, Wish::Authorise, &["card_read"]).await,
            Says::Charged { who, amount } => {
                self.world.change(who, |person| person.sent = Some(*amount));
                self.instruct(who, Wish::Energy(*amount), &["approved"]).await?;
                self.world.change(who, |person| person.charged = Some(*amount));
                Ok(())
            }
            Says::Pays { who, amount } => self.decide(who, Decision::Commit(*amount)).await,
            Says::PaysNothing { who } => self.decide(who, Decision::Void).await,
            Says::CannotPay { who, amount } => match self.decide(who, Decision::Commit(*amount)).await {
                Ok(()) => Err("it was taken".to_owned()),
                Err(_) => Ok(()),
            },
            Says::WalksAway { who } => self.instruct(who, Wish::Cancel, &["waiting_card", "card_read"]).await,
            Says::Raises { who, amount } => self.instruct(who, Wish::Update(*amount), &["approved"]).await,
            Says::Resolved { who, outcome } => self.resolve(who, *outcome).await,
            says => self.happens(says).await,
        }
    }

    async fn happens(&self, says: &Says) -> Result<(), String> {
        // Whoever is killed here goes on with the next sentence.
        if !matches!(says, Says::Passes(_) | Says::ExpectState { .. } | Says::ExpectBank { .. }) {
            let next = self.world.next();
            self.world.done(next);
            if *says == Says::ToldToEnd {
                self.fleet.go_down(DRAIN).await;
                let entry = Entry { at: self.fleet.now(), terminal: None, session: None, fact: Fact::Stopped };
                drop(self.journal.append(vec![entry]).await);
                self.world.die("ENDED, as the scenario says");
                return std::future::pending().await;
            }
            if let Says::Killed | Says::JournalLost = says {
                if *says == Says::JournalLost {
                    self.world.lose_journal();
                }
                self.world.die("KILLED, as the scenario says");
                return std::future::pending().await;
            }
            self.world.back_to(next);
        }
        match says {
            Says::Meets { place, command, fault } => self.world.terminal(place).plan(*command, *fault),
            Says::Power { place, forgets: false } => self.world.terminal(place).power_cycle(),
            Says::Power { place, forgets: true } => self.world.terminal(place).power_cycle_forgetting(),
            Says::Plugged { place, plugged: true } => self.world.terminal(place).plug(),
            Says::Plugged { place, plugged: false } => self.world.terminal(place).unplug(),
            Says::Silent { place, silent } => self.world.terminal(place).set_silent(*silent),
            Says::Refuses { appends } => self.world.refuse(*appends),
            Says::Passes(long) => tokio::time::sleep(*long).await,
            Says::ExpectState { who, state } => return self.expect(who, &|seen| seen == state).await,
            Says::ExpectBank { who, state } => {
                let known =
                    || fits(*state, &self.world.holds(who).iter().map(|hold| (hold.state, hold.amount)).collect::<Vec<_>>());
                let began = self.fleet.now();
                while !known() {
                    if self.fleet.now().since(began) > BOUND || !self.strict {
                        return Err(format!("the bank has {:?}", self.world.holds(who)));
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn open(&self, who: &str, amount: Amount, place: &str) -> Result<(), String> {
        let wanted = Wanted {
            terminal: place.parse().map_err(|_| "no name".to_owned())?,
            amount,
            connector: None,
            caller_reference: None,
            idempotency: Some(Idempotency { key: who.to_owned(), digest: who.to_owned() }),
        };
        let began = self.fleet.now();
        loop {
            match self.fleet.open(wanted.clone()).await {
                Ok((session, _)) => {
                    self.world.change(who, |person| (person.session, person.reference) = (Some(session.id), session.reference));
                    return Ok(());
                }
                Err(refusal) if self.fleet.now().since(began) > BOUND => return Err(refusal.to_string()),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn present(&self, who: &str, card: CardIs) -> Result<(), String> {
        let physical = self.world.card(who);
        match card {
            CardIs::Good => {}
            CardIs::Declined => self.world.bank().set_policy(&physical, Policy::decline(0x09)),
            CardIs::GoodFor(amount) => self.world.bank().set_policy(&physical, Policy::partial(amount)),
        }
        while !self.world.person(who).tapped {
            let session = self.wait(who, &|state| state != "waiting_card", Duration::ZERO).await;
            if session.is_ok() {
                return Err("nobody waits for the card".to_owned());
            }
            let place = self.session(who).await?.terminal;
            let terminal = self.world.terminal(place.as_str());
            if terminal.snapshot().state == TerminalState::WaitCard {
                self.world.change(who, |person| person.tapped = true);
                terminal.tap(&physical);
            } else {
                tokio::time::sleep(LOOK).await;
            }
        }
        self.wait(who, &|state| !matches!(state, "waiting_card" | "authorising"), BOUND).await.map(|_| ())
    }

    async fn decide(&self, who: &str, decision: Decision) -> Result<(), String> {
        let wish = match decision {
            Decision::Commit(amount) => Wish::Commit(amount),
            Decision::Void => Wish::Void,
        };
        self.world.change(who, |person| person.asked.push(decision));
        self.instruct(who, wish, &["approved", "committing", "voiding"]).await?;
        self.world.change(who, |person| person.decided = Some(decision));
        Ok(())
    }

    async fn resolve(&self, who: &str, outcome: Outcome) -> Result<(), String> {
        self.world.change(who, |person| person.said = Some(outcome));
        let (note, by) = ("it stands in the bank's books".to_owned(), "a person".to_owned());
        let wish = Wish::Resolve { outcome, note, by, needs_two: false };
        self.instruct(who, wish, &["uncertain"]).await?;
        self.world.change(who, |person| person.settled = true);
        Ok(())
    }

    /// Asks until it is taken or refused for good.
    async fn instruct(&self, who: &str, wish: Wish, states: &[&str]) -> Result<(), String> {
        let session = self.wait(who, &|state| states.contains(&state) || ended(state), BOUND).await?;
        let began = self.fleet.now();
        loop {
            match self.fleet.instruct(session.id, wish.clone()).await {
                Ok(_) => return Ok(()),
                Err(Refusal::JournalUnavailable(_) | Refusal::TerminalNotReady { .. })
                    if self.fleet.now().since(began) < BOUND =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
    }

    async fn expect(&self, who: &str, wanted: &(dyn Fn(&str) -> bool + Sync)) -> Result<(), String> {
        let end = |state: &str| !self.strict && ended(state);
        self.wait(who, &|state| wanted(state) || end(state), BOUND).await.map(|_| ())
    }

    async fn session(&self, who: &str) -> Result<Session, String> {
        let id = self.world.person(who).session.ok_or_else(|| format!("{who} has no session"))?;
        self.fleet.session(id).await.map_err(|refusal| refusal.to_string())
    }

    async fn wait(&self, who: &str, enough: &(dyn Fn(&str) -> bool + Sync), limit: Duration) -> Result<Session, String> {
        let (began, mut look) = (self.fleet.now(), LOOK);
        loop {
            let session = self.session(who).await?;
            if enough(session.state_name()) {
                return Ok(session);
            }
            if self.fleet.now().since(began) >= limit {
                return Err(format!("{who} is {}", session.state_name()));
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LOOK_LATER);
        }
    }
}

pub(super) fn ended(state: &str) -> bool {
    ["committed", "voided", "declined", "cancelled", "expired", "failed", "uncertain"].contains(&state)
}

fn fits(wanted: Books, holds: &[(HoldState, Amount)]) -> bool {
    match (wanted, holds) {
        (Books::Nothing, []) => true,
        (Books::Holds(wanted), [(HoldState::Held, amount)]) => *amount == wanted,
        (Books::Taken(wanted), [(HoldState::Captured { amount, .. }, _)]) => *amount == wanted,
        (Books::GivenBack, [(HoldState::Released { .. }, _)]) => true,
        _ => false,
    }
}
