//! Payloads whose layout Payter's pages do not give, or that are not ours to read.

use std::fmt;

use bytes::Bytes;

/// Bytes as they are on the wire. They may be card data (an APDU, a receipt), so `Debug` shows only how many there are.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct RawPayload(Bytes);

impl RawPayload {
    /// These bytes.
    pub const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// A copy of these bytes.
    pub(super) fn copy(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    /// The bytes themselves: never for a log, an error or a metric.
    pub const fn reveal(&self) -> &Bytes {
        &self.0
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for RawPayload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&'static [u8]> for RawPayload {
    fn from(bytes: &'static [u8]) -> Self {
        Self(Bytes::from_static(bytes))
    }
}

impl fmt::Debug for RawPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawPayload({} bytes)", self.len())
    }
}
