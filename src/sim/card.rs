//! The cards that drivers hold against simulated terminals. They are invented: no number of theirs can pay for anything.

use std::fmt;
use std::sync::Arc;

use crate::card::{Card, CardHash, MaskedPan};
use crate::protocol::request::PaymentMethods;

/// Whether cards that can pay are among these ways (PSP, Start Session, field 5).
pub(super) const fn takes_payment(methods: PaymentMethods) -> bool {
    matches!(methods.0, 0x00 | 0xFF) || methods.0 & PaymentMethods::EMV.0 != 0
}

/// A simulated card. The same number gives the same card, on every terminal.
#[derive(Clone, PartialEq, Eq)]
pub struct SimCard {
    hash: CardHash,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// It can pay.
    Emv { masked_pan: MaskedPan },
    /// It cannot; but it can be talked to (PSP, Proprietary Card Read). What it answers, by what it is told.
    Badge { script: Arc<Vec<(Vec<u8>, Vec<u8>)>> },
}

impl SimCard {
    /// The card with this number.
    pub fn numbered(number: u32) -> Self {
        // Forty hexadecimal digits, as in the published frame (PSP, DOL, DFF006); the multipliers only spread the numbers, so that
        // the short prefixes which people get to see differ, too.
        let spread = number.wrapping_mul(0x9E37_79B1);
        let hash = format!("{spread:08X}{number:032X}");
        let masked_pan = MaskedPan::new(&format!("541333******{:04}", number % 10_000));
        Self { hash: CardHash::new(hash), kind: Kind::Emv { masked_pan } }
    }

    /// A card with this hash and masked number, for golden bytes.
    pub fn new(hash: &str, masked_pan: &str) -> Self {
        Self { hash: CardHash::new(hash), kind: Kind::Emv { masked_pan: MaskedPan::new(masked_pan) } }
    }

    /// The badge with this number: a card that cannot pay, such as an RFID badge of a fleet.
    pub fn badge(number: u32) -> Self {
        let spread = number.wrapping_mul(0x85EB_CA6B);
        Self { hash: CardHash::new(format!("{spread:08X}{number:032X}")), kind: Kind::Badge { script: Arc::default() } }
    }

    /// The same, but to this it gives that answer. Means nothing to a card that can pay.
    pub fn answering(mut self, told: &[u8], answer: &[u8]) -> Self {
        if let Kind::Badge { script } = &mut self.kind {
            Arc::make_mut(script).push((told.to_vec(), answer.to_vec()));
        }
        self
    }

    /// Its hash.
    pub const fn hash(&self) -> &CardHash {
        &self.hash
    }

    /// Its masked number, if it can pay.
    pub const fn masked_pan(&self) -> Option<&MaskedPan> {
        match &self.kind {
            Kind::Emv { masked_pan } => Some(masked_pan),
            Kind::Badge { .. } => None,
        }
    }

    /// Whether it can pay.
    pub const fn can_pay(&self) -> bool {
        matches!(self.kind, Kind::Emv { .. })
    }

    /// What it answers to this, if it was given an answer.
    pub(super) fn answer_to(&self, told: &[u8]) -> Option<&[u8]> {
        match &self.kind {
            Kind::Emv { .. } => None,
            Kind::Badge { script } => script.iter().find(|(known, _)| known == told).map(|(_, answer)| answer.as_slice()),
        }
    }

    /// The card as a session remembers it.
    pub fn card(&self) -> Card {
        Card { hash: Some(self.hash.clone()), masked_pan: self.masked_pan().cloned() }
    }
}

impl fmt::Debug for SimCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what a badge says: it may be a copy of a real one.
        f.debug_struct("SimCard").field("hash", &self.hash).field("masked_pan", &self.masked_pan()).finish()
    }
}
