//! The usual mistakes between two sides of TLS, seen from the side that connects: one line each, with the cause and what to do.
//!
//! They are told apart by the variants that the TLS library reports, never by its words; what it does not tell apart (a certificate
//! that may not be a server's, one of the first version) is looked up in the certificate itself.

use std::io;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::certificate::{Facts, quotable};
use super::files::FileError;
use crate::time::Timestamp;

/// So many names of a certificate are told.
const NAMES_MAX: usize = 4;

/// Why TLS came to nothing. "Shown" is what the other side shows of itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A file of ours.
    #[error("{0}")]
    File(#[from] FileError),
    /// Somebody else, or somebody by another name.
    #[error("the certificate shown is for {}, not for {wanted}: set server_name to what it is for, or have it made for {wanted}", names(.presented))]
    WrongName {
        /// By which name we know the other side.
        wanted: String,
        /// The names in its certificate; at least one.
        presented: Vec<String>,
    },
    /// A certificate that only has a common name, which nobody looks at any more.
    #[error("the certificate shown holds no name at all (a common name does not count): have it made with subjectAltName={0}")]
    Nameless(String),
    /// Too late.
    #[error("the certificate shown has expired{}: renew it; if it is newer than that, the clock of this machine is wrong", at(.0))]
    Expired(Option<Timestamp>),
    /// Too early.
    #[error("the certificate shown is not valid yet{}: is the clock of this machine right, and was that of the other one?", at(.0))]
    NotYetValid(Option<Timestamp>),
    /// Signed by a stranger.
    #[error("the certificate shown is signed by a CA that {ca} does not hold: put the certificate of the CA that signed it there{}", issued(.issuer))]
    UnknownCa {
        /// Where the known ones are.
        ca: String,
        /// What the certificate calls its CA, if it could be read.
        issuer: Option<String>,
    },
    /// What `openssl req -x509` makes when nobody says otherwise.
    #[error(
        "the certificate shown is a CA's, which no server may show as its own: have one signed by that CA, or make it with basicConstraints=CA:FALSE"
    )]
    ShowsCa,
    /// What `openssl x509 -req` makes in older versions when nobody gives it extensions.
    #[error("the certificate shown is of X.509 version 1, which can hold no names: have it made with subjectAltName={0}")]
    VersionOne(String),
    /// For clients, or for mail.
    #[error("the certificate shown is not for servers: its extendedKeyUsage lacks serverAuth")]
    WrongPurpose,
    /// Anything else about it.
    #[error("the certificate shown cannot be believed: {0}")]
    BadCertificate(String),
    /// Bytes that are no TLS.
    #[error("what answers there does not speak TLS: switch TLS on at the other side, or use plain TCP here, too")]
    NotTls,
    /// No bytes at all.
    #[error("no answer to the TLS handshake within {} s: is TLS switched on at the other side? A port of plain TCP waits in silence", .0.as_secs())]
    Silent(Duration),
    /// It hangs up.
    #[error("the other side closed the connection during the TLS handshake: is TLS switched on there?")]
    ClosedEarly,
    /// TLS where we speak plainly.
    #[error("what answers there speaks TLS: use tls instead of tcp here, or switch TLS off at the other side")]
    SpeaksTls,
    /// It wants to know who we are.
    #[error("the other side demands a client certificate, and none is configured: set cert and key")]
    Demanded,
    /// It does not like who we are.
    #[error("the other side refuses our client certificate: {0}")]
    Refused(&'static str),
    /// No version in common.
    #[error("no version of TLS in common; here {ours} is spoken: allow it at the other side{}", if *.limited { ", or set min_version lower" } else { "" })]
    Version {
        /// What we offer.
        ours: &'static str,
        /// Whether we could offer more.
        limited: bool,
    },
    /// No algorithm in common.
    #[error("no cipher suite in common: the other side offers none that is still safe")]
    NoCipher,
    /// It has ended the connection for a reason that concerns nothing above.
    #[error("the other side ended the connection with the TLS alert {0}")]
    Alert(String),
    /// Something between the two TLS libraries.
    #[error("{0}")]
    Other(String),
}

/// What this side has brought to a handshake.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Where the known CAs are, in words: a path, or an option.
    pub ca: String,
    /// By which name the other side is known.
    pub wanted: ServerName<'static>,
    /// Whether TLS 1.2 was offered, too.
    pub with_1_2: bool,
    /// Whether the other side has asked for a client certificate.
    pub asked: bool,
    /// Whether there is one to give.
    pub given: bool,
    /// What the other side's certificate says of itself, if it has come that far and can be read.
    pub shown: Option<Facts>,
}

impl Fault {
    /// What an error of the connection means.
    pub fn of_io(error: &io::Error, attempt: &Attempt) -> Self {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return Self::of(error, attempt);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                if attempt.asked && !attempt.given { Self::Demanded } else { Self::ClosedEarly }
            }
            _ => Self::Other(error.to_string()),
        }
    }

    /// What an error of the TLS library means.
    pub fn of(error: &Error, attempt: &Attempt) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error, attempt),
            Error::NoCertificatesPresented => Self::BadCertificate("there is none".to_owned()),
            Error::AlertReceived(alert) => Self::of_alert(*alert, attempt),
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } | Error::PeerSentOversizedRecord => Self::NotTls,
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::SupportedVersionsExtensionRequired,
            ) => Self::version(attempt),
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon) => {
                Self::NoCipher
            }
            other => Self::Other(quotable(&other.to_string())),
        }
    }

    fn of_certificate(error: &CertificateError, attempt: &Attempt) -> Self {
        let san = || subject_alt_name(&attempt.wanted);
        match error {
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => Self::Nameless(san()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::WrongName { wanted: attempt.wanted.to_str().into_owned(), presented: presented.clone() }
            }
            CertificateError::NotValidForName => Self::Nameless(san()),
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired(Some(moment(*not_after))),
            CertificateError::Expired => Self::Expired(None),
            CertificateError::NotValidYetContext { not_before, .. } => Self::NotYetValid(Some(moment(*not_before))),
            CertificateError::NotValidYet => Self::NotYetValid(None),
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                let issuer = attempt.shown.as_ref().map(|shown| shown.issuer.clone());
                Self::UnknownCa { ca: attempt.ca.clone(), issuer }
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Self::WrongPurpose,
            // The library has no variants of its own for these two, but the certificate can be looked at.
            CertificateError::Other(_) if attempt.shown.as_ref().is_some_and(|shown| shown.is_version_1) => {
                Self::VersionOne(san())
            }
            CertificateError::Other(_) if attempt.shown.as_ref().is_some_and(|shown| shown.is_ca) => Self::ShowsCa,
            other => Self::BadCertificate(quotable(&other.to_string())),
        }
    }

    /// An alert says what the other side does not like. Some are sent for several reasons, so it matters what was said before.
    fn of_alert(alert: AlertDescription, attempt: &Attempt) -> Self {
        use AlertDescription as A;
        let refused = match alert {
            A::CertificateRequired | A::NoCertificate => return Self::Demanded,
            A::ProtocolVersion => return Self::version(attempt),
            A::UnknownCA => Some("it does not know the CA that signed it"),
            A::CertificateExpired => Some("it has expired"),
            A::CertificateRevoked => Some("it has been revoked"),
            A::UnsupportedCertificate => {
                Some("it is of a kind that is not accepted there; does it have the extendedKeyUsage clientAuth?")
            }
            A::BadCertificate | A::CertificateUnknown => Some("it is not accepted there, without saying why"),
            A::DecryptError => Some("its signature is not accepted there"),
            A::AccessDenied => Some("it is known there, but has no access"),
            A::HandshakeFailure if attempt.asked => Some("without saying why"),
            A::HandshakeFailure | A::InsufficientSecurity => return Self::NoCipher,
            _ => None,
        };
        match refused {
            Some(why) if attempt.given => Self::Refused(why),
            Some(_) if attempt.asked => Self::Demanded,
            _ => Self::Alert(format!("{alert:?}")),
        }
    }

    fn version(attempt: &Attempt) -> Self {
        if attempt.with_1_2 {
            Self::Version { ours: "TLS 1.2 and 1.3", limited: false }
        } else {
            Self::Version { ours: "TLS 1.3 only", limited: true }
        }
    }
}

/// How a certificate says this name.
fn subject_alt_name(name: &ServerName<'_>) -> String {
    let kind = if matches!(name, ServerName::IpAddress(_)) { "IP" } else { "DNS" };
    format!("{kind}:{}", name.to_str())
}

fn moment(time: UnixTime) -> Timestamp {
    Timestamp::from_unix_millis(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000))
}

fn at(moment: &Option<Timestamp>) -> String {
    moment.map_or_else(String::new, |moment| format!(" ({moment})"))
}

fn issued(issuer: &Option<String>) -> String {
    issuer.as_ref().map_or_else(String::new, |issuer| format!(" (it is called {issuer})"))
}

/// Names in a certificate as a person wants them. The library writes one as `DnsName("a.b")`, an address as `IpAddress(1.2.3.4)`.
pub fn names(names: &[String]) -> String {
    let inside = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        quotable(inner.trim_matches('"'))
    };
    let mut told: Vec<String> = names.iter().take(NAMES_MAX).map(inside).collect();
    if names.len() > NAMES_MAX {
        told.push("…".to_owned());
    }
    told.join(", ")
}
