//! Files that were torn, changed, or filled up: what was acknowledged is there or its loss is told, and nothing else appears.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::journal::verify::{Summary, verify};

/// Runs SQL on a journal that nobody has open.
fn tamper(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

async fn six_records(place: &Place) -> Vec<Record> {
    let journal = place.open();
    let mut appended = journal.append(vec![started(), opened(1, "bay-01")]).await.unwrap();
    for minor in 1..=4 {
        appended.extend(journal.append(vec![energy(1, minor)]).await.unwrap());
    }
    appended
}

fn damaged(path: &Path) -> Result<Summary, (u64, String)> {
    match verify(path, |records| {
        records.for_each(drop);
        Ok(())
    }) {
        Ok((summary, ())) => Ok(summary),
        Err(JournalError::Damaged { seq, why }) => Err((seq, why)),
        Err(error) => Err((0, error.to_string())),
    }
}

#[tokio::test]
async fn a_change_to_any_column_is_found_and_the_record_named() {
    for change in [
        "at = '2026-03-01T08:00:00.001Z'",
        "terminal = 'bay-02'",
        "terminal = NULL",
        "session = '019ca852-0001-7101-8101-010101010102'",
        "kind = 'drained'",
        "body = '{\"amount\":3}'",
        "body = ''",
        "hash = replace(hash, substr(hash, 1, 1), 'x')",
        "seq = 40",
    ] {
        let place = Place::new();
        six_records(&place).await;
        assert_eq!(damaged(&place.path).unwrap().records, 6);
        tamper(&place.path, &format!("UPDATE record SET {change} WHERE seq = 4"));
        assert_eq!(damaged(&place.path).unwrap_err().0, 4, "{change}");
    }
    let place = Place::new();
    six_records(&place).await;
    tamper(&place.path, "DELETE FROM record WHERE seq = 4");
    assert_eq!(damaged(&place.path).unwrap_err().0, 4);
}

/// A changed number makes a record look like another one, or like one that is still to come: neither is believed.
#[tokio::test]
async fn a_record_under_another_number_is_not_taken_for_that_one() {
    for (number, named) in [(9, 4), (2, 2)] {
        let place = Place::new();
        let appended = six_records(&place).await;
        if number == 2 {
            tamper(&place.path, "DELETE FROM record WHERE seq = 2");
        }
        tamper(&place.path, &format!("UPDATE record SET seq = {number} WHERE seq = 4"));
        assert_eq!(damaged(&place.path).unwrap_err().0, named);
        let journal = place.open();
        assert!(matches!(journal.health(), Health::Damaged(_)), "{:?}", journal.health());
        for record in journal.read(0, 100).await.unwrap() {
            assert_eq!(appended.get(usize::try_from(record.seq).unwrap() - 1), Some(&record));
        }
    }
}

/// Every bit that matters is covered: with any one byte of the file changed, either the journal is found damaged or what it
/// holds is the same as before.
#[tokio::test]
async fn a_flipped_bit_is_found_or_changes_nothing() {
    let place = Place::new();
    let appended = six_records(&place).await;
    let sound = fs::read(&place.path).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for at in (0..sound.len()).step_by(37) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        fs::write(&place.path, &bytes).unwrap();
        let mut read = Vec::new();
        let verdict = verify(&place.path, |records| {
            read.extend(records);
            Ok(())
        });
        match verdict {
            Ok(_) => {
                assert_eq!(read, appended, "byte {at}");
                harmless += 1;
            }
            Err(_) => found += 1,
        }
    }
    assert!(found > 20 && harmless > 20, "{found} found, {harmless} harmless");
}

#[tokio::test]
async fn damage_inside_is_told_and_the_journal_goes_on() {
    let place = Place::new();
    let appended = six_records(&place).await;
    tamper(&place.path, "UPDATE record SET body = '{\"amount\":999}' WHERE seq = 4");
    for round in 0..2 {
        let journal = place.open();
        let Health::Damaged(why) = journal.health() else { panic!("{:?}", journal.health()) };
        assert!(why.starts_with("record 4: "), "{why}");
        assert_eq!(journal.opened().cut, []);
        let read = journal.read(0, 5).await.unwrap();
        assert_eq!(read, [&appended[..3], &appended[4..6]].concat(), "the others are still believed");
        assert_eq!(journal.append(vec![energy(1, 50)]).await.unwrap()[0].seq, 7 + round);
        assert!(matches!(journal.health(), Health::Damaged(_)));
    }
}

/// A name that is no text any more is damage, and no reason to give none of the others.
#[tokio::test]
async fn a_name_that_is_no_text_hides_no_other() {
    let place = Place::new();
    let appended = six_records(&place).await;
    tamper(&place.path, "UPDATE record SET session = CAST(x'3031ff' AS TEXT) WHERE seq = 4");
    let journal = place.open();
    assert!(matches!(journal.health(), Health::Damaged(_)), "{:?}", journal.health());
    assert_eq!(journal.sessions(terminal("bay-01"), None, 64).await.unwrap(), [session(1)]);
    assert_eq!(journal.session(session(1)).await.unwrap(), [&appended[1..3], &appended[4..]].concat());
}

#[tokio::test]
async fn a_torn_end_is_cut_and_told() {
    let place = Place::new();
    let appended = six_records(&place).await;
    tamper(&place.path, "UPDATE record SET body = substr(body, 1, 5) WHERE seq > 4");
    let journal = place.open();
    assert_eq!(journal.health(), Health::Writable);
    assert_eq!(journal.opened().cut.iter().map(|cut| cut.seq).collect::<Vec<_>>(), [Some(6), Some(5)]);
    assert!(journal.opened().end_lost, "they were whole rows, so somebody was told of them");
    assert_eq!(journal.read(0, 100).await.unwrap(), appended[..4]);
    assert_eq!(journal.append(vec![energy(1, 50)]).await.unwrap()[0].seq, 5);
    drop(journal);
    assert_eq!(damaged(&place.path).unwrap().records, 5);
    let kept: i64 =
        rusqlite::Connection::open(&place.path).unwrap().query_row("SELECT count(*) FROM cut", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 2, "a person can still look at them");
}

/// Copies a journal as a crash would leave it: the file and the log as they are now.
fn crash(place: &Place) -> Place {
    let copy = Place::new();
    fs::copy(&place.path, &copy.path).unwrap();
    fs::copy(beside(&place.path), beside(&copy.path)).unwrap();
    copy
}

fn beside(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash() {
    let place = Place::new();
    let journal = place.open();
    let mut acknowledged = Vec::new();
    for minor in 0..20 {
        acknowledged.extend(journal.append(vec![energy(1, minor), energy(2, minor)]).await.unwrap());
        let copy = crash(&place);
        let survivor = copy.open();
        assert_eq!(survivor.read(0, 100).await.unwrap(), acknowledged);
        assert_eq!((survivor.health(), &survivor.opened().cut), (Health::Writable, &vec![]));
    }
}

/// Cuts the log at every length: the journal holds a beginning of what was appended, whole appends only.
#[tokio::test]
async fn a_log_cut_anywhere_gives_a_beginning() {
    let place = Place::new();
    let journal = place.open();
    let mut acknowledged = Vec::new();
    for minor in 0..3 {
        acknowledged.extend(journal.append(vec![energy(1, minor), energy(2, minor)]).await.unwrap());
    }
    let length = fs::metadata(beside(&place.path)).unwrap().len();
    let (mut told, mut lengths) = (0, std::collections::BTreeSet::new());
    for cut_at in (0..length).step_by(509) {
        let copy = crash(&place);
        fs::File::options().write(true).open(beside(&copy.path)).unwrap().set_len(cut_at).unwrap();
        let survivor = copy.open();
        let read = survivor.read(0, 100).await.unwrap();
        assert_eq!(read, acknowledged[..read.len()], "cut at {cut_at}");
        assert_eq!(read.len() % 2, 0, "cut at {cut_at}");
        assert_eq!(survivor.health(), Health::Writable);
        assert!(!survivor.opened().end_lost, "an append that was not finished was told to nobody");
        told += survivor.opened().cut.len();
        lengths.insert(read.len());
    }
    assert!(told > 0);
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [0, 2, 4]);
}

/// SQLite says nothing when a page early in the log is broken; it silently forgets all that follows.
/// An empty file beside a log that holds the records: who reads it or opens it says so, and the log stays for whoever mends it.
#[tokio::test]
async fn the_log_of_an_empty_file_is_not_thrown_away() {
    let place = Place::new();
    let journal = place.open();
    journal.append(vec![started(), opened(1, "bay-01")]).await.unwrap();
    let copy = crash(&place);
    let log = fs::read(beside(&copy.path)).unwrap();
    assert!(log.len() > 1000);
    fs::write(&copy.path, "").unwrap();
    for _ in 0..2 {
        let (_, why) = damaged(&copy.path).unwrap_err();
        assert!(why.contains("missing or empty") && why.contains("journal.db-wal"), "{why}");
        let error = SqliteJournal::open(&copy.path, Arc::new(())).err().unwrap();
        assert!(matches!(error, JournalError::Unreadable(_)), "{error}");
        assert_eq!(fs::read(beside(&copy.path)).unwrap(), log);
    }
}

#[tokio::test]
async fn a_log_broken_in_the_middle_is_damage() {
    let place = Place::new();
    let journal = place.open();
    for minor in 0..5 {
        journal.append(vec![energy(1, minor)]).await.unwrap();
    }
    let copy = crash(&place);
    let mut log = fs::read(beside(&copy.path)).unwrap();
    log[32 + 24 + 100] ^= 1;
    fs::write(beside(&copy.path), log).unwrap();
    let survivor = copy.open();
    assert!(matches!(survivor.health(), Health::Damaged(_)), "{:?}", survivor.health());
    assert!(survivor.opened().end_lost);
}

/// Tells a test what the health is, when it changes.
struct Told(mpsc::Sender<Health>);

impl JournalObserver for Told {
    fn health(&self, now: &Health) {
        let _ = self.0.send(now.clone());
    }
}

/// A hung test says so after this; nothing waits for it otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

fn big(seconds: i64) -> Entry {
    let fact = Fact::Failed { why: "x".repeat(20_000) };
    Entry { at: at(seconds), terminal: terminal("bay-01"), session: Some(session(1)), fact }
}

/// Appends until the journal refuses, makes space, and looks for ghosts.
async fn fill_and_recover(place: &Place, options: Options, make_space: impl FnOnce()) {
    let (told, health) = mpsc::channel();
    let journal = SqliteJournal::open_with(&place.path, Arc::new(Told(told)), options).unwrap();
    assert_eq!(health.recv_timeout(PATIENCE).unwrap(), Health::Writable);
    let mut acknowledged = Vec::new();
    let refused = loop {
        match journal.append(vec![energy(1, 7), big(acknowledged.len() as i64)]).await {
            Ok(records) => acknowledged.extend(records),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 10_000, "it never fills up");
    };
    assert!(matches!(refused, JournalError::Unwritable(_)), "{refused}");
    assert!(acknowledged.len() >= 2);
    assert!(matches!(health.recv_timeout(PATIENCE).unwrap(), Health::Failing(_)));
    assert!(matches!(journal.append(vec![big(0)]).await, Err(JournalError::Unwritable(_))));
    assert_eq!(journal.read(0, 10_000).await.unwrap(), acknowledged, "reading goes on");

    make_space();
    while health.recv_timeout(PATIENCE).unwrap() != Health::Writable {}
    acknowledged.extend(journal.append(vec![energy(1, 8)]).await.unwrap());
    drop(journal);
    let journal = place.open();
    assert_eq!(journal.read(0, 10_000).await.unwrap(), acknowledged);
    drop(journal);
    assert_eq!(damaged(&place.path).unwrap().records, acknowledged.len() as u64);
}

#[tokio::test]
async fn a_full_journal_refuses_until_there_is_space_and_has_no_ghosts() {
    let limit = PageLimit::new(60);
    let options = Options { page_limit: Some(limit.clone()), probe_every: Duration::from_millis(5), ..Options::default() };
    fill_and_recover(&Place::new(), options, || limit.set(1000)).await;
}

/// Sessions that could not append try again every second, and others come besides: none of them may keep it from recovering.
#[tokio::test]
async fn a_journal_that_is_asked_without_a_pause_recovers_all_the_same() {
    let limit = PageLimit::new(60);
    let options = Options { page_limit: Some(limit.clone()), probe_every: Duration::from_millis(50), ..Options::default() };
    let place = Place::new();
    let (told, _health) = mpsc::channel();
    let journal = SqliteJournal::open_with(&place.path, Arc::new(Told(told)), options).unwrap();
    while journal.append(vec![big(0)]).await.is_ok() {}
    limit.set(1000);
    let recovered = async { while journal.append(vec![big(0)]).await.is_err() {} };
    tokio::time::timeout(PATIENCE, recovered).await.unwrap();
}

/// The same on a file system that is really full.
#[tokio::test]
async fn a_full_disk_likewise() {
    let directory = tempfile::tempdir().unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(directory.path())
        .stderr(std::process::Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "this must be tried where all is tried");
        eprintln!("skipped: not allowed to mount a small file system");
        return;
    }
    let _mounted = Mounted(directory.path().to_owned());
    let ballast = directory.path().join("ballast");
    fs::write(&ballast, vec![1; 1_000_000]).unwrap();
    let place = Place { path: directory.path().join("journal.db"), _directory: directory };
    let options = Options { page_limit: None, probe_every: Duration::from_millis(5), ..Options::default() };
    fill_and_recover(&place, options, || fs::remove_file(&ballast).unwrap()).await;
}

/// A disk whose syncs fail: what was not durable is refused and never appears, money waits, and nothing goes on before the disk syncs and
/// all of the file was read again.
#[tokio::test]
async fn a_sync_that_fails_refuses_until_the_file_was_read_again() {
    let (place, disk) = (Place::new(), SyncFault::default());
    let (told, health) = mpsc::channel();
    let options = Options { probe_every: Duration::from_millis(5), sync_fault: Some(disk.clone()), ..Options::default() };
    let journal = SqliteJournal::open_with(&place.path, Arc::new(Told(told)), options).unwrap();
    assert_eq!(health.recv_timeout(PATIENCE).unwrap(), Health::Writable);
    let mut acknowledged = journal.append(vec![started(), energy(1, 1)]).await.unwrap();
    for broken in [BrokenSync::Lost, BrokenSync::Kept] {
        disk.set(Some(broken));
        for _ in 0..2 {
            let refused = journal.append(vec![energy(1, 666), energy(1, 667)]).await.unwrap_err();
            assert!(matches!(&refused, JournalError::Unwritable(why) if why.contains("did not sync")), "{broken:?}: {refused}");
        }
        assert!(matches!(journal.health(), Health::Failing(_)), "{broken:?}");
        disk.set(None);
        while health.recv_timeout(PATIENCE).unwrap() != Health::Writable {}
        assert_eq!(journal.read(0, 100).await.unwrap(), acknowledged, "{broken:?}: nothing that was refused is there");
        acknowledged.extend(journal.append(vec![energy(1, 2)]).await.unwrap());
    }
    drop(journal);
    let journal = place.open();
    assert_eq!(journal.opened().damage, None);
    assert_eq!(journal.read(0, 100).await.unwrap(), acknowledged);
}

/// A sync that fails once and has written nevertheless: the record counts, once a later write is durable behind it.
#[tokio::test]
async fn a_record_that_is_durable_after_all_counts() {
    let (place, disk) = (Place::new(), SyncFault::default());
    let options = Options { sync_fault: Some(disk.clone()), ..Options::default() };
    let journal = SqliteJournal::open_with(&place.path, Arc::new(()), options).unwrap();
    disk.set_once(BrokenSync::Kept);
    let appended = journal.append(vec![started()]).await.unwrap();
    assert_eq!((appended[0].seq, journal.health()), (1, Health::Writable));
    assert_eq!(journal.append(vec![energy(1, 1)]).await.unwrap()[0].seq, 2);
    drop(journal);
    assert_eq!(place.open().read(0, 9).await.unwrap().len(), 2);
}

/// What was durable long ago may be gone as well: the damage is found before anything goes on, the record is named, and from then on the
/// journal is what it would be after a start.
#[tokio::test]
async fn damage_that_a_failed_sync_brings_to_light() {
    for (broken, kept) in [(BrokenSync::Lost, 0), (BrokenSync::Kept, 1)] {
        let (place, disk) = (Place::new(), SyncFault::default());
        let (told, health) = mpsc::channel();
        let options = Options { probe_every: Duration::from_millis(5), sync_fault: Some(disk.clone()), ..Options::default() };
        let journal = SqliteJournal::open_with(&place.path, Arc::new(Told(told)), options).unwrap();
        journal.append(vec![started(), energy(1, 1), energy(1, 2)]).await.unwrap();
        let other_hands = rusqlite::Connection::open(&place.path).unwrap();
        other_hands.execute("UPDATE record SET body = '{\"amount\":9}' WHERE seq = 2", []).unwrap();
        drop(other_hands);
        disk.set_once(broken);
        let appended = journal.append(vec![energy(1, 3)]).await;
        assert_eq!(appended.map_or(0, |records| records.len()), kept, "{broken:?}");
        let damaged = loop {
            if let Health::Damaged(why) = health.recv_timeout(PATIENCE).unwrap() {
                break why;
            }
        };
        assert!(damaged.starts_with("record 2: "), "{broken:?}: {damaged}");
        // Disposals go on.
        assert_eq!(journal.append(vec![energy(1, 4)]).await.unwrap()[0].seq, 4 + kept as u64);
        assert_eq!(journal.health(), Health::Damaged(damaged));
    }
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
