//! What the journal says, kept by the storm itself record by record: a second and simpler reader than the program's, so that
//! neither believes the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quittance::id::{SessionId, SessionReference, TerminalId, TerminalSessionId};
use quittance::journal::Record;
use quittance::journal::record::{
    AtEnd, ConfirmedBy, DeadManAction, DecidedBy, Decision, DiscrepancyKind, Fact, Learned, Origin, Outcome, Report,
};
use quittance::money::Amount;
use quittance::session::disposal::DEAD_MAN_MARGIN;
use quittance::time::Timestamp;

/// A session as its durable records tell it.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) terminal: TerminalId,
    pub(crate) origin: Origin,
    pub(crate) opened_at: Timestamp,
    pub(crate) reference: Option<SessionReference>,
    /// How many records.
    pub(crate) records: u64,
    /// Auth may be sent: its intent is there, its outcome is not.
    pub(crate) may_authorise: bool,
    pub(crate) authorised_at: Option<Timestamp>,
    /// When the terminal's own timer would end it, at the latest, and how.
    pub(crate) dead_man: Option<Timestamp>,
    pub(crate) dead_man_action: Option<DeadManAction>,
    pub(crate) hold: Option<Held>,
    pub(crate) energy: Option<Amount>,
    /// An Update to this total may be sent.
    pub(crate) may_update: Option<Amount>,
    /// What was held before the Update that is under way.
    pub(crate) before_update: Option<Amount>,
    /// An Update was not answered: the hold is the old total or the new one.
    pub(crate) unsure: bool,
    pub(crate) decision: Option<(Decision, DecidedBy, Timestamp)>,
    /// Commit or Void may be sent.
    pub(crate) may_dispose: bool,
    /// An attempt was not answered.
    pub(crate) doubtful: bool,
    /// How many were refused, and what the last of them said.
    pub(crate) refusals: u32,
    pub(crate) refused_with: Option<u8>,
    /// Noise has come while the answer to it was on its way, so that no Result may settle it (G5).
    pub(crate) noisy: bool,
    /// Another session's disposal may have met this hold, and the journal says so.
    pub(crate) shared: bool,
    pub(crate) in_doubt: bool,
    pub(crate) uncertain: bool,
    /// Since when the terminal has not known it, though nobody has ended it.
    pub(crate) missing: Option<Timestamp>,
    /// Its number was given to another hold.
    pub(crate) number_reused: bool,
    pub(crate) end: Option<End>,
    pub(crate) ended_at: Option<Timestamp>,
}

impl Page {
    /// There is a hold, and nothing that could end it has left.
    fn nobody_ended(&self) -> bool {
        self.hold.is_some() && !self.may_dispose && !self.doubtful && self.refusals == 0
    }

    /// The terminal's timer is past by so much that it is believed to have acted, and this is what it does.
    pub(crate) fn timer_has_acted(&self, now: Timestamp, action: DeadManAction) -> bool {
        self.dead_man_action == Some(action) && self.dead_man.is_some_and(|ends| now >= ends.after(DEAD_MAN_MARGIN))
    }
}

/// The terminal's timer began before we heard of the hold.
pub(crate) const NEAR_THE_TIMER: Duration = Duration::from_secs(120);

/// PSP, Errors: session id not found.
const NOT_FOUND: u8 = 0x0C;

/// A hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) number: TerminalSessionId,
    pub(crate) amount: Option<Amount>,
    pub(crate) learned: Learned,
    pub(crate) plug_in_by: Timestamp,
    pub(crate) end_by: Timestamp,
    pub(crate) at_end: AtEnd,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By a disposal, or by the terminal's timer.
    Disposed(Outcome, ConfirmedBy),
    /// By a person.
    Resolved(Outcome),
    /// Without a hold.
    NoHold,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) pages: BTreeMap<SessionId, Page>,
    pub(crate) last: u64,
    /// Terminals that can be asked what they hold.
    listing: BTreeSet<TerminalId>,
    keys: BTreeMap<String, SessionId>,
}

impl Books {
    /// Nothing is written yet.
    pub(crate) fn new(listing: BTreeSet<TerminalId>) -> Self {
        Self { listing, ..Self::default() }
    }

    /// One more record; says what is wrong with it.
    pub(crate) fn take(&mut self, record: &Record) -> Result<(), String> {
        let gap = record.seq != self.last + 1;
        self.last = record.seq;
        if gap {
            return Err(format!("record {} follows on another one than {}", record.seq, record.seq - 1));
        }
        let Some(id) = record.entry.session else {
            return match &record.entry.fact {
                Fact::Reconciled { report } => self.compared(report).map_err(|why| format!("record {}: {why}", record.seq)),
                _ => Ok(()),
            };
        };
        let wrong = |why: &str| Err(format!("record {} of session {id}, {}: {why}", record.seq, record.entry.fact.kind()));
        let at = record.entry.at;
        if let Fact::Opened { origin, reference, idempotency, .. } = &record.entry.fact {
            if let Some(request) = idempotency
                && self.keys.insert(request.key.clone(), id).is_some()
            {
                return wrong("its key has opened another one");
            }
            let page = Page {
                terminal: record.entry.terminal.clone().unwrap(),
                origin: *origin,
                opened_at: at,
                reference: *reference,
                records: 1,
                may_authorise: false,
                authorised_at: None,
                dead_man: None,
                dead_man_action: None,
                hold: None,
                energy: None,
                may_update: None,
                before_update: None,
                unsure: false,
                decision: None,
                may_dispose: false,
                doubtful: false,
                refusals: 0,
                refused_with: None,
                noisy: false,
                shared: false,
                in_doubt: false,
                uncertain: false,
                missing: None,
                number_reused: false,
                end: None,
                ended_at: None,
            };
            return if self.pages.insert(id, page).is_some() { wrong("it was opened before") } else { Ok(()) };
        }
        let lists = record.entry.terminal.as_ref().is_some_and(|terminal| self.listing.contains(terminal));
        // Others that the terminal should know.
        let others = self.pages.iter().any(|(other, page)| {
            *other != id && Some(&page.terminal) == record.entry.terminal.as_ref() && page.end.is_none() && page.nobody_ended()
        });
        let Some(page) = self.pages.get_mut(&id) else { return wrong("nobody has opened it") };
        page.records += 1;
        if page.end.is_some() {
            return wrong("it has ended");
        }
        match &record.entry.fact {
            Fact::AuthoriseIntended { dead_man, .. } => {
                if page.authorised_at.is_some() {
                    return wrong("a second Auth");
                }
                page.may_authorise = true;
                page.authorised_at = Some(at);
                (page.dead_man, page.dead_man_action) = (dead_man.at, Some(dead_man.action));
            }
            Fact::AuthoriseUnanswered { .. } => {
                page.may_authorise = false;
                page.in_doubt = true;
            }
            Fact::HoldPlaced { terminal_session_id, amount, learned, plug_in_by, end_by, at_end, dead_man } => {
                if page.hold.is_some() {
                    return wrong("a second hold");
                }
                page.may_authorise = false;
                page.in_doubt = false;
                if dead_man.at.is_none_or(|ends| *plug_in_by >= ends || *end_by >= ends) && *learned != Learned::Listed {
                    return wrong("the terminal's own timer comes before our deadline (G9)");
                }
                (page.dead_man, page.dead_man_action) = (dead_man.at, Some(dead_man.action));
                page.hold = Some(Held {
                    number: *terminal_session_id,
                    amount: *amount,
                    learned: *learned,
                    plug_in_by: *plug_in_by,
                    end_by: *end_by,
                    at_end: *at_end,
                });
            }
            Fact::EnergyReported { amount } => {
                if page.energy.is_some_and(|energy| energy > *amount) {
                    return wrong("a running total goes down");
                }
                page.energy = Some(*amount);
            }
            Fact::UpdateIntended { amount } => {
                let Some(hold) = &mut page.hold else { return wrong("there is no hold") };
                page.may_update = Some(*amount);
                page.before_update = hold.amount;
                // Until it is known, no more than what is held in either case.
                hold.amount = hold.amount.map(|held| held.min(*amount));
            }
            Fact::UpdateUnsent | Fact::HoldUpdated { .. } | Fact::UpdateRefused { .. } | Fact::UpdateUnanswered { .. } => {
                let Some(hold) = &mut page.hold else { return wrong("there is no hold") };
                page.may_update = None;
                match &record.entry.fact {
                    Fact::HoldUpdated { amount } => (hold.amount, page.unsure) = (Some(*amount), false),
                    Fact::UpdateUnanswered { .. } => page.unsure = true,
                    _ => hold.amount = page.before_update,
                }
            }
            Fact::DisposalDecided { decision, by } => {
                let held = page.hold.and_then(|hold| hold.amount);
                if let Decision::Commit(amount) = decision
                    && held.is_none_or(|held| *amount > held)
                {
                    return wrong("more than is held (G4)");
                }
                if let Some((earlier, ..)) = page.decision {
                    return wrong(&format!("it was decided before: {earlier:?}"));
                }
                if page.hold.is_none() {
                    return wrong("there is no hold");
                }
                page.decision = Some((*decision, *by, at));
                page.uncertain = false;
            }
            Fact::AttemptStarted { .. } => {
                if page.decision.is_none() || page.may_dispose || page.may_update.is_some() {
                    return wrong("not decided, or another attempt or an update is under way");
                }
                page.may_dispose = true;
                page.noisy = false;
            }
            Fact::AttemptRefused { .. } | Fact::Disposed { confirmed_by: ConfirmedBy::ResultOk, .. } if page.noisy => {
                return wrong("it is settled by what followed noise (G5)");
            }
            Fact::AttemptUnsent { .. } | Fact::AttemptUnanswered { .. } | Fact::AttemptRefused { .. } => {
                page.may_dispose = false;
                page.noisy = false;
                page.doubtful |= matches!(record.entry.fact, Fact::AttemptUnanswered { .. });
                page.refused_with = None;
                if let Fact::AttemptRefused { reason, .. } = &record.entry.fact {
                    page.refusals += 1;
                    page.refused_with = *reason;
                }
            }
            Fact::Disposed { outcome, confirmed_by } => {
                let decided = page.decision.map(|(decision, ..)| decision);
                let as_decided = match outcome {
                    Outcome::Committed(amount) => decided == Some(Decision::Commit(*amount)),
                    Outcome::Voided => decided == Some(Decision::Void),
                    Outcome::Expired => page.timer_has_acted(at, DeadManAction::Void),
                };
                let proved = match confirmed_by {
                    ConfirmedBy::ResultOk => page.may_dispose,
                    ConfirmedBy::ListAbsent => lists && page.doubtful && !page.may_dispose,
                    ConfirmedBy::Presumed => page.doubtful && page.refused_with == Some(NOT_FOUND),
                    ConfirmedBy::Timer => *outcome == Outcome::Expired,
                    ConfirmedBy::Person => false,
                };
                if !as_decided || !proved {
                    return wrong("it has not ended like this, by what is known");
                }
                page.may_dispose = false;
                page.end = Some(End::Disposed(*outcome, *confirmed_by));
            }
            Fact::BecameUncertain { .. } => {
                let too_late = page.in_doubt && page.timer_has_acted(at, DeadManAction::Commit);
                let refused = !lists && page.refusals >= 5;
                let missing = page.refused_with == Some(NOT_FOUND) || lists && (page.hold.is_some() || page.in_doubt && others);
                if !too_late && !refused && !missing {
                    return wrong("no rule says that it is uncertain");
                }
                page.missing = (!too_late && !refused).then_some(at);
                page.uncertain = true;
                page.in_doubt = false;
            }
            Fact::NumberReused { .. } => {
                page.number_reused = true;
                page.uncertain = true;
                page.in_doubt = false;
            }
            Fact::NumberShared { .. } => page.shared = true,
            Fact::Resolved { outcome, .. } => page.end = Some(End::Resolved(*outcome)),
            Fact::Declined { .. } | Fact::Cancelled { .. } | Fact::Failed { .. } => {
                if page.hold.is_some() {
                    return wrong("there is a hold");
                }
                page.may_authorise = false;
                page.end = Some(End::NoHold);
            }
            _ => {}
        }
        page.ended_at = page.end.map(|_| at);
        Ok(())
    }

    /// A terminal that lacks a hold which nobody and no timer has ended may lack others for the same reason: nothing is settled by that.
    fn compared(&self, report: &Report) -> Result<(), String> {
        let timer_is_far = |page: &Page| page.dead_man.is_none_or(|ends| report.began_at.after(NEAR_THE_TIMER) < ends);
        let pages = |kind| {
            let found = report.discrepancies.iter().filter(move |found| found.kind == kind);
            found.filter_map(|found| self.pages.get(&found.session?))
        };
        let forgotten = pages(DiscrepancyKind::MissingOnTerminal).filter(|page| page.nobody_ended() && timer_is_far(page));
        // What began after that was forgotten had nothing to be forgotten yet.
        let Some(at) = forgotten.map(|page| page.missing.unwrap_or(report.began_at)).max() else { return Ok(()) };
        let mut settled = pages(DiscrepancyKind::DisposalConfirmed).chain(pages(DiscrepancyKind::NoHold));
        match settled.find(|page| page.opened_at <= at) {
            Some(settled) => Err(format!("{settled:?} is settled, although the terminal had forgotten another one by {at}")),
            None => Ok(()),
        }
    }

    /// Noise has come while the terminal owed the answer about this number.
    pub(crate) fn noise_over(&mut self, terminal: &TerminalId, number: TerminalSessionId) {
        let about = |page: &Page| page.terminal == *terminal && page.hold.is_some_and(|hold| hold.number == number);
        for page in self.pages.values_mut().filter(|page| page.may_dispose && about(page)) {
            page.noisy = true;
        }
    }

    /// The pages of a terminal.
    pub(crate) fn of<'a>(&'a self, terminal: &'a TerminalId) -> impl Iterator<Item = (&'a SessionId, &'a Page)> {
        self.pages.iter().filter(move |(_, page)| page.terminal == *terminal)
    }
}
