//! Data objects: BER-TLV with 3-byte tags (PSP, DOL list).

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::card::{Card, CardHash, MaskedPan};

/// The tag of a data object.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub [u8; 3]);

impl Tag {
    /// Acquirer data, CSV text.
    pub const ACQUIRER_DATA: Self = Self([0xDF, 0xAA, 0x01]);
    /// Gateway data, CSV text.
    pub const GATEWAY_DATA: Self = Self([0xDF, 0xAA, 0x02]);
    /// Payter's extended card hash.
    pub const CARD_HASH_EXTENDED: Self = Self([0xDF, 0xAA, 0x70]);
    /// Host response code, text.
    pub const HOST_RESPONSE: Self = Self([0xDF, 0xCA, 0x02]);
    /// Host transaction reference.
    pub const HOST_REFERENCE: Self = Self([0xDF, 0xCA, 0x03]);
    /// Brand id for acquirer matching.
    pub const BRAND_ID: Self = Self([0xDF, 0xCA, 0x07]);
    /// Acquirer id.
    pub const ACQUIRER_ID: Self = Self([0xDF, 0xCA, 0x08]);
    /// Item reference of the transaction.
    pub const ITEM_REFERENCE: Self = Self([0xDF, 0xCA, 0x09]);
    /// Brand name, text.
    pub const BRAND_NAME: Self = Self([0xDF, 0xCA, 0x0A]);
    /// Payter's masked card number, text.
    pub const MASKED_PAN: Self = Self([0xDF, 0xCA, 0x0B]);
    /// In the default list; its meaning is unknown.
    pub const UNEXPLAINED_02: Self = Self([0xDF, 0xF0, 0x02]);
    /// In the default list; its meaning is unknown.
    pub const UNEXPLAINED_03: Self = Self([0xDF, 0xF0, 0x03]);
    /// Payter's card hash, text.
    pub const CARD_HASH: Self = Self([0xDF, 0xF0, 0x06]);

    /// What the data object holds, for a person.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ACQUIRER_DATA => "acquirer data",
            Self::GATEWAY_DATA => "gateway data",
            Self([0xDF, 0xAA, 0x6C]) => "encrypted card data",
            Self([0xDF, 0xAA, 0x6D]) => "key serial number of the encrypted card data",
            Self([0xDF, 0xAA, 0x6E]) => "initialisation vector of the encrypted card data",
            Self([0xDF, 0xAA, 0x6F]) => "authentication code of the encrypted card data",
            Self::CARD_HASH_EXTENDED => "extended card hash",
            Self::HOST_RESPONSE => "host response code",
            Self::HOST_REFERENCE => "host transaction reference",
            Self::BRAND_ID => "brand id",
            Self::ACQUIRER_ID => "acquirer id",
            Self::ITEM_REFERENCE => "item reference",
            Self::BRAND_NAME => "brand name",
            Self::MASKED_PAN => "masked card number",
            Self::CARD_HASH => "card hash",
            _ => "not explained in Payter's pages",
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.0;
        write!(f, "{first:02X}{second:02X}{third:02X}")
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a terminal returns when Start Session asks for nothing in particular (PSP, DOL list).
pub const DEFAULT: [Tag; 6] =
    [Tag::CARD_HASH, Tag::MASKED_PAN, Tag::ITEM_REFERENCE, Tag::UNEXPLAINED_02, Tag::UNEXPLAINED_03, Tag::HOST_REFERENCE];

/// Data objects as the terminal sent them. Card data: `Debug` shows tags and lengths only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Dol {
    objects: Vec<(Tag, Vec<u8>)>,
    damage: Option<Damage>,
}

/// Why data objects are not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Their length field disagrees with the bytes that came.
    #[error("the data objects have {declared} bytes by their length, but {came} came")]
    Length {
        /// What the length field says.
        declared: usize,
        /// How many bytes followed it.
        came: usize,
    },
    /// A tag, a length or a value is cut off or impossible.
    #[error("data object {index}, at byte {at}, cannot be read")]
    Object {
        /// Which object, from 0.
        index: usize,
        /// Where it begins.
        at: usize,
    },
    /// A tag has not three bytes; its object was left out.
    #[error("data object {index}, at byte {at}, has a tag that is not three bytes long")]
    ForeignTag {
        /// Which object, from 0.
        index: usize,
        /// Where it begins.
        at: usize,
    },
}

impl Dol {
    /// Reads data objects as far as they can be read; [`damage`](Self::damage) says whether that was all.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut dol = Self::default();
        let (mut left, mut index) = (bytes, 0);
        while !left.is_empty() {
            let at = bytes.len() - left.len();
            let Some((tag, value, rest)) = split_object(left) else {
                dol.damage.get_or_insert(Damage::Object { index, at });
                return dol;
            };
            match tag.try_into() {
                Ok(tag) => dol.objects.push((Tag(tag), value.to_vec())),
                Err(_) => {
                    dol.damage.get_or_insert(Damage::ForeignTag { index, at });
                }
            }
            (left, index) = (rest, index + 1);
        }
        dol
    }

    /// Reads data objects of which a length field says that they have `declared` bytes.
    pub(super) fn parse_declared(declared: usize, bytes: &[u8]) -> Self {
        let came = bytes.len();
        let mut dol = Self::parse(&bytes[..declared.min(came)]);
        if declared != came {
            dol.damage = Some(Damage::Length { declared, came });
        }
        dol
    }

    /// The same with one more data object at the end; for whoever sends them.
    pub fn with(mut self, tag: Tag, value: impl Into<Vec<u8>>) -> Self {
        self.objects.push((tag, value.into()));
        self
    }

    /// The data objects in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, &[u8])> {
        self.objects.iter().map(|(tag, value)| (*tag, value.as_slice()))
    }

    /// The first value with this tag.
    pub fn get(&self, tag: Tag) -> Option<&[u8]> {
        self.iter().find_map(|(candidate, value)| (candidate == tag).then_some(value))
    }

    /// What was wrong with the bytes, if the data objects are not all that was sent.
    pub const fn damage(&self) -> Option<Damage> {
        self.damage
    }

    /// What a session may remember of the card.
    pub fn card(&self) -> Card {
        let text = |tag| self.get(tag).filter(|value| !value.is_empty());
        Card {
            hash: text(Tag::CARD_HASH).map(|value| CardHash::new(text_or_hex(value))),
            masked_pan: text(Tag::MASKED_PAN).map(|value| MaskedPan::new(&String::from_utf8_lossy(value))),
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self) -> usize {
        self.iter().map(|(tag, value)| tag.0.len() + length_size(value.len()) + value.len()).sum()
    }

    /// Appends the data objects to `out`, without a length before them.
    pub fn encode(&self, out: &mut BytesMut) {
        for (tag, value) in self.iter() {
            out.put_slice(&tag.0);
            put_length(out, value.len());
            out.put_slice(value);
        }
    }
}

impl fmt::Debug for Dol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(tag, value)| (tag, value.len()))).finish()?;
        self.damage.map_or(Ok(()), |damage| write!(f, " ({damage})"))
    }
}

/// Goes through the values of data objects where they stand, so that they can be overwritten. What cannot be read, or has a tag
/// that is not three bytes long, comes last, all in one and without a tag.
pub fn each_value(bytes: &mut [u8], mut change: impl FnMut(Option<Tag>, &mut [u8])) {
    let mut at = 0;
    while at < bytes.len() {
        let object = split_object(&bytes[at..]);
        let Some((Ok(tag), value, rest)) = object.map(|(tag, value, rest)| (tag.try_into(), value.len(), rest.len())) else {
            return change(None, &mut bytes[at..]);
        };
        let end = bytes.len() - rest;
        change(Some(Tag(tag)), &mut bytes[end - value..end]);
        at = end;
    }
}

/// The hash is text in the published example. Should a terminal send bytes, they are written as text.
fn text_or_hex(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => text.to_owned(),
        _ => value.iter().map(|byte| format!("{byte:02X}")).collect(),
    }
}

/// Splits the first object off: its tag, its value, and what comes after. `None` when it is cut off or impossible.
fn split_object(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (tag, bytes) = split_tag(bytes)?;
    let (length, bytes) = split_length(bytes)?;
    let (value, rest) = bytes.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// A BER tag: when the low five bits of its first byte are all set, it goes on as long as bytes have their highest bit set.
fn split_tag(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = bytes.first()?;
    if first & 0x1F != 0x1F {
        return bytes.split_at_checked(1);
    }
    let more = bytes[1..].iter().position(|byte| byte & 0x80 == 0)?;
    bytes.split_at_checked(1 + more + 1)
}

/// A BER length: one byte below 0x80, or a count of up to four bytes and these. The indefinite form (0x80) is not used in PSP.
fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((first.into(), rest));
    }
    let count = usize::from(first & 0x7F);
    if !(1..=4).contains(&count) {
        return None;
    }
    let (length, rest) = rest.split_at_checked(count)?;
    let length = length.iter().fold(0u32, |length, byte| length << 8 | u32::from(*byte));
    Some((usize::try_from(length).ok()?, rest))
}

/// How many bytes the shortest BER length has.
const fn length_size(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x100_0000 => 4,
        _ => 5,
    }
}

fn put_length(out: &mut BytesMut, length: usize) {
    let bytes = (length as u64).to_be_bytes();
    let size = length_size(length);
    if size > 1 {
        out.put_u8(0x80 | (size - 1) as u8);
    }
    out.put_slice(&bytes[bytes.len() - size.saturating_sub(1).max(1)..]);
}
