//! Why a terminal takes no cards although it may be there. Disposals go on in every case.

use crate::journal::Health;
use crate::session::Refusal;

use super::actor::TerminalActor;

/// Why no cards are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusing {
    /// In a word.
    pub reason: Reason,
    /// In words for a person.
    pub why: String,
}

/// The kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is configured no more.
    Leaving,
    /// Another one must leave first.
    Waiting,
    /// The orchestrator has been told to end.
    GoingDown,
    /// Somebody has drained it.
    Drained,
    /// The journal cannot be written, or not believed.
    Journal,
    /// The journal takes too long.
    JournalSlow,
    /// `policy.max_undelivered` is reached.
    TooManyUndelivered,
}

impl Reason {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Leaving,
        Self::Waiting,
        Self::GoingDown,
        Self::Drained,
        Self::Journal,
        Self::JournalSlow,
        Self::TooManyUndelivered,
    ];

    /// The label of `quittance_terminal_refuses_cards`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::Waiting => "waiting",
            Self::GoingDown => "going_down",
            Self::Drained => "drained",
            Self::Journal => "journal",
            Self::JournalSlow => "journal_slow",
            Self::TooManyUndelivered => "too_many_undelivered",
        }
    }
}

impl TerminalActor {
    /// Why no cards are taken although the terminal may be there; none when nothing stands against it.
    pub(super) fn refuses_cards(&self) -> Option<Refusing> {
        let refusing = |reason, why: String| Some(Refusing { reason, why });
        if let Some(why) = &self.leaving {
            return refusing(Reason::Leaving, why.clone());
        }
        if self.going_down {
            return refusing(Reason::GoingDown, "the orchestrator is going down".to_owned());
        }
        if self.draining {
            return refusing(Reason::Drained, "it is drained, by somebody's wish".to_owned());
        }
        match self.around.journal.health() {
            Health::Writable if self.around.past_unsure => {
                return refusing(Reason::Journal, "a record of the journal does not follow from those before it".to_owned());
            }
            Health::Writable => {}
            Health::Failing(why) => return refusing(Reason::Journal, format!("the journal cannot be written: {why}")),
            Health::Damaged(why) => return refusing(Reason::Journal, format!("the journal is damaged: {why}")),
            Health::Slow(why) => return refusing(Reason::JournalSlow, format!("the journal is too slow for new cards: {why}")),
        }
        let (undelivered, most) = (self.undelivered(), self.settings.policy.max_undelivered);
        let too_many = u32::try_from(undelivered).unwrap_or(u32::MAX) >= most;
        too_many.then(|| Refusing {
            reason: Reason::TooManyUndelivered,
            why: format!("{undelivered} commits and voids are decided and not delivered (policy.max_undelivered is {most})"),
        })
    }

    /// Commits and voids that were decided and that the terminal has not confirmed, also those that a person has been asked about.
    fn undelivered(&self) -> usize {
        self.children.values().filter(|child| child.session.undisposed() && child.session.disposal.is_some()).count()
    }

    /// The same as a refusal of a card flow.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let Refusing { reason, why } = self.refuses_cards()?;
        let id = self.id();
        Some(match reason {
            Reason::Leaving | Reason::Waiting => Refusal::Draining(format!("{id} ({why})")),
            Reason::GoingDown | Reason::Drained => Refusal::Draining(id.to_string()),
            Reason::Journal => Refusal::JournalUnavailable(why),
            Reason::JournalSlow => Refusal::JournalSlow(why),
            Reason::TooManyUndelivered => Refusal::TooManyUndelivered { terminal: id.clone(), why },
        })
    }
}
