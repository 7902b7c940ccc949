//! Journals that are cut short or have bits changed, at places that a seed draws: what is read is what was written, a loss is told,
//! and nobody's money is moved otherwise than it was decided. `QUITTANCE_DAMAGES` says how many are tried, `QUITTANCE_SEED` which.

mod crashed;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quittance::id::{SessionId, TerminalId, TerminalSessionId};
use quittance::journal::verify::{Place, places, verify};
use quittance::journal::{Fact, Health, Journal, JournalError, Record, SqliteJournal};
use quittance::session::ledger::Ledger;
use quittance::sim::{HoldState, Policy};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::rig::{LIMIT, Rig};

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

/// How many damages the journal meets in this process, and how many the real program.
const DAMAGES: (u32, u32) = (250, 10);

/// The header of a SQLite file, and that of its log.
const HEADERS: Range<usize> = 0..100;

/// A journal's files as somebody has left them.
#[derive(Clone)]
struct Files([(&'static str, Vec<u8>); 2]);

/// What was done to them.
#[derive(Debug)]
struct Damage {
    file: &'static str,
    #[expect(dead_code, reason = "shown when a test fails")]
    at: usize,
    #[expect(dead_code, reason = "shown when a test fails")]
    what: What,
}

#[derive(Debug, PartialEq)]
enum What {
    Flip(u8),
    Zeros(usize),
    Cut,
}

impl Files {
    fn of(journal: &Path) -> Self {
        Self(["", "-wal"].map(|end| (end, fs::read(format!("{}{end}", journal.display())).unwrap_or_default())))
    }

    fn put(&self, journal: &Path) {
        let _ = fs::remove_file(beside(journal, "-shm"));
        for (end, bytes) in &self.0 {
            fs::write(beside(journal, end), bytes).unwrap();
        }
    }

    /// Damages one of them somewhere, more often than by chance where its header is.
    fn damage(&mut self, random: &mut StdRng) -> Damage {
        let (file, bytes) = &mut self.0[usize::from(random.random_bool(0.5))];
        let at = if random.random_bool(0.15) { random.random_range(HEADERS) } else { random.random_range(0..bytes.len()) };
        let what = match random.random_range(0..4) {
            0 | 1 => What::Flip(1 << random.random_range(0..8)),
            2 => What::Zeros(random.random_range(1..5000)),
            _ => What::Cut,
        };
        match what {
            What::Flip(bit) => bytes[at] ^= bit,
            What::Zeros(length) => {
                let end = bytes.len().min(at + length);
                bytes[at..end].fill(0);
            }
            What::Cut => bytes.truncate(at),
        }
        Damage { file, at, what }
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", path.display()))
}

fn seed() -> u64 {
    let seed = std::env::var("QUITTANCE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    eprintln!("QUITTANCE_SEED={seed}");
    seed
}

fn times(usual: u32) -> u32 {
    std::env::var("QUITTANCE_DAMAGES").map_or(usual, |times| times.parse().unwrap())
}

fn records(journal: &Path) -> Result<Vec<Record>, JournalError> {
    let mut records = Vec::new();
    verify(journal, |sound| {
        records.extend(sound);
        Ok(())
    })
    .map(|_| records)
}

fn sql(journal: &Path, sql: &str) {
    rusqlite::Connection::open(journal).unwrap().execute_batch(sql).unwrap();
}

/// Sessions that have a hold and no end as far as single records can be read, whatever stands before those.
fn open_by_record(journal: &Path) -> Vec<(SessionId, (TerminalId, TerminalSessionId))> {
    let mut open = BTreeMap::new();
    // What cannot be opened has nothing that can be read.
    let _ = places(journal, |place| {
        let Place::Record(Record { entry, .. }) = place else { return };
        match (entry.session, entry.terminal, entry.fact) {
            (Some(session), Some(terminal), Fact::HoldPlaced { terminal_session_id, .. }) => {
                open.insert(session, (terminal, terminal_session_id));
            }
            (Some(session), _, Fact::Disposed { .. } | Fact::Resolved { .. }) => drop(open.remove(&session)),
            _ => {}
        }
    });
    open.into_iter().collect()
}

/// What a start reads, in steps; or why it cannot.
fn replay(journal: &dyn Journal) -> Result<Vec<Record>, JournalError> {
    let mut read = Vec::new();
    loop {
        let after = read.last().map_or(0, |record: &Record| record.seq);
        let mut more = futures_util::FutureExt::now_or_never(async { journal.read(after, 40).await });
        while more.is_none() {
            more = Some(tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(journal.read(after, 40)));
        }
        let more = more.unwrap()?;
        if more.is_empty() {
            return Ok(read);
        }
        read.extend(more);
    }
}

/// A record is as it was written or it is not there; when a record is missing, that is told, unless whole appends are gone from the
/// end, which nobody can see; and then cards may be taken. `verify` never praises what is not so.
#[test]
fn a_damaged_journal_says_what_is_so_or_says_that_it_cannot() {
    let rig = Rig::pair().connectors(3).start();
    for (terminal, amount) in [(APOLLO, 2000), (P6X, 3000), (APOLLO, 4000), (P6X, 5000)] {
        let session = rig.approve(terminal, amount);
        rig.energy(&session, amount / 2);
        if amount > 3000 {
            assert_eq!(rig.commit(&session, amount / 2)["state"], "committed");
        }
    }
    rig.kill9();
    // A part of the records is in the file, and the other part in its log.
    drop(SqliteJournal::open(rig.journal(), Arc::new(())).unwrap());
    rig.start_again();
    assert_eq!(rig.void(&rig.approve(APOLLO, 1000))["state"], "voided");
    rig.kill9();
    let whole = records(rig.journal()).unwrap();
    let files = Files::of(rig.journal());
    assert!(files.0.iter().all(|(_, bytes)| bytes.len() > 20_000));
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.db");

    let mut random = StdRng::seed_from_u64(seed());
    let (mut refused, mut damaged, mut sound) = (0, 0, 0);
    for _ in 0..times(DAMAGES.0) {
        let mut files = files.clone();
        let damage = files.damage(&mut random);
        files.put(&journal);
        let verdict = records(&journal);
        if let Ok(records) = &verdict {
            assert_eq!(records[..], whole[..records.len()], "{damage:?}: sound, but not what was written");
        }
        let opened = match SqliteJournal::open(&journal, Arc::new(())) {
            Ok(opened) => opened,
            Err(error) => {
                assert!(!error.to_string().contains('\n'), "{damage:?}: {error}");
                refused += 1;
                continue;
            }
        };
        let health = opened.health();
        let read = match replay(&opened) {
            Ok(read) => read,
            Err(error) => {
                assert_ne!(health, Health::Writable, "{damage:?}: {error}");
                refused += 1;
                continue;
            }
        };
        for record in &read {
            assert_eq!(
                whole.get(usize::try_from(record.seq).unwrap() - 1),
                Some(record),
                "{damage:?}: nobody has written this"
            );
        }
        let mut ledger = Ledger::default();
        let unsound = read.iter().filter(|record| ledger.take(record).is_err()).count();
        match health {
            Health::Writable => {
                assert_eq!((read[..].len(), unsound), (whole[..read.len()].len(), 0), "{damage:?}");
                assert_eq!(read[..], whole[..read.len()], "{damage:?}: a record is missing, and nobody says so");
                let told = !opened.opened().cut.is_empty();
                let shortened = damage.file == "-wal";
                assert!(read.len() == whole.len() || told || shortened, "{damage:?}: records are gone, and nobody says so");
                sound += 1;
            }
            Health::Damaged(why) => {
                assert!(verdict.is_err() || damage.file == "-wal", "{damage:?}: {why}, but verify has found it sound");
                damaged += 1;
            }
            Health::Failing(why) | Health::Slow(why) => panic!("{damage:?}: {why}"),
        }
    }
    eprintln!("{refused} refused, {damaged} damaged, {sound} sound");
    assert!(refused > 0 && damaged > 0 && sound > 0, "{refused} refused, {damaged} damaged, {sound} sound");
}

/// The real program with such a journal, two terminals, a commit that is decided, and a hold that nobody has ended.
#[test]
fn a_program_with_a_damaged_journal_moves_nothing_that_was_not_decided() {
    let mut random = StdRng::seed_from_u64(seed());
    for _ in 0..times(DAMAGES.1) {
        one_start(&mut random);
    }
}

fn one_start(random: &mut StdRng) {
    let rig = Rig::pair().connectors(2).start();
    let terminals = [APOLLO, P6X];
    let charging = terminals.map(|terminal| rig.approve(terminal, 5000));
    charging.iter().for_each(|session| rig.energy(session, 700));
    let decided = terminals.map(|terminal| rig.approve(terminal, 4000));
    for (terminal, session) in terminals.into_iter().zip(&decided) {
        rig.terminal(terminal).unplug();
        let (status, body) = rig.api.post(&format!("/v1/sessions/{session}/commit?wait=0"), &json!({ "amount": 1500 }));
        assert_eq!(status, 202, "{body}");
    }
    rig.kill9();
    let whole = Files::of(rig.journal());
    let mut files = whole.clone();
    let damage = files.damage(random);
    files.put(rig.journal());
    let verdict = rig.verify();
    assert!(verdict.status.code().is_some_and(|code| code <= 1), "{damage:?}: {verdict:?}");
    // Appends that are gone from the end without a trace take what they said with them. A hold of which nothing is known is voided
    // where it can be listed.
    let without_trace = damage.file == "-wal" && verdict.status.success();
    let left = if without_trace { records(rig.journal()).unwrap() } else { Vec::new() };
    let known = left.iter().filter_map(|record| match record.entry.fact {
        Fact::HoldPlaced { terminal_session_id, .. } => Some((record.entry.terminal.clone()?, terminal_session_id)),
        _ => None,
    });
    let known: HashSet<_> = known.collect();
    let readable = open_by_record(rig.journal());
    terminals.iter().for_each(|terminal| rig.terminal(terminal).plug());

    if rig.try_start() {
        let (_, ready) = rig.until("linked", || {
            let answer = rig.api.get("/readyz");
            let waits = answer.1["reasons"].as_array().unwrap().iter().any(|why| why.as_str().unwrap().contains("-1 is "));
            (!waits).then_some(answer)
        });
        let told = ready["reasons"].to_string();
        let damaged = told.contains("damaged") || told.contains("does not follow");
        for terminal in terminals {
            let (status, body) = rig.api.post("/v1/sessions", &json!({ "terminal": terminal, "amount": 100 }));
            let refused = body["code"] == "journal_unavailable";
            assert!(refused == damaged && (refused || status == 201 || status == 409), "{damage:?}: {told}: {body}");
        }
        // What it knows to be decided it delivers.
        let known = rig.api.sessions("&undisposed=true");
        for session in known.iter().filter(|session| session["state"] == "committing") {
            rig.wait_state(session["id"].as_str().unwrap(), "committed");
        }
        let shown = undisposed(&rig);
        for (session, (terminal, number)) in readable {
            let held = rig.bank().hold(&terminal, number).unwrap().state == HoldState::Held;
            assert!(!held || shown.contains(&session), "{damage:?}: the hold of {session} can be read, and is not undisposed");
        }
        rig.kill9();
    } else {
        assert_eq!(rig.exit_code(), 1, "{damage:?}");
    }
    for hold in rig.bank().holds() {
        let fine = match hold.state {
            HoldState::Held => true,
            HoldState::Captured { amount, .. } => hold.amount.minor() == 4000 && amount.minor() == 1500,
            HoldState::Released { .. } => {
                without_trace && hold.terminal.as_str() == P6X && !known.contains(&(hold.terminal.clone(), hold.session))
            }
        };
        assert!(fine, "{damage:?}: {hold:?}");
    }
    assert_eq!(rig.bank().violations(), [], "{damage:?}");
}

fn undisposed(rig: &Rig) -> HashSet<SessionId> {
    rig.api.sessions("&undisposed=true").iter().map(|session| session["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// One record after the other is damaged: whichever it is, every hold that the bank has is undisposed, and can be ended if its own record
/// can be read. Nobody is told that there was none.
#[test]
fn no_record_takes_a_hold_with_it() {
    let rig = Rig::pair().connectors(2).start();
    let terminals = [APOLLO, P6X];
    let charging = terminals.map(|terminal| rig.approve(terminal, 5000));
    charging.iter().for_each(|session| rig.energy(session, 700));
    assert_eq!(rig.void(&rig.approve(APOLLO, 1000))["state"], "voided");
    let decided = rig.approve(APOLLO, 4000);
    // What is decided stays undelivered, so that the bank stays as it is over all the starts.
    rig.terminal(APOLLO).unplug();
    let (status, body) = rig.api.post(&format!("/v1/sessions/{decided}/commit?wait=0"), &json!({ "amount": 1500 }));
    assert_eq!(status, 202, "{body}");
    // It is killed while a bank's answer is on its way: that Auth is about to be sent is the last that the journal has.
    let asked = rig.open(P6X, 3000);
    rig.tap(P6X, &rig.card_with(Policy::slow(LIMIT)));
    rig.wait_state(&asked, "authorising");
    rig.until("held by the bank", || (rig.terminal(P6X).open_holds().len() == 2).then_some(()));
    rig.kill9();
    rig.terminal(P6X).unplug();
    drop(SqliteJournal::open(rig.journal(), Arc::new(())).unwrap());
    let (whole, all) = (Files::of(rig.journal()), records(rig.journal()).unwrap());
    assert_eq!(all.last().unwrap().entry.fact.kind(), "authorise_intended");
    let held = |terminal: &str| {
        let holds = rig.bank().holds().into_iter();
        holds.filter(|hold| hold.terminal.as_str() == terminal && hold.state == HoldState::Held).count()
    };
    assert_eq!(terminals.map(held), [2, 2]);

    for record in all.iter().filter(|record| record.entry.session.is_some()) {
        let damage = format!("record {}, {}", record.seq, record.entry.fact.kind());
        whole.put(rig.journal());
        sql(rig.journal(), &format!("UPDATE record SET body = body || ' ' WHERE seq = {}", record.seq));
        let readable = open_by_record(rig.journal());
        rig.start_unready();
        rig.until("recovered", || {
            let under_way = ["waiting_card", "card_read", "authorising"];
            let all = rig.api.sessions("");
            all.iter().all(|session| !under_way.iter().any(|state| session["state"] == *state)).then_some(())
        });
        for terminal in terminals {
            let told = rig.metric("quittance_sessions_undisposed", &[("terminal", terminal)]);
            assert!(told >= held(terminal) as f64, "{damage}: {told} are undisposed on {terminal}");
            assert_eq!(rig.metric("quittance_ledger_imbalance", &[("terminal", terminal)]), 0.0, "{damage}");
        }
        let shown = undisposed(&rig);
        for (session, _) in readable {
            assert!(shown.contains(&session), "{damage}: the hold of {session} can be read, and is not undisposed");
            let session = rig.session(&session.to_string());
            if session["state"] == "approved" {
                let (status, body) =
                    rig.api.post(&format!("/v1/sessions/{}/void?wait=0", session["id"].as_str().unwrap()), &json!({}));
                assert!(status == 202 && body["state"] == "voiding", "{damage}: {status} {body}");
            }
        }
        rig.kill9();
        // At the end it was cut off and doubted in legal records; inside it stays damaged.
        assert_eq!(rig.verify().status.success(), Some(record) == all.last(), "{damage}");
    }
    assert_eq!(terminals.map(held), [2, 2]);
    assert_eq!(rig.bank().violations(), []);
}
