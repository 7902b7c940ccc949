//! The terminals and the rules for their sessions: `[policy]`, `[[terminals]]` and `[terminals.policy]`.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::raw::{self, Section};
use super::record::{Recorder, check_files};
use super::{Mistake, link, quirks, ui};
use crate::id::TerminalId;
use crate::journal::record::AtEnd;
use crate::journal::record::DeadManAction;
use crate::link::{Address, Settings, Timeouts};
use crate::money::Amount;
use crate::protocol::Family;
use crate::protocol::request::Options;
use crate::session::policy::{AUTHORISE_WITHIN, Authorise, DuplicateTap, OrphanPolicy, Policy};
use crate::terminal::settings::{OPTIONS, Screens, TerminalSettings};

/// The disposal ladder may take this long before it is down to its last step; the dead-man timer must leave room for it.
const LADDER_ROOM: Duration = Duration::from_secs(3600);
/// The terminal gives up on a TCP link that was silent for this long (PSP, Keep-alive).
const SILENCE_LIMIT: Duration = Duration::from_secs(20);

/// A policy on its way: everything has a default but the action of the dead-man timer.
#[derive(Clone)]
pub(super) struct Rules {
    policy: Policy,
    action: Option<DeadManAction>,
}

impl Rules {
    /// Reads `[policy]`.
    pub(super) fn base(section: Section, mistakes: &mut Vec<Mistake>) -> (Self, Option<Policy>) {
        let needs_action = !section.has("terminal_timeout_action");
        if needs_action {
            let message = "is missing and has no default: when nobody has spoken to a terminal for terminal_timeout, it ends its \
                           holds by itself; choose \"void\" (the customer gets the money back) or \"commit\" (all of it is taken)";
            section.mistake("terminal_timeout_action", message, mistakes);
        }
        let rules = Self { policy: defaults(), action: None }.overlaid(section, mistakes);
        let policy = rules.finished();
        (rules, policy)
    }

    /// These rules, where the section says nothing else.
    fn overlaid(&self, mut section: Section, mistakes: &mut Vec<Mistake>) -> Self {
        let Self { policy: mut p, mut action } = self.clone();
        let m = mistakes;
        set(&mut p.terminal_timeout, section.duration("terminal_timeout", m));
        let actions = [("void", DeadManAction::Void), ("commit", DeadManAction::Commit)];
        action = section.word("terminal_timeout_action", &actions, m).or(action);
        set(&mut p.plug_in_timeout, section.duration("plug_in_timeout", m));
        set(&mut p.max_session, section.duration("max_session", m));
        let ends = [("commit_last_known", AtEnd::CommitLastKnown), ("void", AtEnd::Void), ("alert", AtEnd::Alert)];
        set(&mut p.on_max_session, section.word("on_max_session", &ends, m));
        let orphans = [("void", OrphanPolicy::Void), ("report", OrphanPolicy::Report)];
        set(&mut p.orphan_policy, section.word("orphan_policy", &orphans, m));
        let taps = [("void_earlier", DuplicateTap::VoidEarlier), ("allow", DuplicateTap::Allow)];
        set(&mut p.duplicate_tap, section.word("duplicate_tap", &taps, m));
        set(&mut p.tap_to_stop, section.take("tap_to_stop", m, raw::truth));
        let ways = [("auto", Authorise::Auto), ("ask", Authorise::Ask)];
        set(&mut p.authorise, section.word("authorise", &ways, m));
        set(&mut p.authorise_within, section.duration("authorise_within", m));
        set(&mut p.max_hold, section.number("max_hold", (1, u32::MAX), m).map(Amount::from_minor));
        set(&mut p.retry, section.take("retry", m, raw::durations));
        set(&mut p.reconcile_every, section.duration("reconcile_every", m));
        set(&mut p.max_undelivered, section.number("max_undelivered", (1, 10_000), m));
        p.settle_within = section.duration("settle_within", m).or(p.settle_within);
        check(&p, &section, m);
        section.finish(m);
        Self { policy: p, action }
    }

    fn finished(&self) -> Option<Policy> {
        self.action.map(|action| Policy { terminal_timeout_action: action, ..self.policy.clone() })
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn check(policy: &Policy, section: &Section, mistakes: &mut Vec<Mistake>) {
    let timeout = policy.terminal_timeout;
    if timeout.subsec_nanos() != 0 || timeout.as_secs() >= u64::from(u32::MAX) {
        section.mistake("terminal_timeout", "must be whole seconds, and fewer than 4294967295 of them", mistakes);
    }
    if policy.max_session.checked_add(LADDER_ROOM).is_none_or(|least| timeout <= least) {
        let message = "must be longer than max_session and one hour: otherwise the terminal acts while we still try";
        section.mistake("terminal_timeout", message, mistakes);
    }
    if policy.plug_in_timeout > policy.max_session {
        section.mistake("plug_in_timeout", "must not be longer than max_session", mistakes);
    }
    if policy.settle_within.is_some_and(|settle| settle <= policy.max_session) {
        section.mistake("settle_within", "must be longer than max_session, after which a hold is ended anyway", mistakes);
    }
    if policy.authorise_within > AUTHORISE_WITHIN {
        let most = AUTHORISE_WITHIN.as_secs();
        let message = format!("must not be longer than {most}s: the terminal drops the card after 30s");
        section.mistake("authorise_within", message, mistakes);
    }
}

/// The documented defaults. The action is a placeholder that [`Rules::finished`] replaces.
fn defaults() -> Policy {
    let seconds = Duration::from_secs;
    Policy {
        terminal_timeout: seconds(24 * 3600),
        terminal_timeout_action: DeadManAction::Void,
        plug_in_timeout: seconds(300),
        max_session: seconds(12 * 3600),
        on_max_session: AtEnd::CommitLastKnown,
        orphan_policy: OrphanPolicy::Void,
        duplicate_tap: DuplicateTap::VoidEarlier,
        tap_to_stop: true,
        authorise: Authorise::Auto,
        authorise_within: AUTHORISE_WITHIN,
        max_hold: Amount::from_minor(10_000),
        retry: [1, 5, 30, 60, 60, 60, 60, 60, 3600].map(seconds).to_vec(),
        reconcile_every: seconds(900),
        max_undelivered: 10,
        settle_within: None,
    }
}

/// Reads `[[terminals]]`. Names and links must be distinct.
pub(super) fn read(
    root: &mut Section,
    rules: &Rules,
    base: Option<&Policy>,
    screens: &Screens,
    journal: &Path,
    mistakes: &mut Vec<Mistake>,
) -> Vec<TerminalSettings> {
    let recorder = Recorder::read(root, mistakes);
    let given = root.has("terminals");
    let before = mistakes.len();
    let sections = root.sections("terminals", mistakes);
    if sections.is_empty() && (!given || mistakes.len() == before) {
        root.mistake("terminals", "at least one is needed", mistakes);
    }
    let mut ids = HashMap::new();
    let mut links = HashMap::new();
    let mut terminals: Vec<TerminalSettings> = Vec::new();
    let mut recorded = Vec::new();
    for section in sections {
        let (id_path, link_path, record_path) = (section.path("id"), section.path("link"), section.path("record"));
        let (id, address, settings) = terminal(section, rules, base, screens, &recorder, mistakes);
        if let Some(earlier) = id.and_then(|id| ids.insert(id, id_path.clone())) {
            mistakes.push(Mistake { path: id_path, message: format!("is the same as {earlier}") });
        }
        if let Some(earlier) = address.and_then(|address| links.insert(address.place(), link_path.clone())) {
            mistakes.push(Mistake { path: link_path, message: format!("leads to the same place as {earlier}") });
        }
        recorded
            .extend(settings.iter().filter_map(|settings| Some((settings.record.as_ref()?.path.clone(), record_path.clone()))));
        terminals.extend(settings);
    }
    check_files(recorded.iter().map(|(path, key)| (path.as_path(), key.clone())), journal, mistakes);
    terminals
}

type Read = (Option<TerminalId>, Option<Address>, Option<TerminalSettings>);

fn terminal(
    mut section: Section,
    rules: &Rules,
    base: Option<&Policy>,
    screens: &Screens,
    recorder: &Recorder,
    m: &mut Vec<Mistake>,
) -> Read {
    let id = section.required("id", m, |section, m| {
        section.take("id", m, |value| raw::text(value)?.parse::<TerminalId>().map_err(|error| error.to_string()))
    });
    let families = [("apollo", Family::Apollo), ("p6x", Family::P6x)];
    let family = section.required("family", m, |section, m| section.word("family", &families, m));
    let address = link::read(&mut section, family, m);
    let is_tcp = !matches!(address, Some(Address::Serial { .. }));
    let keepalive = keepalive(&mut section, is_tcp, m);
    let connectors = section.number("connectors", (1, 63), m).unwrap_or(1);
    let serial_number = section.text("serial_number", m);
    let timeouts = timeouts(section.section("timeouts", m), family.unwrap_or(Family::Apollo), m);
    let quirks = quirks::read(section.section("quirks", m), family.unwrap_or(Family::Apollo), m);
    let policy = if section.has("policy") {
        let own = rules.overlaid(section.section("policy", m), m);
        let finished = own.finished();
        (own.policy.max_hold, finished)
    } else {
        (rules.policy.max_hold, base.cloned())
    };
    let (max_hold, policy) = policy;
    let preauth = preauth(&mut section, max_hold, m);
    let record = recorder.of(&mut section, id.as_ref(), m);
    let options = options(section.section("protocol", m), family, m);
    let screens = self::screens(&mut section, family, screens, m);
    section.finish(m);
    let settings = || {
        let (id, family, address, policy) = (id.clone()?, family?, address.clone()?, policy?);
        let record = record.clone();
        let link = Settings { address, family, quirks, timeouts };
        let connectors = u8::try_from(connectors).ok()?;
        Some(TerminalSettings {
            id,
            family,
            link,
            connectors,
            keepalive,
            serial_number,
            preauth,
            options,
            screens,
            policy,
            record,
        })
    };
    let settings = settings();
    (id, address, settings)
}

/// The amount of a terminal that scans all the time; none for one that waits until it is asked.
fn preauth(section: &mut Section, max_hold: Amount, m: &mut Vec<Mistake>) -> Option<Amount> {
    let given = section.has("preauth");
    let preauth = section.number("preauth", (1, u32::MAX), m).map(Amount::from_minor);
    if preauth.is_some_and(|preauth| preauth > max_hold) {
        section.mistake("preauth", format!("must not be above max_hold, which is {max_hold}"), m);
    }
    let always = section.word("scan", &[("on_demand", false), ("always", true)], m) == Some(true);
    if always && !given {
        section.mistake("preauth", "is missing: with scan = \"always\" nobody else says how much to hold", m);
    }
    preauth.filter(|_| always)
}

/// The Protocol options to ask for (PSP, Protocol); asking for what the family has not is a mistake.
fn options(mut section: Section, family: Option<Family>, m: &mut Vec<Mistake>) -> Options {
    let known = family.map_or(Options(u32::MAX), Family::options);
    let mut options = Options::default();
    for (option, key, default) in OPTIONS {
        let has = known.contains(option);
        let wanted = section.take(key, m, raw::truth);
        if wanted == Some(true) && !has {
            section.mistake(key, "is for Apollo only: a P6X does not have this option", m);
        }
        if has && wanted.unwrap_or(default) {
            options = options.with(option);
        }
    }
    section.finish(m);
    options
}

/// The terminal's own screens over those of the depot; a P6X has none.
fn screens(section: &mut Section, family: Option<Family>, depot: &Screens, m: &mut Vec<Mistake>) -> Screens {
    let given = section.has("ui");
    let templates = ui::read(section.section("ui", m), &depot.templates, m);
    if family == Some(Family::P6x) {
        if given {
            section.mistake("ui", "is for Apollo only: a P6X shows nothing of ours", m);
        }
        return Screens::default();
    }
    Screens { site: depot.site.clone(), templates }
}

fn keepalive(section: &mut Section, is_tcp: bool, m: &mut Vec<Mistake>) -> Option<Duration> {
    if !section.has("keepalive") {
        return is_tcp.then_some(Duration::from_secs(15));
    }
    let keepalive = section.duration("keepalive", m);
    if !is_tcp {
        section.mistake("keepalive", "is for TCP and TLS links only", m);
    } else if keepalive.is_some_and(|keepalive| keepalive >= SILENCE_LIMIT) {
        section.mistake("keepalive", "must be below 20s, after which the terminal gives the link up", m);
    }
    keepalive
}

fn timeouts(mut section: Section, family: Family, m: &mut Vec<Mistake>) -> Timeouts {
    let (command, authorise) = match family {
        Family::Apollo => (5, 210),
        Family::P6x => (10, 30),
    };
    let mut take = |key, seconds| section.duration(key, m).unwrap_or(Duration::from_secs(seconds));
    let timeouts = Timeouts {
        command: take("command", command),
        commit: take("commit", 60),
        authorise: take("authorise", authorise),
        card: take("card", 60),
    };
    section.finish(m);
    timeouts
}
