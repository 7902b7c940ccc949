//! What a certificate says of itself. Whether it may be believed is for the TLS library to say.

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use crate::time::Timestamp;

/// A name that the other side has chosen is quoted no further than this.
const NAME_MAX: usize = 80;

/// What is of use for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ceases to be.
    pub not_after: Timestamp,
    /// Who signed it.
    pub issuer: String,
    /// Whether it may sign others; then no server may show it as its own.
    pub is_ca: bool,
    /// Of the first version of certificates, which can hold no names; nobody accepts them any more.
    pub is_version_1: bool,
}

/// Reads a certificate; none if it is not one.
pub fn facts(certificate: &CertificateDer<'_>) -> Option<Facts> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    let moment = |seconds: i64| Timestamp::from_unix_millis(seconds.saturating_mul(1000));
    Some(Facts {
        not_before: moment(read.validity().not_before.timestamp()),
        not_after: moment(read.validity().not_after.timestamp()),
        issuer: quotable(&read.issuer().to_string()),
        is_ca: read.is_ca(),
        is_version_1: read.version() != X509Version::V3,
    })
}

/// Text of somebody else's, fit for a line of a log.
pub fn quotable(text: &str) -> String {
    let mut quoted: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME_MAX).collect();
    if text.chars().count() > NAME_MAX {
        quoted.push('…');
    }
    quoted
}
