//! What a new configuration changes of a terminal, and what it costs to follow it. Pure.

use crate::link;
use crate::session::policy::Policy;

use super::settings::TerminalSettings;

/// What is different, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The keys of the configuration whose values are others now; empty when nothing has changed.
    pub keys: Vec<&'static str>,
    /// The terminal must be linked and set up anew for it.
    pub reopens: bool,
    /// It is another device: nothing that is open on the one before can be disposed of on it.
    pub replaces: bool,
}

impl Change {
    /// From these settings to those. Every field is named here, so that a new one cannot be forgotten.
    pub fn between(before: &TerminalSettings, after: &TerminalSettings) -> Self {
        let TerminalSettings {
            id: _,
            family,
            link: link::Settings { address, family: _, quirks, timeouts },
            connectors,
            keepalive,
            serial_number,
            preauth,
            options,
            screens,
            policy,
            record,
        } = before;
        let mut change = Self::default();
        let another = matches!((serial_number, &after.serial_number), (Some(before), Some(after)) if before != after);
        change.replaces = change.note("family", *family != after.family) || another;
        // What the link, its recorder or the set-up were told when they began.
        let reopens = [
            change.note("link", *address != after.link.address),
            change.note("quirks", *quirks != after.link.quirks),
            change.note("timeouts", *timeouts != after.link.timeouts),
            change.note("keepalive", *keepalive != after.keepalive),
            change.note("serial_number", *serial_number != after.serial_number),
            change.note("protocol", *options != after.options),
            change.note("record", *record != after.record),
        ];
        change.reopens = change.replaces || reopens.contains(&true);
        change.note("connectors", *connectors != after.connectors);
        change.note("preauth", *preauth != after.preauth);
        change.note("ui", *screens != after.screens);
        change.policy(policy, &after.policy);
        change
    }

    fn policy(&mut self, before: &Policy, after: &Policy) {
        let Policy {
            terminal_timeout,
            terminal_timeout_action,
            plug_in_timeout,
            max_session,
            on_max_session,
            orphan_policy,
            duplicate_tap,
            tap_to_stop,
            authorise,
            authorise_within,
            max_hold,
            retry,
            reconcile_every,
            max_undelivered,
            settle_within,
        } = before;
        // The terminal's own timer is told to it by Setup.
        self.reopens |= self.note("policy.terminal_timeout", *terminal_timeout != after.terminal_timeout);
        self.reopens |= self.note("policy.terminal_timeout_action", *terminal_timeout_action != after.terminal_timeout_action);
        self.note("policy.plug_in_timeout", *plug_in_timeout != after.plug_in_timeout);
        self.note("policy.max_session", *max_session != after.max_session);
        self.note("policy.on_max_session", *on_max_session != after.on_max_session);
        self.note("policy.orphan_policy", *orphan_policy != after.orphan_policy);
        self.note("policy.duplicate_tap", *duplicate_tap != after.duplicate_tap);
        self.note("policy.tap_to_stop", *tap_to_stop != after.tap_to_stop);
        self.note("policy.authorise", *authorise != after.authorise);
        self.note("policy.authorise_within", *authorise_within != after.authorise_within);
        self.note("policy.max_hold", *max_hold != after.max_hold);
        self.note("policy.retry", *retry != after.retry);
        self.note("policy.reconcile_every", *reconcile_every != after.reconcile_every);
        self.note("policy.max_undelivered", *max_undelivered != after.max_undelivered);
        self.note("policy.settle_within", *settle_within != after.settle_within);
    }

    fn note(&mut self, key: &'static str, differs: bool) -> bool {
        if differs {
            self.keys.push(key);
        }
        differs
    }

    /// Whether there is any.
    pub fn is_none(&self) -> bool {
        self.keys.is_empty()
    }
}
