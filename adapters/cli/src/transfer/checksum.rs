//! What both ends compute about the content of a file as it passes.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::message::Receipt;

/// Length and SHA-256 of all that was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checksum {
    bytes: u64,
    hasher: Sha256,
}

impl Checksum {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.hasher.update(bytes);
    }

    /// Reads all that is left of `content`.
    pub(crate) fn of(mut content: impl Read) -> io::Result<Receipt> {
        let mut checksum = Self::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return Ok(checksum.receipt()),
                Ok(length) => checksum.update(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn receipt(self) -> Receipt {
        let sha256 = self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Receipt { bytes: self.bytes, sha256 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_digest_comes_out_however_the_content_is_cut() {
        // FIPS 180-4's own example.
        let expected = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
        let content = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let mut checksum = Checksum::default();
        content.chunks(5).for_each(|chunk| checksum.update(chunk));
        assert_eq!(checksum.receipt(), Receipt { bytes: 56, sha256: expected.to_owned() });
        assert_eq!(Checksum::of(&content[..]).unwrap().sha256, expected);
    }
}
