//! Every code that a refusal may have: its status, and what it means to whoever asked.

/// A code.
pub(super) struct Code {
    pub(super) code: &'static str,
    pub(super) status: u16,
    pub(super) meaning: &'static str,
}

/// All of them.
pub(super) const CODES: &[Code] = &[
    code(
        "malformed",
        400,
        "The request cannot be understood; nothing was done. The detail names the field, parameter or header.",
    ),
    code("unauthorised", 401, "A token is needed, and there is none or nobody has it."),
    code("forbidden", 403, "The token's role does not allow this."),
    code("path_unknown", 404, "There is nothing at this path."),
    code("session_unknown", 404, "There is no session of this name."),
    code("terminal_unknown", 404, "There is no terminal of this name."),
    code("event_unknown", 404, "The journal has no such record: the number is of another journal, or of no event."),
    code("method_not_allowed", 405, "The path is there, but not for this method; `Allow` says for which."),
    code("too_slow", 408, "The body did not arrive in time; the connection is closed. Nothing was done."),
    code("already_decided", 409, "The end of this hold was decided before, otherwise; nothing is changed."),
    code("attempt_under_way", 409, "The terminal is just being asked about this hold; ask again when it has answered."),
    code("has_hold", 409, "There is or may be a hold, so it cannot be cancelled: commit or void it."),
    code("needs_another_person", 409, "Another person has to say the same; you have said it already."),
    code("no_card", 409, "There is no card that waits to be authorised."),
    code("no_hold", 409, "There is no known hold to decide about."),
    code(
        "not_supported",
        409,
        "The terminal's family cannot do this, or its configuration does not want it, or the session is not, or not yet, one that a person settles; nothing was sent.",
    ),
    code("resolution_conflict", 409, "Somebody has proposed something else; it has to be taken back first."),
    code("terminal_busy", 409, "Another card flow is open on this terminal; it has one at a time."),
    code("terminal_full", 409, "Every connector of the terminal has a session."),
    code("update_declined", 409, "The hold was not changed; it is as before."),
    code("update_under_way", 409, "The hold is just being changed; one change at a time."),
    code("too_large", 413, "The body is longer than any that is needed."),
    code("wrong_media_type", 415, "A body is JSON: `Content-Type: application/json`."),
    code(
        "amount_invalid",
        422,
        "Not an amount that can be taken: no whole number of minor units, too large, or below what is used.",
    ),
    code(
        "configuration_invalid",
        422,
        "The configuration's file is no good; nothing was changed. `errors` has every mistake with its key.",
    ),
    code("idempotency_mismatch", 422, "The same Idempotency-Key came before with another request."),
    code("over_commit", 422, "More than the hold."),
    code("too_many_requests", 429, "This client asks too often; what ends, keeps or protects a hold is never refused so."),
    code("internal", 500, "A part of this program failed. It is a bug; the log has more."),
    code("draining", 503, "No new card flows are taken, by somebody's wish; disposals go on."),
    code(
        "journal_unavailable",
        503,
        "The journal cannot remember it, so it was not done; or, where the detail says so, nobody knows yet.",
    ),
    code("journal_slow", 503, "The journal takes so long that no new card flows are taken; whatever ends a hold goes on."),
    code("terminal_not_ready", 503, "The terminal cannot do this now; the detail says why."),
    code("too_many_undelivered", 503, "So many commits and voids wait for this terminal that it takes no new card flows."),
    code("terminal_unanswered", 504, "The terminal did not answer: whether it was done is not known."),
    code("too_many_streams", 503, "As many streams of events are open as may be."),
];

const fn code(code: &'static str, status: u16, meaning: &'static str) -> Code {
    Code { code, status, meaning }
}

/// The code of this name.
pub(super) fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.code == name)
}
