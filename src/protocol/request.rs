//! Requests: host → terminal (PSP, All commands).

mod setup;
mod start;
mod ui;

pub use setup::{Comparison, Control, Options, Protocol, Setup, TimeoutAction};
pub use start::{CARD_MESSAGE_MAX, LOGO_MAX, PaymentMethods, QR_ADDRESS_MAX, REFERENCE_TEXT_MAX, ReadCard, StartSession};
pub use ui::{Button, Color, Icon, Ui, UiKind};

use bytes::{BufMut, BytesMut};

use crate::id::TerminalSessionId;
use crate::money::Amount;

use super::error::ProtocolError;
use super::fields::Fields;
use super::message::RequestKind;
use super::raw::RawPayload;
use super::{Direction, Quirks};

/// A request. Which family knows it is told by [`Request::supported_by`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// 0x55. Back to OFFLINE and to the default block. Answered by Result.
    Reset,
    /// 0x24. To ONLINE. Answered by Synchronize.
    Synchronize,
    /// 0x13, in ONLINE only. Answered by Protocol with what was accepted.
    Protocol(Protocol),
    /// 0x23, ONLINE → DISABLED. Answered by Result.
    Setup(Setup),
    /// 0x12. Answered by Result.
    Enable,
    /// 0x11. Answered by Result.
    Disable,
    /// 0x26, always allowed. Answered by Get Status Response.
    GetStatus,
    /// 0x27. Answered by Request Ids Response.
    RequestIds,
    /// 0x34, in ENABLED only. Answered when a card is read.
    StartSession(StartSession),
    /// 0x41 or 0x40 (conflict C2), Apollo only. Answered when a card is read, as Start Session.
    ReadCard(ReadCard),
    /// 0x36, in WAIT_AUTH only. Places a hold.
    AuthSession,
    /// 0x37. Ends a card flow; does not release a hold. Answered by Session Cancelled or Result Not OK.
    CancelSession,
    /// 0x35. Takes an amount from a hold. Answered by Result.
    CommitSession {
        /// The terminal's number of the session.
        session: TerminalSessionId,
        /// The final amount.
        amount: Amount,
    },
    /// 0x33. Gives a hold back. Answered by Result.
    VoidSession {
        /// The terminal's number of the session.
        session: TerminalSessionId,
    },
    /// 0x42, Apollo only. Raises or lowers a hold. Answered by Update Session Result.
    UpdateSession {
        /// The terminal's number of the session.
        session: TerminalSessionId,
        /// The new total.
        amount: Amount,
    },
    /// 0x30, P6X only. Answered by List Sessions Response.
    ListSessions {
        /// How many sessions to skip, or bytes (PSP, List Sessions).
        offset: u8,
    },
    /// 0x56, in ENABLED only. What it does to the money is unknown (nothing, says assumption 11), so the program never sends it.
    RemoveSessions(RawPayload),
    /// 0x28, Apollo only. Answered by Result; buttons come later, as UI Event.
    UiRequest(Ui),
    /// 0x40 or 0x41 (conflict C2), Apollo only, always allowed. Its payload is unknown. Answered by Result (assumed).
    SelectLanguage(RawPayload),
    /// 0x38, Apollo only, after Proprietary Card Read: a C-APDU. Answered by Proprietary Card Response.
    ProprietaryExchange(RawPayload),
    /// 0x43, Apollo only, after Proprietary Card Read. Its payload is unknown. Answered by Proprietary Card Response (assumed).
    MiFare(RawPayload),
    /// 0x39, P6X only. Its payload is unknown. Answered by Read File Response.
    ReadFile(RawPayload),
    /// 0x44, Apollo only. Its payload is unknown. Answered by Connection Info Response.
    GetConnectionInfo(RawPayload),
    /// 0x45, Apollo only. Its payload is unknown. Answered by Receipt.
    GetReceipt(RawPayload),
    /// 0x46, Apollo only. Its payload is unknown. Answered by Transaction Record.
    GetTransactionRecord(RawPayload),
    /// 0x48, Apollo only. Answered by Result.
    Control(Control),
}

impl Request {
    /// What kind of request it is.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Reset => RequestKind::Reset,
            Self::Synchronize => RequestKind::Synchronize,
            Self::Protocol(_) => RequestKind::Protocol,
            Self::Setup(_) => RequestKind::Setup,
            Self::Enable => RequestKind::Enable,
            Self::Disable => RequestKind::Disable,
            Self::GetStatus => RequestKind::GetStatus,
            Self::RequestIds => RequestKind::RequestIds,
            Self::StartSession(_) => RequestKind::StartSession,
            Self::ReadCard(_) => RequestKind::ReadCard,
            Self::AuthSession => RequestKind::AuthSession,
            Self::CancelSession => RequestKind::CancelSession,
            Self::CommitSession { .. } => RequestKind::CommitSession,
            Self::VoidSession { .. } => RequestKind::VoidSession,
            Self::UpdateSession { .. } => RequestKind::UpdateSession,
            Self::ListSessions { .. } => RequestKind::ListSessions,
            Self::RemoveSessions(_) => RequestKind::RemoveSessions,
            Self::UiRequest(_) => RequestKind::UiRequest,
            Self::SelectLanguage(_) => RequestKind::SelectLanguage,
            Self::ProprietaryExchange(_) => RequestKind::ProprietaryExchange,
            Self::MiFare(_) => RequestKind::MiFare,
            Self::ReadFile(_) => RequestKind::ReadFile,
            Self::GetConnectionInfo(_) => RequestKind::GetConnectionInfo,
            Self::GetReceipt(_) => RequestKind::GetReceipt,
            Self::GetTransactionRecord(_) => RequestKind::GetTransactionRecord,
            Self::Control(_) => RequestKind::Control,
        }
    }

    /// Its name, as the `command` label of metrics has it.
    pub const fn name(&self) -> &'static str {
        self.kind().row().name
    }

    /// Its message code.
    pub const fn code(&self, quirks: &Quirks) -> u8 {
        self.kind().code(quirks)
    }

    /// Appends its payload to `out`.
    pub fn encode(&self, out: &mut BytesMut, quirks: &Quirks) -> Result<(), ProtocolError> {
        match self {
            Self::Reset
            | Self::Synchronize
            | Self::Enable
            | Self::Disable
            | Self::GetStatus
            | Self::RequestIds
            | Self::AuthSession
            | Self::CancelSession => {}
            Self::Protocol(protocol) => protocol.encode(out),
            Self::Setup(setup) => setup.encode(out),
            Self::StartSession(start) => start.encode(out)?,
            Self::ReadCard(read) => read.encode(out)?,
            Self::CommitSession { session, amount } | Self::UpdateSession { session, amount } => {
                // PSP, Commit Session: the session first, then the amount; the published example shows it.
                out.put_u32(session.0);
                out.put_u32(amount.minor());
            }
            Self::VoidSession { session } => out.put_u32(session.0),
            Self::ListSessions { offset } => out.put_u8(*offset),
            Self::UiRequest(ui) => ui.encode(out, quirks.ui_layout)?,
            Self::Control(control) => control.encode(out),
            Self::RemoveSessions(raw)
            | Self::SelectLanguage(raw)
            | Self::ProprietaryExchange(raw)
            | Self::MiFare(raw)
            | Self::ReadFile(raw)
            | Self::GetConnectionInfo(raw)
            | Self::GetReceipt(raw)
            | Self::GetTransactionRecord(raw) => out.put_slice(raw.reveal()),
        }
        Ok(())
    }

    /// Reads a request from its code and payload.
    pub fn decode(code: u8, payload: &[u8], quirks: &Quirks) -> Result<Self, ProtocolError> {
        let Some(kind) = RequestKind::of_code(code, quirks) else {
            return Err(ProtocolError::UnknownMessage { code, from: Direction::FromHost });
        };
        let mut fields = Fields::of(kind.row().name, payload);
        let request = match kind {
            RequestKind::Reset => Self::Reset,
            RequestKind::Synchronize => Self::Synchronize,
            RequestKind::Enable => Self::Enable,
            RequestKind::Disable => Self::Disable,
            RequestKind::GetStatus => Self::GetStatus,
            RequestKind::RequestIds => Self::RequestIds,
            RequestKind::AuthSession => Self::AuthSession,
            RequestKind::CancelSession => Self::CancelSession,
            RequestKind::Protocol => Self::Protocol(Protocol::decode(&mut fields)?),
            RequestKind::Setup => Self::Setup(Setup::decode(&mut fields)?),
            RequestKind::StartSession => Self::StartSession(StartSession::decode(&mut fields)?),
            RequestKind::ReadCard => Self::ReadCard(ReadCard::decode(&mut fields)?),
            RequestKind::CommitSession => {
                let (session, amount) = session_and_amount(&mut fields)?;
                Self::CommitSession { session, amount }
            }
            RequestKind::UpdateSession => {
                let (session, amount) = session_and_amount(&mut fields)?;
                Self::UpdateSession { session, amount }
            }
            RequestKind::VoidSession => Self::VoidSession { session: TerminalSessionId(fields.u32("session id")?) },
            RequestKind::ListSessions => Self::ListSessions { offset: fields.u8("offset")? },
            RequestKind::UiRequest => Self::UiRequest(Ui::decode(&mut fields, quirks.ui_layout)?),
            RequestKind::Control => Self::Control(Control::decode(&mut fields)?),
            RequestKind::RemoveSessions => Self::RemoveSessions(fields.raw()),
            RequestKind::SelectLanguage => Self::SelectLanguage(fields.raw()),
            RequestKind::ProprietaryExchange => Self::ProprietaryExchange(fields.raw()),
            RequestKind::MiFare => Self::MiFare(fields.raw()),
            RequestKind::ReadFile => Self::ReadFile(fields.raw()),
            RequestKind::GetConnectionInfo => Self::GetConnectionInfo(fields.raw()),
            RequestKind::GetReceipt => Self::GetReceipt(fields.raw()),
            RequestKind::GetTransactionRecord => Self::GetTransactionRecord(fields.raw()),
        };
        fields.end()?;
        Ok(request)
    }
}

fn session_and_amount(fields: &mut Fields<'_>) -> Result<(TerminalSessionId, Amount), ProtocolError> {
    Ok((TerminalSessionId(fields.u32("session id")?), Amount::from_minor(fields.u32("amount")?)))
}
