//! What a process that has died has left, against what it had told people and what the bank has done for it.

use std::collections::HashMap;
use std::sync::Mutex;

use quittance::id::{SessionId, SessionReference, TerminalId, TerminalSessionId};
use quittance::journal::record::Decision;
use quittance::journal::verify::verify;
use quittance::journal::{Fact, Record};
use quittance::sim::{By, HoldState};
use serde_json::Value;

use super::super::rig::Rig;
use super::{Wish, wish};

/// The newest that anybody was told of each session.
#[derive(Default)]
pub(super) struct Told(Mutex<HashMap<SessionId, Word>>);

#[derive(Clone, Debug)]
pub(super) struct Word {
    version: u64,
    state: String,
    number: Option<u32>,
}

impl Told {
    /// Keeps what an answer says of one session or of many.
    pub(super) fn remember(&self, answer: Option<(u16, Value)>) -> Option<(u16, Value)> {
        let (_, body) = answer.as_ref()?;
        let many = body["sessions"].as_array().map_or(&[][..], Vec::as_slice);
        let mut told = self.0.lock().unwrap();
        for session in many.iter().chain(body["version"].is_u64().then_some(body)) {
            let id: SessionId = session["id"].as_str().unwrap().parse().unwrap();
            let word = Word {
                version: session["version"].as_u64().unwrap(),
                state: session["state"].as_str().unwrap().to_owned(),
                number: session["terminal_session_id"].as_u64().map(|number| u32::try_from(number).unwrap()),
            };
            if told.get(&id).is_none_or(|known| known.version < word.version) {
                told.insert(id, word);
            }
        }
        drop(told);
        answer
    }

    /// The last that was told of it.
    fn of(&self, session: SessionId) -> Option<Word> {
        self.0.lock().unwrap().get(&session).cloned()
    }
}

/// A session, as its records make it. On purpose not the program's own.
#[derive(Default)]
struct Life {
    version: u64,
    intended: bool,
    number: Option<TerminalSessionId>,
    decision: Option<Decision>,
    attempted: bool,
}

/// The journal of a dead process.
pub(super) struct Remains {
    pub(super) records: Vec<Record>,
    lives: HashMap<SessionId, Life>,
    references: HashMap<(TerminalId, SessionReference), SessionId>,
}

impl Remains {
    /// Reads the journal, which must be sound.
    pub(super) fn of(rig: &Rig) -> Self {
        let verified = rig.verify();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        let mut records = Vec::new();
        verify(rig.journal(), |sound| {
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
            Fact::AuthoriseIntended { .. } => life.intended = true,
            Fact::HoldPlaced { terminal_session_id, .. } => life.number = Some(*terminal_session_id),
            Fact::DisposalDecided { decision, .. } => {
                assert_eq!(life.decision.replace(*decision), None, "a second decision about {session}");
            }
            Fact::AttemptStarted { .. } => life.attempted = true,
            _ => {}
        }
    }

    /// Whatever anybody was told is in it, and the bank has done nothing that is not.
    pub(super) fn check(&self, rig: &Rig, told: &Told) {
        for (session, word) in told.0.lock().unwrap().iter() {
            let known = self.lives.get(session).map_or(0, |life| life.version);
            assert!(known >= word.version, "{session} has {known} records, but somebody was told {word:?}");
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
            match hold.state {
                HoldState::Held => {}
                HoldState::Captured { amount, by: By::Host, .. } => {
                    assert_eq!(decision, Some(Decision::Commit(amount)), "{hold:?}");
                    assert!(amount <= hold.amount, "{hold:?}");
                    assert!(matches!(wish(hold.amount.minor()), Wish::Commit(wanted) if wanted == amount.minor()), "{hold:?}");
                }
                HoldState::Released { by: By::Host, .. } => assert_eq!(decision, Some(Decision::Void), "{hold:?}"),
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
                Fact::AuthoriseIntended { .. } => {
                    holds.iter().any(|hold| self.references.get(&(hold.terminal.clone(), hold.reference)) == Some(&session))
                }
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
