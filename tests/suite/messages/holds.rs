//! Messages about holds, with the bank's books as the measure.

use quittance::id::TerminalSessionId;
use quittance::money::Amount;
use quittance::protocol::request::Options;
use quittance::protocol::response::{Reason, SessionList, UpdateOutcome, UpdateResult, Verdict};
use quittance::protocol::{Family, RawPayload, Request, Response};
use quittance::sim::{BankVerdict, HoldState, Policy, SimCard};

use super::{Bench, OK, SESSION};

const APOLLO: Family = Family::Apollo;
const P6X: Family = Family::P6x;
const PLAIN: Options = Options(0);

async fn commit_session(family: Family) {
    let mut bench = Bench::holding(family, PLAIN, 2500).await;
    let request = Request::CommitSession { session: SESSION, amount: Amount::from_minor(1240) };
    assert_eq!(bench.ask(request.clone()).await, OK);
    bench.was_told(&request);
    assert_eq!(bench.ask(request).await, Response::Result(Verdict::NotOk(None)));
    assert_eq!(bench.terminal.bank().ledger().captured, 1240);
}

#[actix::test]
async fn commit_session_on_apollo() {
    commit_session(APOLLO).await;
}

#[actix::test]
async fn commit_session_on_p6x() {
    commit_session(P6X).await;
}

async fn void_session(family: Family) {
    let mut bench = Bench::holding(family, PLAIN, 2500).await;
    let request = Request::VoidSession { session: SESSION };
    assert_eq!(bench.ask(request.clone()).await, OK);
    bench.was_told(&request);
    let states: Vec<_> = bench.terminal.bank().holds().into_iter().map(|hold| hold.state).collect();
    assert!(matches!(states.as_slice(), [HoldState::Released { .. }]), "{states:?}");
}

#[actix::test]
async fn void_session_on_apollo() {
    void_session(APOLLO).await;
}

#[actix::test]
async fn void_session_on_p6x() {
    void_session(P6X).await;
}

/// Up and down.
#[actix::test]
async fn update_session_on_apollo() {
    let mut bench = Bench::holding(APOLLO, PLAIN, 2500).await;
    for (total, change) in [(4000, 1500), (3000, 1000)] {
        let amount = Amount::from_minor(total);
        let request = Request::UpdateSession { session: SESSION, amount };
        let wanted = UpdateResult { outcome: UpdateOutcome::Approved, session: SESSION, amount, change, reason: 0x00 };
        assert_eq!(bench.ask(request.clone()).await, Response::UpdateResult(wanted));
        bench.was_told(&request);
        assert_eq!(bench.terminal.open_holds()[0].amount, amount);
    }
}

/// Partly, declined, and refused.
#[actix::test]
async fn update_result_on_apollo() {
    let mut bench = Bench::holding(APOLLO, Options::DETAILED_CODES.with(Options::EXTENDED_BLOCK), 2500).await;
    let update = |session, total| Request::UpdateSession { session, amount: Amount::from_minor(total) };
    for (verdict, outcome, amount, change, reason) in [
        (BankVerdict::Partial(Amount::from_minor(3000)), UpdateOutcome::Partly, 3000, 500, 0x00),
        (BankVerdict::Decline(0x05), UpdateOutcome::Declined, 3000, 0, 0x05),
    ] {
        bench.terminal.bank().set_policy(&SimCard::numbered(1), Policy::APPROVE.updating(verdict));
        let amount = Amount::from_minor(amount);
        let wanted = UpdateResult { outcome, session: SESSION, amount, change, reason };
        assert_eq!(bench.ask(update(SESSION, 4000)).await, Response::UpdateResult(wanted));
        assert_eq!(bench.terminal.open_holds()[0].amount, amount);
    }
    let unknown = Response::Result(Verdict::NotOk(Some(Reason(0x0C))));
    assert_eq!(bench.ask(update(TerminalSessionId(5), 4000)).await, unknown);
    assert!(bench.terminal.bank().ledger().balances());
}

/// Two pages.
async fn list_sessions() {
    let mut bench = Bench::new(P6X).await;
    bench.terminal.set_quirks(|quirks| quirks.sessions_per_page = 2);
    bench.set_up(PLAIN).await;
    for reference in 1..=3 {
        bench.hold(100, reference).await;
    }
    for (offset, ids) in [(0, vec![1001, 1002]), (2, vec![1003])] {
        let request = Request::ListSessions { offset };
        let sessions = ids.into_iter().map(TerminalSessionId).collect();
        assert_eq!(bench.ask(request.clone()).await, Response::SessionList(SessionList { total: 3, sessions }));
        bench.was_told(&request);
    }
}

#[actix::test]
async fn list_sessions_on_p6x() {
    list_sessions().await;
}

#[actix::test]
async fn session_list_on_p6x() {
    list_sessions().await;
}

/// The program never sends it: it only forgets (assumption 11), and the hold is then beyond reach.
async fn remove_sessions(family: Family) {
    let mut bench = Bench::holding(family, PLAIN, 2500).await;
    let request = Request::RemoveSessions(RawPayload::default());
    assert_eq!(bench.ask(request.clone()).await, OK);
    bench.was_told(&request);
    assert_eq!(bench.ask(Request::VoidSession { session: SESSION }).await, Response::Result(Verdict::NotOk(None)));
    assert_eq!(bench.terminal.open_holds().len(), 1);
}

#[actix::test]
async fn remove_sessions_on_apollo() {
    remove_sessions(APOLLO).await;
}

#[actix::test]
async fn remove_sessions_on_p6x() {
    remove_sessions(P6X).await;
}
