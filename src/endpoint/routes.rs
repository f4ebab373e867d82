//! From what a packet says to whose it is.

#![forbid(unsafe_code)]

use core::num::NonZeroU64;

use crate::crypto::generator::Generator;
use crate::crypto::hash::HASH_LEN;

use super::id_map::IdMap;

/// The places of sessions and half-open handshakes, by our connection id, and by the hash of the Hello that began them: a Hello has no
/// connection id yet, and one that comes again has to find what the first one began.
#[derive(Debug)]
pub(crate) struct Routes {
    by_connection_id: IdMap,
    by_hello: IdMap,
}

impl Routes {
    pub(crate) fn new(generator: &mut Generator) -> Self {
        Self { by_connection_id: IdMap::new(generator), by_hello: IdMap::new(generator) }
    }

    /// Whose packets with this connection id are. 0 is nobody's.
    pub(crate) fn by_connection_id(&self, id: u64) -> Option<u32> {
        self.by_connection_id.get(id)
    }

    /// False if the id is taken: draw another.
    #[must_use]
    pub(crate) fn add_connection_id(&mut self, id: NonZeroU64, place: u32) -> bool {
        self.by_connection_id.insert(id.get(), place)
    }

    pub(crate) fn remove_connection_id(&mut self, id: NonZeroU64) {
        self.by_connection_id.remove(id.get());
    }

    /// The half-open handshake which a Hello of this hash may have begun: compare the whole hash with what it has kept. An attacker can
    /// make two Hellos whose hashes begin alike, but only both of his own: the first of them then stands in the way of the second.
    pub(crate) fn by_hello(&self, hash: &[u8; HASH_LEN]) -> Option<u32> {
        self.by_hello.get(prefix(hash))
    }

    /// False if there is one whose hash begins alike. It stays.
    #[must_use]
    pub(crate) fn add_hello(&mut self, hash: &[u8; HASH_LEN], place: u32) -> bool {
        self.by_hello.insert(prefix(hash), place)
    }

    /// Forgets the Hello that began what is at `place`.
    pub(crate) fn remove_hello(&mut self, hash: &[u8; HASH_LEN], place: u32) {
        if self.by_hello(hash) == Some(place) {
            self.by_hello.remove(prefix(hash));
        }
    }
}

/// The first eight bytes of a hash: as good as random, and keyed once more by the map.
fn prefix(hash: &[u8; HASH_LEN]) -> u64 {
    hash.first_chunk().copied().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::seed::Seed;

    fn routes() -> Routes {
        Routes::new(&mut Generator::new(Seed::new([7; 32]).unwrap()))
    }

    #[test]
    fn a_connection_id_leads_to_its_place() {
        let mut routes = routes();
        let (one, other) = (NonZeroU64::MIN, NonZeroU64::MAX);
        assert!(routes.add_connection_id(one, 1) && routes.add_connection_id(other, 2));
        assert!(!routes.add_connection_id(one, 3));
        assert_eq!((routes.by_connection_id(one.get()), routes.by_connection_id(0)), (Some(1), None));
        routes.remove_connection_id(one);
        assert_eq!((routes.by_connection_id(one.get()), routes.by_connection_id(other.get())), (None, Some(2)));
    }

    #[test]
    fn a_hello_that_begins_alike_changes_nothing_for_the_first() {
        let mut routes = routes();
        let (mut first, mut second) = ([0xA5; 32], [0xA5; 32]);
        (first[31], second[31]) = (1, 2);
        assert!(routes.add_hello(&first, 1));
        assert!(!routes.add_hello(&second, 2));
        routes.remove_hello(&second, 2);
        assert_eq!(routes.by_hello(&first), Some(1));
        routes.remove_hello(&first, 1);
        assert_eq!(routes.by_hello(&first), None);
    }

    #[test]
    fn debug_shows_no_ids_and_no_keys() {
        let mut routes = routes();
        assert!(routes.add_connection_id(NonZeroU64::new(0xDEAD_BEEF).unwrap(), 77));
        let text = std::format!("{routes:?}");
        assert_eq!(text, "Routes { by_connection_id: IdMap { len: 1, .. }, by_hello: IdMap { len: 0, .. } }");
    }
}
