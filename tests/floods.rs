//! An authenticated peer that sends as much as it can of what costs it little: the heap stays within its bound, or the session ends.
//! And honest peers that go on and on: nothing is allocated.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use aitcp::{
    Direction, Ending, Event, Instant, Limits, PeerMisbehaved, ProtocolCode, RecvError, Role, Session, StreamId, Suite,
};
use aitcp_testkit::forge::{Auth, Control, Fragment, Header, Hello, HostilePeer, Kind, Params, Payload};
use aitcp_testkit::heap::{CountingAllocator, Meter};
use aitcp_testkit::{Setup, campaign};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOW: Instant = Instant::ORIGIN;

/// A victim whose heap is watched in everything that it does.
struct Watched {
    hostile: HostilePeer,
    limits: Limits,
    held: isize,
    peak: isize,
    room: Vec<u8>,
}

impl Watched {
    fn established(limits: Limits) -> Self {
        let mut setup = Setup::default();
        setup.set_limits(limits);
        let mut hostile = HostilePeer::before_auth(&setup, Role::Responder);
        // Credit for whatever the victim may want to send.
        let params = Params { bidirectional_streams: Some(1000), ..Params::default() };
        hostile.send_auth(&Auth { params, ..Auth::default() });
        hostile.receive();
        hostile.victim.poll_events();
        Self { hostile, limits, held: 0, peak: 0, room: vec![0; 1 << 16] }
    }

    fn watch<T>(&mut self, act: impl FnOnce(&mut Session, &mut [u8]) -> T) -> T {
        let meter = Meter::start();
        let result = act(&mut self.hostile.victim.session, &mut self.room);
        self.peak = self.peak.max(self.held + meter.peak());
        self.held += meter.held();
        result
    }

    /// Sends a payload and lets the victim answer, as its driver does.
    fn send(&mut self, payload: &Payload) {
        let mut packet = self.hostile.seal(Kind::Data, &payload.table().build());
        self.watch(|session, _| assert_eq!(session.handle_stream(NOW, &mut packet).consumed, packet.len()));
        self.flush();
    }

    fn flush(&mut self) {
        self.watch(|session, room| while session.poll_transmit(NOW, room).unwrap().is_some() {});
    }

    /// The application takes its events; how many there were.
    fn poll_events(&mut self) -> usize {
        self.watch(|session, _| std::iter::from_fn(|| session.poll_event()).count())
    }

    /// The application reads all that there is of these streams, and gives up its own side of them.
    fn read(&mut self, streams: impl IntoIterator<Item = StreamId>) {
        for stream in streams {
            self.watch(|session, room| {
                while session.recv(stream, room).is_ok() {}
                let _ = session.finish(stream);
            });
        }
        self.flush();
    }

    fn is_alive(&self) -> bool {
        self.hostile.victim.session.close_reason().is_none()
    }

    #[track_caller]
    fn check_bound(&self) {
        let bound = isize::try_from(self.limits.max_bytes()).unwrap();
        assert!(self.peak <= bound, "{} bytes at the worst, {bound} allowed", self.peak);
    }
}

fn limits() -> [Limits; 2] {
    [Limits::small(), Limits::default()]
}

/// The numbers of the streams that the hostile initiator opens.
fn bidirectional(index: u64) -> u64 {
    index << 2
}

/// The ids of streams that the victim knows about.
fn opened(watched: &mut Watched) -> Vec<StreamId> {
    let events = watched.hostile.victim.poll_events();
    events.iter().filter_map(|event| if let Event::Opened(id) = event { Some(*id) } else { None }).collect()
}

fn control(code: u8, stream: u64, a: u64, b: u64) -> Payload {
    Payload::control(Control { code, stream, a, b, ..Control::default() })
}

// ---- floods -----------------------------------------------------------------------------------------------------------------------

/// R-8.1-4, R-8.5-1: empty messages cost credit, and whatever the credit admits fits (h2 RUSTSEC 2026-0258).
#[test]
fn empty_messages_are_bounded_by_credit() {
    for limits in limits() {
        let mut watched = Watched::established(limits);
        let streams = u64::from(limits.session_window / limits.stream_window);
        let per_packet = u64::from(limits.max_packet / 24) - 8;
        let mut sent = 0;
        for stream in 1..=streams {
            for first in (0..u64::from(limits.stream_window)).step_by(usize::try_from(per_packet).unwrap()) {
                let offsets = first..(first + per_packet).min(limits.stream_window.into());
                sent += offsets.end - offsets.start;
                let fragments = offsets.map(|offset| Fragment {
                    stream: bidirectional(stream),
                    offset,
                    flags: Fragment::END_OF_MESSAGE,
                    ..Fragment::default()
                });
                watched.send(&Payload { fragments: fragments.collect(), ..Payload::default() });
            }
        }
        assert!(watched.is_alive(), "{:?}", watched.hostile.victim);
        assert_eq!(watched.hostile.victim.session.stats().unread, sent);
        watched.check_bound();
        let last = bidirectional(streams);
        watched.send(&Payload::fragment(last, limits.stream_window.into(), &[], Fragment::END_OF_MESSAGE));
        assert!(watched.hostile.victim.ended_for(ProtocolCode::FlowControl));
    }
    let mut watched = Watched::established(Limits::default());
    watched.send(&Payload::fragment(4, 0, &[], 0));
    assert!(watched.hostile.victim.ended_for(ProtocolCode::MalformedPayload));
}

/// R-8.3-3: gaps are not kept at all (quinn RUSTSEC-2026-0185).
#[test]
fn a_gap_ends_the_session_and_is_not_kept() {
    for (offset, len) in [(1, 1), (100, 1_000), (1 << 61, 9), ((1 << 18) - 1, 1)] {
        let mut watched = Watched::established(Limits::default());
        watched.send(&Payload::fragment(4, offset, &vec![1; len], 0));
        assert!(watched.hostile.victim.ended_for(ProtocolCode::Forbidden), "{offset} {:?}", watched.hostile.victim);
        assert_eq!(watched.hostile.victim.session.stats().buffer_bytes, 0);
        watched.check_bound();
    }
}

/// R-8.6-1, R-8.6-2: streams that are opened and reset at once (HTTP/2's rapid reset) wait for the application, and no more of them
/// come than were allowed; with an application that keeps up they can go on for ever in the same heap.
#[test]
fn opening_and_resetting_is_bounded_by_the_application() {
    for limits in limits() {
        let mut watched = Watched::established(limits);
        let allowed = u64::from(limits.peer_bidirectional_streams);
        for index in 1..=allowed {
            watched.send(&control(Control::RESET, bidirectional(index), 1, 0));
        }
        assert!(watched.is_alive());
        watched.check_bound();
        watched.send(&control(Control::RESET, bidirectional(allowed + 1), 1, 0));
        assert!(watched.hostile.victim.ended_for(ProtocolCode::StreamLimit));

        let mut watched = Watched::established(limits);
        for index in 1..=10 * u64::from(campaign(10_000)) {
            watched.send(&control(Control::RESET, bidirectional(index), 1, 0));
            let streams = opened(&mut watched);
            watched.read(streams);
            watched.send(&Payload::control(Control {
                code: Control::CREDIT,
                stream: bidirectional(index),
                flags: Control::DONE,
                ..Control::default()
            }));
        }
        assert!(watched.is_alive(), "{:?}", watched.hostile.victim.session.close_reason());
        watched.poll_events();
        assert_eq!(watched.hostile.victim.session.stats().streams, 0);
        watched.check_bound();
        let events = std::mem::take(&mut watched.hostile.victim.events);
        assert_eq!(
            events.iter().filter(|event| matches!(event, Event::Opened(_))).count() as u64,
            10 * u64::from(campaign(10_000))
        );
    }
}

/// R-8.2-3, R-8.6-1: one packet may open all streams that are allowed, with data in each, and not one more.
#[test]
fn opening_streams_is_bounded_by_their_limit() {
    for limits in limits() {
        for kind in [0, 2] {
            let allowed =
                if kind == 0 { limits.peer_bidirectional_streams } else { limits.peer_unidirectional_streams };
            let mut watched = Watched::established(limits);
            watched.send(&Payload::fragment(u64::from(allowed) << 2 | kind, 0, b"x", 0));
            assert_eq!(watched.hostile.victim.session.stats().streams, usize::from(allowed));
            for index in 1..u64::from(allowed) {
                watched.send(&Payload::fragment(index << 2 | kind, 0, b"x", 0));
            }
            assert!(watched.is_alive());
            watched.check_bound();
            watched.send(&Payload::fragment(u64::from(allowed + 1) << 2 | kind, 0, b"x", 0));
            assert!(watched.hostile.victim.ended_for(ProtocolCode::StreamLimit));
        }
    }
}

/// Controls and packets without content, again and again: nothing is kept, and nothing piles up to be answered.
#[test]
fn repeated_controls_leave_the_heap_flat() {
    let mut watched = Watched::established(Limits::default());
    let own = watched.watch(|session, _| session.open(Direction::Bidirectional).unwrap());
    watched.watch(|session, _| session.send(own, b"x", Ending::More).unwrap());
    watched.send(&Payload::fragment(4, 0, b"x", 0));
    watched.poll_events();
    let (number, held) = (own.as_u64(), watched.held);
    let floods = [
        control(Control::PING, 0, 0, 0),
        control(Control::CREDIT, 0, 1, 1 << 30),
        control(Control::CREDIT, number, 1, 1 << 30),
        control(Control::STREAM_CREDIT, 0, 1 << 40, 0),
        control(Control::STREAM_CREDIT, 1, 1 << 40, 0),
        control(Control::STOP, 4, 7, 0),
        control(Control::STOP, number, 7, 0),
        control(Control::SHUTDOWN, 0, 0, 0),
        Payload::default(),
        Payload { padding: vec![0xFF; 10_000], ..Payload::default() },
        Payload { controls: vec![Control::default(); 500], ..Payload::default() },
        Payload::fragment(4, 0, b"x", 0),
    ];
    watched.peak = watched.held;
    for payload in &floods {
        for _ in 0..campaign(50_000) {
            watched.send(payload);
        }
        assert!(watched.is_alive(), "{payload:?} {:?}", watched.hostile.victim);
    }
    assert!(watched.held <= held, "{} more bytes are held", watched.held - held);
    assert!(watched.poll_events() < 10, "at most one event of a kind waits");
    watched.check_bound();
}

/// A thousand packets that ask for an answer, while the victim's carrier takes nothing: one packet answers them all.
#[test]
fn answers_do_not_pile_up() {
    let mut watched = Watched::established(Limits::default());
    for index in 1..=100 {
        watched.hostile.send_data(&Payload::fragment(bidirectional(index), 0, b"x", Fragment::END_OF_MESSAGE));
        for _ in 0..10 {
            watched.hostile.send_data(&Payload::control(Control::default()));
        }
    }
    let before = watched.hostile.received.len();
    watched.hostile.receive();
    assert!(watched.hostile.received.len() - before <= 1, "a hundred Credits fit one packet");
}

/// R-3.2-1: a length is judged before anything is kept for it (russh RUSTSEC-2026-0154), and the bytes of a packet that is not
/// complete stay with the caller.
#[test]
fn lengths_and_parts_of_packets_take_no_memory() {
    let setup = Setup::default();
    for role in [Role::Initiator, Role::Responder] {
        for kind in 0..=u8::MAX {
            let mut session = setup.session(role, NOW);
            let _ = session.poll_transmit(NOW, &mut [0; 2_048]);
            let meter = Meter::start();
            let input = session.handle_stream(NOW, &mut [10, kind, 0xFF]);
            assert_eq!((input.consumed, input.needed), (0, 21), "three bytes are no header");
            assert!(meter.peak() == 0 && meter.allocations() == 0);
            let header = Header { length: 0xFFFF, ..Header::new(kind, 0) };
            let _ = session.handle_stream(NOW, &mut header.to_bytes());
            assert!(session.close_reason().is_some() && meter.peak() <= 0, "{kind}");
        }
    }
    let mut watched = Watched::established(Limits::default());
    let packet = watched.hostile.seal(Kind::Data, &Payload::fragment(4, 0, &[1; 16_000], 1).table().build());
    for len in 0..packet.len() {
        let mut part = packet[..len].to_vec();
        watched.watch(|session, _| assert_eq!(session.handle_stream(NOW, &mut part).consumed, 0));
    }
    assert_eq!((watched.held, watched.peak), (0, 0));
    let too_long = Header { length: 16_401, ..Header::read(&packet) };
    let input = watched.watch(|session, _| session.handle_stream(NOW, &mut too_long.to_bytes()));
    assert_eq!((input.consumed, input.needed), (24, 0));
    assert_eq!(watched.hostile.victim.misbehaved(), Some(PeerMisbehaved::PacketLength));
    assert!(watched.peak <= 0);
}

/// A half-open responder holds little, whatever the Hello.
#[test]
fn a_half_open_responder_holds_little() {
    for (suite, bound) in [(Suite::X25519ChaCha20Poly1305, 4 << 10), (Suite::HybridChaCha20Poly1305, 6 << 10)] {
        let mut session = Setup::with_suite(suite).session(Role::Responder, NOW);
        let mut hello = Hello { ticket: Some(vec![1; 512]), ..Hello::default() }.packet();
        let meter = Meter::start();
        let _ = session.handle_stream(NOW, &mut hello);
        while session.poll_transmit(NOW, &mut [0; 2_048]).unwrap().is_some() {}
        assert!(session.close_reason().is_none() && meter.held() <= bound, "{suite}: {}", meter.held());
    }
}

// ---- steady state -----------------------------------------------------------------------------------------------------------------

/// Rule 9 of the design: messages that go to and fro allocate nothing, packets of any size, in either direction.
#[test]
fn a_steady_state_allocates_nothing() {
    for suite in [Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm] {
        let mut pair = Setup::with_suite(suite).pair();
        pair.connect();
        let stream = pair.initiator.session.open(Direction::Bidirectional).unwrap();
        let (mut i, mut r) = (pair.initiator.session, pair.responder.session);
        let mut room = vec![0; 1 << 17];
        let message = vec![7; 60_000];
        let mut allocations = Vec::new();
        for round in 0..300 {
            let meter = Meter::start();
            let len = [1, 1_200, 60_000][round % 3];
            talk(&mut i, &mut r, stream, &message[..len], &mut room);
            talk(&mut r, &mut i, stream, &message[..len], &mut room);
            allocations.push(meter.allocations());
        }
        let steady: u64 = allocations[30..].iter().sum();
        assert_eq!(steady, 0, "{suite}: {allocations:?}");
    }
}

/// One message from one end to the other, and the answer that its transport makes.
fn talk(from: &mut Session, to: &mut Session, stream: StreamId, message: &[u8], room: &mut [u8]) {
    assert_eq!(from.send(stream, message, Ending::End), Ok(message.len()));
    while let Some(transmit) = from.poll_transmit(NOW, room).unwrap() {
        assert_eq!(to.handle_stream(NOW, &mut room[..transmit.len]).consumed, transmit.len);
    }
    while to.poll_event().is_some() {}
    let mut got = 0;
    loop {
        match to.recv(stream, room) {
            Ok(received) => {
                got += received.len;
                if received.end_of_message {
                    break;
                }
            }
            Err(error) => {
                assert_eq!(error, RecvError::Blocked);
                unreachable!("all of the message has come, {got} bytes of it");
            }
        }
    }
    assert_eq!(got, message.len());
    while let Some(transmit) = to.poll_transmit(NOW, room).unwrap() {
        assert_eq!(from.handle_stream(NOW, &mut room[..transmit.len]).consumed, transmit.len);
    }
    while from.poll_event().is_some() {}
}
