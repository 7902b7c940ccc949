//! What of a frame is card data, and how it is overwritten so that the frame stays a frame: every length is kept, and the
//! checksum is made right again.
//!
//! | where | what becomes of it |
//! |---|---|
//! | data objects (Card Read, Session Approved, Partially Approved …) | kept: host response code and transaction reference, item reference, brand name and id, acquirer id; the masked card number as the terminal masks it, and masked should it not be. All others are overwritten: card hashes, encrypted card data with its key serial number, vector and authentication code, acquirer and gateway data, and what Payter's pages do not explain |
//! | after a decline's reason | overwritten |
//! | a sound frame that is not understood | only its size and head are kept |
//! | anything else | holds no card data |

use crate::card::MaskedPan;
use crate::protocol::dol::{Tag, each_value};
use crate::protocol::response::Context;
use crate::protocol::{BlockFormat, Direction, Family, Request, Response, checksum};

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
    /// In the data objects whose length stands at this byte.
    Objects(usize),
}

/// Overwrites the card data in a sound frame.
pub(super) fn mask(from: Direction, family: Family, frame: &mut [u8]) -> Masking {
    let format = BlockFormat::of_frame(frame);
    let begin = format.payload_at();
    let Some(end) = frame.len().checked_sub(1).filter(|end| begin <= *end) else { return Masking::Unread };
    let code = frame[begin - 1];
    let before = frame[begin..end].to_vec();
    let payload = &mut frame[begin..end];
    let place = match from {
        Direction::FromHost => Request::decode(code, payload).ok().map(|request| in_request(&request)),
        Direction::FromTerminal => {
            let context = Context { family, format, status_outstanding: false };
            match Response::decode(code, payload, &context) {
                Ok(response) => Some(in_response(&response)),
                // PSP conflict C1: a Result of two bytes may be a status, and neither holds card data.
                Err(_) if code == 0x00 && payload.len() <= 2 => Some(CardData::Nowhere),
                Err(_) => None,
            }
        }
    };
    match place {
        None => return Masking::Unread,
        Some(CardData::Nowhere) => return Masking::Clean,
        Some(CardData::From(at)) => payload[at.min(before.len())..].fill(STAR),
        Some(CardData::Objects(at)) => mask_objects(payload, at, format),
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
        Request::Reset
        | Request::Synchronize
        | Request::Protocol(_)
        | Request::Setup(_)
        | Request::Enable
        | Request::Disable
        | Request::GetStatus
        | Request::RequestIds
        | Request::StartSession(_)
        | Request::AuthSession
        | Request::CancelSession
        | Request::CommitSession { .. }
        | Request::VoidSession { .. }
        | Request::ListSessions { .. } => CardData::Nowhere,
    }
}

/// Where card data is in what a terminal sends. A new response cannot be forgotten here.
const fn in_response(response: &Response) -> CardData {
    match response {
        Response::Result(_)
        | Response::Synchronize
        | Response::Protocol(_)
        | Response::Status(_)
        | Response::Ids(_)
        | Response::SessionList(_)
        | Response::Cancelled
        | Response::TransactionEvent(_) => CardData::Nowhere,
        Response::CardRead(_) => CardData::Objects(0),
        Response::Approved { .. } => CardData::Objects(4),
        Response::PartiallyApproved { .. } => CardData::Objects(8),
        Response::Declined { .. } => CardData::From(1),
    }
}

fn mask_objects(payload: &mut [u8], at: usize, format: BlockFormat) {
    let size = match format {
        BlockFormat::Default => 1,
        BlockFormat::Extended => 2,
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
            let masked = std::str::from_utf8(value).ok().map(MaskedPan::new);
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
