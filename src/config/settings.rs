//! From the tree of values to settings: the whole file, section by section, and the rules that span sections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use config::Value;

use super::raw::{self, Section};
use super::terminals::{self, Rules};
use super::ui;
use super::{Mistake, default_journal, link};
use crate::api::{self, Bounds, Role, Token};
use crate::fleet::supervision::Supervision;
use crate::money::Currency;
use crate::terminal::screen::Templates;
use crate::terminal::settings::{Screens, TerminalSettings};
use crate::tls::IdentityFiles;

/// Every stream of events keeps one of `api.max_connections`.
const STREAMS: (u32, u32) = (1, 1500);

/// Everything that was configured, valid as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whose depot.
    pub site: Site,
    /// What to log, in the language of `tracing`'s filters.
    pub log_filter: String,
    /// The HTTP side.
    pub api: api::Settings,
    /// Where the journal is; relative to the working directory.
    pub journal_path: PathBuf,
    /// An append that takes longer is slow; a journal that is slow again and again takes no new cards.
    pub journal_slow_after: Duration,
    /// How patiently to restart.
    pub supervision: Supervision,
    /// At least one; names and links are distinct.
    pub terminals: Vec<TerminalSettings>,
}

/// The depot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name.
    pub id: String,
    /// Its one currency.
    pub currency: Currency,
}

/// Takes the whole file apart. `None` only after a mistake was noted.
pub(super) fn validate(root: Value, mistakes: &mut Vec<Mistake>) -> Option<Config> {
    let mut root = Section::root(root);
    let site = site(root.section("site", mistakes), mistakes);
    let log_filter = log(root.section("log", mistakes), mistakes);
    let api = api(root.section("api", mistakes), mistakes);
    let (journal_path, journal_slow_after) = journal(root.section("journal", mistakes), mistakes);
    let (rules, base) = Rules::base(root.section("policy", mistakes), mistakes);
    let supervision = supervision(root.section("supervision", mistakes), mistakes);
    let templates = ui::read(root.section("ui", mistakes), &Templates::new(), mistakes);
    let screens = Screens { site: site.as_ref().map(|site| site.id.clone()).unwrap_or_default(), templates };
    let terminals = terminals::read(&mut root, &rules, base.as_ref(), &screens, &journal_path, mistakes);
    root.finish(mistakes);
    Some(Config { site: site?, log_filter, api: api?, journal_path, journal_slow_after, supervision, terminals })
}

fn site(mut section: Section, mistakes: &mut Vec<Mistake>) -> Option<Site> {
    let id = section.required("id", mistakes, |section, mistakes| section.text("id", mistakes));
    let currency = section.required("currency", mistakes, |section, mistakes| {
        section.take("currency", mistakes, |value| raw::text(value)?.parse::<Currency>().map_err(|error| error.to_string()))
    });
    section.finish(mistakes);
    Some(Site { id: id?, currency: currency? })
}

fn log(mut section: Section, mistakes: &mut Vec<Mistake>) -> String {
    let filter = section.take("filter", mistakes, |value| {
        let text = raw::text(value)?;
        match tracing_subscriber::EnvFilter::try_new(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("is no log filter: {error}")),
        }
    });
    section.finish(mistakes);
    filter.unwrap_or_else(|| "info".to_owned())
}

fn journal(mut section: Section, mistakes: &mut Vec<Mistake>) -> (PathBuf, Duration) {
    let path = section.text("path", mistakes).map_or_else(default_journal, PathBuf::from);
    let slow_after = section.duration("slow_after", mistakes).unwrap_or(Duration::from_secs(1));
    section.finish(mistakes);
    (path, slow_after)
}

fn api(mut section: Section, mistakes: &mut Vec<Mistake>) -> Option<api::Settings> {
    let given = section.has("listen");
    let listen = section.take("listen", mistakes, |value| {
        raw::text(value)?.parse::<SocketAddr>().map_err(|_| raw::wrong("an address and port such as \"127.0.0.1:8470\"", value))
    });
    let listen = if given { listen } else { Some(SocketAddr::from(([127, 0, 0, 1], 8470))) };
    let any = section.has("tokens");
    let tokens = tokens(&mut section, mistakes);
    let tls = if section.has("tls") { certificate(&mut section, mistakes) } else { None };
    let write_timeout = section.duration("write_timeout", mistakes);
    let (streams, events) = events(section.section("events", mistakes), mistakes);
    // Tokens that are there and wrong have their own mistakes.
    let open = listen.is_some_and(|listen| !listen.ip().to_canonical().is_loopback());
    if open && tokens.is_empty() && !(any && mistakes.iter().any(|mistake| mistake.path.starts_with("api.tokens"))) {
        section.mistake("tokens", "at least one is needed, since api.listen is not a loopback address", mistakes);
    }
    let resolve_requires_two = section.take("resolve_requires_two", mistakes, raw::truth).unwrap_or(false);
    let admins = tokens.iter().filter(|token| token.role == Role::Admin).count();
    if resolve_requires_two && admins < 2 {
        let message = format!("needs at least two tokens with the role \"admin\", but there are {admins}");
        section.mistake("resolve_requires_two", message, mistakes);
    }
    let mut bounds = Bounds::default();
    if let Some(per_second) = section.number("requests_per_second", (0, 1_000_000), mistakes) {
        bounds.requests_per_second = NonZeroU32::new(per_second);
    }
    let most = section.number("max_connections", (16, 100_000), mistakes);
    bounds.max_connections = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(bounds.max_connections);
    let others = bounds.max_connections.saturating_sub(1);
    if streams.is_some_and(|streams| streams > others) {
        let message = format!("must leave connections for others, and api.max_connections is {}", bounds.max_connections);
        section.mistake("events.streams", message, mistakes);
    }
    // Who asks for fewer connections alone gets fewer streams.
    let streams = streams.unwrap_or(events.streams.min(bounds.max_connections / 2));
    let events = api::events::Settings { streams, ..events };
    section.finish(mistakes);
    let usual = api::Settings::at(listen?);
    Some(api::Settings {
        tokens,
        tls,
        write_timeout: write_timeout.unwrap_or(usual.write_timeout),
        events,
        resolve_requires_two,
        bounds,
        ..usual
    })
}

/// How many streams are asked for, and what else is to be so.
fn events(mut section: Section, mistakes: &mut Vec<Mistake>) -> (Option<usize>, api::events::Settings) {
    let usual = api::events::Settings::default();
    let streams = section.number("streams", STREAMS, mistakes).and_then(|streams| usize::try_from(streams).ok());
    let heartbeat = section.duration("heartbeat", mistakes);
    section.finish(mistakes);
    (streams, api::events::Settings { heartbeat: heartbeat.unwrap_or(usual.heartbeat), ..usual })
}

fn certificate(api: &mut Section, mistakes: &mut Vec<Mistake>) -> Option<IdentityFiles> {
    let before = mistakes.len();
    let mut section = api.section("tls", mistakes);
    if mistakes.len() > before {
        return None;
    }
    for key in ["cert", "key"].into_iter().filter(|_| !section.has("cert") && !section.has("key")) {
        section.mistake(key, "is missing", mistakes);
    }
    let files = link::identity(&mut section, mistakes);
    section.finish(mistakes);
    files
}

fn tokens(api: &mut Section, mistakes: &mut Vec<Mistake>) -> Vec<Token> {
    let roles = [("viewer", Role::Viewer), ("operator", Role::Operator), ("admin", Role::Admin)];
    let mut names = HashMap::new();
    let mut digests = HashMap::new();
    let mut tokens = Vec::new();
    for mut section in api.sections("tokens", mistakes) {
        let name = section.required("name", mistakes, |section, mistakes| section.text("name", mistakes));
        let role = section.required("role", mistakes, |section, mistakes| section.word("role", &roles, mistakes));
        let sha256 = section.required("sha256", mistakes, |section, mistakes| section.take("sha256", mistakes, digest));
        if let Some(earlier) = name.clone().and_then(|name| names.insert(name, section.path("name"))) {
            section.mistake("name", format!("is the same as {earlier}"), mistakes);
        }
        if let Some(earlier) = sha256.and_then(|sha256| digests.insert(sha256, section.path("sha256"))) {
            section.mistake("sha256", format!("is the same as {earlier}"), mistakes);
        }
        section.finish(mistakes);
        if let (Some(name), Some(role), Some(sha256)) = (name, role, sha256) {
            tokens.push(Token { name, role, sha256 });
        }
    }
    tokens
}

/// Never quotes what came: somebody may have written the token itself.
fn digest(value: &Value) -> Result<[u8; 32], String> {
    let wanted = || "must be the 64 hexadecimal digits of the token's SHA-256".to_owned();
    let text = raw::text(value).map_err(|_| wanted())?;
    let digits = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<_>>>().ok_or_else(wanted)?;
    let bytes: Vec<u8> =
        digits.chunks(2).filter_map(|pair| u8::try_from(pair.iter().fold(0, |sum, digit| sum * 16 + digit)).ok()).collect();
    if digits.len() == 64 { bytes.try_into().map_err(|_| wanted()) } else { Err(wanted()) }
}

fn supervision(mut section: Section, mistakes: &mut Vec<Mistake>) -> Supervision {
    let seconds = Duration::from_secs;
    let supervision = Supervision {
        backoff_min: section.duration("backoff_min", mistakes).unwrap_or(seconds(1)),
        backoff_max: section.duration("backoff_max", mistakes).unwrap_or(seconds(60)),
        intensity: section.number("intensity", (1, 1000), mistakes).unwrap_or(5),
        period: section.duration("period", mistakes).unwrap_or(seconds(60)),
        quarantine_retry: section.duration("quarantine_retry", mistakes).unwrap_or(seconds(300)),
    };
    if supervision.backoff_min > supervision.backoff_max {
        section.mistake("backoff_min", "must not be longer than backoff_max", mistakes);
    }
    section.finish(mistakes);
    supervision
}
