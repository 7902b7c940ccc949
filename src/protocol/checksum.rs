//! The checksum of a frame: the sum of all bytes before it, modulo 256, preamble and length included (PSP, Frame format). It
//! misses one damaged frame in 256 and any two bytes that changed places; nothing that moves money may rest on it alone.

/// The checksum of these bytes.
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
