//! What we may know of a card: Payter's hash of it and its masked number. Neither type shows itself in full through `Debug`
//! or `Display`; the hash leaves the program whole only into the journal and to the integrator who asked for the session.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Payter's hash of a card (data object DFF006): the same for the same card, of no use to pay with.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CardHash(String);

/// How many characters of a hash people get to see.
const HASH_PREFIX: usize = 8;

impl CardHash {
    /// A hash as the terminal wrote it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The first few characters, for logs.
    pub fn short(&self) -> &str {
        self.0.char_indices().nth(HASH_PREFIX).map_or(self.0.as_str(), |(end, _)| &self.0[..end])
    }

    /// All of it, for the integrator who maps cards to sessions. Never for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CardHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.short())
    }
}

/// A card number with its middle left out, as Payter masks it (data object DFCA0B). Not unique to a card.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaskedPan(String);

/// So many digits at an end of a masked number may be shown at most (PCI DSS 3.4.1: first six, last four).
const PAN_ENDS: (usize, usize) = (6, 4);

impl MaskedPan {
    /// A masked number as the terminal wrote it. Should a terminal ever send a whole number, its middle is masked here.
    pub fn new(text: &str) -> Self {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let (first, last) = PAN_ENDS;
        if digits <= first + last {
            return Self(text.chars().filter(|character| !character.is_control()).collect());
        }
        let mut seen = 0;
        let mask = |character: char| {
            if !character.is_ascii_digit() {
                return character;
            }
            seen += 1;
            if seen <= first || seen > digits - last { character } else { '*' }
        };
        Self(text.chars().filter(|character| !character.is_control()).map(mask).collect())
    }

    /// The masked number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A card as a session remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Payter's hash, when the terminal gave one.
    pub hash: Option<CardHash>,
    /// The masked number, when the terminal gave one.
    pub masked_pan: Option<MaskedPan>,
}
