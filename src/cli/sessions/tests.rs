//! The listing commands before a real API with a scripted fleet behind it.

use super::super::{client::Server, terminals};
use super::*;
use crate::api::tests::outside::Served;
use crate::api::tests::{SESSION, Scripted, held, tokens};
use crate::time::Clock;

fn server(url: String, token: Option<&str>) -> Server {
    Server { url, token: token.map(Into::into), ca: None }
}

/// A pipe, two hours after the scripted session was opened.
fn pipe() -> Screen {
    Screen { colours: false, lines: None, clock: Clock::starting_at("2026-03-01T12:00:05Z".parse().unwrap()) }
}

fn sessions(server: Server, json: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = Args { undisposed: true, terminal: Some("bay-01".to_owned()), json, watch: None, server };
    let code = run(&args, &pipe(), &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn all_terminals(server: Server, json: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = terminals::Args { json, watch: None, server };
    let code = terminals::run(&args, &pipe(), &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Both lists, for people and for programs. The scripted fleet has two pages of one session each.
#[test]
fn listings() {
    let served = Served::start(Scripted::new(held()), tokens());
    let url = format!("http://{}/", served.address);
    let viewer = || server(url.clone(), Some("viewer-token"));

    let row = format!("{SESSION}  bay-01       1  approved  2h   45.00 EUR  12.40 EUR      -  in 10h");
    let head = "SESSION                               TERMINAL  CONN  STATE     AGE       HOLD     ENERGY  FINAL  TO END  WHY";
    assert_eq!(sessions(viewer(), false), (0, format!("{head}\n{row}\n{row}\n"), String::new()));
    let (code, out, _) = sessions(viewer(), true);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["sessions"][1]["id"], &json["next"]), (0, &SESSION.into(), &Value::Null));

    let head = "TERMINAL  FAMILY  LINK  STATE      OPEN  DRAINING  RECONCILED  LAST ERROR";
    let row = "bay-01    apollo  up    wait_card  1/2   no        -           no answer to Get Status";
    assert_eq!(all_terminals(viewer(), false), (0, format!("{head}\n{row}\n"), String::new()));
    let (code, out, _) = all_terminals(viewer(), true);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["terminals"][0]["state"]), (0, &"wait_card".into()));
    served.stop();
}

/// What a person reads first at night: the state, whether it is late, and why.
#[test]
fn a_row_says_why() {
    let now = "2026-03-01T12:00:05Z".parse().unwrap();
    let told = |changes: Value| {
        let mut session = json!({
            "id": "x", "terminal": "bay-01", "connector": 1, "state": "approved", "created_at": "2026-03-01T10:00:00Z",
            "currency": "EUR", "amount_requested": 5000, "amount_held": 4500, "disposal": null, "why": null,
        });
        changes.as_object().unwrap().iter().for_each(|(key, value)| session[key] = value.clone());
        let row = row(&session, now);
        (row[3].tone, row[8].text.clone(), row[9].text.clone())
    };
    let commit = json!({ "decision": "commit", "amount": 3140, "by": "max_session", "attempts": 2, "confirmed_by": null,
        "last_error": "no answer: timeout" });
    let late = json!({ "state": "committing", "deadline_at": "2026-03-01T11:57:00Z", "disposal": commit });
    let why = "commit 31.40 EUR by max session, 2 attempts so far: no answer: timeout";
    assert_eq!(told(late), (Tone::Alarm, "3m 5s late".to_owned(), why.to_owned()));
    let presumed = json!({ "decision": "void", "amount": 0, "by": "api", "attempts": 1, "confirmed_by": "presumed",
        "last_error": "no answer: timeout" });
    let why = "void by api, confirmed by presumed after 1 attempt";
    assert_eq!(told(json!({ "state": "voided", "disposal": presumed })), (Tone::Quiet, "-".to_owned(), why.to_owned()));
    let uncertain = json!({ "state": "uncertain", "why": "nobody knows" });
    assert_eq!(told(uncertain), (Tone::Alarm, "-".to_owned(), "nobody knows".to_owned()));
    let waiting = json!({ "state": "waiting_card", "amount_held": null });
    assert_eq!(told(waiting), (Tone::Plain, "-".to_owned(), "asked for 50.00 EUR".to_owned()));
}

/// Whatever goes wrong is one line and exit code 1.
#[test]
fn failures() {
    let served = Served::start(Scripted::new(held()), tokens());
    let url = format!("http://{}", served.address);
    for token in [None, Some("wrong")] {
        let wants = format!("{url} wants a token that it knows: give it by --token or QUITTANCE_TOKEN\n");
        assert_eq!(sessions(server(url.clone(), token), false), (1, String::new(), wants));
    }
    let (code, _, err) = sessions(server(format!("{url}/elsewhere"), Some("viewer-token")), false);
    assert_eq!((code, err), (1, format!("{url}/elsewhere refuses: there is nothing at \"/elsewhere/v1/sessions\" (404)\n")));
    served.stop();

    for url in [url, "nonsense:// x".to_owned(), String::new()] {
        let (code, out, err) = all_terminals(server(url.clone(), None), false);
        assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
        assert!(err.starts_with(&format!("there is no API at {url}: ")), "{err}");
    }
}

/// A token is shown to nobody, not even by `Debug`.
#[test]
fn a_token_stays_hidden() {
    assert!(!format!("{:?}", server(String::new(), Some("viewer-token"))).contains("viewer"));
}
