//! Screens: what is read from the configuration, which one is wanted when, and what stands on it.

use std::time::Duration;

use crate::id::Connector;
use crate::money::Amount;
use crate::protocol::request::{Ui, UiKind};
use crate::terminal::screen::{Display, Moment, Place, Template, Templates, Text, Values};
use crate::time::Timestamp;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000).after(Duration::from_secs(seconds))
}

fn template(text: &str) -> Template {
    Template { kind: UiKind::Notification, texts: vec![("title", Text::parse(text).unwrap())] }
}

fn display(moments: &[Moment]) -> Display {
    let named = |moment: &Moment| Moment::ALL.iter().find(|(known, _)| known == moment).unwrap().1;
    let templates: Templates = moments.iter().map(|moment| (*moment, template(named(moment)))).collect();
    let place = Place { site: "depot".to_owned(), terminal: "bay-01".parse().unwrap(), currency: "EUR".parse().unwrap() };
    Display::new(templates, place)
}

/// Sends what is wanted and says its title; a dash when nothing is to be sent.
fn title(display: &mut Display, draining: bool, authorising: bool, now: Timestamp) -> String {
    let Some(ui) = display.next(draining, authorising.then(Values::default), now) else { return "-".to_owned() };
    display.sent(ui.clone());
    assert!(!display.answered(true));
    ui.get("title").unwrap().to_owned()
}

fn all() -> Vec<Moment> {
    Moment::ALL.iter().map(|(moment, _)| *moment).collect()
}

#[test]
fn each_moment_has_its_screen_and_each_is_sent_once() {
    let mut display = display(&all());
    let mut seen = Vec::new();
    let mut look = |display: &mut Display, draining, authorising, second| {
        seen.push(title(display, draining, authorising, at(second)));
        seen.push(title(display, draining, authorising, at(second)));
    };
    look(&mut display, false, false, 0);
    look(&mut display, false, true, 1);
    display.happened(Moment::Approved, Values::default(), at(2));
    look(&mut display, false, false, 2);
    // A driver who pays while another one has just been approved: the newest counts.
    display.happened(Moment::ThankYou, Values::default(), at(5));
    look(&mut display, false, false, 5);
    look(&mut display, false, false, 14);
    look(&mut display, false, false, 15);
    display.happened(Moment::Declined, Values::default(), at(20));
    look(&mut display, true, false, 20);
    look(&mut display, true, false, 30);
    look(&mut display, false, false, 31);
    let expected = [
        "ready",
        "-",
        "please_wait",
        "-",
        "approved",
        "-",
        "thank_you",
        "-",
        "-",
        "-",
        "ready",
        "-",
        "declined",
        "-",
        "out_of_service",
        "-",
        "ready",
        "-",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_moment_without_a_screen_changes_nothing() {
    let mut none = display(&[]);
    assert_eq!(title(&mut none, true, true, at(0)), "-");
    let mut some = display(&[Moment::Ready]);
    assert_eq!(title(&mut some, false, false, at(0)), "ready");
    some.happened(Moment::Approved, Values::default(), at(1));
    assert_eq!(title(&mut some, false, false, at(1)), "-");
    assert_eq!(title(&mut some, false, false, at(20)), "-", "it is still shown");
}

/// A terminal that has answered no screen on this link could cost the answer to Auth.
#[test]
fn the_first_screen_of_a_link_waits_for_an_authorisation() {
    let mut display = display(&all());
    assert_eq!(title(&mut display, false, true, at(0)), "-");
    assert_eq!(title(&mut display, false, false, at(1)), "ready");
    assert_eq!(title(&mut display, false, true, at(2)), "please_wait");
    display.forget();
    assert_eq!(title(&mut display, false, true, at(3)), "-");
    assert_eq!(title(&mut display, false, false, at(4)), "ready", "after a new link it is not known what is shown");
}

#[test]
fn a_refusal_is_said_once_and_silence_is_for_ever() {
    let mut display = display(&all());
    let ui = display.next(false, None, at(0)).unwrap();
    display.sent(ui);
    assert!(display.answered(false));
    assert!(!display.answered(false));
    assert_eq!(display.next(false, None, at(1)), None, "a refused screen is not sent again");
    display.silence();
    display.forget();
    assert_eq!(display.next(false, None, at(2)), None);
}

#[test]
fn placeholders_are_filled() {
    let text = "{amount} {currency} on plug {connector} of {terminal}, {site}";
    let place = Place { site: "depot".to_owned(), terminal: "bay-01".parse().unwrap(), currency: "EUR".parse().unwrap() };
    let mut display = Display::new(Templates::from([(Moment::ThankYou, template(text))]), place);
    let values = Values { amount: Some(Amount::from_minor(3105)), connector: Some(Connector(2)) };
    display.happened(Moment::ThankYou, values, at(0));
    let expected = Ui::new(UiKind::Notification).with("title", "31.05 EUR on plug 2 of bay-01, depot");
    assert_eq!(display.next(false, None, at(0)), Some(expected));
}

#[test]
fn a_text_that_is_wrong_says_so() {
    for (text, part) in [("{amuont}", "{amuont}"), ("{", "brace"), ("a } b", "brace"), ("{amount", "brace"), ("{}", "{}")] {
        let error = Text::parse(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(Text::parse("{amount}{currency} und Grüße").is_ok());
}
