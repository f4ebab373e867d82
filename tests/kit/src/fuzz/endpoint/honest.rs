//! Honest peers, with keys of their own.

use aitcp::{Carrier, Direction, Ending, Event, Handle, Instant, Limits, Meta, Role, Session, Suite, Verdict};

use crate::Setup;

/// The longest datagram.
pub(super) const MTU: u16 = 1_452;

/// The identities that there are: the endpoint's, two that initiate, and one that responds.
pub(super) const IDENTITIES: [u8; 4] = [0xB0, 0xA1, 0xA2, 0xB1];

/// How everybody is configured.
pub(super) fn setup(suite: Suite, carrier: Carrier, seed: u64) -> Setup {
    let mut setup = Setup { carrier, seed, ..Setup::with_suite(suite) };
    let mut limits = Limits::small();
    if suite == Suite::X25519ChaCha20Poly1305 {
        (limits.max_datagram, limits.datagram_queue) = (900, 2);
    }
    setup.set_limits(limits);
    setup
}

/// The session of a peer, and what its application does: it takes whatever comes.
#[derive(Debug)]
pub(super) struct Honest {
    session: Session,
    /// Where it is, on the datagram carrier.
    pub(super) address: u64,
    /// Which of the endpoint's sessions its stream carrier leads to, and what is on its way.
    pub(super) carrier: Option<StreamCarrier>,
    room: Vec<u8>,
}

/// Bytes under way on a stream carrier.
#[derive(Debug)]
pub(super) struct StreamCarrier {
    pub(super) handle: Handle,
    pub(super) to_endpoint: Vec<u8>,
    to_peer: Vec<u8>,
}

impl Honest {
    pub(super) fn new(setup: &Setup, role: Role, now: Instant, address: u64) -> Self {
        Self { session: setup.session(role, now), address, carrier: None, room: vec![0; 4_096] }
    }

    pub(super) fn on_stream(setup: &Setup, role: Role, now: Instant, handle: Handle) -> Self {
        let carrier = StreamCarrier { handle, to_endpoint: Vec::new(), to_peer: Vec::new() };
        Self { carrier: Some(carrier), ..Self::new(setup, role, now, u64::MAX) }
    }

    /// A datagram has come.
    pub(super) fn hear(&mut self, now: Instant, datagram: &[u8]) {
        let _ = self.session.handle_datagram(now, Meta::default(), &mut datagram.to_vec());
    }

    /// Bytes have come.
    pub(super) fn hear_bytes(&mut self, now: Instant, bytes: &[u8]) {
        let Some(carrier) = &mut self.carrier else { return };
        carrier.to_peer.extend_from_slice(bytes);
        let input = self.session.handle_stream(now, &mut carrier.to_peer);
        carrier.to_peer.drain(..input.consumed);
    }

    pub(super) fn lose_carrier(&mut self, now: Instant) {
        self.session.handle_link_lost(now);
    }

    /// Its application acts; what it has to say on the datagram carrier is returned.
    pub(super) fn act(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.session.handle_timeout(now);
        while let Some(event) = self.session.poll_event() {
            on_event(&mut self.session, now, event);
        }
        let mut said = Vec::new();
        // What it has no time for, it says the next time.
        for _ in 0..16 {
            let Some(transmit) = self.session.poll_transmit(now, &mut self.room).expect("room enough") else { break };
            let bytes = &self.room[..transmit.len];
            match &mut self.carrier {
                Some(carrier) => carrier.to_endpoint.extend_from_slice(bytes),
                None => {
                    let datagrams = bytes.chunks(transmit.segment.unwrap_or(transmit.len));
                    said.extend(datagrams.map(<[u8]>::to_vec));
                }
            }
        }
        said
    }

    /// Its application says something of its own.
    pub(super) fn say(&mut self, now: Instant, what: u8) {
        say(&mut self.session, now, what);
    }
}

/// What any application here does about an event.
pub(super) fn on_event(session: &mut Session, now: Instant, event: Event) {
    match event {
        Event::PeerIdentified(_) => session.decide(now, Verdict::Accept),
        Event::Readable(stream) => {
            while session.recv(stream, &mut [0; 512]).is_ok_and(|received| !received.end_of_stream) {}
        }
        Event::DatagramsReadable => while session.recv_datagram(&mut [0; 1_200]).is_ok() {},
        _ => {}
    }
}

/// What any application here may say.
pub(super) fn say(session: &mut Session, now: Instant, what: u8) {
    match what & 7 {
        0..=2 => {
            let direction = if what & 8 == 0 { Direction::Bidirectional } else { Direction::Unidirectional };
            if let Ok(stream) = session.open(direction) {
                let _ = session.send(stream, &vec![what; usize::from(what) << (what & 3)], Ending::End);
                let _ = session.finish(stream);
            }
        }
        3 => drop(session.send_datagram(&[what; 100])),
        4 => drop(session.send_datagram(&[what; 900])),
        5 => session.shutdown(now),
        6 => session.close(now, what.into(), "enough"),
        _ => {}
    }
}
