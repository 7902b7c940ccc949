//! Payload of UI Request, Apollo only: what the terminal shows when no card flow has the display (PSP, UI).

use bytes::{BufMut, BytesMut};

use crate::protocol::error::{PayloadFault, ProtocolError};
use crate::protocol::fields::Fields;
use crate::protocol::quirks::UiLayout;

/// The key of the type in the layout of pairs.
const TYPE: &str = "type";

/// A screen: its type, and keys with values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// What kind of screen.
    pub kind: UiKind,
    /// Keys and values in their order.
    pub values: Vec<(String, String)>,
}

/// The types of screens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UiKind {
    /// `info`.
    Info,
    /// `notification`.
    Notification,
    /// `dialog`.
    Dialog,
    /// `selection`.
    Selection,
    /// `spinner`.
    Spinner,
    /// `carousel`.
    Carousel,
    /// `template`: a licensed screen of one's own.
    Template,
    /// A type that the pages do not name.
    Other(String),
}

impl UiKind {
    const NAMED: [(Self, &'static str); 7] = [
        (Self::Info, "info"),
        (Self::Notification, "notification"),
        (Self::Dialog, "dialog"),
        (Self::Selection, "selection"),
        (Self::Spinner, "spinner"),
        (Self::Carousel, "carousel"),
        (Self::Template, "template"),
    ];

    /// Its name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            named => Self::NAMED.iter().find_map(|(kind, name)| (kind == named).then_some(*name)).unwrap_or_default(),
        }
    }

    /// The type of this name; one that the pages do not name is taken as it is.
    pub fn of(name: String) -> Self {
        let named = Self::NAMED.into_iter().find_map(|(kind, known)| (known == name).then_some(kind));
        named.unwrap_or(Self::Other(name))
    }
}

/// The icon of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// A tick.
    Approved,
    /// A cross.
    Declined,
}

/// The colour of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// 0.
    Black,
    /// 1.
    Green,
    /// 2.
    Red,
}

/// One button of a dialog; the first is the left one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What UI Event calls it.
    pub name: String,
    /// What stands on it.
    pub label: String,
    /// Whether it is see-through; the terminal's default if none.
    pub transparent: Option<bool>,
}

impl Ui {
    /// An empty screen of this type; [`with`](Self::with) fills it.
    pub const fn new(kind: UiKind) -> Self {
        Self { kind, values: Vec::new() }
    }

    /// Information with a title.
    pub fn info(title: &str) -> Self {
        Self::new(UiKind::Info).with("title", title)
    }

    /// A notification with a title; [`subtitle`](Self::subtitle), [`icon`](Self::icon) and more can be added.
    pub fn notification(title: &str) -> Self {
        Self::new(UiKind::Notification).with("title", title)
    }

    /// A question with buttons, of which the first is the left one.
    pub fn dialog(title: &str, buttons: &[Button]) -> Self {
        buttons.iter().fold(Self::new(UiKind::Dialog).with("title", title), Self::button)
    }

    /// A choice with a title and buttons.
    pub fn selection(title: &str, buttons: &[Button]) -> Self {
        buttons.iter().fold(Self::new(UiKind::Selection).with("title", title), Self::button)
    }

    /// Something is under way.
    pub fn spinner(title: &str) -> Self {
        Self::new(UiKind::Spinner).with("title", title)
    }

    /// Pictures that follow each other. The pages do not name its keys.
    pub const fn carousel() -> Self {
        Self::new(UiKind::Carousel)
    }

    /// A licensed screen of one's own, by its name; its components are set [`with`](Self::with) `comp.NAME.PROPERTY`.
    pub fn template(name: &str) -> Self {
        Self::new(UiKind::Template).with("template", name)
    }

    /// Adds a line below the title of a notification.
    pub fn subtitle(self, text: &str) -> Self {
        self.with("subtitle", text)
    }

    /// Adds a message: notification and dialog.
    pub fn message(self, text: &str) -> Self {
        self.with("message", text)
    }

    /// Adds advice to a notification.
    pub fn advice(self, text: &str) -> Self {
        self.with("advice", text)
    }

    /// Adds an icon to a notification or a dialog.
    pub fn icon(self, icon: Icon) -> Self {
        let name = match icon {
            Icon::Approved => "approved",
            Icon::Declined => "declined",
        };
        self.with("icon", name)
    }

    /// Colours a notification.
    pub fn color(self, color: Color) -> Self {
        let number = match color {
            Color::Black => "0",
            Color::Green => "1",
            Color::Red => "2",
        };
        self.with("color", number)
    }

    /// Adds an amount and its currency to a spinner, as they are to be shown.
    pub fn amount(self, amount: &str, currency: &str) -> Self {
        self.with("amount", amount).with("currency", currency)
    }

    /// Adds a button.
    pub fn button(self, button: &Button) -> Self {
        let key = format!("buttons.{}", button.name);
        let ui = self.with(&key, "").with(&format!("{key}.label"), &button.label);
        match button.transparent {
            Some(transparent) => ui.with(&format!("{key}.transp"), if transparent { "1" } else { "0" }),
            None => ui,
        }
    }

    /// Adds any key with its value.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.values.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find_map(|(candidate, value)| (candidate == key).then_some(value.as_str()))
    }

    pub(in crate::protocol) fn encode(&self, out: &mut BytesMut, layout: UiLayout) -> Result<(), ProtocolError> {
        if layout == UiLayout::Pairs {
            put_text(out, TYPE)?;
        }
        put_text(out, self.kind.as_str())?;
        for (key, value) in &self.values {
            put_text(out, key)?;
            put_text(out, value)?;
        }
        Ok(())
    }

    pub(in crate::protocol) fn decode(fields: &mut Fields<'_>, layout: UiLayout) -> Result<Self, ProtocolError> {
        if layout == UiLayout::Pairs && fields.text() != TYPE {
            return Err(fields.fault(PayloadFault::Word { field: "first key", wanted: TYPE }));
        }
        if fields.is_empty() {
            fields.u8("type")?;
        }
        let mut ui = Self::new(UiKind::of(fields.text()));
        while !fields.is_empty() {
            let key = fields.text();
            if fields.is_empty() {
                fields.u8("value")?;
            }
            ui.values.push((key, fields.text()));
        }
        Ok(ui)
    }
}

fn put_text(out: &mut BytesMut, text: &str) -> Result<(), ProtocolError> {
    if text.bytes().any(|byte| byte == 0x00) {
        let fault = PayloadFault::Value { field: "text", value: 0 };
        return Err(ProtocolError::Payload { message: "ui_request", fault });
    }
    out.put_slice(text.as_bytes());
    out.put_u8(0x00);
    Ok(())
}
