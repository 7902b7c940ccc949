//! The tests that see the project as a whole.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests, too, may fail loudly")]

mod check;
mod golden;
mod tidy;
