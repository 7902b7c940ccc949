//! What a scenario says: a sentence a line, as `tests/scenarios/README.md` explains them.

use std::path::Path;
use std::time::Duration;

use quittance::journal::record::Outcome;
use quittance::money::Amount;
use quittance::protocol::Family;
use quittance::protocol::response::Reason;
use quittance::sim::{Command, Fault};

/// A scenario.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) name: String,
    pub(super) terminals: Vec<Terminal>,
    /// Keys of `[policy]`, with their values in TOML.
    pub(super) settings: Vec<(String, String)>,
    pub(super) lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub(super) struct Terminal {
    pub(super) name: String,
    pub(super) family: Family,
    pub(super) connectors: u8,
    /// `quirks.keeps_sessions`.
    pub(super) keeps_sessions: bool,
}

/// A sentence, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: String,
    pub(super) says: Says,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Says {
    Wants { who: String, amount: Amount, place: String, card: Option<String> },
    Presents { who: String, card: CardIs },
    MayGoOn { who: String },
    Charged { who: String, amount: Amount },
    Pays { who: String, amount: Amount },
    PaysNothing { who: String },
    CannotPay { who: String, amount: Amount },
    WalksAway { who: String },
    Raises { who: String, amount: Amount },
    Resolved { who: String, outcome: Outcome },
    Meets { place: String, command: Command, fault: Fault },
    Power { place: String, forgets: bool },
    Plugged { place: String, plugged: bool },
    Silent { place: String, silent: bool },
    Refuses { appends: usize },
    JournalLost,
    Killed,
    ToldToEnd,
    Passes(Duration),
    ExpectState { who: String, state: String },
    ExpectBank { who: String, state: Books },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CardIs {
    Good,
    Declined,
    GoodFor(Amount),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Books {
    Holds(Amount),
    Taken(Amount),
    GivenBack,
    Nothing,
}

/// The states of the API (README, The API).
const STATES: [&str; 14] = [
    "waiting_card",
    "card_read",
    "authorising",
    "approved",
    "committing",
    "voiding",
    "in_doubt",
    "uncertain",
    "committed",
    "voided",
    "declined",
    "cancelled",
    "expired",
    "failed",
];

const COMMANDS: [(&str, Command); 8] = [
    ("Start", Command::Start),
    ("Auth", Command::Auth),
    ("Commit", Command::Commit),
    ("Void", Command::Void),
    ("Update", Command::Update),
    ("Setup", Command::Setup),
    ("Synchronize", Command::Synchronize),
    ("List", Command::ListSessions),
];

impl Script {
    /// Reads a scenario; every mistake is told with file and line.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&path.file_name().unwrap_or_default().to_string_lossy(), &text)
    }

    pub(super) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut script = Self { name: name.to_owned(), terminals: Vec::new(), settings: Vec::new(), lines: Vec::new() };
        let mut mistakes = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let sentence = line.split('#').next().unwrap_or_default().trim();
            if !sentence.is_empty()
                && let Err(why) = script.take(number, sentence)
            {
                mistakes.push(format!("{name}:{number}: {why}: {sentence}"));
            }
        }
        if script.terminals.is_empty() {
            mistakes.push(format!("{name}:1: there is no terminal"));
        }
        if !script.lines.iter().any(|line| line.says.expects()) {
            mistakes.push(format!("{name}:1: nothing is expected, so it cannot fail"));
        }
        if mistakes.is_empty() { Ok(script) } else { Err(mistakes.join("\n")) }
    }

    /// Whose card this person presents.
    pub(super) fn owner<'a>(&'a self, who: &'a str) -> &'a str {
        let lent = |line: &'a Line| match &line.says {
            Says::Wants { who: name, card: Some(owner), .. } if name == who => Some(owner.as_str()),
            _ => None,
        };
        self.lines.iter().find_map(lent).unwrap_or(who)
    }

    /// Whether this terminal is thought to keep its sessions.
    pub(super) fn keeps_sessions(&self, place: &str) -> bool {
        self.terminals.iter().all(|terminal| terminal.name != place || terminal.keeps_sessions)
    }

    /// What is set of `[policy]`, without its quotes.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.trim_matches('"'))
    }

    fn take(&mut self, number: usize, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["terminal", name, family, more @ ..] => {
                let family = match *family {
                    "apollo" => Family::Apollo,
                    "p6x" => Family::P6x,
                    _ => return Err("a family is apollo or p6x".to_owned()),
                };
                let (connectors, keeps_sessions) = match more {
                    [more @ .., "that", "may", "forget"] => (more, false),
                    more => (more, true),
                };
                let connectors = match connectors {
                    [] => 1,
                    [count, "connectors"] => count.parse().map_err(|_| "so many connectors there cannot be")?,
                    _ => return Err("a terminal has a name, a family, and perhaps some connectors".to_owned()),
                };
                self.terminals.push(Terminal { name: (*name).to_owned(), family, connectors, keeps_sessions });
            }
            ["setting", key, "=", ..] => {
                let value = text.split_once('=').map(|(_, value)| value.trim()).unwrap_or_default();
                self.settings.push(((*key).to_owned(), value.to_owned()));
            }
            words => {
                let says = self.sentence(words)?;
                self.lines.push(Line { number, text: text.to_owned(), says });
            }
        }
        Ok(())
    }

    fn sentence(&self, words: &[&str]) -> Result<Says, String> {
        let place = |place: &str| {
            let known = self.terminals.iter().any(|terminal| terminal.name == place);
            if known { Ok(place.to_owned()) } else { Err(format!("no terminal above is called {place}")) }
        };
        let who = |who: &str| {
            let wants = |line: &Line| matches!(&line.says, Says::Wants { who: known, .. } if known == who);
            if self.lines.iter().any(wants) { Ok(who.to_owned()) } else { Err(format!("{who} has not wanted anything yet")) }
        };
        Ok(match *words {
            [name, "wants", amount, "at", at] => {
                if who(name).is_ok() {
                    return Err(format!("{name} has wanted something already; take another name"));
                }
                Says::Wants { who: name.to_owned(), amount: money(amount)?, place: place(at)?, card: None }
            }
            [name, "wants", amount, "at", at, "with", whose, "card"] => {
                if who(name).is_ok() {
                    return Err(format!("{name} has wanted something already; take another name"));
                }
                let whose = who(whose.strip_suffix("'s").unwrap_or(whose))?;
                let card = Some(self.owner(&whose).to_owned());
                Says::Wants { who: name.to_owned(), amount: money(amount)?, place: place(at)?, card }
            }
            [name, "presents", "a", "card"] => Says::Presents { who: who(name)?, card: CardIs::Good },
            [name, "presents", "a", "card", "that", "is", "declined"] => {
                Says::Presents { who: who(name)?, card: CardIs::Declined }
            }
            [name, "presents", "a", "card", "that", "is", "good", "for", amount] => {
                Says::Presents { who: who(name)?, card: CardIs::GoodFor(money(amount)?) }
            }
            [name, "may", "go", "on"] => Says::MayGoOn { who: who(name)? },
            [name, "has", "charged", amount] => Says::Charged { who: who(name)?, amount: money(amount)? },
            [name, "pays", "nothing"] => Says::PaysNothing { who: who(name)? },
            [name, "pays", amount] => Says::Pays { who: who(name)?, amount: money(amount)? },
            [name, "cannot", "pay", amount] => Says::CannotPay { who: who(name)?, amount: money(amount)? },
            [name, "walks", "away"] => Says::WalksAway { who: who(name)? },
            [name, "wants", amount, "instead"] => Says::Raises { who: who(name)?, amount: money(amount)? },
            [at, "loses", "power"] => Says::Power { place: place(at)?, forgets: false },
            [at, "loses", "power", "and", "forgets"] => Says::Power { place: place(at)?, forgets: true },
            [at, "loses", "the", "next", command] => meets(place(at)?, command, Fault::LoseRequest)?,
            [at, "loses", "the", "answer", "to", "the", "next", command] => meets(place(at)?, command, Fault::LoseAnswer)?,
            [at, "garbles", "the", "answer", "to", "the", "next", command] => meets(place(at)?, command, Fault::Corrupt)?,
            [at, "answers", "the", "next", command, "twice"] => meets(place(at)?, command, Fault::Duplicate)?,
            [at, "answers", "the", "next", command, late, "late"] => meets(place(at)?, command, Fault::Delay(time(late)?))?,
            [at, "is", "cut", "off", "before", "the", "next", command] => meets(place(at)?, command, Fault::CutBefore)?,
            [at, "is", "cut", "off", "after", "the", "next", command] => meets(place(at)?, command, Fault::CutAfter)?,
            [at, "refuses", "the", "next", command, "with", reason] => {
                let digits = reason.strip_prefix("0x").and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let reason = digits.ok_or("a reason is two digits after 0x")?;
                meets(place(at)?, command, Fault::Refuse(Reason(reason)))?
            }
            [at, "is", "unplugged"] => Says::Plugged { place: place(at)?, plugged: false },
            [at, "is", "plugged", "in"] => Says::Plugged { place: place(at)?, plugged: true },
            [at, "falls", "silent"] => Says::Silent { place: place(at)?, silent: true },
            [at, "speaks", "again"] => Says::Silent { place: place(at)?, silent: false },
            ["the", "journal", "refuses", count, "records"] => {
                Says::Refuses { appends: count.parse().map_err(|_| format!("{count} is no number"))? }
            }
            ["the", "journal", "is", "lost"] => Says::JournalLost,
            ["the", "orchestrator", "is", "killed"] => Says::Killed,
            ["the", "orchestrator", "is", "told", "to", "end"] => Says::ToldToEnd,
            ["a", "person", "says", "that", name, "has", "paid", "nothing"] => {
                Says::Resolved { who: who(name)?, outcome: Outcome::Voided }
            }
            ["a", "person", "says", "that", name, "has", "paid", amount] => {
                Says::Resolved { who: who(name)?, outcome: Outcome::Committed(money(amount)?) }
            }
            [long, "pass"] | [long, "passes"] => Says::Passes(time(long)?),
            ["expect", name, "is", state] => {
                if !STATES.contains(&state) {
                    return Err(format!("a state is one of {}", STATES.join(", ")));
                }
                Says::ExpectState { who: who(name)?, state: state.to_owned() }
            }
            ["expect", "the", "bank", "holds", amount, "of", name] => expects(who(name)?, Books::Holds(money(amount)?)),
            ["expect", "the", "bank", "has", "taken", amount, "of", name] => expects(who(name)?, Books::Taken(money(amount)?)),
            ["expect", "the", "bank", "has", "given", name, "everything", "back"] => expects(who(name)?, Books::GivenBack),
            ["expect", "the", "bank", "knows", "nothing", "of", name] => expects(who(name)?, Books::Nothing),
            _ => return Err("nobody understands this".to_owned()),
        })
    }
}

impl Says {
    pub(super) const fn expects(&self) -> bool {
        matches!(self, Self::ExpectState { .. } | Self::ExpectBank { .. } | Self::CannotPay { .. })
    }
}

fn expects(who: String, state: Books) -> Says {
    Says::ExpectBank { who, state }
}

fn meets(place: String, command: &str, fault: Fault) -> Result<Says, String> {
    let known = COMMANDS.iter().find(|(name, _)| *name == command);
    let names = || COMMANDS.map(|(name, _)| name).join(", ");
    let (_, command) = known.ok_or_else(|| format!("a command is one of {}", names()))?;
    Ok(Says::Meets { place, command: *command, fault })
}

fn money(text: &str) -> Result<Amount, String> {
    let wrong = || format!("{text} is no amount such as 31.40");
    let (whole, cents) = text.split_once('.').filter(|(_, cents)| cents.len() == 2).ok_or_else(wrong)?;
    let (whole, cents): (u32, u32) = whole.parse().ok().zip(cents.parse().ok()).ok_or_else(wrong)?;
    whole.checked_mul(100).and_then(|minor| minor.checked_add(cents)).map(Amount::from_minor).ok_or_else(wrong)
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let unit = text.chars().last().and_then(|unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        _ => None,
    });
    let number: Option<u64> = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse().ok());
    let seconds = unit.zip(number).ok_or_else(|| format!("{text} is no time such as 30s, 5m or 2h"))?;
    Ok(Duration::from_secs(seconds.0 * seconds.1))
}
