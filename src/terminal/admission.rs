//! Why a terminal takes no cards although it may be there. Disposals go on in every case.

use crate::journal::Health;
use crate::session::Refusal;

use super::actor::TerminalActor;

/// Why no cards are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusing {
    /// In a word: one of [`REASONS`].
    pub reason: &'static str,
    /// In words for a person.
    pub why: String,
}

/// Every reason.
pub const REASONS: [&str; 7] =
    ["leaving", "waiting", "going_down", "drained", "journal", "journal_slow", "too_many_undelivered"];

impl TerminalActor {
    /// Why no cards are taken although the terminal may be there; none when nothing stands against it.
    pub(super) fn refuses_cards(&self) -> Option<Refusing> {
        let refusing = |reason, why: String| Some(Refusing { reason, why });
        if let Some(why) = &self.leaving {
            return refusing("leaving", why.clone());
        }
        if self.going_down {
            return refusing("going_down", "the orchestrator is going down".to_owned());
        }
        if self.draining {
            return refusing("drained", "it is drained, by somebody's wish".to_owned());
        }
        match self.around.journal.health() {
            Health::Writable if self.around.past_unsure => {
                return refusing("journal", "a record of the journal does not follow from those before it".to_owned());
            }
            Health::Writable => {}
            Health::Failing(why) => return refusing("journal", format!("the journal cannot be written: {why}")),
            Health::Damaged(why) => return refusing("journal", format!("the journal is damaged: {why}")),
            Health::Slow(why) => return refusing("journal_slow", format!("the journal is too slow for new cards: {why}")),
        }
        let (undelivered, most) = (self.undelivered(), self.settings.policy.max_undelivered);
        let too_many = u32::try_from(undelivered).unwrap_or(u32::MAX) >= most;
        too_many.then(|| Refusing {
            reason: "too_many_undelivered",
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
            "leaving" => Refusal::Draining(format!("{id} ({why})")),
            "journal" => Refusal::JournalUnavailable(why),
            "journal_slow" => Refusal::JournalSlow(why),
            "too_many_undelivered" => Refusal::TooManyUndelivered { terminal: id.clone(), why },
            _ => Refusal::Draining(id.to_string()),
        })
    }
}
