//! Opens wires of TLS. The terminal is the server; whether it also wants to know who we are is its choice (PSP, Transports, names TLS
//! as a mode of the terminal and says nothing more, so everything about it is a setting).
//!
//! Files are read again for every connection, on a thread that may wait for a disk: a certificate that was renewed on either side
//! counts from the next connection on.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion, version};

use super::tcp;
use super::wire::Wire;
use super::{Event, Whose};
use crate::time::Timestamp;
use crate::tls::fault::Attempt;
use crate::tls::{Fault, IdentityFiles, Witness, files, provider};

/// How long a handshake may take: a terminal stands in the same building. For a small processor it is plenty.
const PATIENCE: Duration = Duration::from_secs(5);

/// A terminal behind TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tls {
    /// `host:port`.
    pub address: String,
    /// The file of the CAs that may have signed the terminal's certificate. Nobody else is believed.
    pub ca: PathBuf,
    /// The name that its certificate must hold.
    pub server_name: ServerName<'static>,
    /// What we show to a terminal that wants to know who we are.
    pub client: Option<IdentityFiles>,
    /// The oldest version that is spoken.
    pub min_version: MinVersion,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MinVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    V1_2,
    /// TLS 1.3 only.
    V1_3,
}

static FROM_1_2: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
static FROM_1_3: [&SupportedProtocolVersion; 1] = [&version::TLS13];

impl MinVersion {
    fn offered(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::V1_2 => &FROM_1_2,
            Self::V1_3 => &FROM_1_3,
        }
    }
}

/// Connects, shakes hands, and tells the listener how long the certificates are still valid, also when it fails on them.
pub(super) async fn open(settings: Tls, tell: impl AsyncFn(Event)) -> io::Result<Wire> {
    let files = settings.clone();
    let read = tokio::task::spawn_blocking(move || prepare(&files)).await;
    let (config, witness, ours) = read.map_err(io::Error::other)?.map_err(io::Error::other)?;
    if let Some(expires) = ours {
        tell(Event::Certificate { whose: Whose::Ours, expires }).await;
    }
    let socket = tcp::connect(&settings.address).await?;
    let shaken = timeout(PATIENCE, TlsConnector::from(config).connect(settings.server_name.clone(), socket)).await;
    if let Some(shown) = witness.shown() {
        tell(Event::Certificate { whose: Whose::Terminals, expires: shown.not_after }).await;
    }
    match shaken {
        Ok(Ok(stream)) => Ok(Wire::Tls(Box::new(TlsWire { stream, settings, witness, heard: false, unflushed: false }))),
        Ok(Err(error)) => Err(io::Error::new(error.kind(), Fault::of_io(&error, &attempt(&settings, &witness)))),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, Fault::Silent(PATIENCE))),
    }
}

type Prepared = (Arc<ClientConfig>, Arc<Witness>, Option<Timestamp>);

fn prepare(settings: &Tls) -> Result<Prepared, Fault> {
    let roots = files::roots(&settings.ca)?;
    let client = settings.client.as_ref().map(IdentityFiles::read).transpose()?;
    let other = |error: &dyn std::error::Error| Fault::Other(error.to_string());
    let judge =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().map_err(|error| other(&error))?;
    let witness = Arc::new(Witness::new(judge, client.as_ref().map(|client| Arc::clone(&client.certified))));
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(settings.min_version.offered())
        .map_err(|error| other(&error))?
        .dangerous() // The witness asks the library's own judge.
        .with_custom_certificate_verifier(Arc::clone(&witness) as _)
        .with_client_cert_resolver(Arc::clone(&witness) as _);
    Ok((Arc::new(config), witness, client.map(|client| client.facts.not_after)))
}

fn attempt(settings: &Tls, witness: &Witness) -> Attempt {
    Attempt {
        ca: settings.ca.display().to_string(),
        wanted: settings.server_name.clone(),
        with_1_2: settings.min_version == MinVersion::V1_2,
        asked: witness.asked(),
        given: witness.given(),
        shown: witness.shown().cloned(),
    }
}

/// A wire of TLS whose handshake is over on our side. With TLS 1.3 the terminal looks at our certificate only afterwards, so that what it
/// says first may be that it does not want us.
#[derive(Debug)]
pub struct TlsWire {
    stream: TlsStream<TcpStream>,
    settings: Tls,
    witness: Arc<Witness>,
    /// Something came through it.
    heard: bool,
    /// Bytes may wait in the TLS library for the socket to take them.
    unflushed: bool,
}

impl TlsWire {
    fn explain(&self, error: &io::Error) -> io::Error {
        let attempt = attempt(&self.settings, &self.witness);
        let said = error.get_ref().is_some_and(|inner| inner.is::<tokio_rustls::rustls::Error>());
        let turned_away = !self.heard && attempt.asked && !attempt.given;
        if said || turned_away {
            io::Error::new(error.kind(), Fault::of_io(error, &attempt))
        } else {
            io::Error::new(error.kind(), error.to_string())
        }
    }
}

impl AsyncRead for TlsWire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Nobody else sees to it that what the library has taken gets onto the socket when that has room again.
        if self.unflushed {
            self.unflushed = match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Ready(Ok(())) => false,
                // Reading says what is wrong, and may have more to say first.
                Poll::Ready(Err(_)) => false,
                Poll::Pending => true,
            };
        }
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
        Poll::Ready(match read {
            Ok(()) if buffer.filled().len() > before => {
                self.heard = true;
                Ok(())
            }
            Ok(()) if !self.heard && self.witness.asked() && !self.witness.given() => Err(self.explain(&ended())),
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(&error)),
        })
    }
}

impl AsyncWrite for TlsWire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.unflushed = true;
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
