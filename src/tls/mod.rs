//! What both sides of every TLS connection have in common, whoever the other side is: certificates and keys from files, and what
//! goes wrong between two sides in one line that says what to do.
//!
//! * [`files`]: PEM files, read again whenever a connection is made, so that a renewed certificate needs no restart.
//! * [`certificate`]: what a certificate says of itself.
//! * [`fault`]: the usual mistakes, told apart by what the TLS library reports.
//! * [`witness`]: remembers what passes by during a handshake, for when it fails.

pub mod certificate;
pub mod fault;
pub mod files;
#[cfg(test)]
mod tests;
pub mod witness;

pub use fault::Fault;
pub use files::{FileError, Identity, IdentityFiles};
pub use witness::Witness;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

/// The one implementation of the algorithms, always named: nothing depends on what else is linked into the program.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
