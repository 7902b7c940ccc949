//! The cards that drivers hold against simulated terminals. They are invented: no number of theirs can pay for anything.

use crate::card::{Card, CardHash, MaskedPan};

/// A simulated card. The same number gives the same card, on every terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimCard {
    hash: CardHash,
    masked_pan: MaskedPan,
}

impl SimCard {
    /// The card with this number.
    pub fn numbered(number: u32) -> Self {
        // Forty hexadecimal digits, as in the published frame (PSP, DOL, DFF006); the multipliers only spread the numbers, so that
        // the short prefixes which people get to see differ, too.
        let spread = number.wrapping_mul(0x9E37_79B1);
        let hash = format!("{spread:08X}{number:032X}");
        Self { hash: CardHash::new(hash), masked_pan: MaskedPan::new(&format!("541333******{:04}", number % 10_000)) }
    }

    /// A card with this hash and masked number, for golden bytes.
    pub fn new(hash: &str, masked_pan: &str) -> Self {
        Self { hash: CardHash::new(hash), masked_pan: MaskedPan::new(masked_pan) }
    }

    /// Its hash.
    pub const fn hash(&self) -> &CardHash {
        &self.hash
    }

    /// Its masked number.
    pub const fn masked_pan(&self) -> &MaskedPan {
        &self.masked_pan
    }

    /// The card as a session remembers it.
    pub fn card(&self) -> Card {
        Card { hash: Some(self.hash.clone()), masked_pan: Some(self.masked_pan.clone()) }
    }
}
