//! What the benchmarks share: pairs of established sessions, and a packet cipher that does nothing.
#![allow(dead_code, reason = "no benchmark uses all of it")]

use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::provider::{Aead, AeadAlgorithm, CryptoProvider, HeaderMask, MlKem768, Rejected, SigningKey};
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, Event, Expect, Instant, PeerId, SecretBytes, Seed, ServerConfig, Session, Suite,
    Ticket, TicketKeys,
};
use criterion::Criterion;

pub(crate) const NOW: Instant = Instant::ORIGIN;

pub(crate) const SUITES: [(&str, Suite); 4] = [
    ("x25519_ml_kem_768_chacha20_poly1305", Suite::HybridChaCha20Poly1305),
    ("x25519_chacha20_poly1305", Suite::X25519ChaCha20Poly1305),
    ("x25519_ml_kem_768_aes_256_gcm", Suite::HybridAes256Gcm),
    ("x25519_aes_256_gcm", Suite::X25519Aes256Gcm),
];
pub(crate) const AEADS: [(&str, Suite); 2] =
    [("chacha20_poly1305", Suite::X25519ChaCha20Poly1305), ("aes_256_gcm", Suite::X25519Aes256Gcm)];

/// Short measurements: what is compared here differs by more than they scatter.
pub(crate) fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .without_plots()
}

/// Two agents' configurations, made once: loading a key is not a part of a handshake.
pub(crate) struct Agents {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    server_id: PeerId,
}

impl Agents {
    pub(crate) fn new(suite: Suite) -> Self {
        Self::with_provider(suite, Arc::new(RustCrypto))
    }

    pub(crate) fn with_provider(suite: Suite, provider: Arc<dyn CryptoProvider>) -> Self {
        let key = |seed| IdentityKey::from_seed(provider.as_ref(), [seed; 32]).unwrap();
        let server_id = key(2).peer_id();
        let client = ClientConfig::with_provider(provider.clone(), key(1), "bench/1").with_suites(&[suite]);
        let server =
            ServerConfig::with_provider(provider.clone(), key(2), Admission::Any, &["bench/1"]).with_tickets(1);
        Self { client: Arc::new(client), server: Arc::new(server.with_suites(&[suite])), server_id }
    }

    pub(crate) fn initiator(&self) -> Session {
        let expect = Expect::Pinned(self.server_id);
        Session::connect(NOW, self.client.clone(), expect, Carrier::Stream, seed(3)).unwrap()
    }

    pub(crate) fn responder(&self) -> Session {
        Session::accept(NOW, self.server.clone(), Carrier::Stream, seed(4)).unwrap()
    }

    /// Both ends of an established session, all of the handshake done.
    pub(crate) fn establish(&self, buf: &mut [u8]) -> (Session, Session) {
        let (mut initiator, mut responder) = (self.initiator(), self.responder());
        while carry(&mut initiator, &mut responder, buf) | carry(&mut responder, &mut initiator, buf) {}
        assert_eq!(initiator.poll_event(), Some(Event::Established));
        assert_eq!(responder.poll_event(), Some(Event::Established));
        (initiator, responder)
    }
}

/// What it takes to resume a session.
pub(crate) struct Resumable {
    keys: TicketKeys,
    /// The initiator's ticket, which each run uses as if it were the first.
    ticket: SecretBytes,
}

impl Agents {
    /// A session, and a ticket of it.
    pub(crate) fn resumable(&self, buf: &mut [u8]) -> Resumable {
        let (mut initiator, mut responder) = self.establish(buf);
        let mut keys = TicketKeys::new(NOW, seed(5));
        responder.issue_ticket(NOW, &mut keys).unwrap();
        carry(&mut responder, &mut initiator, buf);
        Resumable { keys, ticket: initiator.take_ticket().unwrap().to_bytes() }
    }

    /// Both ends of a resumed session, all of the handshake done.
    pub(crate) fn resume(&self, Resumable { keys, ticket }: &mut Resumable, buf: &mut [u8]) -> (Session, Session) {
        let (expect, ticket) = (Expect::Pinned(self.server_id), Ticket::from_bytes(ticket).unwrap());
        let initiator = Session::resume(NOW, self.client.clone(), expect, Carrier::Stream, ticket, seed(3));
        let (mut initiator, mut responder) = (initiator.unwrap(), self.responder());
        carry(&mut initiator, &mut responder, buf);
        responder.answer_ticket(NOW, Some(keys));
        while carry(&mut responder, &mut initiator, buf) | carry(&mut initiator, &mut responder, buf) {}
        assert!(initiator.handshake().unwrap().resumed && responder.handshake().unwrap().resumed);
        (initiator, responder)
    }
}

fn seed(number: u8) -> Seed {
    Seed::new([number; 32]).unwrap()
}

/// Carries everything that `from` has to send; false if that is nothing.
pub(crate) fn carry(from: &mut Session, to: &mut Session, buf: &mut [u8]) -> bool {
    let mut carried = false;
    while let Some(transmit) = from.poll_transmit(NOW, buf).unwrap() {
        assert_eq!(to.handle_stream(NOW, &mut buf[..transmit.len]).consumed, transmit.len);
        carried = true;
    }
    carried
}

/// The built-in provider with a packet cipher that leaves everything as it is: what is left of the data path is not cryptography.
#[derive(Debug)]
pub(crate) struct WithoutAead;

struct NoAead;

impl Aead for NoAead {
    fn seal(&self, _nonce: &[u8; 12], _aad: &[u8], _in_out: &mut [u8]) -> [u8; 16] {
        [0; 16]
    }

    fn open(&self, _nonce: &[u8; 12], _aad: &[u8], _in_out: &mut [u8], _tag: &[u8; 16]) -> Result<(), Rejected> {
        Ok(())
    }
}

impl CryptoProvider for WithoutAead {
    fn has_fast_aes(&self) -> bool {
        RustCrypto.has_fast_aes()
    }

    fn aead(&self, _algorithm: AeadAlgorithm, _key: &[u8; 32]) -> Box<dyn Aead> {
        Box::new(NoAead)
    }

    fn header_mask(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn HeaderMask> {
        RustCrypto.header_mask(algorithm, key)
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        RustCrypto.x25519_public(secret)
    }

    fn x25519(&self, secret: &[u8; 32], peer_public: &[u8; 32]) -> [u8; 32] {
        RustCrypto.x25519(secret, peer_public)
    }

    fn ed25519_key(&self, seed: &[u8; 32]) -> Box<dyn SigningKey> {
        RustCrypto.ed25519_key(seed)
    }

    fn ed25519_verify(&self, public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Rejected> {
        RustCrypto.ed25519_verify(public_key, message, signature)
    }

    fn ml_kem_768(&self) -> Option<&dyn MlKem768> {
        None
    }
}
