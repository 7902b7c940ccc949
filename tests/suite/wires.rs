//! The five main scenarios, the same on every wire: what a terminal is reached by makes no difference to money. A wire has an instance
//! of its own where it is tested; all that it needs is a rig whose terminals are reached so, with a short limit for Commit.

use quittance::protocol::Family;
use quittance::sim::{Command, Fault, Policy};
use serde_json::json;

use super::rig::Rig;

/// Approve and commit, approve and void, decline, cancel, and an answer that is lost.
pub(crate) fn main_scenarios(rig: &Rig, terminal: &str) {
    let committed = rig.approve(terminal, 5000);
    rig.energy(&committed, 1240);
    assert_eq!(rig.commit(&committed, 3140)["state"], "committed");
    assert_eq!(rig.taken(&committed), Some(3140));

    let voided = rig.approve(terminal, 5000);
    assert_eq!(rig.void(&voided)["state"], "voided");
    assert_eq!(rig.taken(&voided), None);

    let holds = rig.bank().holds().len();
    let declined = rig.open(terminal, 5000);
    rig.tap(terminal, &rig.card_with(Policy::decline(0x09)));
    rig.wait_state(&declined, "declined");

    let cancelled = rig.open(terminal, 5000);
    rig.command(&cancelled, "cancel", &json!({}));
    rig.wait_state(&cancelled, "cancelled");
    assert_eq!(rig.bank().holds().len(), holds, "neither of these two has left a hold");

    let lost = rig.approve(terminal, 5000);
    rig.terminal(terminal).plan(Command::Commit, Fault::LoseAnswer);
    let body = rig.commit(&lost, 2500);
    let known_by = if rig.terminal(terminal).family() == Family::P6x { "list_absent" } else { "presumed" };
    assert_eq!((&body["state"], &body["disposal"]["confirmed_by"]), (&json!("committed"), &json!(known_by)), "{body}");
    assert_eq!(rig.taken(&lost), Some(2500));
    rig.wait_ready();
}
