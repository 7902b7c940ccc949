//! The API's own certificate. It is read again when its files change, so that it can be renewed without a restart; files that are of no
//! use, such as those of a renewal that is half done, change nothing.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tracing::{info, warn};

use crate::time::{Clock, Timestamp};
use crate::tls::{FileError, IdentityFiles, provider};

/// Files are looked at no more often than this, however many clients come.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// And no less often than this, so that the metric tells of a renewal although no client has come anew.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// See the module.
pub struct Certificate {
    files: IdentityFiles,
    clock: Clock,
    expires: Box<dyn Fn(Timestamp) + Send + Sync>,
    state: Mutex<State>,
}

struct State {
    shown: Arc<CertifiedKey>,
    /// How the files were when they were last read with success.
    seen: Looks,
    /// What is wrong with the files that are there now, and has been said.
    told: Option<FileError>,
    looked: Timestamp,
}

/// What tells a file from the one that was there before, of the certificate and of the key.
type Looks = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// Reads the files; `expires` is told when the certificate does, now and whenever there is a new one.
    pub fn open(
        files: IdentityFiles,
        clock: Clock,
        expires: impl Fn(Timestamp) + Send + Sync + 'static,
    ) -> Result<Arc<Self>, FileError> {
        let seen = looks(&files);
        let identity = files.read()?;
        expires(identity.facts.not_after);
        let state = State { shown: identity.certified, seen, told: None, looked: clock.now() };
        Ok(Arc::new(Self { files, clock, expires: Box::new(expires), state: Mutex::new(state) }))
    }

    /// Looks at the files now and then, for ever.
    pub async fn watch(self: Arc<Self>) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            every.tick().await;
            self.current();
        }
    }

    /// What the TLS library needs to show it.
    pub(super) fn server(self: &Arc<Self>) -> Result<ServerConfig, tokio_rustls::rustls::Error> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        Ok(builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _))
    }

    /// The certificate to show now.
    fn current(&self) -> Arc<CertifiedKey> {
        let mut state = self.state();
        let now = self.clock.now();
        if now.since(state.looked) >= LOOK_AFTER {
            state.looked = now;
            self.look(&mut state);
        }
        Arc::clone(&state.shown)
    }

    fn look(&self, state: &mut State) {
        let looks = looks(&self.files);
        if looks == state.seen {
            return;
        }
        match self.files.read() {
            Ok(identity) => {
                info!(expires = %identity.facts.not_after, "the API's certificate is a new one");
                (self.expires)(identity.facts.not_after);
                (state.shown, state.seen, state.told) = (identity.certified, looks, None);
            }
            // Both files are replaced one after the other: what does not fit yet may fit soon.
            Err(error) => {
                if state.told.as_ref() != Some(&error) {
                    warn!(%error, "the API's certificate has changed but cannot be used; the old one is still shown");
                }
                state.told = Some(error);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

fn looks(files: &IdentityFiles) -> Looks {
    let look = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    [look(&files.cert), look(&files.key)]
}
