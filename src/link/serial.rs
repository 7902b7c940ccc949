//! Opens wires of serial devices: 8 data bits, no parity, 1 stop bit, no flow control (PSP, Transports).

use std::io;

use tokio_serial::{ClearBuffer, DataBits, ErrorKind, FlowControl, Parity, SerialPort, SerialStream, StopBits};

use super::wire::Wire;

/// Opens the device for us alone, and forgets what it received before.
pub(super) fn open(path: &str, baud: u32) -> io::Result<Wire> {
    let builder = tokio_serial::new(path, baud)
        .data_bits(DataBits::Eight)
        .parity(Parity::None)
        .stop_bits(StopBits::One)
        .flow_control(FlowControl::None)
        .exclusive(true);
    let stream = SerialStream::open(&builder).map_err(|error| explain(path, &error))?;
    // Answers to a program that ran before us are not for us.
    stream.clear(ClearBuffer::Input).map_err(|error| explain(path, &error))?;
    Ok(Wire::Serial(stream))
}

/// The error in words that name the path and the cause.
fn explain(path: &str, error: &tokio_serial::Error) -> io::Error {
    let (kind, cause) = match error.kind() {
        ErrorKind::NoDevice => (io::ErrorKind::ResourceBusy, "it is in use by another program"),
        ErrorKind::Io(kind @ io::ErrorKind::NotFound) => (kind, "there is no such device; is it plugged in?"),
        ErrorKind::Io(kind @ io::ErrorKind::PermissionDenied) => (kind, "no permission; the user may have to join its group"),
        ErrorKind::Io(kind) => (kind, "the device does not answer as it should"),
        ErrorKind::InvalidInput => (io::ErrorKind::InvalidInput, "it does not take these settings"),
        ErrorKind::Unknown => (io::ErrorKind::Other, "it is no serial device, or it is gone"),
    };
    io::Error::new(kind, format!("cannot open {path}: {cause} ({error})"))
}
