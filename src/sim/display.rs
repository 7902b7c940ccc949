//! What a driver sees: the screen of a card flow while there is one, and otherwise the latest UI Request (PSP, States: a request
//! that comes during a card flow stays hidden until the flow gives the display up).

use std::fmt;

use super::card::takes_payment;
use crate::money::Amount;
use crate::protocol::request::{ReadCard, StartSession, Ui, UiKind};

/// A screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// A card flow has the display.
    Card(CardScreen),
    /// What the host has asked for.
    Ui(Ui),
}

/// The screen that asks for a card (PSP, Start Session, fields 5 to 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardScreen {
    /// The amount; none for Read Card, and when it is to be hidden.
    pub amount: Option<Amount>,
    /// The session's reference, or the text in its place.
    pub reference: String,
    /// The second text.
    pub second_reference: Option<String>,
    /// The logo's name; shown only if EMV cards are not taken.
    pub logo: Option<String>,
    /// Where the QR code leads.
    pub qr_address: Option<String>,
    /// What asks for a card, in place of the terminal's own words.
    pub message: Option<String>,
}

/// Both layers of a display.
#[derive(Clone, Debug, Default)]
pub(super) struct Display {
    card: Option<CardScreen>,
    ui: Option<Ui>,
}

impl Screen {
    /// Whether there is such a button: those of a dialog or a selection are named by their keys (PSP, UI); a template's are not.
    pub fn has_button(&self, name: &str) -> bool {
        let Self::Ui(ui) = self else { return false };
        let named = |key: &str| key.strip_prefix("buttons.").and_then(|rest| rest.split('.').next()) == Some(name);
        ui.kind == UiKind::Template || ui.values.iter().any(|(key, _)| named(key))
    }
}

impl CardScreen {
    pub(super) fn of_start(start: &StartSession) -> Self {
        Self {
            amount: (!start.hide_amount).then_some(start.amount),
            reference: start.reference_text.clone().unwrap_or_else(|| start.reference.to_string()),
            second_reference: start.second_reference_text.clone(),
            logo: start.logo.clone().filter(|_| !takes_payment(start.payment_methods)),
            qr_address: start.qr_address.clone(),
            message: None,
        }
    }

    pub(super) fn of_read(read: &ReadCard) -> Self {
        Self {
            amount: None,
            reference: read.reference_text.clone().unwrap_or_else(|| read.reference.to_string()),
            second_reference: read.second_reference_text.clone(),
            logo: read.logo.clone().filter(|_| !takes_payment(read.payment_methods)),
            qr_address: read.qr_address.clone(),
            message: read.message.clone(),
        }
    }
}

impl Display {
    pub(super) fn screen(&self) -> Option<Screen> {
        self.card.clone().map(Screen::Card).or_else(|| self.ui.clone().map(Screen::Ui))
    }

    /// From now on, while no card flow has the display.
    pub(super) fn show(&mut self, ui: Ui) {
        self.ui = Some(ui);
    }

    pub(super) fn take(&mut self, screen: CardScreen) {
        self.card = Some(screen);
    }

    pub(super) fn give_up(&mut self) {
        self.card = None;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ui(ui) => {
                f.write_str(ui.kind.as_str())?;
                ui.values.iter().try_for_each(|(key, value)| write!(f, " {key}={value:?}"))
            }
            Self::Card(screen) => {
                f.write_str(screen.message.as_deref().unwrap_or("present your card"))?;
                if let Some(amount) = screen.amount {
                    write!(f, ", {amount}")?;
                }
                write!(f, ", reference {}", screen.reference)?;
                let rest = [("", &screen.second_reference), ("logo ", &screen.logo), ("QR ", &screen.qr_address)];
                rest.into_iter()
                    .filter_map(|(what, text)| text.as_ref().map(|text| (what, text)))
                    .try_for_each(|(what, text)| write!(f, ", {what}{text}"))
            }
        }
    }
}
