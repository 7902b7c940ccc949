//! The link: its pure parts as tables, and the task over memory, sockets and pseudo terminals with bytes typed by hand.

mod backoff;
mod exchange;
mod live;
mod money;
mod random;
