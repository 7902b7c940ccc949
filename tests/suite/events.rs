//! `/v1/events` of the real program: every record once, in order, whoever is cut off, slow, killed, or asks for a part only.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use quittance::journal::{Entry, Fact, Journal, SqliteJournal};
use quittance::time::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use serde_json::{Value, json};

use super::rig::events::{self, Came, Event, Stream};
use super::rig::{BINARY, LIMIT, Rig};

const APOLLO: &str = "apollo-1";
const P6X: &str = "p6x-1";

/// What `journal show --json` prints, as events.
pub(crate) fn journal_of(rig: &Rig) -> Vec<Event> {
    let shown = Command::new(BINARY).args(["journal", "show", "--json", "--journal"]).arg(rig.journal()).output().unwrap();
    let records = String::from_utf8(shown.stdout).unwrap();
    let data = records.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    data.map(|data| Event { id: data["seq"].as_u64().unwrap(), data }).collect()
}

/// Nothing is missing, nothing is there twice, nothing is out of order, and every event says what the record says.
pub(crate) fn assert_same(seen: &[Event], journal: &[Event]) {
    let ids = |events: &[Event]| events.iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(seen), ids(journal));
    for (event, record) in seen.iter().zip(journal) {
        assert_eq!(event, record);
    }
}

/// Reads from the beginning until somebody has drained a terminal, and is cut off and comes again after a few events each time.
fn read_in_pieces(rig: &Rig, seed: u64) -> Vec<Event> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut seen: Vec<Event> = Vec::new();
    loop {
        let last = seen.last().map(|event| event.id);
        // The program may be away for a moment.
        let Ok(mut stream) = rig.api.events(if last.is_none() { "?after=0" } else { "" }, last) else {
            rig.pause();
            continue;
        };
        for _ in 0..random.random_range(1..8) {
            let Some(event) = stream.event() else { break };
            seen.push(event);
            if seen[seen.len() - 1].data["by"] == "local" {
                return seen;
            }
        }
    }
}

/// Readers that come and go while money moves and the program is killed get exactly what the journal holds, in its order.
#[test]
fn a_reader_that_comes_again_at_any_moment_sees_every_record_once() {
    let rig = Rig::pair().connectors(2).start();
    let seen: Vec<Vec<Event>> = std::thread::scope(|scope| {
        let rig = &rig;
        let readers: Vec<_> = (0..4).map(|seed| scope.spawn(move || read_in_pieces(rig, seed))).collect();
        for terminal in [APOLLO, P6X] {
            let session = rig.approve(terminal, 5000);
            rig.energy(&session, 1200);
            rig.commit(&session, 1300);
        }
        let held = rig.approve(P6X, 700);
        rig.kill9();
        rig.start_again();
        rig.void(&held);
        // The last record is the one that says who drained a terminal.
        assert_eq!(rig.api.post(&format!("/v1/terminals/{APOLLO}/drain"), &json!({})).0, 200);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    let journal = journal_of(&rig);
    for (seed, seen) in seen.iter().enumerate() {
        eprintln!("reader {seed}");
        assert_same(seen, &journal[..seen.len()]);
    }
    assert_eq!(journal.iter().filter(|event| event.data["kind"] == "disposed").count(), 3);
    rig.finish();
}

/// Without a number a reader gets what comes from now on; a filter leaves records out and numbers as they are; and all of it goes on
/// while more comes.
#[test]
fn a_reader_may_want_a_part_only() {
    let rig = Rig::pair().start();
    let early = rig.approve(APOLLO, 5000);
    rig.commit(&early, 100);
    let newest = journal_of(&rig).len() as u64;
    let mut from_now = rig.api.events("", None).unwrap();
    assert_eq!(from_now.next(), Came::Begin(newest));
    let mut of_p6x = rig.api.events(&format!("?terminal={P6X}&after=0"), None).unwrap();
    let late = rig.approve(P6X, 4000);
    let mut of_late = rig.api.events(&format!("?session={late}&after=0"), None).unwrap();
    let mut of_early = rig.api.events(&format!("?session={early}&terminal={APOLLO}&after=0"), None).unwrap();
    rig.void(&late);
    rig.ask_to_end();

    let read = |stream: &mut Stream| -> Vec<Event> { std::iter::from_fn(|| stream.event()).collect() };
    let (from_now, of_p6x, of_late, of_early) =
        (read(&mut from_now), read(&mut of_p6x), read(&mut of_late), read(&mut of_early));
    assert_eq!(rig.exit_code(), 0);
    let mut journal = journal_of(&rig);
    // The last record says that the program has ended, when nobody listens any more.
    assert_eq!(journal.pop().unwrap().data["kind"], "stopped");
    let of = |field: &str, value: &str| -> Vec<Event> {
        journal.iter().filter(|event| event.data[field] == value).cloned().collect()
    };
    assert_same(&from_now, &journal[usize::try_from(newest).unwrap()..]);
    assert_same(&of_p6x, &of("terminal", P6X));
    assert_same(&of_late, &of("session", &late));
    assert_same(&of_early, &of("session", &early));
    let kinds: Vec<&Value> = of_late.iter().map(|event| &event.data["kind"]).collect();
    assert_eq!([&kinds[..2], &kinds[kinds.len() - 1..]].concat(), ["opened", "authorise_intended", "disposed"]);
    rig.check_books();
}

/// Nobody without a token reads; the last place is kept for who has it; and a quiet stream has its heartbeat, which also frees the
/// place of a reader that is gone.
#[test]
fn places_tokens_and_heartbeats() {
    let rig = Rig::pair().token("a token").api("events", "{ streams = 1, heartbeat = \"20ms\" }").start();
    let refused = |query: &str| rig.api.events(query, None).err().unwrap();
    let mut first = rig.api.events("?terminal=p6x-1", None).unwrap();
    assert!(matches!(first.next(), Came::Begin(_)));
    while first.next() != Came::Comment(String::new()) {}
    assert_eq!(rig.metric("quittance_event_streams", &[]), 1.0);
    let (status, problem) = refused("");
    assert_eq!(
        (status, &problem["code"], &problem["retry_after"]),
        (503, &json!("too_many_streams"), &json!("5")),
        "{problem}"
    );
    // What is wrong is said even when there is no room.
    assert_eq!(refused("?after=1000000").1["code"], "event_unknown");
    let (status, problem) = rig.api.events_as(Some("another"), "", None).err().unwrap();
    assert_eq!((status, &problem["code"]), (401, &json!("unauthorised")), "{problem}");
    drop(first);
    rig.until("a free place", || rig.api.events("", None).ok());
    rig.finish();
}

/// A journal of so many records that are never looked at.
fn fill(path: &Path, records: usize) {
    let journal = SqliteJournal::open(path, Arc::new(())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let at = Timestamp::from_unix_millis(1_780_000_000_000);
    let entry = |number: usize| {
        let fact = Fact::Resumed { by: format!("{number:0>500}") };
        Entry { at, terminal: "apollo-1".parse().ok(), session: None, fact }
    };
    runtime.block_on(journal.append((0..records).map(entry).collect())).unwrap();
}

/// A connection whose other end is told at once that there is hardly any room.
fn small_socket(address: SocketAddr) -> TcpStream {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
    connect(&socket, &address).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

/// A reader that does not read is cut off, and money moves meanwhile; when it comes again it misses nothing.
#[test]
fn a_slow_reader_is_cut_off_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.db");
    fill(&journal, 4000);
    let rig = Rig::pair().journal(journal).api("write_timeout", "\"300ms\"").start();
    let mut socket = small_socket(rig.api.address().parse().unwrap());
    events::ask(&mut socket, 0).unwrap();
    rig.until("reading", || (rig.metric("quittance_event_streams", &[]) == 1.0).then_some(()));
    let session = rig.approve(APOLLO, 5000);
    rig.commit(&session, 700);
    rig.until("cut off", || (rig.metric("quittance_event_streams", &[]) == 0.0).then_some(()));

    let mut stream = Stream::answered(socket).unwrap();
    let mut seen: Vec<Event> = std::iter::from_fn(|| stream.event()).collect();
    assert!(!seen.is_empty() && seen.len() < 2000, "{} events have reached it", seen.len());
    let journal = journal_of(&rig);
    // A slow machine makes slow readers, which are cut off, too.
    while seen.len() < journal.len() {
        let mut again = rig.api.events("", seen.last().map(|event| event.id)).unwrap();
        let missing = journal.len() - seen.len();
        seen.extend(std::iter::from_fn(|| again.event()).take(missing));
    }
    assert_same(&seen, &journal);
    rig.finish();
}

/// A damaged record is left out, which its missing number tells; all others come, also those that are written later.
#[test]
fn a_damaged_record_is_a_missing_number() {
    let rig = Rig::pair().start();
    let session = rig.approve(APOLLO, 5000);
    rig.commit(&session, 700);
    assert_eq!(rig.terminate(), 0);
    let before = journal_of(&rig);
    let connection = rusqlite::Connection::open(rig.journal()).unwrap();
    connection.execute("UPDATE record SET body = 'nothing' WHERE seq = 3", []).unwrap();
    drop(connection);
    rig.start_unready();
    let mut stream = rig.api.events("?after=0", None).unwrap();
    let mut seen: Vec<Event> = std::iter::from_fn(|| stream.event()).take(before.len()).collect();
    let started = seen.pop().unwrap();
    assert_same(&seen, &before.iter().filter(|event| event.id != 3).cloned().collect::<Vec<_>>());
    assert_eq!((started.id, &started.data["kind"]), (before.len() as u64 + 1, &json!("started")));
    assert_eq!(rig.terminate(), 0);
}
