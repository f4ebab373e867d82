//! A run in one number.

use aitcp::Instant;

use crate::Datagram;

/// A hash of every datagram that was delivered, a word at a time. Good for telling runs apart, not against anyone who wants two alike.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TraceHash(u64);

impl TraceHash {
    pub(super) fn absorb(&mut self, now: Instant, datagram: &Datagram) {
        let Datagram { from, to, ecn, bytes } = datagram;
        for word in [now.as_micros(), from.0, to.0, u64::from(*ecn), bytes.len() as u64] {
            self.mix(word);
        }
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    pub(super) fn get(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    }

    /// Reversible in `word` and in the state: so runs that differ in one word never have the same hash.
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    #[test]
    fn everything_that_is_delivered_counts() {
        let datagram = Datagram { from: Address(1), to: Address(2), ecn: 2, bytes: vec![0; 9] };
        let hash = |now, datagram: &Datagram| {
            let mut hash = TraceHash::default();
            hash.absorb(Instant::from_micros(now), datagram);
            hash.get()
        };
        let reflected = Datagram { from: Address(2), to: Address(1), ..datagram.clone() };
        let marked = Datagram { ecn: 3, ..datagram.clone() };
        let longer = Datagram { bytes: vec![0; 10], ..datagram.clone() };
        let altered = Datagram { bytes: vec![0, 0, 0, 0, 0, 0, 0, 0, 1], ..datagram.clone() };
        let mut hashes = [&datagram, &reflected, &marked, &longer, &altered].map(|other| hash(0, other)).to_vec();
        hashes.push(hash(1, &datagram));
        assert_eq!(hash(0, &datagram), hashes[0]);
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 6);
    }
}
