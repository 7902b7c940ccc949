//! What a process that has died has left, against what it had told people and what the bank has done for it.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use quittance::id::{SessionId, SessionReference, TerminalId, TerminalSessionId};
use quittance::journal::record::{DecidedBy, Decision};
use quittance::journal::verify::verify;
use quittance::journal::{Fact, Record};
use quittance::money::Amount;
use quittance::sim::{self, By, HoldState};
use serde_json::Value;

use super::super::rig::{BINARY, Rig};
use super::{MORE, Wish, wish};

/// The newest that anybody was told of each session.
#[derive(Default)]
pub(super) struct Told(Mutex<HashMap<SessionId, Word>>);

#[derive(Clone, Debug)]
pub(super) struct Word {
    version: u64,
    state: String,
    number: Option<u32>,
    /// Somebody was told that it is approved, now or earlier: it may be charging.
    approved: bool,
}

impl Told {
    /// Keeps what an answer says of one session or of many.
    pub(super) fn remember(&self, answer: Option<(u16, Value)>) -> Option<(u16, Value)> {
        let (_, body) = answer.as_ref()?;
        let many = body["sessions"].as_array().map_or(&[][..], Vec::as_slice);
        let mut told = self.0.lock().unwrap();
        for session in many.iter().chain(body["version"].is_u64().then_some(body)) {
            let id: SessionId = session["id"].as_str().unwrap().parse().unwrap();
            let known = told.get(&id);
            let approved = session["state"] == "approved" || known.is_some_and(|known| known.approved);
            let word = Word {
                version: session["version"].as_u64().unwrap(),
                state: session["state"].as_str().unwrap().to_owned(),
                number: session["terminal_session_id"].as_u64().map(|number| u32::try_from(number).unwrap()),
                approved,
            };
            if known.is_none_or(|known| known.version < word.version) {
                told.insert(id, word);
            } else if let Some(known) = told.get_mut(&id) {
                known.approved = approved;
            }
        }
        drop(told);
        answer
    }

    /// The last that was told of it.
    fn of(&self, session: SessionId) -> Option<Word> {
        self.0.lock().unwrap().get(&session).cloned()
    }

    /// Whether somebody was told that it is approved.
    pub(super) fn approved(&self, session: SessionId) -> bool {
        self.of(session).is_some_and(|word| word.approved)
    }
}

/// A session, as its records make it. On purpose not the program's own.
#[derive(Default)]
struct Life {
    version: u64,
    intended: bool,
    number: Option<TerminalSessionId>,
    decision: Option<(Decision, DecidedBy)>,
    attempted: bool,
    updated: Option<Amount>,
    open: Open,
}

/// How much was under way when the program died: sent or about to be, and without an outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Open {
    pub(super) authorisations: u32,
    pub(super) attempts: u32,
    pub(super) updates: u32,
}

impl AddAssign for Open {
    fn add_assign(&mut self, more: Self) {
        self.authorisations += more.authorisations;
        self.attempts += more.attempts;
        self.updates += more.updates;
    }
}

/// The journal of a dead process.
pub(super) struct Remains {
    pub(super) records: Vec<Record>,
    lives: HashMap<SessionId, Life>,
    references: HashMap<(TerminalId, SessionReference), SessionId>,
}

impl Remains {
    /// Reads the journal, which must be sound.
    pub(super) fn of(journal: &Path) -> Self {
        let verified = Command::new(BINARY).args(["journal", "verify", "--journal"]).arg(journal).output().unwrap();
        assert!(verified.status.success(), "{}: {verified:?}", journal.display());
        let mut records = Vec::new();
        verify(journal, |sound| {
            records.extend(sound);
            Ok(())
        })
        .unwrap();
        let mut remains = Self { lives: HashMap::new(), references: HashMap::new(), records: Vec::new() };
        for record in &records {
            remains.follow(record);
        }
        Self { records, ..remains }
    }

    fn follow(&mut self, record: &Record) {
        let Some(session) = record.entry.session else { return };
        let life = self.lives.entry(session).or_default();
        life.version += 1;
        match &record.entry.fact {
            Fact::Opened { reference: Some(reference), .. } => {
                let terminal = record.entry.terminal.clone().unwrap();
                self.references.insert((terminal, *reference), session);
            }
            Fact::AuthoriseIntended { .. } => (life.intended, life.open.authorisations) = (true, 1),
            // Nobody damages this journal; an append that was not finished is no record that was lost.
            Fact::AuthoriseUnsure { .. } => panic!("{session} is doubted, although nothing is lost"),
            Fact::AuthoriseUnanswered { .. } | Fact::Declined { .. } | Fact::Cancelled { .. } | Fact::Failed { .. } => {
                life.open.authorisations = 0;
            }
            Fact::HoldPlaced { terminal_session_id, .. } => {
                (life.number, life.open.authorisations) = (Some(*terminal_session_id), 0);
            }
            Fact::UpdateIntended { amount } => (life.updated, life.open.updates) = (Some(*amount), 1),
            Fact::UpdateUnsent | Fact::HoldUpdated { .. } | Fact::UpdateRefused { .. } | Fact::UpdateUnanswered { .. } => {
                life.open.updates = 0
            }
            Fact::DisposalDecided { decision, by } => {
                assert_eq!(life.decision.replace((*decision, *by)), None, "a second decision about {session}");
            }
            Fact::AttemptStarted { .. } => (life.attempted, life.open.attempts) = (true, 1),
            Fact::AttemptUnsent { .. }
            | Fact::AttemptUnanswered { .. }
            | Fact::AttemptRefused { .. }
            | Fact::Disposed { .. }
            | Fact::BecameUncertain { .. } => life.open = Open::default(),
            _ => {}
        }
    }

    /// Whether it has a hold.
    pub(super) fn knows_hold(&self, session: SessionId) -> bool {
        self.lives.get(&session).is_some_and(|life| life.number.is_some())
    }

    /// What was under way.
    pub(super) fn open(&self) -> Open {
        self.lives.values().fold(Open::default(), |mut open, life| {
            open += life.open;
            open
        })
    }

    /// Whatever anybody was told is in it, and the bank has done nothing that is not, nor was a terminal asked to.
    pub(super) fn check(&self, rig: &Rig, told: &Told) {
        for (session, word) in told.0.lock().unwrap().iter() {
            let life = self.lives.get(session);
            let known = life.map_or(0, |life| life.version);
            assert!(known >= word.version, "{session} has {known} records, but somebody was told {word:?}");
            let orphan = life.is_some_and(|life| matches!(life.decision, Some((_, DecidedBy::Orphan))));
            assert!(!(orphan && word.approved), "{session} was voided as if nobody knew of it, but somebody was told {word:?}");
        }
        if let Some(unheard_of) = self.more_was_sent(rig) {
            panic!("{unheard_of}");
        }
        assert_eq!(rig.bank().violations(), []);
        let lives: HashMap<_, _> = self
            .lives
            .iter()
            .filter_map(|(session, life)| Some(((self.terminal(*session)?, life.number?), (session, life))))
            .collect();
        for hold in rig.bank().holds() {
            let asked =
                self.references.get(&(hold.terminal.clone(), hold.reference)).and_then(|session| self.lives.get(session));
            assert!(asked.is_some_and(|life| life.intended), "nobody had written down that he would ask for {hold:?}");
            let held = lives.get(&(hold.terminal.clone(), hold.session));
            let decision = held.and_then(|(_, life)| life.decision.filter(|_| life.attempted));
            if hold.amount.minor() >= MORE {
                assert_eq!(held.and_then(|(_, life)| life.updated), Some(hold.amount), "{hold:?}");
            }
            match hold.state {
                HoldState::Held => {}
                HoldState::Captured { amount, by: By::Host, .. } => {
                    assert_eq!(decision, Some((Decision::Commit(amount), DecidedBy::Api)), "{hold:?}");
                    assert!(amount <= hold.amount, "{hold:?}");
                    assert!(matches!(wish(hold.amount.minor()), Wish::Commit(wanted) if wanted == amount.minor()), "{hold:?}");
                }
                HoldState::Released { by: By::Host, .. } => match decision {
                    Some((Decision::Void, DecidedBy::Orphan)) => {}
                    Some((Decision::Void, DecidedBy::Api)) if matches!(wish(hold.amount.minor()), Wish::Void) => {}
                    other => panic!("{hold:?}, but the journal has {other:?}"),
                },
                state => panic!("nobody's timer is past, but the bank has {state:?}"),
            }
            let word = held.and_then(|(session, _)| told.of(**session));
            if let Some(Word { state, number, .. }) = word {
                assert_eq!(number.unwrap_or(hold.session.0), hold.session.0, "{hold:?}");
                let fits = match state.as_str() {
                    "committed" => matches!(hold.state, HoldState::Captured { .. }),
                    "voided" => matches!(hold.state, HoldState::Released { .. }),
                    "approved" => true,
                    _ => !matches!(state.as_str(), "declined" | "cancelled" | "failed" | "expired"),
                };
                assert!(fits, "somebody was told {state}, and the bank has {hold:?}");
            }
        }
    }

    /// A terminal that has heard more of a kind than the journal intends; in words.
    fn more_was_sent(&self, rig: &Rig) -> Option<String> {
        rig.names().into_iter().find_map(|name| {
            let heard = rig.terminal(&name).snapshot().heard;
            let heard = |command| heard.get(&command).copied().unwrap_or(0);
            let mut intended = [0_u64; 3];
            let here = |record: &&Record| record.entry.terminal.as_ref().is_some_and(|terminal| terminal.as_str() == name);
            for record in self.records.iter().filter(here) {
                match record.entry.fact {
                    Fact::AuthoriseIntended { .. } => intended[0] += 1,
                    Fact::AttemptStarted { .. } => intended[1] += 1,
                    Fact::UpdateIntended { .. } => intended[2] += 1,
                    _ => {}
                }
            }
            let disposals = heard(sim::Command::Commit) + heard(sim::Command::Void);
            let sent = [heard(sim::Command::Auth), disposals, heard(sim::Command::Update)];
            let fits = sent.iter().zip(intended).all(|(sent, intended)| *sent <= intended);
            (!fits)
                .then(|| format!("{name} has heard of {sent:?} (Auth, Commit or Void, Update), but intended were {intended:?}"))
        })
    }

    fn terminal(&self, session: SessionId) -> Option<TerminalId> {
        let opened = |record: &&Record| record.entry.session == Some(session);
        self.records.iter().find(opened).and_then(|record| record.entry.terminal.clone())
    }

    /// Whether nobody would notice if these last records had never been: nobody was told of them, and the bank has not acted on them.
    pub(super) fn unnoticed(&self, last: usize, rig: &Rig, told: &Told) -> bool {
        let holds = rig.bank().holds();
        let mut versions: HashMap<SessionId, u64> = HashMap::new();
        let mut nobody = true;
        let (kept, lost) = self.records.split_at(self.records.len() - last);
        for session in kept.iter().filter_map(|record| record.entry.session) {
            *versions.entry(session).or_default() += 1;
        }
        for record in lost {
            let Some(session) = record.entry.session else { continue };
            let version = versions.entry(session).or_default();
            *version += 1;
            let secret = told.of(session).is_none_or(|word| word.version < *version);
            let life = &self.lives[&session];
            let acted = match &record.entry.fact {
                // It may be on its way to the bank still, which takes its time.
                Fact::AuthoriseIntended { .. } | Fact::UpdateIntended { .. } => true,
                Fact::AttemptStarted { .. } | Fact::DisposalDecided { .. } => holds.iter().any(|hold| {
                    Some(&hold.terminal) == record.entry.terminal.as_ref()
                        && Some(hold.session) == life.number
                        && hold.state != HoldState::Held
                }),
                _ => false,
            };
            nobody &= secret && !acted;
        }
        nobody
    }
}
