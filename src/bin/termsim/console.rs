//! A person at the keyboard: one line for each thing that a hand can do to a terminal. The answer is one line or a few on
//! standard output, so that a script can drive it as well.

use std::fmt::Write;
use std::io::{self, BufRead};

use quittance::id::TerminalId;
use quittance::money::Amount;
use quittance::sim::{BankVerdict, Command, Depot, Policy, SimCard, SimHandle};
use tokio::sync::mpsc;

/// What `help` says.
const HELP: &str = "\
show [TERMINAL]                      state, host, sessions, holds and screen
tap TERMINAL [card N | badge N]      hold a card against it for a moment (card 1 if none is named)
leave TERMINAL [card N | badge N]    leave a card on it
take TERMINAL                        take that card away
press TERMINAL BUTTON                press a button of the screen (Apollo)
bank card N approve                  from now on the bank approves this card,
bank card N partial AMOUNT           approves at most so many minor units,
bank card N decline [REASON]         or declines it
cut TERMINAL                         cut the link; the host may come back
unplug TERMINAL / plug TERMINAL      nothing to connect to / as before
power TERMINAL                       a power cycle; sessions stay
forget TERMINAL                      the terminal forgets its sessions; the bank keeps the holds
silent TERMINAL / speak TERMINAL     neither hears nor answers / as before
lose TERMINAL auth|commit|void       the next such request is done, and its answer is lost
ledger                               what the bank knows
quit                                 end";

/// The reason of a decline that names none: insufficient funds (PSP, Session Declined).
const INSUFFICIENT_FUNDS: u8 = 0x09;

/// Whether to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Say this, and wait for the next line.
    Say(String),
    /// The person wants to leave.
    Quit,
}

/// Reads lines until there are no more; on a thread of its own, since a terminal cannot be read otherwise.
pub(crate) fn listen() -> mpsc::Receiver<String> {
    let (lines, read) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    read
}

/// Does what a line says.
pub(crate) fn obey(line: &str, depot: &Depot) -> Answer {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["quit" | "exit"] => Answer::Quit,
        _ => Answer::Say(act(&words, depot).unwrap_or_else(|why| format!("{why}; `help` says what there is"))),
    }
}

fn act(words: &[&str], depot: &Depot) -> Result<String, String> {
    let done = |terminal: &SimHandle, what: &str| Ok(format!("{}: {what}", terminal.id()));
    match words {
        [] => Ok(String::new()),
        ["help"] => Ok(HELP.to_owned()),
        ["ledger"] => Ok(depot.bank().ledger().to_string()),
        ["show"] => Ok(depot.terminals().map(|terminal| show(terminal, depot)).collect::<Vec<_>>().join("\n")),
        ["show", id] => Ok(show(find(depot, id)?, depot)),
        ["tap", id, card @ ..] => {
            let (terminal, card) = (find(depot, id)?, card_of(card)?);
            done(terminal, if terminal.tap(&card) { "the card was read" } else { "it reads no such card now" })
        }
        ["leave", id, card @ ..] => {
            let (terminal, card) = (find(depot, id)?, card_of(card)?);
            terminal.leave_card(&card);
            done(terminal, "the card lies there")
        }
        ["take", id] => {
            let terminal = find(depot, id)?;
            terminal.take_card();
            done(terminal, "no card lies there")
        }
        ["press", id, button] => {
            let terminal = find(depot, id)?;
            done(terminal, if terminal.press(button) { "pressed" } else { "its screen has no such button now" })
        }
        ["bank", "card", number, verdict @ ..] => {
            let card = SimCard::numbered(self::number(number)?);
            let policy = depot.bank().policy(&card);
            depot.bank().set_policy(&card, Policy { verdict: verdict_of(verdict)?, ..policy });
            Ok(format!("card {number}: {}", verdict.join(" ")))
        }
        ["lose", id, what] => {
            let command = match *what {
                "auth" => Command::Auth,
                "commit" => Command::Commit,
                "void" => Command::Void,
                other => return Err(format!("{other} is not auth, commit or void")),
            };
            let terminal = find(depot, id)?;
            terminal.drop_answer_to(command, true);
            done(terminal, &format!("the answer to the next {} will be lost", command.as_str()))
        }
        [verb, id] => {
            let terminal = find(depot, id)?;
            done(terminal, simple(verb, terminal)?)
        }
        [verb, ..] => Err(format!("{verb} is not known in this form")),
    }
}

/// What needs nothing but a terminal.
fn simple(verb: &str, terminal: &SimHandle) -> Result<&'static str, String> {
    match verb {
        "cut" => terminal.cut(),
        "unplug" => terminal.unplug(),
        "plug" => terminal.plug(),
        "power" => terminal.power_cycle(),
        "forget" => terminal.forget_sessions(),
        "silent" => terminal.set_silent(true),
        "speak" => terminal.set_silent(false),
        other => return Err(format!("{other} is not known in this form")),
    }
    Ok(match verb {
        "cut" => "the link is cut",
        "unplug" => "unplugged",
        "plug" => "plugged",
        "power" => "the power was off",
        "forget" => "its sessions are forgotten",
        "silent" => "silent",
        _ => "it speaks",
    })
}

fn find<'a>(depot: &'a Depot, id: &str) -> Result<&'a SimHandle, String> {
    let id: TerminalId = id.parse().map_err(|error| format!("{id}: {error}"))?;
    depot.terminal(&id).ok_or_else(|| format!("no terminal is called {id}"))
}

fn card_of(words: &[&str]) -> Result<SimCard, String> {
    match words {
        [] => Ok(SimCard::numbered(1)),
        ["card", number] => Ok(SimCard::numbered(self::number(number)?)),
        ["badge", number] => Ok(SimCard::badge(self::number(number)?)),
        other => Err(format!("{:?} is no card: say `card 3` or `badge 3`", other.join(" "))),
    }
}

fn verdict_of(words: &[&str]) -> Result<BankVerdict, String> {
    match words {
        ["approve"] => Ok(BankVerdict::Approve),
        ["decline"] => Ok(BankVerdict::Decline(INSUFFICIENT_FUNDS)),
        ["decline", reason] => {
            Ok(BankVerdict::Decline(u8::try_from(number(reason)?).map_err(|_| format!("{reason} is no reason"))?))
        }
        ["partial", amount] => Ok(BankVerdict::Partial(Amount::from_minor(number(amount)?))),
        other => Err(format!("{:?} is nothing that a bank says", other.join(" "))),
    }
}

fn number(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

fn show(terminal: &SimHandle, depot: &Depot) -> String {
    let seen = terminal.snapshot();
    let host = match (seen.plugged, seen.connected) {
        (false, _) => "unplugged",
        (true, true) => "a host is connected",
        (true, false) => "no host",
    };
    let mut text = format!(
        "{} {} {} {}, {host}",
        terminal.id(),
        terminal.family().as_str(),
        depot.address(terminal.id()).unwrap_or_default(),
        seen.state.as_str()
    );
    let known = |hold: &quittance::sim::Hold| if seen.sessions.contains(&hold.session) { "" } else { " (forgotten)" };
    for hold in terminal.open_holds() {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n  session {} holds {} of card {}{}", hold.session, hold.amount, hold.card, known(&hold));
    }
    if let Some(screen) = &seen.screen {
        let _ = write!(text, "\n  screen: {screen}");
    }
    text
}
