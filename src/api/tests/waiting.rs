//! Answers that wait: the long poll, commit and void, cancel. The clock is paused, so the limits are exact.

use super::*;
use crate::journal::record::{CancelledBy, Outcome};
use crate::session::update::{Answer, Update};

/// How long the paused clock says that `work` takes.
#[expect(clippy::disallowed_methods, reason = "the paused clock of the test")]
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = tokio::time::Instant::now();
    let result = work.await;
    (result, began.elapsed())
}

/// After `delay` the session is another one.
fn later(depot: &Scripted, delay: u64, session: Session) {
    let depot = depot.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(delay)).await;
        depot.change(|script| script.session = session);
    });
}

fn about(took: Duration, seconds: u64) -> bool {
    took >= Duration::from_secs(seconds) && took < Duration::from_secs(seconds) + Duration::from_millis(500)
}

#[tokio::test(start_paused = true)]
async fn a_reader_waits_for_the_next_version() {
    let depot = Scripted::new(opened());
    let (reply, took) = timed(get(&depot, &path("?wait=30&version=0"))).await;
    assert_eq!((&reply.json()["version"], took), (&1.into(), Duration::ZERO), "version 1 is news already");

    later(&depot, 7, held());
    let (reply, took) = timed(get(&depot, &path("?wait=30&version=1"))).await;
    assert_eq!(reply.json()["version"], 4);
    assert!(about(took, 7), "{took:?}");

    let (reply, took) = timed(get(&depot, &path("?wait=30&version=4"))).await;
    assert_eq!((reply.status, &reply.json()["version"]), (200, &4.into()), "the time is over, so it is as it is");
    assert!(about(took, 30), "{took:?}");

    let (_, took) = timed(get(&depot, &path("?wait=100000"))).await;
    assert!(about(took, 60), "no longer than a minute, and without a version from now on: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_waits_for_the_terminal() {
    let done = Session { state: State::Disposed(Outcome::Committed(Amount::from_minor(3140))), version: 8, ..disposing() };
    let depot = Scripted::new(disposing());
    later(&depot, 3, done);
    let (reply, took) = timed(post(&depot, &path("/commit"), r#"{"amount":3140}"#)).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &"committed".into()));
    assert!(about(took, 3), "{took:?}");
    assert_eq!(depot.asked(), ["Commit(Amount(3140))"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_the_terminal_does_not_confirm_is_accepted() {
    let depot = Scripted::new(disposing());
    for (query, seconds) in [("", 19), ("?wait=60", 19), ("?wait=4", 4), ("?wait=0", 0)] {
        let (reply, took) = timed(post(&depot, &path(&format!("/commit{query}")), r#"{"amount":3140}"#)).await;
        assert_eq!((reply.status, &reply.json()["state"]), (202, &"committing".into()));
        assert!(about(took, seconds), "{query} {took:?}");
    }
}

/// Attempts are made meanwhile, and the answer must not be older than they are.
#[tokio::test(start_paused = true)]
async fn a_commit_that_is_not_confirmed_is_shown_as_it_is_by_then() {
    let depot = Scripted::new(disposing());
    depot.change(|script| script.takes = Duration::from_millis(100));
    let version = disposing().version + 1;
    later(&depot, 5, Session { version, ..disposing() });
    let reply = post(&depot, &path("/commit"), r#"{"amount":3140}"#).await;
    assert_eq!((reply.status, reply.json()["version"].as_u64()), (202, Some(version)));
}

/// Uncertain is the end of waiting, but no confirmation.
#[tokio::test(start_paused = true)]
async fn a_void_that_becomes_uncertain_is_accepted() {
    let depot = Scripted::new(disposing());
    later(&depot, 2, Session { state: State::Uncertain("Not OK five times".to_owned()), ..disposing() });
    let (reply, took) = timed(post(&depot, &path("/void"), "")).await;
    assert_eq!((reply.status, &reply.json()["state"]), (202, &"uncertain".into()));
    assert!(about(took, 2), "{took:?}");
    assert_eq!(depot.asked(), ["Void"]);
}

/// A fleet that never answers: the caller learns in time that nobody knows.
#[tokio::test(start_paused = true)]
async fn no_answer_within_the_time_promised() {
    let depot = Scripted::new(held());
    depot.change(|script| script.silent = true);
    for (path, body) in [(path("/commit"), r#"{"amount":1}"#), (path("/energy"), r#"{"amount":1}"#), (path("/void"), "")] {
        let (reply, took) = timed(post(&depot, &path, body)).await;
        assert_eq!(reply.problem(), (503, "journal_unavailable".to_owned()));
        assert!(about(took, 19), "{path} {took:?}");
    }
    let (reply, took) = timed(post(&depot, "/v1/terminals/bay-01/reconcile", "")).await;
    assert_eq!(reply.problem(), (503, "terminal_not_ready".to_owned()));
    assert!(about(took, 60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_waits_for_the_end_of_the_card_flow() {
    let depot = Scripted::new(opened());
    later(&depot, 1, Session { state: State::Cancelled(CancelledBy::Api), ..opened() });
    let reply = post(&depot, &path("/cancel"), "").await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &"cancelled".into()));

    let (reply, took) = timed(post(&Scripted::new(opened()), &path("/cancel"), "{}")).await;
    assert_eq!((reply.status, &reply.json()["state"]), (202, &"waiting_card".into()));
    assert!(about(took, 5), "{took:?}");
}

/// The card was approved before the wish to cancel reached the terminal: there is a hold now, and the caller must know.
#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_too_late() {
    let depot = Scripted::new(opened());
    later(&depot, 1, held());
    assert_eq!(post(&depot, &path("/cancel"), "").await.problem(), (409, "has_hold".to_owned()));
}

/// What the terminal says within the time is the answer; what it has not said by then is under way.
#[tokio::test(start_paused = true)]
async fn an_update_waits_for_the_terminal() {
    let update = |answer, at_most: Option<u32>| Update {
        asked: Amount::from_minor(7000),
        before: Amount::from_minor(4500),
        before_at_most: None,
        at_most: at_most.map(Amount::from_minor),
        answer,
    };
    let asking = || Session { update: Some(update(None, Some(7000))), ..held() };
    let rows = [
        (Some(Answer::Approved), 200, None),
        (Some(Answer::Partly), 200, None),
        (Some(Answer::Declined(Some(0x09))), 409, Some("update_declined")),
        (Some(Answer::Refused(None)), 409, Some("update_declined")),
        (Some(Answer::Unsent), 503, Some("terminal_not_ready")),
        (Some(Answer::Unanswered(crate::journal::record::Cause::Timeout)), 202, None),
        (None, 202, None),
    ];
    for (answer, status, code) in rows {
        let depot = Scripted::new(asking());
        later(&depot, 5, Session { update: Some(update(answer, None)), ..held() });
        let (reply, took) = timed(post(&depot, &path("/update"), r#"{"amount":7000}"#)).await;
        assert_eq!((reply.status, reply.json()["code"].as_str()), (status, code), "{answer:?}");
        assert!(about(took, if answer.is_some() { 5 } else { 19 }), "{answer:?}: {took:?}");
    }
    // So much is held already, and what came of an earlier wish is no answer to this one.
    let depot = Scripted::new(Session { update: Some(update(Some(Answer::Declined(None)), None)), ..held() });
    let (reply, took) = timed(post(&depot, &path("/update"), r#"{"amount":4500}"#)).await;
    assert_eq!((reply.status, took), (200, Duration::ZERO));
}
