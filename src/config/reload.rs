//! What of another configuration can be followed while the program runs. Pure.

use std::net::SocketAddr;

use super::{Config, Site};
use crate::api;

/// What is different beside the terminals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Keys whose new values hold at once.
    pub changed: Vec<&'static str>,
    /// Keys whose new values hold after a restart only.
    pub needs_restart: Vec<&'static str>,
}

/// What holds from now on when the file says `wanted`: what needs a restart stays as it is, and everything else becomes as it is wanted.
pub fn follow(running: &Config, wanted: Config) -> (Config, Settings) {
    let mut settings = Settings::default();
    let Config { site: Site { id, currency }, log_filter, api, journal_path, journal_slow_after, supervision, mut terminals } =
        wanted;
    let api::Settings { listen, mut tokens, tls, write_timeout, events, resolve_requires_two } = api;
    let before = running.clone();
    let mut needs_restart = |key, differs: bool| settings.needs_restart.extend(differs.then_some(key));
    needs_restart("site.id", id != before.site.id);
    needs_restart("site.currency", currency != before.site.currency);
    needs_restart("api.listen", listen != before.api.listen);
    needs_restart("api.tls", tls != before.api.tls);
    needs_restart("api.write_timeout", write_timeout != before.api.write_timeout);
    needs_restart("api.events", events != before.api.events);
    needs_restart("journal.path", journal_path != before.journal_path);
    // No tokens at all mean that everybody is admin, which is for a loopback address only; it may be about to become one.
    if tokens.is_empty() && !before.api.tokens.is_empty() && is_open(before.api.listen) {
        needs_restart("api.tokens", true);
        tokens.clone_from(&before.api.tokens);
    }
    let mut changed = |key, differs: bool| settings.changed.extend(differs.then_some(key));
    changed("log.filter", log_filter != before.log_filter);
    changed("api.tokens", tokens != before.api.tokens);
    changed("api.resolve_requires_two", resolve_requires_two != before.api.resolve_requires_two);
    changed("journal.slow_after", journal_slow_after != before.journal_slow_after);
    changed("supervision", supervision != before.supervision);
    for terminal in &mut terminals {
        // The name of the depot stands on its screens, too.
        if !terminal.screens.site.is_empty() {
            terminal.screens.site.clone_from(&before.site.id);
        }
    }
    let api = api::Settings { tokens, resolve_requires_two, ..before.api };
    let (site, journal_path) = (before.site, before.journal_path);
    (Config { site, log_filter, api, journal_path, journal_slow_after, supervision, terminals }, settings)
}

fn is_open(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}
