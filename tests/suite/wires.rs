//! The five main scenarios, the same on every wire: what a terminal is reached by makes no difference to money. A wire has an instance
//! of its own where it is tested; all that it needs is a rig whose terminals are reached so, with a short limit for Commit.

use quittance::protocol::Family;
use quittance::protocol::response::TerminalState;
use quittance::sim::{Command, Fault, Listen, Policy, SimConfig};
use serde_json::json;

use super::rig::Rig;

#[test]
fn over_tcp_and_a_pseudo_terminal() {
    let rig = Rig::pair().connectors(2).timeout("commit", "\"2s\"").start();
    for terminal in rig.names() {
        main_scenarios(&rig, &terminal);
    }
    rig.finish();
}

/// Every option that an Apollo has: frames are extended, events come between them, and declines bring data objects.
#[test]
fn in_extended_block() {
    let options = "{ extended_block = true, events = true, declined_dol = true }";
    let rig = Rig::builder().apollos(1).terminal("protocol", options).connectors(2).timeout("commit", "\"2s\"").start();
    main_scenarios(&rig, "apollo-1");
    let commits = rig.terminal("apollo-1").requests(Command::Commit);
    let commit = commits.first().unwrap();
    // The length has four bytes: magic, code, session and amount.
    assert_eq!(&commit.bytes[..7], [0xCC, 0x00, 0x00, 0x00, 0x0A, 0x3C, 0x35]);
    rig.finish();
}

/// The opposite of what is assumed of terminals, as far as a program can do its work all the same. On a P6X, another preamble and magic, too.
#[test]
fn on_terminals_that_differ() {
    let rig = Rig::pair().connectors(2).timeout("commit", "\"2s\"").start();
    for terminal in rig.names() {
        let device = rig.terminal(&terminal);
        device.set_quirks(|quirks| {
            quirks.reuse_ids = true;
            quirks.setup_rearms = true;
            quirks.status_as_result = true;
            quirks.running_in_wait_auth = true;
            quirks.tells_dropped_flow = true;
            quirks.takes_duplicates = true;
            quirks.disable_ends_flow = true;
            if device.family() == Family::P6x {
                (quirks.preamble, quirks.magic) = (0x17, 0x42);
            }
        });
        let set_ups = device.count(Command::Setup);
        device.cut();
        rig.wait_terminal(&terminal, "is set up anew", |seen| {
            seen.state == TerminalState::Enabled && seen.heard.get(&Command::Setup) > Some(&set_ups)
        });
        main_scenarios(&rig, &terminal);
    }
    rig.finish();
}

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

/// Nobody tells a terminal on a serial line that its host has gone: it keeps the block format that was agreed on, and is found in it.
#[test]
fn an_apollo_on_a_serial_line_is_found_in_its_block_format() {
    let place = tempfile::tempdir().unwrap();
    let mut apollo = SimConfig::apollo("serial-1".parse().unwrap());
    apollo.listen = Listen::Pty(place.path().join("apollo"));
    let rig = Rig::builder()
        .other(apollo, "{ serial = \"ADDRESS\" }".to_owned())
        .terminal("protocol", "{ extended_block = true }")
        .timeout("command", "\"1s\"")
        .connectors(2)
        .start();
    let (first, second) = (rig.approve("serial-1", 5000), rig.approve("serial-1", 4000));
    rig.kill9();
    rig.start_again();
    assert_eq!(rig.commit(&first, 1500)["state"], "committed");
    // Without power it has forgotten the format.
    rig.terminal("serial-1").power_cycle();
    assert_eq!(rig.commit(&second, 1200)["state"], "committed");
    assert_eq!((rig.taken(&first), rig.taken(&second)), (Some(1500), Some(1200)));
    rig.finish();
}
