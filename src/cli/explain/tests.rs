//! Stories out of real files.

use std::sync::Arc;

use super::*;
use crate::journal::{Entry, Journal, SqliteJournal};
use crate::time::Clock;

const ONE: &str = "01936b1e-7c00-7000-8000-000000000001";
const TWO: &str = "01936b1e-7c11-7000-8000-000000000002";

fn entry(seconds: i64, session: &str, fact: &str) -> Entry {
    let at = Timestamp::from_unix_millis(1_772_359_200_000 + seconds * 1000);
    let session = Some(session.parse().unwrap());
    Entry { at, terminal: Some("bay-02".parse().unwrap()), session, fact: serde_json::from_str(fact).unwrap() }
}

/// Two sessions: one that was cancelled, one that waits for a card.
fn entries() -> Vec<Entry> {
    let opened = r#"{"kind":"opened","origin":"api","connector":1,"reference":7,"caller_reference":null,"amount":5000,
        "currency":"EUR","idempotency":null}"#;
    vec![entry(0, ONE, opened), entry(1, ONE, r#"{"kind":"cancelled","by":"api"}"#), entry(86_400, TWO, opened)]
}

fn explained(file: &Path, session: &str, json: bool) -> (u8, String, String) {
    let server = Server { url: String::new(), token: None, ca: None };
    let args = Args { session: session.to_owned(), journal: Some(file.to_owned()), json, server };
    let clock = Clock::starting_at(Timestamp::from_unix_millis(1_772_500_000_000));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(&args, &Screen { colours: false, lines: None, clock }, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// By the beginning of its name, while the program writes and afterwards, laid out for people, and as JSON.
#[tokio::test]
async fn a_session_is_told_out_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let journal = SqliteJournal::open(&file, Arc::new(())).unwrap();
    journal.append(entries()).await.unwrap();
    let wanted = format!(
        "Session {ONE} on bay-02, connector 1: cancelled, 50.00 EUR were asked for\n\n\
         2026-03-01, UTC\n\
         10:00:00.000  A hold of 50.00 EUR on bay-02 for connector 1 was asked for through the API. The terminal is to\n              \
         wait for a card. Its session reference is 7.\n\
         10:00:01.000  Cancelled: a request to the API cancelled it. Nothing is held.\n\n\
         Nothing is left to be done.\n"
    );
    for _running in [Some(journal), None] {
        assert_eq!(explained(&file, &ONE[..12].to_uppercase(), false), (0, wanted.clone(), String::new()));
    }
    let (code, out, _) = explained(&file, ONE, true);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["state"], &told["story"][1]["record"]["by"]), (0, &"cancelled".into(), &"api".into()));
    assert_eq!((&told["story"][0]["seq"], &told["story"][0]["at"]), (&1.into(), &"2026-03-01T10:00:00.000Z".into()));
    assert!(explained(&file, TWO, false).1.contains("\n2026-03-02, UTC\n10:00:00.000  A hold"));

    let (code, out, err) = explained(&file, "01936b1e", false);
    assert_eq!((code, out.as_str(), err), (1, "", format!("2 sessions' names begin with 01936b1e: {ONE}, {TWO}\n")));
    let (code, _, err) = explained(&file, "ff", false);
    let name = file.display();
    assert_eq!((code, err), (1, format!("{name}: in its 3 records there is no session whose name begins with ff\n")));
}

/// A damaged journal tells what it can, says where it is damaged, and fails.
#[tokio::test]
async fn a_damaged_journal_is_not_smoothed_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let journal = SqliteJournal::open(&file, Arc::new(())).unwrap();
    journal.append(entries()).await.unwrap();
    drop(journal);
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute("UPDATE record SET body = '{\"by\":\"terminal\"}' WHERE seq = 2", []).unwrap();
    let (code, out, _) = explained(&file, ONE, false);
    assert_eq!(code, 1);
    let line = "—             Record 2 of this session is damaged (its hash does not fit what it says or the record before\n";
    assert!(out.contains(line), "{out}");
    assert!(out.contains("The journal is damaged here"), "{out}");
    connection.execute("DELETE FROM record WHERE seq = 2", []).unwrap();
    let (code, out, _) = explained(&file, ONE, false);
    assert!(code == 1 && out.contains("—             Record 2 is missing; nobody can say"), "{out}");
    let (code, _, err) = explained(&file, "ff", false);
    assert!(code == 1 && err.ends_with("; but the journal is damaged, so there may have been one\n"), "{err}");
    let (code, _, err) = explained(&folder.path().join("no.db"), ONE, false);
    assert!(code == 1 && err.contains("No such file"), "{err}");
}
