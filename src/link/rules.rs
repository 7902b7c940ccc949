//! What each request is to an exchange: its lane, its time, what answers it, whether money hangs on it.

use std::time::Duration;

use crate::id::TerminalSessionId;
use crate::protocol::request::Request;
use crate::protocol::response::{Reason, Response, Verdict};

use super::Timeouts;

/// Which lane a request uses.
pub(super) const fn is_card_flow(request: &Request) -> bool {
    matches!(request, Request::StartSession(_) | Request::ReadCard(_) | Request::AuthSession)
}

/// What is answered when a card is read.
pub(super) const fn waits_for_card(request: &Request) -> bool {
    matches!(request, Request::StartSession(_) | Request::ReadCard(_))
}

/// What must not leave before the link is set up: it moves money, or money would be next.
pub(super) const fn moves_money(request: &Request) -> bool {
    is_card_flow(request)
        || matches!(request, Request::CommitSession { .. } | Request::VoidSession { .. } | Request::UpdateSession { .. })
}

/// What must not be settled by a frame found after garbage. A list of sessions proves disposals, so it counts.
pub(super) const fn settles_money(request: &Request) -> bool {
    matches!(
        request,
        Request::AuthSession
            | Request::CommitSession { .. }
            | Request::VoidSession { .. }
            | Request::UpdateSession { .. }
            | Request::ListSessions { .. }
    )
}

/// What must not be asked for while a second answer to something else may come.
pub(super) const fn is_money(request: &Request) -> bool {
    moves_money(request) || settles_money(request)
}

/// Whether only a command that names a session can be refused so.
pub(super) const fn names_session(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::NotOk(Some(Reason::SESSION_NOT_FOUND)))
}

/// Which hold this ends or changes.
pub(super) const fn disposes_of(request: &Request) -> Option<TerminalSessionId> {
    match request {
        Request::CommitSession { session, .. } | Request::VoidSession { session } | Request::UpdateSession { session, .. } => {
            Some(*session)
        }
        _ => None,
    }
}

/// How long Get Receipt may take (PSP, Timeouts).
const RECEIPT: Duration = Duration::from_secs(15);

/// How long a request may take (PSP, Timeouts).
pub(super) fn allowed(request: &Request, timeouts: Timeouts) -> Duration {
    match request {
        Request::StartSession(_) | Request::ReadCard(_) => timeouts.card.saturating_add(timeouts.command),
        // PSP, Timeouts, does not name Update Session; but it asks the bank just as Auth does, and giving up early makes a doubt.
        Request::AuthSession | Request::UpdateSession { .. } => timeouts.authorise,
        Request::CommitSession { .. } | Request::VoidSession { .. } => timeouts.commit,
        Request::GetReceipt(_) => timeouts.command.max(RECEIPT),
        Request::Reset
        | Request::Synchronize
        | Request::Protocol(_)
        | Request::Setup(_)
        | Request::Enable
        | Request::Disable
        | Request::GetStatus
        | Request::RequestIds
        | Request::CancelSession
        | Request::ListSessions { .. }
        | Request::RemoveSessions(_)
        | Request::UiRequest(_)
        | Request::SelectLanguage(_)
        | Request::ProprietaryExchange(_)
        | Request::MiFare(_)
        | Request::ReadFile(_)
        | Request::GetConnectionInfo(_)
        | Request::GetTransactionRecord(_)
        | Request::Control(_) => timeouts.command,
    }
}

/// Whether Result OK is an answer to this.
pub(super) const fn answered_by_ok(request: &Request) -> bool {
    match request {
        Request::Reset
        | Request::Setup(_)
        | Request::Enable
        | Request::Disable
        | Request::CommitSession { .. }
        | Request::VoidSession { .. }
        | Request::RemoveSessions(_)
        | Request::UiRequest(_)
        | Request::SelectLanguage(_)
        | Request::Control(_) => true,
        Request::Synchronize
        | Request::Protocol(_)
        | Request::GetStatus
        | Request::RequestIds
        | Request::StartSession(_)
        | Request::ReadCard(_)
        | Request::AuthSession
        | Request::CancelSession
        | Request::UpdateSession { .. }
        | Request::ListSessions { .. }
        | Request::ProprietaryExchange(_)
        | Request::MiFare(_)
        | Request::ReadFile(_)
        | Request::GetConnectionInfo(_)
        | Request::GetReceipt(_)
        | Request::GetTransactionRecord(_) => false,
    }
}

/// Whether a response that belongs to one request only is this request's.
pub(super) const fn names(response: &Response, request: &Request) -> bool {
    matches!(
        (response, request),
        (Response::Synchronize, Request::Synchronize)
            | (Response::Protocol(_), Request::Protocol(_))
            | (Response::Status(_), Request::GetStatus)
            | (Response::Ids(_), Request::RequestIds)
            | (Response::SessionList(_), Request::ListSessions { .. })
            | (Response::ProprietaryResponse(_), Request::ProprietaryExchange(_) | Request::MiFare(_))
            | (Response::File(_), Request::ReadFile(_))
            | (Response::ConnectionInfo(_), Request::GetConnectionInfo(_))
            | (Response::Receipt(_), Request::GetReceipt(_))
            | (Response::TransactionRecord(_), Request::GetTransactionRecord(_))
    ) || matches!(
        (response, request),
        (Response::UpdateResult(result), Request::UpdateSession { session, .. }) if result.session.0 == session.0
    )
}
