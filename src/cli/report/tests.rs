//! Reports from journals that are typed by hand.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::journal::{Entry, Journal, SqliteJournal};
use crate::time::Clock;

/// 2026-03-01T10:00:00Z.
const TEN: i64 = 1_772_359_200_000;

fn session(number: u8) -> String {
    format!("01936b1e-7c00-7000-8000-0000000000{number:02x}")
}

fn entry(seconds: i64, number: u8, terminal: &str, fact: Value) -> Entry {
    let at = Timestamp::from_unix_millis(TEN + seconds * 1000);
    let session = (number > 0).then(|| session(number).parse().unwrap());
    Entry { at, terminal: Some(terminal.parse().unwrap()), session, fact: serde_json::from_value(fact).unwrap() }
}

/// What every session here begins with: opened, and approved for 50.00 two seconds later.
fn held(seconds: i64, number: u8, terminal: &str) -> Vec<Entry> {
    let mut entries = asked(seconds, number, terminal);
    let later = |seconds: i64| Timestamp::from_unix_millis(TEN + seconds * 1000);
    entries.push(entry(
        seconds + 2,
        number,
        terminal,
        json!({ "kind": "hold_placed", "terminal_session_id": 1000 + u32::from(number), "amount": 5000, "learned": "approved",
            "plug_in_by": later(seconds + 302), "end_by": later(seconds + 43_202), "at_end": "commit_last_known",
            "dead_man": { "at": later(seconds + 86_401), "action": "void" } }),
    ));
    entries
}

fn asked(seconds: i64, number: u8, terminal: &str) -> Vec<Entry> {
    let opened = json!({ "kind": "opened", "origin": "api", "connector": 1, "reference": number, "caller_reference": "plug <7>",
        "amount": 5000, "currency": "EUR", "idempotency": null });
    let dead_man = json!({ "at": Timestamp::from_unix_millis(TEN + (seconds + 86_401) * 1000), "action": "void" });
    let card = json!({ "hash": "0123456789ABCDEF", "masked_pan": "541333******0019" });
    let intended = json!({ "kind": "authorise_intended", "card": card, "dead_man": dead_man });
    vec![entry(seconds, number, terminal, opened), entry(seconds + 1, number, terminal, intended)]
}

fn committed(seconds: i64, number: u8, terminal: &str, confirmed_by: &str, after: i64) -> Vec<Entry> {
    let of = |at, fact| entry(at, number, terminal, fact);
    let mut entries = held(seconds, number, terminal);
    let decided = seconds + 200;
    entries.extend([
        of(seconds + 100, json!({ "kind": "energy_reported", "amount": 3140 })),
        of(decided, json!({ "kind": "disposal_decided", "decision": { "commit": 3140 }, "by": "api" })),
        of(decided, json!({ "kind": "attempt_started", "attempt": 1 })),
    ]);
    if confirmed_by != "result_ok" {
        entries.push(of(decided + 1, json!({ "kind": "attempt_unanswered", "attempt": 1, "cause": "link_lost" })));
    }
    entries.push(of(
        decided + after,
        json!({ "kind": "disposed", "outcome": { "committed": 3140 }, "confirmed_by": confirmed_by }),
    ));
    entries
}

/// Nine sessions with every kind of end, and what nobody approved.
fn depot() -> Vec<Entry> {
    let two = "bay-02";
    let mut all = committed(0, 1, "bay-01", "result_ok", 2);
    all.extend(committed(60, 2, two, "presumed", 30));
    all.extend(held(120, 3, "bay-01"));
    all.push(entry(430, 3, "bay-01", json!({ "kind": "disposal_decided", "decision": "void", "by": "plug_in_timeout" })));
    all.push(entry(430, 3, "bay-01", json!({ "kind": "attempt_started", "attempt": 1 })));
    all.push(entry(431, 3, "bay-01", json!({ "kind": "disposed", "outcome": "voided", "confirmed_by": "result_ok" })));
    all.extend(asked(180, 4, two));
    all.push(entry(390, 4, two, json!({ "kind": "authorise_unanswered", "cause": "timeout" })));
    all.extend(held(240, 5, two));
    all.push(entry(250, 5, two, json!({ "kind": "became_uncertain", "why": "nobody <knows>" })));
    all.extend(held(300, 6, two));
    all.push(entry(310, 6, two, json!({ "kind": "became_uncertain", "why": "x" })));
    all.push(entry(
        320,
        6,
        two,
        json!({ "kind": "resolved", "outcome": { "committed": 249 }, "note": "settlement file", "by": "anna" }),
    ));
    all.extend(committed(360, 7, "bay-01", "result_ok", 1200));
    all.extend(asked(420, 8, "bay-01"));
    all.push(entry(422, 8, "bay-01", json!({ "kind": "declined", "reason": 9 })));
    all.extend(held(86_400, 9, "bay-01"));
    all
}

async fn journal(folder: &Path, entries: Vec<Entry>) -> PathBuf {
    let file = folder.join("journal.db");
    let journal = SqliteJournal::open(&file, Arc::new(())).unwrap();
    journal.append(entries).await.unwrap();
    file
}

fn reported(file: &Path, change: impl FnOnce(&mut Args)) -> (u8, String, String) {
    let mut args = Args { from: None, to: None, terminal: None, json: false, html: false, journal: file.to_owned() };
    change(&mut args);
    let screen = Screen { colours: false, lines: None, clock: Clock::start() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(&args, &screen, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn parsed(file: &Path, change: impl FnOnce(&mut Args)) -> Value {
    let (code, out, err) = reported(file, |args| {
        args.json = true;
        change(args);
    });
    assert_eq!((code, err.as_str()), (0, ""));
    serde_json::from_str(&out).unwrap()
}

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

/// The most urgent first, whatever their age; what was declined is no session of a report.
#[tokio::test]
async fn exceptions_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = journal(folder.path(), depot()).await;
    let report = parsed(&file, |_| {});
    let wanted = [5, 4, 9, 2, 6, 7].map(session);
    assert_eq!(report["exceptions"], json!(wanted), "{report:#}");
    let kinds = |number: u8| {
        let all = report["sessions"].as_array().unwrap();
        let line = all.iter().find(|line| line["session"] == session(number)).unwrap();
        line["exceptions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["kind"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(5), ["uncertain"]);
    assert_eq!(kinds(4), ["in_doubt"], "and not late: the terminal's timer has not come");
    assert_eq!(
        (kinds(9), kinds(2), kinds(6)),
        (vec!["undisposed".into()], vec!["presumed".into()], vec!["resolved_by_person".into()])
    );
    assert_eq!((kinds(7), kinds(1), kinds(3)), (vec!["late".into()], vec![], vec![]));
    assert_eq!(report["sessions"].as_array().unwrap().len(), 8);
    let (code, text, _) = reported(&file, |_| {});
    assert_eq!(code, 0);
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is not in\n{text}"));
    assert!(place("Exceptions: 6") < place("Sums in EUR") && place("Sums in EUR") < place("Sessions: 8"), "{text}");
    assert!(text.contains("settled by a person: anna, \"settlement file\""), "{text}");
    assert!(text.contains("late: confirmed 20m after the decision"), "{text}");
}

/// To the cent, of each terminal and of all: approved = committed + voided + expired + open.
#[tokio::test]
async fn sums_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = journal(folder.path(), depot()).await;
    let report = parsed(&file, |_| {});
    let sums = report["sums"].as_array().unwrap();
    let of = |terminal: Value| sums.iter().find(|sum| sum["terminal"] == terminal).unwrap();
    let all = of(Value::Null);
    assert_eq!(all["approved"], json!({ "sessions": 8, "held": 35000 }));
    assert_eq!(all["committed"], json!({ "sessions": 4, "held": 20000, "captured": 3 * 3140 + 249 }));
    assert_eq!(all["voided"], json!({ "sessions": 1, "held": 5000 }));
    assert_eq!(all["expired"], json!({ "sessions": 0, "held": 0 }));
    assert_eq!(all["open"], json!({ "sessions": 3, "held": 10000, "amount_unknown": 1 }));
    assert_eq!(of("bay-01".into())["committed"], json!({ "sessions": 2, "held": 10000, "captured": 6280 }));
    assert_eq!(of("bay-02".into())["open"], json!({ "sessions": 2, "held": 5000, "amount_unknown": 1 }));
    let (_, text, _) = reported(&file, |_| {});
    let row = text.lines().find(|line| line.starts_with("all ")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["all", "8", "350.00", "4", "96.69", "1", "0", "3", "100.00"]);
}

/// `[from, to)` of the approval; durations and the records behind each line.
#[tokio::test]
async fn the_time_is_that_of_the_approval() {
    let folder = tempfile::tempdir().unwrap();
    let file = journal(folder.path(), depot()).await;
    let names = |report: &Value| {
        let all = report["sessions"].as_array().unwrap();
        all.iter().map(|line| line["session"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Session 2 was opened at 10:01:00 and approved at 10:01:02.
    let from = parsed(&file, |args| (args.from, args.to) = (at("2026-03-01T10:01:02Z"), at("2026-03-01T11:02:02+01:00")));
    assert_eq!(names(&from), [session(2)]);
    let after = parsed(&file, |args| (args.from, args.to) = (at("2026-03-01T10:01:03Z"), at("2026-03-01T10:02:03Z")));
    assert_eq!(names(&after), [session(3)]);
    assert_eq!(names(&parsed(&file, |args| args.to = at("2026-03-01T00:00:00Z"))), Vec::<String>::new());
    assert_eq!(names(&parsed(&file, |args| args.from = at("2026-03-02T00:00:00Z"))), [session(9)]);
    assert_eq!(names(&parsed(&file, |args| args.terminal = Some("bay-02".parse().unwrap()))).len(), 4);
    let line = &from["sessions"][0];
    assert_eq!((&line["seconds_to_decision"], &line["seconds_to_confirmation"]), (&json!(198.0), &json!(30.0)));
    assert_eq!((&line["records"], &line["masked_pan"]), (&json!({ "first": 8, "last": 15 }), &json!("541333******0019")));
    assert!(!from.to_string().contains("0123456789"), "a card's hash is nobody's business here");
    let (code, _, err) =
        reported(&file, |args| (args.from, args.to) = (at("2026-03-02T00:00:00Z"), at("2026-03-01T00:00:00Z")));
    assert!(code == 1 && err.contains("is not before"), "{err}");
}

/// The hashes are those of the file, and the same journal gives the same report; a later one keeps the old hash at its old place.
#[tokio::test]
async fn a_report_names_the_records_that_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = journal(folder.path(), depot()).await;
    let hash = |seq: u64| -> String {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.query_row("SELECT hash FROM record WHERE seq = ?1", [seq.cast_signed()], |row| row.get(0)).unwrap()
    };
    let last = u64::try_from(depot().len()).unwrap();
    let report = parsed(&file, |_| {});
    assert_eq!(report["journal"]["first"], json!({ "seq": 1, "hash": hash(1) }));
    assert_eq!(report["journal"]["last"], json!({ "seq": last, "hash": hash(last) }));
    let (_, page, _) = reported(&file, |args| args.html = true);
    assert!(page.contains(&hash(1)) && page.contains(&hash(last)) && page.contains(&format!("--at {last}")));
    assert_eq!(reported(&file, |args| args.html = true).1, page);
}

/// It is still made of what can be read, says that above everything else, and fails.
#[tokio::test]
async fn a_damaged_journal_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = journal(folder.path(), depot()).await;
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute("UPDATE record SET body = '{}' WHERE seq = 1", []).unwrap();
    connection.execute("DELETE FROM record WHERE seq = 12", []).unwrap();
    drop(connection);
    let (code, text, _) = reported(&file, |_| {});
    assert_eq!(code, 1);
    assert!(text.contains("THE JOURNAL IS NOT SOUND: record 1 is damaged") && text.contains("record 12 is missing"), "{text}");
    assert!(text.contains(&format!("session {} cannot be told: record 1 is damaged", session(1))), "{text}");
    assert!(text.contains("its records do not follow from each other: record 13:"), "{text}");
    let (code, page, _) = reported(&file, |args| args.html = true);
    assert!(code == 1 && page.contains("The journal is not sound"));
}

/// It opens alone: nothing is loaded, nothing runs, and what others have written is text.
#[tokio::test]
async fn a_page_needs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = journal(folder.path(), depot()).await;
    let (code, page, err) = reported(&file, |args| args.html = true);
    assert_eq!((code, err.as_str()), (0, ""));
    for loaded in ["src=", "href=", "url(", "@import", "<script", "http:", "https:"] {
        assert!(!page.contains(loaded), "{loaded}");
    }
    assert!(page.contains("nobody &lt;knows&gt;") && page.contains("plug &lt;7&gt;") && !page.contains("<knows>"));
    assert!(page.contains("display: table-header-group") && page.contains("@page"));
}
