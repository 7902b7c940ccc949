//! The journal of simulations keeps the same promises, and its handles do what they say.

use futures_util::FutureExt;

use super::*;

#[tokio::test]
async fn a_crash_forgets_what_was_not_acknowledged() {
    let journal = MemoryJournal::new();
    let kept = journal.append(vec![started()]).await.unwrap();
    journal.hold();
    let waiting = journal.append(vec![energy(1, 1)]);
    assert_eq!(journal.held(), 1);
    journal.crash();
    assert_eq!(waiting.await, Err(JournalError::Closed));
    assert_eq!(journal.read(0, 10).await.unwrap(), kept);
    assert_eq!(journal.append(vec![energy(1, 2)]).await.unwrap()[0].seq, 2);
}

#[tokio::test]
async fn held_answers_come_in_order() {
    let journal = MemoryJournal::new();
    journal.hold();
    let (first, second) = (journal.append(vec![energy(1, 1)]), journal.append(vec![energy(1, 2)]));
    let mut second = second;
    assert!(journal.release_one());
    assert_eq!(first.await.unwrap()[0].seq, 1);
    assert!((&mut second).now_or_never().is_none());
    journal.release();
    assert_eq!(second.await.unwrap()[0].seq, 2);
    assert_eq!(journal.appends(), 2);
}

#[tokio::test]
async fn refused_appends_leave_nothing() {
    let journal = MemoryJournal::new();
    journal.refuse_next(2);
    assert_eq!(journal.health(), Health::Writable);
    assert!(matches!(journal.append(vec![energy(1, 1)]).await, Err(JournalError::Unwritable(_))));
    assert!(matches!(journal.health(), Health::Failing(_)));
    assert!(matches!(journal.append(vec![energy(1, 2)]).await, Err(JournalError::Unwritable(_))));
    assert_eq!(journal.health(), Health::Writable);
    assert_eq!(journal.append(vec![energy(1, 3)]).await.unwrap()[0].seq, 1);
    assert_eq!((journal.refused(), journal.records().len()), (2, 1));
}
