//! Explains frames to a person: what they say, or what is wrong with them and where. Shows of a card what may be shown: the
//! masked number and the beginning of its hash. Bytes that nobody understands are counted and not shown, since they may be
//! card data.

use std::fmt::{self, Write as _};

use super::checksum::checksum;
use super::dol::{Dol, Tag};
use super::error::{ProtocolError, explain_decline, explain_reason};
use super::frame::{HOST_PREAMBLE, LENGTH_MIN, MAGIC};
use super::raw::RawPayload;
use super::request::{Control, Options, PaymentMethods, Protocol, Request, TimeoutAction};
use super::response::{AfterDecline, Context, Ids, Response, Status, TerminalState, Verdict};
use super::{BlockFormat, Direction, Family, Quirks, message};

/// A frame does not say who made the terminal: the layouts and codes are the documented ones.
const QUIRKS: Quirks = Quirks::of(Family::Apollo);

/// One frame, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it is a sound frame with a message that is understood.
    pub sound: bool,
    /// What it is called.
    pub title: String,
    /// What it says, or what is wrong with it: labels and values.
    pub fields: Vec<(String, String)>,
    text: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Explains all frames in these bytes. Who sent them is told from their preamble unless it is said.
pub fn explain(from: Option<Direction>, bytes: &[u8]) -> Vec<Explanation> {
    let mut explanations = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (explanation, size) = explain_first(from, &bytes[at..], at);
        explanations.push(explanation);
        at += size;
    }
    explanations
}

/// Lines with a label in front.
#[derive(Default)]
struct Page {
    text: String,
    title: String,
    fields: Vec<(String, String)>,
}

impl Page {
    /// The name, and what else the heading says.
    fn heading(&mut self, title: &str, rest: fmt::Arguments<'_>) {
        title.clone_into(&mut self.title);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{title}{rest}");
    }

    /// What only the frame is about, not its message.
    fn envelope(&mut self, label: &str, value: impl fmt::Display) {
        let _ = writeln!(self.text, "  {label:<18} {value}");
    }

    fn line(&mut self, label: &str, value: impl fmt::Display) {
        self.fields.push((label.to_owned(), value.to_string()));
        self.envelope(label, value);
    }

    fn wrong(mut self, what: impl fmt::Display) -> Explanation {
        self.line("WRONG", what);
        self.explained(false)
    }

    fn explained(self, sound: bool) -> Explanation {
        let Self { text, title, fields } = self;
        Explanation { sound, title, fields, text }
    }
}

/// Explains the frame that begins these bytes, which are at `at` of what was given, and says how many bytes it takes up.
fn explain_first(from: Option<Direction>, bytes: &[u8], at: usize) -> (Explanation, usize) {
    let preamble = bytes[0];
    let from = from.unwrap_or(if preamble == HOST_PREAMBLE { Direction::FromHost } else { Direction::FromTerminal });
    let mut page = Page::default();
    let all = bytes.len();
    if from == Direction::FromHost && preamble != HOST_PREAMBLE {
        page.heading("No frame", format_args!(" at byte {at}"));
        return (page.wrong(ProtocolError::Preamble { found: preamble, expected: HOST_PREAMBLE }), all);
    }
    let format = BlockFormat::of_frame(bytes);
    let body = 1 + format.length_size();
    let Some(field) = bytes.get(1..body) else {
        page.heading("Half a frame", format_args!(" {from} at byte {at}"));
        return (page.wrong(ProtocolError::Truncated { whole: body + LENGTH_MIN as usize + 1, came: all }), all);
    };
    let length = field.iter().fold(0u32, |length, byte| length << 8 | u32::from(*byte));
    let (least, most) = (LENGTH_MIN, format.length_max());
    if !(least..=most).contains(&length) {
        page.heading("No frame", format_args!(" at byte {at}"));
        return (page.wrong(ProtocolError::Length { length, least, most }), all);
    }
    let whole = body + length as usize + 1;
    match bytes.get(body + 1) {
        Some(&code) => {
            let title = message::title(from, code, &QUIRKS).unwrap_or("Unknown message");
            page.heading(title, format_args!(" ({code:02X}) {from}, {whole} bytes at byte {at}"));
        }
        None => page.heading("Half a frame", format_args!(" {from} at byte {at}")),
    }
    page.envelope("preamble", format_args!("{preamble:02X}"));
    let block = if format == BlockFormat::Extended { " (extended block)" } else { "" };
    page.envelope("length", format_args!("{length}: magic, code and {} bytes of payload{block}", length - LENGTH_MIN));
    let Some(frame) = bytes.get(..whole) else {
        return (page.wrong(ProtocolError::Truncated { whole, came: all }), all);
    };

    let (magic, code, payload) = (frame[body], frame[body + 1], &frame[body + 2..whole - 1]);
    let (found, expected) = (frame[whole - 1], checksum(&frame[..whole - 1]));
    let understood = explain_payload(&mut page, from, format, code, payload);
    if magic != MAGIC {
        // PSP, Frame format: a P6X may be configured to send another one.
        if from == Direction::FromHost {
            return (page.wrong(ProtocolError::Magic { found: magic, expected: MAGIC }), whole);
        }
        page.envelope("magic", format_args!("{magic:02X}; only a P6X may send another one than {MAGIC:02X}"));
    }
    if found != expected {
        return (page.wrong(ProtocolError::Checksum { found, expected }), whole);
    }
    page.envelope("checksum", format_args!("{found:02X}"));
    match understood {
        Ok(()) => (page.explained(true), whole),
        Err(error) => (page.wrong(error), whole),
    }
}

fn explain_payload(
    page: &mut Page,
    from: Direction,
    format: BlockFormat,
    code: u8,
    payload: &[u8],
) -> Result<(), ProtocolError> {
    match from {
        Direction::FromHost => match Request::decode(code, payload, &QUIRKS) {
            Ok(request) => explain_request(page, &request),
            Err(error) => return not_ours(page, from, code, payload, error),
        },
        Direction::FromTerminal => {
            // Only a P6X has an answer to Request Ids of a fixed size.
            let family = if payload.len() == Ids::P6X_SIZE { Family::P6x } else { Family::Apollo };
            match Response::decode(code, payload, &Context::of(family, format)) {
                Ok(response) => explain_response(page, &response, payload),
                Err(error) => return not_ours(page, from, code, payload, error),
            }
        }
    }
    Ok(())
}

/// A Result of two bytes may be no Result at all.
fn not_ours(page: &mut Page, from: Direction, code: u8, payload: &[u8], error: ProtocolError) -> Result<(), ProtocolError> {
    if let (Direction::FromTerminal, 0x00, Some(status)) = (from, code, status_instead(payload)) {
        page.line("or a status", status);
        return Ok(());
    }
    Err(error)
}

fn explain_request(page: &mut Page, request: &Request) {
    match request {
        Request::Reset
        | Request::Synchronize
        | Request::Enable
        | Request::Disable
        | Request::GetStatus
        | Request::RequestIds
        | Request::AuthSession
        | Request::CancelSession => {}
        Request::Protocol(protocol) => explain_protocol(page, *protocol),
        Request::Setup(setup) => {
            match setup.timeout_seconds {
                0 | u32::MAX => page.line("timeout", format_args!("{}; assumed to mean never", setup.timeout_seconds)),
                seconds => page.line("timeout", format_args!("{seconds} seconds")),
            }
            page.line(
                "timeout action",
                match setup.action {
                    TimeoutAction::Commit => "00: commit the full amount",
                    TimeoutAction::Void => "01: void",
                },
            );
        }
        Request::StartSession(start) => {
            page.line("amount", format_args!("{} minor units", start.amount));
            page.line("session reference", start.reference);
            explain_wanted(page, &start.dol);
            explain_methods(page, start.payment_methods);
            explain_text(page, "logo", start.logo.as_deref());
            if start.hide_amount {
                page.line("amount", "is not shown");
            }
            explain_text(page, "QR address", start.qr_address.as_deref());
            explain_text(page, "reference text", start.reference_text.as_deref());
            explain_text(page, "second text", start.second_reference_text.as_deref());
            explain_tail(page, &start.tail);
        }
        Request::ReadCard(read) => {
            page.line("session reference", read.reference);
            explain_wanted(page, &read.dol);
            explain_methods(page, read.payment_methods);
            explain_text(page, "logo", read.logo.as_deref());
            explain_text(page, "QR address", read.qr_address.as_deref());
            explain_text(page, "reference text", read.reference_text.as_deref());
            explain_text(page, "second text", read.second_reference_text.as_deref());
            explain_text(page, "card message", read.message.as_deref());
            explain_tail(page, &read.tail);
        }
        Request::CommitSession { session, amount } => {
            page.line("session id", session);
            page.line("amount", format_args!("{amount} minor units"));
        }
        Request::UpdateSession { session, amount } => {
            page.line("session id", session);
            page.line("new total", format_args!("{amount} minor units"));
        }
        Request::VoidSession { session } => page.line("session id", session),
        Request::ListSessions { offset } => page.line("offset", format_args!("{offset} sessions")),
        Request::UiRequest(ui) => {
            page.line("type", ui.kind.as_str());
            ui.values.iter().for_each(|(key, value)| page.line(key, format_args!("{value:?}")));
        }
        Request::Control(Control::Reboot) => page.line("action", "00: reboot"),
        Request::ProprietaryExchange(raw) => page.line("C-APDU", shown_length(raw)),
        Request::RemoveSessions(raw)
        | Request::SelectLanguage(raw)
        | Request::MiFare(raw)
        | Request::ReadFile(raw)
        | Request::GetConnectionInfo(raw)
        | Request::GetReceipt(raw)
        | Request::GetTransactionRecord(raw) => page.line("payload", shown_length(raw)),
    }
}

fn explain_wanted(page: &mut Page, tags: &[Tag]) {
    if tags.is_empty() {
        page.line("data objects", "the terminal's default list");
    }
    for tag in tags {
        page.line("data object", format_args!("{tag} {}", tag.title()));
    }
}

fn explain_methods(page: &mut Page, methods: PaymentMethods) {
    match methods.0 {
        0x00 => {}
        0xFF => page.line("payment methods", "FF: all"),
        bits if bits == PaymentMethods::EMV.0 => page.line("payment methods", "02: EMV cards"),
        bits => page.line("payment methods", format_args!("{bits:02X}; of its bits only 02, EMV cards, is explained")),
    }
}

fn explain_text(page: &mut Page, label: &str, text: Option<&str>) {
    if let Some(text) = text {
        page.line(label, format_args!("{text:?}"));
    }
}

fn explain_tail(page: &mut Page, tail: &RawPayload) {
    if !tail.is_empty() {
        page.line("further fields", shown_length(tail));
    }
}

/// Bytes that may be card data.
fn shown_length(raw: &RawPayload) -> String {
    format!("{} bytes, not shown", raw.len())
}

fn explain_response(page: &mut Page, response: &Response, payload: &[u8]) {
    match response {
        Response::Synchronize | Response::Cancelled => {}
        Response::Result(verdict) => {
            match verdict {
                Verdict::Ok => page.line("verdict", "OK"),
                Verdict::NotOk(None) => page.line("verdict", "Not OK"),
                Verdict::NotOk(Some(reason)) => {
                    page.line("verdict", "Not OK");
                    page.line("reason", format_args!("{:02X}: {}", reason.0, explain_reason(*reason)));
                }
            }
            if let Some(status) = status_instead(payload) {
                page.line("or a status", status);
            }
        }
        Response::Protocol(protocol) => explain_protocol(page, *protocol),
        Response::Status(status) => page.line("state", Status::in_words(*status)),
        Response::Ids(ids) => {
            page.line("serial number", format_args!("{:?}", ids.serial_number));
            if let Some(model) = &ids.model {
                page.line("model", format_args!("{model:?}"));
            }
            ids.software.iter().for_each(|text| page.line("software", format_args!("{text:?}")));
        }
        Response::SessionList(list) => {
            page.line("total", format_args!("{} sessions", list.total));
            list.sessions.iter().for_each(|session| page.line("session id", session));
        }
        Response::CardRead(dol) => explain_dol(page, dol),
        Response::Approved { session, dol } => {
            page.line("session id", session);
            explain_dol(page, dol);
        }
        Response::PartiallyApproved { session, amount, dol } => {
            page.line("session id", session);
            page.line("authorised amount", format_args!("{amount} minor units"));
            explain_dol(page, dol);
        }
        Response::Declined { reason, rest } => {
            if let Some(reason) = reason {
                page.line("reason", format_args!("{reason:02X}: {}", explain_decline(*reason)));
            }
            match rest {
                AfterDecline::Nothing => {}
                AfterDecline::Objects(dol) => explain_dol(page, dol),
                AfterDecline::Raw(raw) => page.line("after the reason", shown_length(raw)),
            }
        }
        Response::ProprietaryCardRead(dol) => explain_dol(page, dol),
        Response::UpdateResult(result) => {
            page.line("outcome", format_args!("{:?}", result.outcome));
            page.line("session id", result.session);
            page.line("authorised amount", format_args!("{} minor units", result.amount));
            page.line("change", format_args!("{} minor units", result.change));
            page.line("decline reason", format_args!("{:02X}: {}", result.reason, explain_decline(result.reason)));
        }
        Response::UiEvent { button } => page.line("button", format_args!("{button:?}")),
        Response::ProprietaryResponse(raw) => page.line("R-APDU", shown_length(raw)),
        Response::File(raw) | Response::ConnectionInfo(raw) | Response::Receipt(raw) | Response::TransactionRecord(raw) => {
            page.line("payload", shown_length(raw));
        }
        Response::TransactionEvent(event) => page.line("event", format_args!("{event:?}")),
    }
}

/// Conflict C1: the status that a Result of two bytes may be.
fn status_instead(payload: &[u8]) -> Option<String> {
    let &[state, running @ (0 | 1)] = payload else {
        return None;
    };
    let state = TerminalState::of_byte(state)?;
    let words = Status { state, running: running == 1 }.in_words();
    Some(format!("{words}, if this answers a Get Status (Payter's pages disagree)"))
}

impl Status {
    fn in_words(self) -> String {
        let running = if self.running { "a transaction is running" } else { "no transaction is running" };
        format!("{}, {running}", self.state.as_str().to_ascii_uppercase())
    }
}

fn explain_protocol(page: &mut Page, protocol: Protocol) {
    page.line("version", protocol.version);
    page.line("options", format_args!("{:08X}", protocol.options.0));
    for (option, name) in Options::NAMED {
        if protocol.options.contains(option) {
            page.line("option", format_args!("{:02X}: {name}", option.0));
        }
    }
}

fn explain_dol(page: &mut Page, dol: &Dol) {
    for (tag, value) in dol.iter() {
        let title = tag.title();
        let bytes = value.len();
        match shown(dol, tag) {
            Some(text) => page.line("data object", format_args!("{tag} {title}, {bytes} bytes: {text}")),
            None => page.line("data object", format_args!("{tag} {title}, {bytes} bytes")),
        }
    }
    if let Some(damage) = dol.damage() {
        page.line("damage", format_args!("{damage}; the rest of the message counts"));
    }
}

/// What may be shown of a data object.
fn shown(dol: &Dol, tag: Tag) -> Option<String> {
    match tag {
        Tag::CARD_HASH => dol.card().hash.map(|hash| format!("{hash:?}")),
        Tag::MASKED_PAN => dol.card().masked_pan.map(|pan| format!("{pan:?}")),
        Tag::HOST_RESPONSE | Tag::BRAND_NAME => dol.get(tag).map(|text| format!("{:?}", String::from_utf8_lossy(text))),
        _ => None,
    }
}
