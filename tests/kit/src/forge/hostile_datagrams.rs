//! The hostile peer on datagram carriers.

use std::time::Duration;

use aitcp::{
    CloseReason, Disposition, Event, Instant, Meta, PathId, PeerMisbehaved, ProtocolCode, Role, Session, Suite, Verdict,
};

use super::crypto::{HeaderMask, PacketKeys};
use super::header::{Header, Kind};
use super::payload::{Control, Payload};
use super::table::{read_u64, read_vector};
use crate::Setup;

/// How much a victim may write at once.
const ROOM: usize = 64 << 10;

/// The peer of a real session on a datagram carrier, the *victim*. An honest session gets it through the handshake; then the test has
/// that one's keys, and sends any payload under any number from any address.
#[derive(Debug)]
pub struct HostileDatagrams {
    /// The real session.
    pub victim: Session,
    /// The time. The test moves it.
    pub now: Instant,
    /// The number of the next packet that is sealed.
    pub next_number: u64,
    /// What the victim has sent, in order, since the handshake.
    pub received: Vec<Opened>,
    /// What the victim has told, in order.
    pub events: Vec<Event>,
    suite: Suite,
    sealing: (PacketKeys, HeaderMask),
    opening: (PacketKeys, HeaderMask),
    victim_id: u64,
    room: Vec<u8>,
}

/// A packet of the victim's, opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where it went.
    pub path: PathId,
    /// Bytes of the datagram.
    pub len: usize,
    /// Its number.
    pub number: u64,
    /// What was sealed in it.
    pub plaintext: Vec<u8>,
}

impl Opened {
    /// The numbers that it acknowledges: ranges from the highest down.
    #[must_use]
    pub fn acks(&self) -> Vec<(u64, u64)> {
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        read_vector(&self.plaintext, 2, 16).iter().map(|range| (number(&range[..8]), number(&range[8..]))).collect()
    }

    /// The first number of each control with this code.
    #[must_use]
    pub fn controls(&self, code: u8) -> Vec<u64> {
        let controls = read_vector(&self.plaintext, 4, 32);
        let with_code = controls.iter().filter(|control| control[24] == code);
        with_code.map(|control| u64::from_le_bytes(control[8..16].try_into().expect("8 bytes"))).collect()
    }

    /// The code of the close that it is.
    #[must_use]
    pub fn close(&self) -> Option<u64> {
        read_u64(&self.plaintext, 6)
    }
}

impl HostileDatagrams {
    /// An established session with a victim in `victim`'s role, which has been silent for a while.
    ///
    /// # Panics
    /// If the setup has no datagram carrier, or they do not get there.
    #[must_use]
    pub fn established(setup: &Setup, victim: Role) -> Self {
        let mut now = Instant::ORIGIN;
        let mut honest = setup.session(victim.peer(), now);
        let mut session = setup.session(victim, now);
        let (mut to_victim, mut events) = (Vec::new(), Vec::new());
        let mut room = vec![0; ROOM];
        for _ in 0..40 {
            for datagram in transmit(&mut honest, now, &mut room) {
                to_victim.push(datagram.1.clone());
                session.handle_datagram(now, Meta::default(), &mut { datagram.1 });
            }
            for (_, mut datagram) in transmit(&mut session, now, &mut room) {
                honest.handle_datagram(now, Meta::default(), &mut datagram);
            }
            for session in [&mut honest, &mut session] {
                while let Some(event) = session.poll_event() {
                    if let Event::PeerIdentified(_) = event {
                        session.decide(now, Verdict::Accept);
                    }
                    if session.role() == victim {
                        events.push(event);
                    }
                }
            }
            now = now + Duration::from_millis(30);
        }
        assert!(events.contains(&Event::Established), "{events:?} {honest:?} {session:?}");
        let suite = session.handshake().expect("it is over").suite;
        let secrets = &setup.agent(victim).secrets;
        let keys = |sender: Role| {
            let secret = secrets.get(if sender == Role::Initiator { "I_AP_3" } else { "R_AP_3" });
            (PacketKeys::new(suite, &secret), HeaderMask::new(suite, &secret))
        };
        let sealing = keys(victim.peer());
        let mut data = to_victim.iter().filter(|datagram| Header::read(datagram).kind == Kind::Data);
        let last = data.next_back().expect("the honest one has sent something under its keys");
        let Header { connection_id, .. } = Header::read(last);
        let next_number = unmask(&sealing.1, last) + 1;
        Self {
            victim: session,
            now,
            next_number,
            received: Vec::new(),
            events,
            suite,
            sealing,
            opening: keys(victim),
            victim_id: connection_id,
            room,
        }
    }

    /// What both ends use.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Seals a plaintext under a number.
    ///
    /// # Panics
    /// If it is too long for any packet.
    #[must_use]
    pub fn seal(&self, number: u64, plaintext: &[u8]) -> Vec<u8> {
        let length = u16::try_from(plaintext.len() + 16).expect("a packet's length");
        let header = Header { length, encrypted_sequence_id: number, ..Header::new(Kind::Data, self.victim_id) };
        let body = self.sealing.0.seal(number, &header.to_bytes(), plaintext);
        let mut packet = [&header.to_bytes()[..], &body].concat();
        self.sealing.1.apply(&mut packet);
        packet
    }

    /// Seals a payload under the next number.
    #[must_use]
    pub fn seal_next(&mut self, payload: &Payload) -> Vec<u8> {
        let packet = self.seal(self.next_number, &payload.table().build());
        self.next_number += 1;
        packet
    }

    /// Sends a payload under the next number.
    pub fn send(&mut self, payload: &Payload) -> Disposition {
        self.send_from(PathId::default(), payload)
    }

    /// The same from another address.
    pub fn send_from(&mut self, path: PathId, payload: &Payload) -> Disposition {
        let packet = self.seal_next(payload);
        self.feed(path, &packet)
    }

    /// Sends a control.
    pub fn send_control(&mut self, control: Control) -> Disposition {
        self.send(&Payload::control(control))
    }

    /// Shows the victim a datagram.
    pub fn feed(&mut self, path: PathId, datagram: &[u8]) -> Disposition {
        let meta = Meta { path, ..Meta::default() };
        let disposition = self.victim.handle_datagram(self.now, meta, &mut datagram.to_vec());
        self.poll_events();
        disposition
    }

    /// Takes what the victim has to send now; what is new.
    ///
    /// # Panics
    /// If a packet does not open.
    pub fn receive(&mut self) -> &[Opened] {
        let before = self.received.len();
        for (path, mut packet) in transmit(&mut self.victim, self.now, &mut self.room) {
            let len = packet.len();
            let header = Header::read(&packet);
            assert_eq!((header.kind, len), (Kind::Data, 24 + usize::from(header.length)), "one packet in a datagram");
            self.opening.1.apply(&mut packet);
            let number = Header::read(&packet).encrypted_sequence_id;
            let plaintext = self.opening.0.open(number, &packet).expect("what the victim seals opens");
            self.received.push(Opened { path, len, number, plaintext });
        }
        &self.received[before..]
    }

    /// Moves time on, serving each deadline of the victim's, and takes what it sends meanwhile.
    pub fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.victim.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.victim.handle_timeout(self.now);
            self.receive();
        }
        self.now = end;
        self.victim.handle_timeout(end);
        self.receive();
        self.poll_events();
    }

    /// Whether the session has ended because this rule was broken.
    #[must_use]
    pub fn ended_for(&self, code: ProtocolCode) -> bool {
        self.victim.close_reason() == Some(CloseReason::Misbehaved(PeerMisbehaved::Rule(code)))
    }

    fn poll_events(&mut self) {
        while let Some(event) = self.victim.poll_event() {
            self.events.push(event);
        }
    }
}

fn unmask(mask: &HeaderMask, packet: &[u8]) -> u64 {
    let mut packet = packet.to_vec();
    mask.apply(&mut packet);
    Header::read(&packet).encrypted_sequence_id
}

/// Everything that a session has to send, a datagram at a time.
fn transmit(session: &mut Session, now: Instant, room: &mut [u8]) -> Vec<(PathId, Vec<u8>)> {
    session.handle_timeout(now);
    let mut datagrams = Vec::new();
    while let Some(transmit) = session.poll_transmit(now, room).expect("room enough") {
        assert!(datagrams.len() < 100_000, "there is no end to what is sent");
        let segment = transmit.segment.unwrap_or(transmit.len);
        datagrams.extend(room[..transmit.len].chunks(segment).map(|chunk| (transmit.path, chunk.to_vec())));
    }
    datagrams
}
