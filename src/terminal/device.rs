//! On which device something is open, and whether a link leads to that device. What is open on one can be disposed of on it alone, and
//! another one may know a session by the same number. Pure.

use crate::journal::record::Device;

use super::settings::TerminalSettings;
use super::view::Identity;

impl Device {
    /// The device to which these settings lead; `identity` is what it has said of itself, if it has.
    pub fn of(settings: &TerminalSettings, identity: Option<&Identity>) -> Self {
        let told = identity.map(|identity| identity.serial_number.clone()).filter(|told| !told.is_empty());
        Self {
            family: settings.family.as_str().to_owned(),
            place: settings.link.address.place(),
            serial_number: told.or_else(|| settings.serial_number.clone()),
        }
    }

    /// Whether another device may answer with these settings. Only a serial number shows that this one has another place now, since
    /// set-up goes on with no other; whether it is right shows in the same way.
    pub fn may_be_another(&self, settings: &TerminalSettings) -> bool {
        let elsewhere = match (&self.serial_number, &settings.serial_number) {
            (Some(own), Some(wanted)) => own != wanted,
            _ => self.place != settings.link.address.place(),
        };
        elsewhere || self.family != settings.family.as_str()
    }
}
