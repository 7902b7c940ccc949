//! A report for programs. Amounts are minor units, times RFC 3339, durations seconds; what is not known is null.

use serde_json::{Value, json};

use super::evidence::{Count, Evidence, Line, Sum};
use crate::money::Amount;

pub(super) fn of(evidence: &Evidence) -> Value {
    let ids = |lines: &[&Line]| lines.iter().map(|line| line.session.id.to_string()).collect::<Vec<_>>();
    let unreadable = evidence.unreadable.iter().map(|(session, why)| json!({ "session": session.to_string(), "why": why }));
    json!({
        "from": evidence.question.from,
        "to": evidence.question.to,
        "terminal": evidence.question.terminal.as_ref().map(ToString::to_string),
        "as_of": evidence.as_of,
        "journal": {
            "file": evidence.file,
            "sound": evidence.damage.is_empty(),
            "damage": evidence.damage,
            "first": { "seq": u64::from(evidence.records > 0), "hash": evidence.first_hash },
            "last": { "seq": evidence.records, "hash": evidence.last_hash },
        },
        "exceptions": ids(&evidence.exceptions()),
        "unreadable": unreadable.collect::<Vec<_>>(),
        "sums": evidence.sums.iter().map(sum).collect::<Vec<_>>(),
        "sessions": evidence.lines.iter().map(line).collect::<Vec<_>>(),
    })
}

fn sum(sum: &Sum) -> Value {
    let count = |count: Count| json!({ "sessions": count.sessions, "held": count.held });
    json!({
        "currency": sum.currency.to_string(),
        "terminal": sum.terminal.as_ref().map(ToString::to_string),
        "approved": count(sum.approved),
        "committed": { "sessions": sum.committed.sessions, "held": sum.committed.held, "captured": sum.captured },
        "voided": count(sum.voided),
        "expired": count(sum.expired),
        "open": { "sessions": sum.open.sessions, "held": sum.open.held, "amount_unknown": sum.unknown },
    })
}

fn line(line: &Line) -> Value {
    let session = &line.session;
    let (decision, amount) = line.decision().unzip();
    let exceptions = line.exceptions.iter().map(|found| json!({ "kind": found.kind(), "why": found.sentence() }));
    json!({
        "session": session.id.to_string(),
        "terminal": session.terminal.to_string(),
        "connector": session.connector.map(|connector| connector.0),
        "reference": session.caller_reference,
        "terminal_session_id": session.hold.as_ref().map(|hold| hold.terminal_session_id.0),
        "masked_pan": pan(line),
        "state": session.state_name(),
        "currency": session.currency.to_string(),
        "amount_requested": session.amount_requested.map(Amount::minor),
        "amount_held": line.held().map(Amount::minor),
        "amount_energy": session.energy.map(Amount::minor),
        "amount_final": line.captured().map(Amount::minor),
        "approved_at": line.approved_at,
        "decision": decision,
        "decided_amount": amount.flatten().map(Amount::minor),
        "decided_by": line.decided_by(),
        "decided_at": line.decided_at,
        "attempts": session.disposal.as_ref().map(|disposal| disposal.attempts),
        "ended_at": line.ended_at,
        "confirmed_by": line.known_by(),
        "seconds_to_decision": line.until_decided().map(|time| time.as_secs_f64()),
        "seconds_to_confirmation": line.until_confirmed().map(|time| time.as_secs_f64()),
        "records": { "first": line.records.0, "last": line.records.1 },
        "exceptions": exceptions.collect::<Vec<_>>(),
    })
}

/// The masked number of the card; masked once more, for the file may have been written by other hands.
pub(super) fn pan(line: &Line) -> Option<String> {
    let pan = line.session.card.as_ref()?.masked_pan.as_ref()?;
    Some(crate::card::MaskedPan::new(pan.as_str()).as_str().to_owned())
}
