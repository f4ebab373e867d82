//! Random histories of two ends against a model: per direction of a stream, the bytes and ends in the order in which they were
//! written. Windows and buffers are of any size down to a single offset.

use alloc::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::error::{RecvError, SendError};

/// What one offset stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Byte(u8),
    End,
}

/// One direction of a stream, as the model sees it.
#[derive(Debug, Default)]
struct Flow {
    /// Written and not yet read.
    symbols: VecDeque<Symbol>,
    message_open: bool,
    finished: bool,
    reset: Option<u64>,
    stopped: bool,
    /// The reader has heard of the end or the reset, or does not care.
    over: bool,
    /// The writer has heard that it is finished.
    told_finished: bool,
    next_byte: u8,
}

#[derive(Clone, Debug)]
enum Op {
    Open(Direction),
    Send { stream: usize, len: usize, end: bool },
    Recv { stream: usize, len: usize },
    Finish(usize),
    Reset(usize),
    Stop(usize),
    Priority(usize, u8),
    Deliver(usize),
    Events,
}

fn op() -> impl Strategy<Value = Op> {
    let stream = 0..8_usize;
    prop_oneof![
        2 => any::<bool>().prop_map(|both| {
            Op::Open(if both { Direction::Bidirectional } else { Direction::Unidirectional })
        }),
        6 => (stream.clone(), prop_oneof![0..6_usize, 0..600_usize], any::<bool>())
            .prop_map(|(stream, len, end)| Op::Send { stream, len, end }),
        6 => (stream.clone(), prop_oneof![0..6_usize, 0..900_usize]).prop_map(|(stream, len)| Op::Recv { stream, len }),
        1 => stream.clone().prop_map(Op::Finish),
        1 => stream.clone().prop_map(Op::Reset),
        1 => stream.clone().prop_map(Op::Stop),
        1 => (stream, 0..9_u8).prop_map(|(stream, urgency)| Op::Priority(stream, urgency)),
        6 => (0..5_usize).prop_map(Op::Deliver),
        3 => Just(Op::Events),
    ]
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let window = || prop_oneof![1..5_u32, 1..40_u32, 1_000..6_000_u32];
    let buffer = || prop_oneof![2..6_u32, 2..40_u32, 1_000..6_000_u32];
    (window(), window(), buffer(), buffer(), 1..4_u16, 1..4_u16, 1..6_u16).prop_map(
        |(session, stream, total, one, bidirectional, unidirectional, own)| {
            let mut limits = limits(session, total);
            limits.stream_window = stream.min(session);
            limits.stream_send_buffer = one.min(total);
            limits.peer_bidirectional_streams = bidirectional;
            limits.peer_unidirectional_streams = unidirectional;
            limits.own_streams = own;
            limits
        },
    )
}

struct World {
    pair: Pair,
    compression: bool,
    /// All streams ever opened, by number.
    ids: Vec<StreamId>,
    /// By stream and whether the initiator writes.
    flows: BTreeMap<(StreamId, bool), Flow>,
}

impl World {
    fn new(a: &Limits, b: &Limits, fragment: usize, compression: bool) -> Self {
        let mut pair = Pair::new(a, b);
        if compression {
            pair.agree_on_compression(a, b);
        }
        pair.fragment = fragment;
        Self { pair, compression, ids: Vec::new(), flows: BTreeMap::new() }
    }

    fn end(&mut self, initiator: bool) -> &mut Streams {
        if initiator { &mut self.pair.a } else { &mut self.pair.b }
    }

    fn run(&mut self, initiator: bool, op: &Op) {
        match *op {
            Op::Open(direction) => self.open(initiator, direction),
            Op::Deliver(fragments) => {
                if initiator {
                    self.pair.a_to_b(fragments);
                } else {
                    self.pair.b_to_a(fragments);
                }
            }
            Op::Events => self.events(initiator),
            Op::Send { stream, len, end } => {
                if let Some(id) = self.pick(stream) {
                    self.send(initiator, id, len, end);
                }
            }
            Op::Recv { stream, len } => {
                if let Some(id) = self.pick(stream) {
                    self.recv(initiator, id, len);
                }
            }
            Op::Finish(stream) => {
                if let Some(id) = self.pick(stream) {
                    self.finish(initiator, id);
                }
            }
            Op::Reset(stream) => {
                if let Some(id) = self.pick(stream)
                    && self.end(initiator).reset(id, 7).is_ok()
                {
                    self.flows.get_mut(&(id, initiator)).unwrap().reset = Some(7);
                }
            }
            Op::Stop(stream) => {
                if let Some(id) = self.pick(stream)
                    && self.end(initiator).stop(id, 8).is_ok()
                {
                    let flow = self.flows.get_mut(&(id, !initiator)).unwrap();
                    (flow.stopped, flow.over) = (true, true);
                }
            }
            Op::Priority(stream, urgency) => {
                if let Some(id) = self.pick(stream) {
                    let _ = self.end(initiator).set_priority(id, urgency);
                }
            }
        }
        self.check();
    }

    fn pick(&self, stream: usize) -> Option<StreamId> {
        let recent = self.ids.len().saturating_sub(8);
        self.ids[recent..].get(stream).copied()
    }

    fn open(&mut self, initiator: bool, direction: Direction) {
        if let Some(id) = self.end(initiator).open(direction) {
            self.ids.push(id);
            self.flows.insert((id, initiator), Flow::default());
            if direction == Direction::Bidirectional {
                self.flows.insert((id, !initiator), Flow::default());
            }
        }
    }

    fn send(&mut self, initiator: bool, id: StreamId, len: usize, end: bool) {
        let first = self.flows.get(&(id, initiator)).map_or(0, |flow| flow.next_byte);
        // Runs of one byte, so that longer messages can be packed.
        let bytes: Vec<_> = (0..len).map(|index| first.wrapping_add((index / 20) as u8)).collect();
        let compression = self.compression;
        let before = self.end(initiator).usage().buffered;
        let result = self.end(initiator).send(id, &bytes, end);
        let taken = self.end(initiator).usage().buffered - before;
        let Some(flow) = self.flows.get_mut(&(id, initiator)) else {
            assert!(matches!(result, Err(SendError::NotSending | SendError::UnknownStream)), "{result:?}");
            return;
        };
        match result {
            Ok(count) => {
                assert!(!flow.finished && flow.reset.is_none());
                let ended = end && count == len;
                let plain = count as u64 + u64::from(ended);
                assert!(taken == plain || (compression && ended && taken < plain), "{taken} {plain}");
                assert!(count > 0 || ended || len == 0, "nothing was taken");
                flow.symbols.extend(bytes[..count].iter().map(|byte| Symbol::Byte(*byte)));
                flow.next_byte = first.wrapping_add(1 + (count / 20) as u8);
                flow.message_open = !ended && (flow.message_open || count > 0);
                if ended {
                    flow.symbols.push_back(Symbol::End);
                }
            }
            Err(error) => {
                assert_eq!(taken, 0, "{error:?}");
                match error {
                    SendError::Blocked => assert!(!flow.finished && flow.reset.is_none()),
                    SendError::Stopped(8) => assert!(flow.stopped),
                    SendError::NotSending => assert!(flow.finished || flow.reset.is_some()),
                    SendError::UnknownStream => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn recv(&mut self, initiator: bool, id: StreamId, len: usize) -> bool {
        let mut buffer = vec![0; len];
        let result = self.end(initiator).recv(id, &mut buffer);
        let Some(flow) = self.flows.get_mut(&(id, !initiator)) else {
            assert!(matches!(result, Err(RecvError::NotReceiving | RecvError::UnknownStream)), "{result:?}");
            return false;
        };
        match result {
            Ok(received) => {
                assert!(!flow.over, "read beyond the end");
                for byte in &buffer[..received.len] {
                    assert_eq!(flow.symbols.pop_front(), Some(Symbol::Byte(*byte)));
                }
                if received.end_of_message {
                    assert_eq!(flow.symbols.pop_front(), Some(Symbol::End));
                }
                if received.end_of_stream {
                    assert!(flow.finished && flow.symbols.is_empty());
                    flow.over = true;
                }
                received.len > 0 || received.end_of_message || received.end_of_stream
            }
            Err(RecvError::Reset(code)) => {
                assert!(!flow.over && (flow.reset == Some(code)));
                flow.over = true;
                true
            }
            Err(RecvError::NotReceiving) => {
                assert!(flow.over);
                false
            }
            // A stream that the peer has opened and this end has not heard of is unknown as well.
            Err(RecvError::Blocked | RecvError::UnknownStream) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    fn finish(&mut self, initiator: bool, id: StreamId) {
        if self.end(initiator).finish(id).is_ok() {
            let flow = self.flows.get_mut(&(id, initiator)).unwrap();
            assert!(!flow.message_open && flow.reset.is_none() && !flow.finished);
            flow.finished = true;
        }
    }

    fn events(&mut self, initiator: bool) {
        for event in events(self.end(initiator)) {
            match event {
                StreamEvent::Stopped { stream, code } => {
                    assert_eq!(code, 8);
                    let flow = self.flows.get_mut(&(stream, initiator)).unwrap();
                    assert!(flow.stopped && flow.reset.is_none());
                    flow.reset = Some(8);
                }
                StreamEvent::Finished(stream) => {
                    let flow = self.flows.get_mut(&(stream, initiator)).unwrap();
                    assert!(flow.finished && !flow.told_finished);
                    flow.told_finished = true;
                }
                StreamEvent::Opened(stream) => assert_eq!(stream.opener() == Role::Initiator, !initiator),
                _ => {}
            }
        }
    }

    fn check(&mut self) {
        check_invariants(&self.pair.a);
        check_invariants(&self.pair.b);
    }

    /// Both applications read everything, end their messages and finish: everything must come to its end.
    fn wind_down(&mut self) {
        for round in 0.. {
            assert!(round < 200_000, "deadlock: {:?}", self.flows);
            for initiator in [true, false] {
                self.events(initiator);
                for id in self.ids.clone() {
                    let Some(flow) = self.flows.get(&(id, initiator)) else { continue };
                    if flow.message_open {
                        self.send(initiator, id, 0, true);
                    }
                    self.finish(initiator, id);
                }
                for id in self.ids.clone() {
                    while self.recv(initiator, id, 50) {}
                }
            }
            let went = self.pair.a_to_b(3);
            if !(self.pair.b_to_a(3) || went) && self.pair.a.is_empty() && self.pair.b.is_empty() {
                break;
            }
        }
        for (key, flow) in &self.flows {
            let opened = flow.finished || flow.reset.is_some() || flow.stopped;
            assert!(opened && (flow.over || flow.stopped), "{key:?} {flow:?}");
            if flow.finished && flow.reset.is_none() && !flow.stopped {
                assert!(flow.told_finished && flow.symbols.is_empty(), "{key:?} {flow:?}");
            }
        }
        for end in [&self.pair.a, &self.pair.b] {
            assert_eq!(end.usage(), Usage::default());
            assert_eq!(end.pool.in_use(), 0);
        }
        assert_eq!(self.pair.a.sending.spent(), self.pair.b.receiving.received());
        assert_eq!(self.pair.b.sending.spent(), self.pair.a.receiving.received());
    }
}

/// What must hold between any two calls.
pub(super) fn check_invariants(streams: &Streams) {
    let sum = |f: fn(&Stream) -> u64| streams.table.iter().map(f).sum::<u64>();
    assert_eq!(streams.buffered, sum(|stream| stream.send.as_ref().map_or(0, |half| half.buffered())));
    assert_eq!(streams.reserved, sum(|stream| stream.send.as_ref().map_or(0, |half| half.reserved())));
    assert!(streams.reserved <= streams.sending.available());
    assert_eq!(streams.receiving.held(), sum(|stream| stream.recv.as_ref().map_or(0, |half| half.held())));
    assert_eq!(streams.unacknowledged, sum(|stream| stream.recv.as_ref().map_or(0, |half| half.unacknowledged())));
    assert!(streams.receiving.held() <= streams.limits.session_window.into());
    assert!(streams.buffered <= streams.limits.send_buffer.into());
    assert!(streams.sending.spent() <= streams.sending.limit());
    let mut blocks = 0;
    for stream in streams.table.iter() {
        assert!(!stream.is_done());
        assert_eq!(stream.links.contains(Kind::Event), !stream.events.is_empty());
        assert_eq!(stream.links.contains(Kind::Control), !stream.controls.is_empty());
        for len in
            [stream.send.as_ref().map_or(0, |half| half.buffered()), stream.recv.as_ref().map_or(0, |half| half.held())]
        {
            blocks += len.div_ceil(256) as usize + usize::from(len > 1);
        }
    }
    assert!(streams.pool.in_use() <= blocks);
    let bytes = streams.pool.heap_bytes() + streams.table.heap_bytes();
    assert!(bytes <= Streams::max_bytes(&streams.limits), "{bytes}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// R-8.3-7.
    #[test]
    fn whatever_applications_do_messages_arrive_in_order_once_and_whole(
        a in any_limits(),
        b in any_limits(),
        fragment in prop_oneof![1..4_usize, 1..2_000_usize],
        ops in prop::collection::vec((any::<bool>(), op()), 0..150),
        compression in any::<bool>(),
    ) {
        let mut world = World::new(&a, &b, fragment, compression && cfg!(feature = "compression"));
        for (initiator, op) in &ops {
            world.run(*initiator, op);
        }
        world.wind_down();
    }

    #[test]
    fn applications_that_act_on_events_alone_are_never_stuck(
        a in any_limits(),
        b in any_limits(),
        fragment in prop_oneof![1..4_usize, 1..2_000_usize],
        messages in prop::collection::vec((0..3_usize, prop_oneof![0..8_usize, 0..400_usize]), 1..20),
        read in 0..20_usize,
        compression in any::<bool>(),
    ) {
        let mut pair = Pair::new(&a, &b);
        pair.fragment = fragment;
        if compression && cfg!(feature = "compression") {
            pair.agree_on_compression(&a, &b);
        }
        event_driven(pair, &messages, read);
    }
}

/// The initiator writes `messages` on up to three streams, and goes on only when it is told `Writable` or `StreamsAvailable`; the
/// responder reads only what it is told is `Readable`.
fn event_driven(mut pair: Pair, messages: &[(usize, usize)], read: usize) {
    let mut waiting: VecDeque<VecDeque<usize>> =
        (0..3).map(|stream| messages.iter().filter(|(to, _)| *to == stream).map(|(_, len)| *len).collect()).collect();
    let mut writing: BTreeMap<StreamId, VecDeque<usize>> = BTreeMap::new();
    let (mut ends, mut finished) = (0, 0);
    let write = |streams: &mut Streams, id: StreamId, left: &mut VecDeque<usize>| {
        while let Some(len) = left.front_mut() {
            match streams.send(id, &vec![1; *len], true) {
                Ok(taken) if taken == *len => drop(left.pop_front()),
                Ok(taken) => {
                    *len -= taken;
                    return;
                }
                Err(SendError::Blocked) => return,
                Err(other) => panic!("{other:?}"),
            }
        }
        streams.finish(id).unwrap();
    };
    let open = |pair: &mut Pair, waiting: &mut VecDeque<VecDeque<usize>>, writing: &mut BTreeMap<_, _>| {
        while !waiting.is_empty()
            && let Some(id) = pair.a.open(Direction::Unidirectional)
        {
            let mut left = waiting.pop_front().unwrap();
            write(&mut pair.a, id, &mut left);
            writing.insert(id, left);
        }
    };
    open(&mut pair, &mut waiting, &mut writing);
    loop {
        let went = pair.a_to_b(2);
        let went = pair.b_to_a(2) || went;
        let mut told = false;
        for event in events(&mut pair.a) {
            told = true;
            match event {
                StreamEvent::Writable(id) => write(&mut pair.a, id, writing.get_mut(&id).unwrap()),
                StreamEvent::StreamsAvailable(_) => open(&mut pair, &mut waiting, &mut writing),
                StreamEvent::Finished(_) => finished += 1,
                other => panic!("{other:?}"),
            }
        }
        for event in events(&mut pair.b) {
            told = true;
            let StreamEvent::Readable(id) = event else { continue };
            // Reading to the end, with a buffer that may be empty: then only ends can be taken.
            let mut buffer = vec![0; read.max(1)];
            while let Ok(received) = pair.b.recv(id, &mut buffer) {
                ends += usize::from(received.end_of_message);
            }
        }
        if !went && !told {
            break;
        }
    }
    assert_eq!((ends, finished), (messages.len(), 3), "stuck: {writing:?} {waiting:?}");
    assert!(pair.a.is_empty() && pair.b.is_empty());
}
