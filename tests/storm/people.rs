//! Drivers with their cards, and the integrator's charger controllers: late, twice, contradictory, or never. What they wished and what
//! they were told outlives the orchestrator.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quittance::fleet::{Filter, Fleet, Wanted};
use quittance::id::{Connector, SessionId};
use quittance::journal::record::{Decision, Idempotency, Outcome};
use quittance::money::Amount;
use quittance::protocol::request::Ui;
use quittance::protocol::response::TerminalState;
use quittance::protocol::{Family, RawPayload, Request};
use quittance::session::{Refusal, Session, Wish};
use quittance::sim::{BankVerdict, HoldState, Policy, SimCard};
use quittance::time::Timestamp;

use super::dice::Dice;
use super::plan::Plan;
use super::world::{BySession, World};

/// A question, or its answer, is on its way for at most this long.
pub(crate) const BANK_AT_MOST: Duration = Duration::from_secs(25);

/// All people.
#[derive(Debug)]
pub(crate) struct People {
    /// What was asked of each session, and what the answers were.
    pub(crate) wishes: BySession<Wishes>,
    places: Vec<Place>,
    /// Which session an `Idempotency-Key` has opened, as it was told, and what was asked for.
    keys: BTreeMap<String, (SessionId, Wanted)>,
    /// How often a card was read at a terminal, by the beginning of its hash.
    taps: BTreeMap<(usize, String), u32>,
    next: u32,
}

/// Around one terminal.
#[derive(Debug)]
struct Place {
    visits: u32,
    /// How many drivers still come once the storm is over.
    last_drivers: u32,
    /// Cards that come again.
    regulars: Vec<u32>,
}

/// What was asked of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// What is still to be asked.
    steps: VecDeque<(Timestamp, Act)>,
    scripted: bool,
    /// Every decision that anybody asked for, answered or not.
    pub(crate) decisions: Vec<Decision>,
    /// The decision that was confirmed to somebody.
    pub(crate) told: Option<Decision>,
    /// Running totals that were sent, and the greatest that was confirmed.
    pub(crate) energies: Vec<Amount>,
    pub(crate) energy_told: Option<Amount>,
    pub(crate) updated: bool,
}

/// What is asked of a session.
#[derive(Clone, Copy, Debug)]
enum Act {
    Authorise,
    Energy(u32),
    Commit(u32),
    Void,
    Update(u32),
    Cancel,
    /// A person has seen in the bank's books how it ended.
    Resolve(Outcome),
}

impl People {
    pub(crate) fn new(plan: &Plan) -> Self {
        let place = |number: usize| {
            let first = u32::try_from(number).unwrap_or(0) * 1000;
            Place { visits: plan.visits, last_drivers: 0, regulars: vec![first + 1, first + 2] }
        };
        Self {
            wishes: BySession::new(),
            places: (0..plan.terminals.len()).map(place).collect(),
            keys: BTreeMap::new(),
            taps: BTreeMap::new(),
            next: 0,
        }
    }

    /// So many drivers come to a terminal though the storm is over.
    pub(crate) fn send_drivers(&mut self, terminal: usize, drivers: u32) {
        self.places[terminal].last_drivers = drivers;
    }

    /// How often a card was read at a terminal.
    pub(crate) fn taps(&self, terminal: usize, card: &str) -> u32 {
        self.taps.get(&(terminal, card.to_owned())).copied().unwrap_or_default()
    }

    fn of(&mut self, session: SessionId) -> &mut Wishes {
        self.wishes.entry(session).or_default()
    }

    fn card(&mut self, terminal: usize, dice: &mut Dice) -> SimCard {
        let regulars = &self.places[terminal].regulars;
        if self.places[terminal].last_drivers == 0 && dice.chance(0.3) {
            return SimCard::numbered(dice.pick(regulars));
        }
        self.next += 1;
        let number = 100_000 + self.next;
        if self.places[terminal].last_drivers == 0 && dice.chance(0.04) {
            SimCard::badge(number)
        } else {
            SimCard::numbered(number)
        }
    }
}

/// Looks after a terminal, its drivers and its sessions, for as long as the orchestrator lives.
pub(crate) async fn attend(world: Arc<World>, fleet: Fleet, terminal: usize) {
    loop {
        let wait = world.dice().millis(200, 2500);
        tokio::time::sleep(wait).await;
        if !world.alive() {
            return;
        }
        drive(&world, terminal);
        let terminal_id = Some(world.id(terminal).clone());
        let filter = Filter { undisposed: true, terminal: terminal_id, limit: usize::MAX, ..Filter::default() };
        let Ok((sessions, _)) = fleet.sessions(filter).await else { continue };
        let waiting = waiting(&world, &fleet, terminal).await;
        for session in sessions.iter().chain(&waiting) {
            world.heard_of(session);
            look_after(&world, &fleet, session);
        }
        if world.stormy() && world.dice().chance(0.4) {
            visit(&world, &fleet, terminal);
        }
        if world.stormy() && world.dice().chance(0.02) {
            repeat(&world, &fleet, terminal);
        }
        if world.stormy() && world.dice().chance(0.05) {
            talk(&world, &fleet, terminal);
        }
        if world.stormy() && world.dice().chance(0.01) {
            administer(&world, &fleet, terminal);
        }
    }
}

/// The sessions that were opened and have no hold yet.
async fn waiting(world: &World, fleet: &Fleet, terminal: usize) -> Vec<Session> {
    let open = |page: &super::books::Page| page.end.is_none() && page.authorised_at.is_none() && page.hold.is_none();
    let known: Vec<SessionId> =
        world.disk.books(|books| books.of(world.id(terminal)).filter(|(_, page)| open(page)).map(|(id, _)| *id).collect());
    let mut sessions = Vec::new();
    for id in known {
        if let Ok(session) = fleet.session(id).await
            && session.before_hold()
        {
            sessions.push(session);
        }
    }
    sessions
}

/// A driver stands before the terminal, or does not.
fn drive(world: &World, terminal: usize) {
    let handle = world.terminal(terminal);
    // Once the storm is over nobody dawdles: some terminals wait for five seconds only.
    if handle.snapshot().state != TerminalState::WaitCard || world.stormy() && !world.dice().chance(0.6) {
        return;
    }
    let card = {
        let mut people = world.people();
        if !world.stormy() && people.places[terminal].last_drivers == 0 {
            return;
        }
        let mut dice = world.dice();
        let card = people.card(terminal, &mut dice);
        let bank = world.bank();
        if world.stormy() {
            let verdict = match dice.number(0, 19) {
                0..=1 => BankVerdict::Decline(9),
                2..=3 if handle.family() == Family::Apollo => BankVerdict::Partial(Amount::from_minor(dice.number(100, 3000))),
                _ => BankVerdict::Approve,
            };
            let update = match dice.number(0, 5) {
                0 => BankVerdict::Decline(9),
                1 => BankVerdict::Partial(Amount::from_minor(dice.number(3000, 8000))),
                _ => BankVerdict::Approve,
            };
            let mut late = |likelihood: f64| if dice.chance(likelihood) { dice.millis(0, 25_000) } else { Duration::ZERO };
            let (reaches_after, answers_after) = (late(0.15), late(0.15));
            bank.set_policy(&card, Policy { verdict, update, reaches_after, answers_after });
        } else {
            bank.set_policy(&card, Policy::APPROVE);
        }
        card
    };
    let read = handle.tap(&card);
    if read {
        *world.people().taps.entry((terminal, card.hash().short().to_owned())).or_default() += 1;
    }
    if read && !world.stormy() {
        let last = &mut world.people().places[terminal].last_drivers;
        *last = last.saturating_sub(1);
    }
    world.note(|| format!("{}      a driver holds {card:?} against it; read: {read}", world.name(terminal)));
}

/// Somebody wants to charge.
fn visit(world: &Arc<World>, fleet: &Fleet, terminal: usize) {
    let (wanted, again) = {
        let mut people = world.people();
        if people.places[terminal].visits == 0 || world.plan.terminals[terminal].preauth.is_some() && world.dice().chance(0.7) {
            return;
        }
        people.places[terminal].visits -= 1;
        people.next += 1;
        let number = people.next;
        drop(people);
        let mut dice = world.dice();
        let amount = if dice.chance(0.03) { dice.pick(&[0, 10_001]) } else { dice.number(200, 10_000) };
        let key = dice.chance(0.4).then(|| Idempotency { key: format!("key-{number}"), digest: format!("{amount}") });
        let connector = dice.chance(0.3).then(|| Connector(u8::try_from(dice.number(1, 3)).unwrap()));
        let caller_reference = dice.chance(0.5).then(|| format!("visit-{number}"));
        let again = if key.is_some() && dice.chance(0.5) { dice.number(1, 2) } else { 0 };
        let terminal = world.id(terminal).clone();
        (Wanted { terminal, amount: Amount::from_minor(amount), connector, caller_reference, idempotency: key }, again)
    };
    for nth in 0..=again {
        let (world, fleet, wanted) = (Arc::clone(world), fleet.clone(), wanted.clone());
        let wait = if nth == 0 { Duration::ZERO } else { world.dice().millis(0, 5000) };
        actix::spawn(async move {
            tokio::time::sleep(wait).await;
            open(&world, &fleet, wanted).await;
        });
    }
}

/// Somebody asks once more for what he was told long ago, perhaps by an orchestrator that is no more; or for something else with that key.
fn repeat(world: &Arc<World>, fleet: &Fleet, terminal: usize) {
    let people = world.people();
    let here = people.keys.values().filter(|(_, wanted)| wanted.terminal == *world.id(terminal));
    let known: Vec<Wanted> = here.map(|(_, wanted)| wanted.clone()).collect();
    drop(people);
    if known.is_empty() {
        return;
    }
    let mut dice = world.dice();
    let mut wanted = known[dice.index(known.len())].clone();
    if dice.chance(0.3)
        && let Some(request) = &mut wanted.idempotency
    {
        request.digest.push('x');
    }
    drop(dice);
    let (world, fleet) = (Arc::clone(world), fleet.clone());
    actix::spawn(async move { drop(open(&world, &fleet, wanted).await) });
}

/// Asks for a card flow; the session, if there is one.
pub(crate) async fn open(world: &World, fleet: &Fleet, wanted: Wanted) -> Option<Session> {
    let (terminal, amount) = (wanted.terminal.clone(), wanted.amount);
    let answer = fleet.open(wanted.clone()).await;
    if !world.alive() {
        return None;
    }
    world.note(|| match &answer {
        Ok((session, new)) => format!("{terminal} API: open {amount}: {}, new: {new}", World::short(session.id)),
        Err(refusal) => format!("{terminal} API: open {amount}: {}", refusal.code()),
    });
    let (session, _) = answer.ok()?;
    world.heard_of(&session);
    let mut people = world.people();
    if let Some(request) = wanted.idempotency.clone() {
        let (earlier, asked) = people.keys.entry(request.key.clone()).or_insert((session.id, wanted));
        if *earlier != session.id {
            world.violate(format!("{} has opened {earlier} and {}", request.key, session.id));
        }
        if asked.idempotency.as_ref() != Some(&request) {
            world.violate(format!("{} has opened {earlier} for one request, and is taken for another one", request.key));
        }
    }
    people.of(session.id);
    Some(session)
}

/// Does what is due of what was planned for a session, and plans it when it is seen for the first time.
fn look_after(world: &Arc<World>, fleet: &Fleet, session: &Session) {
    let now = world.now();
    let mut due = Vec::new();
    let likely = if session.state_name() == "uncertain" { 0.1 } else { 0.005 };
    if session.hold.is_some() && world.dice().chance(likely) {
        due.extend(found_out(world, session).map(Act::Resolve));
    }
    {
        let mut people = world.people();
        let mut dice = world.dice();
        let wishes = people.of(session.id);
        let held = session.hold.as_ref().and_then(|hold| hold.amount);
        if session.before_hold() {
            let asks = session.state_name() == "card_read";
            if asks && (dice.chance(0.5) || !world.stormy()) {
                due.push(Act::Authorise);
            } else if dice.chance(0.02) && world.stormy() {
                due.push(Act::Cancel);
            }
        }
        if let (false, "approved", Some(held)) = (wishes.scripted, session.state_name(), held) {
            wishes.scripted = true;
            wishes.steps = script(&mut dice, session, held.minor(), now, world.stormy());
        }
        while wishes.steps.front().is_some_and(|(at, _)| *at <= now) {
            due.extend(wishes.steps.pop_front().map(|(_, act)| act));
        }
    }
    for act in due {
        actix::spawn(ask(Arc::clone(world), fleet.clone(), session.id, act));
    }
}

/// How the bank says that a session ended, to a person who asks.
fn found_out(world: &World, session: &Session) -> Option<Outcome> {
    let holds = world.bank().holds();
    let mut of_session =
        holds.iter().filter(|hold| hold.terminal == session.terminal && session.reference == Some(hold.reference));
    match (of_session.next()?.state, of_session.next()) {
        (HoldState::Captured { amount, .. }, None) => Some(Outcome::Committed(amount)),
        (HoldState::Released { .. }, None) => Some(Outcome::Voided),
        _ => None,
    }
}

/// One person says it, or two have to.
fn resolution(dice: &mut Dice, outcome: Outcome) -> Wish {
    let (by, needs_two) = (dice.pick(&["anna", "ben"]).to_owned(), dice.chance(0.3));
    Wish::Resolve { outcome, note: "it stands in the settlement file".to_owned(), by, needs_two }
}

/// What is going to happen with a hold of this amount.
fn script(dice: &mut Dice, session: &Session, held: u32, now: Timestamp, stormy: bool) -> VecDeque<(Timestamp, Act)> {
    let mut at = now;
    let mut steps = VecDeque::new();
    let mut then = |dice: &mut Dice, most: u32, act: Act| {
        at = at.after(dice.millis(0, most));
        steps.push_back((at, act));
    };
    let mut total = 0;
    // Once the storm is over, whoever has paid plugs in before the earliest deadline that there is (15 s), and something flows.
    let (least, most_millis) = if stormy { (0, 15_000) } else { (1, 3000) };
    let charges = |dice: &mut Dice, total: &mut u32, then: &mut dyn FnMut(&mut Dice, u32, Act)| {
        for _ in 0..dice.number(1, 4) {
            *total += dice.number(least, held / 3 + 1);
            then(dice, most_millis, Act::Energy(*total));
        }
    };
    let mood = if stormy { dice.weighted(&[40, 10, 10, 8, 7, 9, 4, 8]) } else { 0 };
    let some = dice.number(1, held.max(1));
    match mood {
        // As it should be.
        0 => {
            charges(dice, &mut total, &mut then);
            then(dice, 8000, Act::Commit(total.clamp(1, held.max(1))));
        }
        1 => then(dice, 8000, Act::Void),
        // Never plugged in, and nobody says so.
        2 => {}
        // Never ended.
        3 => charges(dice, &mut total, &mut then),
        // Late.
        4 => {
            charges(dice, &mut total, &mut then);
            then(dice, 400_000, Act::Commit(some));
        }
        // Contradictory, perhaps in one instant.
        5 => {
            let soon = dice.pick(&[0, 0, 10_000]);
            then(dice, 5000, Act::Commit(some));
            let other =
                dice.pick(&[Act::Void, Act::Commit((some + 1).min(held.max(1))), Act::Commit(held.max(1)), Act::Energy(1)]);
            then(dice, soon, other);
        }
        // Too much, then properly.
        6 => {
            then(dice, 5000, Act::Commit(held + dice_more(session)));
            then(dice, 5000, Act::Commit(some));
        }
        // The hold is changed before.
        _ => {
            for _ in 0..dice.number(1, 2) {
                let to = dice.number(1, held.saturating_mul(2).max(1));
                then(dice, 6000, Act::Update(to));
            }
            charges(dice, &mut total, &mut then);
            then(dice, 8000, Act::Commit(some));
        }
    }
    // Whoever gets no answer asks again.
    if dice.chance(0.3)
        && let Some((at, act)) = steps.back().copied()
    {
        steps.push_back((at.after(dice.millis(0, 20_000)), act));
    }
    steps
}

fn dice_more(session: &Session) -> u32 {
    1 + u32::try_from(session.version).unwrap_or(0)
}

/// Asks, and remembers what was asked and what was answered.
async fn ask(world: Arc<World>, fleet: Fleet, session: SessionId, act: Act) {
    let amount = Amount::from_minor;
    let (wish, decision) = match act {
        Act::Authorise => (Wish::Authorise, None),
        Act::Energy(total) => (Wish::Energy(amount(total)), None),
        Act::Commit(0) => (Wish::Commit(Amount::ZERO), Some(Decision::Void)),
        Act::Commit(total) => (Wish::Commit(amount(total)), Some(Decision::Commit(amount(total)))),
        Act::Void => (Wish::Void, Some(Decision::Void)),
        Act::Update(total) => (Wish::Update(amount(total)), None),
        Act::Cancel => (Wish::Cancel, None),
        Act::Resolve(outcome) => (resolution(&mut world.dice(), outcome), None),
    };
    {
        let mut people = world.people();
        let wishes = people.of(session);
        wishes.decisions.extend(decision);
        match act {
            Act::Energy(total) => wishes.energies.push(amount(total)),
            Act::Update(_) => wishes.updated = true,
            _ => {}
        }
    }
    let answer = fleet.instruct(session, wish).await;
    if !world.alive() {
        return;
    }
    world.note(|| {
        let what = answer.as_ref().map_or_else(Refusal::code, |session| session.state_name());
        format!("        API: {act:?} of {}: {what}", World::short(session))
    });
    match answer {
        Ok(told) => {
            world.heard_of(&told);
            let mut people = world.people();
            let wishes = people.of(session);
            if decision.is_some() && told.disposal.as_ref().map(|disposal| disposal.decision) != decision {
                world.violate(format!("session {session} was to get {decision:?}, and {:?} is the answer", told.disposal));
            }
            if let Some(decision) = decision {
                if wishes.told.is_some_and(|earlier| earlier != decision) {
                    world.violate(format!("G2: session {session} was told {:?} and then {decision:?}", wishes.told));
                }
                wishes.told = Some(decision);
            }
            if let Act::Energy(total) = act {
                wishes.energy_told = wishes.energy_told.max(Some(amount(total)));
            }
        }
        // Not now: whoever means it asks again.
        Err(Refusal::JournalUnavailable(_) | Refusal::TerminalNotReady { .. }) => {
            let mut people = world.people();
            if world.dice().chance(0.8) {
                let at = world.now().after(Duration::from_secs(2));
                people.of(session).steps.push_front((at, act));
            }
        }
        Err(_) => {}
    }
}

/// An integrator asks a terminal for something that is about no money; an Apollo answers some of it as it answers a Commit.
fn talk(world: &Arc<World>, fleet: &Fleet, terminal: usize) {
    let apollo = world.terminal(terminal).family() == Family::Apollo;
    let request = match world.dice().number(0, if apollo { 3 } else { 1 }) {
        0 => Request::GetStatus,
        1 => Request::RequestIds,
        2 => Request::SelectLanguage(RawPayload::from(b"EN".to_vec())),
        _ => Request::UiRequest(Ui::spinner("Wait")),
    };
    let (world, fleet) = (Arc::clone(world), fleet.clone());
    actix::spawn(async move {
        let name = world.name(terminal);
        world.note(|| format!("{name} API: {request:?}"));
        drop(fleet.request(name, request, "storm".to_owned()).await);
    });
}

/// Somebody at the depot does something to a terminal.
fn administer(world: &Arc<World>, fleet: &Fleet, terminal: usize) {
    let what = world.dice().number(0, 2);
    let (world, fleet) = (Arc::clone(world), fleet.clone());
    actix::spawn(async move {
        let name = world.name(terminal);
        world.note(|| format!("{name} API: {}", ["reconcile", "reconnect", "drain and resume"][what as usize]));
        match what {
            0 => drop(fleet.reconcile(name).await),
            1 => drop(fleet.reconnect(name, "storm".to_owned()).await),
            _ => {
                drop(fleet.drain(name, "storm".to_owned()).await);
                let wait = world.dice().millis(500, 20_000);
                tokio::time::sleep(wait).await;
                drop(fleet.resume(name, "storm".to_owned()).await);
            }
        }
    });
}

impl World {
    /// Nobody is told anything that is not durable: a session's version counts its records.
    pub(crate) fn heard_of(&self, session: &Session) {
        let durable = self.disk.books(|books| books.pages.get(&session.id).map_or(0, |page| page.records));
        if session.version > durable {
            self.violate(format!(
                "G1: somebody was told version {} of session {}, but {durable} are durable",
                session.version, session.id
            ));
        }
    }
}
