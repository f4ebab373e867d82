//! Whatever can come over a datagram carrier, from anybody and at any time.

use std::sync::OnceLock;
use std::time::Duration;

use aitcp::{Carrier, Event, Instant, Limits, Meta, PathId, Role, Session, Suite};

use super::input::Input;
use crate::Setup;
use crate::forge::{Control, HostileDatagrams, Payload};

/// Addresses that datagrams come from.
const PATHS: usize = 4;
const MTU: u16 = 1_452;

/// Datagrams and time for one session: `choice || (what, ..)...`.
///
/// The choice says which end it is (bit 0), which suite (bit 1), whether limits are those of small devices (bit 2), and whether it is
/// established (bit 3). What follows: below 0x40 time passes; below 0x80 come any bytes; below 0xC0 a plaintext that is sealed as the
/// peer would, if there are keys; and from there on a datagram of a genuine handshake, with one byte changed. The two low bits are the
/// address. Whatever it is, nobody is sent more than three times what came from his address before the peer has shown to be anywhere,
/// and no deadline stands still.
pub fn datagram(input: &[u8]) {
    let mut input = Input::new(input);
    let choice = input.byte();
    let role = if choice & 1 == 0 { Role::Responder } else { Role::Initiator };
    let setup = setup(choice);
    let mut victim = Victim::new(&setup, role, choice & 8 != 0);
    while !input.is_empty() {
        let what = input.byte();
        let path = usize::from(what) % PATHS;
        match what {
            0..=0x3F => victim.wait(Duration::from_millis(1 << (what >> 2))),
            0x40..=0x7F => {
                let len = input.u16().into();
                victim.feed(path, input.bytes(len));
            }
            0x80..=0xBF => {
                let len = usize::from(input.u16()).min(1_400);
                let plaintext = input.bytes(len);
                let packet = victim.keys.as_mut().map(|keys| {
                    keys.next_number += 1;
                    keys.seal(keys.next_number - 1, plaintext)
                });
                victim.feed(path, packet.as_deref().unwrap_or(plaintext));
            }
            _ => {
                let flight = &flights(choice)[usize::from(role == Role::Initiator)];
                let mut datagram = flight[usize::from(what >> 2 & 0xF) % flight.len()].clone();
                let at = usize::from(input.u16()) % (datagram.len() * 2);
                let change = input.byte();
                if let Some(byte) = datagram.get_mut(at) {
                    *byte ^= change;
                }
                victim.feed(path, &datagram);
            }
        }
    }
    victim.wind_up();
}

fn setup(choice: u8) -> Setup {
    let suite = if choice & 2 == 0 { Suite::X25519ChaCha20Poly1305 } else { Suite::HybridAes256Gcm };
    let mut setup = Setup { carrier: Carrier::Datagram { mtu: MTU }, ..Setup::with_suite(suite) };
    if choice & 4 != 0 {
        setup.set_limits(Limits::small());
    }
    setup
}

/// What a responder and an initiator receive in a handshake like this one: equal setups draw the same.
fn flights(choice: u8) -> &'static [Vec<Vec<u8>>; 2] {
    static FLIGHTS: OnceLock<[[Vec<Vec<u8>>; 2]; 4]> = OnceLock::new();
    let all = FLIGHTS.get_or_init(|| [0, 2, 4, 6].map(|choice| handshake(&setup(choice))));
    &all[usize::from(choice >> 1 & 3)]
}

fn handshake(setup: &Setup) -> [Vec<Vec<u8>>; 2] {
    let now = Instant::ORIGIN;
    let mut ends = [Role::Responder, Role::Initiator].map(|role| setup.session(role, now));
    let mut flights = [Vec::new(), Vec::new()];
    let mut room = [0; MTU as usize];
    for from in [1, 0, 1, 0] {
        while let Some(transmit) = ends[from].poll_transmit(now, &mut room).expect("room enough") {
            flights[1 - from].push(room[..transmit.len].to_vec());
            ends[1 - from].handle_datagram(now, Meta::default(), &mut room[..transmit.len]);
        }
    }
    flights
}

struct Victim {
    session: Session,
    now: Instant,
    /// The keys of its peer, if it is established.
    keys: Option<HostileDatagrams>,
    received: [usize; PATHS],
    sent: [usize; PATHS],
    is_limited: bool,
    room: Vec<u8>,
}

impl Victim {
    fn new(setup: &Setup, role: Role, is_established: bool) -> Self {
        let (session, now, keys) = if is_established {
            let mut hostile = HostileDatagrams::established(setup, role);
            let session = std::mem::replace(&mut hostile.victim, setup.session(role, hostile.now));
            (session, hostile.now, Some(hostile))
        } else {
            (setup.session(role, Instant::ORIGIN), Instant::ORIGIN, None)
        };
        let is_limited = role == Role::Responder && !is_established;
        let room = vec![0; 16 << 10];
        Self { session, now, keys, received: [0; PATHS], sent: [0; PATHS], is_limited, room }
    }

    fn feed(&mut self, path: usize, datagram: &[u8]) {
        self.received[path] += datagram.len();
        let meta = Meta { path: PathId(path as u64), ..Meta::default() };
        let _ = self.session.handle_datagram(self.now, meta, &mut datagram.to_vec());
        self.hear();
    }

    /// Time passes; at most a few deadlines are served.
    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..100 {
            let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            assert!(self.session.poll_timeout().is_none_or(|next| next > self.now), "a deadline stands still");
            self.hear();
        }
        self.now = end;
        self.hear();
    }

    fn hear(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "there is no end to what is sent");
            let Some(transmit) = self.session.poll_transmit(self.now, &mut self.room).expect("room enough") else {
                break;
            };
            if let Some(sent) = usize::try_from(transmit.path.0).ok().and_then(|path| self.sent.get_mut(path)) {
                *sent += transmit.len;
            }
        }
        while let Some(event) = self.session.poll_event() {
            self.is_limited &= event != Event::Established;
        }
        for (sent, received) in self.sent.iter().zip(self.received) {
            assert!(!self.is_limited || *sent <= 3 * received, "{sent} bytes sent for {received}");
        }
    }

    fn wind_up(mut self) {
        self.wait(Duration::from_secs(200));
        self.session.handle_link_lost(self.now);
        assert!(self.session.is_drained() && self.session.poll_timeout().is_none(), "it is over");
        let nothing = self.session.poll_transmit(self.now, &mut self.room);
        assert!(matches!(nothing, Ok(None)), "and has nothing to send");
    }
}

/// Genuine handshakes in order, out of order, from several addresses and altered; and payloads of a peer with keys.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let genuine = |index: u8, path: u8| [0xC0 | index << 2 | path, 0xFF, 0xFF, 0];
    let mut seeds = Vec::new();
    for choice in 0..8_u8 {
        let in_order: Vec<u8> = (0..4).flat_map(|index| genuine(index, 0)).collect();
        let backward: Vec<u8> = (0..4).rev().chain(0..4).flat_map(|index| genuine(index, 1)).collect();
        let moving: Vec<u8> = (0..8).flat_map(|index| genuine(index / 2, index % 4)).chain([0x28]).collect();
        let altered: Vec<u8> = (0..4).flat_map(|index| [0xC0 | index << 2, 30 + index, 0, 1]).collect();
        for (name, steps) in [("in_order", in_order), ("backward", backward), ("moving", moving), ("altered", altered)]
        {
            seeds.push((format!("{name}_{choice}"), [&[choice][..], &steps].concat()));
        }
        let control = |code, a| Payload::control(Control { code, a, ..Control::default() });
        let payloads = [
            Payload { acks: vec![(0, 1)], ack_delay: Some(9), ..control(Control::PING, 0) },
            Payload { padding: vec![0; 900], ..control(Control::PATH_CHALLENGE, 7) },
            Payload::fragment(4 | u64::from(choice & 1), 0, b"message", 1),
            Payload { datagrams: vec![3, 0, 1, 2, 3], ..Payload::default() },
        ];
        let mut input = vec![choice | 8];
        for (path, payload) in (0..).zip(payloads) {
            let plaintext = payload.table().build();
            let len = u16::try_from(plaintext.len()).expect("a short payload");
            input.extend([&[0x80 | path][..], &len.to_le_bytes(), &plaintext, &[0x18]].concat());
        }
        seeds.push((format!("payloads_{choice}"), input));
    }
    seeds
}
