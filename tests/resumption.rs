//! Tickets: sessions that begin without signatures, and everything about a ticket that does not fit.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::provider::{Aead, AeadAlgorithm, CryptoProvider, HeaderMask, MlKem768, Rejected, SigningKey};
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, CloseReason, Direction, Ending, Event, Expect, HandshakeInfo, Instant,
    IssueTicketError, Meta, Seed, ServerConfig, Session, Suite, Ticket, TicketKeys,
};

const NOW: Instant = Instant::from_micros(5_000_000);
const CARRIERS: [Carrier; 2] = [Carrier::Stream, Carrier::Datagram { mtu: 1_400 }];
const SUITES: [Suite; 4] =
    [Suite::HybridChaCha20Poly1305, Suite::X25519ChaCha20Poly1305, Suite::HybridAes256Gcm, Suite::X25519Aes256Gcm];

fn key(name: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [name; 32]).unwrap()
}

fn client() -> ClientConfig {
    ClientConfig::new(key(1), "test/1")
}

fn server() -> ServerConfig {
    ServerConfig::new(key(2), Admission::Only([key(1).peer_id()].into()), &["test/1", "test/2"]).with_tickets(7)
}

fn ring(seed: u8) -> TicketKeys {
    TicketKeys::new(NOW, Seed::new([seed; 32]).unwrap())
}

/// Two ends, and what each has told.
struct Two {
    now: Instant,
    carrier: Carrier,
    ends: [Session; 2],
    events: [Vec<Event>; 2],
}

impl Two {
    fn new(client: ClientConfig, server: ServerConfig, carrier: Carrier, ticket: Option<Ticket>, seed: u8) -> Self {
        let (client, server) = (Arc::new(client), Arc::new(server));
        let seeds = [seed, seed + 1].map(|seed| Seed::new([seed; 32]).unwrap());
        let [near, far] = seeds;
        let expect = Expect::Pinned(key(2).peer_id());
        let initiator = match ticket {
            Some(ticket) => Session::resume(NOW, client, expect, carrier, ticket, near),
            None => Session::connect(NOW, client, expect, carrier, near),
        };
        let responder = Session::accept(NOW, server, carrier, far);
        Self { now: NOW, carrier, ends: [initiator.unwrap(), responder.unwrap()], events: Default::default() }
    }

    /// Carries everything there is, and answers tickets that are presented with `keys`.
    fn run(&mut self, keys: &mut TicketKeys) {
        let mut room = vec![0; 64 << 10];
        for round in 0..200 {
            let [from, to] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            while let Some(transmit) = self.ends[from].poll_transmit(self.now, &mut room).unwrap() {
                let sent = &mut room[..transmit.len];
                if self.carrier == Carrier::Stream {
                    let _ = self.ends[to].handle_stream(self.now, sent);
                    continue;
                }
                for datagram in sent.chunks_mut(transmit.segment.unwrap_or(transmit.len)) {
                    self.ends[to].handle_datagram(self.now, Meta::default(), datagram);
                }
            }
            for (end, events) in self.ends.iter_mut().zip(&mut self.events) {
                while let Some(event) = end.poll_event() {
                    if event == Event::TicketPresented {
                        end.answer_ticket(self.now, Some(keys));
                    }
                    events.push(event);
                }
            }
            self.now = self.now + Duration::from_millis(1);
        }
    }

    fn info(&self, end: usize) -> &HandshakeInfo {
        self.ends[end].handshake().unwrap()
    }

    /// Whether both ends say that the session was resumed. They agree.
    fn is_resumed(&self) -> bool {
        let resumed = [0, 1].map(|end| self.info(end).resumed);
        assert_eq!(resumed[0], resumed[1]);
        assert_eq!((self.info(0).peer, self.info(1).peer), (key(2).peer_id(), key(1).peer_id()));
        resumed[0]
    }

    /// A message there and back.
    fn talk(&mut self, keys: &mut TicketKeys) {
        let stream = self.ends[0].open(Direction::Bidirectional).unwrap();
        for (from, text) in [(0, b"there"), (1, b"back!")] {
            self.ends[from].send(stream, text, Ending::End).unwrap();
            self.run(keys);
            let mut buffer = [0; 8];
            let received = self.ends[1 - from].recv(stream, &mut buffer).unwrap();
            assert_eq!((&buffer[..received.len], received.end_of_message), (&text[..], true));
        }
    }

    /// The tickets that the responder gives when it is asked for so many.
    fn tickets(&mut self, keys: &mut TicketKeys, count: usize) -> Vec<Ticket> {
        for _ in 0..count {
            self.ends[1].issue_ticket(self.now, keys).unwrap();
        }
        self.run(keys);
        std::iter::from_fn(|| self.ends[0].take_ticket()).collect()
    }
}

/// The same once more, which its owner should not make.
fn copy(ticket: &Ticket) -> Ticket {
    Ticket::from_bytes(&ticket.to_bytes()).unwrap()
}

/// Two that were connected before, and a ticket of that.
fn ticket_of(client: ClientConfig, server: ServerConfig, keys: &mut TicketKeys) -> Ticket {
    let mut two = Two::new(client, server, Carrier::Stream, None, 20);
    two.run(keys);
    assert!(!two.is_resumed());
    two.tickets(keys, 1).remove(0)
}

/// R-10.2-1, R-10.3-1, R-10.3-4, R-8.11-1: on all carriers, in all suites, from ticket to ticket.
#[test]
fn a_session_begins_with_the_ticket_of_the_one_before() {
    for suite in SUITES {
        for carrier in CARRIERS {
            let mut keys = ring(1);
            let mut two = Two::new(client().with_suites(&[suite]), server(), carrier, None, 2);
            two.run(&mut keys);
            assert!(!two.is_resumed());
            for generation in 0..3 {
                let tickets = two.tickets(&mut keys, 2);
                assert_eq!(tickets.len(), 2, "{suite:?} {carrier:?}");
                assert!(two.events[0].contains(&Event::TicketReceived));
                for (at, ticket) in tickets.into_iter().enumerate() {
                    assert_eq!(
                        (ticket.peer(), ticket.app_protocol(), ticket.realm()),
                        (key(2).peer_id(), "test/1", "")
                    );
                    let ticket = copy(&ticket);
                    let seed = 40 + 20 * generation + 2 * at as u8;
                    two = Two::new(client().with_suites(&[suite]), server(), carrier, Some(ticket), seed);
                    two.run(&mut keys);
                    assert!(two.is_resumed() && two.info(0).suite == suite, "{suite:?} {carrier:?}");
                    assert!(two.events[1].starts_with(&[Event::TicketPresented, Event::Established]));
                    two.talk(&mut keys);
                }
            }
        }
    }
}

/// R-10.3-2: the initiator leaves a ticket out that is for something else.
#[test]
fn a_ticket_for_another_session_is_left_out() {
    let mut keys = ring(1);
    let ticket = ticket_of(client(), server(), &mut keys);
    let other_suite = client().with_suites(&[Suite::X25519ChaCha20Poly1305]);
    let other_name = ClientConfig::new(key(1), "test/2");
    let anyone = || ServerConfig::new(key(2), Admission::Any, &["test/1", "test/2"]).with_tickets(7);
    for (client, server) in [(other_suite, server()), (other_name, server())] {
        let mut two = Two::new(client, server, Carrier::Stream, Some(copy(&ticket)), 30);
        two.run(&mut keys);
        assert!(!two.is_resumed());
        assert!(!two.events[1].contains(&Event::TicketPresented), "it was not even shown");
    }
    let mut two = Two::new(ClientConfig::new(key(3), "test/1"), anyone(), Carrier::Stream, Some(copy(&ticket)), 30);
    two.run(&mut keys);
    assert!(!two.info(1).resumed && two.info(1).peer == key(3).peer_id(), "another identity");

    // Over datagrams that are shorter than a Hello with the ticket would be.
    let short = Carrier::Datagram { mtu: 512 };
    let mut two = Two::new(client().with_suites(&SUITES[1..2]), server(), short, None, 30);
    two.run(&mut keys);
    let ticket = two.tickets(&mut keys, 1).remove(0);
    let mut two = Two::new(client().with_suites(&SUITES[1..2]), server(), short, Some(ticket), 32);
    two.run(&mut keys);
    assert!(!two.is_resumed());
}

/// R-4.1-2, R-10.3-3: whatever does not fit, the handshake is a full one.
#[test]
fn a_ticket_that_the_responder_cannot_use_is_as_none() {
    let realms = |epoch| {
        let server = ServerConfig::new(key(2), Admission::Any, &["test/1"]).with_realms(&["A", "B"]);
        server.with_tickets(epoch)
    };
    for carrier in CARRIERS {
        let mut keys = ring(1);
        let ticket = ticket_of(client().with_realm("A"), realms(7), &mut keys);
        let attempt = |client: ClientConfig, server: ServerConfig, keys: &mut TicketKeys, ticket: &Ticket| {
            let mut two = Two::new(client, server, carrier, Some(copy(ticket)), 30);
            two.run(keys);
            two.talk(keys);
            two.is_resumed()
        };
        assert!(attempt(client().with_realm("A"), realms(7), &mut keys, &ticket));
        assert!(!attempt(client().with_realm("A"), realms(8), &mut keys, &ticket), "the policy has changed");
        assert!(!attempt(client().with_realm("A"), realms(7), &mut ring(2), &ticket), "other keys");
        let none = ServerConfig::new(key(2), Admission::Any, &["test/1"]).with_realms(&["A"]);
        assert!(!attempt(client().with_realm("A"), none, &mut keys, &ticket), "tickets are not taken");

        // As it lies in the file, with another realm, another end, another PSK: R finds out.
        let bytes = ticket.to_bytes();
        let altered = |at: usize, with: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes[at..at + with.len()].copy_from_slice(with);
            Ticket::from_bytes(&bytes).unwrap()
        };
        let realm_at = 2 + 96 + 2 + 6 + 2;
        assert!(!attempt(client().with_realm("B"), realms(7), &mut keys, &altered(realm_at, b"B")), "another realm");
        assert!(!attempt(client().with_realm("A"), realms(7), &mut keys, &altered(2, &[0xEE; 32])), "another PSK");

        // Later than the keys live.
        let mut late = ring(1);
        late.rotate(NOW + TicketKeys::ROTATION);
        assert!(attempt(client().with_realm("A"), realms(7), &mut late, &ticket));
        late.rotate(NOW + TicketKeys::ROTATION * 2);
        assert!(!attempt(client().with_realm("A"), realms(7), &mut late, &ticket), "its key is gone");
    }
}

/// Roles swapped: the responder's own ticket is no ticket for it as an initiator.
#[test]
fn a_ticket_does_not_work_the_other_way_round() {
    let mut keys = ring(1);
    let ticket = ticket_of(client(), server(), &mut keys);
    let mut bytes = ticket.to_bytes().to_vec();
    let (initiator, responder) = (bytes[34..66].to_vec(), bytes[66..98].to_vec());
    bytes[34..66].copy_from_slice(&responder);
    bytes[66..98].copy_from_slice(&initiator);
    let swapped = Ticket::from_bytes(&bytes).unwrap();
    let client = Arc::new(ClientConfig::new(key(2), "test/1"));
    let server = Arc::new(ServerConfig::new(key(1), Admission::Any, &["test/1"]).with_tickets(7));
    let [near, far] = [30, 31].map(|seed| Seed::new([seed; 32]).unwrap());
    let expect = Expect::Pinned(key(1).peer_id());
    let initiator = Session::resume(NOW, client, expect, Carrier::Stream, swapped, near).unwrap();
    let responder = Session::accept(NOW, server, Carrier::Stream, far).unwrap();
    let mut two = Two { now: NOW, carrier: Carrier::Stream, ends: [initiator, responder], events: Default::default() };
    two.run(&mut keys);
    assert!(two.events[1].contains(&Event::TicketPresented) && two.events[1].contains(&Event::Established));
    assert!(!two.info(0).resumed && !two.info(1).resumed);
}

/// R-10.3-5: who is let in is asked again.
#[test]
fn a_ticket_lets_nobody_in() {
    let mut keys = ring(1);
    let ticket = ticket_of(client(), server(), &mut keys);
    let strict = ServerConfig::new(key(2), Admission::Only([key(3).peer_id()].into()), &["test/1"]).with_tickets(7);
    let mut two = Two::new(client(), strict, Carrier::Stream, Some(ticket), 30);
    two.run(&mut keys);
    assert!(two.info(1).resumed);
    assert_eq!(two.ends[1].close_reason(), Some(CloseReason::NotAdmitted(key(1).peer_id())));
    assert!(!two.events[1].contains(&Event::Established));
}

/// Without keys, and without an answer: the handshake goes on as a full one, or runs out of time.
#[test]
fn the_owner_of_a_session_answers_or_does_not() {
    let mut keys = ring(1);
    let ticket = ticket_of(client(), server(), &mut keys);
    let hello = |responder: &mut Session| {
        let seed = Seed::new([50; 32]).unwrap();
        let expect = Expect::Pinned(key(2).peer_id());
        let ticket = copy(&ticket);
        let mut initiator = Session::resume(NOW, Arc::new(client()), expect, Carrier::Stream, ticket, seed).unwrap();
        let mut room = vec![0; 2_000];
        let len = initiator.poll_transmit(NOW, &mut room).unwrap().unwrap().len;
        let _ = responder.handle_stream(NOW, &mut room[..len]);
    };
    let accept = || {
        let seed = Seed::new([51; 32]).unwrap();
        Session::accept(NOW, Arc::new(server()), Carrier::Stream, seed).unwrap()
    };
    let mut asked = accept();
    assert_eq!(asked.presented_ticket(), None);
    hello(&mut asked);
    assert_eq!((asked.poll_event(), asked.poll_event()), (Some(Event::TicketPresented), None));
    assert!(asked.presented_ticket().is_some_and(|ticket| ticket.len() > 100));
    assert_eq!(asked.poll_transmit(NOW, &mut [0; 2_000]), Ok(None), "it waits");
    asked.answer_ticket(NOW, None);
    assert!(asked.presented_ticket().is_none() && asked.poll_transmit(NOW, &mut [0; 9_000]).unwrap().is_some());
    asked.answer_ticket(NOW, Some(&mut keys));

    let mut silent = accept();
    hello(&mut silent);
    silent.handle_timeout(silent.poll_timeout().unwrap());
    assert_eq!(silent.close_reason(), Some(CloseReason::HandshakeTimeout));
    silent.answer_ticket(NOW, Some(&mut keys));
    assert!(silent.poll_transmit(NOW, &mut [0; 9_000]).unwrap().is_none());
}

#[test]
fn tickets_are_given_by_responders_that_may_and_no_more_than_are_taken() {
    let mut keys = ring(1);
    let mut two = Two::new(client(), server(), Carrier::Datagram { mtu: 1_400 }, None, 2);
    assert_eq!(two.ends[1].issue_ticket(NOW, &mut keys), Err(IssueTicketError::NotEstablished));
    two.run(&mut keys);
    assert_eq!(two.ends[0].issue_ticket(NOW, &mut keys), Err(IssueTicketError::Unsupported));
    let given = (0..1_000).find(|_| two.ends[1].issue_ticket(two.now, &mut keys).is_err()).unwrap();
    assert_eq!(two.ends[1].issue_ticket(two.now, &mut keys), Err(IssueTicketError::Blocked));
    assert!((100..300).contains(&given), "{given}");
    two.run(&mut keys);
    assert_eq!(std::iter::from_fn(|| two.ends[0].take_ticket()).count(), 4, "the newest are kept");
    two.talk(&mut keys);
    assert!(two.ends[1].issue_ticket(two.now, &mut keys).is_ok());

    let plain = ServerConfig::new(key(2), Admission::Any, &["test/1"]);
    let mut two = Two::new(client(), plain, Carrier::Stream, None, 2);
    two.run(&mut keys);
    assert_eq!(two.ends[1].issue_ticket(NOW, &mut keys), Err(IssueTicketError::Unsupported));
}

/// Counts what the identities' keys are asked to do.
#[derive(Debug, Default)]
struct Counting {
    signed: Arc<AtomicUsize>,
    verified: AtomicUsize,
}

struct CountingKey(Box<dyn SigningKey>, Arc<AtomicUsize>);

impl SigningKey for CountingKey {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.sign(message)
    }
}

impl CryptoProvider for Counting {
    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn Aead> {
        RustCrypto.aead(algorithm, key)
    }

    fn header_mask(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn HeaderMask> {
        RustCrypto.header_mask(algorithm, key)
    }

    fn has_fast_aes(&self) -> bool {
        RustCrypto.has_fast_aes()
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        RustCrypto.x25519_public(secret)
    }

    fn x25519(&self, secret: &[u8; 32], peer_public: &[u8; 32]) -> [u8; 32] {
        RustCrypto.x25519(secret, peer_public)
    }

    fn ed25519_key(&self, seed: &[u8; 32]) -> Box<dyn SigningKey> {
        Box::new(CountingKey(RustCrypto.ed25519_key(seed), Arc::clone(&self.signed)))
    }

    fn ed25519_verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Rejected> {
        self.verified.fetch_add(1, Ordering::Relaxed);
        RustCrypto.ed25519_verify(key, message, signature)
    }

    fn ml_kem_768(&self) -> Option<&dyn MlKem768> {
        RustCrypto.ml_kem_768()
    }
}

/// A resumed handshake signs nothing and verifies nothing, at either end.
#[test]
fn a_resumed_handshake_does_no_signature_operation() {
    let provider = Arc::new(Counting::default());
    let key = |name: u8| IdentityKey::from_seed(&*provider, [name; 32]).unwrap();
    let client = || ClientConfig::with_provider(provider.clone(), key(1), "test/1");
    let server = || ServerConfig::with_provider(provider.clone(), key(2), Admission::Any, &["test/1"]).with_tickets(7);
    let count = || (provider.signed.load(Ordering::Relaxed), provider.verified.load(Ordering::Relaxed));
    for carrier in CARRIERS {
        let mut keys = ring(1);
        let before = count();
        let ticket = ticket_of(client(), server(), &mut keys);
        let full = count();
        assert_eq!((full.0 - before.0, full.1 - before.1), (2, 2));
        let mut two = Two::new(client(), server(), carrier, Some(ticket), 30);
        two.run(&mut keys);
        assert!(two.is_resumed());
        assert_eq!(count(), full);
    }
}
