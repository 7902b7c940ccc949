//! What simulated terminals do, compared with PSP: bytes typed by hand, and tables.

mod wires;
