//! Comparing our holds with the terminal's own: when it is done, how the lists are fetched, and what becomes of the plan. What is
//! to be done is decided in `reconcile`.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::id::{SessionId, TerminalSessionId};
use crate::journal::record::{Origin, Report, ReportResult, Trigger};
use crate::journal::{Entry, Fact, Record};
use crate::link::Outcome;
use crate::protocol::response::Response;
use crate::reconcile::{Lists, Pages, Plan, Progress, Question};
use crate::session::verdict::Verdict;
use crate::session::{Input, Refusal, Session, State};
use crate::time::Timestamp;

use super::actor::TerminalActor;
use super::children::Child;
use super::requests::opened;
use super::trouble::Trouble;
use super::turn::Holder;
use super::world::FromTerminal;

/// Who waits for the end of a reconciliation.
pub(super) type Waiting = oneshot::Sender<Result<Record, Refusal>>;

/// A reconciliation under way.
pub(super) struct Comparison {
    trigger: Trigger,
    began_at: Timestamp,
    waiting: Vec<Waiting>,
    pages: Pages,
    lists: Vec<Vec<TerminalSessionId>>,
}

/// A reconciliation that failed on a link that works, or that left a doubt which a list can settle, is done again after this time,
/// whatever `policy.reconcile_every` says.
const AGAIN_SOON: Duration = Duration::from_secs(30);

impl TerminalActor {
    pub(super) fn compare_on_connect(&mut self, ctx: &mut Context<Self>) {
        self.compare(Trigger::Connect, None);
        self.compare_without_lists(ctx);
    }

    pub(super) fn compare_when_due(&mut self, now: Timestamp) {
        let Some((last, result)) = self.compared.filter(|_| self.ready() && self.comparison.is_none()) else { return };
        let failed = result == ReportResult::Failed;
        let every = self.settings.policy.reconcile_every;
        let doubts: Vec<_> = self.children.values().filter(|child| self.list_may_settle(child, last)).collect();
        let wait = if failed || !doubts.is_empty() { AGAIN_SOON.min(every) } else { every };
        // When Auth's own time is over, a list that is read then says for certain whether a hold was placed.
        let certain = doubts.iter().filter_map(|child| self.auth_over_at(child)).any(|over| last < over && over <= now);
        if now.since(last) >= wait || certain {
            self.compare(Trigger::Periodic, None);
        }
    }

    /// A doubt about this session may end with the next list.
    fn list_may_settle(&self, child: &Child, last: Timestamp) -> bool {
        let session = &child.session;
        // What a terminal does not list that forgets sessions, it will not list later.
        let still_to_come = self.auth_over_at(child).is_some_and(|over| last < over);
        let in_doubt =
            matches!(session.state, State::InDoubt(_)) && (self.settings.link.quirks.keeps_sessions || still_to_come);
        self.settings.family.lists_sessions() && (in_doubt || waits_for_list(session))
    }

    /// When the bank cannot answer the session's Auth any more.
    fn auth_over_at(&self, child: &Child) -> Option<Timestamp> {
        child.session.asked_bank_at.map(|at| at.after(self.settings.link.timeouts.bank()))
    }

    /// A session has changed in a way that only a list can bring on.
    pub(super) fn compare_for(&mut self, session: &Session) {
        let before = self.children.get(&session.id).map(|child| child.session.state_name());
        let doubt = matches!(session.state, State::InDoubt(_)) || waits_for_list(session);
        if doubt && before != Some(session.state_name()) && self.settings.family.lists_sessions() && self.ready() {
            self.compare(Trigger::Connect, None);
        }
    }

    /// Begins a reconciliation, or joins the one that is under way.
    pub(super) fn compare(&mut self, trigger: Trigger, waiting: Option<Waiting>) {
        let now = self.now();
        let unit = self.settings.link.quirks.list_offset;
        let comparison = self.comparison.get_or_insert_with(|| Comparison {
            trigger,
            began_at: now,
            waiting: Vec::new(),
            pages: Pages::new(unit),
            lists: Vec::new(),
        });
        comparison.waiting.extend(waiting);
        self.turns.list = self.settings.family.lists_sessions();
    }

    /// A terminal that cannot list has nothing to say to a comparison, so that one waits for no turn.
    pub(super) fn compare_without_lists(&mut self, ctx: &mut Context<Self>) {
        if self.comparison.is_some() && !self.settings.family.lists_sessions() {
            self.compared(ctx);
        }
    }

    /// A list is being fetched, or is to be: no card flow may be open beside it.
    pub(super) fn comparison_needs_the_lane(&self) -> bool {
        self.comparison.is_some() && self.settings.family.lists_sessions()
    }

    pub(super) fn comparison_lost(&mut self) {
        // Whoever waits is told by the closed channel.
        self.comparison = None;
    }

    /// The turn for lists has come.
    pub(super) fn begin_lists(&mut self) {
        match &mut self.comparison {
            Some(comparison) => {
                comparison.pages = Pages::new(self.settings.link.quirks.list_offset);
                comparison.lists.clear();
                self.ask_page(0)
            }
            None => self.turns.release(),
        }
    }

    pub(super) fn page_ended(&mut self, ctx: &mut Context<Self>, outcome: &Outcome) {
        let Some(comparison) = &mut self.comparison else { return };
        let list = match outcome {
            Outcome::Answered(Response::SessionList(list)) => list,
            Outcome::Answered(other) => {
                let why = format!("List Sessions was answered with {}", other.name());
                return self.comparison_failed(ctx, why);
            }
            // The link ends with it.
            Outcome::Unsent | Outcome::Unanswered(_) | Outcome::FlowEnded => return,
        };
        match comparison.pages.add(list.clone()) {
            Progress::More => {
                let offset = comparison.pages.next_offset();
                self.ask_page(offset);
            }
            Progress::Changed => self.ask_page(0),
            Progress::Failed => {
                self.comparison_failed(ctx, "the terminal's list changed between its pages, again and again".to_owned());
            }
            Progress::Done(list) => {
                comparison.lists.push(list);
                comparison.pages = Pages::new(self.settings.link.quirks.list_offset);
                let enough = comparison.lists.len() >= 2 || !self.plan().needs_second_list;
                if enough { self.compared(ctx) } else { self.ask_page(0) }
            }
        }
    }

    fn plan(&self) -> Plan {
        let Some(comparison) = &self.comparison else { return Plan::default() };
        let sessions: Vec<Session> = self.children.values().map(|child| child.session.clone()).collect();
        let lists = match comparison.lists.as_slice() {
            [] => None,
            [first] => Some(Lists { first, second: None }),
            [first, second, ..] => Some(Lists { first, second: Some(second) }),
        };
        Plan::of(&Question {
            sessions: &sessions,
            can_list: self.settings.family.lists_sessions(),
            lists,
            keeps_sessions: self.settings.link.quirks.keeps_sessions,
            orphan_policy: self.settings.policy.orphan_policy,
            past_unsure: self.around.past_unsure,
            authorise_timeout: self.settings.link.timeouts.bank(),
            began: comparison.began_at,
        })
    }

    fn comparison_failed(&mut self, ctx: &mut Context<Self>, why: String) {
        warn!(terminal = %self.id(), why, "the reconciliation failed");
        let was_ready = self.reconciled;
        self.report(ctx, Plan::default(), Some(why.clone()));
        if !was_ready {
            // Without a list nothing is known of what is in doubt: set up again, and ask again.
            self.give_up(Trouble::Reconciliation, why);
        }
    }

    /// Both sides are known: act.
    fn compared(&mut self, ctx: &mut Context<Self>) {
        let plan = self.plan();
        for (session, verdict) in &plan.verdicts {
            if let Verdict::Adopt(number) = verdict {
                self.number_given(*number, *session, true);
            }
            self.deliver(*session, Input::Listed(*verdict));
        }
        // A hold whose session is still being made durable looks like nobody's; the next reconciliation sees it at rest.
        let adopting = |child: &Child| child.session.origin == Origin::Orphan && child.session.state == State::Opened;
        if self.orphans_opening == 0 && !self.children.values().any(adopting) {
            for orphan in plan.orphans.clone() {
                self.open_orphan(ctx, orphan);
            }
        }
        self.report(ctx, plan, None);
        if !self.reconciled {
            self.reconciled = true;
            for session in self.children.keys() {
                self.deliver(*session, Input::Ready);
            }
            let settled = FromTerminal::Settled(self.id().clone());
            self.tell_fleet(ctx, settled);
        }
    }

    /// A hold of unknown origin gets a session of its own, which voids it.
    fn open_orphan(&mut self, ctx: &mut Context<Self>, orphan: TerminalSessionId) {
        warn!(terminal = %self.id(), terminal_session_id = %orphan, "the terminal holds a session that the journal does not know");
        let entry = self.opening(
            SessionId::new(self.now(), self.around.random.name()),
            Fact::Opened {
                origin: Origin::Orphan,
                connector: None,
                reference: None,
                caller_reference: None,
                amount: None,
                currency: self.around.currency,
                idempotency: None,
                device: Some(self.device()),
            },
        );
        self.orphans_opening = self.orphans_opening.saturating_add(1);
        let appended = self.around.journal.append(vec![entry]);
        ctx.spawn(appended.into_actor(self).map(move |result, this, ctx| {
            this.orphans_opening = this.orphans_opening.saturating_sub(1);
            // If it cannot be journaled it is found again by the next reconciliation.
            match result.map_err(|error| Refusal::JournalUnavailable(error.to_string())).and_then(|records| {
                let session = opened(&records)?;
                this.around.observer.session_changed(None, &session, &records);
                Ok(session)
            }) {
                Ok(session) => this.adopt(ctx, session, Input::Listed(Verdict::Adopt(orphan))),
                Err(refusal) => {
                    warn!(terminal = %this.id(), %orphan, error = %refusal, "the orphan's session could not be journaled")
                }
            }
            this.go_on(ctx);
        }));
    }

    /// Journals what was compared and done, then tells whoever waits.
    fn report(&mut self, ctx: &mut Context<Self>, plan: Plan, error: Option<String>) {
        if self.turns.holder == Holder::Reconciliation {
            self.turns.release();
        }
        self.turns.list = false;
        let Some(comparison) = self.comparison.take() else { return };
        let result = match (&error, plan.discrepancies.is_empty()) {
            (Some(_), _) => ReportResult::Failed,
            (None, true) => ReportResult::Clean,
            (None, false) => ReportResult::Repaired,
        };
        let report = Report {
            trigger: comparison.trigger,
            on_terminal: comparison.lists.last().cloned(),
            in_journal: self.children.values().filter_map(|child| child.session.open_terminal_session()).collect(),
            discrepancies: plan.discrepancies,
            result,
            error,
            began_at: comparison.began_at,
        };
        let now = self.now();
        self.compared = Some((now, report.result));
        info!(terminal = %self.id(), trigger = ?report.trigger, result = ?report.result, discrepancies = report.discrepancies.len(),
            "reconciled");
        let told = report.clone();
        let entry = Entry { at: now, terminal: Some(self.id().clone()), session: None, fact: Fact::Reconciled { report } };
        let appended = self.around.journal.append(vec![entry]);
        let waiting = comparison.waiting;
        ctx.spawn(appended.into_actor(self).map(move |result, this, ctx| {
            let result = result.map_err(|error| Refusal::JournalUnavailable(error.to_string())).and_then(|records| {
                records
                    .into_iter()
                    .next()
                    .ok_or_else(|| Refusal::JournalUnavailable("the journal answered with no record".to_owned()))
            });
            match &result {
                Ok(_) => {
                    this.around.observer.reconciled(&this.settings.id, &told, now);
                    this.last_reconciliation = Some((now, told));
                }
                Err(refusal) => {
                    warn!(terminal = %this.id(), error = %refusal, "the report of a reconciliation could not be journaled")
                }
            }
            for waiting in waiting {
                // Whoever asked may have gone.
                drop(waiting.send(result.clone()));
            }
            this.go_on(ctx);
        }));
    }
}

/// It was missing, and what was decided of it since is sent when the terminal lists it again.
fn waits_for_list(session: &Session) -> bool {
    session.state == State::Disposing && session.hold.as_ref().is_some_and(|hold| hold.doubted_since.is_some())
}
