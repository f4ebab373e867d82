//! What can be done to the endpoint.

use std::time::Duration;

use aitcp::{Carrier, Expect, PeerId, Role, Verdict};

use super::honest::{Honest, MTU, say, setup};
use super::world::World;
use crate::forge::{HEADER_LEN, Header, Hello, Kind};
use crate::fuzz::input::Input;

/// The longest packet of a handshake.
const MAX_HANDSHAKE_PACKET: usize = 1_232;

/// Peers that there are at a time. The oldest one falls silent.
const MAX_PEERS: usize = 6;

impl World {
    /// One operation. Strangers: bytes, Hellos and packets that only look right (0x20 to 0x4F), what was sent before by others (0x50) and
    /// by the endpoint (0x60), with one byte changed or none. The network between the endpoint and honest peers: 0x70 to 0x9F. Who begins
    /// what, on datagrams and on streams: 0xA0 and 0xB0. The application: 0xC0 and 0xD0. The driver, peers and clocks: 0x00 and 0xE0
    /// on. The three low bits are an address, where there is one.
    pub(super) fn step(&mut self, input: &mut Input<'_>) {
        let op = input.byte();
        let (low, from) = (op & 0xF, u64::from(op & 7));
        match op {
            0x00..=0x1F => self.wait(Duration::from_micros(16 << (op & 0x1F))),
            0x20..=0x2F => {
                let mut bytes = input.bytes_of_some_length();
                if low & 8 != 0 {
                    self.address_to_somebody(&mut bytes, input.byte());
                }
                self.feed(from, &bytes);
            }
            0x30..=0x3F => {
                let hello = any_hello(input.byte(), input.byte(), low & 8 != 0);
                self.feed(from, &hello);
            }
            0x40..=0x4F => {
                let (kind, to) = (Kind::ALL[usize::from(input.byte()) % Kind::ALL.len()], input.byte());
                let mut header = Header::new(kind, 0);
                header.encrypted_sequence_id = input.number();
                let mut packet = header.packet(&[&input.bytes_of_some_length()[..], &[low; 96]].concat());
                self.address_to_somebody(&mut packet, to);
                self.feed(from, &packet);
            }
            0x50..=0x6F => {
                let kept = if op < 0x60 { &self.heard } else { &self.said };
                let Some(datagram) = kept.get(input.byte()).map(<[u8]>::to_vec) else { return };
                let datagram = if low & 8 == 0 { datagram } else { altered(datagram, input) };
                self.feed(from, &datagram);
            }
            0x70..=0x9F => self.carry(op, input),
            0xA0..=0xBF => self.begin(op, input),
            0xC0..=0xDF => self.apply(op, input),
            0xE0..=0xE3 => {
                let most = input.byte().into();
                self.transmit_into_little(most);
            }
            0xE4 => drop(self.tell()),
            0xE5 => drop(self.transmit()),
            0xE6 => drop(self.do_task()),
            0xE7 => self.settle(),
            0xE8..=0xEF => {
                let what = input.byte();
                if let Some(peer) = self.peers.get_mut(usize::from(low & 7)) {
                    peer.say(self.now, what);
                }
            }
            // The next call is told a time that has passed.
            _ => self.lag = Duration::from_micros(1 << (2 * low)),
        }
    }

    /// The network between the endpoint and honest peers.
    fn carry(&mut self, op: u8, input: &mut Input<'_>) {
        let at = usize::from(input.byte());
        match op {
            0x70..=0x77 => {
                self.act();
                if let Some((from, datagram)) = self.up.remove(at % self.up.len().max(1)) {
                    self.feed(from, &datagram);
                }
            }
            // A peer is behind another address now.
            0x78..=0x7B => {
                self.act();
                if let Some((_, datagram)) = self.up.remove(at % self.up.len().max(1)) {
                    self.feed(u64::from(op & 3) + 4, &datagram);
                }
            }
            0x7C..=0x7F => self.up.clear(),
            0x80..=0x87 => {
                if let Some((to, datagram)) = self.down.remove(at % self.down.len().max(1)) {
                    self.arrive(to, to, &datagram);
                }
            }
            // What was sent to one address is read at another.
            0x88..=0x8B => {
                if let Some((to, datagram)) = self.down.remove(at % self.down.len().max(1)) {
                    self.arrive(u64::from(op & 3), to, &datagram);
                }
            }
            0x8C..=0x8E => self.down.clear(),
            0x8F => self.carry_streams(),
            _ => self.exchange(op & 7),
        }
    }

    /// Somebody begins something.
    fn begin(&mut self, op: u8, input: &mut Input<'_>) {
        let (what, number) = (input.byte(), op & 3);
        let is_on_stream = op >= 0xB0;
        let carrier = if is_on_stream { Carrier::Stream } else { Carrier::Datagram { mtu: MTU } };
        let mut setup = setup(self.suite, carrier, u64::from(what) << 8 | u64::from(op));
        setup.admission = aitcp::Admission::Any;
        let expect = match what % 3 {
            0 => Expect::Pinned(peer(3)),
            1 => Expect::Ask,
            _ => Expect::Pinned(peer(0)),
        };
        match op {
            0xA0..=0xA7 => {
                setup.initiator.identity_seed = World::identity(1 + (op >> 2 & 1));
                let session = Honest::new(&setup, Role::Initiator, self.now, number.into());
                self.join(session);
            }
            0xA8..=0xAF => {
                setup.responder.identity_seed = World::identity(3);
                let client = self.client.clone();
                let begun = self.watch(|endpoint, now| endpoint.connect(now, client, expect, u64::from(number)));
                self.check_beginning(begun.is_ok());
                if let Ok(handle) = begun {
                    self.known.begun(handle, false);
                    self.ledger.inhabited(number.into());
                    let session = Honest::new(&setup, Role::Responder, self.now, number.into());
                    self.join(session);
                }
            }
            0xB0..=0xB3 => {
                setup.responder.identity_seed = World::identity(3);
                let client = self.client.clone();
                let begun = self.watch(|endpoint, now| endpoint.connect_stream(now, client, expect));
                self.check_beginning(begun.is_ok());
                if let Ok(handle) = begun {
                    self.known.begun(handle, true);
                    self.join(Honest::on_stream(&setup, Role::Responder, self.now, handle));
                }
            }
            0xB4..=0xB7 => {
                setup.initiator.identity_seed = World::identity(1 + (op & 1));
                let server = self.server.clone();
                let begun = self.watch(|endpoint, now| endpoint.accept_stream(now, server));
                self.check_beginning(begun.is_ok());
                if let Ok(handle) = begun {
                    self.known.begun(handle, true);
                    self.join(Honest::on_stream(&setup, Role::Initiator, self.now, handle));
                }
            }
            0xB8..=0xBB => {
                let mut bytes = input.bytes_of_some_length();
                if let Some(handle) = self.known.pick(what) {
                    self.feed_stream(handle, &mut bytes);
                }
            }
            _ => {
                if let Some(handle) = self.known.pick(what) {
                    self.watch(|endpoint, now| endpoint.handle_link_lost(now, handle));
                }
            }
        }
    }

    fn check_beginning(&self, has_begun: bool) {
        assert!(!has_begun || !self.is_shutting_down, "a session was begun after the end");
    }

    fn join(&mut self, peer: Honest) {
        if self.peers.len() == MAX_PEERS {
            self.peers.remove(0);
        }
        self.peers.push(peer);
    }

    /// The application of the endpoint does something.
    fn apply(&mut self, op: u8, input: &mut Input<'_>) {
        let what = input.byte();
        match op {
            0xD0..=0xD3 => {
                let revoked = peer(op & 3);
                if self.watch(|endpoint, now| endpoint.revoke(now, revoked)).is_ok() {
                    self.known.revoked.insert(revoked);
                }
                assert!(self.known.revoked.len() <= self.limits.revoked as usize, "too many are revoked");
            }
            0xD4..=0xD7 => {
                let was_revoked = self.endpoint.reinstate(peer(op & 3));
                assert_eq!(was_revoked, self.known.revoked.remove(&peer(op & 3)));
            }
            0xD8..=0xDF if what & 7 == 7 => {
                self.watch(|endpoint, now| endpoint.shutdown(now));
                self.is_shutting_down = true;
            }
            0xD8..=0xDF => {}
            _ => {
                let Some(handle) = self.known.pick(op & 0xF) else { return };
                match what >> 4 {
                    0 => self.with_session(handle, |session, now| session.decide(now, Verdict::Accept)),
                    1 => self.with_session(handle, |session, now| session.decide(now, Verdict::Refuse)),
                    2 => {
                        self.known.held(handle, true);
                        self.watch(|endpoint, _| endpoint.hold(handle));
                    }
                    3 => {
                        self.known.held(handle, false);
                        self.watch(|endpoint, _| endpoint.release(handle));
                    }
                    _ => self.with_session(handle, |session, now| say(session, now, what)),
                }
            }
        }
    }

    /// A buffer that is too small changes nothing, and the one that was asked for is large enough.
    fn transmit_into_little(&mut self, most: usize) {
        let mut room = [0; 4_096];
        let refused =
            |world: &mut Self, room: &mut [u8]| world.watch(|endpoint, now| endpoint.poll_transmit(now, room)).err();
        let needed = match self.watch(|endpoint, now| endpoint.poll_transmit(now, &mut room[..0])) {
            Ok(_) => return,
            Err(too_small) => too_small.needed,
        };
        assert!((1..=usize::from(MTU)).contains(&needed), "{needed} bytes are asked for");
        if let Some(again) = (most < needed).then(|| refused(self, &mut room[..most])) {
            assert_eq!(again.map(|too_small| too_small.needed), Some(needed), "another size is asked for");
        }
        let is_sent = self.transmit();
        assert!(is_sent, "there was something to be sent");
    }

    /// Puts somebody's connection id into the header of a packet: everybody who sees packets knows those.
    fn address_to_somebody(&self, packet: &mut [u8], which: u8) {
        let Some(seen) = self.heard.get(which).filter(|seen| seen.len() >= HEADER_LEN) else { return };
        if let Some(place) = packet.get_mut(8..16) {
            place.copy_from_slice(&seen[8..16]);
        }
    }
}

fn peer(which: u8) -> PeerId {
    let mut setup = crate::Setup::default();
    setup.initiator.identity_seed = World::identity(which);
    setup.initiator.id()
}

/// One of the Hellos that anybody can make: the same number, the same Hello.
fn any_hello(number: u8, flags: u8, is_padded: bool) -> Vec<u8> {
    let mut hello = Hello { random: [number | 1; 32], connection_id: u64::from(number) + 1, ..Hello::default() };
    match flags {
        0..=0x7F => {}
        0x80..=0x8F => hello.cookie = [flags; 32],
        0x90..=0x9F => hello.peer_tag = [flags; 32],
        0xA0..=0xAF => hello.suites = vec![flags & 7],
        0xB0..=0xBF => hello.versions = vec![flags.into(), 10 + u16::from(flags & 1)],
        0xC0..=0xCF => hello.app_protocol = vec![b'a'; usize::from(flags & 0xF)],
        0xD0..=0xDF => hello.key_share = [flags & 1; 32],
        0xE0..=0xEF => hello.realm = Some(vec![b'r'; usize::from(flags & 0xF)]),
        _ => hello.ticket = Some(vec![flags; 200]),
    }
    if is_padded { padded(hello) } else { hello.packet() }
}

/// A Hello that is as long as it has to be on a datagram carrier.
pub(super) fn padded(mut hello: Hello) -> Vec<u8> {
    hello.padding = Some(Vec::new());
    let missing = MAX_HANDSHAKE_PACKET.saturating_sub(hello.packet().len());
    hello.padding = Some(vec![0; missing]);
    hello.packet()
}

/// One byte of it is another one, or there are more or less of them.
fn altered(mut datagram: Vec<u8>, input: &mut Input<'_>) -> Vec<u8> {
    let (at, change) = (usize::from(input.u16()), input.byte());
    match datagram.get_mut(at) {
        Some(byte) if change != 0 => *byte ^= change,
        Some(_) => datagram.truncate(at),
        None => datagram.extend(vec![change; at & 0x3FF]),
    }
    datagram
}
