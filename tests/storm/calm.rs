//! After the storm: everything must settle, within bounds, and every terminal must take a card again (G7, G8).

use std::sync::Arc;
use std::time::Duration;

use quittance::fleet::{Fleet, Wanted};
use quittance::journal::record::AtEnd;
use quittance::metrics::Metrics;
use quittance::money::Amount;
use quittance::session::disposal::DEAD_MAN_MARGIN;
use quittance::sim::Quirks;
use quittance::terminal::view::LinkState;
use quittance::time::Timestamp;

use super::books::Page;
use super::world::World;
use super::{oracle, people};

/// How often is looked.
const STEP: Duration = Duration::from_secs(1);

/// What an append, a turn and a timer may take beside what is counted.
const A_MOMENT: Duration = Duration::from_secs(10);

/// A scan takes a minute (`timeouts.card`).
const SOME_SCANS: Duration = Duration::from_secs(270);

/// How long things may take at a terminal once nothing goes wrong any more.
struct Bounds {
    /// Until the link is up, and our holds are compared.
    link: Duration,
    /// From a decision to its confirmation.
    disposal: Duration,
    /// Until a lost answer of Auth is found in a list.
    doubt: Duration,
    /// From a deadline of ours to its decision.
    deadline: Duration,
}

impl Bounds {
    fn of(world: &World, terminal: usize) -> Self {
        let settings = &world.plan.terminals[terminal];
        let timeouts = settings.link.timeouts;
        let supervision = &world.plan.supervision;
        // An exchange that is under way may have to run out of its time first; then the link is opened at the slowest pace.
        let under_way = timeouts.authorise.max(timeouts.commit).max(timeouts.card + timeouts.command);
        let reopened = supervision.quarantine_retry.max(supervision.backoff_max) + timeouts.command * 3;
        let link = under_way + reopened + Quirks::default().auth_wait + A_MOMENT;
        let ladder = settings.policy.retry.iter().max().copied().unwrap_or_default();
        // The terminal may have lost its set-up, which is seen at the first attempt.
        let disposal = link + reopened + ladder * 2 + timeouts.commit + timeouts.authorise + A_MOMENT;
        let doubt = link + timeouts.authorise + Duration::from_secs(90) + A_MOMENT;
        // An actor that has crashed is built anew, however long its link stays closed.
        let rebuilt = if world.plan.panics > 0 { supervision.backoff_max } else { Duration::ZERO };
        Self { link, disposal, doubt, deadline: A_MOMENT + rebuilt }
    }
}

/// Waits until everything has settled, then sees whether all of it is right.
pub(crate) async fn settle(world: &Arc<World>, fleet: &Fleet, metrics: &Arc<Metrics>) {
    let began = world.now();
    let bounds: Vec<Bounds> = (0..world.count()).map(|terminal| Bounds::of(world, terminal)).collect();
    let mut last_up = vec![began; world.count()];
    loop {
        tokio::time::sleep(STEP).await;
        let waits = waits_for(world, fleet, began, &bounds, &mut last_up);
        if !world.violations().is_empty() {
            return;
        }
        if waits.is_none() {
            break;
        }
    }
    // Questions are still on their way to the bank.
    tokio::time::sleep(people::BANK_AT_MOST).await;
    let each = (0..world.count()).map(|terminal| async move {
        // A hold of nobody's is found by the next comparison, which may be a quarter of an hour away.
        drop(fleet.reconcile(world.name(terminal)).await);
        takes_a_card(world, fleet, terminal).await;
    });
    futures_util::future::join_all(each).await;
    // What has been decided in the last minute is being delivered.
    let again = world.now();
    while world.violations().is_empty() && waits_for(world, fleet, again, &bounds, &mut last_up).is_some() {
        tokio::time::sleep(STEP).await;
    }
    stays_up(world, metrics).await;
    oracle::judge(world, fleet, metrics).await;
}

/// A link that comes and goes looks well at most moments. Where cards are waited for all the time, scans begin and end meanwhile.
async fn stays_up(world: &World, metrics: &Metrics) {
    if world.plan.terminals.iter().all(|terminal| terminal.preauth.is_none()) || !world.violations().is_empty() {
        return;
    }
    let restarts = |terminal: usize| oracle::sum(&metrics.render(), "quittance_link_restarts_total", world.name(terminal));
    let before: Vec<f64> = (0..world.count()).map(restarts).collect();
    tokio::time::sleep(SOME_SCANS).await;
    for (terminal, before) in before.into_iter().enumerate() {
        // One that has heard noise is set up again when money is next (G5).
        let lost = restarts(terminal) - before;
        if lost > 1.0 {
            world
                .violate(format!("G8: {} has lost its link {lost} times within {SOME_SCANS:?} of peace", world.name(terminal)));
        }
    }
}

/// What is still waited for, if anything; complains when that takes too long. A link may go down once more after the storm: one that has
/// heard noise is set up again when money is next (G5).
fn waits_for(
    world: &Arc<World>,
    fleet: &Fleet,
    began: Timestamp,
    bounds: &[Bounds],
    last_up: &mut [Timestamp],
) -> Option<String> {
    let now = world.now();
    let mut waits = None;
    for (terminal, bounds) in bounds.iter().enumerate() {
        let name = world.name(terminal);
        if fleet.terminal(name).is_ok_and(|view| view.draining) {
            // Whoever drained it may have been cut off before they could undo it, or have been told to ask again.
            let (fleet, name) = (fleet.clone(), name.to_owned());
            actix::spawn(async move { drop(fleet.resume(&name, "storm".to_owned()).await) });
        }
        let settled = fleet.terminal(name).is_ok_and(|view| view.link == LinkState::Up && view.reconciled);
        if settled {
            last_up[terminal] = now;
        } else {
            waits = Some(format!("{name} is not up"));
            let down = now.since(began.max(last_up[terminal]));
            if down > bounds.link {
                world.violate(format!("G8: {name} is not up and reconciled for {down:?}: {:?}", fleet.terminal(name)));
            }
        }
    }
    let ours = fleet.now();
    world.disk.books(|books| {
        for (id, page) in books.pages.iter().filter(|(_, page)| page.end.is_none()) {
            let Some(terminal) = world.place(&page.terminal) else { continue };
            let Some((what, until)) = expected_until(world, page, &bounds[terminal], terminal, began, now, ours) else {
                continue;
            };
            if now > until {
                world.violate(format!("G8: session {id} on {} is {what} for too long: {page:?}", page.terminal));
            }
            waits = Some(format!("session {id} is {what}"));
        }
    });
    waits
}

/// By when (in true time) a session that has not ended must go on; none when it may stay as it is.
fn expected_until(
    world: &World,
    page: &Page,
    bounds: &Bounds,
    terminal: usize,
    began: Timestamp,
    now: Timestamp,
    ours: Timestamp,
) -> Option<(&'static str, Timestamp)> {
    let settings = &world.plan.terminals[terminal];
    if page.uncertain {
        return None;
    }
    if page.in_doubt {
        if settings.family.lists_sessions() && settings.link.quirks.keeps_sessions {
            return Some(("in doubt", began.max(page_time(page, now, ours)).after(bounds.doubt)));
        }
        let dead_man = page.dead_man?;
        let soon = dead_man.after(DEAD_MAN_MARGIN);
        // A day is not waited for.
        return (soon.since(ours) < Duration::from_secs(3 * 3600))
            .then(|| ("in doubt", began.max(shift(soon, now, ours)).after(bounds.link)));
    }
    if let Some((_, _, at)) = page.decision {
        let decided = began.max(shift(at, now, ours));
        return Some(("being disposed of", decided.after(bounds.disposal)));
    }
    match (&page.hold, page.energy.is_some_and(|energy| !energy.is_zero())) {
        (Some(hold), true) if hold.at_end == AtEnd::Alert => None,
        (Some(hold), true) => Some(("charging", began.max(shift(hold.end_by, now, ours)).after(bounds.deadline))),
        (Some(hold), false) => {
            Some(("held without energy", began.max(shift(hold.plug_in_by, now, ours)).after(bounds.deadline)))
        }
        (None, _) if page.may_authorise => {
            Some(("being authorised", began.max(page_time(page, now, ours)).after(bounds.link + bounds.doubt)))
        }
        (None, _) => Some(("waiting for a card", began.max(shift(page.opened_at, now, ours)).after(bounds.link))),
    }
}

fn page_time(page: &Page, now: Timestamp, ours: Timestamp) -> Timestamp {
    page.authorised_at.map_or(now, |at| shift(at, now, ours))
}

/// A moment of the orchestrator's clock in true time.
fn shift(at: Timestamp, now: Timestamp, ours: Timestamp) -> Timestamp {
    Timestamp::from_unix_millis(at.unix_millis() + now.unix_millis() - ours.unix_millis())
}

/// A driver comes, charges and pays, as if nothing had ever happened.
async fn takes_a_card(world: &Arc<World>, fleet: &Fleet, terminal: usize) {
    let settings = &world.plan.terminals[terminal];
    let holding = world.disk.books(|books| {
        let holding = |page: &Page| page.end.is_none() && !page.in_doubt && !page.uncertain && page.hold.is_some();
        books.of(world.id(terminal)).filter(|(_, page)| holding(page)).count()
    });
    // One that forgets its sessions may do so at every set-up, and nothing can be committed then.
    if holding >= usize::from(settings.connectors) || world.forgot(terminal) {
        return;
    }
    let known = committed(world, terminal);
    for _ in 0..3 {
        world.people().send_drivers(terminal, 1);
        if settings.preauth.is_none() {
            let wanted = Wanted {
                terminal: world.id(terminal).clone(),
                amount: Amount::from_minor(4321),
                connector: None,
                caller_reference: None,
                idempotency: None,
            };
            drop(people::open(world, fleet, wanted).await);
        }
        for _ in 0..240 {
            tokio::time::sleep(STEP).await;
            if committed(world, terminal) > known {
                world.people().send_drivers(terminal, 0);
                return;
            }
        }
    }
    world.violate(format!("{} takes no card any more: {:?}", world.name(terminal), fleet.terminal(world.name(terminal))));
}

fn committed(world: &World, terminal: usize) -> usize {
    use super::books::End;
    use quittance::journal::record::Outcome;
    world.disk.books(|books| {
        let done = |page: &Page| matches!(page.end, Some(End::Disposed(Outcome::Committed(_), _)));
        books.of(world.id(terminal)).filter(|(_, page)| done(page)).count()
    })
}
