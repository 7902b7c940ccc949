//! Payloads of List Sessions Response, Transaction Event and Update Session Result.

use bytes::{BufMut, BytesMut};

use crate::id::TerminalSessionId;
use crate::money::Amount;
use crate::protocol::error::ProtocolError;
use crate::protocol::fields::Fields;

/// Payload of List Sessions Response: one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionList {
    /// How many sessions the terminal holds in all.
    pub total: u8,
    /// Those from the offset on, as many as fit.
    pub sessions: Vec<TerminalSessionId>,
}

/// Payload of Transaction Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEvent {
    /// 0.
    Started,
    /// 1.
    ReadingCard,
    /// 2.
    CardReadComplete,
    /// 3.
    TransactionComplete,
    /// 0xFF, and whatever else may come.
    Unknown(u8),
}

impl TransactionEvent {
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::Started => 0,
            Self::ReadingCard => 1,
            Self::CardReadComplete => 2,
            Self::TransactionComplete => 3,
            Self::Unknown(byte) => byte,
        }
    }

    pub(super) const fn of_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Started,
            1 => Self::ReadingCard,
            2 => Self::CardReadComplete,
            3 => Self::TransactionComplete,
            byte => Self::Unknown(byte),
        }
    }
}

/// Payload of Update Session Result (PSP, Update Session): 14 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateResult {
    /// What the bank said.
    pub outcome: UpdateOutcome,
    /// The terminal's number of the session.
    pub session: TerminalSessionId,
    /// How much is held now.
    pub amount: Amount,
    /// By how much that has changed. Whether less is told by a sign, the pages do not say.
    pub change: u32,
    /// Why it was declined, as in Session Declined; 0x00 is not set.
    pub reason: u8,
}

/// What the bank said to Update Session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// 0.
    Approved,
    /// 1: less than was asked for.
    Partly,
    /// 2.
    Declined,
}

impl UpdateResult {
    pub(super) fn encode(self, out: &mut BytesMut) {
        out.put_u8(match self.outcome {
            UpdateOutcome::Approved => 0,
            UpdateOutcome::Partly => 1,
            UpdateOutcome::Declined => 2,
        });
        out.put_u32(self.session.0);
        out.put_u32(self.amount.minor());
        out.put_u32(self.change);
        out.put_u8(self.reason);
    }

    pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Self, ProtocolError> {
        let outcome = match fields.u8("outcome")? {
            0 => UpdateOutcome::Approved,
            1 => UpdateOutcome::Partly,
            2 => UpdateOutcome::Declined,
            other => return Err(fields.cannot_be("outcome", other)),
        };
        let session = TerminalSessionId(fields.u32("session id")?);
        let amount = Amount::from_minor(fields.u32("amount")?);
        Ok(Self { outcome, session, amount, change: fields.u32("change")?, reason: fields.u8("reason")? })
    }
}
