//! Bytes that nobody else may read.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Secret bytes for the caller to keep: wiped when dropped, and never shown by `Debug`. What they are copied to is the caller's to wipe.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Room for so many, which they must not outgrow: what a vector leaves behind when it grows is not wiped.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        debug_assert!(self.0.capacity().saturating_sub(self.0.len()) >= bytes.len(), "no copy is left behind");
        self.0.extend_from_slice(bytes);
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}
