//! What goes wrong in the demo: now and then one terminal has a bad moment.

use std::time::Duration;

use quittance::protocol::Family;
use quittance::protocol::response::TerminalState;
use quittance::sim::{Command, SimHandle};
use rand::RngExt;
use rand::rngs::StdRng;

use super::diary::Diary;

/// How long a terminal says nothing.
const SILENCE: Duration = Duration::from_secs(8);

/// How long a plug is out.
const UNPLUGGED: Duration = Duration::from_secs(6);

/// Makes trouble for ever.
pub(crate) async fn make(terminals: Vec<SimHandle>, mut dice: StdRng, diary: Diary) {
    loop {
        tokio::time::sleep(Duration::from_millis(dice.random_range(6_000..15_000))).await;
        let Some(terminal) = terminals.get(dice.random_range(0..terminals.len().max(1))) else { return };
        let kind = dice.random_range(0..8u32);
        // A silent one would not hear the Auth of a card that comes meanwhile.
        let asks_bank = match terminal.snapshot().state {
            TerminalState::WaitAuth => kind <= 4,
            TerminalState::WaitCard => kind == 4,
            _ => false,
        };
        if asks_bank && terminal.family() == Family::Apollo {
            // An Apollo whose answer to Auth is lost cannot be asked what it holds (it has no List Sessions): such a session
            // stays in doubt for hours, longer than anybody watches a demo.
            continue;
        }
        befall(terminal, kind, &diary).await;
    }
}

async fn befall(terminal: &SimHandle, kind: u32, diary: &Diary) {
    let id = terminal.id();
    match kind {
        0 => {
            diary.note(&format!("{id}: somebody cuts the link"));
            terminal.cut();
        }
        1 | 2 => {
            diary.note(&format!("{id}: power cycle; the set-up is forgotten, the sessions are not"));
            terminal.power_cycle();
        }
        3 => {
            diary.note(&format!("{id}: unplugged for {} s", UNPLUGGED.as_secs()));
            terminal.unplug();
            tokio::time::sleep(UNPLUGGED).await;
            terminal.plug();
        }
        4 => {
            diary.note(&format!("{id}: silent for {} s", SILENCE.as_secs()));
            terminal.set_silent(true);
            tokio::time::sleep(SILENCE).await;
            terminal.set_silent(false);
        }
        5 => {
            diary.note(&format!("{id}: the answer to its next Commit will be lost"));
            terminal.drop_answer_to(Command::Commit, true);
        }
        6 => {
            diary.note(&format!("{id}: its next Commit will be done, but the link cut before the answer"));
            terminal.cut_at(Command::Commit, true);
        }
        _ => {
            diary.note(&format!("{id}: its next Commit will never reach it"));
            terminal.drop_answer_to(Command::Commit, false);
        }
    }
}
