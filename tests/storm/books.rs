//! What the journal says, kept by the storm itself record by record: a second and simpler reader than the program's, so that
//! neither believes the other.

use std::collections::BTreeMap;

use quittance::id::{SessionId, SessionReference, TerminalId, TerminalSessionId};
use quittance::journal::Record;
use quittance::journal::record::{AtEnd, ConfirmedBy, DecidedBy, Decision, Fact, Learned, Origin, Outcome};
use quittance::money::Amount;
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
    /// When the terminal's own timer would end it, at the latest.
    pub(crate) dead_man: Option<Timestamp>,
    pub(crate) hold: Option<Held>,
    pub(crate) energy: Option<Amount>,
    /// An Update to this total may be sent.
    pub(crate) may_update: Option<Amount>,
    /// The amounts that Updates have asked for.
    pub(crate) updates: Vec<Amount>,
    pub(crate) decision: Option<(Decision, DecidedBy, Timestamp)>,
    /// Commit or Void may be sent.
    pub(crate) may_dispose: bool,
    /// Noise has come while the answer to it was on its way, so that no Result may settle it (G5).
    pub(crate) noisy: bool,
    /// Another session's disposal may have met this hold, and the journal says so.
    pub(crate) shared: bool,
    pub(crate) in_doubt: bool,
    pub(crate) uncertain: bool,
    pub(crate) end: Option<End>,
}

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
}

impl Books {
    /// One more record; says what is wrong with it.
    pub(crate) fn take(&mut self, record: &Record) -> Result<(), String> {
        let gap = record.seq != self.last + 1;
        self.last = record.seq;
        if gap {
            return Err(format!("record {} follows on another one than {}", record.seq, record.seq - 1));
        }
        let Some(id) = record.entry.session else { return Ok(()) };
        let wrong = |why: &str| Err(format!("record {} of session {id}, {}: {why}", record.seq, record.entry.fact.kind()));
        let at = record.entry.at;
        if let Fact::Opened { origin, reference, .. } = &record.entry.fact {
            let page = Page {
                terminal: record.entry.terminal.clone().unwrap(),
                origin: *origin,
                opened_at: at,
                reference: *reference,
                records: 1,
                may_authorise: false,
                authorised_at: None,
                dead_man: None,
                hold: None,
                energy: None,
                may_update: None,
                updates: Vec::new(),
                decision: None,
                may_dispose: false,
                noisy: false,
                shared: false,
                in_doubt: false,
                uncertain: false,
                end: None,
            };
            return if self.pages.insert(id, page).is_some() { wrong("it was opened before") } else { Ok(()) };
        }
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
                page.dead_man = dead_man.at;
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
                page.dead_man = dead_man.at;
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
                page.may_update = Some(*amount);
                page.updates.push(*amount);
            }
            Fact::UpdateUnsent | Fact::HoldUpdated { .. } | Fact::UpdateRefused { .. } | Fact::UpdateUnanswered { .. } => {
                page.may_update = None;
            }
            Fact::DisposalDecided { decision, by } => {
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
                if page.decision.is_none() || page.may_dispose {
                    return wrong("not decided, or another attempt is under way");
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
            }
            Fact::Disposed { outcome, confirmed_by } => {
                page.may_dispose = false;
                page.end = Some(End::Disposed(*outcome, *confirmed_by));
            }
            Fact::BecameUncertain { .. } | Fact::NumberReused { .. } => {
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
        Ok(())
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
