//! The file that `termsim` reads: which terminals to simulate, and how their drivers and their bank behave.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::chance::Chances;
use super::depot::{Listen, SimConfig};
use super::drivers::{Drivers, INSUFFICIENT_FUNDS, Partial};
use super::papers::{Paper, Papers};
use super::policy::{BankVerdict, Policy};
use super::quirks::{self, Quirks};
use super::tls::{TlsListen, TlsVersions};
use crate::id::TerminalId;
use crate::money::Amount;
use crate::protocol::Family;
use crate::tls::{IdentityFiles, files};

/// What `termsim` is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The terminals, and who comes to each.
    pub terminals: Vec<(SimConfig, Drivers)>,
    /// How the bank treats cards that are not declined.
    pub policy: Policy,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read, or is not what it should be.
    #[error("{path}: {error}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        error: Box<config::ConfigError>,
    },
    /// Values that cannot be; all of them.
    #[error("{}", .0.join("; "))]
    Mistakes(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    bank: BankSection,
    #[serde(default)]
    drivers: DriversSection,
    #[serde(default)]
    faults: Chances,
    #[serde(default)]
    terminals: Vec<TerminalSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BankSection {
    #[serde(deserialize_with = "duration")]
    reaches_after: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    answers_after: Option<Duration>,
    /// Update Session gets at most this total; every total if none.
    update_at_most: Option<u32>,
    /// Update Session is declined.
    decline_updates: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DriversSection {
    #[serde(deserialize_with = "duration")]
    auto_tap: Option<Duration>,
    decline_every: Option<u32>,
    badge_every: Option<u32>,
    partial: Option<Partial>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TerminalSection {
    id: String,
    family: Family,
    listen: ListenSection,
    serial_number: Option<String>,
    #[serde(default)]
    quirks: Quirks,
    #[serde(default)]
    papers: PapersSection,
    drivers: Option<DriversSection>,
    faults: Option<Chances>,
}

/// What answers requests whose payload is unknown; false where the terminal does not provide it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PapersSection {
    connection_info: Option<PaperSection>,
    receipt: Option<PaperSection>,
    transaction_record: Option<PaperSection>,
    file: Option<PaperSection>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PaperSection {
    Provided(bool),
    Text(String),
}

impl PapersSection {
    fn apply(self, papers: &mut Papers) {
        for (paper, section) in [
            (Paper::ConnectionInfo, self.connection_info),
            (Paper::Receipt, self.receipt),
            (Paper::TransactionRecord, self.transaction_record),
            (Paper::File, self.file),
        ] {
            match section {
                Some(PaperSection::Text(text)) => papers.set(paper, Some(text.as_bytes())),
                Some(PaperSection::Provided(false)) => papers.set(paper, None),
                Some(PaperSection::Provided(true)) | None => {}
            }
        }
    }
}

/// Exactly one of the first three; the rest belongs to `tls`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenSection {
    tcp: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    pty: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    versions: Option<TlsVersions>,
}

impl ListenSection {
    /// Where a terminal of this family listens, or what is wrong with it.
    fn read(self, family: Family) -> Result<Listen, Vec<(&'static str, String)>> {
        let wanted = if family == Family::P6x { "a pty" } else { "one of tcp, tls and pty" };
        let other = || vec![("", format!("a simulated {} listens on {wanted}", family.as_str()))];
        let of_tls = self.cert.is_some() || self.key.is_some() || self.client_ca.is_some() || self.versions.is_some();
        match (family, self.tcp, self.tls, self.pty) {
            (Family::Apollo, None, Some(address), None) => {
                let (Some(cert), Some(key)) = (self.cert, self.key) else {
                    return Err(vec![("", "tls needs cert and key".to_owned())]);
                };
                let identity = IdentityFiles { cert, key };
                let (of_cert, of_key) = identity.mistakes();
                let of_ca = self.client_ca.as_deref().and_then(|path| files::roots(path).err());
                let mistakes = [(".cert", of_cert), (".key", of_key), (".client_ca", of_ca)];
                let mistakes: Vec<_> =
                    mistakes.into_iter().filter_map(|(key, error)| Some((key, error?.to_string()))).collect();
                let versions = self.versions.unwrap_or_default();
                let tls = TlsListen { address, identity, client_ca: self.client_ca, versions };
                if mistakes.is_empty() { Ok(Listen::Tls(Box::new(tls))) } else { Err(mistakes) }
            }
            _ if of_tls => Err(vec![("", "cert, key, client_ca and versions are for tls only".to_owned())]),
            (Family::Apollo, Some(address), None, None) => Ok(Listen::Tcp(address)),
            (_, None, None, Some(path)) => Ok(Listen::Pty(path)),
            _ => Err(other()),
        }
    }
}

impl Settings {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let source = config::File::from(path).format(config::FileFormat::Toml);
        let file = config::Config::builder().add_source(source).build().and_then(config::Config::try_deserialize);
        let unreadable = |error| SettingsError::Unreadable { path: path.display().to_string(), error: Box::new(error) };
        Self::of(file.map_err(unreadable)?)
    }

    /// Understands a text as the file is understood.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let source = config::File::from_str(text, config::FileFormat::Toml);
        let file = config::Config::builder().add_source(source).build().and_then(config::Config::try_deserialize);
        let unreadable = |error| SettingsError::Unreadable { path: "the settings".to_owned(), error: Box::new(error) };
        Self::of(file.map_err(unreadable)?)
    }

    fn of(file: File) -> Result<Self, SettingsError> {
        let mut mistakes = Vec::new();
        if file.terminals.is_empty() {
            mistakes.push("terminals: there is none".to_owned());
        }
        let mut terminals: Vec<(SimConfig, Drivers)> = Vec::new();
        for (index, section) in file.terminals.into_iter().enumerate() {
            let key = format!("terminals[{index}]");
            let id: TerminalId = match section.id.parse() {
                Ok(id) => id,
                Err(error) => {
                    mistakes.push(format!("{key}.id: {error}"));
                    continue;
                }
            };
            if terminals.iter().any(|(other, _)| other.id == id) {
                mistakes.push(format!("{key}.id: {id} is there already"));
            }
            let listen = match section.listen.read(section.family) {
                Ok(listen) => listen,
                Err(wrong) => {
                    mistakes.extend(wrong.into_iter().map(|(below, message)| format!("{key}.listen{below}: {message}")));
                    continue;
                }
            };
            for (other, _) in &terminals {
                let same = match (other.listen.socket(), listen.socket()) {
                    (Some(other), Some(address)) => other == address && address.port() != 0,
                    _ => other.listen == listen,
                };
                if same {
                    mistakes.push(format!("{key}.listen: {} listens there already", other.id));
                }
            }
            let usual = if section.family == Family::P6x { SimConfig::p6x(id, "") } else { SimConfig::apollo(id) };
            let mut config = SimConfig { listen, ..usual };
            if let Some(serial_number) = section.serial_number {
                if serial_number.len() > 14 && section.family == Family::P6x {
                    mistakes.push(format!("{key}.serial_number: a P6X has 14 characters at most"));
                }
                config.serial_number = serial_number;
            }
            config.quirks = section.quirks;
            section.papers.apply(&mut config.papers);
            let drivers = section.drivers.unwrap_or(file.drivers);
            let chances = section.faults.unwrap_or(file.faults);
            check(&key, &drivers, &chances, &mut mistakes);
            let index = u64::try_from(index).unwrap_or(0);
            let drivers = Drivers {
                auto_tap: drivers.auto_tap,
                decline_every: drivers.decline_every,
                badge_every: drivers.badge_every,
                partial: drivers.partial,
                chances,
                // Each terminal has its own stream of chance, so that they do not all fail together.
                seed: file.seed.wrapping_mul(1_000_003).wrapping_add(index),
            };
            terminals.push((config, drivers));
        }
        if !mistakes.is_empty() {
            return Err(SettingsError::Mistakes(mistakes));
        }
        let zero = Duration::ZERO;
        let policy = Policy {
            reaches_after: file.bank.reaches_after.unwrap_or(zero),
            answers_after: file.bank.answers_after.unwrap_or(zero),
            update: match (file.bank.decline_updates, file.bank.update_at_most) {
                (true, _) => BankVerdict::Decline(INSUFFICIENT_FUNDS),
                (false, Some(most)) => BankVerdict::Partial(Amount::from_minor(most)),
                (false, None) => BankVerdict::Approve,
            },
            ..Policy::APPROVE
        };
        Ok(Self { terminals, policy })
    }
}

fn check(key: &str, drivers: &DriversSection, chances: &Chances, mistakes: &mut Vec<String>) {
    for (name, every) in [
        ("decline_every", drivers.decline_every),
        ("badge_every", drivers.badge_every),
        ("partial.every", drivers.partial.map(|partial| partial.every)),
    ] {
        if every == Some(0) {
            mistakes.push(format!("{key}.drivers.{name}: every Nth card; N is at least 1"));
        }
    }
    for (name, chance, _) in chances.each() {
        if !(0.0..=1.0).contains(&chance) {
            mistakes.push(format!("{key}.faults.{name}: a chance is from 0 to 1, but this is {chance}"));
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    quirks::duration(deserializer).map(Some)
}
