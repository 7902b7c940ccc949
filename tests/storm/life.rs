//! The orchestrator's lives. Each has a runtime of its own, of one thread and with a paused clock; a crash is the end of the runtime, so
//! that nothing of the program is left but what the disk has.

use std::sync::Arc;
use std::time::Duration;

use actix::System;
use quittance::fleet::{self, Fleet};
use quittance::journal::{Entry, Fact, Journal};
use quittance::link::{Address, Pipe};
use quittance::metrics::Metrics;
use quittance::protocol::Family;
use quittance::random::Randomness;
use quittance::session::ledger::Ledger;
use quittance::time::Clock;

use super::world::World;
use super::{calm, line, oracle, panics, people, weather};

/// What the end itself may take, when the time to deliver decided disposals is over.
const END_ITSELF: Duration = Duration::from_secs(2);

/// Lives until the storm is over and everything has settled.
pub(crate) fn live(world: &Arc<World>) {
    loop {
        let system = System::with_tokio_rt(|| {
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
        });
        let over = system.block_on(one_life(world));
        panics::unheard(|| drop(system));
        if over || !world.violations().is_empty() {
            return;
        }
        world.lie_dead();
    }
}

/// One life; whether it was the last one.
async fn one_life(world: &Arc<World>) -> bool {
    let clock = world.begin();
    let records = world.disk.records();
    // As `quittance run` does: a clock that was set back does not go behind the journal.
    let newest = records.iter().map(|record| record.entry.at).max();
    let clock = newest.map_or(clock, |newest| clock.not_before(newest));
    let ledger = match Ledger::replay(&records) {
        Ok(ledger) => ledger,
        Err(unsound) => {
            world.violate(format!("the journal does not follow from itself: {unsound}"));
            return true;
        }
    };
    oracle::ledger(world, &ledger);
    let currency = "EUR".parse().expect("a currency");
    let names: Vec<(_, Family)> = world.plan.terminals.iter().map(|terminal| (terminal.id.clone(), terminal.family)).collect();
    let metrics = Arc::new(Metrics::new("storm", "storm", currency, &names));
    let seed = world.dice().seed();
    let settings = fleet::Settings {
        terminals: (0..world.count()).map(|terminal| settings(world, terminal)).collect(),
        remembered: Vec::new(),
        supervision: world.plan.supervision.clone(),
        currency,
        arbiters: Vec::new(),
        random: Randomness::seeded(seed),
        unsound: None,
    };
    actix::spawn(world.disk.clone().serve());
    for terminal in 0..world.count() {
        let arrivals = world.listen(terminal);
        actix::spawn(line::serve(Arc::clone(world), terminal, arrivals));
    }
    let journal: Arc<dyn Journal> = Arc::new(world.disk.clone());
    let started = Entry { at: clock.now(), terminal: None, session: None, fact: Fact::Started { version: "storm".to_owned() } };
    let story = async {
        drop(journal.append(vec![started]).await);
        let fleet = Fleet::start(settings, Arc::clone(&journal), clock, Arc::clone(&metrics), ledger);
        for terminal in 0..world.count() {
            actix::spawn(people::attend(Arc::clone(world), fleet.clone(), terminal));
        }
        actix::spawn(weather::rage(Arc::clone(world)));
        actix::spawn(weather::fill(Arc::clone(world)));
        let left = world.storm_ends().since(world.now());
        if world.crashes_left() > 0 {
            let mean = left / world.crashes_left().max(1);
            let killed = world.dice().until_next(mean.max(Duration::from_millis(50)));
            if killed < left {
                tokio::time::sleep(killed).await;
                if world.dice().chance(0.3) {
                    end(world, &fleet, journal.as_ref(), clock).await;
                } else {
                    world.crash("at some moment");
                }
                // The end of this life is told by the other branch.
                return std::future::pending().await;
            }
        }
        tokio::time::sleep(left).await;
        world.calm_down();
        calm::settle(world, &fleet, &metrics).await;
    };
    let over = tokio::select! {
        biased;
        () = world.ended.notified() => {
            world.died();
            false
        }
        () = story => {
            world.finish();
            true
        }
    };
    // What a histogram was told and nobody has read would outlive it: a night of storms would fill the memory.
    oracle::panics(world, &metrics.render());
    over
}

/// The planned end of a life, as on SIGTERM; it may still be killed meanwhile.
async fn end(world: &World, fleet: &Fleet, journal: &dyn Journal, clock: Clock) {
    let within = world.dice().millis(0, 30_000);
    world.told_to_end(within);
    let began = world.now();
    fleet.go_down(within).await;
    let took = world.now().since(began);
    if took > within + END_ITSELF {
        world.violate(format!("the orchestrator was told to end within {within:?}, and took {took:?}"));
    }
    let stopped = Entry { at: clock.now(), terminal: None, session: None, fact: Fact::Stopped };
    drop(journal.append(vec![stopped]).await);
    world.crash("when it has ended in order");
}

fn settings(world: &Arc<World>, terminal: usize) -> quittance::terminal::TerminalSettings {
    let mut settings = world.plan.terminals[terminal].clone();
    let serial = settings.family == Family::P6x;
    let weak = Arc::downgrade(world);
    settings.link.address = Address::Pipe(Pipe::new(world.name(terminal), serial, move || match weak.upgrade() {
        Some(world) => line::connect(&world, terminal),
        None => Box::pin(std::future::pending()),
    }));
    settings
}
