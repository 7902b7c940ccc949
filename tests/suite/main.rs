//! The tests that see the project as a whole.

mod check;
mod golden;
mod tidy;
