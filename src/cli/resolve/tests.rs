//! What a person says, and what they are told.

use super::*;
use crate::api::tests::outside::Served;
use crate::api::tests::{SESSION, Scripted, held, tokens};

/// Two ways of writing an amount, and no third: a mistake of a hundredfold must not be possible.
#[test]
fn an_amount_is_in_minor_units_or_has_all_its_digits() {
    let minor = |text: &str, currency: &str| amount(text, currency).ok().map(Amount::minor);
    assert_eq!((minor("1240", "EUR"), minor("12.40", "EUR"), minor("0.05", "EUR")), (Some(1240), Some(1240), Some(5)));
    assert_eq!((minor("1240", "JPY"), minor("1.240", "KWD")), (Some(1240), Some(1240)));
    for wrong in ["12.4", "12.", ".40", "12.400", "12,40", "-1", "+1", "1e3", "", " 5", "42949673.00", "12.+4"] {
        assert_eq!(minor(wrong, "EUR"), None, "{wrong}");
    }
    assert_eq!(minor("12.40", "JPY"), None);
    let error = amount("12.4", "EUR").unwrap_err();
    assert_eq!(error, "--amount is expected in minor units, such as 1240, or in EUR, such as 12.40, but this is \"12.4\"");
}

fn args(url: &str, token: &str, session: &str) -> Args {
    let server = Server { url: url.to_owned(), token: Some(token.into()), ca: None };
    let (outcome, amount, note) = (Some(Said::Committed), Some("2.49".to_owned()), Some("settlement file".to_owned()));
    Args { session: session.to_owned(), outcome, amount, note, withdraw: false, json: false, server }
}

fn said(args: &Args) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Before a real server: a whole name, a part of it, a name of nobody, a token that may not.
#[test]
fn a_session_is_found_by_the_beginning_of_its_name() {
    let served = Served::start(Scripted::new(held()), tokens());
    let url = format!("http://{}", served.address);
    for name in [SESSION, "01936b1e", "01936B1E-7C00-7"] {
        assert_eq!(said(&args(&url, "admin-token", name)), (0, format!("{SESSION} is approved\n"), String::new()));
    }
    let (code, _, err) = said(&args(&url, "admin-token", "01936b1f"));
    assert_eq!((code, err), (1, format!("{url}: no session's name begins with 01936b1f\n")));
    let (code, _, err) = said(&args(&url, "admin-token", "bay-01"));
    assert_eq!((code, err.as_str()), (1, "\"bay-01\" is not the beginning of a session's name\n"));
    let (code, _, err) = said(&args(&url, "viewer-token", SESSION));
    assert!(code == 1 && err.starts_with(&format!("{url} knows the token, but ")) && err.contains("admin"), "{err}");
    served.stop();
}

/// A proposal says who must do what.
#[test]
fn a_proposal_waits_for_another_person() {
    let proposed = json!({
        "id": SESSION, "state": "uncertain", "currency": "EUR",
        "resolution": { "outcome": "committed", "amount": 249, "proposed_by": "anna", "note": "settlement file" },
    });
    let wanted = format!(
        "{SESSION}: committed, 2.49 EUR is proposed by anna, and waits for another admin, who says the same with their own token:\n  \
         quittance resolve {SESSION} --outcome committed --amount 249 --note \"…\"\nIt is taken back by\n  \
         quittance resolve {SESSION} --withdraw"
    );
    let args = args("", "", SESSION);
    assert_eq!(told(&args, &proposed), wanted);
    let settled = json!({ "id": SESSION, "state": "committed", "currency": "EUR", "amount_final": 249,
        "resolution": { "outcome": "committed", "amount": 249, "proposed_by": "anna", "confirmed_by": "bert" } });
    assert_eq!(told(&args, &settled), format!("{SESSION} is settled: committed, 2.49 EUR"));
}
