//! `Session::after` as a table: what each fact makes of each state, or that it cannot follow.

use super::*;
use crate::journal::record::{CancelledBy, Cause, Report, ReportResult, Trigger};
use crate::session::state::Illegal;

/// The states, by the records that lead to them.
fn states() -> Vec<(&'static str, Vec<Fact>)> {
    let authorising = vec![opened(), intended()];
    let in_doubt = with(&authorising, [Fact::AuthoriseUnanswered { cause: Cause::LinkLost }]);
    let held = with(&authorising, [hold(Some(5000), Learned::Approved)]);
    let updating = with(&held, [Fact::UpdateIntended { amount: minor(7000) }]);
    let committing = with(&held, [decided(commit(3140))]);
    let unsure_decided = with(&committing, [uncertain()]);
    vec![
        ("opened", vec![opened()]),
        ("orphan", vec![orphan()]),
        ("card_read", vec![opened(), card_read()]),
        ("authorising", authorising),
        ("in_doubt", in_doubt.clone()),
        ("held", held.clone()),
        ("updating", updating.clone()),
        ("committing", committing.clone()),
        ("updating_decided", with(&updating, [decided(commit(3140))])),
        ("under_way", with(&committing, [Fact::AttemptStarted { attempt: 1 }])),
        ("voiding", with(&held, [decided(Decision::Void)])),
        ("unsure", with(&in_doubt, [uncertain()])),
        ("unsure_held", with(&held, [uncertain()])),
        ("unsure_decided", unsure_decided.clone()),
        ("unsure_under_way", with(&unsure_decided, [Fact::AttemptStarted { attempt: 1 }])),
        ("reused", with(&held, [number_reused()])),
    ]
}

fn with<const N: usize>(facts: &[Fact], more: [Fact; N]) -> Vec<Fact> {
    facts.iter().cloned().chain(more).collect()
}

/// One of each fact.
fn facts() -> Vec<(&'static str, Fact)> {
    let report = Report {
        trigger: Trigger::Connect,
        on_terminal: None,
        in_journal: Vec::new(),
        discrepancies: Vec::new(),
        result: ReportResult::Clean,
        error: None,
        began_at: at(0),
    };
    let resolved = |outcome| Fact::Resolved {
        outcome,
        note: "seen in the bank's file".to_owned(),
        by: "anna".to_owned(),
        proposed_by: None,
    };
    vec![
        ("opened", opened()),
        ("card_read", card_read()),
        ("authorise_intended", intended()),
        ("authorise_unanswered", Fact::AuthoriseUnanswered { cause: Cause::Timeout }),
        ("authorise_unsure", Fact::AuthoriseUnsure { dead_man: dead_man(24 * HOUR, DeadManAction::Void) }),
        ("hold_approved", hold(Some(5000), Learned::Approved)),
        ("hold_listed", hold(None, Learned::Listed)),
        ("declined", Fact::Declined { reason: Some(0x09) }),
        ("cancelled", Fact::Cancelled { by: CancelledBy::Api }),
        ("failed", Fact::Failed { why: "no".to_owned() }),
        ("energy", Fact::EnergyReported { amount: minor(1) }),
        ("stop_tapped", Fact::StopTapped { tapped_in: Some(id()) }),
        ("update_intended", Fact::UpdateIntended { amount: minor(7000) }),
        ("update_unsent", Fact::UpdateUnsent),
        ("hold_updated", Fact::HoldUpdated { amount: minor(7000) }),
        ("update_refused", Fact::UpdateRefused { declined: true, reason: Some(0x09) }),
        ("update_unanswered", Fact::UpdateUnanswered { cause: Cause::Timeout }),
        ("decided_commit", decided(commit(3140))),
        ("decided_void", decided(Decision::Void)),
        ("attempt_started", Fact::AttemptStarted { attempt: 1 }),
        ("attempt_unsent", Fact::AttemptUnsent { attempt: 1 }),
        ("attempt_unanswered", Fact::AttemptUnanswered { attempt: 1, cause: Cause::Timeout }),
        ("attempt_refused", Fact::AttemptRefused { attempt: 1, reason: None }),
        ("disposed_committed", disposed(Ending::Committed(minor(3140)))),
        ("disposed_voided", disposed(Ending::Voided)),
        ("disposed_expired", disposed(Ending::Expired)),
        ("became_uncertain", uncertain()),
        ("number_reused", number_reused()),
        ("number_shared", Fact::NumberShared { with: later_id() }),
        ("proposed", proposed()),
        ("withdrawn", Fact::ResolutionWithdrawn { by: "anna".to_owned() }),
        ("resolved_committed", resolved(Ending::Committed(minor(3000)))),
        ("resolved_voided", resolved(Ending::Voided)),
        ("started", Fact::Started { version: "1".to_owned() }),
        ("stopped", Fact::Stopped),
        ("drained", Fact::Drained { by: "anna".to_owned() }),
        ("resumed", Fact::Resumed { by: "anna".to_owned() }),
        ("rebuilt", Fact::Rebuilt),
        ("reconciled", Fact::Reconciled { report }),
    ]
}

/// A dash: cannot follow.
#[rustfmt::skip]
const TABLE: &str = "
fact                 opened      orphan    card_read   authorising in_doubt  held       updating   committing updating_decided under_way  voiding   unsure    unsure_held unsure_decided unsure_under_way reused
opened               -           -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
card_read            card_read   -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
authorise_intended   authorising -         authorising -           -         -          -          -          -                -          -         -         -           -              -                -
authorise_unanswered -           -         -           in_doubt    -         -          -          -          -                -          -         -         -           -              -                -
authorise_unsure     in_doubt    in_doubt  in_doubt    -           -         -          -          -          -                -          -         -         -           -              -                -
hold_approved        -           -         -           approved    approved  -          -          -          -                -          -         -         -           -              -                -
hold_listed          -           approved  -           approved    approved  -          -          -          -                -          -         -         -           -              -                -
declined             declined    -         -           declined    -         -          -          -          -                -          -         -         -           -              -                -
cancelled            cancelled   cancelled cancelled   cancelled   -         -          -          -          -                -          -         -         -           -              -                -
failed               failed      failed    failed      failed      failed    -          -          -          -                -          -         -         -           -              -                -
energy               -           -         -           -           -         approved   approved   -          -                -          -         -         uncertain   -              -                -
stop_tapped          -           -         -           -           -         approved   approved   -          -                -          -         -         -           -              -                -
update_intended      -           -         -           -           -         approved   -          -          -                -          -         -         -           -              -                -
update_unsent        -           -         -           -           -         -          approved   -          committing       -          -         -         -           -              -                -
hold_updated         -           -         -           -           -         -          approved   -          committing       -          -         -         -           -              -                -
update_refused       -           -         -           -           -         -          approved   -          committing       -          -         -         -           -              -                -
update_unanswered    -           -         -           -           -         -          approved   -          committing       -          -         -         -           -              -                -
decided_commit       -           -         -           -           -         committing committing -          -                -          -         -         committing  -              -                -
decided_void         -           -         -           -           -         voiding    voiding    -          -                -          -         -         voiding     -              -                -
attempt_started      -           -         -           -           -         -          -          committing -                -          voiding   -         -           uncertain      -                -
attempt_unsent       -           -         -           -           -         -          -          -          -                committing -         -         -           -              uncertain        -
attempt_unanswered   -           -         -           -           -         -          -          -          -                committing -         -         -           -              uncertain        -
attempt_refused      -           -         -           -           -         -          -          -          -                committing -         -         -           -              uncertain        -
disposed_committed   -           -         -           -           -         -          -          committed  committed        committed  -         -         -           committed      committed        -
disposed_voided      -           -         -           -           -         -          -          -          -                -          voided    -         -           -              -                -
disposed_expired     -           -         -           -           expired   expired    expired    expired    expired          expired    expired   expired   expired     expired        expired          -
became_uncertain     -           -         -           -           uncertain uncertain  uncertain  uncertain  uncertain        uncertain  uncertain -         -           -              -                -
number_reused        -           -         -           -           -         uncertain  uncertain  uncertain  uncertain        uncertain  uncertain -         uncertain   uncertain      uncertain        -
number_shared        -           -         -           -           -         approved   approved   -          -                -          -         -         -           -              -                -
proposed             -           -         -           -           -         -          -          -          -                -          -         uncertain uncertain   uncertain      uncertain        uncertain
withdrawn            -           -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
resolved_committed   -           -         -           -           -         -          -          -          -                -          -         committed committed   committed      committed        committed
resolved_voided      -           -         -           -           -         -          -          -          -                -          -         voided    voided      voided         voided           voided
started              -           -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
stopped              -           -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
drained              -           -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
resumed              -           -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
rebuilt              -           -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
reconciled           -           -         -           -           -         -          -          -          -                -          -         -         -           -              -                -
";

#[test]
fn every_fact_in_every_state_does_what_the_table_says() {
    let mut rows = TABLE.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let rows: Vec<Vec<&str>> = rows.collect();
    let (states, facts) = (states(), facts());
    assert_eq!(header[1..], states.iter().map(|(name, _)| *name).collect::<Vec<_>>()[..]);
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), facts.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (row, (name, fact)) in rows.iter().zip(&facts) {
        assert_eq!(row.len(), header.len(), "row {name}");
        for (expected, (state, records)) in row[1..].iter().zip(&states) {
            let before = session(records);
            let after = before.after(&entry(100, fact.clone()));
            match after {
                Ok(after) => {
                    assert_eq!(after.state_name(), *expected, "{name} in {state}");
                    assert_eq!(after.version, before.version + 1, "{name} in {state}");
                    assert_eq!(after.changed_at, at(100), "{name} in {state}");
                }
                Err(illegal) => assert_eq!("-", *expected, "{name} in {state}: {illegal}"),
            }
        }
    }
}

#[test]
fn nothing_follows_an_end() {
    let held = [opened(), intended(), hold(Some(5000), Learned::Approved)];
    let ends = [
        ("committed", with(&held, [decided(commit(3140)), disposed(Ending::Committed(minor(3140)))])),
        ("voided", with(&held, [decided(Decision::Void), disposed(Ending::Voided)])),
        ("expired", with(&held, [disposed(Ending::Expired)])),
        ("voided", with(&held, [uncertain(), proposed(), resolved_by_another()])),
        ("declined", vec![opened(), intended(), Fact::Declined { reason: None }]),
        ("cancelled", vec![opened(), Fact::Cancelled { by: CancelledBy::Terminal }]),
        ("failed", vec![opened(), Fact::Failed { why: "no".to_owned() }]),
    ];
    for (name, records) in ends {
        let end = session(&records);
        assert_eq!(end.state_name(), name);
        assert!(end.ended() && !end.undisposed(), "{name}");
        for (kind, fact) in facts() {
            assert!(end.after(&entry(100, fact)).is_err(), "{kind} after {name}");
        }
    }
}

#[test]
fn undisposed_is_whatever_has_or_may_have_a_hold() {
    let undisposed: Vec<&str> =
        states().into_iter().filter(|(_, records)| session(records).undisposed()).map(|(name, _)| name).collect();
    let expected = "authorising in_doubt held updating committing updating_decided under_way voiding unsure unsure_held unsure_decided unsure_under_way \
        reused";
    assert_eq!(undisposed.join(" "), expected);
    assert!(states().iter().all(|(_, records)| !session(records).ended()));
}

/// What is refused, though the state would allow a fact of this kind: the amount or the number does not fit.
#[test]
fn amounts_and_numbers_must_fit_what_was_decided() {
    let held = [opened(), intended(), hold(Some(5000), Learned::Approved)];
    let partial = [opened(), intended(), hold(Some(2000), Learned::PartiallyApproved)];
    let committing = with(&held, [decided(commit(3140))]);
    let started = with(&committing, [Fact::AttemptStarted { attempt: 1 }]);
    let refused = with(&started, [Fact::AttemptRefused { attempt: 1, reason: None }]);
    let energy = with(&held, [Fact::EnergyReported { amount: minor(1240) }]);
    let listed = [orphan(), hold(None, Learned::Listed)];
    let unsure = with(&partial, [uncertain()]);
    let resolved = |amount| Fact::Resolved {
        outcome: Ending::Committed(minor(amount)),
        note: "as the bank says".to_owned(),
        by: "anna".to_owned(),
        proposed_by: None,
    };
    let raising = with(&held, [Fact::UpdateIntended { amount: minor(7000) }]);
    let lowering = with(&held, [Fact::UpdateIntended { amount: minor(3000) }]);
    let updated = |amount| Fact::HoldUpdated { amount: minor(amount) };
    let rows: [(&str, &[Fact], Fact, bool); 31] = [
        ("raised, partly", &raising, updated(5001), true),
        ("raised, to less than before", &raising, updated(4999), false),
        ("raised, to more than was asked for", &raising, updated(7001), false),
        ("lowered, partly", &lowering, updated(4000), true),
        ("lowered, to less than was asked for", &lowering, updated(2999), false),
        ("lowered, to more than before", &lowering, updated(5001), false),
        ("a hold of nothing", &held, Fact::UpdateIntended { amount: minor(0) }, false),
        ("a hold whose amount nobody knows", &listed, Fact::UpdateIntended { amount: minor(1) }, false),
        ("while it is raised, all of the old hold", &raising, decided(commit(5000)), true),
        ("while it is raised, more than the old hold", &raising, decided(commit(5001)), false),
        ("while it is lowered, all of the new hold", &lowering, decided(commit(3000)), true),
        ("while it is lowered, more than the new hold", &lowering, decided(commit(3001)), false),
        ("a second update beside the first", &raising, Fact::UpdateIntended { amount: minor(7000) }, false),
        ("all of the hold", &held, decided(commit(5000)), true),
        ("more than the hold", &held, decided(commit(5001)), false),
        ("more than a partial hold, but not more than was asked for", &partial, decided(commit(2001)), false),
        ("a commit of nothing", &held, decided(commit(0)), false),
        ("a commit of a hold whose amount nobody knows", &listed, decided(commit(1)), false),
        ("a void of a hold whose amount nobody knows", &listed, decided(Decision::Void), true),
        ("the same total again", &energy, Fact::EnergyReported { amount: minor(1240) }, true),
        ("a total that goes down", &energy, Fact::EnergyReported { amount: minor(1239) }, false),
        ("the same decision again", &committing, decided(commit(3140)), false),
        ("another decision", &committing, decided(Decision::Void), false),
        ("another amount committed than was decided", &committing, disposed(Ending::Committed(minor(3141))), false),
        ("a second attempt before the first", &committing, Fact::AttemptStarted { attempt: 2 }, false),
        ("a second attempt beside the first", &started, Fact::AttemptStarted { attempt: 2 }, false),
        ("the end of another attempt", &started, Fact::AttemptUnsent { attempt: 2 }, false),
        ("the first attempt again", &refused, Fact::AttemptStarted { attempt: 1 }, false),
        ("the second attempt after the first", &refused, Fact::AttemptStarted { attempt: 2 }, true),
        ("a person says all of a partial hold", &unsure, resolved(2000), true),
        ("a person says more than a partial hold", &unsure, resolved(2001), false),
    ];
    for (what, records, fact, legal) in rows {
        let result = session(records).after(&entry(100, fact));
        assert_eq!(result.is_ok(), legal, "{what}: {result:?}");
        if let Err(illegal) = result {
            assert!(matches!(illegal, Illegal::Disagrees { .. } | Illegal::Order { .. }), "{what}: {illegal}");
        }
    }
}

#[test]
fn a_record_of_another_session_is_not_taken() {
    let mut foreign = entry(1, intended());
    foreign.session = Some(SessionId::new(at(0), [8; 10]));
    assert_eq!(session(&[opened()]).after(&foreign), Err(Illegal::NotOfSession("authorise_intended")));
    foreign.session = None;
    assert_eq!(session(&[opened()]).after(&foreign), Err(Illegal::NotOfSession("authorise_intended")));
}

#[test]
fn a_session_begins_with_opened_and_names_itself() {
    assert_eq!(Session::opened(&entry(0, intended())), Err(Illegal::Order { fact: "authorise_intended", state: "none" }));
    let mut nameless = entry(0, opened());
    nameless.session = None;
    assert_eq!(Session::opened(&nameless), Err(Illegal::NotOfSession("opened")));
    let mut nowhere = entry(0, opened());
    nowhere.terminal = None;
    assert_eq!(Session::opened(&nowhere), Err(Illegal::NotOfSession("opened")));
}
