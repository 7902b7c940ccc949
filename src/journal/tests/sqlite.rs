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
    assert_eq!(journal.opened(), &Opened { created: false, last: 4, cut: vec![], damage: None });
    assert_eq!(journal.health(), Health::Writable);
    assert_eq!(journal.read(0, 100).await.unwrap(), appended);
    assert_eq!(journal.read(1, 2).await.unwrap(), appended[1..3]);
    assert_eq!(journal.session(session(1)).await.unwrap(), [appended[1].clone(), appended[3].clone()]);
    assert_eq!(journal.sessions(None, None, 10).await.unwrap(), [session(2), session(1)]);
    assert_eq!(journal.sessions(None, Some(session(2)), 10).await.unwrap(), [session(1)]);
    assert_eq!(journal.sessions(terminal("bay-02"), None, 10).await.unwrap(), [session(2)]);
    assert_eq!(journal.append(vec![energy(2, 1)]).await.unwrap()[0].seq, 5);
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
