//! One end that is a real session, and one that is the test.

use aitcp::{Instant, Role, Suite};

use super::crypto::{PacketKeys, Transcript, hmac_sha256};
use super::handshake::{Accept, Auth, Hello};
use super::header::{HEADER_LEN, Header, Kind, split_packets};
use super::payload::Payload;
use super::table::read_u64;
use crate::{End, Setup};

/// The peer of a real session, the *victim*, with all keys that an honest peer would have. It does what the test says: step by step,
/// with any bytes at each step, sealed, signed and authenticated where that is wanted.
///
/// The secrets are those that the victim logs, so they are there as soon as the victim has them. Identities are those of the setup.
#[derive(Debug)]
pub struct HostilePeer {
    /// The real session.
    pub victim: End,
    /// What an honest peer would have in its transcript.
    pub transcript: Transcript,
    /// The number of the next packet that is sealed.
    pub next_sealed: u64,
    /// The number of the next packet of the victim's.
    pub next_opened: u64,
    /// What the victim has sent since [`Self::receive`] was called first: kind and plaintext body.
    pub received: Vec<(u8, Vec<u8>)>,
    /// The time.
    pub now: Instant,
    setup: Setup,
    role: Role,
    suite: Suite,
    victim_id: u64,
    own_id: u64,
}

impl HostilePeer {
    /// A fresh victim in `victim`'s role. The suite is the victim's first.
    #[must_use]
    pub fn new(setup: &Setup, victim: Role) -> Self {
        let now = Instant::ORIGIN;
        let mut hostile = Self {
            victim: End::new(setup, victim, now),
            transcript: Transcript::default(),
            next_sealed: 0,
            next_opened: 0,
            received: Vec::new(),
            now,
            setup: setup.clone(),
            role: victim.peer(),
            suite: setup.agent(victim).suites[0],
            victim_id: 0,
            own_id: Hello::default().connection_id,
        };
        hostile.receive();
        hostile
    }

    /// An established session with a victim in `victim`'s role, which has said whatever it has to say after the handshake.
    ///
    /// # Panics
    /// If it does not get there.
    #[must_use]
    pub fn established(setup: &Setup, victim: Role) -> Self {
        let mut hostile = Self::before_auth(setup, victim);
        hostile.send_auth(&Auth::default());
        hostile.receive();
        assert!(hostile.victim.was_established(), "{:?}", hostile.victim);
        hostile
    }

    /// A handshake in which this side's auth packet is the next.
    #[must_use]
    pub fn before_auth(setup: &Setup, victim: Role) -> Self {
        let mut hostile = Self::new(setup, victim);
        hostile.send_first();
        if hostile.suite.is_hybrid() {
            hostile.send_kem();
        }
        hostile
    }

    /// Sends an honest first packet: a Hello, or an Accept.
    pub fn send_first(&mut self) {
        match self.role {
            Role::Initiator => self.send_clear(&Hello { suites: vec![self.suite.id()], ..Hello::default() }.packet()),
            Role::Responder => {
                let accept = Accept { suite: self.suite.id(), connection_id: self.own_id, ..Accept::default() };
                self.send_clear(&Header::new(Kind::Accept, self.victim_id).packet(&accept.table().build()));
            }
        }
        self.receive();
    }

    /// Sends an honest KemOffer or KemReply.
    pub fn send_kem(&mut self) {
        match self.role {
            Role::Initiator => self.send_sealed(Kind::KemReply, &[0x5A; 1088]),
            Role::Responder => {
                use aitcp::crypto::provider::CryptoProvider;
                let mut key = [0; 1184];
                let kem = aitcp::crypto::rustcrypto::RustCrypto.ml_kem_768().expect("built with it");
                kem.encapsulation_key(&[0x5A; 64], &mut key);
                self.send_sealed(Kind::KemOffer, &key);
            }
        }
        self.receive();
    }

    /// Sends this side's auth packet, signed with its identity.
    pub fn send_auth(&mut self, auth: &Auth) {
        let key = self.setup.agent(self.role).key();
        let table = auth.table(key.peer_id().as_bytes()).build();
        let plaintext = self.auth_plaintext(&table, |message| key.sign(message));
        self.send_sealed(self.auth_kind(), &plaintext);
    }

    /// The kind of this side's auth packet.
    #[must_use]
    pub fn auth_kind(&self) -> u8 {
        match self.role {
            Role::Initiator => Kind::InitiatorAuth,
            Role::Responder => Kind::ResponderAuth,
        }
    }

    /// An auth packet's plaintext: any table, signed over the right transcript by `sign` (R-6.5-2), with the right `finished`
    /// (R-6.5-3).
    #[must_use]
    pub fn auth_plaintext(&self, table: &[u8], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let (text, base) = match self.role {
            Role::Initiator => (&b"AI-TCP v1 initiator auth"[..], "I_AUTH"),
            Role::Responder => (&b"AI-TCP v1 responder auth"[..], "R_HS"),
        };
        let header = self.header(self.auth_kind(), table.len() + 96);
        let mut covered = self.transcript.clone();
        covered.absorb(&header.to_bytes());
        covered.absorb(table);
        let signature = sign(&[&[0x20; 64], text, &[0], &covered.hash()].concat());
        covered.absorb(&signature);
        let key: [u8; 32] = super::expand_label(&self.secret(base), "finished", &[]);
        [table, &signature, &hmac_sha256(&key, &covered.hash())].concat()
    }

    /// Sends a clear packet, whole as given; it enters the transcript.
    pub fn send_clear(&mut self, packet: &[u8]) {
        self.transcript.absorb(packet);
        self.victim.feed(self.now, packet);
    }

    /// Seals and sends a packet of this kind, under the keys that its kind asks for; a handshake packet enters the transcript.
    pub fn send_sealed(&mut self, kind: u8, plaintext: &[u8]) {
        let packet = self.seal(kind, plaintext);
        self.victim.feed(self.now, &packet);
    }

    /// Sends a payload.
    pub fn send_data(&mut self, payload: &Payload) {
        self.send_sealed(Kind::Data, &payload.table().build());
    }

    /// Seals a packet of this kind, and counts it, without sending it.
    #[must_use]
    pub fn seal(&mut self, kind: u8, plaintext: &[u8]) -> Vec<u8> {
        let header = self.header(kind, plaintext.len());
        if kind != Kind::Data {
            self.transcript.absorb(&header.to_bytes());
            self.transcript.absorb(plaintext);
        }
        self.seal_as(header, plaintext)
    }

    /// Seals a packet with any header, and counts it. The keys are those of the header's kind.
    ///
    /// # Panics
    /// If the victim has not got the keys yet.
    #[must_use]
    pub fn seal_as(&mut self, header: Header, plaintext: &[u8]) -> Vec<u8> {
        let keys = PacketKeys::new(self.suite, &self.secret(traffic_label(self.role, header.kind)));
        let body = keys.seal(self.next_sealed, &header.to_bytes(), plaintext);
        self.next_sealed += 1;
        [&header.to_bytes()[..], &body].concat()
    }

    /// The header of a sealed packet of this kind for the victim.
    ///
    /// # Panics
    /// If the plaintext is too long for any packet.
    #[must_use]
    pub fn header(&self, kind: u8, plaintext_len: usize) -> Header {
        let length = u16::try_from(plaintext_len + 16).expect("a packet's length");
        Header { length, ..Header::new(kind, self.victim_id) }
    }

    /// Takes what the victim has to send, opens it, and gives what is new: kind and plaintext body.
    ///
    /// # Panics
    /// If a packet does not open.
    pub fn receive(&mut self) -> &[(u8, Vec<u8>)] {
        let before = self.received.len();
        let bytes = self.victim.transmit(self.now);
        for packet in split_packets(&bytes) {
            let kind = Header::read(&packet).kind;
            let body = if kind <= Kind::Accept { packet[HEADER_LEN..].to_vec() } else { self.open(kind, &packet) };
            if matches!(kind, Kind::Hello | Kind::Accept) {
                self.victim_id = read_u64(&body, 4).expect("a connection id");
            }
            if kind != Kind::Data {
                self.transcript.absorb(&packet[..HEADER_LEN]);
                self.transcript.absorb(&body);
            }
            self.received.push((kind, body));
        }
        &self.received[before..]
    }

    fn open(&mut self, kind: u8, packet: &[u8]) -> Vec<u8> {
        let keys = PacketKeys::new(self.suite, &self.secret(traffic_label(self.role.peer(), kind)));
        let plaintext = keys.open(self.next_opened, packet).expect("what the victim seals opens");
        self.next_opened += 1;
        plaintext
    }

    fn secret(&self, label: &str) -> [u8; 32] {
        self.setup.agent(self.role.peer()).secrets.get(label)
    }
}

/// The label in key logs of the secret that protects packets of `kind` from `sender`.
fn traffic_label(sender: Role, kind: u8) -> &'static str {
    match (sender, kind) {
        (Role::Initiator, Kind::InitiatorAuth) => "I_AUTH",
        (Role::Initiator, Kind::Data) => "I_AP_3",
        (Role::Initiator, _) => "I_HS",
        (Role::Responder, Kind::Data) => "R_AP_3",
        (Role::Responder, _) => "R_HS",
    }
}
