//! Payloads that open a card flow: Start Session and Read Card.

use bytes::{BufMut, BytesMut};

use crate::id::SessionReference;
use crate::money::Amount;
use crate::protocol::dol::Tag;
use crate::protocol::error::{PayloadFault, ProtocolError};
use crate::protocol::fields::Fields;
use crate::protocol::raw::RawPayload;

/// The longest text that can be shown instead of our number (PSP, Start Session, field 9: 64 bytes with its NUL).
pub const REFERENCE_TEXT_MAX: usize = 63;
/// The longest name of a logo (PSP, Start Session, field 6).
pub const LOGO_MAX: usize = 63;
/// The longest address in a QR code (PSP, Start Session, field 8: 4297 bytes with its NUL; fits only an extended block).
pub const QR_ADDRESS_MAX: usize = 0x10C9 - 1;
/// The longest text that asks for a card (PSP, Read Card: 128 bytes with its NUL).
pub const CARD_MESSAGE_MAX: usize = 127;

/// Which ways to pay are offered, a bit field (PSP, Start Session, field 5). 0x00 and 0xFF mean all of them; of the bits only
/// [`EMV`](Self::EMV) is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PaymentMethods(pub u8);

impl PaymentMethods {
    /// Whatever the terminal takes.
    pub const ALL: Self = Self(0x00);
    /// EMV cards.
    pub const EMV: Self = Self(0x02);
}

/// Payload of Start Session. Everything after `dol` is for Apollo only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartSession {
    /// How much to hold.
    pub amount: Amount,
    /// Our number.
    pub reference: SessionReference,
    /// Data objects wanted; empty for the terminal's default list.
    pub dol: Vec<Tag>,
    /// Which ways to pay are offered.
    pub payment_methods: PaymentMethods,
    /// The logo's file name without its extension, at most [`LOGO_MAX`] bytes; shown only if EMV is off.
    pub logo: Option<String>,
    /// Whether the amount is not shown.
    pub hide_amount: bool,
    /// What the QR code leads to, at most [`QR_ADDRESS_MAX`] bytes.
    pub qr_address: Option<String>,
    /// Text shown instead of our number, at most [`REFERENCE_TEXT_MAX`] bytes.
    pub reference_text: Option<String>,
    /// A second text below it, at most as long.
    pub second_reference_text: Option<String>,
    /// Fields after the tenth, which the pages do not explain.
    pub tail: RawPayload,
}

/// Payload of Read Card, Apollo only: a card is read, and no amount is shown or held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadCard {
    /// Our number.
    pub reference: SessionReference,
    /// Data objects wanted; empty for the terminal's default list.
    pub dol: Vec<Tag>,
    /// Which ways to pay are offered.
    pub payment_methods: PaymentMethods,
    /// The logo's file name without its extension, at most [`LOGO_MAX`] bytes.
    pub logo: Option<String>,
    /// What the QR code leads to, at most [`QR_ADDRESS_MAX`] bytes (PSP, Read Card, prints another limit; this one is Start Session's).
    pub qr_address: Option<String>,
    /// Text shown instead of our number, at most [`REFERENCE_TEXT_MAX`] bytes.
    pub reference_text: Option<String>,
    /// A second text below it, at most as long.
    pub second_reference_text: Option<String>,
    /// The text that asks for a card, at most [`CARD_MESSAGE_MAX`] bytes.
    pub message: Option<String>,
    /// What may come after it, which the pages do not explain.
    pub tail: RawPayload,
}

impl StartSession {
    /// Asks for a hold, with the terminal's defaults for everything else.
    pub fn new(amount: Amount, reference: SessionReference) -> Self {
        Self {
            amount,
            reference,
            dol: Vec::new(),
            payment_methods: PaymentMethods::ALL,
            logo: None,
            hide_amount: false,
            qr_address: None,
            reference_text: None,
            second_reference_text: None,
            tail: RawPayload::default(),
        }
    }

    /// The first field in use that only an Apollo knows.
    pub(in crate::protocol) fn first_apollo_field(&self) -> Option<&'static str> {
        let fields = [
            ("payment methods", self.payment_methods != PaymentMethods::ALL),
            ("logo", self.logo.is_some()),
            ("hidden amount", self.hide_amount),
            ("QR address", self.qr_address.is_some()),
            ("reference text", self.reference_text.is_some()),
            ("second reference text", self.second_reference_text.is_some()),
            ("further fields", !self.tail.is_empty()),
        ];
        fields.into_iter().find_map(|(field, in_use)| in_use.then_some(field))
    }

    pub(in crate::protocol) fn encode(&self, out: &mut BytesMut) -> Result<(), ProtocolError> {
        out.put_u32(self.amount.minor());
        out.put_u32(self.reference.0);
        let mut optional = Optional { message: "start_session", out, defaults: 0 };
        optional.tags(&self.dol)?;
        optional.byte(self.payment_methods.0);
        optional.text("logo", self.logo.as_deref(), LOGO_MAX)?;
        optional.byte(self.hide_amount.into());
        optional.text("QR address", self.qr_address.as_deref(), QR_ADDRESS_MAX)?;
        optional.text("reference text", self.reference_text.as_deref(), REFERENCE_TEXT_MAX)?;
        optional.text("second reference text", self.second_reference_text.as_deref(), REFERENCE_TEXT_MAX)?;
        optional.end(&self.tail);
        Ok(())
    }

    pub(in crate::protocol) fn decode(fields: &mut Fields<'_>) -> Result<Self, ProtocolError> {
        let amount = Amount::from_minor(fields.u32("amount")?);
        let reference = SessionReference(fields.u32("session reference")?);
        Ok(Self {
            amount,
            reference,
            dol: tags(fields)?,
            payment_methods: PaymentMethods(fields.u8_if_any().unwrap_or(0x00)),
            logo: fields.text_if_any(),
            hide_amount: fields.u8_if_any().unwrap_or(0x00) != 0x00,
            qr_address: fields.text_if_any(),
            reference_text: fields.text_if_any(),
            second_reference_text: fields.text_if_any(),
            tail: fields.raw(),
        })
    }
}

impl ReadCard {
    /// Asks for a card, with the terminal's defaults for everything else.
    pub fn new(reference: SessionReference) -> Self {
        Self {
            reference,
            dol: Vec::new(),
            payment_methods: PaymentMethods::ALL,
            logo: None,
            qr_address: None,
            reference_text: None,
            second_reference_text: None,
            message: None,
            tail: RawPayload::default(),
        }
    }

    pub(in crate::protocol) fn encode(&self, out: &mut BytesMut) -> Result<(), ProtocolError> {
        out.put_u32(self.reference.0);
        let mut optional = Optional { message: "read_card", out, defaults: 0 };
        optional.tags(&self.dol)?;
        optional.byte(self.payment_methods.0);
        optional.text("logo", self.logo.as_deref(), LOGO_MAX)?;
        optional.text("QR address", self.qr_address.as_deref(), QR_ADDRESS_MAX)?;
        optional.text("reference text", self.reference_text.as_deref(), REFERENCE_TEXT_MAX)?;
        optional.text("second reference text", self.second_reference_text.as_deref(), REFERENCE_TEXT_MAX)?;
        optional.text("card message", self.message.as_deref(), CARD_MESSAGE_MAX)?;
        optional.end(&self.tail);
        Ok(())
    }

    pub(in crate::protocol) fn decode(fields: &mut Fields<'_>) -> Result<Self, ProtocolError> {
        Ok(Self {
            reference: SessionReference(fields.u32("session reference")?),
            dol: tags(fields)?,
            payment_methods: PaymentMethods(fields.u8_if_any().unwrap_or(0x00)),
            logo: fields.text_if_any(),
            qr_address: fields.text_if_any(),
            reference_text: fields.text_if_any(),
            second_reference_text: fields.text_if_any(),
            message: fields.text_if_any(),
            tail: fields.raw(),
        })
    }
}

/// Writes fields that may be left out from the end: a field may be given only if all earlier ones are (PSP, Start Session), so
/// defaults are written only when something follows them. Every default is one byte 0x00.
struct Optional<'a> {
    message: &'static str,
    out: &'a mut BytesMut,
    /// How many bytes at the end are only defaults.
    defaults: usize,
}

impl Optional<'_> {
    fn byte(&mut self, value: u8) {
        self.out.put_u8(value);
        self.defaults = if value == 0x00 { self.defaults + 1 } else { 0 };
    }

    fn tags(&mut self, tags: &[Tag]) -> Result<(), ProtocolError> {
        let (bytes, most) = (tags.len() * 3, usize::from(u8::MAX));
        let length =
            u8::try_from(bytes).map_err(|_| self.wrong(PayloadFault::TooLong { field: "data object list", bytes, most }))?;
        self.byte(length);
        tags.iter().for_each(|tag| self.out.put_slice(&tag.0));
        Ok(())
    }

    fn text(&mut self, field: &'static str, text: Option<&str>, most: usize) -> Result<(), ProtocolError> {
        let text = text.unwrap_or_default();
        let bytes = text.len();
        if bytes > most {
            return Err(self.wrong(PayloadFault::TooLong { field, bytes, most }));
        }
        if text.bytes().any(|byte| byte == 0x00) {
            return Err(self.wrong(PayloadFault::Value { field, value: 0 }));
        }
        self.out.put_slice(text.as_bytes());
        self.out.put_u8(0x00);
        self.defaults = if bytes == 0 { self.defaults + 1 } else { 0 };
        Ok(())
    }

    fn end(self, tail: &RawPayload) {
        if tail.is_empty() {
            self.out.truncate(self.out.len() - self.defaults);
        } else {
            self.out.put_slice(tail.reveal());
        }
    }

    const fn wrong(&self, fault: PayloadFault) -> ProtocolError {
        ProtocolError::Payload { message: self.message, fault }
    }
}

fn tags(fields: &mut Fields<'_>) -> Result<Vec<Tag>, ProtocolError> {
    let length = fields.u8_if_any().unwrap_or(0x00);
    let (tags, rest) = fields.bytes("data object list", usize::from(length))?.as_chunks::<3>();
    if !rest.is_empty() {
        return Err(fields.cannot_be("data object list length", length));
    }
    Ok(tags.iter().map(|tag| Tag(*tag)).collect())
}
