//! What only an Apollo does: screens and buttons, cards that cannot pay, reading without an amount.

use std::time::Duration;

use super::{Bench, said, start};
use crate::id::SessionReference;
use crate::money::Amount;
use crate::protocol::request::{
    Button, Control, Options, PaymentMethods, Protocol, ReadCard, Setup, StartSession, TimeoutAction, Ui, UiKind,
};
use crate::protocol::response::{AfterDecline, Reason, TerminalState, Verdict};
use crate::protocol::{Dol, Family, RawPayload, Request, Response, dol};
use crate::sim::{Input, Output, Paper, Policy, Quirks, Screen, SimCard};

const OK: [Response; 1] = [Response::Result(Verdict::Ok)];
const SETUP: Setup = Setup { timeout_seconds: 60, action: TimeoutAction::Void };

fn no(reason: u8) -> [Response; 1] {
    [Response::Result(Verdict::NotOk(Some(Reason(reason))))]
}

/// With reasons.
fn bench() -> Bench {
    let mut bench = Bench::new(Family::Apollo);
    bench.set_up(Options::DETAILED_CODES, SETUP);
    bench
}

fn raw(bytes: &'static [u8]) -> RawPayload {
    RawPayload::from(bytes)
}

#[test]
fn a_screen_waits_behind_a_card_flow_and_the_latest_one_comes() {
    let mut bench = bench();
    assert_eq!(bench.terminal.screen(), None);
    assert_eq!(bench.ask(Request::UiRequest(Ui::spinner("one"))), OK);
    assert_eq!(bench.terminal.screen(), Some(Screen::Ui(Ui::spinner("one"))));
    bench.start(2500);
    let asks = |bench: &Bench| matches!(bench.terminal.screen(), Some(Screen::Card(_)));
    assert!(asks(&bench));
    assert_eq!(bench.ask(Request::UiRequest(Ui::spinner("two"))), OK);
    bench.tap(1);
    assert_eq!(bench.ask(Request::UiRequest(Ui::spinner("three"))), OK);
    assert!(asks(&bench));
    bench.ask(Request::AuthSession);
    assert_eq!(bench.terminal.screen(), Some(Screen::Ui(Ui::spinner("three"))));
    bench.ask(Request::Reset);
    assert_eq!(bench.terminal.screen(), None);
    assert_eq!(bench.ask(Request::UiRequest(Ui::spinner("four"))), [Response::Result(Verdict::NotOk(None))]);
}

#[test]
fn a_screen_that_is_none_is_refused() {
    let mut bench = bench();
    assert_eq!(bench.ask(Request::UiRequest(Ui::new(UiKind::Other("fireworks".into())))), no(0x08));
    assert_eq!(bench.terminal.screen(), None);
}

#[test]
fn a_button_is_told_while_it_is_to_be_seen() {
    let mut bench = bench();
    let yes = Button { name: "yes".into(), label: "Yes".into(), transparent: None };
    bench.ask(Request::UiRequest(Ui::dialog("More?", &[yes])));
    let press = |bench: &mut Bench, name: &str| said(bench.on(Input::Press(name.into())));
    assert_eq!(press(&mut bench, "no"), []);
    assert_eq!(press(&mut bench, "yes"), [Response::UiEvent { button: "yes".into() }]);
    bench.start(100);
    assert_eq!(press(&mut bench, "yes"), []);
}

#[test]
fn fields_five_to_ten_are_what_the_driver_sees() {
    let mut bench = bench();
    let full = StartSession {
        payment_methods: PaymentMethods(0x01),
        logo: Some("depot".into()),
        hide_amount: false,
        qr_address: Some("https://pay.example/7".into()),
        reference_text: Some("Bay 7".into()),
        second_reference_text: Some("CCS".into()),
        ..StartSession::new(Amount::from_minor(2500), SessionReference(7))
    };
    bench.ask(Request::StartSession(full.clone()));
    let Some(Screen::Card(screen)) = bench.terminal.screen() else { panic!() };
    assert_eq!((screen.amount, screen.reference.as_str()), (Some(Amount::from_minor(2500)), "Bay 7"));
    let rest = [screen.second_reference, screen.logo, screen.qr_address, screen.message];
    assert_eq!(rest.map(Option::unwrap_or_default), ["CCS", "depot", "https://pay.example/7", ""]);
    // No EMV cards: the terminal does not read one.
    assert_eq!(bench.tap(1), []);
    assert_eq!(bench.terminal.state(), TerminalState::WaitCard);
    bench.ask(Request::CancelSession);

    let hidden = StartSession { hide_amount: true, payment_methods: PaymentMethods::EMV, ..full };
    bench.ask(Request::StartSession(hidden.clone()));
    let Some(Screen::Card(screen)) = bench.terminal.screen() else { panic!() };
    assert_eq!((screen.amount, screen.logo), (None, None), "the logo is shown only if EMV is off");
    assert_eq!(bench.tap(1).len(), 1);

    let mut p6x = Bench::new(Family::P6x);
    p6x.enable();
    assert_eq!(p6x.ask(Request::StartSession(hidden)), [Response::Result(Verdict::NotOk(None))]);
}

#[test]
fn a_card_is_read_without_an_amount_and_cannot_be_charged() {
    let mut bench = bench();
    let read = ReadCard { message: Some("Hold your card".into()), ..ReadCard::new(SessionReference(8)) };
    assert_eq!(bench.ask(Request::ReadCard(read)), []);
    let Some(Screen::Card(screen)) = bench.terminal.screen() else { panic!() };
    assert_eq!((screen.amount, screen.message.as_deref()), (None, Some("Hold your card")));
    assert!(matches!(bench.tap(1).as_slice(), [Response::CardRead(_)]));
    assert_eq!(bench.ask(Request::AuthSession), no(0x0A));
    assert_eq!(bench.ask(Request::CancelSession), [Response::Cancelled]);
    assert_eq!(bench.bank.holds(), []);
}

#[test]
fn a_badge_is_read_and_talked_to() {
    let badge = SimCard::badge(1)
        .answering(&[0x00, 0xCA, 0x00, 0x00, 0x00], &[0xCA, 0xFE, 0x90, 0x00])
        .answering(&[0x30, 0x04], &[7; 16]);
    let mut bench = bench();
    let exchange = |bytes| Request::ProprietaryExchange(raw(bytes));
    assert_eq!(bench.ask(exchange(&[0x00])), no(0x05));
    bench.start(2500);
    let read = said(bench.on(Input::Tap(badge)));
    let [Response::ProprietaryCardRead(objects)] = read.as_slice() else { panic!("{read:?}") };
    assert!(objects.get(dol::Tag::CARD_HASH).is_some() && objects.get(dol::Tag::MASKED_PAN).is_none());
    assert_eq!(bench.ask(Request::AuthSession), no(0x06));
    for (request, answer) in [
        (exchange(&[0x00, 0xCA, 0x00, 0x00, 0x00]), &[0xCA, 0xFE, 0x90, 0x00][..]),
        (exchange(&[0x80, 0x01]), &[0x6D, 0x00]),
        (Request::MiFare(raw(&[0x30, 0x04])), &[7; 16]),
    ] {
        assert_eq!(bench.ask(request), [Response::ProprietaryResponse(answer.to_vec().into())]);
    }
    bench.ask(Request::CancelSession);
    // A card that can pay is not talked to.
    bench.start(2500);
    bench.tap(1);
    assert_eq!(bench.ask(exchange(&[0x00])), no(0x06));
}

#[test]
fn a_badge_is_not_read_where_it_cannot_be() {
    let quirks = Quirks { reads_badges: false, ..Quirks::default() };
    for mut bench in [Bench::new(Family::P6x), Bench::with(Family::Apollo, quirks)] {
        bench.enable();
        bench.start(100);
        assert_eq!(bench.on(Input::Tap(SimCard::badge(1))), []);
        assert_eq!(bench.terminal.state(), TerminalState::WaitCard);
    }
}

#[test]
fn a_decline_brings_data_objects_with_option_10_only() {
    let card_hash = dol::Tag::CARD_HASH;
    for (options, reason, objects) in [
        (Options::DECLINED_DOL.with(Options::DETAILED_CODES), Some(0x05), true),
        (Options::DECLINED_DOL, None, true),
        (Options::DETAILED_CODES, Some(0x05), false),
    ] {
        let mut bench = Bench::new(Family::Apollo);
        bench.bank.set_default_policy(Policy::decline(0x05));
        bench.set_up(options, SETUP);
        let answers = bench.hold(100);
        let [Response::Declined { reason: came, rest }] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!(*came, reason);
        match rest {
            AfterDecline::Objects(dol) => assert!(objects && dol.get(card_hash).is_some()),
            other => assert!(!objects && *other == AfterDecline::Nothing),
        }
    }
}

#[test]
fn objects_of_the_authorisation_come_when_asked_for_by_name() {
    let wanted = vec![dol::Tag::MASKED_PAN, dol::Tag::HOST_REFERENCE];
    for (options, tags) in [(Options(0), vec![]), (Options::AUTHORIZATION_DOL, wanted.clone())] {
        let mut bench = Bench::new(Family::Apollo);
        bench.set_up(options, SETUP);
        let Request::StartSession(plain) = start(100, 1) else { panic!() };
        bench.ask(Request::StartSession(StartSession { dol: wanted.clone(), ..plain }));
        let read = bench.tap(1);
        let [Response::CardRead(objects)] = read.as_slice() else { panic!("{read:?}") };
        let names = |objects: &Dol| objects.iter().map(|(tag, _)| tag).collect::<Vec<_>>();
        assert_eq!(names(objects), [dol::Tag::MASKED_PAN]);
        let approved = bench.ask(Request::AuthSession);
        let [Response::Approved { dol, .. }] = approved.as_slice() else { panic!("{approved:?}") };
        assert_eq!(names(dol), tags);
    }
}

#[test]
fn papers_are_given_as_they_are_or_refused() {
    let mut bench = bench();
    bench.terminal.papers.set(Paper::Receipt, Some(b"TOTAL 12.40"));
    let receipt = || Request::GetReceipt(RawPayload::default());
    assert_eq!(bench.ask(receipt()), [Response::Receipt(raw(b"TOTAL 12.40"))]);
    bench.terminal.papers.set(Paper::Receipt, Some(&[b'x'; 254]));
    assert_eq!(bench.ask(receipt()), no(0x0F), "a default block has room for 253 bytes");
    bench.terminal.papers.set(Paper::Receipt, None);
    assert_eq!(bench.ask(receipt()), no(0x0D));
    for request in [Request::ReadFile(RawPayload::default()), Request::ListSessions { offset: 0 }] {
        assert_eq!(bench.ask(request), no(0x02));
    }
    let mut extended = Bench::new(Family::Apollo);
    extended.set_up(Options::EXTENDED_BLOCK, SETUP);
    extended.terminal.papers.set(Paper::Receipt, Some(&[b'x'; 254]));
    assert_eq!(extended.ask(receipt()), [Response::Receipt(vec![b'x'; 254].into())]);
}

#[test]
fn select_language_is_taken_always_and_forgotten_with_the_power() {
    let mut bench = Bench::new(Family::Apollo);
    assert_eq!(bench.ask(Request::SelectLanguage(raw(b"nl"))), OK);
    bench.enable();
    assert_eq!(bench.terminal.language(), Some(&b"nl"[..]));
    bench.on(Input::PowerCycle);
    assert_eq!(bench.terminal.language(), None);
}

#[test]
fn control_reboots_after_its_result() {
    let mut bench = bench();
    bench.on(Input::LinkUp);
    bench.set_up(Options::EXTENDED_BLOCK, SETUP);
    bench.hold(100);
    let outputs = bench.on(Input::Heard(crate::sim::Heard::Request(Request::Control(Control::Reboot))));
    let [Output::Say { response, style, .. }, Output::Close] = outputs.as_slice() else { panic!("{outputs:?}") };
    assert_eq!((response, style.extended), (&OK[0], true));
    assert_eq!((bench.terminal.state(), bench.terminal.style().extended), (TerminalState::Offline, false));
    assert_eq!(bench.terminal.sessions().len(), 1, "sessions survive");
}

#[test]
fn extended_block_lasts_until_reset_or_a_new_connection() {
    for end in [Input::Heard(crate::sim::Heard::Request(Request::Reset)), Input::LinkUp, Input::LinkLost, Input::PowerCycle] {
        let mut bench = Bench::new(Family::Apollo);
        bench.set_up(Options::EXTENDED_BLOCK, SETUP);
        bench.ask(Request::Synchronize);
        assert!(bench.terminal.style().extended, "Synchronize does not end it");
        bench.on(end);
        assert!(!bench.terminal.style().extended);
    }
    let mut bench = Bench::new(Family::Apollo);
    bench.ask(Request::Synchronize);
    let ask = |options| Request::Protocol(Protocol { version: 3, options });
    bench.ask(ask(Options::EXTENDED_BLOCK));
    bench.ask(ask(Options(0)));
    assert!(!bench.terminal.style().extended, "a second Protocol without the option ends it, too");
    assert_eq!(bench.pass(Duration::from_secs(1)), []);
}
