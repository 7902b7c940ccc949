//! A program that keeps a book of holds from events alone. It and the orchestrator are killed at random moments while sessions come
//! and go; in the end its book must be that of the bank, hold by hold.
//!
//! `QUITTANCE_SESSIONS=1000 cargo test --test suite consumer:: -- --nocapture` runs more sessions than CI does, and prints the seed
//! that repeats the moments as well as threads allow (`QUITTANCE_SEED`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use quittance::sim::{By, Hold, HoldState};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::events::{assert_same, journal_of};
use super::rig::Rig;
use super::rig::events::{Event, Stream};

const SESSIONS: u32 = 100;

/// So many drivers come to each terminal at once; it reads one card after the other.
const DRIVERS: usize = 2;

/// How often a consumer that finds nobody tries again.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// Where the consumer's files are: the address of the API, and its book.
const FOLDER: &str = "QUITTANCE_CONSUMER";

#[test]
fn the_book_of_a_consumer_is_the_bank_s() {
    let seed = std::env::var("QUITTANCE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    let sessions = std::env::var("QUITTANCE_SESSIONS").map_or(SESSIONS, |sessions| sessions.parse().unwrap());
    eprintln!("QUITTANCE_SEED={seed} QUITTANCE_SESSIONS={sessions}");
    let mut random = StdRng::seed_from_u64(seed);
    let rig = Rig::builder().apollos(2).p6xs(4).connectors(50).policy("max_hold", "4000000").timeout("commit", "\"1s\"");
    let rig = rig.log("warn,quittance::session=info,quittance::cli=info").start();
    let drivers = Drivers { rig: &rig, opened: AtomicU32::new(0), sessions };
    let mut consumer = Consumer::start(&rig);
    let mut killed = (0, 0);

    std::thread::scope(|scope| {
        let names = rig.names();
        let driving: Vec<_> = (0..DRIVERS)
            .flat_map(|_| names.clone())
            .map(|name| {
                let drivers = &drivers;
                scope.spawn(move || drivers.drive(&name))
            })
            .collect();
        let frames = || names.iter().map(|name| rig.terminal(name).snapshot().heard.values().sum::<u64>()).sum::<u64>();
        let over = || driving.iter().all(|driver| driver.is_finished());
        while !over() {
            let enough = frames() + random.random_range(1..60);
            while frames() < enough && !over() {
                rig.pause();
            }
            // Both, the one or the other; neither knows that it is about to end.
            let (program, reader) = [(true, true), (true, false), (false, true)][random.random_range(0..3)];
            if reader {
                consumer.kill();
                killed.0 += 1;
            }
            if program {
                rig.kill9();
                rig.start_unready();
                killed.1 += 1;
            }
            consumer.tell_address(&rig);
            if reader {
                consumer.start_again();
            }
        }
    });
    rig.wait_ready();
    settle(&rig);
    assert_eq!(rig.terminate(), 0);
    // Who reads is sent away before the last record, which says that the program has ended.
    rig.start_again();
    consumer.tell_address(&rig);
    let journal = journal_of(&rig);
    let last = journal.last().unwrap().id;
    rig.until("the consumer has read all", || (consumer.last() >= last).then_some(()));
    consumer.kill();
    let seen = consumer.events();
    assert_same(&seen[..journal.len()], &journal);
    let holds = compare(&rig, Book::of(&seen));
    eprintln!(
        "{sessions} sessions, {holds} holds; killed: the consumer {} times, the orchestrator {} times",
        killed.0, killed.1
    );
    rig.finish();
}

/// People and chargers, until there have been so many sessions.
struct Drivers<'a> {
    rig: &'a Rig,
    opened: AtomicU32,
    sessions: u32,
}

impl Drivers<'_> {
    fn drive(&self, terminal: &str) {
        while self.opened.load(Ordering::Relaxed) < self.sessions {
            if self.one_session(terminal).is_none() {
                self.rig.pause();
            }
        }
    }

    /// A session to its end, or as far as the program lives; a card is presented as soon as one is asked for.
    fn one_session(&self, terminal: &str) -> Option<()> {
        let amount = 100 + self.opened.load(Ordering::Relaxed);
        let api = &self.rig.api;
        let (201, mut seen) = api.try_post("/v1/sessions", &json!({ "terminal": terminal, "amount": amount }))? else {
            return None;
        };
        self.opened.fetch_add(1, Ordering::Relaxed);
        let path = format!("/v1/sessions/{}", seen["id"].as_str()?);
        while seen["state"] == "waiting_card" || seen["state"] == "authorising" {
            if seen["state"] == "waiting_card" && !self.rig.terminal(terminal).tap(&self.rig.new_card()) {
                self.rig.pause();
                (_, seen) = api.try_get(&path)?;
            } else {
                (_, seen) = api.try_get(&format!("{path}?wait=1&version={}", seen["version"]))?;
            }
        }
        decide(self.rig, &seen)
    }
}

/// Commits two holds of three, and voids the third.
fn decide(rig: &Rig, session: &Value) -> Option<()> {
    let path = format!("/v1/sessions/{}", session["id"].as_str()?);
    let amount = session["amount_requested"].as_u64()?;
    if session["state"] != "approved" {
        return None;
    }
    if amount.is_multiple_of(3) {
        rig.api.try_post(&format!("{path}/void?wait=1"), &json!({})).map(drop)
    } else {
        rig.api.try_post(&format!("{path}/energy"), &json!({ "amount": 1 }))?;
        rig.api.try_post(&format!("{path}/commit?wait=1"), &json!({ "amount": amount / 2 + 1 })).map(drop)
    }
}

/// Decides whatever is held and undecided, and waits until nothing is left to be delivered.
fn settle(rig: &Rig) {
    rig.until("settled", || {
        let undisposed = rig.api.sessions("&undisposed=true");
        for session in &undisposed {
            // Those that are decided already are being delivered.
            let _ = decide(rig, session);
        }
        // What a P6X holds is found in its list, and ended a moment after it is ready.
        let found = |hold: &Hold| hold.state == HoldState::Held && hold.terminal.as_str().starts_with("p6x");
        let doubted = undisposed.iter().all(|session| session["state"] == "in_doubt");
        (doubted && !rig.bank().holds().iter().any(found)).then_some(())
    });
}

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Committed(u64),
    Voided,
}

/// Every hold by its terminal and number: how much is held, if that is known, and what became of it.
#[derive(Default)]
struct Book {
    holds: BTreeMap<(String, u64), (Option<u64>, End)>,
    /// Sessions of which nobody knows whether there is a hold.
    in_doubt: BTreeSet<String>,
}

impl Book {
    /// From events alone.
    fn of(events: &[Event]) -> Self {
        let mut book = Self::default();
        let mut numbers: BTreeMap<String, (String, u64)> = BTreeMap::new();
        for Event { data, .. } in events {
            let Some(session) = data["session"].as_str() else { continue };
            match data["kind"].as_str().unwrap() {
                "authorise_intended" => drop(book.in_doubt.insert(session.to_owned())),
                "hold_placed" => {
                    let number = (data["terminal"].as_str().unwrap().to_owned(), data["terminal_session_id"].as_u64().unwrap());
                    assert_eq!(numbers.insert(session.to_owned(), number.clone()), None, "{session} was approved twice");
                    assert_eq!(book.holds.insert(number, (data["amount"].as_u64(), End::Open)), None, "a number came twice");
                    book.in_doubt.remove(session);
                }
                "disposed" => {
                    let hold = book.holds.get_mut(&numbers[session]).unwrap();
                    assert_eq!(hold.1, End::Open, "{session} ended twice");
                    hold.1 = match data["outcome"]["committed"].as_u64() {
                        Some(amount) => End::Committed(amount),
                        None if data["outcome"] == "voided" => End::Voided,
                        None => panic!("{data}"),
                    };
                }
                "declined" | "cancelled" | "failed" => drop(book.in_doubt.remove(session)),
                _ => {}
            }
        }
        book
    }
}

/// The bank's books against the consumer's, hold by hold; how many there are.
fn compare(rig: &Rig, mut book: Book) -> usize {
    let holds = rig.bank().holds();
    let mut unheard = 0;
    for hold in &holds {
        let found = book.holds.remove(&(hold.terminal.to_string(), u64::from(hold.session.0)));
        let held = u64::from(hold.amount.minor());
        match (found, hold.state) {
            (Some((known, End::Committed(taken))), HoldState::Captured { amount, by: By::Host, .. }) => {
                assert_eq!(taken, u64::from(amount.minor()), "{hold:?}");
                assert!(known.is_none_or(|known| known == held), "{known:?} of {hold:?}");
            }
            (Some((known, End::Voided)), HoldState::Released { by: By::Host, .. }) => {
                assert!(known.is_none_or(|known| known == held), "{known:?} of {hold:?}");
            }
            // The answer to its Auth was lost with a life of the program, and an Apollo does not tell what it holds.
            (None, HoldState::Held) if hold.terminal.as_str().starts_with("apollo") => unheard += 1,
            (found, _) => panic!("the book has {found:?}, the bank {hold:?}"),
        }
    }
    assert_eq!(book.holds, BTreeMap::new(), "the bank has never made these");
    assert!(unheard <= book.in_doubt.len(), "{unheard} holds that nobody has heard of; in doubt: {:?}", book.in_doubt);
    assert!(holds.len() > unheard);
    holds.len()
}

/// The consumer as a process of its own.
struct Consumer {
    folder: PathBuf,
    process: Child,
}

impl Consumer {
    fn start(rig: &Rig) -> Self {
        let folder = rig.path("consumer");
        fs::create_dir(&folder).unwrap();
        write_address(&folder, rig);
        Self { process: spawn(&folder), folder }
    }

    fn start_again(&mut self) {
        self.process = spawn(&self.folder);
    }

    fn tell_address(&self, rig: &Rig) {
        write_address(&self.folder, rig);
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// What is in its book.
    fn events(&self) -> Vec<Event> {
        let text = fs::read_to_string(self.folder.join("book")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let data = whole.map(|line| serde_json::from_str::<Value>(line).unwrap());
        data.map(|data| Event { id: data["seq"].as_u64().unwrap(), data }).collect()
    }

    fn last(&self) -> u64 {
        self.events().last().map_or(0, |event| event.id)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["consumer::a_process_that_keeps_a_book", "--exact", "--ignored"]).env(FOLDER, folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn write_address(folder: &Path, rig: &Rig) {
    fs::write(folder.join("address.new"), rig.api.address()).unwrap();
    fs::rename(folder.join("address.new"), folder.join("address")).unwrap();
}

/// Writes each event down as a line, and goes on behind the last one that it finds there.
#[test]
#[ignore = "the test above runs it as a process that can be killed"]
fn a_process_that_keeps_a_book() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let path = folder.join("book");
    let mut book = File::options().create(true).append(true).open(&path).unwrap();
    // A line that was not finished is no event.
    let text = fs::read_to_string(&path).unwrap();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    book.set_len(whole as u64).unwrap();
    let last_line = text[..whole].lines().last().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut last = last_line.map_or(0, |data| data["seq"].as_u64().unwrap());
    loop {
        let address = fs::read_to_string(folder.join("address")).unwrap();
        let Ok(mut stream) = Stream::connect(&address, last) else {
            std::thread::sleep(TRY_AGAIN);
            continue;
        };
        while let Some(event) = stream.event() {
            book.write_all(format!("{}\n", event.data).as_bytes()).unwrap();
            last = event.id;
        }
    }
}
