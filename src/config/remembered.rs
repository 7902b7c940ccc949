//! A terminal's settings as the journal keeps them: the keys and values of the configuration, so that a terminal that is configured no
//! more can still be reached, and what it holds disposed of. Files are named by their paths, so nothing in it is secret.

use config::{Map, Value as Raw, ValueKind};
use humantime::format_duration;
use serde_json::{Map as Json, Value, json};

use super::{Mistakes, settings};
use crate::id::TerminalId;
use crate::journal::record::{AtEnd, DeadManAction};
use crate::link::{Address, MinVersion, Timeouts};
use crate::protocol::Quirks;
use crate::protocol::quirks::{Accepted, LengthSize, OffsetUnit, UiLayout};
use crate::session::policy::{Authorise, DuplicateTap, OrphanPolicy, Policy};
use crate::terminal::settings::{OPTIONS, TerminalSettings};

/// What the journal keeps of a terminal's settings. What is only about new sessions, screens and recordings is left out.
pub fn remember(settings: &TerminalSettings) -> Value {
    let TerminalSettings { id: _, family, link, connectors, keepalive, serial_number, options, policy, .. } = settings;
    let known = OPTIONS.iter().filter(|(option, _, _)| family.options().contains(*option));
    let protocol: Json<String, Value> =
        known.map(|(option, key, _)| ((*key).to_owned(), json!(options.contains(*option)))).collect();
    let mut kept = json!({
        "family": family.as_str(),
        "link": address(&link.address),
        "connectors": connectors,
        "timeouts": timeouts(&link.timeouts),
        "quirks": quirks(&link.quirks),
        "protocol": protocol,
        "policy": self::policy(policy),
    });
    if let Some(keepalive) = keepalive {
        kept["keepalive"] = json!(format_duration(*keepalive).to_string());
    }
    if let Some(serial_number) = serial_number {
        kept["serial_number"] = json!(serial_number);
    }
    kept
}

/// The settings that the journal has kept of a terminal; the mistakes when they are of no use any more, such as paths of files that
/// are gone.
pub fn recall(id: &TerminalId, kept: &Value) -> Result<TerminalSettings, Mistakes> {
    let mut terminal = kept.clone();
    let policy = terminal.as_object_mut().and_then(|terminal| terminal.remove("policy")).unwrap_or_default();
    if let Some(terminal) = terminal.as_object_mut() {
        terminal.insert("id".to_owned(), json!(id.as_str()));
    }
    // A depot of this one terminal; what else belongs to a depot does not matter here.
    let root = json!({ "site": { "id": "-", "currency": "EUR" }, "policy": policy, "terminals": [terminal] });
    let mut mistakes = Vec::new();
    let config = settings::validate(raw(&root), &mut mistakes);
    match config.and_then(|config| config.terminals.into_iter().next()) {
        Some(settings) if mistakes.is_empty() => Ok(settings),
        _ => Err(Mistakes(mistakes)),
    }
}

fn address(address: &Address) -> Value {
    match address {
        Address::Tcp(address) => json!({ "tcp": address }),
        Address::Serial { path, baud } => json!({ "serial": path, "baud": baud }),
        // Simulations keep no configuration; a name says more than nothing.
        Address::Pipe(pipe) => json!({ "pipe": pipe.to_string() }),
        Address::Tls(tls) => {
            let oldest = match tls.min_version {
                MinVersion::V1_2 => "1.2",
                MinVersion::V1_3 => "1.3",
            };
            let mut link = json!({
                "tls": tls.address,
                "ca": tls.ca.to_string_lossy(),
                "server_name": tls.server_name.to_str(),
                "min_version": oldest,
            });
            if let Some(client) = &tls.client {
                link["cert"] = json!(client.cert.to_string_lossy());
                link["key"] = json!(client.key.to_string_lossy());
            }
            link
        }
    }
}

fn timeouts(timeouts: &Timeouts) -> Value {
    let Timeouts { command, commit, authorise, card } = timeouts;
    let text = |limit| format_duration(limit).to_string();
    json!({ "command": text(*command), "commit": text(*commit), "authorise": text(*authorise), "card": text(*card) })
}

fn quirks(quirks: &Quirks) -> Value {
    let accepted = |byte| match byte {
        Accepted::Any => json!("any"),
        Accepted::Only(byte) => json!(byte),
    };
    let Quirks {
        read_card,
        select_language,
        ui_request,
        status_as_result,
        preamble,
        magic,
        magic_sent,
        card_read_length,
        ui_layout,
        list_offset,
        keeps_sessions,
    } = quirks;
    json!({
        "read_card": read_card,
        "select_language": select_language,
        "ui_request": ui_request,
        "status_as_result": status_as_result,
        "preamble": accepted(*preamble),
        "magic": accepted(*magic),
        "magic_sent": magic_sent,
        "card_read_length": match card_read_length {
            LengthSize::One => 1,
            LengthSize::Two => 2,
        },
        "ui_layout": match ui_layout {
            UiLayout::Pairs => "pairs",
            UiLayout::TypeFirst => "type_first",
        },
        "list_offset": match list_offset {
            OffsetUnit::Sessions => "sessions",
            OffsetUnit::Bytes => "bytes",
        },
        "keeps_sessions": keeps_sessions,
    })
}

fn policy(policy: &Policy) -> Value {
    let Policy {
        terminal_timeout,
        terminal_timeout_action,
        plug_in_timeout,
        max_session,
        on_max_session,
        orphan_policy,
        duplicate_tap,
        tap_to_stop,
        authorise,
        authorise_within,
        max_hold,
        retry,
        reconcile_every,
        max_undelivered,
        settle_within,
    } = policy;
    let text = |limit| format_duration(limit).to_string();
    let mut kept = json!({
        "terminal_timeout": text(*terminal_timeout),
        "terminal_timeout_action": match terminal_timeout_action {
            DeadManAction::Void => "void",
            DeadManAction::Commit => "commit",
        },
        "plug_in_timeout": text(*plug_in_timeout),
        "max_session": text(*max_session),
        "on_max_session": match on_max_session {
            AtEnd::CommitLastKnown => "commit_last_known",
            AtEnd::Void => "void",
            AtEnd::Alert => "alert",
        },
        "orphan_policy": match orphan_policy {
            OrphanPolicy::Void => "void",
            OrphanPolicy::Report => "report",
        },
        "duplicate_tap": match duplicate_tap {
            DuplicateTap::VoidEarlier => "void_earlier",
            DuplicateTap::Allow => "allow",
        },
        "tap_to_stop": tap_to_stop,
        "authorise": match authorise {
            Authorise::Auto => "auto",
            Authorise::Ask => "ask",
        },
        "authorise_within": text(*authorise_within),
        "max_hold": max_hold.minor(),
        "retry": retry.iter().map(|step| text(*step)).collect::<Vec<_>>(),
        "reconcile_every": text(*reconcile_every),
        "max_undelivered": max_undelivered,
    });
    if let Some(settle_within) = settle_within {
        kept["settle_within"] = json!(text(*settle_within));
    }
    kept
}

/// The tree that the sections of the configuration take apart.
fn raw(value: &Value) -> Raw {
    let kind = match value {
        Value::Null => ValueKind::Nil,
        Value::Bool(truth) => ValueKind::Boolean(*truth),
        Value::Number(number) => number.as_i64().map_or(ValueKind::Nil, ValueKind::I64),
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Array(list) => ValueKind::Array(list.iter().map(raw).collect()),
        Value::Object(table) => {
            ValueKind::Table(table.iter().map(|(key, value)| (key.clone(), raw(value))).collect::<Map<_, _>>())
        }
    };
    Raw::new(None, kind)
}
