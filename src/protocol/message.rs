//! Every message of PSP: what it is called, its code, who knows it and how long it can be (PSP, Message codes). A code means
//! one thing from the host and another from the terminal, so there are two tables. Everything that must hold for every
//! message is checked against them.

use super::{Direction, Family, Quirks};

/// What holds for every message of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<K> {
    /// The message.
    pub kind: K,
    /// Its name in metrics and logs.
    pub name: &'static str,
    /// What Payter's pages call it.
    pub title: &'static str,
    /// Its code; where the pages disagree, the one that [`Quirks`] has by default.
    pub code: u8,
    /// The only family that knows it; none when both do.
    pub only: Option<Family>,
    size: Size,
}

/// How many payload bytes a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Is(usize),
    AtLeast(usize),
    /// Result: a verdict, and perhaps a reason.
    OneOrTwo,
    /// List Sessions Response: a count, and numbers of four bytes.
    List,
}

impl Size {
    const fn can_be(self, bytes: usize) -> bool {
        match self {
            Self::Is(exactly) => bytes == exactly,
            Self::AtLeast(least) => bytes >= least,
            Self::OneOrTwo => bytes == 1 || bytes == 2,
            Self::List => bytes % 4 == 1,
        }
    }
}

const APOLLO: Option<Family> = Some(Family::Apollo);
const P6X: Option<Family> = Some(Family::P6x);
const BOTH: Option<Family> = None;

/// Defines an enum of kinds and its table, one row for each in the same order.
macro_rules! table {
    ($(#[$about:meta])* $kinds:ident, $rows:ident, $count:literal:
     $($kind:ident $name:literal $title:literal $code:literal $only:ident $size:expr;)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $kinds {
            $(#[doc = $title] $kind,)*
        }

        /// One row for each, in their order.
        pub const $rows: [Row<$kinds>; $count] = [$(Row {
            kind: $kinds::$kind, name: $name, title: $title, code: $code, only: $only, size: $size,
        },)*];

        impl $kinds {
            /// What holds for it.
            pub const fn row(self) -> &'static Row<Self> {
                const ROWS: &[Row<$kinds>; $count] = &$rows;
                &ROWS[self as usize]
            }

            /// Whether terminals of this family know it.
            pub fn known_to(self, family: Family) -> bool {
                self.row().only.is_none_or(|only| only == family)
            }
        }
    };
}

table! {
    /// What a host can ask.
    RequestKind, REQUESTS, 26:
    Reset "reset" "Reset" 0x55 BOTH Size::Is(0);
    Synchronize "synchronize" "Synchronize" 0x24 BOTH Size::Is(0);
    Protocol "protocol" "Protocol" 0x13 BOTH Size::Is(5);
    Setup "setup" "Setup" 0x23 BOTH Size::Is(5);
    Enable "enable" "Enable" 0x12 BOTH Size::Is(0);
    Disable "disable" "Disable" 0x11 BOTH Size::Is(0);
    GetStatus "get_status" "Get Status" 0x26 BOTH Size::Is(0);
    RequestIds "request_ids" "Request Ids" 0x27 BOTH Size::Is(0);
    StartSession "start_session" "Start Session" 0x34 BOTH Size::AtLeast(8);
    ReadCard "read_card" "Read Card" 0x41 APOLLO Size::AtLeast(4);
    AuthSession "auth_session" "Auth Session" 0x36 BOTH Size::Is(0);
    CancelSession "cancel_session" "Cancel Session" 0x37 BOTH Size::Is(0);
    CommitSession "commit_session" "Commit Session" 0x35 BOTH Size::Is(8);
    VoidSession "void_session" "Void Session" 0x33 BOTH Size::Is(4);
    UpdateSession "update_session" "Update Session" 0x42 APOLLO Size::Is(8);
    ListSessions "list_sessions" "List Sessions" 0x30 P6X Size::Is(1);
    RemoveSessions "remove_sessions" "Remove Sessions" 0x56 BOTH Size::AtLeast(0);
    UiRequest "ui_request" "UI Request" 0x28 APOLLO Size::AtLeast(1);
    SelectLanguage "select_language" "Select Language" 0x40 APOLLO Size::AtLeast(0);
    // PSP, RFID: reading and writing cards is for Apollo only, and so are the answers to these two.
    ProprietaryExchange "proprietary_exchange" "Proprietary Card Exchange" 0x38 APOLLO Size::AtLeast(0);
    MiFare "mifare" "MiFare" 0x43 APOLLO Size::AtLeast(0);
    ReadFile "read_file" "Read File" 0x39 P6X Size::AtLeast(0);
    GetConnectionInfo "get_connection_info" "Get Connection Info" 0x44 APOLLO Size::AtLeast(0);
    GetReceipt "get_receipt" "Get Receipt" 0x45 APOLLO Size::AtLeast(0);
    GetTransactionRecord "get_transaction_record" "Get Transaction Record" 0x46 APOLLO Size::AtLeast(0);
    Control "control" "Control" 0x48 APOLLO Size::Is(1);
}

table! {
    /// What a terminal can say.
    ResponseKind, RESPONSES, 20:
    Result "result" "Result" 0x00 BOTH Size::OneOrTwo;
    Synchronize "synchronize" "Synchronize Response" 0x24 BOTH Size::Is(0);
    Protocol "protocol" "Protocol Response" 0x13 BOTH Size::Is(5);
    Status "status" "Get Status Response" 0x26 BOTH Size::Is(2);
    Ids "ids" "Request Ids Response" 0x27 BOTH Size::AtLeast(1);
    SessionList "session_list" "List Sessions Response" 0x30 P6X Size::List;
    CardRead "card_read" "Card Read" 0x34 BOTH Size::AtLeast(0);
    ProprietaryCardRead "proprietary_card_read" "Proprietary Card Read" 0x40 APOLLO Size::AtLeast(0);
    Approved "approved" "Session Approved" 0x31 BOTH Size::AtLeast(4);
    PartiallyApproved "partially_approved" "Session Partially Approved" 0x35 APOLLO Size::AtLeast(8);
    Declined "declined" "Session Declined" 0x32 BOTH Size::AtLeast(0);
    Cancelled "cancelled" "Session Cancelled" 0x33 BOTH Size::Is(0);
    UpdateResult "update_result" "Update Session Result" 0x43 APOLLO Size::Is(14);
    TransactionEvent "transaction_event" "Transaction Event" 0x38 BOTH Size::Is(1);
    UiEvent "ui_event" "UI Event" 0x29 APOLLO Size::AtLeast(1);
    ProprietaryResponse "proprietary_response" "Proprietary Card Response" 0x42 APOLLO Size::AtLeast(0);
    File "file" "Read File Response" 0x39 P6X Size::AtLeast(0);
    ConnectionInfo "connection_info" "Connection Info Response" 0x44 APOLLO Size::AtLeast(0);
    Receipt "receipt" "Receipt" 0x45 APOLLO Size::AtLeast(0);
    TransactionRecord "transaction_record" "Transaction Record" 0x46 APOLLO Size::AtLeast(0);
}

/// Which request has which code, but for those whose code is a setting.
const REQUEST_OF: [Option<RequestKind>; 256] = {
    let (mut kinds, mut at) = ([None; 256], 0);
    while at < REQUESTS.len() {
        if !REQUESTS[at].kind.is_movable() {
            kinds[REQUESTS[at].code as usize] = Some(REQUESTS[at].kind);
        }
        at += 1;
    }
    kinds
};

/// Which response has which code.
const RESPONSE_OF: [Option<ResponseKind>; 256] = {
    let (mut kinds, mut at) = ([None; 256], 0);
    while at < RESPONSES.len() {
        kinds[RESPONSES[at].code as usize] = Some(RESPONSES[at].kind);
        at += 1;
    }
    kinds
};

impl RequestKind {
    /// Whether its code is a setting (conflicts C2 and C3).
    const fn is_movable(self) -> bool {
        matches!(self, Self::ReadCard | Self::SelectLanguage | Self::UiRequest)
    }

    /// Its code.
    pub const fn code(self, quirks: &Quirks) -> u8 {
        match self {
            Self::ReadCard => quirks.read_card,
            Self::SelectLanguage => quirks.select_language,
            Self::UiRequest => quirks.ui_request,
            _ => self.row().code,
        }
    }

    /// The request with this code.
    pub const fn of_code(code: u8, quirks: &Quirks) -> Option<Self> {
        let fixed = Self::with_fixed_code(code);
        if fixed.is_some() {
            fixed
        } else if code == quirks.read_card {
            Some(Self::ReadCard)
        } else if code == quirks.select_language {
            Some(Self::SelectLanguage)
        } else if code == quirks.ui_request {
            Some(Self::UiRequest)
        } else {
            None
        }
    }

    /// The request with this code, if its code is no setting.
    pub const fn with_fixed_code(code: u8) -> Option<Self> {
        REQUEST_OF[code as usize]
    }
}

impl ResponseKind {
    /// Its code.
    pub const fn code(self) -> u8 {
        self.row().code
    }

    /// The response with this code.
    pub const fn of_code(code: u8) -> Option<Self> {
        RESPONSE_OF[code as usize]
    }
}

/// What a code is called in Payter's pages, if it is one of theirs.
pub(super) fn title(from: Direction, code: u8, quirks: &Quirks) -> Option<&'static str> {
    match from {
        Direction::FromHost => RequestKind::of_code(code, quirks).map(|kind| kind.row().title),
        Direction::FromTerminal => ResponseKind::of_code(code).map(|kind| kind.row().title),
    }
}

/// Whether a frame with this code and so many payload bytes can exist. Asked only while the stream is out of step: in step, an
/// odd frame is taken and complained about instead.
pub(super) fn plausible(from: Direction, code: u8, payload: usize, quirks: &Quirks) -> bool {
    let size = match from {
        Direction::FromHost => RequestKind::of_code(code, quirks).map(|kind| kind.row().size),
        Direction::FromTerminal => ResponseKind::of_code(code).map(|kind| kind.row().size),
    };
    size.is_some_and(|size| size.can_be(payload))
}
