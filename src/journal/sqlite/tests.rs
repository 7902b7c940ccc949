//! The writer's way back from a failed sync.

use super::super::record::Fact;
use super::*;
use crate::time::Timestamp;

fn started() -> Entry {
    let fact = Fact::Started { version: "0.1.0".to_owned() };
    Entry { at: Timestamp::from_unix_millis(0), terminal: None, session: None, fact }
}

/// A failed sync leaves whole frames in the log that SQLite does not count. They are taken off, and what counts stays.
#[tokio::test]
async fn the_fence_takes_off_what_does_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = SqliteJournal::open(&path, Arc::new(())).unwrap();
    let appended = journal.append(vec![started()]).await.unwrap();
    let log = file::with_suffix(journal.path(), "-wal");
    let whole = std::fs::read(&log).unwrap();
    assert_eq!(log::rest(&log).unwrap(), log::Rest::Nothing);
    // The frames of the append once more: their salts are right, their sums are not.
    std::fs::write(&log, [&whole[..], &whole[32..]].concat()).unwrap();
    assert_eq!(log::rest(&log).unwrap(), log::Rest::Torn);

    let connection = rusqlite::Connection::open(&path).unwrap();
    let frames: i64 = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap();
    log::cut(&log, u64::try_from(frames).unwrap(), 4096).unwrap();
    assert_eq!(std::fs::read(&log).unwrap(), whole);
    assert_eq!(journal.read(0, 10).await.unwrap(), appended);
    assert_eq!(journal.append(vec![started()]).await.unwrap()[0].seq, 2);
}
