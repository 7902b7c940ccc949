//! Handles: each does what it says, once. A stage is driven here without a wire.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::START_OF_TIME;
use crate::id::TerminalId;
use crate::protocol::Family;
use crate::protocol::response::TerminalState;
use crate::sim::handle::SimHandle;
use crate::sim::stage::{Parcel, Stage};
use crate::sim::terminal::SimTerminal;
use crate::sim::{Bank, Chances, Command, Fate, Fault, Quirks, SimCard, listener};
use crate::time::Clock;

const OK: &[u8] = &[0xAA, 0x03, 0x3C, 0x00, 0x00, 0xE9];
const NOT_OK: &[u8] = &[0xAA, 0x03, 0x3C, 0x00, 0x01, 0xEA];
const SYNCHRONIZE: &[u8] = &[0xCC, 0x02, 0x3C, 0x24, 0x2E];
const SYNCHRONIZED: &[u8] = &[0xAA, 0x02, 0x3C, 0x24, 0x0C];
const SETUP: &[u8] = &[0xCC, 0x07, 0x3C, 0x23, 0x00, 0x02, 0xA3, 0x00, 0x00, 0xD7];
const ENABLE: &[u8] = &[0xCC, 0x02, 0x3C, 0x12, 0x1C];
const START: &[u8] = &[0xCC, 0x0A, 0x3C, 0x34, 0x00, 0x00, 0x09, 0xC4, 0x00, 0x00, 0x00, 0x0A, 0x1D]; // 2500
const AUTH: &[u8] = &[0xCC, 0x02, 0x3C, 0x36, 0x40];
const COMMIT_10_FOR_100: &[u8] = &[0xCC, 0x0A, 0x3C, 0x35, 0x00, 0x00, 0x00, 0x0A, 0x00, 0x00, 0x00, 0x64, 0xB5];

/// A terminal whose wire is this test.
struct Line {
    stage: Arc<Stage>,
    terminal: SimHandle,
}

impl Line {
    fn new(family: Family) -> Self {
        let (bank, id) = (Bank::new(), "bay-01".parse::<TerminalId>().unwrap());
        let quirks = Quirks { first_session_id: 10, ..Quirks::default() };
        let terminal = SimTerminal::new(id.clone(), family, "S-1".into(), quirks, bank.clone());
        let order = Arc::new(AtomicU64::new(0));
        let stage = Arc::new(Stage::new(terminal, family, family == Family::P6x, Clock::starting_at(START_OF_TIME), order));
        stage.connected();
        Self { terminal: SimHandle { id, family, bank, stage: Arc::clone(&stage) }, stage }
    }

    /// What comes back to these bytes: frames, and `None` for a cut.
    fn say(&self, bytes: &[u8]) -> Vec<Option<Bytes>> {
        listener::hear(&self.stage, &mut BytesMut::from(bytes));
        self.listen()
    }

    fn listen(&self) -> Vec<Option<Bytes>> {
        let parcel = |parcel| match parcel {
            Parcel::Bytes(bytes) => Some(bytes),
            Parcel::Cut => None,
        };
        std::iter::from_fn(|| self.stage.next_parcel(true)).map(parcel).collect()
    }

    /// With session 10, a hold of 2500.
    fn with_hold(family: Family) -> Self {
        let line = Self::new(family);
        for request in [SYNCHRONIZE, SETUP, ENABLE, START] {
            line.say(request);
        }
        assert!(line.terminal.tap(&SimCard::numbered(1)));
        line.say(AUTH);
        assert_eq!(line.terminal.open_holds().len(), 1);
        line.listen();
        line
    }

    fn captured(&self) -> u64 {
        self.terminal.bank().ledger().captured
    }
}

fn frame(bytes: &'static [u8]) -> Option<Bytes> {
    Some(Bytes::from_static(bytes))
}

#[tokio::test(start_paused = true)]
async fn each_fault_befalls_the_next_commit_and_no_other() {
    for (fault, came, captured, again) in [
        (Fault::LoseRequest, vec![], 0, OK),
        (Fault::CutBefore, vec![None], 0, OK),
        (Fault::Refuse(crate::protocol::response::Reason(0x05)), vec![frame(NOT_OK)], 0, OK),
        (Fault::LoseAnswer, vec![], 100, NOT_OK),
        (Fault::CutAfter, vec![None], 100, NOT_OK),
        (Fault::Duplicate, vec![frame(OK), frame(OK)], 100, NOT_OK),
        (Fault::Corrupt, vec![frame(&[0xAA, 0x03, 0x3C, 0x00, 0x01, 0xE9])], 100, NOT_OK),
        (Fault::CorruptUnseen, vec![frame(NOT_OK)], 100, NOT_OK),
    ] {
        let line = Line::with_hold(Family::P6x);
        line.terminal.plan(Command::Commit, fault);
        assert_eq!(line.say(ENABLE), [frame(OK)], "{fault:?} is for Commit only");
        assert_eq!(line.say(COMMIT_10_FOR_100), came, "{fault:?}");
        assert_eq!(line.captured(), captured, "{fault:?}");
        assert_eq!(line.say(COMMIT_10_FOR_100), [frame(again)], "{fault:?} happens once");
        assert_eq!(line.captured(), 100);
        assert_eq!(line.terminal.requests(Command::Commit).len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_held_until_granted_and_delays_keep_their_order() {
    let line = Line::with_hold(Family::P6x);
    line.terminal.hold_answers();
    assert_eq!(line.say(COMMIT_10_FOR_100), []);
    assert_eq!(line.captured(), 100);
    assert_eq!(line.say(SYNCHRONIZE), []);
    assert_eq!(line.terminal.snapshot().waiting, 2);
    line.terminal.grant_answers(1);
    assert_eq!(line.listen(), [frame(OK)]);
    line.terminal.release_answers();
    assert_eq!(line.listen(), [frame(SYNCHRONIZED)]);

    // Assumption 13: late Results come before the echo of Synchronize.
    line.terminal.plan(Command::Setup, Fault::Delay(Duration::from_secs(3)));
    assert_eq!(line.say(SETUP), []);
    assert_eq!(line.say(SYNCHRONIZE), []);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(line.listen(), [frame(OK), frame(SYNCHRONIZED)]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_terminal_neither_works_nor_answers() {
    let line = Line::with_hold(Family::P6x);
    line.terminal.set_silent(true);
    assert_eq!(line.say(COMMIT_10_FOR_100), []);
    assert_eq!(line.captured(), 0);
    assert_eq!(line.terminal.frames().last().unwrap().fate, Fate::Ignored);
    line.terminal.clear_faults();
    assert_eq!(line.say(COMMIT_10_FOR_100), [frame(OK)]);
}

#[tokio::test(start_paused = true)]
async fn a_power_cycle_keeps_or_forgets_sessions_and_on_tcp_cuts_the_link() {
    for (family, cut) in [(Family::P6x, vec![]), (Family::Apollo, vec![None])] {
        let line = Line::with_hold(family);
        line.terminal.power_cycle();
        assert_eq!(line.listen(), cut);
        let seen = line.terminal.snapshot();
        assert_eq!((seen.state, seen.sessions.len()), (TerminalState::Offline, 1));
        line.terminal.power_cycle_forgetting();
        assert_eq!(line.terminal.snapshot().sessions, []);
        assert_eq!(line.terminal.open_holds().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn approved_while_the_link_is_cut() {
    let line = Line::new(Family::Apollo);
    for request in [SYNCHRONIZE, SETUP, ENABLE, START] {
        line.say(request);
    }
    line.terminal.leave_card(&SimCard::numbered(1));
    assert_eq!(line.listen().len(), 1);
    line.terminal.approve_while_cut();
    assert_eq!(line.say(AUTH), [None]);
    line.stage.disconnected();
    assert_eq!(line.terminal.open_holds().len(), 1);
    assert_eq!(line.terminal.snapshot().state, TerminalState::Offline);
    let fates: Vec<_> = line.terminal.frames().iter().rev().take(2).map(|frame| frame.fate).collect();
    assert_eq!(fates, [Fate::Lost, Fate::Processed]);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_the_terminal_is_there() {
    let line = Line::new(Family::P6x);
    let (enabled, second) = (line.terminal.clone(), line.terminal.clone());
    let waits = tokio::join!(
        async {
            enabled.wait_until_enabled().await;
            enabled.count(Command::Enable)
        },
        second.wait_for_requests(Command::Synchronize, 2),
        async {
            for request in [SYNCHRONIZE, SYNCHRONIZE, SETUP, ENABLE] {
                line.say(request);
                tokio::task::yield_now().await;
            }
        }
    );
    assert_eq!(waits.0, 1);
}

#[tokio::test(start_paused = true)]
async fn damage_and_noise_on_the_line() {
    let line = Line::new(Family::P6x);
    let mut damaged = SYNCHRONIZE.to_vec();
    damaged[4] ^= 0x10;
    assert_eq!(line.say(&damaged), [frame(NOT_OK)]);
    let noisy = [&[0x00, 0xFF, 0x17], SYNCHRONIZE].concat();
    assert_eq!(line.say(&noisy), [frame(SYNCHRONIZED)]);
    line.terminal.send_bytes(&[1, 2, 3]);
    assert_eq!(line.listen(), [frame(&[1, 2, 3])]);
    assert!(!format!("{:?}", line.terminal.frames()).contains("[1, 2, 3]"));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_faults() {
    let chances = Chances { lose_answer: 0.3, cut_before: 0.2, ..Chances::default() };
    let run = |seed| {
        let line = Line::new(Family::P6x);
        line.terminal.set_chances(chances, seed);
        (0..200).map(|_| line.say(SYNCHRONIZE)).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    let cuts = run(1).into_iter().filter(|came| came == &[None]).count();
    assert!((20..60).contains(&cuts), "{cuts} of 200 at a chance of 0.2");
}
