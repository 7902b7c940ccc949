//! Any message, for either family.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::id::{SessionReference, TerminalSessionId};
use crate::money::Amount;
use crate::protocol::dol::Tag;
use crate::protocol::request::{
    Button, Control, Options, PaymentMethods, Protocol, ReadCard, Setup, StartSession, TimeoutAction, Ui, UiKind,
};
use crate::protocol::response::{
    AfterDecline, Ids, Reason, SessionList, Status, TerminalState, TransactionEvent, UpdateOutcome, UpdateResult, Verdict,
};
use crate::protocol::{Dol, Family, RawPayload, Request, Response};

pub(super) fn any_tag() -> impl Strategy<Value = Tag> {
    (any::<u8>(), 0u8..0x80).prop_map(|(second, third)| Tag([0xDF, second | 0x80, third]))
}

pub(super) fn any_dol() -> impl Strategy<Value = Dol> {
    let objects = vec((any_tag(), vec(any::<u8>(), 0..40)), 0..5);
    objects.prop_map(|objects| objects.into_iter().fold(Dol::default(), |dol, (tag, value)| dol.with(tag, value)))
}

pub(super) fn any_family() -> impl Strategy<Value = Family> {
    select(&Family::ALL[..])
}

fn any_session() -> impl Strategy<Value = TerminalSessionId> {
    any::<u32>().prop_map(TerminalSessionId)
}

fn any_amount() -> impl Strategy<Value = Amount> {
    any::<u32>().prop_map(Amount::from_minor)
}

fn any_raw() -> impl Strategy<Value = RawPayload> {
    vec(any::<u8>(), 0..60).prop_map(RawPayload::from)
}

/// Text that can be absent.
fn any_text() -> impl Strategy<Value = Option<String>> {
    option::of("[ -~äß]{1,12}")
}

fn any_protocol() -> impl Strategy<Value = Protocol> {
    (any::<u8>(), any::<u32>()).prop_map(|(version, options)| Protocol { version, options: Options(options) })
}

fn any_start() -> impl Strategy<Value = StartSession> {
    let texts = (any_text(), any_text(), any_text(), any_text());
    let plain = (any_amount(), any::<u32>(), vec(any_tag(), 0..8), any::<u8>(), any::<bool>());
    (plain, texts, any_raw()).prop_map(|((amount, reference, dol, methods, hide_amount), texts, tail)| {
        let (logo, qr_address, reference_text, second_reference_text) = texts;
        let (reference, payment_methods) = (SessionReference(reference), PaymentMethods(methods));
        StartSession {
            amount,
            reference,
            dol,
            payment_methods,
            logo,
            hide_amount,
            qr_address,
            reference_text,
            second_reference_text,
            tail,
        }
    })
}

fn any_read_card() -> impl Strategy<Value = ReadCard> {
    (any_start(), any_text()).prop_map(|(start, message)| {
        let StartSession {
            reference, dol, payment_methods, logo, qr_address, reference_text, second_reference_text, tail, ..
        } = start;
        ReadCard { reference, dol, payment_methods, logo, qr_address, reference_text, second_reference_text, message, tail }
    })
}

fn any_ui() -> impl Strategy<Value = Ui> {
    let button = ("[a-z]{1,8}", "[ -~ä]{0,10}", option::of(any::<bool>())).prop_map(|(name, label, transparent)| Button {
        name,
        label,
        transparent,
    });
    let screens = ("[ -~]{0,12}", vec(button, 0..3)).prop_flat_map(|(title, buttons)| {
        select(vec![
            Ui::info(&title),
            Ui::notification(&title).subtitle("s").color(crate::protocol::request::Color::Green),
            Ui::dialog(&title, &buttons),
            Ui::selection(&title, &buttons),
            Ui::spinner(&title).amount("1.00", "EUR"),
            Ui::carousel(),
            Ui::template(&title),
        ])
    });
    prop_oneof![
        screens,
        ("other[a-z]{0,9}", vec(("[a-z.]{0,9}", "[ -~]{0,9}"), 0..4))
            .prop_map(|(kind, values)| Ui { kind: UiKind::Other(kind), values })
    ]
}

/// Any request but Protocol that every Apollo knows.
fn any_apollo_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        any_start().prop_map(Request::StartSession),
        any_read_card().prop_map(Request::ReadCard),
        (any_session(), any_amount()).prop_map(|(session, amount)| Request::UpdateSession { session, amount }),
        any_ui().prop_map(Request::UiRequest),
        any_raw().prop_map(Request::SelectLanguage),
        any_raw().prop_map(Request::ProprietaryExchange),
        any_raw().prop_map(Request::MiFare),
        any_raw().prop_map(Request::GetConnectionInfo),
        any_raw().prop_map(Request::GetReceipt),
        any_raw().prop_map(Request::GetTransactionRecord),
        Just(Request::Control(Control::Reboot)),
    ]
}

fn any_p6x_request() -> impl Strategy<Value = Request> {
    let start = (any_amount(), any::<u32>(), vec(any_tag(), 0..8)).prop_map(|(amount, reference, dol)| {
        Request::StartSession(StartSession { dol, ..StartSession::new(amount, SessionReference(reference)) })
    });
    prop_oneof![start, any_raw().prop_map(Request::ReadFile), any::<u8>().prop_map(|offset| Request::ListSessions { offset })]
}

/// Any request that this family knows.
pub(super) fn any_request(family: Family) -> impl Strategy<Value = Request> {
    let own = match family {
        Family::Apollo => any_apollo_request().boxed(),
        Family::P6x => any_p6x_request().boxed(),
    };
    let action = prop_oneof![Just(TimeoutAction::Commit), Just(TimeoutAction::Void)];
    let setup = (any::<u32>(), action).prop_map(|(timeout_seconds, action)| Request::Setup(Setup { timeout_seconds, action }));
    let protocol = any_protocol().prop_map(move |protocol| {
        Request::Protocol(Protocol { options: Options(protocol.options.0 & family.options().0), ..protocol })
    });
    let empty = select(vec![
        Request::Reset,
        Request::Synchronize,
        Request::Enable,
        Request::Disable,
        Request::GetStatus,
        Request::RequestIds,
        Request::AuthSession,
        Request::CancelSession,
    ]);
    prop_oneof![
        4 => empty,
        1 => protocol,
        1 => setup,
        1 => (any_session(), any_amount()).prop_map(|(session, amount)| Request::CommitSession { session, amount }),
        1 => any_session().prop_map(|session| Request::VoidSession { session }),
        1 => any_raw().prop_map(Request::RemoveSessions),
        6 => own,
    ]
}

fn any_ids(family: Family) -> impl Strategy<Value = Ids> {
    let text = || "[!-~]{1,14}";
    match family {
        Family::Apollo => (text(), option::of(text()), vec(text(), 0..6))
            .prop_map(|(serial_number, model, software)| Ids { serial_number, model, software })
            .boxed(),
        Family::P6x => (text(), "[!-~]{0,64}")
            .prop_map(|(serial_number, firmware)| Ids { serial_number, model: None, software: vec![firmware] })
            .boxed(),
    }
}

fn any_decline() -> impl Strategy<Value = Response> {
    let some_dol = || any_dol().prop_filter("a decline without objects has no list of them", |dol| dol.encoded_len() > 0);
    prop_oneof![
        Just(Response::declined(None)),
        any::<u8>().prop_map(|reason| Response::declined(Some(reason))),
        (option::of(any::<u8>()), some_dol())
            .prop_map(|(reason, dol)| Response::Declined { reason, rest: AfterDecline::Objects(dol) }),
        // No length is so long, in either block format.
        (any::<u8>(), vec(0xC0u8.., 3..30)).prop_map(|(reason, raw)| {
            Response::Declined { reason: Some(reason | 0xC0), rest: AfterDecline::Raw(raw.into()) }
        }),
    ]
}

/// Any response, as a terminal of this family writes it.
pub(super) fn any_response(family: Family) -> impl Strategy<Value = Response> {
    let status = (select(&TerminalState::ALL[..]), any::<bool>());
    let partly = (any_session(), any_amount(), any_dol());
    let event = prop_oneof![
        Just(TransactionEvent::Started),
        Just(TransactionEvent::ReadingCard),
        Just(TransactionEvent::CardReadComplete),
        Just(TransactionEvent::TransactionComplete),
        (4u8..).prop_map(TransactionEvent::Unknown),
    ];
    let outcome = select(vec![UpdateOutcome::Approved, UpdateOutcome::Partly, UpdateOutcome::Declined]);
    let update = (outcome, any_session(), any_amount(), any::<u32>(), any::<u8>())
        .prop_map(|(outcome, session, amount, change, reason)| UpdateResult { outcome, session, amount, change, reason });
    let raw = any_raw().prop_flat_map(|raw| {
        select(vec![
            Response::ProprietaryResponse(raw.clone()),
            Response::File(raw.clone()),
            Response::ConnectionInfo(raw.clone()),
            Response::Receipt(raw.clone()),
            Response::TransactionRecord(raw),
        ])
    });
    prop_oneof![
        Just(Response::Result(Verdict::Ok)),
        option::of(any::<u8>().prop_map(Reason)).prop_map(|reason| Response::Result(Verdict::NotOk(reason))),
        Just(Response::Synchronize),
        any_protocol().prop_map(Response::Protocol),
        status.prop_map(|(state, running)| Response::Status(Status { state, running })),
        any_ids(family).prop_map(Response::Ids),
        (any::<u8>(), vec(any_session(), 0..=62))
            .prop_map(|(total, sessions)| Response::SessionList(SessionList { total, sessions })),
        any_dol().prop_map(Response::CardRead),
        any_dol().prop_map(Response::ProprietaryCardRead),
        (any_session(), any_dol()).prop_map(|(session, dol)| Response::Approved { session, dol }),
        partly.prop_map(|(session, amount, dol)| Response::PartiallyApproved { session, amount, dol }),
        any_decline(),
        Just(Response::Cancelled),
        update.prop_map(Response::UpdateResult),
        event.prop_map(Response::TransactionEvent),
        "[ -~]{0,12}".prop_map(|button| Response::UiEvent { button }),
        raw,
    ]
}
