//! Reads the fields of a payload one after the other. Numbers have their most significant byte first (PSP, Frame format).

use super::error::{PayloadFault, ProtocolError};
use super::raw::RawPayload;

/// What is left of a payload.
pub(super) struct Fields<'a> {
    message: &'static str,
    left: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn of(message: &'static str, payload: &'a [u8]) -> Self {
        Self { message, left: payload }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn bytes(&mut self, field: &'static str, needed: usize) -> Result<&'a [u8], ProtocolError> {
        let left = self.left.len();
        let (taken, rest) =
            self.left.split_at_checked(needed).ok_or_else(|| self.fault(PayloadFault::Missing { field, needed, left }))?;
        self.left = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, ProtocolError> {
        self.bytes(field, 1).map(|bytes| bytes[0])
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, ProtocolError> {
        self.bytes(field, 4).map(|bytes| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// A byte that may be absent.
    pub(super) fn u8_if_any(&mut self) -> Option<u8> {
        let (byte, rest) = self.left.split_first()?;
        self.left = rest;
        Some(*byte)
    }

    /// Two bytes that may be absent; one alone is left where it is.
    pub(super) fn u16_if_any(&mut self) -> Option<u16> {
        let (bytes, rest) = self.left.split_first_chunk()?;
        self.left = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    /// Text up to its NUL, or up to the end if there is none. What is not UTF-8 is replaced.
    pub(super) fn text(&mut self) -> String {
        let end = self.left.iter().position(|byte| *byte == 0);
        let (text, rest) = end.map_or((self.left, &[][..]), |end| (&self.left[..end], &self.left[end + 1..]));
        self.left = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    /// Text that may be absent or empty, which is the same.
    pub(super) fn text_if_any(&mut self) -> Option<String> {
        Some(self.text()).filter(|text| !text.is_empty())
    }

    /// Everything that is left, unread.
    pub(super) fn raw(&mut self) -> RawPayload {
        RawPayload::copy(self.skip_rest())
    }

    pub(super) fn skip_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    /// The payload has no more fields.
    pub(super) fn end(&self) -> Result<(), ProtocolError> {
        match self.left.len() {
            0 => Ok(()),
            bytes => Err(self.fault(PayloadFault::Surplus { bytes })),
        }
    }

    pub(super) fn cannot_be(&self, field: &'static str, value: u8) -> ProtocolError {
        self.fault(PayloadFault::Value { field, value: value.into() })
    }

    pub(super) const fn fault(&self, fault: PayloadFault) -> ProtocolError {
        ProtocolError::Payload { message: self.message, fault }
    }
}
