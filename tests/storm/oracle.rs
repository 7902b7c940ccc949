//! The judges at the end. They believe the bank, what people asked and were told, and the storm's own reading of the journal; the
//! program's own opinion of itself (its board, its metrics, its ledger) is only compared with that.

use std::collections::BTreeMap;
use std::sync::Arc;

use quittance::fleet::{Filter, Fleet};
use quittance::id::{SessionId, TerminalId};
use quittance::journal::record::{AtEnd, ConfirmedBy, DecidedBy, Decision, Learned, Origin, Outcome};
use quittance::metrics::Metrics;
use quittance::session::Session;
use quittance::session::ledger::Ledger;
use quittance::session::policy::DuplicateTap;
use quittance::sim::{By, Demand, Hold, HoldState, Violation, ViolationKind};

use super::books::{Books, End, NEAR_THE_TIMER, Page};
use super::world::World;

/// After every start: what is replayed adds up.
pub(crate) fn ledger(world: &World, ledger: &Ledger) {
    let imbalance = ledger.totals().imbalance();
    if imbalance != 0 {
        world.violate(format!("G3: the replayed ledger is out of balance by {imbalance}"));
    }
    world.disk.books(|books| {
        let undisposed = books.pages.values().filter(|page| undisposed(page)).count();
        let replayed = ledger.sessions().filter(|session| session.undisposed()).count();
        if undisposed != replayed {
            world.violate(format!("G3: {undisposed} sessions are undisposed, but {replayed} were replayed"));
        }
    });
}

/// After every life: no actor has ended without a reason that was not told to.
pub(crate) fn panics(world: &World, metrics: &str) {
    let of_panics = |line: &&str| line.starts_with("quittance_link_restarts_total{") && line.contains("reason=\"panic\"");
    let counts = metrics.lines().filter(of_panics).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    let counted: f64 = counts.sum();
    if counted > f64::from(world.panics_injected()) {
        world.violate(format!("G6: {counted} actors have crashed, and {} were told to", world.panics_injected()));
    }
}

/// A hold exists or may exist.
fn undisposed(page: &Page) -> bool {
    page.end.is_none() && (page.may_authorise || page.in_doubt || page.uncertain || page.hold.is_some())
}

/// Everything at the end.
pub(crate) async fn judge(world: &Arc<World>, fleet: &Fleet, metrics: &Metrics) {
    match Ledger::replay(&world.disk.records()) {
        Ok(replayed) => ledger(world, &replayed),
        Err(unsound) => world.violate(format!("the journal does not follow from itself: {unsound}")),
    }
    for violation in world.bank().violations() {
        let lied = world.place(&violation.terminal).is_some_and(|terminal| excused(world, terminal));
        // An Update whose answer was late may reach the bank after what was decided since.
        let unsure = |page: &Page| page.unsure && page.hold.is_some_and(|hold| hold.number == violation.session);
        let overtaken = matches!(violation.kind, ViolationKind::SecondDecision(Demand::Update(_)))
            && world.disk.books(|books| books.of(&violation.terminal).any(|(_, page)| unsure(page)));
        if !lied && !overtaken && !unheard_of(world, &violation) {
            world.violate(format!("the bank complains: {violation:?}"));
        }
    }
    if !world.bank().ledger().balances() {
        world.violate("the bank's own books do not balance".to_owned());
    }
    bank(world);
    found(world);
    by_rule(world);
    decisions(world);
    board(world, fleet).await;
    if world.plan.terminals.len() <= 3 {
        numbers(world, metrics);
    }
}

/// A terminal that gives numbers again has given this one to a hold of which nobody was told in time, so that what was decided for one of
/// the two has met the other.
fn unheard_of(world: &World, violation: &Violation) -> bool {
    let reuses = world.place(&violation.terminal).is_some_and(|terminal| world.plan.sims[terminal].quirks.reuse_ids);
    let holds = world.bank().holds();
    let of_number = holds.iter().filter(|hold| hold.terminal == violation.terminal && hold.session == violation.session);
    let shared = |page: &Page| page.shared && page.hold.is_some_and(|hold| hold.number == violation.session);
    let late = world.disk.books(|books| books.of(&violation.terminal).any(|(_, page)| page.in_doubt || shared(page)));
    reuses && of_number.count() > 1 && late
}

/// A terminal whose answers are forged cannot be held to account.
fn excused(world: &World, terminal: usize) -> bool {
    world.lied(terminal)
}

/// Hold by hold: what the bank did was decided, and what it still holds is explained.
fn bank(world: &World) {
    for hold in world.bank().holds() {
        let Some(terminal) = world.place(&hold.terminal) else { continue };
        if excused(world, terminal) {
            continue;
        }
        world.disk.books(|books| {
            let asker = books.of(&hold.terminal).find(|(_, page)| page.reference == Some(hold.reference));
            // By its reference, if it can be; a hold that was found in a list may be another session's.
            let mut claimants: Vec<_> = books.of(&hold.terminal).filter(|(_, page)| claims(page, &hold)).collect();
            claimants.sort_by_key(|(_, page)| page.reference != Some(hold.reference));
            let claimant = claimants.first().copied();
            if let Err(why) = one_hold(world, terminal, &hold, asker, claimant) {
                world.violate(format!("the bank has {hold:?}, but {why}\n  asked for by {asker:?}\n  claimed by {claimant:?}"));
            }
        });
    }
}

/// What was found in lists was really there.
fn found(world: &World) {
    let holds = world.bank().holds();
    world.disk.books(|books| {
        for (id, page) in &books.pages {
            let Some(held) = page.hold.filter(|held| held.learned == Learned::Listed) else { continue };
            let excused = world.place(&page.terminal).is_none_or(|terminal| excused(world, terminal));
            if !excused && !holds.iter().any(|hold| hold.terminal == page.terminal && hold.session == held.number) {
                world.violate(format!(
                    "session {id} has taken over number {} of {}, which no hold ever had",
                    held.number, page.terminal
                ));
            }
        }
    });
}

/// What its terminal does not know any more, though nobody has ended it, has a reason. Whether the rules were kept is seen by the books.
fn by_rule(world: &World) {
    world.disk.books(|books| {
        for (id, page) in &books.pages {
            let Some(terminal) = world.place(&page.terminal) else { continue };
            let reuses = world.plan.sims[terminal].quirks.reuse_ids;
            let wrong = |why: &str| world.violate(format!("session {id} {why}\n  {page:?}"));
            if page.number_reused && !reuses && !excused(world, terminal) {
                wrong("is said to share its number, but its terminal gives none again");
            }
            let Some(at) = page.missing else { continue };
            let timer_may_have_acted = page.dead_man.is_some_and(|ends| at.after(NEAR_THE_TIMER) >= ends) || world.jumped();
            // It was carried out, and there was no answer: of one that is thought to forget that is not believed.
            if page.doubtful && !world.plan.terminals[terminal].link.quirks.keeps_sessions {
                continue;
            }
            // One that came twice was carried out, and refused.
            if page.refusals == 0 && !timer_may_have_acted && !reuses && !world.forgot(terminal) && !excused(world, terminal) {
                wrong("is said to be forgotten by its terminal, which forgets nothing");
            }
        }
    });
}

fn claims(page: &Page, hold: &Hold) -> bool {
    page.hold.is_some_and(|held| {
        held.number == hold.session && (held.learned == Learned::Listed || page.reference == Some(hold.reference))
    })
}

type Named<'a> = Option<(&'a SessionId, &'a Page)>;

fn one_hold(world: &World, terminal: usize, hold: &Hold, asker: Named<'_>, claimant: Named<'_>) -> Result<(), String> {
    // A P6X that got Start Session twice may have another number for it than we; then its list tells, and the hold is nobody's.
    let orphan = claimant.is_some_and(|(_, page)| page.origin == Origin::Orphan);
    let asker = match asker.or(claimant.filter(|_| orphan)) {
        Some((_, asker)) => asker,
        None => return Err("nobody has asked for it".to_owned()),
    };
    let end = claimant.and_then(|(_, page)| page.end);
    let decided = claimant.and_then(|(_, page)| page.decision);
    let forgot = world.forgot(terminal);
    let its_own = claimant.is_some_and(|(_, page)| page.reference == Some(hold.reference) && !page.shared);
    if world.plan.sims[terminal].quirks.reuse_ids && !its_own {
        // Its number was another session's before, and nobody here was ever told that it is its own now.
        return Ok(());
    }
    if let Some((_, page)) = claimant.filter(|(_, page)| its_own && !page.unsure && page.may_update.is_none())
        && page.hold.is_some_and(|held| held.learned != Learned::Listed && held.amount != Some(hold.amount))
    {
        return Err("another amount is said to be held".to_owned());
    }
    match hold.state {
        HoldState::Captured { amount, by: By::Host, .. } => match (decided, end) {
            (Some((Decision::Commit(wanted), ..)), _) if wanted != amount => Err("another amount was decided".to_owned()),
            (Some((Decision::Commit(_), ..)), Some(End::Disposed(Outcome::Committed(_), _)) | None) => Ok(()),
            (Some((Decision::Commit(_), ..)), Some(End::Disposed(Outcome::Expired, _))) if forgot || world.jumped() => Ok(()),
            (Some((Decision::Commit(_), ..)), Some(End::Resolved(Outcome::Committed(told)))) if told == amount => Ok(()),
            _ => Err("that was not decided, or is told otherwise".to_owned()),
        },
        HoldState::Released { by: By::Host, .. } => match (decided, end) {
            (Some((Decision::Void, DecidedBy::DuplicateTap, _)), _) if !tapped_twice(world, terminal, hold) => {
                Err("its card was held against it once only, or that is allowed".to_owned())
            }
            (Some((Decision::Void, ..)), Some(End::Disposed(Outcome::Voided, _) | End::Resolved(Outcome::Voided)) | None) => {
                Ok(())
            }
            (Some((Decision::Void, ..)), Some(End::Disposed(Outcome::Expired, _))) if forgot || world.jumped() => Ok(()),
            _ => Err("that was not decided, or is told otherwise".to_owned()),
        },
        // The terminal's timer: that it has come is the simulated terminal's own reckoning.
        HoldState::Captured { by: By::TerminalTimer, .. } | HoldState::Released { by: By::TerminalTimer, .. } => {
            let page = claimant.map_or(asker, |(_, page)| page);
            // Whoever asked for it may have taken over another one, before the bank was as far with his.
            if page.hold.is_some_and(|held| held.number != hold.session) {
                return Ok(());
            }
            let taken = matches!(hold.state, HoldState::Captured { .. });
            let told_otherwise = match page.end {
                Some(End::Disposed(_, ConfirmedBy::ResultOk)) => !world.plan.sims[terminal].quirks.repeat_is_ok,
                Some(End::Disposed(Outcome::Committed(_), _)) => !taken && !world.jumped(),
                Some(End::Disposed(Outcome::Voided | Outcome::Expired, _)) => taken && !world.jumped(),
                Some(End::Resolved(_) | End::NoHold) | None => false,
            };
            if told_otherwise { Err("its terminal's timer has ended it otherwise".to_owned()) } else { Ok(()) }
        }
        HoldState::Held => still_held(world, terminal, asker, claimant.map(|(_, page)| page)),
    }
}

/// The same card was read twice at this terminal, and its rule is that the earlier hold goes.
fn tapped_twice(world: &World, terminal: usize, hold: &Hold) -> bool {
    let rule = world.plan.terminals[terminal].policy.duplicate_tap;
    rule == DuplicateTap::VoidEarlier && world.people().taps(terminal, &hold.card) >= 2
}

/// A hold that nobody has ended must be known, and known to be open; or be gone from the terminal's memory.
fn still_held(world: &World, terminal: usize, asker: &Page, claimant: Option<&Page>) -> Result<(), String> {
    let lists = world.plan.terminals[terminal].family.lists_sessions();
    let forgot = world.forgot(terminal);
    // It has forgotten what it was thought to keep, so that what it does not know was thought to be over.
    let taken_in = forgot && world.plan.terminals[terminal].link.quirks.keeps_sessions;
    let reported =
        lists && world.plan.terminals[terminal].policy.orphan_policy == quittance::session::policy::OrphanPolicy::Report;
    let Some(page) = claimant else {
        return match asker.end {
            None if asker.in_doubt => Ok(()),
            None if asker.uncertain && forgot => Ok(()),
            _ if taken_in || reported => Ok(()),
            Some(End::Disposed(Outcome::Expired, ConfirmedBy::Timer)) if forgot || world.jumped() => Ok(()),
            _ => Err("nobody knows of it".to_owned()),
        };
    };
    match page.end {
        None if page.uncertain || page.in_doubt => Ok(()),
        None if page.decision.is_none()
            && page.hold.is_some_and(|held| held.at_end == AtEnd::Alert)
            && page.energy.is_some() =>
        {
            Ok(())
        }
        Some(End::Disposed(_, ConfirmedBy::Timer)) if forgot || world.jumped() => Ok(()),
        Some(End::Disposed(_, ConfirmedBy::ListAbsent | ConfirmedBy::Presumed)) if taken_in => Ok(()),
        Some(End::Disposed(_, ConfirmedBy::ResultOk)) if world.plan.sims[terminal].quirks.reuse_ids => Ok(()),
        _ => Err("it is thought to be gone, or should be".to_owned()),
    }
}

/// Session by session: nothing was decided that nobody wanted, and what was confirmed to somebody is what was decided.
fn decisions(world: &World) {
    let people = world.people();
    world.disk.books(|books| {
        for (id, page) in &books.pages {
            let nothing = super::people::Wishes::default();
            let wishes = people.wishes.get(id).unwrap_or(&nothing);
            let wrong = |why: String| world.violate(format!("session {id}: {why}\n  {page:?}\n  {wishes:?}"));
            if let Some(told) = wishes.told
                && page.decision.is_none_or(|(decision, ..)| decision != told)
            {
                wrong(format!("G2: {told:?} was confirmed, but is not what was decided"));
            }
            if wishes.energy_told.filter(|energy| !energy.is_zero()) > page.energy {
                wrong(format!("energy of {:?} was confirmed, but is not in the journal", wishes.energy_told));
            }
            let energies = |amount| wishes.energies.contains(&amount);
            if page.energy.is_some_and(|energy| !energies(energy)) {
                wrong("nobody has reported this energy".to_owned());
            }
            let Some((decision, by, at)) = page.decision else { continue };
            let Some(held) = page.hold else { continue };
            let charging = page.energy.is_some_and(|energy| !energy.is_zero());
            let worth = page.energy.zip(held.amount).map(|(energy, held)| energy.min(held));
            let legitimate = match (by, decision) {
                (DecidedBy::Api, _) => wishes.decisions.contains(&decision),
                (DecidedBy::PlugInTimeout, Decision::Void) => !charging && at >= held.plug_in_by,
                (DecidedBy::MaxSession, Decision::Commit(amount)) => {
                    charging && at >= held.end_by && held.at_end == AtEnd::CommitLastKnown && Some(amount) == worth
                }
                (DecidedBy::MaxSession, Decision::Void) => {
                    charging && at >= held.end_by && (held.at_end == AtEnd::Void || held.amount.is_none())
                }
                (DecidedBy::Orphan, Decision::Void) => held.learned == Learned::Listed,
                (DecidedBy::DuplicateTap, Decision::Void) => !charging && page.origin != Origin::Orphan,
                _ => false,
            };
            if !legitimate {
                wrong(format!("nobody and no rule wanted {decision:?} by {by:?}"));
            }
        }
    });
}

/// The program's own view is the journal's.
async fn board(world: &World, fleet: &Fleet) {
    let replayed: BTreeMap<SessionId, Session> = match Ledger::replay(&world.disk.records()) {
        Ok(ledger) => ledger.into_sessions().map(|session| (session.id, session)).collect(),
        // Told already.
        Err(_) => return,
    };
    let ids: Vec<SessionId> = world.disk.books(|books| books.pages.keys().copied().collect());
    for id in ids {
        let shown = fleet.session(id).await;
        world.disk.books(|books| {
            let page = &books.pages[&id];
            match &shown {
                Ok(session) if agrees(session, page) && replayed.get(&id) == Some(session) => {}
                Ok(session) => {
                    world.violate(format!("the board shows {} of session {id}, which is {page:?}", session.state_name()))
                }
                Err(refusal) => world.violate(format!("session {id} cannot be read: {refusal}")),
            }
        });
    }
    let filter = Filter { undisposed: true, terminal: None, state: None, before: None, limit: usize::MAX };
    if let Ok((shown, _)) = fleet.sessions(filter).await {
        let undisposed = world.disk.books(|books| books.pages.values().filter(|page| undisposed(page)).count());
        if shown.len() != undisposed {
            world.violate(format!("{} sessions are shown as undisposed, and {undisposed} are", shown.len()));
        }
    }
}

fn agrees(session: &Session, page: &Page) -> bool {
    let state = session.state_name();
    let fits = match page.end {
        Some(End::Disposed(Outcome::Committed(_), _)) => state == "committed",
        Some(End::Disposed(Outcome::Voided, _)) => state == "voided",
        Some(End::Disposed(Outcome::Expired, _)) => state == "expired",
        Some(End::Resolved(Outcome::Committed(_))) => state == "committed",
        Some(End::Resolved(Outcome::Voided)) => state == "voided",
        Some(End::Resolved(Outcome::Expired)) => false,
        Some(End::NoHold) => ["declined", "cancelled", "failed"].contains(&state),
        None if page.uncertain => state == "uncertain",
        None if page.in_doubt => state == "in_doubt",
        None if page.decision.is_some() => ["committing", "voiding"].contains(&state),
        None if page.hold.is_some() => state == "approved",
        None if page.may_authorise => state == "authorising",
        None => ["waiting_card", "card_read"].contains(&state),
    };
    fits && session.version == page.records
}

/// What the series of this name add up to at a terminal.
pub(crate) fn sum(metrics: &str, series: &str, terminal: &str) -> f64 {
    let start = format!("{series}{{terminal=\"{terminal}\",");
    let lines = metrics.lines().filter(|line| line.starts_with(&start));
    lines.filter_map(|line| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok())).sum()
}

/// How much is held at a terminal, as far as that is known.
fn held(books: &Books, terminal: &TerminalId) -> usize {
    let open = books.of(terminal).filter(|(_, page)| undisposed(page));
    let amounts = open.filter_map(|(_, page)| page.hold?.amount);
    amounts.map(|amount| usize::try_from(amount.minor()).unwrap_or(usize::MAX)).sum()
}

/// The metrics count what the journal says.
fn numbers(world: &World, metrics: &Metrics) {
    let text = metrics.render();
    for terminal in 0..world.count() {
        let name = world.id(terminal);
        let expected = world.disk.books(|books| {
            let count = |test: &dyn Fn(&Page) -> bool| books.of(name).filter(|(_, page)| test(page)).count();
            [
                ("quittance_ledger_imbalance", 0),
                ("quittance_sessions_undisposed", count(&undisposed)),
                ("quittance_held_amount_minor", held(books, name)),
                ("quittance_sessions_in_doubt", count(&|page| page.end.is_none() && page.in_doubt)),
                ("quittance_sessions_uncertain", count(&|page| page.end.is_none() && page.uncertain)),
            ]
        });
        let unsure = world.disk.books(|books| books.of(name).any(|(_, page)| page.end.is_none() && page.unsure));
        for (series, count) in expected {
            if unsure && series == "quittance_held_amount_minor" {
                continue;
            }
            let shown = sum(&text, series, name.as_str());
            if (shown - count as f64).abs() > 0.1 {
                world.violate(format!("{series} of {name} shows {shown}, but it is {count}"));
            }
        }
    }
}
