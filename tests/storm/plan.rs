//! What a seed draws before anything happens: the depot, its policies, and how bad the weather will be.

use std::sync::OnceLock;
use std::time::Duration;

use quittance::config::{self, Environment};
use quittance::fleet::supervision::Supervision;
use quittance::journal::record::{AtEnd, DeadManAction};
use quittance::money::Amount;
use quittance::protocol::Family;
use quittance::session::policy::{Authorise, DuplicateTap, OrphanPolicy, Policy};
use quittance::sim::{CardTimeout, Listen, Occasion, Quirks, SimConfig};
use quittance::terminal::TerminalSettings;

use super::dice::Dice;
use super::weather::Blow;

/// Everything that is drawn beforehand.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The terminals as the orchestrator knows them; their addresses are put in for each of its lives.
    pub(crate) terminals: Vec<TerminalSettings>,
    /// The terminals as they are.
    pub(crate) sims: Vec<SimConfig>,
    pub(crate) supervision: Supervision,
    /// How long faults go on.
    pub(crate) storm: Duration,
    /// How often the orchestrator is killed.
    pub(crate) crashes: u32,
    /// How often an actor panics.
    pub(crate) panics: u32,
    /// How many visits each terminal gets.
    pub(crate) visits: u32,
    pub(crate) weather: Weather,
    pub(crate) disk: DiskPlan,
    pub(crate) line: LinePlan,
    /// The terminals' sessions may be lost, numbers used again, answers forged: what a terminal says is no proof then, and the bank is
    /// compared less strictly.
    pub(crate) terminals_forget: bool,
    /// The orchestrator's clock may be set while it is down.
    pub(crate) clock_jumps: bool,
}

/// Which faults there are, each with its weight; about how often one happens to a terminal.
#[derive(Debug)]
pub(crate) struct Weather {
    pub(crate) every: Duration,
    pub(crate) weights: [u32; Blow::ALL.len()],
}

/// How the journal's disk behaves.
#[derive(Debug)]
pub(crate) struct DiskPlan {
    /// An append takes up to this long.
    pub(crate) latency_millis: u32,
    /// Likelihood that one takes seconds.
    pub(crate) slow: f64,
    /// Likelihood that the next few are refused.
    pub(crate) refuses: f64,
    /// Likelihood that it is full for a while.
    pub(crate) fills: f64,
}

/// How the wires behave.
#[derive(Debug)]
pub(crate) struct LinePlan {
    /// Bytes take up to this long.
    pub(crate) latency_millis: u32,
    /// Likelihood for each piece of bytes: one is lost, one is changed, noise comes in, it comes much later, it comes twice.
    pub(crate) drop_byte: f64,
    pub(crate) flip_bit: f64,
    pub(crate) noise: f64,
    pub(crate) late: f64,
    pub(crate) twice: f64,
    /// Likelihood that the link is cut within it.
    pub(crate) cut: f64,
    /// Likelihood that a connection is refused, or hangs.
    pub(crate) refused: f64,
    /// Likelihood that a list is caught in the middle of a change.
    pub(crate) moves_list: f64,
    /// Likelihood that the task of a new link panics.
    pub(crate) panics: f64,
}

impl Plan {
    /// What this seed draws.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let count = match dice.weighted(&[62, 28, 8, 2]) {
            0 => 1,
            1 => dice.number(2, 3),
            2 => dice.number(4, 9),
            _ => dice.number(10, 30),
        };
        let long = count <= 2 && dice.chance(0.01);
        let storm = if long { dice.number(1800, 7200) } else { dice.number(20, 360 / count.clamp(1, 6)) };
        let terminals_forget = dice.chance(0.12);
        let answers_lie = dice.chance(0.04);
        let policy = policy(&mut dice, long);
        let mut terminals = Vec::new();
        let mut sims = Vec::new();
        for number in 1..=count {
            let (settings, sim) = terminal(&mut dice, number, &policy, terminals_forget);
            terminals.push(settings);
            sims.push(sim);
        }
        if terminals_forget {
            let mut dice = Dice::new(seed, 3);
            terminals.iter_mut().for_each(|settings| settings.link.quirks.keeps_sessions = dice.chance(0.5));
        }
        Self {
            supervision: Supervision {
                backoff_min: dice.millis(50, 1000),
                backoff_max: dice.millis(2000, 20_000),
                intensity: dice.number(3, 30),
                period: Duration::from_secs(60),
                quarantine_retry: dice.millis(10_000, 60_000),
            },
            storm: Duration::from_secs(u64::from(storm)),
            crashes: if dice.chance(0.6) { dice.number(1, 5) } else { 0 },
            panics: if dice.chance(0.25) { dice.number(1, 3) } else { 0 },
            visits: if long { 30 } else { dice.number(1, 12 / count.clamp(1, 6)) },
            weather: weather(&mut dice, answers_lie, terminals_forget),
            disk: disk(&mut dice),
            line: line(&mut dice),
            terminals_forget,
            clock_jumps: dice.chance(0.1),
            terminals,
            sims,
        }
    }
}

impl Plan {
    /// In words, for the beginning of a story.
    pub(crate) fn tell(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "A storm of {:?} over {} terminals with {} visits each; {} crashes, {} panics, the clock {}.",
                self.storm,
                self.terminals.len(),
                self.visits,
                self.crashes,
                self.panics,
                if self.clock_jumps { "jumps" } else { "is right" },
            ),
            format!("{:?}", self.weather),
            format!("{:?}", self.line),
            format!("{:?}", self.disk),
            format!("{:?}", self.supervision),
        ];
        lines.extend(self.terminals.first().map(|first| format!("{:?}", first.policy)));
        lines.extend(self.terminals.iter().zip(&self.sims).map(|(settings, sim)| {
            let (connectors, preauth) = (settings.connectors, settings.preauth);
            let trusted = if settings.link.quirks.keeps_sessions { "keeps" } else { "forgets" };
            format!(
                "{}: {:?}, {connectors} connectors, scans for {preauth:?}, {:?}, is thought to be one that {trusted} sessions, {:?}",
                sim.id, sim.family, settings.link.timeouts, sim.quirks
            )
        }));
        lines
    }
}

fn policy(dice: &mut Dice, long: bool) -> Policy {
    let seconds = |number: u32| Duration::from_secs(u64::from(number));
    let max_session = if long { seconds(dice.number(600, 3000)) } else { dice.millis(40_000, 240_000) };
    let retry = match dice.number(0, 3) {
        0 => vec![seconds(1), seconds(5), seconds(15)],
        1 => vec![seconds(1), seconds(5), seconds(30), seconds(60)],
        2 => vec![dice.millis(100, 2000), dice.millis(1000, 20_000)],
        _ => vec![seconds(2)],
    };
    // Earlier than our own deadline it may never be (G9); that is what the configuration's check refuses.
    let short = dice.chance(0.06);
    let terminal_timeout = if short { max_session.saturating_add(seconds(dice.number(300, 600))) } else { seconds(24 * 3600) };
    Policy {
        terminal_timeout: seconds(u32::try_from(terminal_timeout.as_secs()).unwrap_or(86_400)),
        terminal_timeout_action: if dice.chance(0.85) { DeadManAction::Void } else { DeadManAction::Commit },
        plug_in_timeout: dice.millis(15_000, 90_000),
        max_session,
        on_max_session: dice.pick(&[AtEnd::CommitLastKnown, AtEnd::CommitLastKnown, AtEnd::Void, AtEnd::Alert]),
        orphan_policy: if dice.chance(0.85) { OrphanPolicy::Void } else { OrphanPolicy::Report },
        duplicate_tap: if dice.chance(0.7) { DuplicateTap::VoidEarlier } else { DuplicateTap::Allow },
        tap_to_stop: dice.chance(0.7),
        authorise: if dice.chance(0.85) { Authorise::Auto } else { Authorise::Ask },
        authorise_within: dice.millis(5000, 27_000),
        max_hold: Amount::from_minor(10_000),
        retry,
        reconcile_every: dice.millis(20_000, 900_000),
        max_undelivered: 1000,
        settle_within: None,
    }
}

fn terminal(dice: &mut Dice, number: u32, policy: &Policy, forgets: bool) -> (TerminalSettings, SimConfig) {
    let family = if dice.chance(0.5) { Family::Apollo } else { Family::P6x };
    let mut settings = template(family);
    settings.id = format!("bay-{number:02}").parse().unwrap();
    settings.policy = policy.clone();
    settings.connectors = u8::try_from(dice.number(1, 3)).unwrap();
    if dice.chance(0.2) {
        settings.preauth = Some(Amount::from_minor(5000));
    }
    if dice.chance(0.5) {
        settings.screens.templates = Default::default();
    }
    if dice.chance(0.5) {
        let timeouts = &mut settings.link.timeouts;
        timeouts.command = dice.millis(1000, 5000);
        timeouts.commit = dice.millis(2000, 20_000);
        timeouts.authorise = dice.millis(5000, 40_000);
        timeouts.card = dice.millis(5000, 60_000);
    }
    let mut sim = match family {
        Family::Apollo => SimConfig::apollo(settings.id.clone()),
        Family::P6x => SimConfig::p6x(settings.id.clone(), ""),
    };
    sim.listen = Listen::Port;
    sim.quirks = quirks(dice, forgets);
    if settings.link.timeouts.card < sim.quirks.card_timeout {
        sim.quirks.card_timeout = settings.link.timeouts.card;
    }
    if dice.chance(0.3) {
        settings.serial_number = Some(sim.serial_number.clone());
    }
    (settings, sim)
}

/// What is assumed of terminals, and now and then the opposite of a point of it.
fn quirks(dice: &mut Dice, forgets: bool) -> Quirks {
    let mut quirks = Quirks::default();
    let mut now_and_then = || dice.chance(0.06);
    quirks.running_in_wait_auth = now_and_then();
    quirks.tells_dropped_flow = now_and_then();
    quirks.disable_ends_flow = now_and_then();
    quirks.takes_duplicates = now_and_then();
    quirks.repeat_is_ok = now_and_then();
    quirks.ignore_damaged = now_and_then();
    quirks.keeps_state = now_and_then();
    quirks.echoes_all_options = now_and_then();
    quirks.idle_close = !now_and_then();
    quirks.updates = !now_and_then();
    if now_and_then() {
        quirks.id_is_reference = true;
    }
    if dice.chance(0.3) {
        quirks.sessions_per_page = dice.index(3) + 1;
    }
    quirks.on_card_timeout =
        dice.pick(&[CardTimeout::Cancelled, CardTimeout::Cancelled, CardTimeout::NotOk, CardTimeout::Silent]);
    quirks.on_auth_timeout = dice.pick(&[CardTimeout::Silent, CardTimeout::Silent, CardTimeout::Cancelled, CardTimeout::NotOk]);
    if forgets {
        quirks.reuse_ids = dice.chance(0.5);
        if dice.chance(0.3) {
            quirks.forgets_at = vec![dice.pick(&[
                Occasion::Reset,
                Occasion::Synchronize,
                Occasion::Setup,
                Occasion::Connection,
                Occasion::PowerCycle,
            ])];
        }
    }
    quirks
}

fn weather(dice: &mut Dice, lies: bool, forgets: bool) -> Weather {
    let mut weights = [0; Blow::ALL.len()];
    // A seed has some kinds of faults, so that each kind also comes without the others.
    let likelihood = dice.pick(&[0.15, 0.4, 0.8]);
    for weight in &mut weights {
        *weight = if dice.chance(likelihood) { dice.number(1, 10) } else { 0 };
    }
    weights[Blow::Forgets as usize] *= u32::from(forgets);
    weights[Blow::Lies as usize] *= u32::from(lies);
    Weather { every: dice.pick(&[3, 8, 20, 60].map(Duration::from_secs)), weights }
}

fn disk(dice: &mut Dice) -> DiskPlan {
    let mut sometimes = |likelihood: f64, value: f64| if dice.chance(likelihood) { value } else { 0.0 };
    let (slow, refuses, fills) = (sometimes(0.2, 0.03), sometimes(0.25, 0.03), sometimes(0.12, 0.05));
    DiskPlan { latency_millis: dice.pick(&[0, 0, 5, 50]), slow, refuses, fills }
}

fn line(dice: &mut Dice) -> LinePlan {
    let latency_millis = dice.pick(&[0, 1, 20, 200]);
    let mut sometimes = |likelihood: f64, value: f64| if dice.chance(likelihood) { value } else { 0.0 };
    LinePlan {
        latency_millis,
        drop_byte: sometimes(0.12, 0.01),
        flip_bit: sometimes(0.12, 0.01),
        noise: sometimes(0.1, 0.01),
        late: sometimes(0.2, 0.02),
        twice: sometimes(0.1, 0.01),
        cut: sometimes(0.2, 0.01),
        refused: sometimes(0.2, 0.2),
        panics: sometimes(0.05, 0.05),
        moves_list: sometimes(0.3, 0.3),
    }
}

/// A terminal with the documented defaults, as the configuration's own reader makes it.
fn template(family: Family) -> TerminalSettings {
    static TEMPLATES: OnceLock<Vec<TerminalSettings>> = OnceLock::new();
    let templates = TEMPLATES.get_or_init(|| {
        let text = "[site]\nid = \"storm\"\ncurrency = \"EUR\"\n[policy]\nterminal_timeout_action = \"void\"\n\
                    [ui]\nready = { type = \"notification\", title = \"Welcome\" }\n\
                    please_wait = { type = \"spinner\", title = \"{amount}\" }\n\
                    approved = { type = \"notification\", title = \"Plug {connector}\" }\n\
                    thank_you = { type = \"notification\", title = \"{amount} {currency}\" }\n\
                    [[terminals]]\nid = \"a\"\nfamily = \"apollo\"\nlink = { tcp = \"127.0.0.1:1\" }\n\
                    [[terminals]]\nid = \"p\"\nfamily = \"p6x\"\nlink = { serial = \"/dev/null\" }\n";
        config::parse(text, &Environment::new()).unwrap().terminals
    });
    templates.iter().find(|template| template.family == family).unwrap().clone()
}
