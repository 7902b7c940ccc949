//! How fast the parts are whose speed matters. Each has a module; each measures a plain yardstick in the same run.

mod protocol;

criterion::criterion_main!(protocol::benches);
