//! The journal in a file.

use super::*;

#[tokio::test]
async fn what_was_appended_is_there_after_reopening() {
    let place = Place::new();
    let journal = place.open();
    assert!(journal.opened().created);
    let entries = vec![started(), opened(1, "bay-01"), opened(2, "bay-02"), energy(1, 1240)];
    let appended = journal.append(entries.clone()).await.unwrap();
    assert_eq!(appended.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(appended.iter().map(|record| record.entry.clone()).collect::<Vec<_>>(), entries);
    drop(journal);

    let journal = place.open();
    assert_eq!(journal.opened(), &Opened { created: false, last: 4, cut: vec![], damage: None, end_lost: false });
    assert_eq!(journal.health(), Health::Writable);
    assert_eq!(journal.read(0, 100).await.unwrap(), appended);
    assert_eq!(journal.read(1, 2).await.unwrap(), appended[1..3]);
    assert_eq!(journal.session(session(1)).await.unwrap(), [appended[1].clone(), appended[3].clone()]);
    assert_eq!(journal.sessions(None, None, 10).await.unwrap(), [session(2), session(1)]);
    assert_eq!(journal.sessions(None, Some(session(2)), 10).await.unwrap(), [session(1)]);
    assert_eq!(journal.sessions(terminal("bay-02"), None, 10).await.unwrap(), [session(2)]);
    assert_eq!(journal.append(vec![energy(2, 1)]).await.unwrap()[0].seq, 5);
}

/// Both journals find the same: between two numbers, of a terminal, of a session, of both, and no more than wanted; and both tell
/// the newest number before they answer.
#[tokio::test]
async fn records_are_selected_by_number_terminal_and_session() {
    let place = Place::new();
    let (file, memory) = (place.open(), MemoryJournal::new());
    let journals: [&dyn Journal; 2] = [&file, &memory];
    let entries = [
        vec![started(), opened(1, "bay-01"), opened(2, "bay-02"), energy(1, 100)],
        vec![energy(1, 200), opened(3, "bay-01"), energy(3, 300)],
    ];
    for journal in journals {
        let mut newest = journal.newest();
        assert_eq!(*newest.borrow_and_update(), 0);
        for (entries, last) in entries.iter().zip([4, 7]) {
            journal.append(entries.clone()).await.unwrap();
            assert!(newest.has_changed().unwrap());
            assert_eq!(*newest.borrow_and_update(), last);
        }
        let of = |name: Option<&str>, number: Option<u8>| Selection {
            terminal: name.and_then(terminal),
            session: number.map(session),
        };
        for (selection, after, until, limit, expected) in [
            (of(None, None), 0, u64::MAX, 100, vec![1, 2, 3, 4, 5, 6, 7]),
            (of(None, None), 2, 5, 100, vec![3, 4, 5]),
            (of(None, None), 2, 5, 2, vec![3, 4]),
            (of(Some("bay-01"), None), 2, 7, 3, vec![4, 5, 6]),
            (of(None, Some(1)), 2, 4, 100, vec![4]),
            (of(Some("bay-01"), Some(3)), 0, 7, 100, vec![6, 7]),
            (of(Some("bay-02"), Some(3)), 0, 7, 100, vec![]),
        ] {
            let found = journal.select(selection.clone(), after, until, limit).await.unwrap();
            let found: Vec<u64> = found.iter().map(|record| record.seq).collect();
            assert_eq!(found, expected, "{selection:?} from {after} to {until}");
        }
    }
    drop(file);
    assert_eq!(*place.open().newest().borrow(), 7, "a journal that is opened knows its newest record");
}

#[test]
fn two_orchestrators_cannot_share_a_journal() {
    let place = Place::new();
    let journal = place.open();
    let second = SqliteJournal::open(&place.path, Arc::new(())).err().unwrap();
    let JournalError::Locked { holder, .. } = &second else { panic!("{second}") };
    assert_eq!(holder, &std::process::id().to_string());
    drop(journal);
    drop(place.open());
}

#[test]
fn other_files_are_refused() {
    let place = Place::new();
    for (content, what) in [("x", "short"), ("not a database at all, ".repeat(100).as_str(), "long")] {
        std::fs::write(&place.path, content).unwrap();
        let error = SqliteJournal::open(&place.path, Arc::new(())).err().unwrap();
        assert!(matches!(error, JournalError::Foreign { .. }), "{what}: {error}");
        assert_eq!(std::fs::read_to_string(&place.path).unwrap(), content);
    }
}

#[test]
fn later_formats_and_other_programs_are_refused() {
    for (sql, word) in [
        ("PRAGMA user_version = 2", "format 2"),
        ("PRAGMA application_id = 5", "another program"),
        ("PRAGMA application_id = 0", "another program"),
    ] {
        let place = Place::new();
        drop(place.open());
        rusqlite::Connection::open(&place.path).unwrap().execute_batch(sql).unwrap();
        let error = SqliteJournal::open(&place.path, Arc::new(())).err().unwrap();
        assert!(matches!(&error, JournalError::Foreign { why, .. } if why.contains(word)), "{error}");
    }
}

#[test]
fn a_missing_directory_is_named() {
    let place = Place::new();
    let path = place.path.with_file_name("missing").join("journal.db");
    let error = SqliteJournal::open(&path, Arc::new(())).err().unwrap();
    assert!(matches!(&error, JournalError::Unwritable(why) if why.contains("missing")), "{error}");
}

#[test]
fn a_log_without_its_file_is_not_thrown_away() {
    let place = Place::new();
    std::fs::write(place.path.with_file_name("journal.db-wal"), "records").unwrap();
    let error = SqliteJournal::open(&place.path, Arc::new(())).err().unwrap();
    assert!(matches!(&error, JournalError::Unreadable(why) if why.contains("journal.db-wal")), "{error}");
    assert_eq!(std::fs::read(place.path.with_file_name("journal.db-wal")).unwrap(), b"records");
}

/// The format is frozen: these hashes were computed with another program's SHA-256 over the text described in `row.rs`.
#[tokio::test]
async fn the_hash_chain_is_golden() {
    let place = Place::new();
    let journal = place.open();
    journal.append(vec![started(), energy(1, 1240)]).await.unwrap();
    let connection = rusqlite::Connection::open(&place.path).unwrap();
    let mut statement = connection.prepare("SELECT seq, at, terminal, session, kind, body, hash FROM record").unwrap();
    let rows = statement.query_map([], |row| {
        let text = |index| row.get::<_, Option<String>>(index).map(Option::unwrap_or_default);
        Ok((row.get::<_, i64>(0)?, [text(1)?, text(2)?, text(3)?, text(4)?, text(5)?, text(6)?]))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    let golden = [
        (
            1,
            [
                "2026-03-01T08:00:00.000Z",
                "",
                "",
                "started",
                r#"{"version":"0.1.0"}"#,
                "9603468cf215221a57e11a34ea91fe2aa7a90816f28a7811821b11884d2811c0",
            ],
        ),
        (
            2,
            [
                "2026-03-01T08:01:00.000Z",
                "bay-01",
                "019ca869-5001-7101-8101-010101010101",
                "energy_reported",
                r#"{"amount":1240}"#,
                "c1cb2009bf381b52a6de814d0776b161c8ad0546bd16ae7449520845aa5d384a",
            ],
        ),
    ];
    assert_eq!(rows, golden.map(|(seq, columns)| (seq, columns.map(str::to_owned))));
}

#[derive(Default)]
struct Counting {
    syncs: std::sync::atomic::AtomicUsize,
    appends: std::sync::atomic::AtomicUsize,
}

impl JournalObserver for Counting {
    fn appended(&self, _took: Duration) {
        self.appends.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    fn synced(&self, _records: usize) {
        self.syncs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[tokio::test]
async fn appends_that_wait_together_share_a_sync() {
    let place = Place::new();
    let counting = Arc::new(Counting::default());
    let journal = SqliteJournal::open(&place.path, Arc::clone(&counting) as Arc<dyn JournalObserver>).unwrap();
    let asked: Vec<_> = (0..200).map(|minor| journal.append(vec![energy(1, minor)])).collect();
    for (index, pending) in asked.into_iter().enumerate() {
        let records = pending.await.unwrap();
        assert_eq!(records[0].seq, index as u64 + 1);
        assert_eq!(records[0].entry, energy(1, index as u32));
    }
    assert_eq!(counting.appends.load(std::sync::atomic::Ordering::SeqCst), 200);
    let syncs = counting.syncs.load(std::sync::atomic::Ordering::SeqCst);
    assert!((1..100).contains(&syncs), "{syncs} syncs for 200 appends");
}

/// Nobody waits for the answer, and the journal is closed at once: what was asked for is written.
#[tokio::test]
async fn closing_finishes_what_was_begun() {
    let place = Place::new();
    let journal = place.open();
    let pending = journal.append(vec![started()]);
    drop(journal);
    assert_eq!(pending.await.unwrap()[0].seq, 1);
    assert_eq!(place.open().opened().last, 1);
}

fn reconciled(on: &str, second: i64) -> Entry {
    let report = record::Report {
        trigger: record::Trigger::Demand,
        on_terminal: None,
        in_journal: vec![],
        discrepancies: vec![],
        result: record::ReportResult::Clean,
        error: None,
        began_at: at(second),
    };
    Entry { at: at(second), terminal: terminal(on), session: None, fact: Fact::Reconciled { report } }
}

#[tokio::test]
async fn reports_are_found_newest_first_in_both_journals() {
    let place = Place::new();
    let file = place.open();
    let memory = MemoryJournal::new();
    for journal in [&file as &dyn Journal, &memory] {
        journal
            .append(vec![reconciled("bay-01", 1), started(), reconciled("bay-02", 2), reconciled("bay-01", 3)])
            .await
            .unwrap();
        let numbers = |records: Vec<Record>| records.iter().map(|record| record.seq).collect::<Vec<_>>();
        assert_eq!(numbers(journal.reconciliations(None, 2).await.unwrap()), [4, 3]);
        assert_eq!(numbers(journal.reconciliations(terminal("bay-01"), 9).await.unwrap()), [4, 1]);
    }
}
