//! Payload of Request Ids Response.

use bytes::{BufMut, BytesMut};

use crate::protocol::Family;
use crate::protocol::error::{PayloadFault, ProtocolError};
use crate::protocol::fields::Fields;

/// Payload of Request Ids Response, what both families have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Serial number.
    pub serial_number: String,
    /// Apollo: model id. P6X: none.
    pub model: Option<String>,
    /// Apollo: platform id, version, release, then applications and their versions. P6X: the firmware's name.
    pub software: Vec<String>,
}

/// Sizes of the fields of a P6X's Request Ids Response (PSP, Request Ids): 147 bytes in all.
mod p6x_ids {
    pub(super) const SERIAL_NUMBER: usize = 15;
    /// Three SAMs of status and serial number, MAC address, SIM status and serial number: nothing that we use.
    pub(super) const MODULES: usize = 3 * (1 + 8) + 6 + 1 + 33;
    pub(super) const FIRMWARE: usize = 65;
}

impl Ids {
    /// How many payload bytes a P6X sends.
    pub(in crate::protocol) const P6X_SIZE: usize = p6x_ids::SERIAL_NUMBER + p6x_ids::MODULES + p6x_ids::FIRMWARE;

    pub(in crate::protocol) fn encode(&self, out: &mut BytesMut, family: Family) -> Result<(), ProtocolError> {
        match family {
            Family::Apollo => {
                // An absent model in front of software is an empty text.
                let model = self.model.as_deref().or((!self.software.is_empty()).then_some(""));
                for text in
                    std::iter::once(self.serial_number.as_str()).chain(model).chain(self.software.iter().map(String::as_str))
                {
                    out.put_slice(text.as_bytes());
                    out.put_u8(0x00);
                }
                Ok(())
            }
            Family::P6x => {
                put_padded(out, "serial number", &self.serial_number, p6x_ids::SERIAL_NUMBER)?;
                out.put_bytes(0x00, p6x_ids::MODULES);
                let firmware = self.software.first().map_or("", String::as_str);
                put_padded(out, "firmware", firmware, p6x_ids::FIRMWARE)
            }
        }
    }

    pub(in crate::protocol) fn decode(payload: &[u8], family: Family) -> Result<Self, ProtocolError> {
        let mut fields = Fields::of("ids", payload);
        match family {
            Family::Apollo => {
                if fields.is_empty() {
                    fields.u8("serial number")?;
                }
                let serial_number = fields.text();
                let model = Some(fields.text()).filter(|model| !model.is_empty());
                let mut software = Vec::new();
                while !fields.is_empty() {
                    software.push(fields.text());
                }
                Ok(Self { serial_number, model, software })
            }
            Family::P6x => {
                let serial_number = Fields::of("ids", fields.bytes("serial number", p6x_ids::SERIAL_NUMBER)?).text();
                fields.bytes("modules", p6x_ids::MODULES)?;
                // At most 65 bytes; some of them may be missing after its NUL.
                let firmware = fields.text();
                Ok(Self { serial_number, model: None, software: vec![firmware] })
            }
        }
    }
}

/// Appends a text with its NUL, filled up to a fixed size.
fn put_padded(out: &mut BytesMut, field: &'static str, text: &str, size: usize) -> Result<(), ProtocolError> {
    if text.len() >= size {
        let fault = PayloadFault::TooLong { field, bytes: text.len(), most: size - 1 };
        return Err(ProtocolError::Payload { message: "ids", fault });
    }
    out.put_slice(text.as_bytes());
    out.put_bytes(0x00, size - text.len());
    Ok(())
}
