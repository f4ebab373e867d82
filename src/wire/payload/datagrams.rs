//! Best-effort datagrams in a payload: each a length of two bytes, and its bytes. Datagram carriers only.
#![forbid(unsafe_code)]

/// Length of a datagram's length.
pub(super) const LENGTH: usize = 2;

/// The datagrams in `bytes`, in order, as far as there are whole ones. A datagram may be empty.
pub(super) fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (datagram, rest) = split_first(bytes)?;
        bytes = rest;
        Some(datagram)
    })
}

/// Whether `bytes` are datagrams from the first to the last byte (R-8.1-10).
pub(super) fn are_whole(mut bytes: &[u8]) -> bool {
    while let Some((_, rest)) = split_first(bytes) {
        bytes = rest;
    }
    bytes.is_empty()
}

fn split_first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))
}
