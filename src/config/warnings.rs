//! What is no mistake, but will be trouble: said by `check` and at every start, and nothing is refused for it.

use std::path::Path;
use std::time::Duration;

use super::{Config, Mistake};
use crate::link::Address;
use crate::time::Timestamp;
use crate::tls::{certificate, files};

/// A certificate that ends within this time is worth a word.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// Everything that gives rise to concern at this time, each with its key path.
pub fn warnings(config: &Config, now: Timestamp) -> Vec<Mistake> {
    let mut warnings = Vec::new();
    let mut warn = |path: String, message: String| warnings.push(Mistake { path, message });
    let listen = config.api.listen;
    match &config.api.tls {
        Some(files) => certificates(&files.cert, now, |what| warn("api.tls.cert".to_owned(), what)),
        None if !listen.ip().to_canonical().is_loopback() => {
            let what = "plain HTTP to the network: everybody on the way can read the tokens and use them; set api.tls, or listen on a \
                        loopback address behind a TLS proxy";
            warn("api.listen".to_owned(), what.to_owned());
        }
        None => {}
    }
    for (index, terminal) in config.terminals.iter().enumerate() {
        let Address::Tls(tls) = &terminal.link.address else { continue };
        let path = |key: &str| format!("terminals[{index}].link.{key}");
        certificates(&tls.ca, now, |what| warn(path("ca"), what));
        if let Some(client) = &tls.client {
            certificates(&client.cert, now, |what| warn(path("cert"), what));
        }
    }
    warnings
}

/// Each certificate of the file that has ended, ends soon, or has not begun.
fn certificates(path: &Path, now: Timestamp, mut warn: impl FnMut(String)) {
    // A file that cannot be read any more was a mistake, or will be one when it is needed.
    for found in files::certificates(path).unwrap_or_default() {
        let Some(facts) = certificate::facts(&found) else { continue };
        let file = path.display();
        if facts.not_after <= now {
            warn(format!("the certificate in {file} has expired on {}: renew it", facts.not_after));
        } else if facts.not_after <= now.after(SOON) {
            let days = facts.not_after.since(now).as_secs() / (24 * 3600);
            warn(format!("the certificate in {file} expires in {days} days, on {}: renew it", facts.not_after));
        } else if now < facts.not_before {
            warn(format!("the certificate in {file} is not valid before {}: is the clock right?", facts.not_before));
        }
    }
}
