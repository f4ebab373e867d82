//! The keys that a responder seals its tickets with.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use crate::crypto::generator::Generator;
use crate::crypto::hash::{expand, extract};
use crate::crypto::provider::{AeadAlgorithm, CryptoProvider, NONCE_LEN, TAG_LEN};
use crate::error::TicketError;
use crate::secret_bytes::SecretBytes;
use crate::seed::Seed;
use crate::time::Instant;
use crate::wire::packet_parser::MAX_TICKET;

/// The ring of keys that tickets are sealed with: one for new tickets, and the one before, under which older ones still open.
///
/// The ring is the tickets' clock. A new key takes over every [`ROTATION`](Self::ROTATION), and the one before the last goes: so a ticket
/// is good for half a day at least and a day at most, and nothing that was sealed earlier opens for whoever gets hold of the ring now.
///
/// An [`Endpoint`](crate::Endpoint) has a ring of its own. Machines that share an address can share one, by
/// [`dangerous_export`](Self::dangerous_export).
pub struct TicketKeys {
    current: RingKey,
    previous: Option<RingKey>,
    /// Draws the next keys; none in a ring that came from elsewhere.
    generator: Option<Generator>,
    /// When the current key took over.
    since: Instant,
}

#[derive(Clone)]
struct RingKey {
    /// Tells which key a ticket is sealed with. Not secret.
    id: [u8; ID_LEN],
    key: Zeroizing<[u8; 32]>,
}

const ID_LEN: usize = 8;
const SALT_LEN: usize = 32;
/// What a ticket has besides what is sealed in it: the key's id, a salt, a tag.
const OVERHEAD: usize = ID_LEN + SALT_LEN + TAG_LEN;
/// The version of [`TicketKeys::dangerous_export`].
const FORMAT: u8 = 1;
const KEY_INFO: &[u8] = b"aitcp1 ticket key";

impl TicketKeys {
    /// How long a key seals tickets. It opens them for as long again (R-10.1-3).
    pub const ROTATION: Duration = Duration::from_secs(12 * 3_600);

    /// A ring with a key of its own. `seed` is fresh randomness for this ring alone.
    #[must_use]
    pub fn new(now: Instant, seed: Seed) -> Self {
        let mut generator = Generator::new(seed);
        Self { current: RingKey::draw(&mut generator), previous: None, generator: Some(generator), since: now }
    }

    /// The keys as bytes, for the other machines behind one address. **Whoever has them reads every ticket that was sealed with them and can
    /// pass for any initiator that has one**: keep them out of files and logs, and send them over authenticated encryption only.
    #[must_use]
    pub fn dangerous_export(&self) -> SecretBytes {
        let mut bytes = SecretBytes::with_capacity(1 + 2 * (ID_LEN + 32));
        bytes.extend(&[FORMAT]);
        for key in [Some(&self.current), self.previous.as_ref()].into_iter().flatten() {
            bytes.extend(&key.id);
            bytes.extend(&*key.key);
        }
        bytes
    }

    /// A ring with keys that [`dangerous_export`](Self::dangerous_export) gave. It does not change by itself: whoever distributes the keys
    /// rotates them, by importing others.
    ///
    /// # Errors
    /// [`TicketError`] for anything else.
    pub fn dangerous_import(bytes: &[u8]) -> Result<Self, TicketError> {
        let (format, keys) = bytes.split_first().ok_or(TicketError)?;
        let (keys, rest) = keys.as_chunks::<{ ID_LEN + 32 }>();
        let mut keys = keys.iter().map(RingKey::read);
        let (current, previous) = (keys.next().ok_or(TicketError)?, keys.next());
        if *format != FORMAT || !rest.is_empty() || keys.next().is_some() {
            return Err(TicketError);
        }
        Ok(Self { current, previous, generator: None, since: Instant::ORIGIN })
    }

    /// Lets keys go whose time is up. Sealing and opening do so too; call it now and then if neither may happen for long.
    pub fn rotate(&mut self, now: Instant) {
        let Some(generator) = &mut self.generator else { return };
        let age = now.saturating_duration_since(self.since);
        if age < Self::ROTATION {
            return;
        }
        let former = core::mem::replace(&mut self.current, RingKey::draw(generator));
        // A ring that nobody has looked at for a day has nothing that is still good.
        self.previous = Some(former).filter(|_| age < Self::ROTATION.saturating_mul(2));
        self.since = now;
    }

    /// Seals a session into a ticket; `None` if that would be longer than tickets may be (R-10.1-1).
    pub(super) fn seal(
        &mut self,
        now: Instant,
        provider: &dyn CryptoProvider,
        salt: &[u8; SALT_LEN],
        session: &[u8],
    ) -> Option<Vec<u8>> {
        self.rotate(now);
        if session.len().saturating_add(OVERHEAD) > MAX_TICKET {
            return None;
        }
        let mut ticket = [&self.current.id[..], salt, session].concat();
        let (aad, body) = ticket.split_at_mut_checked(ID_LEN + SALT_LEN)?;
        let tag = self.current.aead(provider, salt).seal(&[0; NONCE_LEN], aad, body);
        ticket.extend_from_slice(&tag);
        Some(ticket)
    }

    /// What is in a ticket, if it was sealed with a key of this ring (R-10.1-2).
    pub(super) fn open(
        &mut self,
        now: Instant,
        provider: &dyn CryptoProvider,
        ticket: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        self.rotate(now);
        let (id, rest) = ticket.split_first_chunk::<ID_LEN>()?;
        let (salt, rest) = rest.split_first_chunk::<SALT_LEN>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let key = [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find(|key| key.id == *id)?;
        let mut session = Zeroizing::new(sealed.to_vec());
        let aad = ticket.get(..ID_LEN + SALT_LEN)?;
        key.aead(provider, salt).open(&[0; NONCE_LEN], aad, &mut session, tag).ok()?;
        Some(session)
    }
}

impl RingKey {
    fn draw(generator: &mut Generator) -> Self {
        let (mut id, mut key) = ([0; ID_LEN], Zeroizing::new([0; 32]));
        generator.public(&mut id);
        generator.secret(&mut *key);
        Self { id, key }
    }

    fn read(bytes: &[u8; ID_LEN + 32]) -> Self {
        let (mut id, mut key) = ([0; ID_LEN], Zeroizing::new([0; 32]));
        let mut rest = bytes.iter();
        id.iter_mut().zip(rest.by_ref()).for_each(|(place, byte)| *place = *byte);
        key.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
        Self { id, key }
    }

    /// The cipher for the one ticket that has this salt, so that every nonce can be zero.
    fn aead(
        &self,
        provider: &dyn CryptoProvider,
        salt: &[u8; SALT_LEN],
    ) -> alloc::boxed::Box<dyn crate::crypto::provider::Aead> {
        let mut key = Zeroizing::new([0; 32]);
        expand(&extract(salt, &*self.key), &[KEY_INFO], &mut *key);
        provider.aead(AeadAlgorithm::ChaCha20Poly1305, &key)
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").field("since", &self.since).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;

    const START: Instant = Instant::from_micros(1_000_000);

    fn ring(seed: u8) -> TicketKeys {
        TicketKeys::new(START, Seed::new([seed; 32]).unwrap())
    }

    fn sealed(ring: &mut TicketKeys, now: Instant) -> Vec<u8> {
        ring.seal(now, &RustCrypto, &[5; 32], b"a session").unwrap()
    }

    /// R-10.1-2, R-10.1-3.
    #[test]
    fn a_ticket_opens_under_its_key_and_the_next_and_no_longer() {
        let mut ring = ring(1);
        let ticket = sealed(&mut ring, START);
        for (age, opens) in
            [(0, true), (43_199, true), (43_200, true), (86_399, true), (86_400, false), (90_000, false)]
        {
            let now = START + Duration::from_secs(age);
            let opened = ring.open(now, &RustCrypto, &ticket);
            assert_eq!(opened.as_deref().map(Vec::as_slice), opens.then_some(&b"a session"[..]), "{age} s");
        }
        assert!(self::ring(2).open(START, &RustCrypto, &ticket).is_none(), "of another ring");
    }

    #[test]
    fn a_ring_that_nobody_looked_at_for_a_day_opens_nothing() {
        let mut ring = ring(1);
        let ticket = sealed(&mut ring, START);
        assert!(ring.open(START + Duration::from_secs(86_400), &RustCrypto, &ticket).is_none());
        assert!(ring.previous.is_none());
    }

    /// R-10.1-2: not a bit can be another.
    #[test]
    fn an_altered_ticket_does_not_open() {
        let mut ring = ring(1);
        let ticket = sealed(&mut ring, START);
        for bit in 0..ticket.len() * 8 {
            let mut altered = ticket.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(ring.open(START, &RustCrypto, &altered).is_none(), "bit {bit}");
        }
        for len in 0..ticket.len() {
            assert!(ring.open(START, &RustCrypto, &ticket[..len]).is_none(), "{len} bytes");
        }
    }

    #[test]
    fn a_fleet_opens_each_other_s_tickets() {
        let mut one = ring(1);
        let ticket = sealed(&mut one, START);
        one.rotate(START + TicketKeys::ROTATION);
        let mut other = TicketKeys::dangerous_import(&one.dangerous_export()).unwrap();
        for now in [Instant::ORIGIN, START + Duration::from_secs(1_000_000)] {
            assert!(other.open(now, &RustCrypto, &ticket).is_some(), "it does not rotate by itself");
        }
        let newer = sealed(&mut other, START);
        assert!(one.open(START + TicketKeys::ROTATION, &RustCrypto, &newer).is_some());
        let bytes = one.dangerous_export();
        assert_eq!(bytes.len(), 81);
        for len in (0..bytes.len()).filter(|len| *len != 41) {
            assert!(TicketKeys::dangerous_import(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(TicketKeys::dangerous_import(&[&bytes[..], &bytes[1..41]].concat()).is_err(), "three keys");
        assert!(TicketKeys::dangerous_import(&[&[2], &bytes[1..]].concat()).is_err(), "of another format");
    }

    /// R-10.1-1.
    #[test]
    fn what_is_too_long_is_not_sealed() {
        let mut ring = ring(1);
        let most = MAX_TICKET - OVERHEAD;
        assert_eq!(ring.seal(START, &RustCrypto, &[5; 32], &alloc::vec![0; most]).unwrap().len(), MAX_TICKET);
        assert!(ring.seal(START, &RustCrypto, &[5; 32], &alloc::vec![0; most + 1]).is_none());
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = alloc::format!("{:?}", ring(1));
        assert!(!shown.contains("key:") && !shown.contains('['), "{shown}");
    }
}
