//! "When things go wrong", row by row, as lives: what happens, one after the other, and what must have become of the session.

use super::*;
use crate::journal::record::Cause;
use crate::link;
use crate::protocol::Request;
use crate::session::Verdict;
use Family::{Apollo, P6x};

/// What happens to a session whose first attempt is under way.
#[derive(Clone, Debug)]
enum Happens {
    /// The attempt that is under way ends so.
    Ends(Outcome),
    /// The link is set up again, and nothing is due yet.
    ReconnectsIdle,
    /// The link is set up again, and the session asks for its turn at once, gets it, and tries again.
    Retries,
    /// So many seconds pass, and then it asks for its turn, gets it, and tries again.
    RetriesAfter(i64),
    /// So many seconds pass.
    Passes(i64),
    /// The terminal's list says so.
    Listed(Verdict),
    /// The program is killed and comes up again.
    Crashes,
}
use Happens::*;

type Row = (&'static str, Family, Vec<Happens>, &'static str, &'static str, Option<ConfirmedBy>);

fn lost() -> Happens {
    Ends(Outcome::Unanswered(Cause::LinkLost))
}

fn timed_out() -> Happens {
    Ends(Outcome::Unanswered(Cause::Timeout))
}

fn refused(reason: u8) -> Happens {
    Ends(not_ok(Some(reason)))
}

fn refused_without_reason() -> Happens {
    Ends(not_ok(None))
}

/// Leads the life on, and checks that every attempt repeats the first one.
fn lead(life: &mut Life, request: &Request, happens: Happens) {
    let ask = [Effect::AskTurn];
    let attempt = [Effect::Attempt(request.clone())];
    match happens {
        Ends(outcome) => drop(life.does(Input::Attempted(outcome))),
        ReconnectsIdle => assert_eq!(life.reconnects(), []),
        Retries => {
            assert_eq!(life.reconnects(), ask);
            assert_eq!(life.does(Input::Turn), attempt);
        }
        RetriesAfter(seconds) => {
            assert_eq!(life.waits(seconds - 1), [], "a second before");
            assert_eq!(life.waits(1), ask);
            assert_eq!(life.does(Input::Turn), attempt);
        }
        Passes(seconds) => drop(life.waits(seconds)),
        Listed(verdict) => drop(life.does(Input::Listed(verdict))),
        Crashes => life.crashes(),
    }
}

#[test]
fn a_disposal_whose_answer_is_lost_or_refused() {
    use ConfirmedBy::{ListAbsent, Presumed, ResultOk, Timer};
    // What becomes of a commit, what of a void, and how we know.
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("accepted", Apollo, vec![Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("accepted", P6x, vec![Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("lost, once more, OK", Apollo, vec![lost(), Passes(1), Retries, Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("lost, once more, not found", Apollo, vec![lost(), Passes(1), Retries, refused(0x0C)], "committed", "voided", Some(Presumed)),
        ("late, once more, not found", Apollo, vec![timed_out(), Passes(1), Retries, refused(0x0C)], "committed", "voided", Some(Presumed)),
        ("killed, once more, not found", Apollo, vec![Crashes, Passes(1), Retries, refused(0x0C)], "committed", "voided", Some(Presumed)),
        ("lost, once more, lost, OK", Apollo, vec![lost(), Passes(1), Retries, lost(), Passes(5), Retries, Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("lost, set up before its time", Apollo, vec![lost(), ReconnectsIdle, RetriesAfter(1), Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("lost, still listed, once more", P6x, vec![lost(), Listed(Verdict::Present), Passes(1), Retries, Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("lost, listed no more", P6x, vec![lost(), Listed(Verdict::Absent)], "committed", "voided", Some(ListAbsent)),
        ("killed, listed no more", P6x, vec![Crashes, Listed(Verdict::Absent)], "committed", "voided", Some(ListAbsent)),
        ("refused, listed no more", P6x, vec![refused_without_reason(), Listed(Verdict::Absent)], "uncertain", "uncertain", None),
        ("refused, listed no more, timer past", P6x, vec![refused_without_reason(), Passes(24 * HOUR + 15 * MINUTE), Listed(Verdict::Absent)], "expired", "expired", Some(Timer)),
        ("never sent, listed no more", P6x, vec![Ends(Outcome::Unsent), Listed(Verdict::Absent)], "uncertain", "uncertain", None),
        ("never sent, at once again", Apollo, vec![Ends(Outcome::Unsent), Retries, Ends(ok())], "committed", "voided", Some(ResultOk)),
        // Unsent is no doubt: not found then means that somebody else ended it.
        ("never sent, not found", Apollo, vec![Ends(Outcome::Unsent), Retries, refused(0x0C)], "uncertain", "uncertain", None),
        ("not found at first", Apollo, vec![refused(0x0C)], "uncertain", "uncertain", None),
        ("not found at first, timer past", Apollo, vec![Ends(Outcome::Unsent), Passes(24 * HOUR + 15 * MINUTE), Retries, refused(0x0C)], "expired", "expired", Some(Timer)),
        ("damaged on the way, at once again", Apollo, vec![refused(0x04), Retries, Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("wrong state, set up, again", Apollo, vec![refused(0x05), ReconnectsIdle, RetriesAfter(1), Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("invalid state, set up, again", Apollo, vec![refused(0x0E), ReconnectsIdle, RetriesAfter(1), Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("not ready, set up, again", Apollo, vec![refused(0x11), ReconnectsIdle, RetriesAfter(1), Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("another reason, again", Apollo, vec![refused(0x09), RetriesAfter(1), Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("no reason, set up, listed, again", P6x, vec![refused_without_reason(), Listed(Verdict::Present), ReconnectsIdle, RetriesAfter(1), Ends(ok())], "committed", "voided", Some(ResultOk)),
        ("four times refused", Apollo, vec![refused(0x09), RetriesAfter(1), refused(0x09), RetriesAfter(5), refused(0x09), RetriesAfter(30), refused(0x09)], "committing", "voiding", None),
    ];
    for (what, family, happens, committed, voided, confirmed_by) in rows {
        for (decision, request, end) in [
            (commit(3140), Request::CommitSession { session: TerminalSessionId(11), amount: minor(3140) }, committed),
            (Decision::Void, Request::VoidSession { session: TerminalSessionId(11) }, voided),
        ] {
            let mut life = Life::attempting(family, decision);
            for happens in happens.clone() {
                lead(&mut life, &request, happens);
            }
            assert_eq!((life.state(), life.confirmed_by()), (end, confirmed_by), "{family:?} {request:?}: {what}");
        }
    }
}

/// Not OK five times is uncertain, counted and alerted; asking goes on at the ladder's pace, in the end once an hour, over a
/// crash as well, and an answer still settles it.
#[test]
fn five_refusals_are_uncertain_and_asking_goes_on() {
    for reason in [None, Some(0x09)] {
        let request = Request::CommitSession { session: TerminalSessionId(11), amount: minor(3140) };
        let mut life = Life::attempting(Apollo, commit(3140));
        for wait in [1, 5, 30, 60] {
            lead(&mut life, &request, Ends(not_ok(reason)));
            assert_eq!(life.state(), "committing");
            lead(&mut life, &request, RetriesAfter(wait));
        }
        lead(&mut life, &request, Ends(not_ok(reason)));
        assert_eq!((life.state(), life.last(2)), ("uncertain", vec!["attempt_refused", "became_uncertain"]));
        for wait in [60, 60, 60, 60, 3600, 3600] {
            lead(&mut life, &request, RetriesAfter(wait));
            lead(&mut life, &request, Ends(not_ok(reason)));
            assert_eq!((life.state(), life.last(1)), ("uncertain", vec!["attempt_refused"]));
        }
        life.crashes();
        lead(&mut life, &request, ReconnectsIdle);
        lead(&mut life, &request, RetriesAfter(3600));
        lead(&mut life, &request, Ends(ok()));
        assert_eq!((life.state(), life.confirmed_by()), ("committed", Some(ConfirmedBy::ResultOk)));
    }
}

/// A number that the terminal does not know may come to mean another session: it is not asked for again.
#[test]
fn what_the_terminal_has_lost_is_not_asked_for_again() {
    let mut apollo = Life::attempting(Apollo, commit(3140));
    apollo.does(Input::Attempted(not_ok(Some(0x0C))));
    let mut p6x = Life::attempting(P6x, commit(3140));
    p6x.does(Input::Attempted(not_ok(None)));
    p6x.does(Input::Listed(Verdict::Absent));
    for life in [&mut apollo, &mut p6x] {
        assert_eq!(life.state(), "uncertain");
        for _ in 0..2 {
            assert_eq!(life.waits(48 * HOUR), []);
            assert_eq!(life.machine.next_tick(), None);
            assert_eq!(life.reconnects(), []);
            assert_eq!(life.does(Input::Turn), [Effect::ReleaseTurn]);
            life.crashes();
        }
    }
}

/// Damaged on the way is no reason to wait, but neither to send the same bytes for ever.
#[test]
fn a_damaged_request_is_repeated_at_once_three_times() {
    let request = Request::VoidSession { session: TerminalSessionId(11) };
    let mut life = Life::attempting(Apollo, Decision::Void);
    for _ in 0..3 {
        lead(&mut life, &request, refused(0x04));
        assert_eq!(life.waits(0), [Effect::AskTurn]);
        assert_eq!(life.does(Input::Turn), [Effect::Attempt(request.clone())]);
    }
    lead(&mut life, &request, refused(0x04));
    lead(&mut life, &request, RetriesAfter(60));
}

#[test]
fn a_refusal_for_want_of_a_proper_state_sets_the_terminal_up_again() {
    let rows = [
        (Apollo, Some(0x05), true),
        (Apollo, Some(0x0E), true),
        (Apollo, Some(0x11), true),
        (Apollo, Some(0x04), false),
        (Apollo, Some(0x09), false),
        (Apollo, None, false),
        (P6x, None, true),
    ];
    for (family, reason, expected) in rows {
        let mut life = Life::attempting(family, Decision::Void);
        let effects = life.does(Input::Attempted(not_ok(reason)));
        let again = matches!(effects[..], [Effect::SetUpAgain(_)]);
        assert_eq!((again, again || effects.is_empty()), (expected, true), "{family:?} {reason:?}: {effects:?}");
    }
}

/// After a timer that commits, a session that the terminal does not know may have been taken whole: a person must find out.
#[test]
fn a_timer_that_commits_leaves_no_presumption() {
    let mut commits = rules(Apollo);
    commits.policy.terminal_timeout_action = DeadManAction::Commit;
    let day = 24 * HOUR + 15 * MINUTE;
    for (decision, wait, end) in [
        (commit(3140), 1, "committed"),
        (commit(3140), day, "uncertain"),
        (Decision::Void, 1, "voided"),
        (Decision::Void, day, "uncertain"),
    ] {
        let mut life = Life::under(commits.clone()).and_card().and_hold().and_attempt(decision);
        life.does(Input::Attempted(Outcome::Unanswered(Cause::LinkLost)));
        life.does(Input::NotReady);
        life.now += wait;
        assert_eq!(life.does(Input::Ready), [Effect::AskTurn]);
        life.turn();
        life.does(Input::Attempted(not_ok(Some(0x0C))));
        assert_eq!(life.state(), end, "{decision:?} after {wait} s");
    }
}

// ── before there is a hold ──

#[test]
fn a_crash_before_the_card_is_a_failure() {
    for family in [Apollo, P6x] {
        let mut life = Life::new(family);
        life.crashes();
        assert_eq!((life.state(), life.last(1)), ("failed", vec!["failed"]));
    }
}

/// A lost answer to Auth, whether we lived or were killed, is doubt. An Apollo cannot be asked, so its timer ends it.
#[test]
fn an_authorisation_in_doubt_on_an_apollo_is_ended_by_the_terminals_timer() {
    for (action, end) in [(DeadManAction::Void, "expired"), (DeadManAction::Commit, "uncertain")] {
        for cause in [None, Some(Cause::LinkLost), Some(Cause::Timeout), Some(Cause::Resynchronised)] {
            let mut rules = rules(Apollo);
            rules.policy.terminal_timeout_action = action;
            let mut life = Life::under(rules).and_card();
            match cause {
                None => life.crashes(),
                Some(cause) => drop(life.does(Input::Authorised(Outcome::Unanswered(cause)))),
            }
            assert_eq!(life.state(), "in_doubt", "{cause:?}");
            assert!(life.machine.session().undisposed());
            // Auth may take 210 s, then 24 h run, and a quarter of an hour is the margin.
            let due = 210 + 24 * HOUR + 15 * MINUTE;
            assert_eq!(life.machine.next_tick(), Some(at(due)));
            life.waits(due - 1);
            life.crashes();
            assert_eq!(life.state(), "in_doubt", "{cause:?}");
            life.waits(1);
            assert_eq!(life.state(), end, "{cause:?}");
        }
    }
}

/// The journal was unwritable when the approval came: the terminal's timer has run since, and our deadlines with it (G9).
#[test]
fn an_approval_that_is_late_in_the_journal_counts_from_auth() {
    let mut life = Life::authorising(P6x);
    life.now = 2 * HOUR;
    life.does(Input::Authorised(approved(11)));
    let hold = life.machine.session().hold.clone().unwrap();
    // Auth may take 30 s.
    assert_eq!(hold.dead_man.at, Some(at(30 + 24 * HOUR)));
    assert_eq!((hold.plug_in_by, hold.end_by), (at(30 + 5 * MINUTE), at(30 + 12 * HOUR)));
    assert_eq!(life.waits(0), [Effect::AskTurn]);
    assert_eq!(life.state(), "voiding");
}

/// G4: whatever a terminal says that it holds, no more is taken than was asked for.
#[test]
fn no_terminal_holds_more_than_was_asked_for() {
    let mut life = Life::authorising(Apollo);
    life.does(Input::Authorised(partially_approved(11, 6000)));
    let hold = life.machine.session().hold.as_ref().and_then(|hold| hold.amount);
    assert_eq!(hold, Some(minor(5000)));
}

/// That a terminal which forgets sessions does not know one proves nothing: neither now, nor when others that showed it are over.
#[test]
fn what_a_forgetful_terminal_does_not_list_is_not_done() {
    let request = |decision| match decision {
        Decision::Commit(amount) => Request::CommitSession { session: TerminalSessionId(11), amount },
        Decision::Void => Request::VoidSession { session: TerminalSessionId(11) },
    };
    for decision in [commit(3140), Decision::Void] {
        let mut life = Life::attempting(P6x, decision);
        for happens in
            [lost(), Listed(Verdict::Unproven), Listed(Verdict::Absent), Passes(HOUR), Crashes, Listed(Verdict::Absent)]
        {
            lead(&mut life, &request(decision), happens);
        }
        assert_eq!(life.state(), "uncertain", "{decision:?}");
        lead(&mut life, &request(decision), Passes(24 * HOUR));
        lead(&mut life, &request(decision), Listed(Verdict::Absent));
        assert_eq!(life.state(), "uncertain", "{decision:?}");
    }

    // Its own timer is forgotten, too; that of one which is missing only later may have acted.
    for (missing_at, state) in [(2 * HOUR, "uncertain"), (24 * HOUR + 15 * MINUTE, "expired")] {
        let mut life = Life::held(P6x);
        life.now = missing_at;
        life.does(Input::Listed(Verdict::Absent));
        life.now = 26 * HOUR;
        life.does(Input::Listed(Verdict::Absent));
        assert_eq!(life.state(), state);
    }

    // It was not forgotten after all: what is missing after another attempt was carried out by that one.
    let mut life = Life::attempting(P6x, commit(3140));
    for happens in [lost(), Listed(Verdict::Unproven), ReconnectsIdle, Listed(Verdict::Present)] {
        lead(&mut life, &request(commit(3140)), happens);
    }
    for happens in [RetriesAfter(1), lost(), Listed(Verdict::Absent)] {
        lead(&mut life, &request(commit(3140)), happens);
    }
    assert_eq!((life.state(), life.confirmed_by()), ("committed", Some(ConfirmedBy::ListAbsent)));
}

/// `quirks.keeps_sessions = false`, where there are no lists.
#[test]
fn what_a_forgetful_apollo_does_not_find_is_not_done() {
    for (decision, request) in [
        (commit(3140), Request::CommitSession { session: TerminalSessionId(11), amount: minor(3140) }),
        (Decision::Void, Request::VoidSession { session: TerminalSessionId(11) }),
    ] {
        let forgetful = Life::under(Rules { keeps_sessions: false, ..rules(Apollo) }).and_card().and_hold();
        let mut life = forgetful.and_attempt(decision);
        for happens in [lost(), Passes(1), Retries, refused(0x0C)] {
            lead(&mut life, &request, happens);
        }
        assert_eq!((life.state(), life.confirmed_by()), ("uncertain", None), "{decision:?}");
    }
}

#[test]
fn an_authorisation_in_doubt_on_a_forgetful_p6x_waits_for_a_person_or_the_timer() {
    let mut found_out = Life::authorising(P6x);
    found_out.crashes();
    assert_eq!(found_out.does(Input::Listed(Verdict::Unproven)), []);
    assert_eq!((found_out.state(), found_out.last(1)), ("uncertain", vec!["became_uncertain"]));

    // Known to be forgetful, it is waited for as an Apollo is.
    let mut known = Life::under(Rules { keeps_sessions: false, ..rules(P6x) }).and_card();
    known.crashes();
    let over = 30 + 24 * HOUR + 15 * MINUTE;
    assert_eq!((known.state(), known.machine.next_tick()), ("in_doubt", Some(at(over))));
    known.waits(over - 1);
    assert_eq!(known.state(), "in_doubt");
    known.waits(1);
    assert_eq!(known.state(), "expired");
}

#[test]
fn an_authorisation_in_doubt_on_a_p6x_is_ended_by_its_list() {
    let doubt = || {
        let mut life = Life::authorising(P6x);
        life.crashes();
        assert_eq!((life.state(), life.machine.next_tick()), ("in_doubt", None));
        life
    };
    let mut nothing = doubt();
    assert_eq!(nothing.does(Input::Listed(Verdict::NoHold)), []);
    assert_eq!(nothing.state(), "failed");

    let mut late = doubt();
    late.now = 30 + 24 * HOUR + 15 * MINUTE;
    late.does(Input::Listed(Verdict::NoHold));
    assert_eq!(late.state(), "expired");

    // No energy was ever allowed, so the hold that nobody heard of is voided, and only with a turn on a terminal that is ready.
    let mut found = doubt();
    found.now = 2 * HOUR;
    assert_eq!(found.does(Input::Listed(Verdict::Adopt(TerminalSessionId(77)))), []);
    assert_eq!((found.state(), found.last(2)), ("voiding", vec!["hold_placed", "disposal_decided"]));
    let session = found.machine.session();
    assert_eq!(session.disposal.as_ref().map(|disposal| disposal.by), Some(DecidedBy::Orphan));
    assert_eq!(session.hold.as_ref().map(|hold| (hold.terminal_session_id.0, hold.learned)), Some((77, Learned::Listed)));
    // The terminal's timer has run since Auth.
    assert_eq!(session.hold.as_ref().and_then(|hold| hold.dead_man.at), Some(at(30 + 24 * HOUR)));
    assert_eq!(found.does(Input::Ready), [Effect::AskTurn]);
    let void = Request::VoidSession { session: TerminalSessionId(77) };
    assert_eq!(found.does(Input::Turn), [Effect::Attempt(void)]);
    found.does(Input::Attempted(ok()));
    assert_eq!(found.state(), "voided");
}

/// The terminal's timer began when it approved, and the approval may have been on its way for two minutes.
#[test]
fn absence_proves_no_commit_when_the_timer_may_have_come_first() {
    for (passed, end) in [(24 * HOUR - 121, "committed"), (24 * HOUR - 120, "uncertain")] {
        let mut life = Life::attempting(P6x, commit(3140));
        let began = life.now;
        lead(&mut life, &Request::GetStatus, lost());
        life.now = began + passed;
        life.does(Input::Listed(Verdict::Absent));
        assert_eq!(life.state(), end, "{passed} s after the hold");
    }
}

#[test]
fn an_orphan_is_voided_in_a_session_of_its_own() {
    let mut life = Life::with(rules(P6x), orphan());
    life.does(Input::Listed(Verdict::Adopt(TerminalSessionId(500))));
    assert_eq!(life.state(), "voiding");
    assert_eq!(life.does(Input::Ready), [Effect::AskTurn]);
    let void = Request::VoidSession { session: TerminalSessionId(500) };
    assert_eq!(life.does(Input::Turn), [Effect::Attempt(void)]);
    life.does(Input::Attempted(ok()));
    assert_eq!((life.state(), life.confirmed_by()), ("voided", Some(ConfirmedBy::ResultOk)));

    // Killed before the adoption is durable, it ends, and the next list finds the hold again.
    let mut killed = Life::with(rules(P6x), orphan());
    killed.crashes();
    assert_eq!(killed.state(), "failed");
}

#[test]
fn a_list_adopts_nothing_for_a_session_that_waits_for_its_card() {
    let mut life = Life::new(P6x);
    assert_eq!(life.does(Input::Listed(Verdict::Adopt(TerminalSessionId(77)))), []);
    assert_eq!(life.state(), "waiting_card");
}

#[test]
fn less_may_be_held_than_was_asked_for() {
    let mut life = Life::authorising(Apollo);
    life.does(Input::Authorised(partially_approved(11, 3000)));
    let session = life.machine.session();
    assert_eq!(session.state_name(), "approved");
    assert_eq!(session.amount_requested, Some(minor(5000)));
    assert_eq!(
        session.hold.as_ref().map(|hold| (hold.amount, hold.learned)),
        Some((Some(minor(3000)), Learned::PartiallyApproved))
    );
    let over = Refusal::OverCommit { held: minor(3000), asked: minor(3001) };
    assert_eq!(life.tries(Input::Wish(Wish::Commit(minor(3001)))), Err(over));
    assert_eq!(life.does(Input::Wish(Wish::Commit(minor(3000)))), [Effect::AskTurn]);
}

/// How Start and Auth may end, and what that makes of the session.
#[test]
fn the_ends_of_a_card_flow() {
    use link::Outcome::{FlowEnded, Unanswered, Unsent};
    let declined = || answered(Response::declined(Some(0x09)));
    let rows: [(Outcome, &str, &str); 11] = [
        // how it ends, what Start makes of it, what Auth makes of it
        (answered(Response::Cancelled), "cancelled", "cancelled"),
        (FlowEnded, "cancelled", "in_doubt"),
        (not_ok(Some(0x07)), "cancelled", "failed"),
        (not_ok(Some(0x05)), "failed", "failed"),
        (not_ok(None), "failed", "failed"),
        (declined(), "declined", "declined"),
        (Unsent, "failed", "failed"),
        (Unanswered(Cause::LinkLost), "failed", "in_doubt"),
        (Unanswered(Cause::Timeout), "failed", "in_doubt"),
        (ok(), "failed", "in_doubt"),
        (approved(11), "failed", "approved"),
    ];
    for (outcome, start, auth) in rows {
        let mut waiting = Life::new(Apollo);
        assert_eq!(waiting.does(Input::FlowEnded(outcome.clone())), []);
        assert_eq!(waiting.state(), start, "Start: {outcome:?}");
        let mut authorising = Life::authorising(Apollo);
        assert_eq!(authorising.does(Input::Authorised(outcome.clone())), []);
        assert_eq!(authorising.state(), auth, "Auth: {outcome:?}");
    }
}

// ── with a hold ──

/// A crash while energy flows changes nothing: same state, same deadline, nothing to send.
#[test]
fn a_crash_with_energy_flowing_goes_on() {
    for family in [Apollo, P6x] {
        let mut life = Life::held(family);
        life.now = 60;
        life.does(Input::Wish(Wish::Energy(minor(1240))));
        let (before, due) = (life.machine.session().clone(), life.machine.next_tick());
        assert_eq!(due, Some(at(12 * HOUR)));
        for _ in 0..2 {
            life.crashes();
            assert_eq!((life.machine.session(), life.machine.next_tick()), (&before, due));
            assert_eq!(life.reconnects(), []);
            assert_eq!(life.does(Input::Listed(Verdict::Present)), []);
        }
    }
}

#[test]
fn a_hold_that_the_terminal_has_lost_is_never_closed_silently() {
    for (wait, end) in [(60, "uncertain"), (24 * HOUR + 15 * MINUTE, "expired")] {
        let mut life = Life::held(P6x);
        life.does(Input::Wish(Wish::Energy(minor(1240))));
        life.now = wait;
        assert_eq!(life.does(Input::Listed(Verdict::Absent)), []);
        assert_eq!(life.state(), end);
    }
    let mut rules = rules(P6x);
    rules.policy.terminal_timeout_action = DeadManAction::Commit;
    let mut life = Life::under(rules).and_card().and_hold();
    life.now = 24 * HOUR + 15 * MINUTE;
    life.does(Input::Listed(Verdict::Absent));
    assert_eq!(life.state(), "uncertain");
}

/// A list that was read before the attempt went out says nothing about it.
#[test]
fn a_list_older_than_the_attempt_is_not_believed() {
    let mut life = Life::attempting(P6x, commit(3140));
    for verdict in [Verdict::Present, Verdict::Absent] {
        assert_eq!(life.does(Input::Listed(verdict)), []);
        assert_eq!(life.last(1), ["attempt_started"]);
    }
}
