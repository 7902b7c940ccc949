//! The tests that see the project as a whole.

mod check;
mod tidy;
//! What the program does, seen from outside.

mod golden;
