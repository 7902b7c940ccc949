//! The tests that see the project as a whole.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests, too, may fail loudly")]

mod check;
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod golden;
mod tidy;
