//! Requests by kind: what faults and logs name, and in which states a terminal takes each (PSP, States).

use super::wire::Heard;
use crate::protocol::Request;
use crate::protocol::response::TerminalState;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// 0x55.
    Reset,
    /// 0x24.
    Synchronize,
    /// 0x13.
    Protocol,
    /// 0x23.
    Setup,
    /// 0x12.
    Enable,
    /// 0x11.
    Disable,
    /// 0x26.
    GetStatus,
    /// 0x27.
    RequestIds,
    /// 0x34.
    Start,
    /// 0x36.
    Auth,
    /// 0x37.
    Cancel,
    /// 0x35.
    Commit,
    /// 0x33.
    Void,
    /// 0x30.
    ListSessions,
    /// 0x56.
    RemoveSessions,
    /// 0x41 or 0x40.
    ReadCard,
    /// 0x42.
    Update,
    /// 0x28.
    Ui,
    /// 0x40 or 0x41.
    Language,
    /// 0x38.
    Exchange,
    /// 0x43.
    MiFare,
    /// 0x39.
    ReadFile,
    /// 0x44.
    ConnectionInfo,
    /// 0x45.
    Receipt,
    /// 0x46.
    TransactionRecord,
    /// 0x48.
    Control,
    /// Anything else that came in a sound frame.
    Other,
    /// A frame whose checksum is wrong.
    Damaged,
}

impl Command {
    /// Of what kind a request is.
    pub const fn of(request: &Request) -> Self {
        match request {
            Request::Reset => Self::Reset,
            Request::Synchronize => Self::Synchronize,
            Request::Protocol(_) => Self::Protocol,
            Request::Setup(_) => Self::Setup,
            Request::Enable => Self::Enable,
            Request::Disable => Self::Disable,
            Request::GetStatus => Self::GetStatus,
            Request::RequestIds => Self::RequestIds,
            Request::StartSession(_) => Self::Start,
            Request::AuthSession => Self::Auth,
            Request::CancelSession => Self::Cancel,
            Request::CommitSession { .. } => Self::Commit,
            Request::VoidSession { .. } => Self::Void,
            Request::ListSessions { .. } => Self::ListSessions,
            Request::RemoveSessions(_) => Self::RemoveSessions,
            Request::ReadCard(_) => Self::ReadCard,
            Request::UpdateSession { .. } => Self::Update,
            Request::UiRequest(_) => Self::Ui,
            Request::SelectLanguage(_) => Self::Language,
            Request::ProprietaryExchange(_) => Self::Exchange,
            Request::MiFare(_) => Self::MiFare,
            Request::ReadFile(_) => Self::ReadFile,
            Request::GetConnectionInfo(_) => Self::ConnectionInfo,
            Request::GetReceipt(_) => Self::Receipt,
            Request::GetTransactionRecord(_) => Self::TransactionRecord,
            Request::Control(_) => Self::Control,
        }
    }

    /// Of what kind something heard is.
    pub const fn heard(heard: &Heard) -> Self {
        match heard {
            Heard::Request(request) => Self::of(request),
            Heard::Unknown(_) | Heard::Incorrect(_) => Self::Other,
            Heard::Damaged => Self::Damaged,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "Reset",
            Self::Synchronize => "Synchronize",
            Self::Protocol => "Protocol",
            Self::Setup => "Setup",
            Self::Enable => "Enable",
            Self::Disable => "Disable",
            Self::GetStatus => "Get Status",
            Self::RequestIds => "Request Ids",
            Self::Start => "Start Session",
            Self::Auth => "Auth Session",
            Self::Cancel => "Cancel Session",
            Self::Commit => "Commit Session",
            Self::Void => "Void Session",
            Self::ListSessions => "List Sessions",
            Self::RemoveSessions => "Remove Sessions",
            Self::ReadCard => "Read Card",
            Self::Update => "Update Session",
            Self::Ui => "UI Request",
            Self::Language => "Select Language",
            Self::Exchange => "Proprietary Card Exchange",
            Self::MiFare => "MiFare",
            Self::ReadFile => "Read File",
            Self::ConnectionInfo => "Get Connection Info",
            Self::Receipt => "Get Receipt",
            Self::TransactionRecord => "Get Transaction Record",
            Self::Control => "Control",
            Self::Other => "unknown request",
            Self::Damaged => "damaged frame",
        }
    }

    /// Whether a terminal takes it in this state (PSP, States, and assumptions 2, 4, 5 and 11).
    pub(super) const fn allowed_in(self, state: TerminalState) -> bool {
        use TerminalState::{Disabled, Enabled, Offline, Online, WaitAuth, WaitCard};
        match self {
            Self::Reset
            | Self::Synchronize
            | Self::GetStatus
            | Self::RequestIds
            | Self::Language
            | Self::ConnectionInfo
            | Self::ReadFile
            | Self::Control
            | Self::Other
            | Self::Damaged => true,
            Self::Protocol => matches!(state, Online),
            Self::Setup => matches!(state, Online | Disabled),
            // Update, receipts and records are assumed to go with Commit and Void; connection and files with Request Ids.
            Self::Enable | Self::Commit | Self::Void | Self::Update | Self::Receipt | Self::TransactionRecord => {
                matches!(state, Disabled | Enabled | WaitCard | WaitAuth)
            }
            Self::Disable => matches!(state, Disabled | Enabled),
            Self::Start | Self::ReadCard | Self::RemoveSessions => matches!(state, Enabled),
            Self::Ui => matches!(state, Enabled | WaitCard | WaitAuth),
            Self::Auth | Self::Exchange | Self::MiFare => matches!(state, WaitAuth),
            Self::Cancel => matches!(state, WaitCard | WaitAuth),
            Self::ListSessions => !matches!(state, Offline),
        }
    }
}
