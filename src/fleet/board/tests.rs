use std::sync::Arc;

use super::*;
use crate::journal::record::{CancelledBy, Entry as JournalEntry, Fact, Idempotency, Origin};
use crate::money::Amount;
use crate::time::Timestamp;

fn entry(number: u8, fact: Fact) -> JournalEntry {
    let at = Timestamp::from_unix_millis(i64::from(number));
    let terminal = Some(if number.is_multiple_of(2) { "bay-02" } else { "bay-01" }.parse().unwrap());
    JournalEntry { at, terminal, session: Some(SessionId::new(at, [number; 10])), fact }
}

fn opened(number: u8) -> Session {
    Session::opened(&entry(
        number,
        Fact::Opened {
            origin: Origin::Api,
            connector: None,
            reference: None,
            caller_reference: None,
            amount: Some(Amount::from_minor(5000)),
            currency: "EUR".parse().unwrap(),
            idempotency: Some(Idempotency { key: format!("key-{number}"), digest: "d".to_owned() }),
            device: None,
        },
    ))
    .unwrap()
}

fn cancelled(number: u8) -> Session {
    opened(number).after(&entry(number, Fact::Cancelled { by: CancelledBy::Api })).unwrap()
}

#[test]
fn an_older_version_changes_nothing() {
    let board = Board::new();
    board.publish_session(&cancelled(1));
    board.publish_session(&opened(1));
    assert_eq!(board.session(opened(1).id), Some(cancelled(1)));
}

#[test]
fn sessions_come_newest_first_and_in_pages() {
    let board = Board::new();
    for number in [3, 1, 5, 2, 4] {
        board.publish_session(&opened(number));
    }
    let page = |filter: Filter| board.sessions(&filter);
    let (first, next) = page(Filter { limit: 2, ..Filter::default() });
    assert_eq!(first, [opened(5), opened(4)]);
    assert_eq!(next, Some(opened(4).id));
    let (last, next) = page(Filter { limit: 3, before: next, ..Filter::default() });
    assert_eq!(last, [opened(3), opened(2), opened(1)]);
    assert_eq!(next, None);
    let bay = Filter { terminal: Some("bay-02".parse().unwrap()), limit: 9, ..Filter::default() };
    assert_eq!(page(bay).0, [opened(4), opened(2)]);
    board.publish_session(&cancelled(3));
    let state = Filter { state: Some("cancelled".to_owned()), limit: 9, ..Filter::default() };
    assert_eq!(page(state).0, [cancelled(3)]);
    assert_eq!(page(Filter { undisposed: true, limit: 9, ..Filter::default() }).0, []);
}

#[test]
fn the_oldest_ended_session_is_dropped_without_its_key() {
    let board = Board::remembering(2);
    board.publish_session(&opened(9));
    for number in [1, 2, 3] {
        board.publish_session(&opened(number));
        board.publish_session(&cancelled(number));
    }
    assert_eq!(board.session(opened(1).id), None);
    assert_eq!(board.session(opened(2).id), Some(cancelled(2)));
    assert_eq!(board.session(opened(9).id), Some(opened(9)));
    assert_eq!(board.claim("key-1", "d", opened(7).id), Claim::Same(opened(1).id));
    assert_eq!(board.claim("key-1", "other", opened(7).id), Claim::Mismatch);
    assert_eq!(board.claim("key-2", "d", opened(7).id), Claim::Same(opened(2).id));
}

/// A key lives for a day from its session's end, however many others come, and not much longer; that of an open session for ever. A
/// newer session with a key that was forgotten keeps it.
#[test]
fn a_key_is_remembered_for_a_day_from_the_end() {
    const DAY: i64 = 24 * 3600 * 1000;
    let board = Board::new();
    let ends = |number: u8, at: i64| {
        let end =
            JournalEntry { at: Timestamp::from_unix_millis(at), ..entry(number, Fact::Cancelled { by: CancelledBy::Api }) };
        board.publish_session(&opened(number));
        board.publish_session(&opened(number).after(&end).unwrap());
    };
    let claimed = |number: u8| board.claim(&format!("key-{number}"), "d", opened(200).id);
    board.publish_session(&opened(9));
    ends(1, 1000);
    ends(2, 2000);
    ends(3, 1000 + DAY - 1);
    assert_eq!(claimed(1), Claim::Same(opened(1).id));
    ends(4, 1000 + DAY);
    assert_eq!((claimed(1), claimed(2)), (Claim::New, Claim::Same(opened(2).id)));
    ends(5, 1000 + 90 * DAY);
    for (number, claim) in [(1, Claim::Same(opened(200).id)), (3, Claim::New), (4, Claim::New), (9, Claim::Same(opened(9).id))]
    {
        assert_eq!(claimed(number), claim, "{number}");
    }
    assert_eq!(claimed(5), Claim::Same(opened(5).id));
}

/// Whoever opens and ends without end cannot fill the memory: the oldest ends go first.
#[test]
fn keys_are_bounded() {
    let keys = Keys::remembering(2);
    for number in [1, 2, 3] {
        keys.opened(&opened(number));
        keys.ended(&cancelled(number));
    }
    assert_eq!(keys.claim("key-1", "d", opened(7).id), Claim::New);
    assert_eq!(keys.claim("key-2", "d", opened(7).id), Claim::Same(opened(2).id));
}

#[test]
fn a_key_has_one_session() {
    let board = Board::new();
    let (one, other) = (opened(1).id, opened(2).id);
    assert_eq!(board.claim("k", "d", one), Claim::New);
    assert_eq!(board.claim("k", "d", other), Claim::Same(one));
    assert_eq!(board.claim("k", "another", other), Claim::Mismatch);
    board.release("k", other);
    assert_eq!(board.claim("k", "d", other), Claim::Same(one));
    board.release("k", one);
    assert_eq!(board.claim("k", "d", other), Claim::New);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_change_or_with_the_limit() {
    let board = Arc::new(Board::new());
    let id = opened(1).id;
    let limit = Duration::from_secs(20);
    assert_eq!(board.wait(id, |_| true, limit).await, None);
    board.publish_session(&opened(1));

    let began = tokio_now();
    assert_eq!(board.wait(id, |session| session.version > 1, limit).await, Some(opened(1)));
    assert_eq!(began.elapsed(), limit);

    let waiting = tokio::spawn({
        let board = Arc::clone(&board);
        async move { board.wait(id, |session| session.version > 1, limit).await }
    });
    tokio::task::yield_now().await;
    board.publish_session(&cancelled(1));
    assert_eq!(waiting.await.unwrap(), Some(cancelled(1)));
    assert_eq!(began.elapsed(), limit);
}

fn tokio_now() -> tokio::time::Instant {
    crate::time::Clock::starting_at(Timestamp::from_unix_millis(0)).instant_of(Timestamp::from_unix_millis(0))
}
