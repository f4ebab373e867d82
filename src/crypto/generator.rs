//! Randomness of a link: deterministic from its seed, and never wound back.
#![forbid(unsafe_code)]

use core::fmt;
use core::num::NonZeroU64;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::crypto::hash::{HASH_LEN, expand};
use crate::seed::Seed;

/// A generator with fast key erasure: each draw replaces the key, so what was drawn before cannot be found from what is held now.
///
/// Two domains with independent keys: nothing that anybody sees of the public one says anything about the secret one.
pub(crate) struct Generator {
    public: Domain,
    secret: Domain,
}

impl Generator {
    /// Starts from a seed, which is used up.
    pub(crate) fn new(seed: Seed) -> Self {
        Self { public: Domain::new(&seed, b"aitcp1 public"), secret: Domain::new(&seed, b"aitcp1 secret") }
    }

    /// Fills `out` with bytes that go over the wire: randoms, ids, padding.
    pub(crate) fn public(&mut self, out: &mut [u8]) {
        self.public.fill(out);
    }

    /// Fills `out` with bytes that stay here: private keys, coins.
    pub(crate) fn secret(&mut self, out: &mut [u8]) {
        self.secret.fill(out);
    }

    /// A public number other than zero, for ids.
    pub(crate) fn nonzero_u64(&mut self) -> NonZeroU64 {
        loop {
            let mut bytes = [0; 8];
            self.public(&mut bytes);
            if let Some(number) = NonZeroU64::new(u64::from_le_bytes(bytes)) {
                return number;
            }
        }
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generator(..)")
    }
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Domain {
    key: [u8; HASH_LEN],
}

impl Domain {
    fn new(seed: &Seed, label: &[u8]) -> Self {
        let mut domain = Self { key: [0; HASH_LEN] };
        expand(seed.as_bytes(), &[label], &mut domain.key);
        domain
    }

    fn fill(&mut self, out: &mut [u8]) {
        for block in out.chunks_mut(HASH_LEN) {
            let key = Zeroizing::new(self.key);
            expand(&key, &[b"draw"], block);
            expand(&key, &[b"next"], &mut self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use hex_literal::hex;

    use super::*;

    fn generator() -> Generator {
        Generator::new(Seed::new(core::array::from_fn(|i| i as u8 + 1)).unwrap())
    }

    /// The values come from another language's HMAC: recorded runs depend on them.
    #[test]
    fn draws_are_those_of_the_seed() {
        let mut generator = generator();
        assert_eq!(generator.nonzero_u64().get().to_le_bytes(), hex!("8a927e5f219c87f3"));
        let mut public = [0; 40];
        generator.public(&mut public);
        let expected = hex!("725b56d6ddf78e30aa4f7246f339e8aae851671503bdf51db150607d53cfdbd5a6b1d9b944c36a58");
        assert_eq!(public, expected);
        let mut secret = [0; 32];
        generator.secret(&mut secret);
        assert_eq!(secret, hex!("27d5d12c3148d9e2c47c62a4ff39e1c6bf7d3d0304b1e591065b04fb8923b12d"));
    }

    #[test]
    fn the_domains_do_not_touch_each_other() {
        let (mut one, mut other) = (generator(), generator());
        one.public(&mut [0; 100]);
        let (mut from_one, mut from_other) = ([0; 64], [0; 64]);
        one.secret(&mut from_one);
        other.secret(&mut from_other);
        assert_eq!(from_one, from_other);
        other.public(&mut from_other);
        assert_ne!(from_one, from_other);
    }

    #[test]
    fn every_draw_replaces_the_key() {
        let mut generator = generator();
        let mut keys = std::vec![generator.public.key];
        for _ in 0..1_000 {
            generator.nonzero_u64();
            keys.push(generator.public.key);
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1_001);
    }

    #[test]
    fn keys_wipe_themselves_and_debug_shows_nothing() {
        fn wiped_when_dropped<T: ZeroizeOnDrop>(_: &T) {}
        let generator = generator();
        wiped_when_dropped(&generator.secret);
        assert_eq!(std::format!("{generator:?}"), "Generator(..)");
    }
}
