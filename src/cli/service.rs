//! What the service manager is told (systemd, `sd_notify`): that the program is up, that it is still alive, and that it goes
//! down. Without a service manager nothing happens.
//!
//! Alive means that every arbiter still turns: a loop that hangs would leave holds behind it without a word, so the watchdog
//! lets systemd start the program anew, which costs nothing but a second.

use actix::ArbiterHandle;
use sd_notify::NotifyState;
use tokio::sync::oneshot;
use tracing::{debug, error, warn};

/// Twice within each period, as systemd advises: one delayed sign of life is no reason to kill.
const SIGNS_PER_PERIOD: u32 = 2;

/// The API answers; terminals may still be connecting.
pub(super) fn ready(address: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("the API listens on {address}"))]);
}

/// The configuration is being read again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration again")]),
        Err(error) => warn!(%error, "the service manager cannot be told of a reload"),
    }
}

/// It has been; says what came of it.
pub(super) fn reloaded(what: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(what)]);
}

/// The program drains.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("draining: decided disposals are still delivered")]);
}

/// Gives signs of life for as long as all arbiters turn, if the service manager wants any.
pub(super) async fn stay_alive(arbiters: Vec<ArbiterHandle>) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let step = period / SIGNS_PER_PERIOD;
    debug!(?period, "the service manager watches");
    let mut every = tokio::time::interval(step);
    loop {
        every.tick().await;
        match tokio::time::timeout(step, turning(&arbiters)).await {
            Ok(true) => tell(&[NotifyState::Watchdog]),
            Ok(false) => error!("an arbiter has ended; the service manager is not told that all is well"),
            Err(_) => error!(within = ?step, "an arbiter hangs; the service manager is not told that all is well"),
        }
    }
}

/// Whether each arbiter takes up something new.
async fn turning(arbiters: &[ArbiterHandle]) -> bool {
    for arbiter in arbiters {
        let (turned, turns) = oneshot::channel();
        let sign = async move {
            // Nobody waits any more when it took too long.
            let _ = turned.send(());
        };
        if !arbiter.spawn(sign) || turns.await.is_err() {
            return false;
        }
    }
    true
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "the service manager cannot be told");
    }
}
