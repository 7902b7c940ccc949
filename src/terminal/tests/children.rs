//! Whose a number is that two open holds have.

use crate::id::{SessionId, TerminalSessionId};
use crate::journal::record::{AtEnd, DeadMan, DeadManAction, Learned, Origin, Outcome};
use crate::journal::{Entry, Fact};
use crate::session::Session;
use crate::terminal::children::owners;
use crate::time::Timestamp;

fn name(number: u8) -> SessionId {
    SessionId::new(Timestamp::from_unix_millis(0), [number; 10])
}

/// A session whose hold became known in this second under this number.
fn held(session: u8, second: i64, learned: Learned, number: u32) -> Session {
    let entry = |second: i64, fact| Entry {
        at: Timestamp::from_unix_millis(second * 1000),
        terminal: Some("bay-01".parse().unwrap()),
        session: Some(name(session)),
        fact,
    };
    let dead_man = DeadMan { at: None, action: DeadManAction::Void };
    let at = Timestamp::from_unix_millis(0);
    let facts = [
        Fact::AuthoriseIntended { card: None, dead_man },
        Fact::HoldPlaced {
            terminal_session_id: TerminalSessionId(number),
            amount: None,
            learned,
            plug_in_by: at,
            end_by: at,
            at_end: AtEnd::Void,
            dead_man,
        },
    ];
    let opened = Fact::Opened {
        origin: Origin::Api,
        connector: None,
        reference: None,
        caller_reference: None,
        amount: None,
        currency: "EUR".parse().unwrap(),
        idempotency: None,
        device: None,
    };
    let opened = Session::opened(&entry(second, opened)).unwrap();
    facts.into_iter().fold(opened, |session, fact| session.after(&entry(second, fact)).unwrap())
}

/// Whoever was told of the approval has the number, even if another found it in a list later, unless it was missing in between; else
/// the newest has it. One that is
/// nobody else's, or whose other session has ended, is not disputed.
#[test]
fn a_number_has_one_owner() {
    use Learned::{Approved, Listed, PartiallyApproved};
    let ended = {
        let session = held(9, 99, Approved, 7);
        let resolved = Fact::BecameUncertain { why: "gone".to_owned() };
        let at = Timestamp::from_unix_millis(99_000);
        let entry = |fact| Entry { at, terminal: None, session: Some(name(9)), fact };
        let uncertain = session.after(&entry(resolved)).unwrap();
        let (note, by) = (String::new(), String::new());
        uncertain.after(&entry(Fact::Resolved { outcome: Outcome::Voided, note, by, proposed_by: None })).unwrap()
    };
    let owner = |sessions: &[Session]| {
        let found = owners(sessions.iter());
        found.into_iter().map(|(number, owner, listed)| (number.0, owner, listed)).collect::<Vec<_>>()
    };
    assert_eq!(owner(&[held(1, 1, Approved, 7), held(2, 2, Approved, 8), ended.clone()]), []);
    let newest = [held(1, 1, Approved, 7), held(2, 2, PartiallyApproved, 7), ended];
    assert_eq!(owner(&newest), [(7, name(2), false)]);
    let told = [held(1, 1, Approved, 7), held(2, 2, Listed, 7)];
    assert_eq!(owner(&told), [(7, name(1), false)]);
    let missed = Fact::BecameUncertain { why: "missing".to_owned() };
    let at = Timestamp::from_unix_millis(1000);
    let missed = Entry { at, terminal: None, session: Some(name(1)), fact: missed };
    let found = [held(1, 1, Approved, 7).after(&missed).unwrap(), held(2, 2, Listed, 7)];
    assert_eq!(owner(&found), [(7, name(2), true)]);
    let both_listed = [held(2, 2, Listed, 7), held(1, 1, Listed, 7), held(3, 1, Approved, 8)];
    assert_eq!(owner(&both_listed), [(7, name(2), true)]);
}
