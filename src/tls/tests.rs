//! Files that are of no use, each with its line; and what the TLS library reports, in words.

use std::path::Path;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible};

use super::certificate::{self, Facts, quotable};
use super::fault::Attempt;
use super::files::{self, FileError};
use super::{Fault, IdentityFiles};
use crate::time::Timestamp;

/// A certificate with its key, as PEM.
fn made() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["a.local".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn every_useless_file_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, bytes: &[u8]| std::fs::write(path(name), bytes).unwrap();
    let ((cert, key), (_, other_key)) = (made(), made());
    write("cert.pem", cert.as_bytes());
    write("key.pem", key.as_bytes());
    write("other-key.pem", other_key.as_bytes());
    write("both.pem", format!("{key}\n{cert}").as_bytes());
    write("empty.pem", b"");
    write("cert.der", &[0x30, 0x82, 0x01, 0x0A, 0x02]);
    write("torn.pem", cert.split("-----END").next().unwrap().as_bytes());
    write("fake.pem", b"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n");
    write("encrypted.pem", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAMCAQA=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    write(
        "old-encrypted.pem",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMAMC\n-----END RSA PRIVATE KEY-----\n",
    );
    write("fake-key.pem", b"-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n");

    let pem = "a PEM file is needed, with -----BEGIN";
    // The certificate's file, the key's, and what is wrong with each.
    let cases: [(&str, &str, Option<String>, Option<String>); 13] = [
        ("cert.pem", "key.pem", None, None),
        ("both.pem", "both.pem", None, None),
        (
            "none.pem",
            "none.key",
            Some("cannot be read: there is no such file".into()),
            Some("cannot be read: there is no such file".into()),
        ),
        (
            "empty.pem",
            "empty.pem",
            Some(format!("holds no certificate; {pem} CERTIFICATE-----")),
            Some(format!("holds no private key; {pem} PRIVATE KEY-----")),
        ),
        (
            "key.pem",
            "cert.pem",
            Some(format!("holds no certificate; {pem} CERTIFICATE-----")),
            Some(format!("holds no private key; {pem} PRIVATE KEY-----")),
        ),
        (
            "cert.der",
            "key.pem",
            Some("is not PEM but looks like DER; convert it by openssl x509 (or pkey) -inform DER".into()),
            None,
        ),
        ("torn.pem", "key.pem", Some("holds a certificate that cannot be read".into()), None),
        ("fake.pem", "key.pem", Some("holds a certificate that cannot be read".into()), None),
        (
            "cert.pem",
            "encrypted.pem",
            None,
            Some("holds a key that is encrypted with a passphrase; decrypt it by openssl pkey".into()),
        ),
        (
            "cert.pem",
            "old-encrypted.pem",
            None,
            Some("holds a key that is encrypted with a passphrase; decrypt it by openssl pkey".into()),
        ),
        (
            "cert.pem",
            "fake-key.pem",
            None,
            Some(
                "holds a private key that cannot be used; RSA (2048 bits or more), ECDSA (P-256, P-384) or Ed25519 is needed"
                    .into(),
            ),
        ),
        (
            "cert.pem",
            "other-key.pem",
            None,
            Some(format!("holds another key than that of the certificate in {}", path("cert.pem").display())),
        ),
        (
            "cert.pem",
            "cert.der",
            None,
            Some("is not PEM but looks like DER; convert it by openssl x509 (or pkey) -inform DER".into()),
        ),
    ];
    for (cert, key, of_cert, of_key) in cases {
        let files = IdentityFiles { cert: path(cert), key: path(key) };
        let told = files.mistakes();
        let line = |name: &str, what: Option<String>| what.map(|what| format!("{} {what}", path(name).display()));
        let told_lines = (told.0.map(|error| error.to_string()), told.1.map(|error| error.to_string()));
        assert_eq!(told_lines, (line(cert, of_cert.clone()), line(key, of_key.clone())));
        assert_eq!(files.read().is_ok(), of_cert.is_none() && of_key.is_none(), "{cert}, {key}");
    }
    assert!(matches!(files::roots(&path("empty.pem")), Err(FileError::NoCertificate(_))));
    assert_eq!(files::roots(&path("cert.pem")).unwrap().len(), 1);
    assert!(matches!(files::roots(Path::new("/")), Err(FileError::Unreadable { .. })));
}

#[test]
fn a_certificate_tells_its_days() {
    let mut params = rcgen::CertificateParams::new(vec!["a.local".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2030, 2, 3), rcgen::date_time_ymd(2040, 5, 6));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "line\nbreak");
    let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let facts = certificate::facts(made.der()).unwrap();
    let told = (facts.not_before.to_string(), facts.not_after.to_string(), facts.is_ca, facts.is_version_1);
    assert_eq!(told, ("2030-02-03T00:00:00.000Z".to_owned(), "2040-05-06T00:00:00.000Z".to_owned(), false, false));
    assert!(facts.issuer.starts_with("CN=line") && !facts.issuer.contains('\n'), "{}", facts.issuer);
    assert_eq!(quotable(&"x".repeat(81)), format!("{}…", "x".repeat(80)));
}

/// The first version has neither a version nor extensions: what is left when both are taken out.
#[test]
fn a_certificate_of_the_first_version_is_known() {
    let made = rcgen::generate_simple_self_signed(vec!["a.local".to_owned()]).unwrap();
    let der: &[u8] = made.cert.der();
    // SEQUENCE { SEQUENCE { [0] version, …, [3] extensions }, algorithm, signature }, both with lengths of two bytes.
    let ([0x30, 0x82, ..], [0x30, 0x82, high, low]) = (&der[..4], &der[4..8]) else { panic!("another form") };
    let (body, rest) = der[8..].split_at(usize::from(u16::from_be_bytes([*high, *low])));
    let extensions = (0..body.len()).find(|at| body[*at] == 0xA3 && usize::from(body[at + 1]) == body.len() - at - 2).unwrap();
    let body = &body[5..extensions];
    let sequence = |content: Vec<u8>| [vec![0x30, 0x82], (content.len() as u16).to_be_bytes().to_vec(), content].concat();
    let old = sequence([sequence(body.to_vec()), rest.to_vec()].concat());
    assert!(!certificate::facts(made.cert.der()).unwrap().is_version_1);
    assert!(certificate::facts(&old.into()).unwrap().is_version_1);
}

/// What cannot be brought about on a real socket in a test, and what depends on what was said before.
#[test]
fn errors_are_told_apart() {
    let shown = Facts {
        not_before: Timestamp::from_unix_millis(0),
        not_after: Timestamp::from_unix_millis(0),
        issuer: "CN=x".to_owned(),
        is_ca: false,
        is_version_1: true,
    };
    let plain = Attempt {
        ca: "ca.pem".to_owned(),
        wanted: "bay.local".try_into().unwrap(),
        with_1_2: true,
        asked: false,
        given: false,
        shown: None,
    };
    let asked = Attempt { asked: true, ..plain.clone() };
    let given = Attempt { given: true, ..asked.clone() };
    let old = Attempt { shown: Some(shown), ..plain.clone() };
    let alert = Error::AlertReceived;
    let strange = || Error::InvalidCertificate(CertificateError::Other(OtherError(std::sync::Arc::new(std::fmt::Error))));
    let cases = [
        (&plain, alert(AlertDescription::HandshakeFailure), Fault::NoCipher),
        (&asked, alert(AlertDescription::HandshakeFailure), Fault::Demanded),
        (&given, alert(AlertDescription::HandshakeFailure), Fault::Refused("without saying why")),
        (&asked, alert(AlertDescription::BadCertificate), Fault::Demanded),
        (&plain, alert(AlertDescription::CertificateRequired), Fault::Demanded),
        (&given, alert(AlertDescription::CertificateRevoked), Fault::Refused("it has been revoked")),
        (&given, alert(AlertDescription::InternalError), Fault::Alert("InternalError".to_owned())),
        (&plain, alert(AlertDescription::ProtocolVersion), Fault::Version { ours: "TLS 1.2 and 1.3", limited: false }),
        (
            &plain,
            Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
            Fault::Version { ours: "TLS 1.2 and 1.3", limited: false },
        ),
        (&plain, Error::InvalidMessage(InvalidMessage::InvalidContentType), Fault::NotTls),
        (&plain, Error::InvalidCertificate(CertificateError::Expired), Fault::Expired(None)),
        (&old, strange(), Fault::VersionOne("DNS:bay.local".to_owned())),
        (
            &plain,
            Error::InvalidCertificate(CertificateError::UnknownIssuer),
            Fault::UnknownCa { ca: "ca.pem".to_owned(), issuer: None },
        ),
    ];
    for (attempt, error, fault) in cases {
        assert_eq!(Fault::of(&error, attempt), fault, "{error}");
    }
    let closed = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    assert_eq!(Fault::of_io(&closed(), &plain), Fault::ClosedEarly);
    assert_eq!(Fault::of_io(&closed(), &asked), Fault::Demanded);
    assert!(matches!(Fault::of(&strange(), &plain), Fault::BadCertificate(_)));
}
