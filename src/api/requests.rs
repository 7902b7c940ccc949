//! `/v1/terminals/{id}/request`: any message that is about no money, for integrators. What Payter's pages leave unexplained goes in and
//! comes out as hexadecimal digits.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::auth::{Admin, By};
use super::body::Body;
use super::error::{Problem, quoted};
use super::routes::Routes;
use super::schema::TerminalState;
use super::view::CardView;
use super::{Api, schema};
use crate::id::SessionReference;
use crate::protocol::error::explain_reason;
use crate::protocol::request::{Control, ReadCard, Ui, UiKind};
use crate::protocol::response::{Response, Verdict};
use crate::protocol::{RawPayload, Request};
use crate::session::Refusal;

/// A card may take its time, and a card that is being authorised for somebody else is waited for; more means that nobody answers.
const LIMIT: Duration = Duration::from_secs(300);

/// The longest raw payload of a default block, and of an extended one as far as anybody knows.
const PAYLOAD_MAX: usize = 4096;

pub(super) fn routes(routes: &mut Routes) {
    routes.serve(__path_ask, ask);
}

/// Send any message that is about no money
///
/// For integrators. What Payter's pages leave unexplained is a `payload` of hexadecimal digits, both ways. `read_card` opens a card flow without
/// money, after which `exchange` and `mifare` may follow for 30 s, until `cancel_card`. The answer may take as long as a card does.
#[utoipa::path(post, path = "/v1/terminals/{id}/request", operation_id = "ask_terminal", security(("token" = ["admin"])),
    params(("id" = schema::TerminalName, Path)),
    request_body = Question,
    responses((status = 200, description = "What the terminal has answered.", body = TerminalAnswer)),
    extensions(("x-problem-codes" = json!(["terminal_busy", "terminal_not_ready", "terminal_unanswered", "not_supported", "draining",
        "journal_unavailable"]))))]
async fn ask(by: By<Admin>, request: HttpRequest, mut body: Body, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let wanted = read(&mut body)?;
    body.nothing_else()?;
    let terminal = api.depot.terminal(request.match_info().query("id"))?.id;
    let name = wanted.name();
    let answer = tokio::time::timeout(LIMIT, api.depot.request(terminal.as_str(), wanted, by.name)).await;
    let answer = answer.map_err(|_| Refusal::TerminalUnanswered { terminal, request: name })??;
    Ok(HttpResponse::Ok().json(view(&answer)))
}

/// A field of a request, and whether it must be there.
type Field = (&'static str, bool);

const PAYLOAD: Field = ("payload", true);
const PERHAPS_PAYLOAD: Field = ("payload", false);

/// Every request, with its fields.
const REQUESTS: [(&str, &[Field]); 13] = [
    ("get_status", &[]),
    ("request_ids", &[]),
    ("read_card", &[("message", false)]),
    ("cancel_card", &[]),
    ("exchange", &[PAYLOAD]),
    ("mifare", &[PAYLOAD]),
    ("ui", &[("type", true), ("values", false)]),
    ("select_language", &[PAYLOAD]),
    ("read_file", &[PERHAPS_PAYLOAD]),
    ("get_connection_info", &[PERHAPS_PAYLOAD]),
    ("get_receipt", &[PERHAPS_PAYLOAD]),
    ("get_transaction_record", &[PERHAPS_PAYLOAD]),
    ("reboot", &[]),
];

/// A request by its name, with its fields.
struct Question;

impl PartialSchema for Question {
    fn schema() -> RefOr<Schema> {
        let kinds = REQUESTS.into_iter().fold(OneOfBuilder::new(), |kinds, (name, fields)| {
            let kind = ObjectBuilder::new().property("request", schema::one_of(&[name])).required("request");
            let kind = fields.iter().fold(kind, |kind, (field, needed)| {
                let kind = kind.property(*field, field_schema(field));
                if *needed { kind.required(*field) } else { kind }
            });
            kinds.item(kind)
        });
        kinds.description(Some("A request by its name, with its fields.")).examples([json!({ "request": "get_status" })]).into()
    }
}

impl ToSchema for Question {}

fn field_schema(field: &str) -> RefOr<Schema> {
    let text = schema::text();
    match field {
        "payload" => text.pattern(Some("^([0-9a-fA-F]{2})*$")).max_length(Some(2 * PAYLOAD_MAX)).into(),
        "values" => {
            let pair =
                ArrayBuilder::new().items(schema::text().pattern(Some("^[^\\u0000]*$"))).min_items(Some(2)).max_items(Some(2));
            ArrayBuilder::new().items(pair).examples([json!([["title", "Receipt?"]])]).into()
        }
        _ => text.into(),
    }
}

/// The response by its name, with those of its fields that it has.
struct TerminalAnswer;

impl PartialSchema for TerminalAnswer {
    fn schema() -> RefOr<Schema> {
        let truth = || ObjectBuilder::new().schema_type(Type::Boolean);
        let perhaps = || ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        ObjectBuilder::new()
            .property("response", schema::text())
            .required("response")
            .property("ok", truth())
            .property("reason", perhaps())
            .property("state", TerminalState::schema())
            .property("running", truth())
            .property("serial_number", schema::text())
            .property("model", perhaps())
            .property("software", ArrayBuilder::new().items(schema::text()))
            .property("card", CardView::schema())
            .property("payload", schema::text().description(Some("Hexadecimal digits.")))
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .description(Some("The response by its name, with those of its fields that it has."))
            .examples([json!({ "response": "receipt", "payload": "4d4552" })])
            .into()
    }
}

impl ToSchema for TerminalAnswer {}

/// The request, from its name and its fields.
fn read(body: &mut Body) -> Result<Request, Problem> {
    let name = body.text("request")?;
    let request = match name.as_str() {
        "get_status" => Request::GetStatus,
        "request_ids" => Request::RequestIds,
        "read_card" => {
            // Nothing is held under this number, so that no session's can be taken for it.
            let message = body.optional_text("message")?;
            Request::ReadCard(ReadCard { message, ..ReadCard::new(SessionReference(rand::random_range(1..=u32::MAX))) })
        }
        "cancel_card" => Request::CancelSession,
        "exchange" => Request::ProprietaryExchange(payload(body, true)?),
        "mifare" => Request::MiFare(payload(body, true)?),
        "ui" => Request::UiRequest(ui(body)?),
        "select_language" => Request::SelectLanguage(payload(body, true)?),
        "read_file" => Request::ReadFile(payload(body, false)?),
        "get_connection_info" => Request::GetConnectionInfo(payload(body, false)?),
        "get_receipt" => Request::GetReceipt(payload(body, false)?),
        "get_transaction_record" => Request::GetTransactionRecord(payload(body, false)?),
        "reboot" => Request::Control(Control::Reboot),
        other => {
            let known = REQUESTS.map(|(name, _)| name).join(", ");
            let came = quoted(other);
            return Err(Problem::malformed(format!(
                "the field \"request\" is expected to be one of {known}, but it is {came}"
            )));
        }
    };
    Ok(request)
}

fn payload(body: &mut Body, needed: bool) -> Result<RawPayload, Problem> {
    let text = if needed { body.text("payload")? } else { body.optional_text("payload")?.unwrap_or_default() };
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let bytes = digits.filter(|digits| digits.len() % 2 == 0 && digits.len() / 2 <= PAYLOAD_MAX);
    let bytes = bytes.map(|digits| digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect::<Vec<u8>>());
    bytes.map(RawPayload::from).ok_or_else(|| {
        Problem::malformed(format!(
            "the field \"payload\" is expected to be an even number of hexadecimal digits, for at most {PAYLOAD_MAX} bytes"
        ))
    })
}

/// A screen: its type, and its keys and values in the order in which they are sent.
fn ui(body: &mut Body) -> Result<Ui, Problem> {
    let kind = UiKind::of(body.text("type")?);
    let pairs = body.optional_list("values")?.unwrap_or_default();
    pairs.iter().try_fold(Ui::new(kind), |ui, pair| match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(key), Value::String(value)]) if !key.contains('\0') && !value.contains('\0') => {
            Ok(ui.with(key, value))
        }
        _ => {
            Err(Problem::malformed("the field \"values\" is expected to be a list of pairs of texts: [[\"title\", \"…\"], …]"))
        }
    })
}

#[derive(Serialize)]
struct Card<'a> {
    response: &'static str,
    card: CardView<'a>,
}

fn view(answer: &Response) -> Value {
    let name = answer.name();
    let raw = |payload: &RawPayload| {
        let hex: String = payload.reveal().iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "response": name, "payload": hex })
    };
    match answer {
        Response::Result(Verdict::Ok) => json!({ "response": name, "ok": true, "reason": null }),
        Response::Result(Verdict::NotOk(reason)) => {
            let words = reason.map(|reason| format!("{} (0x{:02X})", explain_reason(reason), reason.0));
            json!({ "response": name, "ok": false, "reason": words })
        }
        Response::Status(status) => json!({ "response": name, "state": status.state.as_str(), "running": status.running }),
        Response::Ids(ids) => {
            json!({ "response": name, "serial_number": ids.serial_number, "model": ids.model, "software": ids.software })
        }
        Response::CardRead(dol) | Response::ProprietaryCardRead(dol) => {
            let card = dol.card();
            serde_json::to_value(Card { response: name, card: CardView::of(&card) }).unwrap_or_default()
        }
        Response::ProprietaryResponse(payload)
        | Response::File(payload)
        | Response::ConnectionInfo(payload)
        | Response::Receipt(payload)
        | Response::TransactionRecord(payload) => raw(payload),
        // What is about money or unasked does not answer any of these requests; of the rest the name says all.
        Response::Cancelled
        | Response::Synchronize
        | Response::Protocol(_)
        | Response::SessionList(_)
        | Response::Approved { .. }
        | Response::PartiallyApproved { .. }
        | Response::Declined { .. }
        | Response::UpdateResult(_)
        | Response::TransactionEvent(_)
        | Response::UiEvent { .. } => json!({ "response": name }),
    }
}
