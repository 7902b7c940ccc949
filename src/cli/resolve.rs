//! `quittance resolve`: a person settles a session of which nobody here can find out any more. Where the site wants two people for
//! that, the first one's words are a proposal, and another admin says the same.

#[cfg(test)]
mod tests;

use std::io::Write;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::client::{Failure, Server, exit_code};
use super::table::{Cell, money};
use crate::money::{Amount, Currency};

/// One session
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The session, or as much of the beginning of its name as no other one has
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// What became of the hold
    #[arg(long, value_enum, required_unless_present = "withdraw")]
    pub outcome: Option<Said>,
    /// How much was committed: minor units (1240), or the currency's own (12.40)
    #[arg(long, value_name = "AMOUNT", required_if_eq("outcome", "committed"))]
    pub amount: Option<String>,
    /// Where you know it from; the journal keeps it for ever
    #[arg(long, value_name = "TEXT", required_unless_present = "withdraw")]
    pub note: Option<String>,
    /// Take back what was proposed and not yet confirmed by another person
    #[arg(long, conflicts_with_all = ["outcome", "amount", "note"])]
    pub withdraw: bool,
    /// As the API gives it
    #[arg(long)]
    pub json: bool,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
}

/// What a person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Said {
    /// So much was taken.
    Committed,
    /// All was given back.
    Voided,
}

/// Says it to the API and writes what came of it, or one line to `err`; gives the exit code.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    exit_code(ask(args, out), err)
}

fn ask(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let known = args.server.session(&args.session)?;
    let id = Cell::field(&known, "id").text;
    let path = format!("/v1/sessions/{id}/resolve");
    let answer = match args.outcome {
        None => args.server.delete(&path)?.1,
        Some(outcome) => {
            let note = args.note.as_deref().unwrap_or_default();
            let mut body = match outcome {
                Said::Committed => json!({ "outcome": "committed", "note": note }),
                Said::Voided => json!({ "outcome": "voided", "note": note }),
            };
            if let Some(text) = &args.amount {
                let currency = known.get("currency").and_then(Value::as_str).unwrap_or_default();
                body["amount"] = amount(text, currency).map_err(Failure::Usage)?.minor().into();
            }
            args.server.post(&path, &body)?.1
        }
    };
    if args.json {
        writeln!(out, "{answer:#}")?;
    } else {
        writeln!(out, "{}", told(args, &answer))?;
    }
    Ok(out.flush()?)
}

/// What has come of it, and what is still to be done.
fn told(args: &Args, session: &Value) -> String {
    let text = |row: &Value, field: &str| Cell::field(row, field).text;
    let (id, state) = (text(session, "id"), text(session, "state"));
    let currency = session.get("currency").and_then(Value::as_str).unwrap_or_default();
    let amount = |row: &Value, field: &str| row.get(field).and_then(Value::as_u64).unwrap_or(0);
    match (state.as_str(), session.get("resolution").filter(|resolution| !resolution.is_null())) {
        ("committed", _) => format!("{id} is settled: committed, {}", money(amount(session, "amount_final"), currency)),
        ("voided" | "expired", _) => format!("{id} is settled: {state}"),
        (_, Some(proposed)) => {
            let (outcome, by) = (text(proposed, "outcome"), text(proposed, "proposed_by"));
            let (what, option) = match outcome.as_str() {
                "committed" => {
                    let minor = amount(proposed, "amount");
                    (format!("committed, {}", money(minor, currency)), format!(" --amount {minor}"))
                }
                _ => (outcome.clone(), String::new()),
            };
            format!(
                "{id}: {what} is proposed by {by}, and waits for another admin, who says the same with their own token:\n  \
                 quittance resolve {id} --outcome {outcome}{option} --note \"…\"\nIt is taken back by\n  \
                 quittance resolve {id} --withdraw"
            )
        }
        _ if args.withdraw => format!("{id} is {state}; nothing is proposed for it any more"),
        _ => format!("{id} is {state}"),
    }
}

/// `1240` are minor units, `12.40` has as many digits behind the point as the currency.
fn amount(text: &str, currency: &str) -> Result<Amount, String> {
    let currency: Currency = currency.parse().map_err(|_| "the session has no currency".to_owned())?;
    let digits = usize::try_from(currency.digits()).unwrap_or(0);
    let legal = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let minor = match text.split_once('.') {
        None if legal(text) => text.parse().ok(),
        Some((whole, rest)) if digits > 0 && rest.len() == digits && legal(whole) && legal(rest) => {
            format!("{whole}{rest}").parse().ok()
        }
        _ => None,
    };
    let example = currency.major(1240);
    minor.map(Amount::from_minor).ok_or_else(|| {
        format!(
            "--amount is expected in minor units, such as 1240, or in {currency}, such as {example}, but this is {:?}",
            text
        )
    })
}
