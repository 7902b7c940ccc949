//! The types of the description that are no structure of ours: amounts, moments, names, and sets of words.

use serde_json::{Value, json};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::journal::record;
use crate::protocol;
use crate::terminal::view;

/// Every value of a session's `state`.
pub(super) const STATES: [&str; 14] = [
    "waiting_card",
    "card_read",
    "authorising",
    "approved",
    "committing",
    "voiding",
    "in_doubt",
    "uncertain",
    "committed",
    "voided",
    "declined",
    "cancelled",
    "expired",
    "failed",
];

/// A type that is described by the schema alone.
macro_rules! described {
    ($($(#[doc = $doc:literal])+ $name:ident = $schema:expr;)+) => {$(
        $(#[doc = $doc])+
        pub(super) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = [$($doc.trim()),+].join(" ");
                $schema.description(Some(words)).into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

described! {
    /// An amount in minor units of the site's currency (cents, for euros).
    Amount = whole(0, u64::from(u32::MAX));
    /// An amount in minor units of the site's currency (cents, for euros); not nothing.
    AmountToHold = whole(1, u64::from(u32::MAX));
    /// A moment: RFC 3339, UTC, with milliseconds.
    Moment = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).examples([json!("2026-03-01T10:00:20.000Z")]);
    /// The name of a session.
    SessionName = text().format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .examples([json!("01936b1e-7c00-7000-8000-000000000001")]);
    /// The name of a terminal, as in the configuration.
    TerminalName = text().pattern(Some("^[a-z0-9-]{1,32}$")).examples([json!("bay-01")]);
    /// The name of a terminal; empty for all.
    AnyTerminal = text().pattern(Some("^[a-z0-9-]{0,32}$"));
    /// What `next` of a page said; empty for the first page.
    Cursor = text().pattern(Some("^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$"));
    /// A whole number that counts up.
    Count = whole(0, u64::MAX);
    /// A whole number of seconds.
    Seconds = whole(0, u64::from(u32::MAX));
    /// A number of the terminal's.
    Number = whole(0, u64::from(u32::MAX));
    /// How a session is. `waiting_card`, `card_read`, `authorising`: the card flow. `approved`: there is a hold. `committing`, `voiding`:
    /// its end is decided and being delivered. `in_doubt`: the answer to an authorisation was lost, and is looked for. `uncertain`: a
    /// person must decide. The others are ends: `committed`, `voided`, `declined`, `cancelled`, `expired` (the terminal's own timer
    /// has ended the hold), `failed` (no hold was ever placed).
    SessionState = one_of(&STATES);
    /// How a terminal is.
    TerminalState = one_of(&view::STATES);
    /// How the link to a terminal is.
    LinkState = one_of(&["up", "down", "quarantined"]);
    /// The kind of a terminal.
    Family = one_of(&protocol::Family::ALL.map(protocol::Family::as_str));
    /// What ends a hold.
    Decision = one_of(&["commit", "void"]);
    /// Who has decided.
    DecidedBy = one_of(&["api", "plug_in_timeout", "max_session", "orphan", "duplicate_tap", "shutdown"]);
    /// How it is known that a disposal was done: the terminal said so, its list no longer has the hold, it must be so by all that is
    /// known, its own timer has ended it, a person has said so.
    ConfirmedBy = one_of(&["result_ok", "list_absent", "presumed", "timer", "person"]);
    /// How it ended, as a person says.
    ResolvedAs = one_of(&["committed", "voided", "expired"]);
    /// How a wish for another hold is.
    UpdateState = one_of(&["under_way", "approved", "partly_approved", "declined", "refused", "unsent", "unanswered"]);
    /// Why our holds were compared with the terminal's.
    Trigger = one_of(&["connect", "periodic", "demand"]);
    /// How the comparison ended.
    ComparisonResult = one_of(&["clean", "repaired", "failed"]);
    /// What did not agree.
    DiscrepancyKind = one_of(&record::DiscrepancyKind::ALL.map(record::DiscrepancyKind::as_str));
    /// No fields at all.
    Nothing = ObjectBuilder::new().examples([json!({})]);
}

/// A text.
pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// One of these words.
pub(super) fn one_of(words: &[&str]) -> ObjectBuilder {
    text().enum_values(Some(words.iter().map(|word| Value::from(*word))))
}

fn whole(least: u64, most: u64) -> ObjectBuilder {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let least = usize::try_from(least).unwrap_or(usize::MIN);
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most))
}
