//! A terminal's machines as tables, and its actor against a simulated terminal.

mod actor;
mod children;
mod machine;
mod scan;
mod screen;
mod turn;
