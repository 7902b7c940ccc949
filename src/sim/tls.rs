//! TLS at the terminal's end of a wire. Files are read again for every connection, so that a certificate can be renewed.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};
use tokio_rustls::server::TlsStream;

use crate::tls::{IdentityFiles, files, provider};

/// A listening socket with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsListen {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// What the terminal shows of itself.
    pub identity: IdentityFiles,
    /// The CAs of the clients that it lets in; anybody when there are none.
    pub client_ca: Option<PathBuf>,
    /// What it speaks.
    pub versions: TlsVersions,
}

/// The versions of TLS that a terminal speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
pub enum TlsVersions {
    /// TLS 1.2 and 1.3.
    #[default]
    #[serde(rename = "both")]
    Both,
    /// TLS 1.2 only.
    #[serde(rename = "1.2")]
    Only12,
    /// TLS 1.3 only.
    #[serde(rename = "1.3")]
    Only13,
}

static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
static ONLY_12: [&SupportedProtocolVersion; 1] = [&version::TLS12];
static ONLY_13: [&SupportedProtocolVersion; 1] = [&version::TLS13];

impl TlsVersions {
    fn spoken(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Both => &BOTH,
            Self::Only12 => &ONLY_12,
            Self::Only13 => &ONLY_13,
        }
    }
}

impl TlsListen {
    /// Shakes hands with whoever has connected.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::new(self.config()?)).accept(socket).await
    }

    /// Whether the files are there and fit together.
    pub(super) fn config(&self) -> io::Result<ServerConfig> {
        let identity = self.identity.read().map_err(io::Error::other)?;
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(self.versions.spoken()).map_err(io::Error::other)?;
        let builder = match &self.client_ca {
            Some(path) => {
                let roots = Arc::new(files::roots(path).map_err(io::Error::other)?);
                let judge = WebPkiClientVerifier::builder_with_provider(roots, provider()).build().map_err(io::Error::other)?;
                builder.with_client_cert_verifier(judge)
            }
            None => builder.with_no_client_auth(),
        };
        Ok(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified))))
    }
}
