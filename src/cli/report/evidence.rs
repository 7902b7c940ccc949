//! What a report says, before anybody lays it out: sessions as the ledger knows them, what is out of the ordinary, and sums.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::super::client::Failure;
use super::super::table::long;
use crate::id::{SessionId, TerminalId};
use crate::journal::Record;
use crate::journal::record::{ConfirmedBy, DecidedBy, Decision, Outcome};
use crate::journal::verify::{Place, places};
use crate::money::{Amount, Currency};
use crate::session::disposal::{CONFIRMATION_EXPECTED_WITHIN, deadline};
use crate::session::ledger::Ledger;
use crate::session::{Session, State};
use crate::time::Timestamp;

/// A deadline acts a moment after its time; only what is later than this is late.
const GRACE: Duration = Duration::from_secs(60);

/// Which sessions are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Question {
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    pub(super) terminal: Option<TerminalId>,
}

impl Question {
    fn takes(&self, session: &Session) -> bool {
        let at = moment(session);
        self.terminal.as_ref().is_none_or(|terminal| *terminal == session.terminal)
            && self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at < to)
    }
}

/// When it was approved, or else when the bank was asked.
fn moment(session: &Session) -> Timestamp {
    let approved = session.hold.as_ref().map(|hold| hold.since);
    approved.or(session.asked_bank_at).unwrap_or(session.created_at)
}

/// Everything that a report says.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) question: Question,
    /// The name of the journal's file, without its folder.
    pub(super) file: String,
    /// So many records, and the hashes of the first and the last.
    pub(super) records: u64,
    pub(super) first_hash: String,
    pub(super) last_hash: String,
    /// When the last record was made: the report says how it was then.
    pub(super) as_of: Option<Timestamp>,
    /// What is wrong with the journal.
    pub(super) damage: Vec<String>,
    /// Sessions whose records cannot be followed from the beginning, with the reason.
    pub(super) unreadable: Vec<(SessionId, String)>,
    /// Oldest first.
    pub(super) lines: Vec<Line>,
    /// By currency; of each the whole first, then by terminal.
    pub(super) sums: Vec<Sum>,
}

/// One session.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) session: Session,
    /// Its first and its last record.
    pub(super) records: (u64, u64),
    pub(super) approved_at: Option<Timestamp>,
    pub(super) decided_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) confirmed_by: Option<ConfirmedBy>,
    /// The most urgent first.
    pub(super) exceptions: Vec<Exception>,
}

/// What is out of the ordinary; the most urgent first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exception {
    /// A person has to find out.
    Uncertain(String),
    /// There may be a hold.
    InDoubt,
    /// Its records do not follow from each other.
    Broken(String),
    /// There is a hold, and no end of it.
    Undisposed(String),
    /// Nobody said that it was done.
    Presumed,
    /// A person says how it ended.
    Person(String),
    /// The terminal's own timer has ended it.
    Expired,
    /// Later than it should have been.
    Late(String),
}

impl Exception {
    /// Its name in JSON.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Uncertain(_) => "uncertain",
            Self::InDoubt => "in_doubt",
            Self::Broken(_) => "broken",
            Self::Undisposed(_) => "undisposed",
            Self::Presumed => "presumed",
            Self::Person(_) => "resolved_by_person",
            Self::Expired => "expired",
            Self::Late(_) => "late",
        }
    }

    /// What it means.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Uncertain(why) => format!("uncertain: {why}"),
            Self::InDoubt => "in doubt: the bank's answer was lost, so there may be a hold".to_owned(),
            Self::Broken(why) => format!("its records do not follow from each other: {why}"),
            Self::Undisposed(why) => format!("undisposed: {why}"),
            Self::Presumed => {
                "presumed: the terminal did not know it any more after an answer was lost; nobody said that it was done"
                    .to_owned()
            }
            Self::Person(who) => format!("settled by a person: {who}"),
            Self::Expired => "expired: the terminal's own timer gave it back".to_owned(),
            Self::Late(how) => format!("late: {how}"),
        }
    }
}

/// What some sessions add up to.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) currency: Currency,
    /// None: all of them.
    pub(super) terminal: Option<TerminalId>,
    pub(super) approved: Count,
    pub(super) committed: Count,
    /// Of what was held for the committed ones.
    pub(super) captured: u64,
    pub(super) voided: Count,
    pub(super) expired: Count,
    pub(super) open: Count,
    /// Of the open ones, those whose amount nobody knows.
    pub(super) unknown: u64,
}

/// How many, and how much was held for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) sessions: u64,
    pub(super) held: u64,
}

impl Evidence {
    /// Reads a journal as it is now.
    pub(super) fn read(file: &Path, question: Question) -> Result<Self, Failure> {
        let mut reading = Reading::default();
        let summary = places(file, |place| reading.take(place)).map_err(|error| Failure::Usage(error.to_string()))?;
        let Reading { ledger, spans, broken, mut damage, as_of } = reading;
        let imbalance = ledger.totals().imbalance();
        if imbalance != 0 && damage.is_empty() {
            damage.push(format!("approved − disposed − undisposed is {imbalance}, not 0"));
        }
        let mut known = Vec::new();
        let mut lines = Vec::new();
        for session in ledger.into_sessions() {
            known.push(session.id);
            let maybe_held = session.hold.is_some() || session.undisposed() || matches!(session.state, State::Disposed(_));
            let why = broken.get(&session.id);
            if question.takes(&session) && (maybe_held || why.is_some()) {
                let records = spans.get(&session.id).copied().unwrap_or_default();
                lines.push(Line::of(session, records, why, as_of));
            }
        }
        lines.sort_by_key(|line| (moment(&line.session), line.session.id));
        let unreadable = broken.into_iter().filter(|(session, _)| !known.contains(session)).collect();
        let sums = sums(&lines).ok_or_else(|| Failure::Usage("the sums are too large to be written".to_owned()))?;
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Ok(Self {
            question,
            file: name,
            records: summary.records,
            first_hash: summary.first,
            last_hash: summary.hash,
            as_of,
            damage,
            unreadable,
            lines,
            sums,
        })
    }

    /// The sessions with something out of the ordinary, the most urgent first.
    pub(super) fn exceptions(&self) -> Vec<&Line> {
        let mut found: Vec<&Line> = self.lines.iter().filter(|line| !line.exceptions.is_empty()).collect();
        found.sort_by_key(|line| line.exceptions.first().cloned());
        found
    }
}

#[derive(Default)]
struct Reading {
    ledger: Ledger,
    spans: BTreeMap<SessionId, (u64, u64)>,
    broken: BTreeMap<SessionId, String>,
    damage: Vec<String>,
    as_of: Option<Timestamp>,
}

impl Reading {
    fn take(&mut self, place: Place) {
        match place {
            Place::Record(record) => self.follow(&record),
            Place::Damaged { seq, session, why } => {
                if let Some(session) = session.and_then(|name| name.parse().ok()) {
                    self.broken.entry(session).or_insert_with(|| format!("record {seq} is damaged: {why}"));
                }
                self.damage.push(format!("record {seq} is damaged: {why}"));
            }
            Place::Missing { from, to } if from == to => self.damage.push(format!("record {from} is missing")),
            Place::Missing { from, to } => self.damage.push(format!("records {from} to {to} are missing")),
            Place::Somewhere { why } => self.damage.push(why),
            Place::Unreadable { after, why } => self.damage.push(format!("nothing behind record {after} can be read: {why}")),
        }
    }

    fn follow(&mut self, record: &Record) {
        self.as_of = self.as_of.max(Some(record.entry.at));
        if let Some(session) = record.entry.session {
            self.spans.entry(session).or_insert((record.seq, record.seq)).1 = record.seq;
        }
        if let Err(unsound) = self.ledger.take(record) {
            let why = unsound.to_string();
            if let Some(session) = record.entry.session {
                self.broken.entry(session).or_insert_with(|| why.clone());
            }
            self.damage.push(why);
        }
    }
}

impl Line {
    fn of(session: Session, records: (u64, u64), broken: Option<&String>, as_of: Option<Timestamp>) -> Self {
        let ended = matches!(session.state, State::Disposed(_));
        let disposal = session.disposal.as_ref();
        let confirmed_by = match (disposal.and_then(|disposal| disposal.confirmed_by), &session.state) {
            (Some(by), _) => Some(by),
            (None, State::Disposed(_)) if session.resolution.is_some() => Some(ConfirmedBy::Person),
            (None, State::Disposed(Outcome::Expired)) => Some(ConfirmedBy::Timer),
            (None, _) => None,
        };
        let mut line = Self {
            approved_at: session.hold.as_ref().map(|hold| hold.since),
            decided_at: disposal.map(|disposal| disposal.decided_at),
            ended_at: ended.then_some(session.changed_at),
            confirmed_by,
            exceptions: Vec::new(),
            records,
            session,
        };
        let mut found = line.found(as_of);
        found.extend(broken.cloned().map(Exception::Broken));
        found.sort();
        line.exceptions = found;
        line
    }

    fn found(&self, as_of: Option<Timestamp>) -> Vec<Exception> {
        let session = &self.session;
        let mut found = Vec::new();
        match &session.state {
            State::Uncertain(why) => found.push(Exception::Uncertain(why.clone())),
            State::InDoubt(_) | State::Authorising(_) => found.push(Exception::InDoubt),
            State::Held => found.push(Exception::Undisposed("nobody has decided yet".to_owned())),
            State::Disposing => found.push(Exception::Undisposed("decided, and not confirmed by the terminal".to_owned())),
            State::Disposed(Outcome::Expired) => found.push(Exception::Expired),
            _ => {}
        }
        match self.confirmed_by {
            Some(ConfirmedBy::Presumed) => found.push(Exception::Presumed),
            Some(ConfirmedBy::Person) => found.push(Exception::Person(self.person())),
            Some(ConfirmedBy::ResultOk | ConfirmedBy::ListAbsent | ConfirmedBy::Timer) | None => {}
        }
        found.extend(self.late(as_of).map(Exception::Late));
        found
    }

    fn person(&self) -> String {
        match &self.session.resolution {
            None => "the journal does not name anybody".to_owned(),
            Some(said) => match &said.confirmed {
                None => format!("{}, {:?}", said.by, said.note),
                Some(second) => format!("{}, {:?}, and {}, {:?}", said.by, said.note, second.by, second.note),
            },
        }
    }

    fn late(&self, as_of: Option<Timestamp>) -> Option<String> {
        let session = &self.session;
        if let (Some(at), Some(now)) = (deadline(session), as_of)
            && session.undisposed()
            && at < now
        {
            return Some(format!("it should have ended {} before the last record", long(now.since(at))));
        }
        if let (Some(decided), Some(ended)) = (self.decided_at, self.ended_at)
            && ended.since(decided) > CONFIRMATION_EXPECTED_WITHIN
        {
            return Some(format!("confirmed {} after the decision", long(ended.since(decided))));
        }
        let hold = session.hold.as_ref()?;
        let by = if session.charging() { hold.end_by } else { hold.plug_in_by };
        let acted = self.decided_at.or(self.ended_at)?;
        (acted.since(by) > GRACE).then(|| format!("decided {} after its deadline", long(acted.since(by))))
    }

    /// How much is or was held, as far as anybody knows.
    pub(super) fn held(&self) -> Option<Amount> {
        self.session.hold.as_ref().and_then(|hold| hold.amount)
    }

    /// How much was taken.
    pub(super) fn captured(&self) -> Option<Amount> {
        match self.session.state {
            State::Disposed(Outcome::Committed(amount)) => Some(amount),
            State::Disposed(Outcome::Voided | Outcome::Expired) => Some(Amount::ZERO),
            _ => None,
        }
    }

    /// From the hold to the decision.
    pub(super) fn until_decided(&self) -> Option<Duration> {
        Some(self.decided_at?.since(self.approved_at?))
    }

    /// From the decision to its confirmation.
    pub(super) fn until_confirmed(&self) -> Option<Duration> {
        Some(self.ended_at?.since(self.decided_at?))
    }

    /// What was decided.
    pub(super) fn decision(&self) -> Option<(&'static str, Option<Amount>)> {
        self.session.disposal.as_ref().map(|disposal| match disposal.decision {
            Decision::Commit(amount) => ("commit", Some(amount)),
            Decision::Void => ("void", None),
        })
    }

    /// Who decided it.
    pub(super) fn decided_by(&self) -> Option<&'static str> {
        self.session.disposal.as_ref().map(|disposal| match disposal.by {
            DecidedBy::Api => "api",
            DecidedBy::PlugInTimeout => "plug_in_timeout",
            DecidedBy::MaxSession => "max_session",
            DecidedBy::Orphan => "orphan",
            DecidedBy::DuplicateTap => "duplicate_tap",
            DecidedBy::Shutdown => "shutdown",
        })
    }

    /// How its end is known.
    pub(super) fn known_by(&self) -> Option<&'static str> {
        self.confirmed_by.map(|by| match by {
            ConfirmedBy::ResultOk => "result_ok",
            ConfirmedBy::ListAbsent => "list_absent",
            ConfirmedBy::Presumed => "presumed",
            ConfirmedBy::Timer => "timer",
            ConfirmedBy::Person => "person",
        })
    }
}

/// None when they do not fit, for money is not rounded.
fn sums(lines: &[Line]) -> Option<Vec<Sum>> {
    let mut sums: BTreeMap<(String, Option<TerminalId>), Sum> = BTreeMap::new();
    for line in lines {
        let currency = line.session.currency;
        for terminal in [None, Some(line.session.terminal.clone())] {
            let sum = sums.entry((currency.to_string(), terminal.clone())).or_insert_with(|| Sum::of(currency, terminal));
            sum.add(line)?;
        }
    }
    Some(sums.into_values().collect())
}

impl Sum {
    fn of(currency: Currency, terminal: Option<TerminalId>) -> Self {
        let none = Count::default();
        let (approved, committed, voided, expired, open) = (none, none, none, none, none);
        Self { currency, terminal, approved, committed, captured: 0, voided, expired, open, unknown: 0 }
    }

    fn add(&mut self, line: &Line) -> Option<()> {
        self.approved.add(line)?;
        match line.session.state {
            State::Disposed(Outcome::Committed(amount)) => {
                self.captured = self.captured.checked_add(amount.minor().into())?;
                self.committed.add(line)
            }
            State::Disposed(Outcome::Voided) => self.voided.add(line),
            State::Disposed(Outcome::Expired) => self.expired.add(line),
            _ => {
                self.unknown = self.unknown.checked_add(u64::from(line.held().is_none()))?;
                self.open.add(line)
            }
        }
    }
}

impl Count {
    fn add(&mut self, line: &Line) -> Option<()> {
        self.sessions = self.sessions.checked_add(1)?;
        self.held = self.held.checked_add(line.held().unwrap_or(Amount::ZERO).minor().into())?;
        Some(())
    }
}
