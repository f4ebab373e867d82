//! Taking an input apart.

/// What is left of an input. At its end everything is zero or empty.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number of 64 bits, for most of its forms a small one: below 192 as it is, above that 16 bits moved up.
    pub(super) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=0xBF => small.into(),
            shift => u64::from(self.u16()) << (shift & 0x3F),
        }
    }

    /// The next bytes, as many of them as there are.
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Bytes after their length, of which most are short.
    pub(super) fn bytes_of_some_length(&mut self) -> Vec<u8> {
        let len = usize::try_from(self.number()).unwrap_or(usize::MAX);
        self.bytes(len).to_vec()
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
