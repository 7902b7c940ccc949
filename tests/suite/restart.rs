//! The program is killed at random moments while drivers come and go, and started again on the same journal; sometimes the power
//! fails as well, or it is killed again before it is up. After every death its journal must be sound and hold whatever anybody was
//! told, and the bank may have moved only what the journal has decided. Once the killing ends, the bank's books must agree with
//! every decision and with every word of the API.

mod audit;
mod durable;
mod power;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use quittance::journal::Record;
use quittance::sim::{By, Command, Fault, HoldState, Policy, Snapshot};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::rig::Rig;
use audit::{Open, Remains, Told};
use durable::{Disk, Library};

/// How often the program is killed; `QUITTANCE_KILLS` says otherwise, and `QUITTANCE_SEED` repeats the moments of an earlier run as
/// well as threads allow.
const KILLS: u32 = 20;

/// After so many kills another depot begins, with the next seed: journals do not get longer than in a day.
const KILLS_EACH: u32 = 25;

/// So many drivers come to each terminal at once; it reads one card after the other, and holds for all of them.
const DRIVERS: usize = 2;

/// Longer than any exchange takes, so that a kill may come anywhere in it.
const MOMENT: Duration = Duration::from_millis(6);

/// An update raises a hold by this, so that the amount that was asked for can be told from it.
const MORE: u32 = 1_000_000;

/// With so many kills each kind of accident must have happened.
const MANY: u32 = 100;

/// The slowest bank takes so long to be reached, and as long again to answer.
const BANK_SLOWEST: Duration = Duration::from_millis(20);

/// Every session asks for an amount of its own, by which the bank's holds find their sessions.
struct Load<'a> {
    rig: &'a Rig,
    amounts: AtomicU32,
    over: AtomicBool,
    told: Told,
    /// Shut while the program is dead: whoever was in a conversation with it has heard all that he will.
    gate: RwLock<()>,
}

/// What is decided about a hold follows from its amount, whoever decides it and however often.
enum Wish {
    Commit(u32),
    Void,
}

fn wish(held: u32) -> Wish {
    let amount = held % MORE;
    if amount.is_multiple_of(3) { Wish::Void } else { Wish::Commit(amount / 2 + 1) }
}

/// Every other card's bank takes its time.
fn bank(amount: u32) -> Policy {
    let part = |of: u32| BANK_SLOWEST * (amount / of % 5) / 4;
    if amount.is_multiple_of(2) {
        Policy::APPROVE
    } else {
        Policy { reaches_after: part(2), answers_after: part(10), ..Policy::APPROVE }
    }
}

/// Ends the load when it goes, also with a test that fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Load<'_> {
    fn get(&self, path: &str) -> Option<(u16, Value)> {
        let _open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.told.remember(self.rig.api.try_get(path))
    }

    fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let _open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.told.remember(self.rig.api.try_post(path, body))
    }

    /// Driver after driver on one terminal, whatever the program's answers are, or whether there are any.
    fn drive(&self, terminal: &str) {
        while !self.over.load(Ordering::Relaxed) {
            let amount = 100 + self.amounts.fetch_add(1, Ordering::Relaxed);
            if self.one_driver(terminal, amount).is_none() {
                self.rig.pause();
                self.decide_leftovers(terminal);
            }
        }
    }

    /// What a charger does when it has lost its connection to us: it looks for what it has left undecided.
    fn decide_leftovers(&self, terminal: &str) -> Option<()> {
        let (200, list) = self.get(&format!("/v1/sessions?terminal={terminal}&state=approved"))? else {
            return None;
        };
        list["sessions"].as_array()?.iter().try_for_each(|session| self.decide(session).map(|_| ()))
    }

    fn one_driver(&self, terminal: &str, amount: u32) -> Option<()> {
        let (201, session) = self.post("/v1/sessions", &json!({ "terminal": terminal, "amount": amount }))? else {
            return None;
        };
        let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
        let mut tapped = false;
        let mut seen = session;
        while seen["state"] == "waiting_card" || seen["state"] == "authorising" {
            tapped = tapped || self.rig.terminal(terminal).tap(&self.rig.card_with(bank(amount)));
            if tapped {
                let version = seen["version"].as_u64().unwrap();
                (_, seen) = self.get(&format!("{path}?wait=5&version={version}"))?;
            } else {
                self.rig.pause();
                (_, seen) = self.get(&path)?;
            }
        }
        if seen["state"] == "approved" {
            self.post(&format!("{path}/energy"), &json!({ "amount": amount / 4 }))?;
            if terminal.starts_with("apollo") && (amount / 3).is_multiple_of(3) {
                self.post(&format!("{path}/update"), &json!({ "amount": amount + MORE }))?;
            }
            self.decide(&seen)?;
        }
        Some(())
    }

    fn decide(&self, session: &Value) -> Option<(u16, Value)> {
        let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
        match wish(u32::try_from(session["amount_requested"].as_u64().unwrap()).unwrap()) {
            Wish::Commit(amount) => self.post(&format!("{path}/commit?wait=2"), &json!({ "amount": amount })),
            Wish::Void => self.post(&format!("{path}/void?wait=2"), &json!({})),
        }
    }
}

/// What has happened to the program.
#[derive(Debug, Default)]
struct Accidents {
    kills: u32,
    early: u32,
    /// Power failures that tore the log, and such that left only what was synced.
    torn: u32,
    unsynced: u32,
    /// Records that nobody was told of, gone with the power.
    lost: usize,
    /// What was under way at the kills.
    open: Open,
}

#[test]
fn nothing_is_lost_when_the_program_is_killed_again_and_again() {
    let mut seed = std::env::var("QUITTANCE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    let kills = std::env::var("QUITTANCE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let library = Library::build();
    let (began, mut accidents) = (Instant::now(), Accidents::default());
    while accidents.kills < kills {
        let wanted = KILLS_EACH.min(kills - accidents.kills);
        one_depot(seed, wanted, library.as_ref(), &mut accidents);
        eprintln!("{accidents:?} in {:.1?}", began.elapsed());
        seed = seed.wrapping_add(1);
    }
    let Accidents { torn, unsynced, open: Open { authorisations, attempts, updates }, .. } = accidents;
    assert!(kills < KILLS || authorisations + attempts + updates > 0, "no kill has met anything: {accidents:?}");
    let all = [torn, authorisations, attempts, updates].iter().all(|times| *times > 0);
    let all = all && (library.is_none() || unsynced > 0);
    assert!(kills < MANY || all, "something has never happened: {accidents:?}");
}

fn one_depot(seed: u64, kills: u32, library: Option<&Library>, accidents: &mut Accidents) {
    eprintln!("QUITTANCE_SEED={seed} QUITTANCE_KILLS={kills}");
    let mut random = StdRng::seed_from_u64(seed);
    // Many plugs: an Apollo's doubts last, and would take the place of the load.
    let builder = Rig::builder().apollos(2).p6xs(2).connectors(20).policy("max_hold", "4000000").timeout("commit", "\"1s\"");
    let disk = library.map(Library::disk);
    let disk = disk.as_ref();
    let rig = disk.into_iter().fold(builder, |builder, disk| disk.watch(builder)).start();
    let load = Load {
        rig: &rig,
        amounts: AtomicU32::new(0),
        over: AtomicBool::new(false),
        told: Told::default(),
        gate: RwLock::new(()),
    };
    let names = rig.names();

    std::thread::scope(|scope| {
        let _ending = Ending(&load.over);
        for name in names.iter().flat_map(|name| [name; DRIVERS]) {
            scope.spawn(|| load.drive(name));
        }
        let mut known = Vec::new();
        for _ in 0..kills {
            wait_for_a_moment(&load, &mut random);
            rig.kill9();
            accidents.kills += 1;
            let _shut = load.gate.write().unwrap_or_else(PoisonError::into_inner);
            // What was on the wires has arrived, so nothing that the dead one did is still to come, but what is on its way to the bank.
            names.iter().for_each(|name| drop(rig.wait_terminal(name, "sees us gone", |seen| !seen.connected)));
            let mut remains = dead(&load, &known, disk);
            accidents.open += remains.open();
            if random.random_bool(0.4) && fail(&load, &remains, disk, &mut random, accidents) {
                let left = dead(&load, &known, disk);
                assert!(remains.records.starts_with(&left.records), "the journal is another one");
                accidents.lost += remains.records.len() - left.records.len();
                remains = left;
            }
            if random.random_bool(0.2) {
                accidents.early += 1;
                rig.start_blindly();
                std::thread::park_timeout(MOMENT * random.random_range(0..30));
                rig.kill9();
                remains = dead(&load, &remains.records, disk);
            }
            known = remains.records;
            rig.start_unready();
        }
    });

    rig.terminals_recover();
    rig.wait_ready();
    settle(&load);
    compare(&load);
    Remains::of(rig.journal()).check(&rig, &load.told);
    assert!(!rig.said().contains("the journal is damaged"), "a torn end was taken for damage");
    rig.finish();
}

/// What a dead process has left: it is sound, nothing is missing that anybody knows of, and `known` is where it was. That also holds
/// of what was synced, alone.
fn dead(load: &Load<'_>, known: &[Record], disk: Option<&Disk<'_>>) -> Remains {
    let remains = Remains::of(load.rig.journal());
    assert!(remains.records.starts_with(known), "the journal is another one");
    remains.check(load.rig, &load.told);
    if let Some(disk) = disk {
        let (_folder, journal) = disk.synced();
        let synced = Remains::of(&journal);
        assert!(remains.records.starts_with(&synced.records), "what was synced is another journal");
        synced.check(load.rig, &load.told);
    }
    remains
}

/// The power fails, one way or the other; says whether it could.
fn fail(load: &Load<'_>, remains: &Remains, disk: Option<&Disk<'_>>, random: &mut StdRng, accidents: &mut Accidents) -> bool {
    let journal = load.rig.journal();
    if let Some(disk) = disk.filter(|_| random.random_bool(0.5)) {
        disk.fail(journal);
        accidents.unsynced += 1;
        return true;
    }
    let torn = power::tear(load.rig, remains, &load.told, random);
    if let Some(disk) = disk.filter(|_| torn) {
        disk.settle(journal);
    }
    accidents.torn += u32::from(torn);
    torn
}

/// Some requests later, or in the middle of the next one: right after one has come, nobody knows yet what became of it. Updates are
/// rare, so some moments are theirs.
fn wait_for_a_moment(load: &Load<'_>, random: &mut StdRng) {
    let names = load.rig.names();
    let name = &names[random.random_range(0..names.len())];
    let update = name.starts_with("apollo") && random.random_bool(0.3);
    let heard = |seen: &Snapshot| {
        if update { seen.heard.get(&Command::Update).copied().unwrap_or(0) } else { seen.heard.values().sum::<u64>() }
    };
    let enough = heard(&load.rig.terminal(name).snapshot()) + if update { 1 } else { random.random_range(1..60) };
    if random.random_bool(0.3) {
        let command = [Command::Auth, Command::Commit, Command::Void, Command::Update][random.random_range(0..4)];
        let fault = [Fault::CutAfter, Fault::CutBefore, Fault::LoseAnswer][random.random_range(0..3)];
        // What is lost without a word on its way to the bank keeps the terminal busy for longer than this test takes.
        if ![Command::Auth, Command::Update].contains(&command) || fault != Fault::LoseAnswer {
            load.rig.terminal(name).plan(command, fault);
        }
    }
    load.rig.wait_terminal(name, "hears of us", |seen| heard(seen) >= enough);
    if random.random_bool(0.7) {
        std::thread::park_timeout(MOMENT.mul_f64(random.random_range(0.0..1.0)));
    }
}

/// Decides whatever is held and undecided, and waits until nothing is left to be delivered.
fn settle(load: &Load<'_>) {
    load.rig.until("settled", || {
        let undisposed = load.rig.api.sessions("&undisposed=true");
        for session in undisposed.iter().filter(|session| session["state"] == "approved") {
            load.decide(session);
        }
        // A P6X's list ends a doubt; an Apollo's lasts until its own timer.
        let lasting = |session: &Value| session["terminal"].as_str().is_some_and(|terminal| terminal.starts_with("apollo"));
        let stays = |session: &Value| session["state"] == "uncertain" || (session["state"] == "in_doubt" && lasting(session));
        undisposed.iter().all(stays).then_some(())
    });
}

/// The bank's books against the API's words, hold by hold and session by session.
fn compare(load: &Load<'_>) {
    let rig = load.rig;
    let sessions = rig.api.sessions("");
    let by_amount: HashMap<u64, &Value> =
        sessions.iter().filter_map(|session| Some((session["amount_requested"].as_u64()?, session))).collect();
    // A hold that was found in a P6X's list goes to the oldest session in doubt there, which need not be the one that asked for it.
    let number = |session: &Value| Some((session["terminal"].as_str()?.to_owned(), session["terminal_session_id"].as_u64()?));
    let by_number: HashMap<(String, u64), &Value> =
        sessions.iter().filter_map(|session| Some((number(session)?, session))).collect();
    let mut committed = 0;
    let mut in_doubt = 0;
    let holds = rig.bank().holds();
    for hold in &holds {
        let number = (hold.terminal.to_string(), u64::from(hold.session.0));
        let session = by_number.get(&number).or_else(|| by_amount.get(&u64::from(hold.amount.minor() % MORE)));
        let Some(session) = session else { panic!("nobody has asked for {hold:?}") };
        match (session["state"].as_str().unwrap(), hold.state) {
            ("committed", HoldState::Captured { amount, by: By::Host, .. }) => {
                let Wish::Commit(wanted) = wish(hold.amount.minor()) else { panic!("{hold:?} was to be voided: {session}") };
                assert_eq!(amount.minor(), wanted, "{session}");
                assert_eq!(session["amount_final"], wanted, "{session}");
                committed += u64::from(wanted);
            }
            ("voided", HoldState::Released { by: By::Host, .. }) => {
                let told = load.told.approved(session["id"].as_str().unwrap().parse().unwrap());
                let unknown = session["disposal"]["by"] == "orphan" && !told;
                assert!(unknown || matches!(wish(hold.amount.minor()), Wish::Void), "{session}");
            }
            // An Apollo does not tell what it holds: the doubt lasts until its own timer.
            ("in_doubt", HoldState::Held) if hold.terminal.as_str().starts_with("apollo") => in_doubt += 1,
            (_, state) => panic!("the bank has {state:?}, but the API says {session}"),
        }
    }
    let holding = sessions.iter().filter(|session| ["committed", "voided"].contains(&session["state"].as_str().unwrap()));
    assert_eq!(holding.count(), holds.len() - in_doubt, "every end that speaks of money has its hold");
    eprintln!("{} sessions, {} holds, {in_doubt} in doubt, {committed} taken", sessions.len(), holds.len());
    assert!(committed > 0);
}
