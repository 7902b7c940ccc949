//! The commands on real files.

use std::sync::Arc;

use super::*;
use crate::journal::{Entry, Fact, Journal, SqliteJournal};
use crate::time::Timestamp;

fn entry(version: &str) -> Entry {
    let fact = Fact::Started { version: version.to_owned() };
    Entry { at: Timestamp::from_unix_millis(0), terminal: None, session: None, fact }
}

fn all(records: &mut dyn Iterator<Item = Record>) -> Result<String, (u64, String)> {
    Ok(format!("{} seen", records.count()))
}

fn run(command: impl FnOnce(&mut dyn Write) -> ExitCode) -> (bool, String) {
    let mut out = Vec::new();
    let exit = command(&mut out);
    (exit == ExitCode::SUCCESS, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_journal_is_shown_and_verified_while_it_is_written_and_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = SqliteJournal::open(&path, Arc::new(())).unwrap();
    journal.append(vec![entry("1"), entry("2")]).await.unwrap();
    for _running in [Some(journal), None] {
        let (sound, said) = run(|out| verify(&path, None, all, out));
        assert!(sound && said.starts_with("sound: 2 records; 2 seen; the last hash is "), "{said}");
        let last = said.trim_end().rsplit(' ').next().unwrap().to_owned();
        let (sound, said) = run(|out| verify(&path, Some(2), all, out));
        assert!(sound && said.ends_with(&format!("\nrecord 2 has the hash {last}\n")), "{said}");
        assert!(!run(|out| verify(&path, Some(3), all, out)).0, "there is no record 3");
        let (sound, said) = run(|out| show(&path, None, false, out));
        assert!(sound);
        let lines = [
            "     1  1970-01-01T00:00:00.000Z  -  -  started  version=\"1\"",
            "     2  1970-01-01T00:00:00.000Z  -  -  started  version=\"2\"",
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), lines);
        let (_, said) = run(|out| show(&path, None, true, out));
        assert_eq!(
            said.lines().next(),
            Some(r#"{"at":"1970-01-01T00:00:00.000Z","kind":"started","seq":1,"session":null,"terminal":null,"version":"1"}"#)
        );
    }
}

#[tokio::test]
async fn what_is_not_sound_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = SqliteJournal::open(&path, Arc::new(())).unwrap();
    journal.append(vec![entry("1"), entry("2"), entry("3")]).await.unwrap();
    drop(journal);
    let (sound, said) = run(|out| verify(&path, None, |_| Err((2, "not legal".to_owned())), out));
    assert_eq!((sound, said.as_str()), (false, "not sound: record 2: not legal\n"));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("UPDATE record SET body = '{\"version\":\"9\"}' WHERE seq = 2", []).unwrap();
    let (sound, said) = run(|out| verify(&path, None, all, out));
    assert!(!sound && said.starts_with("not sound: record 2: its hash"), "{said}");
    let (sound, said) = run(|out| show(&path, None, false, out));
    assert_eq!((sound, said.lines().count()), (false, 2), "the other two are shown");
}

#[test]
fn a_missing_file_is_an_error_and_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    assert_eq!(run(|out| verify(&path, None, all, out)), (false, String::new()));
    assert_eq!(run(|out| show(&path, None, true, out)), (false, String::new()));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
