//! Does our memory agree with the terminal's? After every set-up, from time to time, and when somebody asks, a terminal that
//! can list its sessions (P6X) is asked for them, and they are compared with our undisposed sessions.
//!
//! * [`pages`]: one list out of several answers, taken again when the terminal changed it meanwhile.
//! * [`plan`]: what follows from two lists. Pure; each disagreement comes with an action and a reason.
//!
//! A terminal that cannot list (Apollo) gives nothing to compare: its sessions learn by sending the same command again.

pub mod pages;
pub mod plan;

pub use pages::{Pages, Progress};
pub use plan::{Lists, Plan, Question};
