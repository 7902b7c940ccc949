//! Certificates that live as long as a test: nothing of them is kept with the source.

use std::path::{Path, PathBuf};

use quittance::tls::IdentityFiles;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use time::OffsetDateTime;

/// Within these years everything is valid whose validity is not what a test is about.
const YEARS: (i32, i32) = (2001, 2101);

/// A CA, and the folder where its certificate and those that it signs are put as PEM files.
pub(crate) struct Authority {
    folder: PathBuf,
    name: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let mut params = params(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        Self { folder: folder.to_owned(), name: name.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// The file of its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.name))
    }

    /// A certificate for these names, in `NAME.pem` and `NAME.key`.
    pub(crate) fn sign(&self, name: &str, names: &[&str]) -> IdentityFiles {
        self.sign_with(name, names, |_| {})
    }

    /// Likewise, with something special about it.
    pub(crate) fn sign_with(&self, name: &str, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> IdentityFiles {
        let mut params = params(names, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(&self.folder, name, &certificate, &key)
    }
}

/// What `openssl req -x509` makes: signed by itself, and marked as a CA's.
pub(crate) fn self_signed(folder: &Path, name: &str, names: &[&str]) -> IdentityFiles {
    let mut params = params(names, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    write(folder, name, &certificate, &key)
}

/// Midnight of the first day of a year.
pub(crate) fn year(year: i32) -> OffsetDateTime {
    rcgen::date_time_ymd(year, 1, 1)
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = (year(YEARS.0), year(YEARS.1));
    params
}

fn write(folder: &Path, name: &str, certificate: &Certificate, key: &KeyPair) -> IdentityFiles {
    let (cert, key_path) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&cert, certificate.pem()).unwrap();
    std::fs::write(&key_path, key.serialize_pem()).unwrap();
    IdentityFiles { cert, key: key_path }
}
