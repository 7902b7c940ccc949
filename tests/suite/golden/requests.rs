//! Requests of which no frame is printed.

use bytes::BytesMut;
use quittance::id::{SessionReference, TerminalSessionId};
use quittance::money::Amount;
use quittance::protocol::dol::{self, Tag};
use quittance::protocol::quirks::UiLayout;
use quittance::protocol::request::{Button, Color, Control, Icon, PaymentMethods, ReadCard, StartSession, Ui};
use quittance::protocol::{Discipline, Family, HostCodec, Quirks, RawPayload, Request, TerminalCodec};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::{bytes, is_apollo_request, is_p6x_request, is_request};

#[test]
fn request_ids() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         27  # Request Ids
         31  # sum",
        Request::RequestIds,
    );
}

/// PSP, Start Session: all ten fields, and something behind them.
#[test]
fn start_session_with_every_field() {
    is_apollo_request(
        "CC                                                           # preamble: host
         3C                                                           # length: magic, code, 58 bytes of payload
         3C                                                           # magic
         34                                                           # Start Session
         00 00 13 88                                                  # amount: 5000 minor units
         00 00 00 07                                                  # session reference 7
         06                                                           # 6 bytes of tags
         DF F0 06                                                     # card hash
         DF CA 0B                                                     # masked card number
         02                                                           # payment methods: EMV cards
         64 65 70 6F 74 00                                            # logo: depot
         01                                                           # the amount is hidden
         68 74 74 70 73 3A 2F 2F 71 2E 65 78 61 6D 70 6C 65 2F 37 00  # QR address: https://q.example/7
         62 61 79 20 37 00                                            # reference text: bay 7
         72 6F 77 20 42 00                                            # second reference text: row B
         01 02 03                                                     # fields 11 and later: not explained
         D7                                                           # sum",
        Request::StartSession(StartSession {
            dol: vec![Tag([0xDF, 0xF0, 0x06]), Tag([0xDF, 0xCA, 0x0B])],
            payment_methods: PaymentMethods::EMV,
            logo: Some("depot".into()),
            hide_amount: true,
            qr_address: Some("https://q.example/7".into()),
            reference_text: Some("bay 7".into()),
            second_reference_text: Some("row B".into()),
            tail: RawPayload::from(vec![1, 2, 3]),
            ..StartSession::new(Amount::from_minor(5000), SessionReference(7))
        }),
    );
}

/// PSP, Start Session: a field may be given only if all earlier ones are, so those before it have their defaults.
#[test]
fn start_session_with_a_second_text() {
    is_apollo_request(
        "CC                 # preamble: host
         16                 # length: magic, code, 20 bytes of payload
         3C                 # magic
         34                 # Start Session
         00 00 13 88        # amount: 5000 minor units
         00 00 00 07        # session reference 7
         00                 # no tags: the default list
         00                 # payment methods: all
         00                 # logo: the default
         00                 # the amount is shown
         00                 # no QR code
         00                 # reference text: the number
         72 6F 77 20 42 00  # second reference text: row B
         AE                 # sum",
        Request::StartSession(StartSession {
            second_reference_text: Some("row B".into()),
            ..StartSession::new(Amount::from_minor(5000), SessionReference(7))
        }),
    );
}

/// PSP, DOL list: what a P6X can be asked for.
#[test]
fn start_session_with_data_objects() {
    is_request(
        "CC           # preamble: host
         1D           # length: magic, code, 27 bytes of payload
         3C           # magic
         34           # Start Session
         00 00 13 88  # amount: 5000 minor units
         00 00 00 07  # session reference 7
         12           # 18 bytes of tags
         DF F0 06     # card hash
         DF CA 0B     # masked card number
         DF CA 09     # item reference
         DF F0 02     # not explained
         DF F0 03     # not explained
         DF CA 03     # host transaction reference
         97           # sum",
        Request::StartSession(StartSession {
            dol: dol::DEFAULT.to_vec(),
            ..StartSession::new(Amount::from_minor(5000), SessionReference(7))
        }),
    );
}

/// Conflict C2: 0x41 unless a setting says otherwise.
#[test]
fn read_card() {
    is_apollo_request(
        "CC           # preamble: host
         06           # length: magic, code, 4 bytes of payload
         3C           # magic
         41           # Read Card
         00 00 00 08  # session reference 8
         57           # sum",
        Request::ReadCard(ReadCard::new(SessionReference(8))),
    );
}

/// PSP, Read Card: no amount and nothing to hide it, but a text that asks for the card.
#[test]
fn read_card_with_every_field() {
    is_apollo_request(
        "CC                                   # preamble: host
         25                                   # length: magic, code, 35 bytes of payload
         3C                                   # magic
         41                                   # Read Card
         00 00 00 08                          # session reference 8
         03                                   # 3 bytes of tags
         DF F0 06                             # card hash
         FF                                   # payment methods: all
         64 65 70 6F 74 00                    # logo: depot
         00                                   # no QR code
         62 61 79 20 38 00                    # reference text: bay 8
         00                                   # no second reference text
         54 61 70 20 74 6F 20 73 74 6F 70 00  # card message: Tap to stop
         0B                                   # sum",
        Request::ReadCard(ReadCard {
            dol: vec![Tag([0xDF, 0xF0, 0x06])],
            payment_methods: PaymentMethods(0xFF),
            logo: Some("depot".into()),
            reference_text: Some("bay 8".into()),
            message: Some("Tap to stop".into()),
            ..ReadCard::new(SessionReference(8))
        }),
    );
}

#[test]
fn update_session() {
    is_apollo_request(
        "CC           # preamble: host
         0A           # length: magic, code, 8 bytes of payload
         3C           # magic
         42           # Update Session
         00 00 00 0A  # session 10
         00 00 1D 4C  # new total: 7500 minor units
         C7           # sum",
        Request::UpdateSession { session: TerminalSessionId(10), amount: Amount::from_minor(7500) },
    );
}

#[test]
fn list_sessions() {
    is_p6x_request(
        "CC  # preamble: host
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         30  # List Sessions
         3E  # offset: 62
         79  # sum",
        Request::ListSessions { offset: 62 },
    );
}

/// The program never sends it.
#[test]
fn remove_sessions() {
    is_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         56  # Remove Sessions
         60  # sum",
        Request::RemoveSessions(RawPayload::default()),
    );
}

#[test]
fn ui_dialog() {
    is_apollo_request(
        "CC                                                  # preamble: host
         5A                                                  # length: magic, code, 88 bytes of payload
         3C                                                  # magic
         28                                                  # UI Request
         74 79 70 65 00                                      # type
         64 69 61 6C 6F 67 00                                # dialog
         74 69 74 6C 65 00                                   # title
         53 74 6F 70 3F 00                                   # Stop?
         69 63 6F 6E 00                                      # icon
         64 65 63 6C 69 6E 65 64 00                          # declined
         62 75 74 74 6F 6E 73 2E 79 00                       # buttons.y
         00                                                  # (empty: there is a button y)
         62 75 74 74 6F 6E 73 2E 79 2E 6C 61 62 65 6C 00     # buttons.y.label
         59 65 73 00                                         # Yes
         62 75 74 74 6F 6E 73 2E 79 2E 74 72 61 6E 73 70 00  # buttons.y.transp
         31 00                                               # 1
         1C                                                  # sum",
        Request::UiRequest(Ui::dialog("Stop?", &[]).icon(Icon::Declined).button(&Button {
            name: "y".into(),
            label: "Yes".into(),
            transparent: Some(true),
        })),
    );
}

#[test]
fn ui_notification() {
    is_apollo_request(
        "CC                                                  # preamble: host
         33                                                  # length: magic, code, 49 bytes of payload
         3C                                                  # magic
         28                                                  # UI Request
         74 79 70 65 00                                      # type
         6E 6F 74 69 66 69 63 61 74 69 6F 6E 00              # notification
         74 69 74 6C 65 00                                   # title
         44 61 6E 6B 65 2C 20 33 31 2C 34 30 20 E2 82 AC 00  # Danke, 31,40 €, in UTF-8
         63 6F 6C 6F 72 00                                   # color
         31 00                                               # 1: green
         F1                                                  # sum",
        Request::UiRequest(Ui::notification("Danke, 31,40 €").color(Color::Green)),
    );
}

#[test]
fn ui_spinner() {
    is_apollo_request(
        "CC                          # preamble: host
         34                          # length: magic, code, 50 bytes of payload
         3C                          # magic
         28                          # UI Request
         74 79 70 65 00              # type
         73 70 69 6E 6E 65 72 00     # spinner
         74 69 74 6C 65 00           # title
         57 61 69 74 00              # Wait
         61 6D 6F 75 6E 74 00        # amount
         35 30 2E 30 30 00           # 50.00
         63 75 72 72 65 6E 63 79 00  # currency
         45 55 52 00                 # EUR
         BA                          # sum",
        Request::UiRequest(Ui::spinner("Wait").amount("50.00", "EUR")),
    );
}

#[test]
fn ui_info() {
    is_apollo_request(
        "CC                 # preamble: host
         18                 # length: magic, code, 22 bytes of payload
         3C                 # magic
         28                 # UI Request
         74 79 70 65 00     # type
         69 6E 66 6F 00     # info
         74 69 74 6C 65 00  # title
         48 65 6C 6C 6F 00  # Hello
         CC                 # sum",
        Request::UiRequest(Ui::info("Hello")),
    );
}

#[test]
fn ui_selection() {
    is_apollo_request(
        "CC                             # preamble: host
         1D                             # length: magic, code, 27 bytes of payload
         3C                             # magic
         28                             # UI Request
         74 79 70 65 00                 # type
         73 65 6C 65 63 74 69 6F 6E 00  # selection
         74 69 74 6C 65 00              # title
         48 65 6C 6C 6F 00              # Hello
         EB                             # sum",
        Request::UiRequest(Ui::selection("Hello", &[])),
    );
}

#[test]
fn ui_carousel() {
    is_apollo_request(
        "CC                          # preamble: host
         1B                          # length: magic, code, 25 bytes of payload
         3C                          # magic
         28                          # UI Request
         74 79 70 65 00              # type
         63 61 72 6F 75 73 65 6C 00  # carousel
         69 6E 74 65 72 76 61 6C 00  # interval: a key of our making
         35 00                       # 5
         05                          # sum",
        Request::UiRequest(Ui::carousel().with("interval", "5")),
    );
}

/// Conflict C2: 0x40 unless a setting says otherwise. The payload is unknown; this one is of our making.
#[test]
fn select_language() {
    is_apollo_request(
        "CC        # preamble: host
         05        # length: magic, code, 3 bytes of payload
         3C        # magic
         40        # Select Language
         6E 6C 00  # nl
         27        # sum",
        Request::SelectLanguage(RawPayload::from(b"nl\0".to_vec())),
    );
}

/// The payload is unknown; this one is of our making.
#[test]
fn mifare() {
    is_apollo_request(
        "CC     # preamble: host
         04     # length: magic, code, 2 bytes of payload
         3C     # magic
         43     # MiFare
         60 04  # two bytes
         B3     # sum",
        Request::MiFare(RawPayload::from(vec![0x60, 0x04])),
    );
}

/// The payload is unknown; this one is of our making.
#[test]
fn read_file() {
    is_p6x_request(
        "CC  # preamble: host
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         39  # Read File
         01  # one byte
         45  # sum",
        Request::ReadFile(RawPayload::from(vec![0x01])),
    );
}

/// The payload is unknown; perhaps there is none.
#[test]
fn get_connection_info() {
    is_apollo_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         44  # Get Connection Info
         4E  # sum",
        Request::GetConnectionInfo(RawPayload::default()),
    );
}

/// The payload is unknown; perhaps there is none.
#[test]
fn get_receipt() {
    is_apollo_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         45  # Get Receipt
         4F  # sum",
        Request::GetReceipt(RawPayload::default()),
    );
}

/// The payload is unknown; perhaps there is none.
#[test]
fn get_transaction_record() {
    is_apollo_request(
        "CC  # preamble: host
         02  # length: magic, code
         3C  # magic
         46  # Get Transaction Record
         50  # sum",
        Request::GetTransactionRecord(RawPayload::default()),
    );
}

#[test]
fn control() {
    is_apollo_request(
        "CC  # preamble: host
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         48  # Control
         00  # reboot
         53  # sum",
        Request::Control(Control::Reboot),
    );
}

/// Conflicts C2, C3 and the layout of UI Request: the same requests, to a terminal that is believed otherwise.
#[test]
fn quirks_of_requests() {
    let quirks = Quirks {
        read_card: 0x40,
        select_language: 0x41,
        ui_request: 0x4F,
        magic_sent: 0x3D,
        ui_layout: UiLayout::TypeFirst,
        ..Quirks::of(Family::Apollo)
    };
    let table = [
        (
            "CC           # preamble: host
             06           # length: magic, code, 4 bytes of payload
             3D           # magic of its own
             40           # Read Card
             00 00 00 08  # session reference 8
             57           # sum",
            Request::ReadCard(ReadCard::new(SessionReference(8))),
        ),
        (
            "CC        # preamble: host
             05        # length: magic, code, 3 bytes of payload
             3D        # magic of its own
             41        # Select Language
             6E 6C 00  # nl
             29        # sum",
            Request::SelectLanguage(RawPayload::from(b"nl\0".to_vec())),
        ),
        (
            "CC                 # preamble: host
             10                 # length: magic, code, 14 bytes of payload
             3D                 # magic of its own
             4F                 # UI Request
             69 6E 66 6F 00     # info, alone
             74 69 74 6C 65 00  # title
             48 69 00           # Hi
             E7                 # sum",
            Request::UiRequest(Ui::info("Hi")),
        ),
    ];
    for (captioned, request) in table {
        let mut out = BytesMut::new();
        HostCodec::with_quirks(Family::Apollo, Discipline::Strict, quirks).encode(&request, &mut out).unwrap();
        assert_eq!(out, bytes(captioned));
        let heard = TerminalCodec::with_quirks(Family::Apollo, Discipline::Strict, quirks).decode(&mut out).unwrap();
        assert_eq!(heard, Some(Ok(request)));
    }
}
