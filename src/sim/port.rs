//! The terminal's end of a wire of the caller's making, for simulations that are wires themselves.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::stage::{Parcel, Stage};
use super::wire::Heard;

/// Where bytes go in and out. Whoever serves it hears it all the time: what waits to be sent, and when time has passed.
#[derive(Clone, Debug)]
pub struct Port(pub(super) Arc<Stage>);

impl Port {
    /// Whether there is to be anything to connect to.
    pub fn plugged(&self) -> bool {
        self.0.plugged()
    }

    /// A host has come. On TCP the terminal notices.
    pub fn connected(&self) {
        self.0.connected();
    }

    /// The host has gone. On TCP the terminal notices, and what waited to be sent is lost.
    pub fn disconnected(&self) {
        self.0.disconnected();
    }

    /// Takes the next whole frame from what the host has sent; each may change how the next one is to be read.
    pub fn take_frame(&self, buffer: &mut BytesMut) -> Option<(Heard, Bytes)> {
        self.0.take_frame(buffer)
    }

    /// Gives the terminal a frame.
    pub fn receive(&self, heard: Heard, bytes: Bytes) {
        self.0.receive(heard, bytes);
    }

    /// What the wire is to do now; `heeded` is false when nobody listens.
    pub fn next_parcel(&self, heeded: bool) -> Option<Parcel> {
        self.0.next_parcel(heeded)
    }

    /// Time has passed.
    pub fn tick(&self) {
        self.0.tick();
    }

    /// When to look again even if nothing happens.
    pub fn next_wake(&self) -> Option<tokio::time::Instant> {
        self.0.next_wake()
    }

    /// Waits until somebody has changed something that the wire must look at.
    pub async fn woken(&self) {
        self.0.woken().await;
    }
}
