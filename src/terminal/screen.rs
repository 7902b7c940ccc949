//! What an Apollo shows while no card flow has its display: the operator's words for each moment, filled in. Pure: it says which
//! screen is wanted, and when the one that is shown is old.
//!
//! ```text
//!   draining ─► out_of_service      authorising ─► please_wait      approved, declined, committed ─► that, for a while      else: ready
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::id::{Connector, TerminalId};
use crate::money::{Amount, Currency};
use crate::protocol::request::{Ui, UiKind};
use crate::time::Timestamp;

/// How long an outcome is shown to the driver who has just tapped.
const OUTCOME_FOR: Duration = Duration::from_secs(10);

/// When something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Nothing is under way.
    Ready,
    /// A card is being authorised.
    PleaseWait,
    /// The bank holds money.
    Approved,
    /// The bank refused.
    Declined,
    /// The final amount was taken.
    ThankYou,
    /// The terminal takes no new card flows.
    OutOfService,
}

impl Moment {
    /// All of them, with their keys in the configuration.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Ready, "ready"),
        (Self::PleaseWait, "please_wait"),
        (Self::Approved, "approved"),
        (Self::Declined, "declined"),
        (Self::ThankYou, "thank_you"),
        (Self::OutOfService, "out_of_service"),
    ];
}

/// What can stand in a text in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Amount,
    Currency,
    Connector,
    Terminal,
    Site,
}

const PLACEHOLDERS: [(&str, Placeholder); 5] = [
    ("amount", Placeholder::Amount),
    ("currency", Placeholder::Currency),
    ("connector", Placeholder::Connector),
    ("terminal", Placeholder::Terminal),
    ("site", Placeholder::Site),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Words(String),
    Filled(Placeholder),
}

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Vec<Piece>);

/// The operator's screen for a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its type.
    pub kind: UiKind,
    /// Its keys and their texts, in the order in which they are sent.
    pub texts: Vec<(&'static str, Text)>,
}

/// The operator's screens; a moment without one changes nothing.
pub type Templates = BTreeMap<Moment, Template>;

/// What a session adds to a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// How much is asked for, held or taken.
    pub amount: Option<Amount>,
    /// Which plug.
    pub connector: Option<Connector>,
}

/// What is the same in every text of a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The depot's name.
    pub site: String,
    /// The terminal's name.
    pub terminal: TerminalId,
    /// The depot's currency.
    pub currency: Currency,
}

/// See the module.
#[derive(Debug)]
pub struct Display {
    templates: Templates,
    place: Place,
    /// What happened last, and until when it is shown.
    news: Option<(Moment, Values, Timestamp)>,
    shown: Option<Ui>,
    /// The terminal has answered a screen on this link.
    answered: bool,
    /// Whether the terminal has refused a screen.
    refused: bool,
    /// The terminal did not answer a screen: it gets no more of them, since each would cost its link.
    silenced: bool,
}

impl Text {
    /// Reads a text with placeholders such as `{amount}`; says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (words, from) = rest.split_at(at);
            let name = from.strip_prefix('{').and_then(|from| from.split_once('}'));
            let Some((name, after)) = name else {
                return Err("has a brace without its partner".to_owned());
            };
            let known = PLACEHOLDERS.iter().find(|(known, _)| *known == name).map(|(_, placeholder)| *placeholder);
            let placeholder = known.ok_or_else(|| {
                let names: Vec<_> = PLACEHOLDERS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
                format!("has the unknown placeholder {{{name}}}; there are {}", names.join(", "))
            })?;
            if !words.is_empty() {
                pieces.push(Piece::Words(words.to_owned()));
            }
            pieces.push(Piece::Filled(placeholder));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Words(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// A text without placeholders.
    pub fn fixed(text: &str) -> Self {
        Self(vec![Piece::Words(text.to_owned())])
    }

    fn filled(&self, place: &Place, values: Values) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            // Writing into a text cannot fail.
            let _ = match piece {
                Piece::Words(words) => write!(text, "{words}"),
                Piece::Filled(Placeholder::Amount) => {
                    let amount = values.amount.map(|amount| place.currency.major(amount.minor().into()));
                    write!(text, "{}", amount.unwrap_or_default())
                }
                Piece::Filled(Placeholder::Connector) => {
                    write!(text, "{}", values.connector.map(|connector| connector.0.to_string()).unwrap_or_default())
                }
                Piece::Filled(Placeholder::Currency) => write!(text, "{}", place.currency),
                Piece::Filled(Placeholder::Site) => write!(text, "{}", place.site),
                Piece::Filled(Placeholder::Terminal) => write!(text, "{}", place.terminal),
            };
        }
        text
    }
}

impl Display {
    /// A display about which nothing is known.
    pub fn new(templates: Templates, place: Place) -> Self {
        Self { templates, place, news: None, shown: None, answered: false, refused: false, silenced: false }
    }

    /// Something happened that a driver wants to see.
    pub fn happened(&mut self, moment: Moment, values: Values, now: Timestamp) {
        self.news = Some((moment, values, now.after(OUTCOME_FOR)));
    }

    /// The screen to send now, if the one that is shown is another one. `draining`: no new card flows are taken; `authorising`: a card
    /// is being authorised. Beside that one a screen is sent only if the terminal has answered another one on this link: a request that
    /// is not answered costs the link, and with it the answer to Auth.
    pub fn next(&mut self, draining: bool, authorising: Option<Values>, now: Timestamp) -> Option<Ui> {
        self.news = self.news.filter(|(_, _, until)| *until > now);
        if self.silenced || self.templates.is_empty() || (authorising.is_some() && !self.answered) {
            return None;
        }
        let (moment, values) = match (authorising, self.news) {
            (Some(values), _) => (Moment::PleaseWait, values),
            (None, Some((moment, values, _))) => (moment, values),
            (None, None) if draining => (Moment::OutOfService, Values::default()),
            (None, None) => (Moment::Ready, Values::default()),
        };
        let template = self.templates.get(&moment)?;
        let fill = |ui: Ui, (key, text): &(&'static str, Text)| ui.with(key, &text.filled(&self.place, values));
        let ui = template.texts.iter().fold(Ui::new(template.kind.clone()), fill);
        (self.shown.as_ref() != Some(&ui)).then_some(ui)
    }

    /// This screen is on its way. Whether it is taken or refused, it is not sent again until another one was.
    pub fn sent(&mut self, ui: Ui) {
        self.shown = Some(ui);
    }

    /// The terminal has answered. `true` when this is the first refusal.
    pub fn answered(&mut self, taken: bool) -> bool {
        self.answered = true;
        !taken && !std::mem::replace(&mut self.refused, true)
    }

    /// The terminal has not answered, and is shown nothing more.
    pub fn silence(&mut self) {
        self.silenced = true;
    }

    /// Somebody else has shown something, or the terminal was set up again: what it shows is not known.
    pub fn forget(&mut self) {
        self.shown = None;
        self.answered = false;
    }
}
