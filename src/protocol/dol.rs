//! Data objects: BER-TLV with 3-byte tags (PSP, DOL list).

use crate::card::Card;

/// The tag of a data object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub [u8; 3]);

/// Data objects as the terminal sent them. Card data: `Debug` shows tags and lengths only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Dol(Vec<(Tag, Vec<u8>)>);

impl Dol {
    /// The data objects in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, &[u8])> {
        self.0.iter().map(|(tag, value)| (*tag, value.as_slice()))
    }

    /// What a session may remember of the card.
    pub fn card(&self) -> Card {
        Card { hash: None, masked_pan: None }
    }
}

impl std::fmt::Debug for Dol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(tag, value)| (tag, value.len()))).finish()
    }
}
