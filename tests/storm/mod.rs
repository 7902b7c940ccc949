//! A depot in a thousand storms: the proof that nothing is ever lost.
//!
//! The real terminal, session, fleet, reconciliation and link code runs against simulated terminals of both families with the bank behind
//! them, on one thread and with a paused clock. A seed draws everything: the depot and its policies, the drivers, the integrators (late,
//! twice, contradictory, never), and what goes wrong with wires, terminals, the journal and the orchestrator itself. Then the faults stop,
//! and within stated bounds everything must settle.
//!
//! ```text
//!   cargo storm 1000           a thousand seeds from 0 on; `cargo storm 1000 5000` from 5000 on; `cargo storm --forever` for a night
//!   cargo storm-one 42         the story of a seed, line by line
//!   cargo test --test suite storm      what every run of the tests does: a fixed set, and a fresh one
//! ```
//!
//! | file | what |
//! |---|---|
//! | `plan` | what the seed draws before anything happens |
//! | `world` | what outlives the orchestrator: terminals, bank, disk, wishes, time |
//! | `life` | one life of the orchestrator, in a runtime of its own: a crash is the end of that runtime |
//! | `disk` | the memory journal behind a disk that is slow, full, broken, or gone between durable and answered |
//! | `line` | the wires, as bytes; here is also the witness of G1, who sees every frame as it leaves |
//! | `weather` | what happens to terminals |
//! | `people` | drivers and integrators; what they were told is held against the journal |
//! | `books` | a second, simpler reader of the journal, since a judge should not believe the accused |
//! | `panics` | those that nobody has planned |
//! | `calm`, `oracle` | the judges: bounds (G7, G8), and the bank's books against everything that was said |
//!
//! # Why not turmoil
//!
//! It steps all hosts by a fixed tick, so a simulated day costs the same whether anything happens or not, while a paused clock jumps to the
//! next timer; actix needs its own system on the thread, which turmoil's hosts do not have; and half of our wires are serial lines.
//!
//! # What the simulation cannot see
//!
//! * SQLite, files and fsync: the journal is the memory one. Power loss, full file systems and killed processes of the real binary are
//!   for the tests with the real binary.
//! * Threads. The program runs its terminals on several arbiters; here there is one, and every interleaving is one of actix's queues.
//! * HTTP, TLS, termios, sockets: wires are pipes of memory, and people call the fleet as the API does, without the API.
//! * What a real terminal does otherwise than `sim` assumes. Some of its points are drawn the other way round, not all.
//! * Mistakes that codec and simulator share: they use one codec. The golden bytes are for those.
//! * Jumps of the clock while the program runs: it does not look at the wall clock then. It is set while the program is down.
//! * After an answer was forged with a right checksum no host can know the truth: those terminals (one seed in twenty-five has some) are not
//!   compared with the bank. Nor is a hold whose approval was lost on a terminal that gives numbers again: a disposal that is repeated in doubt may
//!   meet it, and nobody here has ever heard its number.
//! * A request that arrives twice at an Apollo: TCP does not do that. If something did, the second Auth would be refused while the first
//!   one is with the bank, and that refusal believed. Requests come twice to P6X only, whose list tells; answers come twice on both.
//! * A crash of the supervisor itself; and what `run` does around the fleet's planned end, which is drawn (SIGTERM: tests with the real binary).
//! * A hold whose approval was lost in a crash, on a P6X that then forgets its sessions although it is thought to keep them, and has no other
//!   hold whose absence would show it: its list is as empty as if there had never been one.
//! * Deadlines that lie days away are not waited for. A dead-man timer of some minutes is drawn in one seed of twenty.
//!
//! # Bugs we found
//!
//! Seeds tell other stories when the storm itself changes, so the old behaviour is kept as a patch where it can be one.
//!
//! | what | to see it again | the fix |
//! |---|---|---|
//! | A terminal that scans all the time, and stops waiting for a card without a word in the moment in which its scan is ended (60 s, both by default), lost its link each time, for ever | `tests/mutants/run found-silent-scan`: seed 197 | `link::exchange`: no bank has heard of such a card flow, so a Cancel's Not OK beside it leaves nothing open |
//! | After the clock was set back while the program was down, what the journal held looked newer than the lists that were read: a P6X with a hold that it had forgotten was set up again and again, and the session never became uncertain, until the clock had caught up | seed 1000350, without the line with `not_before` in `life` | `Clock::not_before`: time goes on from the journal's newest record |
//! | An answer that came twice (its wire repeated it, or a P6X that got a request twice answered twice) was taken for the answer to the next request: a second OK to a Void confirmed another session's Commit, which had been lost | `tests/mutants/run second-answer-believed` | `link::fence`: a status is read between an answer and the next request with money |
//! | Start Session was sent to a terminal that still had a card flow which we took for ended: the card was taken for the new session's, the refusal of the second Start for that of its Auth, and the bank's hold was nobody's | `cargo test no_card_flow_is_started_over` without the lines with `stray` in `done`; storms see it no more, since a status is read before Auth, too | `link::exchange`: such a link is set up again |
//! | Not OK to an Auth beside an Update was taken for the Update's, since the terminal still waited for Auth: the Update was carried out, and more was decided than was held | `tests/mutants/run wait-auth-decides` | `link::exchange`: the next answer of either decides |
//! | A number was given to another hold while a Void of the older session was on its way: the Void met the newer hold, and nobody was told | seed 1012427 of an earlier storm; `terminal::children`, without the line with `attempting` | the newer session says that its number was shared |
//! | What a crashed actor had appended last was told to nobody: a session that was over was shown as open, and counted as undisposed, until the next start | `tests/mutants/run found-untold-after-a-crash` | whoever builds it anew tells what is missing; what was told already is left out |
//! | An actor that crashed was built anew only when its link was to be tried again: in quarantine deadlines waited for minutes | `tests/mutants/run found-panics-stay-in-quarantine` | quarantine is for links |
//! | A terminal whose actor had crashed was shown as up until it was built anew | `cargo test a_crashed_terminal_is_not_shown_as_it_was` without `show_crashed`; seed 47056 of an earlier storm | `fleet::actor` |
//! | A scan that waited behind a Get Status was begun although the orchestrator had been told to end | `cargo test what_has_not_left_is_cancelled_here` without the lines with `take_if`; seed 737 of an earlier storm | `link::exchange`: Cancel takes away what has not left |
//! | A hold that was found in a list was thought to be the terminal's for its whole timer from then on | a judge's question, by reading | the time is Auth's |
//! | A simulated P6X took a host that was killed right behind its words for one that is still there | `restart::`, once in some hundred kills | `sim::pty` |
//! | `journal verify` of an empty file beside a full log made SQLite throw the log away | `cargo test the_log_of_an_empty_file_is_not_thrown_away` without its lines in `sqlite::file` | `sqlite::file`: a reader, too, leaves such a file alone |
//! | What a P6X listed no more was thought to be over, although it had forgotten all its holds | `tests/mutants/run forgotten-beside-another` | `reconcile::plan`: a hold that is missing although nobody has ended it shows it; `quirks.keeps_sessions` |
//! | Energy that came while a P6X did not list the hold was refused; when it listed the hold again, that was voided under a charging car | `cargo test energy_counts_while_the_hold_is_missing` on `EnergyReported` in `Held` only | `session::state` |
//! | An approval that the journal could take only hours later counted from then on, so that our deadlines came after the terminal's timer | `cargo test an_approval_that_is_late_in_the_journal` with `now` in `hold_placed` | `session::flow`: from Auth |
//! | An Apollo on a serial line that was left in the extended block was never set up again | `cargo test found_in_its_block_format` without the lines with `format` in `Machine::lost` | `terminal::machine` |
//! | A restart followed a link that had moved, and with it every commit of what was open on the device before, to whomever answered there | `cargo test links_are_not_exchanged_under_holds_by_a_restart` with `may_be_another` always false | `cli::former`, `terminal::device` |
//! | A damaged record took the hold with it that the next one told of: it was told to have failed | `cargo test no_record_takes_a_hold_with_it` without `take_across_gap` | `session::gap` |
//! | A crashed actor did not get its sessions back from a damaged journal until the next start | `cargo test damaged::crashed` with `newest` alone in `fleet::recall` | `fleet::recall` |
//! | The exchanges of a link whose task had crashed were ended, and a terminal's sessions at a start taken up, in the order of a hash map, another one in each run | `cargo storm twice 1000` | they are in order |
//!
//! # How many
//!
//! Seeds 0 to 99,999: 100,000 storms, 11,736 simulated hours, 248,992 lives, 507,745 holds, 6,487,961 records, no violation, in eight minutes
//! on two cores.
//!
//! # Deliberate bugs
//!
//! `tests/mutants/run` puts each into a copy of the sources, and lets storms pass over it until one notices.
//!
//! | patch | seeds needed, from 0 on | noticed by |
//! |---|---|---|
//! | `answer-before-the-fsync` | 1 | what people are told against what is durable |
//! | `send-before-the-fsync` | 1 | the witness on the wire |
//! | `commit-above-a-partial-hold` | 3 | the bank |
//! | `deadline-never-fires` | 3 | the deadline's bound |
//! | `retry-with-another-amount` | 4 | the witness on the wire |
//! | `no-set-up-after-a-time-out` | 4 | the link's bound |
//! | `found-silent-scan` | 4 | links that come and go in peace |
//! | `give-up-after-two-attempts` | 9 | the disposal's bound |
//! | `uncertain-too-soon` | 9 | the second reader of the journal |
//! | `another-device-is-asked` | 12 | the witness on the wire |
//! | `second-decision` | 14 | the second reader of the journal |
//! | `orphan-on-the-first-list` | 16 | sessions whose terminal forgets nothing |
//! | `void-everything-after-a-crash` | 18 | nobody and no rule wanted it |
//! | `lost-approval-is-no-hold` | 20 | the bank |
//! | `believe-what-follows-noise` | 43 | the second reader of the journal, who knows when noise came |
//! | `rebuilt-without-its-holds` | 56 | the deadline's bound |
//! | `found-untold-after-a-crash` | 94 | the board against the journal |
//! | `forgetful-terminal-believed` | 276 | the bank |
//! | `number-given-twice-unnoticed` | 1,232 | the bank |
//! | `forgotten-beside-another` | 1,446 | the second reader of the journal |
//! | `wait-auth-decides` | 6,628 | the bank |
//! | `found-panics-stay-in-quarantine` | 7,049 | the deadline's bound |
//! | `second-answer-believed` | 54,948; the 5,461st of those in which bytes come twice | the bank |

mod books;
mod calm;
mod dice;
mod disk;
mod life;
mod line;
mod oracle;
mod panics;
mod people;
mod plan;
mod weather;
mod world;

use std::time::Duration;

use world::World;

/// What came of a seed.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was wrong; nothing, if all is well.
    pub(crate) violations: Vec<String>,
    /// How much time was simulated.
    pub(crate) simulated: Duration,
    /// How often the orchestrator was started.
    pub(crate) lives: u32,
    /// How many holds the bank placed.
    pub(crate) holds: usize,
    /// How many records the journal has.
    pub(crate) records: usize,
    /// What happened, line by line, if it was asked for.
    pub(crate) story: Vec<String>,
}

/// Whether bytes come twice in this seed's storm.
#[allow(dead_code, reason = "for the program; the suite has this file, too")]
pub(crate) fn bytes_come_twice(seed: u64) -> bool {
    plan::Plan::draw(seed).line.twice > 0.0
}

/// Lets a depot live through the storm of a seed.
pub(crate) fn run(seed: u64, with_story: bool) -> Outcome {
    let world = World::new(seed, with_story);
    world.plan.tell().into_iter().for_each(|line| world.note(|| line));
    panics::caught(|| life::live(&world)).into_iter().for_each(|panic| world.violate(panic));
    Outcome {
        violations: world.violations(),
        simulated: world.lasted(),
        lives: world.lives(),
        holds: world.bank().holds().len(),
        records: world.disk.records().len(),
        story: world.take_story(),
    }
}
