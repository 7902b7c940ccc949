//! People who come by themselves, for `termsim`: whenever a terminal waits for a card, one is held against it after a while.

use std::time::Duration;

use serde::Deserialize;

use super::card::SimCard;
use super::chance::Chances;
use super::handle::SimHandle;
use super::policy::{BankVerdict, Policy};
use crate::money::Amount;
use crate::protocol::response::TerminalState;

/// PSP, Session Declined: insufficient funds.
pub(super) const INSUFFICIENT_FUNDS: u8 = 0x09;

/// Cards are numbered from 1 on each terminal; this many numbers belong to one.
const CARDS_PER_TERMINAL: u32 = 100_000;

/// Who comes to a terminal, and what goes wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Drivers {
    /// How long somebody takes to present a card; nobody comes when none.
    pub auto_tap: Option<Duration>,
    /// Every Nth card is declined: this is N.
    pub decline_every: Option<u32>,
    /// Every Nth card is a badge, which cannot pay.
    pub badge_every: Option<u32>,
    /// Which cards hold less than is asked for.
    pub partial: Option<Partial>,
    /// What goes wrong, and how often.
    pub chances: Chances,
    /// What decides when it does.
    pub seed: u64,
}

/// Cards that hold less than is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// Every Nth card is one.
    pub every: u32,
    /// How much they hold, minor units.
    pub amount: u32,
}

impl Drivers {
    /// Comes to this terminal, again and again; `place` tells one terminal's cards from another's. Ends when it is dropped.
    pub async fn visit(self, terminal: SimHandle, place: u32) {
        terminal.set_chances(self.chances, self.seed);
        let Some(auto_tap) = self.auto_tap else { return };
        let mut number = 0u32;
        loop {
            terminal.wait_until(TerminalState::WaitCard).await;
            tokio::time::sleep(auto_tap).await;
            if terminal.snapshot().state != TerminalState::WaitCard {
                continue;
            }
            number = number % (CARDS_PER_TERMINAL - 1) + 1;
            let every = |every: Option<u32>| every.is_some_and(|every| number.is_multiple_of(every));
            let own = place.wrapping_mul(CARDS_PER_TERMINAL).wrapping_add(number);
            let card = if every(self.badge_every) { SimCard::badge(own) } else { SimCard::numbered(own) };
            let bank = terminal.bank();
            let policy = bank.policy(&card);
            if every(self.decline_every) {
                bank.set_policy(&card, Policy { verdict: BankVerdict::Decline(INSUFFICIENT_FUNDS), ..policy });
            } else if let Some(partial) = self.partial.filter(|partial| every(Some(partial.every))) {
                let most = BankVerdict::Partial(Amount::from_minor(partial.amount));
                bank.set_policy(&card, Policy { verdict: most, ..policy });
            }
            terminal.tap(&card);
        }
    }
}
