//! Messages of a card flow: from Start Session or Read Card to what ends it.

use quittance::id::SessionReference;
use quittance::money::Amount;
use quittance::protocol::dol::Tag;
use quittance::protocol::request::{Options, PaymentMethods, ReadCard, StartSession};
use quittance::protocol::response::{AfterDecline, TerminalState, TransactionEvent, Verdict};
use quittance::protocol::{Dol, Family, RawPayload, Request, Response};
use quittance::sim::{CardTimeout, Policy, Screen, SimCard};

use super::{Bench, SESSION, start};

const APOLLO: Family = Family::Apollo;
const P6X: Family = Family::P6x;
const PLAIN: Options = Options(0);

/// The card of the published frames, and its data objects.
fn card() -> (SimCard, Dol) {
    let (hash, pan) = ("3012041092BEBAF23AFC1DA175B1F3A529E6F2D1", "0100000018");
    let dol = Dol::default().with(Tag::CARD_HASH, hash).with(Tag::MASKED_PAN, pan);
    (SimCard::new(hash, pan), dol)
}

async fn start_session(family: Family, options: Options, request: StartSession) -> Bench {
    let mut bench = Bench::enabled(family, options).await;
    let ticket = bench.send(Request::StartSession(request.clone()));
    bench.wait_for(TerminalState::WaitCard).await;
    bench.was_told(&Request::StartSession(request));
    let (card, dol) = card();
    assert!(bench.terminal.tap(&card));
    assert_eq!(bench.answer(ticket).await, Response::CardRead(dol));
    bench
}

/// Fields 1 to 10; the longest address of a QR code goes into an extended block only.
#[actix::test]
async fn start_session_on_apollo() {
    for (options, address) in [(PLAIN, "https://pay.example/7".to_owned()), (Options::EXTENDED_BLOCK, "x".repeat(4296))] {
        let full = StartSession {
            dol: vec![Tag::CARD_HASH, Tag::MASKED_PAN],
            payment_methods: PaymentMethods::EMV,
            logo: Some("depot".into()),
            hide_amount: true,
            qr_address: Some(address.clone()),
            reference_text: Some("Bay 7".into()),
            second_reference_text: Some("CCS".into()),
            ..StartSession::new(Amount::from_minor(2500), SessionReference(7))
        };
        let bench = start_session(APOLLO, options, full).await;
        let Some(Screen::Card(screen)) = bench.terminal.snapshot().screen else { panic!() };
        assert_eq!((screen.amount, screen.reference.as_str()), (None, "Bay 7"));
        assert_eq!((screen.second_reference.as_deref(), screen.qr_address), (Some("CCS"), Some(address)));
    }
}

#[actix::test]
async fn start_session_on_p6x() {
    let plain = StartSession::new(Amount::from_minor(2500), SessionReference(7));
    let bench = start_session(P6X, PLAIN, StartSession { dol: vec![Tag::CARD_HASH, Tag::MASKED_PAN], ..plain }).await;
    let Some(Screen::Card(screen)) = bench.terminal.snapshot().screen else { panic!() };
    assert_eq!((screen.amount, screen.reference.as_str()), (Some(Amount::from_minor(2500)), "7"));
}

/// In both block formats: the length of its data objects has another size in each.
#[actix::test]
async fn card_read_on_apollo() {
    for options in [PLAIN, Options::EXTENDED_BLOCK] {
        start_session(APOLLO, options, StartSession::new(Amount::from_minor(1), SessionReference(7))).await;
    }
}

#[actix::test]
async fn card_read_on_p6x() {
    start_session(P6X, PLAIN, StartSession::new(Amount::from_minor(1), SessionReference(7))).await;
}

#[actix::test]
async fn read_card_on_apollo() {
    let mut bench = Bench::enabled(APOLLO, PLAIN).await;
    let read = ReadCard { message: Some("Hold your card".into()), ..ReadCard::new(SessionReference(8)) };
    let ticket = bench.send(Request::ReadCard(read.clone()));
    bench.wait_for(TerminalState::WaitCard).await;
    bench.was_told(&Request::ReadCard(read));
    let (card, dol) = card();
    assert!(bench.terminal.tap(&card));
    assert_eq!(bench.answer(ticket).await, Response::CardRead(dol));
    assert_eq!(bench.ask(Request::CancelSession).await, Response::Cancelled);
    assert_eq!(bench.terminal.bank().holds(), []);
}

/// An Apollo that waits for a card, and a badge that was held against it.
async fn with_badge(options: Options, badge: &SimCard) -> (Bench, Response) {
    let (mut bench, ticket) = Bench::waiting(APOLLO, options, 2500).await;
    assert!(bench.terminal.tap(badge));
    let read = bench.answer(ticket).await;
    (bench, read)
}

#[actix::test]
async fn proprietary_card_read_on_apollo() {
    let badge = SimCard::badge(5);
    let dol = Dol::default().with(Tag::CARD_HASH, badge.hash().reveal());
    for options in [PLAIN, Options::EXTENDED_BLOCK] {
        let (mut bench, read) = with_badge(options, &badge).await;
        assert_eq!(read, Response::ProprietaryCardRead(dol.clone()));
        assert_eq!(bench.ask(Request::CancelSession).await, Response::Cancelled);
    }
}

/// With the C-APDU of the published frame.
async fn exchange(request: fn(RawPayload) -> Request) {
    let told = b"\x00\xA4\x04\x00\x0E2PAY.SYS.DDF01\x00";
    let (mut bench, _) = with_badge(PLAIN, &SimCard::badge(5).answering(told, &[0x6F, 0x00, 0x90, 0x00])).await;
    let asked = request(RawPayload::from(&told[..]));
    let answer = Response::ProprietaryResponse(vec![0x6F, 0x00, 0x90, 0x00].into());
    assert_eq!(bench.ask(asked.clone()).await, answer);
    bench.was_told(&asked);
}

#[actix::test]
async fn proprietary_exchange_on_apollo() {
    exchange(Request::ProprietaryExchange).await;
}

#[actix::test]
async fn mifare_on_apollo() {
    exchange(Request::MiFare).await;
}

#[actix::test]
async fn proprietary_response_on_apollo() {
    let (mut bench, _) = with_badge(Options::EXTENDED_BLOCK, &SimCard::badge(5)).await;
    let answer = bench.ask(Request::ProprietaryExchange(RawPayload::from(&[0x80][..]))).await;
    assert_eq!(answer, Response::ProprietaryResponse(vec![0x6D, 0x00].into()));
}

async fn auth_session(family: Family) {
    let mut bench = Bench::read(family, Options::AUTHORIZATION_DOL, 2500, &card().0).await;
    let approved = bench.ask(Request::AuthSession).await;
    assert_eq!(approved, Response::Approved { session: SESSION, dol: card().1 });
    bench.was_told(&Request::AuthSession);
    let held: Vec<u32> = bench.terminal.open_holds().iter().map(|hold| hold.amount.minor()).collect();
    assert_eq!((held, bench.state()), (vec![2500], TerminalState::Enabled));
}

#[actix::test]
async fn auth_session_on_apollo() {
    auth_session(APOLLO).await;
}

#[actix::test]
async fn auth_session_on_p6x() {
    auth_session(P6X).await;
}

/// Without the option, no data objects; in extended block, their length has two bytes.
#[actix::test]
async fn approved_on_apollo() {
    for (options, dol) in [(PLAIN, Dol::default()), (Options::EXTENDED_BLOCK.with(Options::AUTHORIZATION_DOL), card().1)] {
        let mut bench = Bench::read(APOLLO, options, 2500, &card().0).await;
        assert_eq!(bench.ask(Request::AuthSession).await, Response::Approved { session: SESSION, dol });
    }
}

#[actix::test]
async fn approved_on_p6x() {
    Bench::holding(P6X, PLAIN, 2500).await;
}

#[actix::test]
async fn partially_approved_on_apollo() {
    for (options, dol) in [(PLAIN, Dol::default()), (Options::EXTENDED_BLOCK.with(Options::AUTHORIZATION_DOL), card().1)] {
        let mut bench = Bench::read(APOLLO, options, 2500, &card().0).await;
        bench.terminal.bank().set_policy(&card().0, Policy::partial(Amount::from_minor(700)));
        let amount = Amount::from_minor(700);
        assert_eq!(bench.ask(Request::AuthSession).await, Response::PartiallyApproved { session: SESSION, amount, dol });
        assert_eq!(bench.terminal.open_holds()[0].amount, amount);
    }
}

async fn declined(family: Family, options: Options) -> Response {
    let mut bench = Bench::read(family, options, 2500, &card().0).await;
    bench.terminal.bank().set_policy(&card().0, Policy::decline(0x09));
    let declined = bench.ask(Request::AuthSession).await;
    assert_eq!(bench.terminal.bank().holds(), []);
    declined
}

#[actix::test]
async fn declined_on_apollo() {
    let both = Options::DETAILED_CODES.with(Options::DECLINED_DOL);
    assert_eq!(declined(APOLLO, PLAIN).await, Response::declined(None));
    assert_eq!(declined(APOLLO, Options::DETAILED_CODES).await, Response::declined(Some(0x09)));
    for options in [both, both.with(Options::EXTENDED_BLOCK)] {
        let rest = AfterDecline::Objects(card().1);
        assert_eq!(declined(APOLLO, options).await, Response::Declined { reason: Some(0x09), rest });
    }
}

#[actix::test]
async fn declined_on_p6x() {
    assert_eq!(declined(P6X, PLAIN).await, Response::declined(None));
}

/// Before a card and after one.
async fn cancel_session(family: Family) {
    let (mut bench, ticket) = Bench::waiting(family, PLAIN, 2500).await;
    assert_eq!(bench.ask_while_waiting(Request::CancelSession, ticket).await, Response::Cancelled);
    bench.was_told(&Request::CancelSession);
    let mut bench = Bench::read(family, PLAIN, 2500, &card().0).await;
    assert_eq!(bench.ask(Request::CancelSession).await, Response::Cancelled);
    assert_eq!((bench.state(), bench.terminal.bank().holds()), (TerminalState::Enabled, Vec::new()));
}

#[actix::test]
async fn cancel_session_on_apollo() {
    cancel_session(APOLLO).await;
}

#[actix::test]
async fn cancel_session_on_p6x() {
    cancel_session(P6X).await;
}

/// Nobody presents a card.
async fn cancelled(family: Family) {
    let (mut bench, ticket) = Bench::waiting(family, PLAIN, 2500).await;
    bench.terminal.set_quirks(|quirks| quirks.card_timeout = std::time::Duration::from_millis(50));
    assert_eq!(bench.ask_while_waiting(Request::CancelSession, ticket).await, Response::Cancelled);
    let ticket = bench.send(start(2500));
    assert_eq!(bench.answer(ticket).await, Response::Cancelled);
    bench.terminal.set_quirks(|quirks| quirks.on_card_timeout = CardTimeout::NotOk);
    assert_eq!(bench.ask(start(2500)).await, Response::Result(Verdict::NotOk(None)));
}

#[actix::test]
async fn cancelled_on_apollo() {
    cancelled(APOLLO).await;
}

#[actix::test]
async fn cancelled_on_p6x() {
    cancelled(P6X).await;
}

/// Four of them, each before what it announces.
async fn transaction_event(family: Family) {
    let mut bench = Bench::read(family, Options::EVENTS, 2500, &card().0).await;
    bench.ask(Request::AuthSession).await;
    let told: Vec<_> = bench.unasked.drain(..).collect();
    let wanted = [
        TransactionEvent::Started,
        TransactionEvent::ReadingCard,
        TransactionEvent::CardReadComplete,
        TransactionEvent::TransactionComplete,
    ];
    assert_eq!(told, wanted.map(Response::TransactionEvent));
}

#[actix::test]
async fn transaction_event_on_apollo() {
    transaction_event(APOLLO).await;
}

#[actix::test]
async fn transaction_event_on_p6x() {
    transaction_event(P6X).await;
}
