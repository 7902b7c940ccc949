//! Responses of which no frame is printed.

use quittance::id::TerminalSessionId;
use quittance::money::Amount;
use quittance::protocol::dol::Tag;
use quittance::protocol::response::{
    AfterDecline, Ids, Reason, SessionList, TransactionEvent, UpdateOutcome, UpdateResult, Verdict,
};
use quittance::protocol::{Dol, RawPayload, Response};

use super::{is_apollo_response, is_p6x_response, is_response};

/// PSP, Errors: two bytes with option 0x08.
#[test]
fn result_with_a_reason() {
    is_response(
        "AA  # preamble: terminal
         04  # length: magic, code, 2 bytes of payload
         3C  # magic
         00  # Result
         01  # Not OK
         0C  # session id not found
         F7  # sum",
        Response::Result(Verdict::NotOk(Some(Reason(0x0C)))),
    );
}

#[test]
fn ids_of_an_apollo() {
    is_apollo_response(
        "AA                    # preamble: terminal
         21                    # length: magic, code, 31 bytes of payload
         3C                    # magic
         27                    # Request Ids Response
         41 2D 31 00           # serial number A-1
         41 70 6F 6C 6C 6F 00  # model
         62 61 73 65 00        # platform id
         32 2E 34 00           # platform version
         52 31 00              # platform release
         70 73 70 00           # application
         33 2E 31 00           # its version
         CB                    # sum",
        Response::Ids(Ids {
            serial_number: "A-1".into(),
            model: Some("Apollo".into()),
            software: ["base", "2.4", "R1", "psp", "3.1"].map(String::from).to_vec(),
        }),
    );
}

/// PSP, Request Ids: 147 bytes, most of them of no use to us.
#[test]
fn ids_of_a_p6x() {
    is_p6x_response(
        "AA                                                           # preamble: terminal
         95                                                           # length: magic, code, 147 bytes of payload
         3C                                                           # magic
         27                                                           # Request Ids Response
         50 36 58 30 30 30 34 32 00 00 00 00 00 00 00                 # serial number: 15 bytes
         00 00 00 00 00 00 00 00 00                                   # SAM 0: absent, serial number
         00 00 00 00 00 00 00 00 00                                   # SAM 1: absent, serial number
         00 00 00 00 00 00 00 00 00                                   # SAM 2: absent, serial number
         00 00 00 00 00 00                                            # MAC address
         00                                                           # SIM: absent
         00 00 00 00 00 00 00 00 00 00 00                             # SIM serial number: 33 bytes
         00 00 00 00 00 00 00 00 00 00 00                             # 
         00 00 00 00 00 00 00 00 00 00 00                             # 
         50 36 58 2D 50 53 50 2D 34 2E 37 00                          # firmware: 65 bytes
         00 00 00 00 00 00 00 00 00 00 00 00 00                       # 
         00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  # 
         00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  # 
         3A                                                           # sum",
        Response::Ids(Ids { serial_number: "P6X00042".into(), model: None, software: vec!["P6X-PSP-4.7".into()] }),
    );
}

#[test]
fn session_list() {
    is_p6x_response(
        "AA           # preamble: terminal
         0B           # length: magic, code, 9 bytes of payload
         3C           # magic
         30           # List Sessions Response
         03           # 3 sessions in all
         00 00 00 0B  # session 11
         00 00 01 00  # session 256
         30           # sum",
        Response::SessionList(SessionList { total: 3, sessions: vec![TerminalSessionId(11), TerminalSessionId(256)] }),
    );
}

#[test]
fn proprietary_card_read() {
    is_apollo_response(
        "AA        # preamble: terminal
         09        # length: magic, code, 7 bytes of payload
         3C        # magic
         40        # Proprietary Card Read
         06        # 6 bytes of data objects
         DF F0 06  # card hash
         02        # of 2 bytes
         34 32     # 42
         72        # sum",
        Response::ProprietaryCardRead(Dol::default().with(Tag([0xDF, 0xF0, 0x06]), *b"42")),
    );
}

#[test]
fn session_partially_approved() {
    is_apollo_response(
        "AA           # preamble: terminal
         11           # length: magic, code, 15 bytes of payload
         3C           # magic
         35           # Session Partially Approved
         00 00 00 0B  # session 11
         00 00 05 DC  # 1500 minor units are held
         06           # 6 bytes of data objects
         DF CA 0A     # brand name
         02           # of 2 bytes
         56 49        # VI
         72           # sum",
        Response::PartiallyApproved {
            session: TerminalSessionId(11),
            amount: Amount::from_minor(1500),
            dol: Dol::default().with(Tag([0xDF, 0xCA, 0x0A]), *b"VI"),
        },
    );
}

/// PSP, Session Approved: an absent length means no data objects; it is written all the same.
#[test]
fn session_approved_without_data_objects() {
    is_response(
        "AA           # preamble: terminal
         07           # length: magic, code, 5 bytes of payload
         3C           # magic
         31           # Session Approved
         00 00 00 0B  # session 11
         00           # no data objects
         29           # sum",
        Response::Approved { session: TerminalSessionId(11), dol: Dol::default() },
    );
}

/// PSP, Session Declined: with option 0x08.
#[test]
fn session_declined_with_a_reason() {
    is_apollo_response(
        "AA  # preamble: terminal
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         32  # Session Declined
         09  # insufficient funds
         24  # sum",
        Response::declined(Some(0x09)),
    );
}

/// With options 0x08 and 0x10: the place of the data objects is assumed.
#[test]
fn session_declined_with_data_objects() {
    is_apollo_response(
        "AA        # preamble: terminal
         0A        # length: magic, code, 8 bytes of payload
         3C        # magic
         32        # Session Declined
         05        # refer to issuer
         06        # 6 bytes of data objects
         DF CA 02  # host response code
         02        # of 2 bytes
         30 31     # 01
         3B        # sum",
        Response::Declined {
            reason: Some(0x05),
            rest: AfterDecline::Objects(Dol::default().with(Tag([0xDF, 0xCA, 0x02]), *b"01")),
        },
    );
}

/// With option 0x10 alone: the place of the data objects is assumed.
#[test]
fn session_declined_with_data_objects_only() {
    is_apollo_response(
        "AA        # preamble: terminal
         09        # length: magic, code, 7 bytes of payload
         3C        # magic
         32        # Session Declined
         06        # 6 bytes of data objects
         DF CA 02  # host response code
         02        # of 2 bytes
         30 31     # 01
         35        # sum",
        Response::Declined { reason: None, rest: AfterDecline::Objects(Dol::default().with(Tag([0xDF, 0xCA, 0x02]), *b"01")) },
    );
}

/// A decline is a decline, whatever comes with it.
#[test]
fn session_declined_with_something_else() {
    is_apollo_response(
        "AA     # preamble: terminal
         05     # length: magic, code, 3 bytes of payload
         3C     # magic
         32     # Session Declined
         05     # refer to issuer
         FF FE  # no data objects
         1F     # sum",
        Response::Declined { reason: Some(0x05), rest: AfterDecline::Raw(RawPayload::from(vec![0xFF, 0xFE])) },
    );
}

/// PSP, Update Session: 14 bytes, though the page prints 0x14.
#[test]
fn update_session_result() {
    is_apollo_response(
        "AA           # preamble: terminal
         10           # length: magic, code, 14 bytes of payload
         3C           # magic
         43           # Update Session Result
         01           # approved in part
         00 00 00 0A  # session 10
         00 00 17 70  # 6000 minor units are held now
         00 00 03 E8  # change: 1000 minor units
         00           # decline reason: not set
         B6           # sum",
        Response::UpdateResult(UpdateResult {
            outcome: UpdateOutcome::Partly,
            session: TerminalSessionId(10),
            amount: Amount::from_minor(6000),
            change: 1000,
            reason: 0x00,
        }),
    );
}

#[test]
fn update_session_declined() {
    is_apollo_response(
        "AA           # preamble: terminal
         10           # length: magic, code, 14 bytes of payload
         3C           # magic
         43           # Update Session Result
         02           # declined
         00 00 00 0A  # session 10
         00 00 13 88  # 5000 minor units are held, as before
         00 00 00 00  # change: none
         09           # decline reason: insufficient funds
         E9           # sum",
        Response::UpdateResult(UpdateResult {
            outcome: UpdateOutcome::Declined,
            session: TerminalSessionId(10),
            amount: Amount::from_minor(5000),
            change: 0,
            reason: 0x09,
        }),
    );
}

#[test]
fn transaction_event_started() {
    is_response(
        "AA  # preamble: terminal
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         38  # Transaction Event
         00  # started
         21  # sum",
        Response::TransactionEvent(TransactionEvent::Started),
    );
}

#[test]
fn transaction_event_reading_card() {
    is_response(
        "AA  # preamble: terminal
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         38  # Transaction Event
         01  # reading card
         22  # sum",
        Response::TransactionEvent(TransactionEvent::ReadingCard),
    );
}

#[test]
fn transaction_event_card_read_complete() {
    is_response(
        "AA  # preamble: terminal
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         38  # Transaction Event
         02  # card read complete
         23  # sum",
        Response::TransactionEvent(TransactionEvent::CardReadComplete),
    );
}

#[test]
fn transaction_event_complete() {
    is_response(
        "AA  # preamble: terminal
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         38  # Transaction Event
         03  # complete
         24  # sum",
        Response::TransactionEvent(TransactionEvent::TransactionComplete),
    );
}

#[test]
fn transaction_event_unknown() {
    is_response(
        "AA  # preamble: terminal
         03  # length: magic, code, 1 byte of payload
         3C  # magic
         38  # Transaction Event
         FF  # unknown
         20  # sum",
        Response::TransactionEvent(TransactionEvent::Unknown(0xFF)),
    );
}

#[test]
fn ui_event() {
    is_apollo_response(
        "AA           # preamble: terminal
         06           # length: magic, code, 4 bytes of payload
         3C           # magic
         29           # UI Event
         79 65 73 00  # button: yes
         66           # sum",
        Response::UiEvent { button: "yes".into() },
    );
}

#[test]
fn proprietary_response() {
    is_apollo_response(
        "AA     # preamble: terminal
         04     # length: magic, code, 2 bytes of payload
         3C     # magic
         42     # Proprietary Card Response
         90 00  # R-APDU: done
         BC     # sum",
        Response::ProprietaryResponse(RawPayload::from(vec![0x90, 0x00])),
    );
}

/// The layout is unknown; this payload is of our making.
#[test]
fn file() {
    is_p6x_response(
        "AA        # preamble: terminal
         05        # length: magic, code, 3 bytes of payload
         3C        # magic
         39        # Read File Response
         61 62 63  # three bytes
         4A        # sum",
        Response::File(RawPayload::from(b"abc".to_vec())),
    );
}

/// The layout is unknown; this payload is of our making.
#[test]
fn connection_info() {
    is_apollo_response(
        "AA        # preamble: terminal
         05        # length: magic, code, 3 bytes of payload
         3C        # magic
         44        # Connection Info Response
         61 62 63  # three bytes
         55        # sum",
        Response::ConnectionInfo(RawPayload::from(b"abc".to_vec())),
    );
}

/// The layout is unknown; this payload is of our making.
#[test]
fn receipt() {
    is_apollo_response(
        "AA        # preamble: terminal
         05        # length: magic, code, 3 bytes of payload
         3C        # magic
         45        # Receipt
         61 62 63  # three bytes
         56        # sum",
        Response::Receipt(RawPayload::from(b"abc".to_vec())),
    );
}

/// The layout is unknown; this payload is of our making.
#[test]
fn transaction_record() {
    is_apollo_response(
        "AA        # preamble: terminal
         05        # length: magic, code, 3 bytes of payload
         3C        # magic
         46        # Transaction Record
         61 62 63  # three bytes
         57        # sum",
        Response::TransactionRecord(RawPayload::from(b"abc".to_vec())),
    );
}
