//! What records and states mean, in words for whoever runs the depot. A cardholder is sent to the issuer instead (PSP, Session
//! Declined).

use crate::journal::record::{CancelledBy, Cause};
use crate::protocol::error::{explain_decline, explain_reason};
use crate::protocol::response::Reason;

use super::state::Failure;

/// Why there is no hold: the bank's or the terminal's reason (PSP, Session Declined).
pub fn declined(reason: Option<u8>) -> String {
    match reason {
        None => "the bank or the terminal declined, without a reason".to_owned(),
        Some(reason) => format!("the bank or the terminal declined: {} (0x{reason:02X})", explain_decline(reason)),
    }
}

/// Who or what ended a card flow.
pub const fn cancelled_by(by: CancelledBy) -> &'static str {
    match by {
        CancelledBy::Api => "a request to the API cancelled it",
        CancelledBy::Terminal => "the terminal ended the card flow: nobody presented a card, or the cardholder cancelled",
        CancelledBy::Shutdown => "the orchestrator was going down, or the terminal was taken out of service",
        CancelledBy::TapToStop => "the card was tapped to stop its earlier session, which is charging",
        CancelledBy::Journal => "the journal could not remember the authorisation, so it was not asked for",
        CancelledBy::OtherCard => "the card that was presented is no bank card",
        CancelledBy::NotAuthorised => "a card was read, but nobody said in time to authorise it",
    }
}

/// How an attempt failed.
pub fn last_error(failure: Failure) -> String {
    match failure {
        Failure::Unsent => "not sent: the link was down".to_owned(),
        Failure::Unanswered(Cause::Timeout) => "no answer: timeout".to_owned(),
        Failure::Unanswered(Cause::LinkLost) => "no answer: link lost".to_owned(),
        Failure::Unanswered(Cause::Resynchronised) => "no answer that could be trusted: resynchronised".to_owned(),
        Failure::Unanswered(Cause::Crash) => "no answer: the orchestrator ended in between".to_owned(),
        Failure::Refused(None) => "refused: no reason given".to_owned(),
        Failure::Refused(Some(code)) => format!("refused: {} (0x{code:02X})", explain_reason(Reason(code))),
    }
}
