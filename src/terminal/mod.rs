//! One device: its link, the way it is set up, the lanes in which exchanges go, and the sessions that take place on it.
//!
//! * [`machine`]: OFFLINE → ENABLED, the keep-alive, and what the terminal may say on the way. Pure.
//! * [`turn`]: whose exchange goes next. [`scan`]: when a terminal that scans all the time opens its card flow.
//!   [`screen`]: what an Apollo shows. Pure.
//! * [`actor`]: hands out the lanes. `link`: its link, and why it ends ([`trouble`]). `children`: its sessions. `flow`: its card flow.
//!   `admission`: why it takes no cards.
//!   [`requests`]: what people ask of it; [`asking`]: any other message, for integrators. `comparison`: how it is reconciled.
//!   [`world`]: what it needs of others, and says to them.
//! * [`settings`]: what the operator has configured; [`change`]: what another configuration changes of it, and [`device`]: whether it
//!   may lead to another device, both pure; [`configure`]: how a terminal that runs follows it. [`view`]: what a reader sees.

pub mod actor;
mod admission;
pub mod asking;
pub mod change;
mod children;
mod comparison;
pub mod configure;
pub mod device;
mod flow;
mod link;
pub mod machine;
pub mod requests;
pub mod scan;
pub mod screen;
pub mod settings;
mod showing;
#[cfg(test)]
mod tests;
pub mod trouble;
pub mod turn;
pub mod view;
pub mod world;

pub use actor::TerminalActor;
pub use admission::{Reason, Refusing};
pub use settings::TerminalSettings;
pub use view::{Accepted, Identity, LinkState, View};
