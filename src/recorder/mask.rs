//! What of a frame is card data, and how it is overwritten so that the frame stays a frame: every length is kept, and the
//! checksum is made right again.
//!
//! | where | what becomes of it |
//! |---|---|
//! | data objects (Card Read, Proprietary Card Read, Session Approved, Partially Approved, Declined) | kept: host response code and transaction reference, item reference, brand name and id, acquirer id; the masked card number as the terminal masks it, and masked should it not be. All others are overwritten: card hashes, encrypted card data with its key serial number, vector and authentication code, acquirer and gateway data, and what Payter's pages do not explain |
//! | Proprietary Card Exchange and Response, MiFare, Receipt, Transaction Record, Read File Response | all of the payload is overwritten |
//! | what follows a decline and is no data objects | overwritten |
//! | a sound frame that is not understood | only its size and head are kept |
//! | anything else | holds no card data |

use crate::card::MaskedPan;
use crate::protocol::dol::{Tag, each_value};
use crate::protocol::quirks::LengthSize;
use crate::protocol::response::{AfterDecline, Context};
use crate::protocol::{BlockFormat, Direction, Family, Quirks, Request, Response, checksum};

/// What stands where card data was: a star, since much of it is text.
const STAR: u8 = b'*';

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Masking {
    /// There was no card data in it.
    Clean,
    /// Card data in it is overwritten.
    Masked,
    /// It is not understood, so all of its payload may be card data.
    Unread,
}

/// Where card data is in a payload.
enum CardData {
    Nowhere,
    /// From this byte on.
    From(usize),
    /// In the data objects whose length, of this size, stands at this byte.
    Objects(usize, LengthSize),
}

/// Overwrites the card data in a sound frame.
pub(super) fn mask(from: Direction, family: Family, quirks: &Quirks, frame: &mut [u8]) -> Masking {
    let format = BlockFormat::of_frame(frame);
    let begin = format.payload_at();
    let Some(end) = frame.len().checked_sub(1).filter(|end| begin <= *end) else { return Masking::Unread };
    let code = frame[begin - 1];
    let before = frame[begin..end].to_vec();
    let payload = &mut frame[begin..end];
    let place = match from {
        Direction::FromHost => Request::decode(code, payload, quirks).ok().map(|request| in_request(&request)),
        Direction::FromTerminal => {
            let context = Context { quirks: *quirks, ..Context::of(family, format) };
            match Response::decode(code, payload, &context) {
                Ok(response) => Some(in_response(&response, format, quirks)),
                // Conflict C1: a Result of two bytes may be a status, and neither holds card data.
                Err(_) if code == 0x00 && payload.len() <= 2 => Some(CardData::Nowhere),
                Err(_) => None,
            }
        }
    };
    match place {
        None => return Masking::Unread,
        Some(CardData::Nowhere) => return Masking::Clean,
        Some(CardData::From(at)) => payload[at.min(before.len())..].fill(STAR),
        Some(CardData::Objects(at, size)) => mask_objects(payload, at, size),
    }
    if *payload == before[..] {
        return Masking::Clean;
    }
    frame[end] = checksum(&frame[..end]);
    Masking::Masked
}

/// The head of a frame: everything before its payload.
pub(super) fn head(frame: &[u8]) -> &[u8] {
    &frame[..BlockFormat::of_frame(frame).payload_at().min(frame.len())]
}

/// Where card data is in what we send. A new request cannot be forgotten here.
const fn in_request(request: &Request) -> CardData {
    match request {
        Request::ProprietaryExchange(_) | Request::MiFare(_) => CardData::From(0),
        Request::Reset
        | Request::Synchronize
        | Request::Protocol(_)
        | Request::Setup(_)
        | Request::Enable
        | Request::Disable
        | Request::GetStatus
        | Request::RequestIds
        | Request::StartSession(_)
        | Request::ReadCard(_)
        | Request::AuthSession
        | Request::CancelSession
        | Request::CommitSession { .. }
        | Request::VoidSession { .. }
        | Request::UpdateSession { .. }
        | Request::ListSessions { .. }
        | Request::RemoveSessions(_)
        | Request::UiRequest(_)
        | Request::SelectLanguage(_)
        | Request::ReadFile(_)
        | Request::GetConnectionInfo(_)
        | Request::GetReceipt(_)
        | Request::GetTransactionRecord(_)
        | Request::Control(_) => CardData::Nowhere,
    }
}

/// Where card data is in what a terminal sends. A new response cannot be forgotten here.
const fn in_response(response: &Response, format: BlockFormat, quirks: &Quirks) -> CardData {
    let (size, card_read_size) = match format {
        BlockFormat::Default => (LengthSize::One, LengthSize::One),
        BlockFormat::Extended => (LengthSize::Two, quirks.card_read_length),
    };
    match response {
        Response::Result(_)
        | Response::Synchronize
        | Response::Protocol(_)
        | Response::Status(_)
        | Response::Ids(_)
        | Response::SessionList(_)
        | Response::Cancelled
        | Response::UpdateResult(_)
        | Response::TransactionEvent(_)
        | Response::UiEvent { .. }
        | Response::ConnectionInfo(_)
        | Response::Declined { rest: AfterDecline::Nothing, .. } => CardData::Nowhere,
        Response::CardRead(_) => CardData::Objects(0, card_read_size),
        Response::ProprietaryCardRead(_) => CardData::Objects(0, size),
        Response::Approved { .. } => CardData::Objects(4, size),
        Response::PartiallyApproved { .. } => CardData::Objects(8, size),
        Response::Declined { reason: None, rest: AfterDecline::Objects(_) } => CardData::Objects(0, size),
        Response::Declined { reason: Some(_), rest: AfterDecline::Objects(_) } => CardData::Objects(1, size),
        Response::Declined { rest: AfterDecline::Raw(_), .. } => CardData::From(1),
        Response::ProprietaryResponse(_) | Response::File(_) | Response::Receipt(_) | Response::TransactionRecord(_) => {
            CardData::From(0)
        }
    }
}

fn mask_objects(payload: &mut [u8], at: usize, size: LengthSize) {
    let size = match size {
        LengthSize::One => 1,
        LengthSize::Two => 2,
    };
    let Some((length, rest)) = payload.get_mut(at..).and_then(|rest| rest.split_at_mut_checked(size)) else {
        // Half a length is no length.
        return payload.iter_mut().skip(at).for_each(|byte| *byte = STAR);
    };
    let declared = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (objects, surplus) = rest.split_at_mut(declared.min(rest.len()));
    surplus.fill(STAR);
    each_value(objects, mask_value);
}

/// Only what is known to be no card data stays.
fn mask_value(tag: Option<Tag>, value: &mut [u8]) {
    match tag {
        Some(
            Tag::HOST_RESPONSE | Tag::HOST_REFERENCE | Tag::ITEM_REFERENCE | Tag::BRAND_NAME | Tag::BRAND_ID | Tag::ACQUIRER_ID,
        ) => {}
        Some(Tag::MASKED_PAN) => {
            // Digits and stars; what is not even text of that kind is no number that somebody has masked.
            let masked = std::str::from_utf8(value).ok().filter(|text| text.is_ascii()).map(MaskedPan::new);
            match masked.as_ref().map(|pan| pan.as_str().as_bytes()).filter(|pan| pan.len() == value.len()) {
                Some(pan) => {
                    let pan = pan.to_vec();
                    value.copy_from_slice(&pan);
                }
                None => value.fill(STAR),
            }
        }
        _ => value.fill(STAR),
    }
}
