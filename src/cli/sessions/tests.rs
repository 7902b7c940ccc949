//! The listing commands before a real API with a scripted fleet behind it.

use super::super::{client::Server, terminals};
use super::*;
use crate::api::tests::outside::Served;
use crate::api::tests::{SESSION, Scripted, held, tokens};

fn server(url: String, token: Option<&str>) -> Server {
    Server { url, token: token.map(Into::into), ca: None }
}

fn sessions(server: Server, json: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = Args { undisposed: true, terminal: Some("bay-01".to_owned()), json, server };
    let code = run(&args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn all_terminals(server: Server, json: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = terminals::run(&terminals::Args { json, server }, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Both lists, for people and for programs. The scripted fleet has two pages of one session each.
#[test]
fn listings() {
    let served = Served::start(Scripted::new(held()), tokens());
    let url = format!("http://{}/", served.address);
    let viewer = || server(url.clone(), Some("viewer-token"));

    let row = format!(
        "{SESSION}  bay-01    1     approved  5000   4500  1240    -      2026-03-01T10:00:00.000Z  2026-03-01T22:00:20.000Z"
    );
    let head = "SESSION                               TERMINAL  CONN  STATE     ASKED  HELD  ENERGY  FINAL  OPENED                    DEADLINE";
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
