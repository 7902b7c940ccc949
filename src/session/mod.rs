//! One attempt to take money, from the request to the disposal of the hold.
//!
//! * [`state`]: what a session is. It follows from its records alone, live and after a crash ([`Session::after`]).
//! * [`machine`]: what is to be done about it. Pure: an [`Input`] and the time give a [`machine::Step`], that is facts to append and,
//!   only once they are durable, effects. Its halves: `flow` until there is a hold, `attempt` from the decision to its end.
//! * [`wish`]: what people want of it. [`update`]: that the hold be raised or lowered. [`resolution`]: how it ended, as a person says.
//! * [`disposal`]: the rules of commit and void: limits, the retry ladder, when doubt becomes uncertainty.
//! * [`ledger`]: all sessions together: approved = disposed + undisposed. [`replay`]: the same from a journal that may be damaged; `gap`:
//!   what a sound record says of a session of which a record before it is lost.
//! * [`story`]: what became of a session, in sentences. [`words`]: what reasons mean.
//! * [`actor`]: carries a session out. Its parent is a terminal, which it knows only as a recipient of [`actor::FromSession`].
//! * [`policy`]: what the operator has chosen. [`refusal`]: why a request is refused. [`verdict`]: what reconciliation says.

pub mod actor;
mod attempt;
pub mod disposal;
mod flow;
mod gap;
pub mod ledger;
pub mod machine;
pub mod policy;
pub mod refusal;
pub mod replay;
pub mod resolution;
pub mod state;
pub mod story;
#[cfg(test)]
mod tests;
pub mod update;
pub mod verdict;
pub mod wish;
pub mod words;

pub use machine::Input;
pub use refusal::Refusal;
pub use state::{Session, State};
pub use verdict::Verdict;
pub use wish::Wish;
