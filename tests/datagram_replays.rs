//! Packets of a handshake that come again, and epochs that there are not, while the session lives: nothing about it changes, and nothing
//! is computed for them.
#![cfg(all(feature = "rustcrypto", feature = "hybrid", feature = "endpoint"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::provider::{Aead, AeadAlgorithm, CryptoProvider, HeaderMask, MlKem768, Rejected, SigningKey};
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, Direction, Discarded, Disposition, EcnCodepoint, Ending, Endpoint,
    EndpointConfig, Event, Expect, Handle, Instant, Meta, PathId, Role, Seed, ServerConfig, Session, Suite, testing,
};
use aitcp_testkit::Setup;
use aitcp_testkit::forge::{Header, Kind};

const MTU: u16 = 1_452;
const NOW: Instant = Instant::ORIGIN;

/// An established pair, and every packet of its handshake by who has sent it.
struct Recorded {
    ends: [Session; 2],
    packets: [Vec<Vec<u8>>; 2],
    now: Instant,
}

fn sent(session: &mut Session, now: Instant) -> Vec<Vec<u8>> {
    let mut room = [0; 1_452];
    let mut datagrams = Vec::new();
    while let Some(transmit) = session.poll_transmit(now, &mut room).unwrap() {
        let segment = transmit.segment.unwrap_or(transmit.len);
        datagrams.extend(room[..transmit.len].chunks(segment).map(<[u8]>::to_vec));
    }
    datagrams
}

impl Recorded {
    fn new(mut ends: [Session; 2]) -> Self {
        let (mut packets, mut now) = ([Vec::new(), Vec::new()], NOW);
        for _ in 0..20 {
            for from in [0, 1] {
                for datagram in sent(&mut ends[from], now) {
                    ends[1 - from].handle_datagram(now, Meta::default(), &mut datagram.clone());
                    packets[from].push(datagram);
                }
            }
            now = now + Duration::from_millis(30);
            ends.iter_mut().for_each(|end| end.handle_timeout(now));
        }
        assert!(ends[0].is_confirmed());
        let kinds: Vec<_> = packets.iter().flatten().map(|packet| Header::read(packet).kind).collect();
        assert!(kinds.contains(&Kind::Hello) && kinds.contains(&Kind::InitiatorAuth) && kinds.contains(&Kind::Data));
        Self { ends, packets, now }
    }

    fn of(setup: &Setup) -> Self {
        Self::new([Role::Initiator, Role::Responder].map(|role| setup.session(role, NOW)))
    }

    /// A message arrives: the session lives.
    fn check_alive(&mut self) {
        while self.ends[1].poll_event().is_some() {}
        let stream = self.ends[0].open(Direction::Unidirectional).unwrap();
        self.ends[0].send(stream, b"still here", Ending::End).unwrap();
        for mut datagram in sent(&mut self.ends[0], self.now) {
            assert_eq!(self.ends[1].handle_datagram(self.now, Meta::default(), &mut datagram), Disposition::Handled);
        }
        assert!(self.ends[1].recv(stream, &mut [0; 16]).unwrap().end_of_message);
    }
}

fn setup(suite: Suite, seed: u64) -> Setup {
    let mut setup = Setup { carrier: Carrier::Datagram { mtu: MTU }, seed, ..Setup::default() };
    setup.set_suite(suite);
    setup
}

/// R-5.6-2, R-6.10-5: each packet of its handshake and of another one between the same two, from where it came and from elsewhere.
#[test]
fn a_handshake_that_comes_again_changes_no_session() {
    for suite in Setup::SUITES {
        let mut recorded = Recorded::of(&setup(suite, 1));
        let other = Recorded::of(&setup(suite, 2));
        let digests = |recorded: &Recorded| recorded.ends.each_ref().map(testing::state_digest);
        let before = digests(&recorded);
        for to in [0, 1] {
            let packets = [&recorded.packets[1 - to][..], &other.packets[1 - to]].concat();
            // What the end itself has sent comes back to it as well.
            for packet in packets.iter().chain(&recorded.packets[to].clone()) {
                for path in [PathId::default(), PathId(9)] {
                    let meta = Meta { path, ..Meta::default() };
                    let disposition = recorded.ends[to].handle_datagram(recorded.now, meta, &mut packet.clone());
                    assert!(matches!(disposition, Disposition::Discarded(_)), "{disposition:?}");
                    assert_eq!(digests(&recorded), before, "{suite:?} kind {}", Header::read(packet).kind);
                }
            }
        }
        recorded.ends.iter_mut().for_each(|end| assert!(sent(end, recorded.now).is_empty(), "nothing answers them"));
        recorded.check_alive();
    }
}

// ---- in an endpoint ---------------------------------------------------------------------------------------------------------------

const CLIENT: u64 = 2;
const SERVER: u64 = 1;

/// Two endpoints with a session, and all datagrams so far, by who has sent them.
struct Two {
    ends: [Endpoint<u64>; 2],
    handles: [Handle; 2],
    datagrams: [Vec<Vec<u8>>; 2],
}

fn said(end: &mut Endpoint<u64>) -> Vec<Vec<u8>> {
    let mut room = [0; 1_452];
    let mut datagrams = Vec::new();
    while let Some((_, transmit)) = end.poll_transmit(NOW, &mut room).unwrap() {
        let segment = transmit.segment.unwrap_or(transmit.len);
        datagrams.extend(room[..transmit.len].chunks(segment).map(<[u8]>::to_vec));
    }
    datagrams
}

impl Two {
    fn new() -> Self {
        let key = |seed| IdentityKey::from_seed(&RustCrypto, [seed; 32]).unwrap();
        let suites = [Suite::HybridChaCha20Poly1305];
        let server = ServerConfig::new(key(1), Admission::Any, &["test/1"]).with_suites(&suites);
        let client = Arc::new(ClientConfig::new(key(2), "test/1").with_suites(&suites));
        let endpoint = |config, seed| Endpoint::new(NOW, config, Seed::new([seed; 32]).unwrap()).unwrap();
        let mut clients = endpoint(EndpointConfig::new(), 1);
        let mut servers = endpoint(EndpointConfig::new().with_server(Arc::new(server)), 2);
        let near = clients.connect(NOW, client, Expect::Pinned(key(1).peer_id()), SERVER).unwrap();
        let mut datagrams = [Vec::new(), Vec::new()];
        for _ in 0..4 {
            for datagram in said(&mut clients) {
                servers.handle_datagram(NOW, CLIENT, EcnCodepoint::NotEct, &mut datagram.clone());
                datagrams[0].push(datagram);
            }
            for datagram in said(&mut servers) {
                clients.handle_datagram(NOW, SERVER, EcnCodepoint::NotEct, &mut datagram.clone());
                datagrams[1].push(datagram);
            }
        }
        let (far, event) = servers.poll_event().unwrap();
        assert_eq!(event, Event::Established);
        while clients.poll_event().is_some() {}
        Self { ends: [clients, servers], handles: [near, far], datagrams }
    }

    fn digests(&self) -> [[u8; 32]; 2] {
        [0, 1].map(|end| testing::state_digest(self.ends[end].session(self.handles[end]).unwrap()))
    }
}

/// R-6.10-4, R-6.11-7: the Hello begins another handshake, as anybody's would, that comes to nothing; all else is for the session that
/// lives, and changes nothing. At the initiator nothing begins at all.
#[test]
fn a_recording_that_is_played_to_an_endpoint_changes_no_session_that_lives() {
    let mut two = Two::new();
    let before = two.digests();
    for (to, peer) in [(0, SERVER), (1, CLIENT)] {
        for from in [peer, 77] {
            for datagram in two.datagrams[1 - to].clone() {
                two.ends[to].handle_datagram(NOW, from, EcnCodepoint::NotEct, &mut datagram.clone());
                assert_eq!(two.digests(), before, "kind {}", Header::read(&datagram).kind);
            }
        }
    }
    let handles: Vec<_> = two.ends[1].handles().collect();
    assert_eq!((handles, two.ends[0].stats().sessions), (vec![two.handles[1]], 1));
    let answers: Vec<_> = said(&mut two.ends[1]).iter().map(|datagram| Header::read(datagram).kind).collect();
    assert!(answers.iter().all(|kind| *kind == Kind::Accept), "{answers:?}");
    assert!(two.ends[1].stats().half_opens <= 1 && two.ends[1].poll_event().is_none());

    let stream = two.ends[0].session_mut(NOW, two.handles[0]).unwrap().open(Direction::Unidirectional).unwrap();
    two.ends[0].session_mut(NOW, two.handles[0]).unwrap().send(stream, b"still here", Ending::End).unwrap();
    for mut datagram in said(&mut two.ends[0]) {
        two.ends[1].handle_datagram(NOW, CLIENT, EcnCodepoint::NotEct, &mut datagram);
    }
    let received = two.ends[1].session_mut(NOW, two.handles[1]).unwrap().recv(stream, &mut [0; 16]);
    assert!(received.unwrap().end_of_message);

    let end = NOW + Duration::from_secs(60);
    two.ends[1].handle_timeout(end);
    let heard: Vec<_> = std::iter::from_fn(|| two.ends[1].poll_event()).collect();
    assert!(heard.iter().all(|(handle, _)| *handle == two.handles[1]), "{heard:?}");
    assert_eq!(two.ends[1].stats().half_opens, 0);
}

// ---- epochs -----------------------------------------------------------------------------------------------------------------------

/// What was asked of a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Work {
    /// Ciphers and masks made for a key: what a derivation would end in.
    keys: u64,
    opened: u64,
    masks: u64,
    /// Everything else but hashing.
    other: u64,
}

#[derive(Debug, Default)]
struct Counters {
    keys: AtomicU64,
    opened: AtomicU64,
    masks: AtomicU64,
    other: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    fn take(&self) -> Work {
        let [keys, opened, masks, other] =
            [&self.keys, &self.opened, &self.masks, &self.other].map(|counter| counter.swap(0, Ordering::Relaxed));
        Work { keys, opened, masks, other }
    }
}

/// The built-in provider, counted.
#[derive(Debug, Default)]
struct Counted(Arc<Counters>);

struct CountedAead(Box<dyn Aead>, Arc<Counters>);
struct CountedMask(Box<dyn HeaderMask>, Arc<Counters>);

impl Aead for CountedAead {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8]) -> [u8; 16] {
        count(&self.1.other);
        self.0.seal(nonce, aad, in_out)
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8], tag: &[u8; 16]) -> Result<(), Rejected> {
        count(&self.1.opened);
        self.0.open(nonce, aad, in_out, tag)
    }
}

impl HeaderMask for CountedMask {
    fn mask(&self, sample: &[u8; 16]) -> [u8; 5] {
        count(&self.1.masks);
        self.0.mask(sample)
    }
}

impl CryptoProvider for Counted {
    fn has_fast_aes(&self) -> bool {
        RustCrypto.has_fast_aes()
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn Aead> {
        count(&self.0.keys);
        Box::new(CountedAead(RustCrypto.aead(algorithm, key), Arc::clone(&self.0)))
    }

    fn header_mask(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn HeaderMask> {
        count(&self.0.keys);
        Box::new(CountedMask(RustCrypto.header_mask(algorithm, key), Arc::clone(&self.0)))
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        count(&self.0.other);
        RustCrypto.x25519_public(secret)
    }

    fn x25519(&self, secret: &[u8; 32], peer_public: &[u8; 32]) -> [u8; 32] {
        count(&self.0.other);
        RustCrypto.x25519(secret, peer_public)
    }

    fn ed25519_key(&self, seed: &[u8; 32]) -> Box<dyn SigningKey> {
        count(&self.0.other);
        RustCrypto.ed25519_key(seed)
    }

    fn ed25519_verify(&self, public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Rejected> {
        count(&self.0.other);
        RustCrypto.ed25519_verify(public_key, message, signature)
    }

    fn ml_kem_768(&self) -> Option<&dyn MlKem768> {
        count(&self.0.other);
        RustCrypto.ml_kem_768()
    }
}

/// R-3.1-3: an epoch that there is not, be it the last one of all, is looked up once and nothing is derived for it, nor opened with
/// anything. The genuine packet then takes one mask and one opening.
#[test]
fn a_forged_epoch_costs_a_look_up_and_no_derivation() {
    for suite in [Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm] {
        let counters = Arc::new(Counters::default());
        let key = |seed| IdentityKey::from_seed(&RustCrypto, [seed; 32]).unwrap();
        let provider = Arc::new(Counted(Arc::clone(&counters)));
        let server = ServerConfig::with_provider(provider, key(1), Admission::Any, &["test/1"]).with_suites(&[suite]);
        let client = ClientConfig::new(key(2), "test/1").with_suites(&[suite]);
        let (carrier, seed) = (Carrier::Datagram { mtu: MTU }, |seed| Seed::new([seed; 32]).unwrap());
        let expect = Expect::Pinned(key(1).peer_id());
        let i = Session::connect(NOW, Arc::new(client), expect, carrier, seed(1)).unwrap();
        let r = Session::accept(NOW, Arc::new(server), carrier, seed(2)).unwrap();
        let mut recorded = Recorded::new([i, r]);
        assert!(counters.take().keys > 0, "the handshake is counted");
        let stream = recorded.ends[0].open(Direction::Unidirectional).unwrap();
        recorded.ends[0].send(stream, b"genuine", Ending::End).unwrap();
        let genuine = sent(&mut recorded.ends[0], recorded.now).remove(0);
        let before = testing::state_digest(&recorded.ends[1]);
        for epoch in [0, 1, 2, 4, 5, 1_000, 1 << 31, u32::MAX - 1, u32::MAX] {
            let mut forged = genuine.clone();
            forged[4..8].copy_from_slice(&u32::to_le_bytes(epoch));
            let disposition = recorded.ends[1].handle_datagram(recorded.now, Meta::default(), &mut forged);
            assert_eq!(disposition, Disposition::Discarded(Discarded::UnexpectedPacket), "{epoch}");
            assert_eq!(counters.take(), Work::default(), "{epoch}");
            assert_eq!(testing::state_digest(&recorded.ends[1]), before, "{epoch}");
        }
        let disposition = recorded.ends[1].handle_datagram(recorded.now, Meta::default(), &mut genuine.clone());
        assert_eq!(disposition, Disposition::Handled);
        assert_eq!(counters.take(), Work { opened: 1, masks: 1, ..Work::default() });
    }
}
