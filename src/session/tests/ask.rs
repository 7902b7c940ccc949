//! `policy.authorise = "ask"`: a card was read, and somebody says to go on, or nobody does.

use super::*;
use crate::journal::record::{CancelledBy, Cause};
use crate::link::Outcome::{FlowEnded, Unanswered, Unsent};
use crate::session::machine::Errand;
use Family::{Apollo, P6x};

fn authorise() -> Input {
    Input::Wish(Wish::Authorise)
}

fn cancelled_by(life: &Life) -> Option<CancelledBy> {
    match life.records.last().map(|entry| &entry.fact) {
        Some(Fact::Cancelled { by }) => Some(*by),
        _ => None,
    }
}

/// The card is durable and told before anything else happens, and only the word of somebody sends Auth, with its intent before it.
#[test]
fn a_card_waits_for_a_word() {
    for family in [Apollo, P6x] {
        let mut life = Life::asked(family);
        let session = life.machine.session();
        assert_eq!((session.version, session.card.as_ref()), (2, Some(&card())));
        assert_eq!(life.last(1), ["card_read"]);
        assert!(!session.undisposed() && !session.ended());
        life.now = 26;
        assert_eq!(life.does(authorise()), [Effect::Authorise]);
        assert_eq!((life.state(), life.last(1)), ("authorising", vec!["authorise_intended"]));
        assert_eq!(life.machine.session().card, Some(card()));
        // Once more changes nothing, now and later.
        assert_eq!(life.does(authorise()), []);
        let mut life = life.and_hold();
        assert_eq!(life.does(authorise()), []);
        assert_eq!((life.state(), life.last(1)), ("approved", vec!["hold_placed"]));
    }
}

/// The terminal drops the card 30 s after it was read (PSP, Timeouts); ours is earlier, so that the Cancel is still heard.
#[test]
fn nobody_says_a_word() {
    let mut life = Life::asked(Apollo);
    assert_eq!(life.machine.next_tick(), Some(at(27)));
    assert_eq!(life.waits(26), []);
    assert_eq!(life.state(), "card_read");
    life.now = 27;
    // The word comes with the end of the time: too late.
    let refusal = life.tries(authorise()).unwrap_err();
    assert_eq!((refusal.code(), life.state()), ("no_card", "card_read"));
    assert_eq!(life.does(Input::Tick), [Effect::CancelFlow]);
    assert_eq!((life.state(), cancelled_by(&life)), ("cancelled", Some(CancelledBy::NotAuthorised)));
    assert_eq!(life.machine.errand(), Errand::Idle);
    assert_eq!(life.tries(authorise()).unwrap_err().code(), "no_card");
}

/// However a card that was read is lost before Auth, there is no hold.
#[test]
fn the_ends_of_a_card_that_waits() {
    let stop = Input::StopFlow(CancelledBy::Shutdown);
    let rows = [
        (Input::Wish(Wish::Cancel), vec![Effect::CancelFlow], "cancelled"),
        (stop, vec![Effect::CancelFlow], "cancelled"),
        // The terminal's own 30 s, seen by its status.
        (Input::FlowEnded(FlowEnded), vec![], "cancelled"),
        (Input::FlowEnded(Unsent), vec![], "failed"),
        (Input::FlowEnded(Unanswered(Cause::LinkLost)), vec![], "failed"),
    ];
    for (input, effects, end) in rows {
        let mut life = Life::asked(P6x);
        assert_eq!(life.does(input.clone()), effects, "{input:?}");
        assert_eq!(life.state(), end, "{input:?}");
        assert!(life.machine.session().ended());
    }
    let mut life = Life::asked(P6x);
    life.crashes();
    assert_eq!((life.state(), life.last(1)), ("failed", vec!["failed"]));
}

/// Where nobody has to say it, saying it is no mistake; without a card it is.
#[test]
fn a_word_in_every_state() {
    let no_card = Err("no_card".to_owned());
    let declined = || {
        let mut life = Life::authorising(Apollo);
        life.does(Input::Authorised(answered(Response::declined(None))));
        life
    };
    let cancelled = |mut life: Life| {
        life.does(Input::Wish(Wish::Cancel));
        life
    };
    let rows: [(&str, Life, Result<&str, String>); 9] = [
        ("auto, no card yet", Life::new(Apollo), Ok("waiting_card")),
        ("ask, no card yet", Life::under(asking(Apollo)), no_card.clone()),
        ("auto, cancelled", cancelled(Life::new(Apollo)), no_card.clone()),
        ("ask, cancelled", cancelled(Life::asked(Apollo)), no_card),
        ("authorising", Life::authorising(P6x), Ok("authorising")),
        ("declined", declined(), Ok("declined")),
        ("held", Life::held(P6x), Ok("approved")),
        ("committing", Life::attempting(P6x, commit(3140)), Ok("committing")),
        ("voiding", Life::attempting(Apollo, Decision::Void), Ok("voiding")),
    ];
    for (what, mut life, expected) in rows {
        let before = life.machine.session().clone();
        let answer = life.tries(authorise()).map_err(|refusal| refusal.code().to_owned());
        assert_eq!(answer.map(|_| life.state()), expected, "{what}");
        assert_eq!(life.machine.session(), &before, "{what}");
    }
}

/// A terminal that always waits for a card opens its sessions when one was read: they ask like any other.
#[test]
fn a_session_that_begins_with_a_card_asks_too() {
    let scanned = || {
        let Fact::Opened { connector, reference, caller_reference, amount, currency, idempotency, device, .. } = opened()
        else {
            unreachable!()
        };
        let origin = Origin::Scan;
        Fact::Opened { origin, connector, reference, caller_reference, amount, currency, idempotency, device }
    };
    let mut asks = Life::with(asking(Apollo), scanned());
    assert_eq!(asks.does(Input::CardRead(card())), []);
    assert_eq!(asks.state(), "card_read");
    assert_eq!(asks.does(authorise()), [Effect::Authorise]);

    let mut auto = Life::with(rules(Apollo), scanned());
    assert_eq!(auto.does(Input::Begin), [], "its card flow is there already");
    assert_eq!(auto.does(Input::CardRead(card())), [Effect::Authorise]);
    assert_eq!(auto.and_hold().state(), "approved");

    let mut killed = Life::with(rules(Apollo), scanned());
    killed.crashes();
    assert_eq!(killed.state(), "failed");
}

/// Without a journal nobody learns of the card: it is given back at once, and also when its end cannot be remembered.
#[test]
fn a_card_that_cannot_be_remembered_is_dropped() {
    let life = Life::under(asking(Apollo));
    let instead = life.machine.when_unwritable(&Input::CardRead(card()));
    assert_eq!(instead, Some((vec![Effect::CancelFlow], Some(Input::StopFlow(CancelledBy::Journal)))));
    let life = Life::asked(Apollo);
    let again = Some(Input::StopFlow(CancelledBy::NotAuthorised));
    assert_eq!(life.machine.when_unwritable(&Input::Tick), Some((vec![Effect::CancelFlow], again)));
    // Whoever said it is told, and may say it again.
    assert_eq!(life.machine.when_unwritable(&authorise()), Some((vec![], None)));
}
