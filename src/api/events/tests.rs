//! Events of a journal in memory: what a reader is sent, and when its stream ends.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use actix_web::body::MessageBody;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use futures_util::StreamExt;

use super::ring::{Chunk, Event, Ring};
use super::*;
use crate::api::tests::{SESSION, Scripted, at, live, opened, tokens};
use crate::api::{Live, Token, routes};
use crate::journal::{Entry, Fact, Journal, MemoryJournal, Record};

/// A record of a terminal, whose text is some hundred bytes long.
fn entry(terminal: &str) -> Entry {
    let fact = Fact::Drained { by: "x".repeat(100) };
    Entry { at: at("2026-03-01T08:00:00Z"), terminal: terminal.parse().ok(), session: None, fact }
}

fn records(numbers: std::ops::RangeInclusive<u64>) -> Vec<Record> {
    let terminal = |seq: u64| if seq.is_multiple_of(3) { "bay-03" } else { "bay-01" };
    numbers.map(|seq| Record { seq, entry: entry(terminal(seq)) }).collect()
}

fn events(numbers: std::ops::RangeInclusive<u64>) -> Vec<Event> {
    records(numbers).iter().map(Event::of).collect()
}

fn of(terminal: &str) -> Selection {
    Selection { terminal: terminal.parse().ok(), session: None }
}

/// The numbers of the events in a text.
fn ids(text: &[u8]) -> Vec<u64> {
    let text = std::str::from_utf8(text).unwrap();
    assert!(text.ends_with("\n\n"), "{text}");
    let blocks = text.split_terminator("\n\n").filter(|block| block.contains("data: "));
    let id = |block: &str| block.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().parse().unwrap();
    blocks.map(id).collect()
}

/// Reads on from `after` until the ring has no more, or does not know; the events' numbers, and where the reader is then.
fn read(ring: &Ring, mut after: u64, of: &Selection) -> Option<(Vec<u64>, u64)> {
    let mut seen = Vec::new();
    loop {
        let Chunk { bytes, up_to } = ring.after(after, of)?;
        after = up_to;
        if bytes.is_empty() {
            return Some((seen, after));
        }
        assert!(bytes.len() < 17 * 1024, "{}", bytes.len());
        seen.extend(ids(&bytes));
    }
}

/// Whatever is asked for is handed out whole and in order, or not at all when it is too old; a filter moves the reader on, too.
#[test]
fn the_ring_knows_the_newest_records_and_what_it_has_forgotten() {
    let mut ring = Ring::behind(10);
    let all = Selection::default();
    assert_eq!(ring.after(9, &all), None, "older than all that was ever here");
    assert_eq!(read(&ring, 10, &all), Some((vec![], 10)));
    assert_eq!(read(&ring, 12, &all), Some((vec![], 12)), "a reader that knows more already stays where it is");

    ring.push(events(11..=16), 16);
    assert_eq!(read(&ring, 10, &all), Some(((11..=16).collect(), 16)));
    assert_eq!(read(&ring, 14, &all), Some((vec![15, 16], 16)));
    assert_eq!(read(&ring, 10, &of("bay-03")), Some((vec![12, 15], 16)));
    assert_eq!(read(&ring, 12, &of("nowhere")), Some((vec![], 16)));
    // Numbers 17 and 19 cannot be read any more.
    ring.push([events(18..=18), events(20..=20)].concat(), 20);
    assert_eq!(read(&ring, 16, &all), Some((vec![18, 20], 20)));

    ring.push(events(21..=2000), 2000);
    let newest = Some(((977..=2000).collect(), 2000));
    assert_eq!(read(&ring, 976, &all), newest, "a thousand and twenty-four of them");
    assert_eq!(ring.after(975, &all), None);
    let long = Entry { fact: Fact::Drained { by: "x".repeat(700_000) }, ..entry("bay-01") };
    ring.push([2001, 2002].map(|seq| Event::of(&Record { seq, entry: long.clone() })).to_vec(), 2002);
    assert_eq!(ring.after(2000, &all), None, "two such records are too long for it");
    assert_eq!(ring.after(2001, &all).map(|chunk| chunk.up_to), Some(2002), "one is handed out whole");
}

/// `id:` is the number in the journal, `data:` one line of JSON without the card.
#[test]
fn an_event_is_the_record_as_everybody_may_see_it() {
    let fact = Fact::CardRead {
        card: crate::card::Card { hash: Some(crate::card::CardHash::new("0123456789ABCDEF")), masked_pan: None },
        authorise_by: at("2026-03-01T08:00:27Z"),
    };
    let session = SESSION.parse().ok();
    let entry = Entry { at: at("2026-03-01T08:00:00Z"), terminal: "bay-01".parse().ok(), session, fact };
    let chunk = Chunk::of(&[Record { seq: 4711, entry }], 4711);
    let text = std::str::from_utf8(&chunk.bytes).unwrap();
    let data = text.strip_prefix("id: 4711\ndata: ").and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(data).unwrap(),
        serde_json::json!({
            "seq": 4711, "at": "2026-03-01T08:00:00.000Z", "terminal": "bay-01", "session": SESSION, "kind": "card_read",
            "card": { "hash": "01234567…", "masked_pan": null }, "authorise_by": "2026-03-01T08:00:27.000Z",
        })
    );
}

/// What a reader is sent, chunk by chunk.
struct Reading(Pin<Box<dyn futures_util::Stream<Item = bytes::Bytes>>>);

impl Reading {
    fn of(stream: stream::Stream) -> Self {
        Self(Box::pin(stream.chunks().map(|chunk| chunk.unwrap())))
    }

    async fn next(&mut self) -> Option<String> {
        self.0.next().await.map(|chunk| String::from_utf8(chunk.to_vec()).unwrap())
    }

    /// The next events' numbers, until the one with this number.
    async fn until(&mut self, last: u64) -> Vec<u64> {
        let mut seen = Vec::new();
        while seen.last() != Some(&last) {
            seen.extend(ids(self.next().await.unwrap().as_bytes()));
        }
        seen
    }
}

fn serve_from(journal: &MemoryJournal, settings: Settings) -> Events {
    Events::start(Arc::new(journal.clone()), settings, |_| ()).unwrap()
}

/// Some read from the beginning, some from the middle, one only a terminal: while records are written, each gets all of its own once.
#[tokio::test]
async fn readers_that_are_behind_catch_up_while_records_are_written() {
    let journal = MemoryJournal::with(records(1..=3000));
    let events = serve_from(&journal, Settings::default());
    let mut readers: Vec<_> =
        [0, 5, 2990, 3000].map(|after| (after, Reading::of(events.open(Selection::default(), after).unwrap()))).into();
    let mut third = Reading::of(events.open(of("bay-03"), 0).unwrap());
    assert_eq!(third.next().await.unwrap(), "retry: 1000\nid: 0\n\n");
    for (after, reader) in &mut readers {
        assert_eq!(reader.next().await.unwrap(), format!("retry: 1000\nid: {after}\n\n"));
    }
    let writing = tokio::spawn(async move {
        for record in records(3001..=6000) {
            journal.append(vec![record.entry]).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    for (after, reader) in &mut readers {
        assert_eq!(reader.until(6000).await, (*after + 1..=6000).collect::<Vec<_>>());
    }
    assert_eq!(third.until(6000).await, (1..=2000).map(|number| number * 3).collect::<Vec<_>>());
    writing.await.unwrap();
}

/// A quiet stream says every now and then that it lives; the clock is paused, so the time is exact.
#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the paused clock of the test")]
async fn a_quiet_stream_has_a_heartbeat() {
    let journal = MemoryJournal::with(records(1..=2));
    let events = serve_from(&journal, Settings { heartbeat: Duration::from_secs(15), ..Settings::default() });
    let mut reader = Reading::of(events.open(of("nowhere"), 0).unwrap());
    reader.next().await.unwrap();
    for _ in 0..3 {
        let began = tokio::time::Instant::now();
        assert_eq!(reader.next().await.unwrap(), ":\n\n");
        assert_eq!(began.elapsed().as_secs(), 15);
    }
}

/// Told to end, every reader gets what there is; then its stream is over.
#[tokio::test]
async fn streams_end_with_the_last_record() {
    let journal = MemoryJournal::new();
    let events = serve_from(&journal, Settings::default());
    let mut reader = Reading::of(events.open(Selection::default(), 0).unwrap());
    reader.next().await.unwrap();
    journal.append(vec![entry("bay-01"), entry("bay-02")]).await.unwrap();
    events.close();
    assert_eq!(reader.until(2).await, [1, 2]);
    assert_eq!(reader.next().await, None);
}

/// There are so many places and no more; whoever leaves makes room, and each change is told.
#[tokio::test]
async fn places_are_limited() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let settings = Settings { streams: 2, ..Settings::default() };
    let count = move |open| heard.lock().unwrap().push(open);
    let events = Events::start(Arc::new(MemoryJournal::new()), settings, count).unwrap();
    let open = || events.open(Selection::default(), 0);
    let (first, second) = (open().unwrap(), open().unwrap());
    assert!(open().is_none());
    drop(first);
    let third = open().unwrap();
    assert!(open().is_none());
    drop((second, third));
    assert_eq!(*told.lock().unwrap(), [1, 2, 1, 2, 1, 0]);
}

/// Every question that cannot be answered, and what is said to it.
#[tokio::test]
async fn wrong_questions_are_refused_in_words() {
    let other = "01936b1e-7c00-7000-8000-00000000ffff";
    let journal = MemoryJournal::with(records(1..=9));
    for (query, last, status, code, word) in [
        ("?after=ten", None, 400, "malformed", "the number of a record, such as 4711, but it is \"ten\""),
        ("?after=-1", None, 400, "malformed", "\"-1\""),
        ("?after=10", None, 404, "event_unknown", "follow on number 10, but the journal ends with 9"),
        ("?after=3", Some("10"), 404, "event_unknown", "10"),
        ("", Some("none"), 400, "malformed", "one Last-Event-ID is expected"),
        ("?terminal=bay-77", None, 404, "terminal_unknown", "bay-77"),
        ("?terminal=Bay%2077", None, 404, "terminal_unknown", "Bay 77"),
        (&format!("?session={other}"), None, 404, "session_unknown", other),
        ("?session=mine", None, 404, "session_unknown", "mine"),
        ("?since=3", None, 400, "malformed", "known: after, terminal, session"),
    ] {
        let headers: Vec<_> = last.iter().map(|last| ("Last-Event-ID", *last)).collect();
        let path = format!("/v1/events{query}");
        let (found, body) = ask(&journal, Vec::new(), &path, &headers).await;
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{path}: {body}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{path}: {body}");
    }
}

/// The header goes before the query, since a browser repeats the query; every role may read, and nobody else.
#[tokio::test]
async fn where_a_reader_begins_and_who_may_be_one() {
    let journal = MemoryJournal::with(records(1..=9));
    let (viewer, stranger) = (Some("Bearer viewer-token"), Some("Bearer nobody"));
    for (query, last, token, begin) in [
        ("", None, viewer, Ok(9)),
        ("?after=0", None, viewer, Ok(0)),
        ("?after=4", None, Some("Bearer operator-token"), Ok(4)),
        ("?after=4", Some("7"), Some("Bearer admin-token"), Ok(7)),
        ("?terminal=bay-01", Some(""), viewer, Ok(9)),
        ("", None, None, Err(401)),
        ("", None, stranger, Err(401)),
    ] {
        let headers = [("Last-Event-ID", last), ("Authorization", token)];
        let headers: Vec<_> = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let path = format!("/v1/events{query}");
        let (status, text) = ask(&journal, tokens(), &path, &headers).await;
        match begin {
            Err(refused) => assert_eq!(status, refused, "{path}: {text}"),
            Ok(begin) => assert_eq!((status, text), (200, format!("retry: 1000\nid: {begin}\n\n")), "{path}"),
        }
    }
}

/// The status, and the first that comes of the body.
async fn ask(journal: &MemoryJournal, tokens: Vec<Token>, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let depot = Scripted::new(opened());
    let live = Live { events: serve_from(journal, Settings::default()), ..live(&depot, tokens) };
    let api = web::Data::new(Api::new("depot".to_owned(), depot, live, String::new));
    let app = init_service(App::new().configure(|app| routes(app, api))).await;
    let mut request = TestRequest::with_uri(path);
    for header in headers {
        request = request.insert_header(*header);
    }
    let response = call_service(&app, request.to_request()).await;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let first = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await.unwrap().unwrap();
    (status, String::from_utf8(first.to_vec()).unwrap())
}
