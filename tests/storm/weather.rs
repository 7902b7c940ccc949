//! What happens to terminals and wires, again and again, until the storm is over.

use std::sync::Arc;
use std::time::Duration;

use quittance::protocol::response::Reason;
use quittance::sim::{Command, Fault};

use super::world::World;

const AIMS: [Command; 15] = [
    Command::Auth,
    Command::Auth,
    Command::Auth,
    Command::Commit,
    Command::Commit,
    Command::Commit,
    Command::Void,
    Command::Void,
    Command::Update,
    Command::Start,
    Command::ListSessions,
    Command::GetStatus,
    Command::Cancel,
    Command::Ui,
    Command::Language,
];

/// What can happen to a terminal or its wire, in the order of [`Weather::weights`](super::plan::Weather).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Blow {
    LoseRequest,
    LoseAnswer,
    CutBefore,
    CutAfter,
    TwiceOrDamaged,
    Late,
    Refused,
    Cut,
    PowerFails,
    OutOfReach,
    Forgets,
    Lies,
}

impl Blow {
    pub(crate) const ALL: [Self; 12] = [
        Self::LoseRequest,
        Self::LoseAnswer,
        Self::CutBefore,
        Self::CutAfter,
        Self::TwiceOrDamaged,
        Self::Late,
        Self::Refused,
        Self::Cut,
        Self::PowerFails,
        Self::OutOfReach,
        Self::Forgets,
        Self::Lies,
    ];
}

/// Lets it rain.
pub(crate) async fn rage(world: Arc<World>) {
    if world.plan.weather.weights.iter().all(|weight| *weight == 0) {
        return;
    }
    loop {
        let every = world.plan.weather.every / u32::try_from(world.count()).unwrap_or(1);
        let wait = world.dice().until_next(every);
        tokio::time::sleep(wait).await;
        if !world.alive() || !world.stormy() {
            return;
        }
        strike(&world);
    }
}

fn strike(world: &Arc<World>) {
    let (terminal, blow, aim, wait) = {
        let mut dice = world.dice();
        let terminal = dice.index(world.count());
        let blow = Blow::ALL[dice.weighted(&world.plan.weather.weights)];
        (terminal, blow, dice.pick(&AIMS), dice.millis(200, 40_000))
    };
    let handle = world.terminal(terminal);
    let name = world.name(terminal);
    let say = |what: String| world.note(|| format!("{name}      FAULT: {what}"));
    match blow {
        Blow::LoseRequest => {
            say(format!("the next {aim:?} is lost"));
            handle.plan(aim, Fault::LoseRequest);
        }
        Blow::LoseAnswer => {
            say(format!("the answer to the next {aim:?} is lost"));
            handle.plan(aim, Fault::LoseAnswer);
        }
        Blow::CutBefore => {
            say(format!("the link is cut before the next {aim:?}"));
            handle.plan(aim, Fault::CutBefore);
        }
        Blow::CutAfter => {
            say(format!("the link is cut after the next {aim:?}"));
            handle.plan(aim, Fault::CutAfter);
        }
        Blow::TwiceOrDamaged => {
            let (how, fault) = world.dice().pick(&[("twice", Fault::Duplicate), ("damaged", Fault::Corrupt)]);
            say(format!("the answer to the next {aim:?} comes {how}"));
            handle.plan(aim, fault);
        }
        Blow::Late => {
            say(format!("the answer to the next {aim:?} comes {wait:?} late"));
            handle.plan(aim, Fault::Delay(wait));
        }
        Blow::Refused => {
            let reason = world.dice().pick(&[0x01, 0x04, 0x05, 0x09, 0x0C, 0x0E, 0x11]);
            // A reason that says "not found" of a session that is there is a lie, and believed.
            let reason = if reason == 0x0C && !world.plan.terminals_forget { 0x05 } else { reason };
            if reason == 0x0C {
                world.note_forgot(terminal);
            }
            let times = world.dice().pick(&[1, 1, 1, 6]);
            say(format!("the next {times} {aim:?} are refused with {reason:#04x}"));
            (0..times).for_each(|_| handle.plan(aim, Fault::Refuse(Reason(reason))));
        }
        Blow::Cut => {
            say("the link is cut".to_owned());
            world.cut(terminal);
        }
        Blow::PowerFails => {
            say("the power fails".to_owned());
            handle.power_cycle();
        }
        Blow::OutOfReach => out_of_reach(world, terminal, wait),
        Blow::Forgets => {
            say("the power fails, and its sessions are lost".to_owned());
            world.note_forgot(terminal);
            handle.power_cycle_forgetting();
        }
        Blow::Lies => {
            say(format!("the answer to the next {aim:?} is another one, and no checksum shows it"));
            world.note_lied(terminal);
            handle.plan(aim, Fault::CorruptUnseen);
        }
    }
}

/// Unplugged, silent, slow, or another device for a while.
fn out_of_reach(world: &Arc<World>, terminal: usize, wait: Duration) {
    let what = world.dice().number(0, 3);
    let name = world.name(terminal);
    let words = ["unplugged", "silent", "slow", "another device"][what as usize];
    world.note(|| format!("{name}      FAULT: {words} for {wait:?}"));
    let set = move |world: &World, on: bool| {
        let handle = world.terminal(terminal);
        match what {
            0 if on => handle.unplug(),
            0 => handle.plug(),
            1 => handle.set_silent(on),
            2 => handle.set_answer_delay(if on { Duration::from_millis(2500) } else { Duration::ZERO }),
            _ => {
                let own = &world.plan.sims[terminal].serial_number;
                world.set_another(terminal, on);
                handle.set_serial_number(if on { "ANOTHER" } else { own });
                handle.cut();
            }
        }
    };
    set(world, true);
    let world = Arc::clone(world);
    actix::spawn(async move {
        tokio::time::sleep(wait).await;
        if world.stormy() && world.alive() {
            world.note(|| format!("{}      no longer {words}", world.name(terminal)));
            set(&world, false);
        }
    });
}

/// Fills the disk for a while; and notices when there is space again, as the real journal does by itself.
pub(crate) async fn fill(world: Arc<World>) {
    let fills = world.plan.disk.fills > 0.0;
    if !fills && world.plan.disk.refuses <= 0.0 {
        return;
    }
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if !world.alive() || !world.stormy() {
            return;
        }
        if fills && world.dice().chance(world.plan.disk.fills) {
            let wait = world.dice().millis(500, 30_000);
            world.note(|| format!("        FAULT: the disk is full for {wait:?}"));
            world.disk.refuse(usize::MAX);
            tokio::time::sleep(wait).await;
            world.disk.refuse(0);
        } else if world.disk.failing() {
            world.disk.refuse(0);
        }
    }
}
