//! Where a terminal is: `link = { tcp = … }`, `{ tls = … }` or `{ serial = … }`. What TLS needs of the disk is looked at at once, so that a
//! wrong path is a mistake of the configuration and not of some night later.

use std::net::IpAddr;
use std::path::PathBuf;

use config::Value;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Mistake;
use super::raw::{self, Section};
use crate::link::{Address, MinVersion, Tls};
use crate::protocol::Family;
use crate::tls::{IdentityFiles, files};

/// What only a link with TLS has.
const OF_TLS: [&str; 5] = ["ca", "server_name", "cert", "key", "min_version"];

/// Reads `link` of a terminal.
pub(super) fn read(terminal: &mut Section, family: Option<Family>, m: &mut Vec<Mistake>) -> Option<Address> {
    let kinds = "needs exactly one of tcp = \"host:port\", tls = \"host:port\" and serial = \"/dev/…\"";
    if !terminal.has("link") {
        terminal.mistake("link", format!("is missing: {kinds}"), m);
        return None;
    }
    let before = m.len();
    let mut section = terminal.section("link", m);
    if m.len() > before {
        return None;
    }
    let (has_tcp, has_serial, has_tls) = (section.has("tcp"), section.has("serial"), section.has("tls"));
    let tcp = section.take("tcp", m, private_host_and_port);
    let serial = section.text("serial", m);
    let has_baud = section.has("baud");
    let baud = section.number("baud", (1200, 921_600), m);
    let tls = if has_tls { tls(&mut section, m) } else { None };
    let path = terminal.path("link");
    let mut wrong = |message: &str| m.push(Mistake { path: path.clone(), message: message.to_owned() });
    if usize::from(has_tcp) + usize::from(has_serial) + usize::from(has_tls) != 1 {
        wrong(kinds);
    }
    if (has_tcp || has_tls) && family == Some(Family::P6x) {
        wrong("a P6X is reached by serial only");
    }
    if has_baud && !has_serial {
        wrong("baud is for serial links only");
    }
    if !has_tls {
        for key in OF_TLS {
            if section.discard(key) {
                section.mistake(key, "is for TLS links only", m);
            }
        }
    }
    section.finish(m);
    match (tcp, tls, serial) {
        (Some(address), None, None) => Some(Address::Tcp(address)),
        (None, Some(tls), None) => Some(Address::Tls(Box::new(tls))),
        (None, None, Some(path)) => Some(Address::Serial { path, baud: baud.unwrap_or(57_600) }),
        _ => None,
    }
}

fn tls(section: &mut Section, m: &mut Vec<Mistake>) -> Option<Tls> {
    let address = section.take("tls", m, host_and_port);
    let ca = section.required("ca", m, |section, m| {
        section.take("ca", m, |value| {
            let path = PathBuf::from(raw::text(value)?);
            files::roots(&path).map(|_| path).map_err(|error| error.to_string())
        })
    });
    let host = address.as_deref().and_then(|address| address.rsplit_once(':')).map(|(host, _)| bare(host).to_owned());
    let given = section.has("server_name");
    let server_name = section.take("server_name", m, |value| {
        ServerName::try_from(raw::text(value)?).map_err(|_| raw::wrong("a host name or an IP address", value))
    });
    let server_name = if given { server_name } else { host.and_then(|host| ServerName::try_from(host).ok()) };
    let client = identity(section, m);
    let versions = [("1.2", MinVersion::V1_2), ("1.3", MinVersion::V1_3)];
    let min_version = section.word("min_version", &versions, m).unwrap_or_default();
    Some(Tls { address: address?, ca: ca?, server_name: server_name?, client, min_version })
}

/// `cert` and `key`, which belong together; also of the API.
pub(super) fn identity(section: &mut Section, m: &mut Vec<Mistake>) -> Option<IdentityFiles> {
    for (key, other) in [("cert", "key"), ("key", "cert")] {
        if section.has(key) && !section.has(other) {
            section.mistake(other, format!("is missing: {key} is of no use without it"), m);
        }
    }
    let cert = section.text("cert", m).map(PathBuf::from);
    let key = section.text("key", m).map(PathBuf::from);
    let files = IdentityFiles { cert: cert?, key: key? };
    let (of_cert, of_key) = files.mistakes();
    for (key, error) in [("cert", of_cert), ("key", of_key)] {
        if let Some(error) = error {
            section.mistake(key, error.to_string(), m);
        }
    }
    Some(files)
}

/// `host:port`; an address that is not private is refused, a name cannot be judged here.
fn private_host_and_port(value: &Value) -> Result<String, String> {
    let text = host_and_port(value)?;
    let host = text.rsplit_once(':').map_or("", |(host, _)| bare(host));
    match host.parse::<IpAddr>() {
        Ok(address) if !is_private(address) => Err(format!(
            "{address} is not a private address, and plain TCP would carry card data over a public network: use tls"
        )),
        _ => Ok(text),
    }
}

/// `host:port`, where an IPv6 address stands in brackets.
fn host_and_port(value: &Value) -> Result<String, String> {
    let wanted = || raw::wrong("\"host:port\"", value);
    let text = raw::text(value)?;
    let (host, port) = text.rsplit_once(':').ok_or_else(wanted)?;
    let port = port.parse::<u16>().map_err(|_| wanted())?;
    let legal = |host: &str| !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    let well_formed = if bare(host) == host { legal(host) } else { matches!(bare(host).parse(), Ok(IpAddr::V6(_))) };
    if port == 0 || !well_formed { Err(wanted()) } else { Ok(text) }
}

/// Without brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
