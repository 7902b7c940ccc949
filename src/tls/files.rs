//! Certificates and keys in PEM files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::certificate::{self, Facts};
use super::provider;

/// More than any chain of certificates; what is longer is something else.
const SIZE_MAX: u64 = 1 << 20;

/// Why a file is of no use. Each line says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file system says no.
    #[error("{} cannot be read: {why}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Not a word of PEM about certificates in it.
    #[error("{} holds no certificate; a PEM file is needed, with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// The binary form.
    #[error("{} is not PEM but looks like DER; convert it by openssl x509 (or pkey) -inform DER", .0.display())]
    Der(PathBuf),
    /// PEM, but not of a certificate that anybody could use.
    #[error("{} holds a certificate that cannot be read", .0.display())]
    BadCertificate(PathBuf),
    /// What `openssl x509 -req` makes in older versions when nobody gives it extensions.
    #[error("{} holds a certificate of X.509 version 1, which nobody accepts: have it made with subjectAltName", .0.display())]
    VersionOne(PathBuf),
    /// Not a word of PEM about keys in it.
    #[error("{} holds no private key; a PEM file is needed, with -----BEGIN PRIVATE KEY-----", .0.display())]
    NoKey(PathBuf),
    /// Nobody is there at a start to type a passphrase.
    #[error("{} holds a key that is encrypted with a passphrase; decrypt it by openssl pkey", .0.display())]
    EncryptedKey(PathBuf),
    /// A key of a kind that is not supported.
    #[error("{} holds a private key that cannot be used; RSA (2048 bits or more), ECDSA (P-256, P-384) or Ed25519 is needed", .0.display())]
    BadKey(PathBuf),
    /// Both are sound, but they do not belong together.
    #[error("{} holds another key than that of the certificate in {}", .key.display(), .cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// Where a certificate is, with the chain that leads to a CA, and the key to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdentityFiles {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For the TLS library.
    pub certified: Arc<CertifiedKey>,
    /// What the certificate says.
    pub facts: Facts,
}

impl IdentityFiles {
    /// Reads both, and sees to it that they belong together.
    pub fn read(&self) -> Result<Identity, FileError> {
        self.pair(certificates(&self.cert)?, key(&self.key)?)
    }

    /// Everything that is wrong with the certificate's file, and with the key's.
    pub fn mistakes(&self) -> (Option<FileError>, Option<FileError>) {
        match (certificates(&self.cert), key(&self.key)) {
            (Ok(cert), Ok(key)) => match self.pair(cert, key) {
                Ok(_) => (None, None),
                Err(error @ (FileError::BadCertificate(_) | FileError::VersionOne(_))) => (Some(error), None),
                Err(error) => (None, Some(error)),
            },
            (cert, key) => (cert.err(), key.err()),
        }
    }

    fn pair(&self, cert: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Identity, FileError> {
        let facts = cert.first().and_then(certificate::facts).ok_or_else(|| FileError::BadCertificate(self.cert.clone()))?;
        if facts.is_version_1 {
            return Err(FileError::VersionOne(self.cert.clone()));
        }
        let private = provider().key_provider.load_private_key(key).map_err(|_| FileError::BadKey(self.key.clone()))?;
        let certified = CertifiedKey::new(cert, private);
        // A key whose public half is not known cannot be compared; the handshake will tell.
        let known = certified.key.public_key().is_some();
        if known && certified.keys_match().is_err() {
            return Err(FileError::Mismatch { cert: self.cert.clone(), key: self.key.clone() });
        }
        Ok(Identity { certified: Arc::new(certified), facts })
    }
}

/// The CAs in a file, as the TLS library wants them.
pub fn roots(path: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|_| FileError::BadCertificate(path.to_owned()))?;
    }
    Ok(roots)
}

/// All certificates in a file; at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(none(path, &bytes, FileError::NoCertificate)),
        Ok(found) if found.iter().any(|found| certificate::facts(found).is_none()) => {
            Err(FileError::BadCertificate(path.to_owned()))
        }
        Ok(found) => Ok(found),
        Err(_) => Err(FileError::BadCertificate(path.to_owned())),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let bytes = read(path)?;
    // Two ways of saying it: PKCS #8, and the older one in a header.
    let holds = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    if holds(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || holds(b"Proc-Type: 4,ENCRYPTED") {
        return Err(FileError::EncryptedKey(path.to_owned()));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| none(path, &bytes, FileError::NoKey))
}

/// Every DER file of certificates or keys is one long sequence.
fn none(path: &Path, bytes: &[u8], otherwise: fn(PathBuf) -> FileError) -> FileError {
    let path = path.to_owned();
    if matches!(bytes, [0x30, 0x82, ..]) { FileError::Der(path) } else { otherwise(path) }
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(SIZE_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::PermissionDenied => "no permission; the user of this program must be able to read it".to_owned(),
            _ => error.to_string(),
        };
        FileError::Unreadable { path: path.to_owned(), why }
    })
}
