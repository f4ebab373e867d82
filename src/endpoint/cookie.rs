//! Cookies: how a peer shows that it receives what is sent to its address, before anything is kept for it.

#![forbid(unsafe_code)]

use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use crate::crypto::generator::Generator;
use crate::crypto::hash::{HASH_LEN, check_equal, hmac, sha256};
use crate::crypto::provider::Rejected;
use crate::time::Instant;

use super::address::Address;

/// Length of a cookie, in bytes.
pub(crate) const COOKIE_LEN: usize = HASH_LEN;

/// Cookies are made for the step of time in which they are, and hold until the end of the next: for one to two of these. One is the
/// deadline of a handshake over a datagram carrier.
const STEP_MICROS: u64 = 60_000_000;

/// How long cookies are made with one key, at most.
const KEY_LIFETIME: Duration = Duration::from_secs(3_600);

/// Separates these MACs from all others.
const LABEL: &[u8] = b"aitcp1 cookie";

/// What a cookie vouches for (R-6.11-3): this Hello, from this address. Both are always needed, so that no caller can forget the one.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a, A> {
    pub(crate) address: A,
    /// The initiator's.
    pub(crate) connection_id: u64,
    /// The Hello as it was received, header and table: the same before and after a Retry, which changes only what follows them.
    pub(crate) hello: &'a [u8],
}

/// The keys of the cookies: the one in use, and the one before it.
///
/// Nothing is stored for a cookie. It is a MAC over what it vouches for and the step of time, and checking it is making it again: two
/// MACs at most, and four in the first steps of a key.
pub(crate) struct CookieKeys {
    current: Key,
    previous: Option<Key>,
}

impl CookieKeys {
    /// Draws the first key, from the generator's secret domain.
    pub(crate) fn new(now: Instant, generator: &mut Generator) -> Self {
        Self { current: Key::draw(now, generator), previous: None }
    }

    /// Draws a new key, once the one in use is an hour old. Call it before making a cookie: it needs no timer of its own.
    pub(crate) fn rotate_if_due(&mut self, now: Instant, generator: &mut Generator) {
        if now >= self.current.since + KEY_LIFETIME {
            self.rotate(now, generator);
        }
    }

    /// Draws a new key. Cookies of the one in use hold on; those of the one before it no longer do, and that one is wiped.
    pub(crate) fn rotate(&mut self, now: Instant, generator: &mut Generator) {
        let old = core::mem::replace(&mut self.current, Key::draw(now, generator));
        self.previous = Some(old);
    }

    /// The cookie for `subject`.
    pub(crate) fn make<A: Address>(&self, now: Instant, subject: Subject<'_, A>) -> [u8; COOKIE_LEN] {
        self.current.mac(step_at(now), &Input::new(subject))
    }

    /// Checks that `cookie` was made here for `subject`, in this step of time or the one before.
    ///
    /// # Errors
    /// [`Rejected`] if it was not: such a cookie counts as none.
    pub(crate) fn check<A: Address>(
        &self,
        now: Instant,
        subject: Subject<'_, A>,
        cookie: &[u8; COOKIE_LEN],
    ) -> Result<(), Rejected> {
        let input = Input::new(subject);
        let step = step_at(now);
        let steps = [Some(step), step.checked_sub(1)];
        let made = steps.into_iter().flatten().flat_map(|step| self.in_use_at(step).map(move |key| (key, step)));
        for (key, step) in made {
            if check_equal(&key.mac(step, &input), cookie).is_ok() {
                return Ok(());
            }
        }
        Err(Rejected)
    }

    /// The keys with which cookies were made at some time in `step`.
    fn in_use_at(&self, step: u64) -> impl Iterator<Item = &Key> {
        let changed = step_at(self.current.since);
        let current = (step >= changed).then_some(&self.current);
        let previous = self.previous.as_ref().filter(|_| step <= changed);
        current.into_iter().chain(previous)
    }
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKeys(..)")
    }
}

struct Key {
    secret: Zeroizing<[u8; HASH_LEN]>,
    /// When cookies began to be made with it.
    since: Instant,
}

impl Key {
    fn draw(now: Instant, generator: &mut Generator) -> Self {
        let mut secret = Zeroizing::new([0; HASH_LEN]);
        generator.secret(&mut *secret);
        Self { secret, since: now }
    }

    /// Everything but the address has a fixed length, and the address has its length before it: no two inputs are the same bytes.
    fn mac<A: Address>(&self, step: u64, input: &Input<A>) -> [u8; COOKIE_LEN] {
        let address = input.address.stable_bytes();
        let address_len = address.as_slice().len() as u64;
        let parts: [&[u8]; 6] = [
            LABEL,
            &step.to_le_bytes(),
            &address_len.to_le_bytes(),
            address.as_slice(),
            &input.connection_id.to_le_bytes(),
            &input.hello_hash,
        ];
        hmac(&*self.secret, &parts)
    }
}

/// A [`Subject`] whose Hello has been hashed: once, for all the MACs.
struct Input<A> {
    address: A,
    connection_id: u64,
    hello_hash: [u8; HASH_LEN],
}

impl<A: Address> Input<A> {
    fn new(subject: Subject<'_, A>) -> Self {
        Self { address: subject.address, connection_id: subject.connection_id, hello_hash: sha256(subject.hello) }
    }
}

/// Steps of time since the caller's origin.
const fn step_at(now: Instant) -> u64 {
    now.as_micros() / STEP_MICROS
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::net::SocketAddr;
    use std::collections::VecDeque;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::seed::Seed;

    const HELLO: &[u8] = b"header and table of a Hello";

    fn generator() -> Generator {
        Generator::new(Seed::new([7; 32]).unwrap())
    }

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn subject() -> Subject<'static, SocketAddr> {
        Subject { address: "192.0.2.1:443".parse().unwrap(), connection_id: 0x0102_0304_0506_0708, hello: HELLO }
    }

    fn check(keys: &CookieKeys, now: Instant, cookie: &[u8; 32]) -> bool {
        keys.check(now, subject(), cookie).is_ok()
    }

    /// The value comes from another language's HMAC.
    #[test]
    fn the_input_of_the_mac_never_changes() {
        let secret = Zeroizing::new(core::array::from_fn(|at| at as u8 + 1));
        let keys = CookieKeys { current: Key { secret, since: Instant::ORIGIN }, previous: None };
        let expected = hex!("9e4d89e967672f66d01f82b67e745d8acb2b669d84ce37f528552a25495baf22");
        assert_eq!(keys.make(at(125), subject()), expected);
    }

    #[test]
    fn a_cookie_holds_for_its_hello_from_its_address_only() {
        let keys = CookieKeys::new(at(0), &mut generator());
        let cookie = keys.make(at(0), subject());
        let rejected = |other| assert_eq!(keys.check(at(0), other, &cookie), Err(Rejected));
        assert_eq!(keys.check(at(0), subject(), &cookie), Ok(()));
        rejected(Subject { address: "192.0.2.1:444".parse().unwrap(), ..subject() });
        rejected(Subject { address: "192.0.2.2:443".parse().unwrap(), ..subject() });
        rejected(Subject { connection_id: 1, ..subject() });
        rejected(Subject { hello: b"another Hello", ..subject() });
        rejected(Subject { hello: &HELLO[1..], ..subject() });
        rejected(Subject { hello: &[], ..subject() });
    }

    #[test]
    fn every_bit_of_a_cookie_counts() {
        let keys = CookieKeys::new(at(0), &mut generator());
        let cookie = keys.make(at(0), subject());
        for bit in 0..256 {
            let mut flipped = cookie;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!check(&keys, at(0), &flipped), "bit {bit}");
        }
        assert!(!check(&keys, at(0), &[0; 32]));
    }

    #[test]
    fn a_cookie_holds_for_its_step_and_the_next() {
        let keys = CookieKeys::new(at(0), &mut generator());
        let cookie = keys.make(at(90), subject());
        for (seconds, holds) in
            [(59, false), (60, true), (119, true), (150, true), (179, true), (180, false), (3_000, false)]
        {
            assert_eq!(check(&keys, at(seconds), &cookie), holds, "{seconds}");
        }
        let last = Instant::from_micros(u64::MAX);
        assert!(check(&keys, last, &keys.make(last, subject())));
    }

    #[test]
    fn a_cookie_outlives_one_key_and_not_two() {
        let mut generator = generator();
        let mut keys = CookieKeys::new(at(0), &mut generator);
        let cookie = keys.make(at(119), subject());
        keys.rotate(at(119), &mut generator);
        assert!(check(&keys, at(119), &cookie));
        assert!(check(&keys, at(150), &cookie), "for as long as without a new key");
        assert!(!check(&keys, at(180), &cookie));
        assert!(check(&keys, at(119), &keys.make(at(119), subject())), "the new key serves at once");
        keys.rotate(at(119), &mut generator);
        assert!(!check(&keys, at(119), &cookie));
    }

    /// Whoever learns a key that is no longer in use cannot make cookies with it.
    #[test]
    fn an_old_key_makes_nothing_for_later_steps() {
        let mut generator = generator();
        let mut keys = CookieKeys::new(at(0), &mut generator);
        keys.rotate(at(60), &mut generator);
        let previous = keys.previous.as_ref().unwrap();
        let forged = previous.mac(step_at(at(120)), &Input::new(subject()));
        assert!(!check(&keys, at(120), &forged));
    }

    #[test]
    fn keys_change_every_hour_without_breaking_a_handshake() {
        let mut generator = generator();
        let mut keys = CookieKeys::new(at(0), &mut generator);
        let mut cookies = VecDeque::new();
        for now in (0..20_000).step_by(10) {
            keys.rotate_if_due(at(now), &mut generator);
            assert!(at(now) < keys.current.since + KEY_LIFETIME);
            cookies.push_front(keys.make(at(now), subject()));
            if let Some(made_a_minute_ago) = cookies.get(6) {
                assert!(check(&keys, at(now), made_a_minute_ago), "{now}");
            }
            cookies.truncate(6);
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(std::format!("{:?}", CookieKeys::new(at(0), &mut generator())), "CookieKeys(..)");
    }

    proptest! {
        /// Any two subjects and instants: the cookie of one holds for the other where all is equal and it is not too old.
        #[test]
        fn a_cookie_holds_exactly_for_what_it_was_made(
            (made, address, connection_id, hello) in (0..400_u64, 0..3_u64, 0..3_u64, "[ab]{0,2}"),
            (shown, other_address, other_id, other_hello) in (0..400_u64, 0..3_u64, 0..3_u64, "[ab]{0,2}"),
        ) {
            let keys = CookieKeys::new(at(0), &mut generator());
            let cookie = keys.make(at(made), Subject { address, connection_id, hello: hello.as_bytes() });
            let other = Subject { address: other_address, connection_id: other_id, hello: other_hello.as_bytes() };
            let same = (address, connection_id, &hello) == (other_address, other_id, &other_hello);
            let fresh = [made / 60, made / 60 + 1].contains(&(shown / 60));
            prop_assert_eq!(keys.check(at(shown), other, &cookie).is_ok(), same && fresh);
        }
    }
}
