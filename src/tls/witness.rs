//! What passes by during a handshake. A failed one leaves nothing behind but its error, and that does not tell what a person needs to
//! know: what the certificate says of itself, and whether we were asked for ours.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::{self, Facts};

/// Stands between the TLS library and its own judgement of certificates, and changes nothing about that.
#[derive(Debug)]
pub struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    ours: Option<Arc<CertifiedKey>>,
    shown: OnceLock<Option<Facts>>,
    asked: AtomicBool,
}

impl Witness {
    /// For one handshake, judged by this judge; with our own certificate, if there is one to show.
    pub fn new(judge: Arc<WebPkiServerVerifier>, ours: Option<Arc<CertifiedKey>>) -> Self {
        Self { judge, ours, shown: OnceLock::new(), asked: AtomicBool::new(false) }
    }

    /// What the other side's certificate says of itself, whether it was believed or not.
    pub fn shown(&self) -> Option<&Facts> {
        self.shown.get().and_then(Option::as_ref)
    }

    /// Whether the other side has asked for our certificate.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether there is one to show.
    pub const fn given(&self) -> bool {
        self.ours.is_some()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.shown.get_or_init(|| certificate::facts(end_entity));
        self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

impl ResolvesClientCert for Witness {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.ours.clone()
    }

    fn has_certs(&self) -> bool {
        self.given()
    }
}
