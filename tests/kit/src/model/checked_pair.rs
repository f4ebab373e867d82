//! A pair of sessions that is held to the model.

use aitcp::{
    CloseReason, CloseSource, Direction, Ending, Event, ExportError, FinishError, Instant, OpenError, RecvError, Role,
    SendError, StreamError, StreamId, Verdict,
};

use super::Model;
use crate::{Arrival, Op, Pair, Setup};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];

/// After so many rounds with willing applications, and nothing new for either, something is taken to go round in circles.
const MAX_IDLE_ROUNDS: usize = 1_000;

/// A [`Pair`] whose applications do what [`Op`]s say, with a [`Model`] beside it. Any difference panics.
#[derive(Debug)]
pub struct CheckedPair {
    /// The sessions. Time moves, and bytes arrive, by operations alone.
    pub pair: Pair,
    model: Model,
    max_message: [u64; 2],
    /// Something has ended the session before its streams were done.
    broken: bool,
    digests: bool,
    /// What is transmitted into, and received into.
    room: Vec<u8>,
}

impl CheckedPair {
    /// Two fresh sessions. The setup may ask for verdicts and signatures.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let max_message = [setup.initiator.limits.max_message, setup.responder.limits.max_message];
        Self {
            pair: setup.pair(),
            model: Model::default(),
            max_message,
            broken: false,
            digests: false,
            room: vec![0; 1 << 16],
        }
    }

    /// Completes the handshake, with whatever questions it asks.
    #[must_use]
    pub fn connected(mut self) -> Self {
        self.pair.connect();
        self
    }

    /// Also checks that a call that is refused changes nothing. Takes its time.
    #[must_use]
    pub fn with_digests(mut self) -> Self {
        self.digests = true;
        self
    }

    /// Does what `op` says.
    ///
    /// # Panics
    /// If what comes of it is not what the model says.
    pub fn apply(&mut self, op: &Op) {
        let now = self.pair.now();
        if let Op::Sign { by } | Op::Transmit { by, .. } = *op
            && self.digests
        {
            // A call that is told the time serves what is due, refused or not.
            self.pair.end(by).serve_timeouts(now);
        }
        let before = self.digests.then(|| ROLES.map(|role| self.pair.end(role).digest()));
        let refused = !self.act(op, now);
        if let Some(before) = before
            && refused
        {
            let after = ROLES.map(|role| self.pair.end(role).digest());
            assert_eq!(after, before, "{op:?} was refused and changed something");
        }
        self.check_end();
    }

    /// `false` if a call was refused for good.
    fn act(&mut self, op: &Op, now: Instant) -> bool {
        let pick = |model: &Model, stream: u8| model.pick(stream);
        match *op {
            Op::Open { by, direction } => return self.open(by, direction),
            Op::Send { by, stream, len, ending } => {
                if let Some(id) = pick(&self.model, stream) {
                    return self.send(by, id, len.into(), ending);
                }
            }
            Op::Recv { by, stream, len } => {
                if let Some(id) = pick(&self.model, stream) {
                    return self.recv(by, id, len.into()) != Some(Read::Refused);
                }
            }
            Op::Finish { by, stream } => {
                if let Some(id) = pick(&self.model, stream) {
                    return self.finish(by, id);
                }
            }
            Op::Reset { by, stream, code } => {
                if let Some(id) = pick(&self.model, stream) {
                    return self.reset(by, id, code.into());
                }
            }
            Op::Stop { by, stream, code } => {
                if let Some(id) = pick(&self.model, stream) {
                    return self.stop(by, id, code.into());
                }
            }
            Op::Priority { by, stream, urgency } => {
                if let Some(id) = pick(&self.model, stream) {
                    return self.pair.end(by).session.set_priority(id, urgency).is_ok();
                }
            }
            Op::Events { by } => {
                self.events(by);
            }
            Op::Transmit { by, room } => return self.transmit(by, room.into()),
            Op::Deliver { to, len } => {
                self.deliver(to, len.into());
            }
            Op::Advance(duration) => self.pair.clock.advance(duration),
            Op::Timeouts { by } => self.pair.end(by).serve_timeouts(now),
            Op::Decide { by, verdict } => self.pair.end(by).session.decide(now, verdict),
            Op::Sign { by } => return self.pair.end(by).sign(now).is_ok(),
            Op::Export { by } => {
                let mut out = [0; 16];
                let exported = self.pair.end(by).session.export(b"label", b"context", &mut out);
                assert_ne!(exported, Err(ExportError::TooLong));
                return exported.is_ok();
            }
            Op::Shutdown { by } => {
                // A stream that the peer has opened, and this end has not heard of, does not keep it from closing.
                self.broken = true;
                self.pair.end(by).session.shutdown(now);
            }
            Op::Close { by, code } => self.pair.end(by).session.close(now, code.into(), "as asked"),
            Op::Cut { to } => self.pair.link_to(to).cut(),
        }
        true
    }

    fn has_ended(&mut self, role: Role) -> bool {
        self.pair.end(role).session.close_reason().is_some()
    }

    fn open(&mut self, by: Role, direction: Direction) -> bool {
        match self.pair.end(by).session.open(direction) {
            Ok(stream) => {
                assert_eq!((stream.opener(), stream.direction()), (by, direction));
                self.model.opened(stream, by);
                true
            }
            Err(OpenError::Closed) => {
                assert!(self.has_ended(by));
                false
            }
            Err(error) => error == OpenError::Blocked,
        }
    }

    fn send(&mut self, by: Role, id: StreamId, len: usize, ending: Ending) -> bool {
        let max = self.max_message[usize::from(by == Role::Initiator)];
        let ended = self.has_ended(by);
        let Some(flow) = self.model.flow(id, by) else {
            let result = self.pair.end(by).session.send(id, &vec![0; len], ending);
            assert!(matches!(result, Err(SendError::NotSending | SendError::UnknownStream | SendError::Closed)));
            return false;
        };
        let result = self.pair.end(by).session.send(id, &flow.bytes(len), ending);
        match result {
            Ok(taken) => {
                let whole = taken == len && ending == Ending::End;
                assert!(taken > 0 || len == 0, "nothing was taken, and that is no error");
                assert!(flow.message + taken as u64 <= max, "more was taken than the peer takes");
                flow.sent(taken, whole);
                true
            }
            Err(SendError::Blocked) => {
                assert!(flow.is_open() && !ended);
                true
            }
            Err(error) => {
                match error {
                    SendError::Stopped(code) => assert_eq!(flow.stopped, Some(code)),
                    SendError::NotSending => assert!(!flow.is_open()),
                    SendError::TooLarge { max: said } => assert!(said == max && flow.message + len as u64 > max),
                    SendError::Closed => assert!(ended),
                    _ => {}
                }
                false
            }
        }
    }

    fn recv(&mut self, by: Role, id: StreamId, len: usize) -> Option<Read> {
        let ended = self.has_ended(by);
        let mut buf = vec![0; len];
        let result = self.pair.end(by).session.recv(id, &mut buf);
        let Some(flow) = self.model.flow(id, by.peer()) else {
            assert!(matches!(result, Err(RecvError::NotReceiving | RecvError::UnknownStream | RecvError::Closed)));
            return Some(Read::Refused);
        };
        match result {
            Ok(received) => flow.received(&buf[..received.len], received).then_some(Read::Something),
            Err(RecvError::Reset(code)) => {
                assert!(!flow.is_over, "a reset is told once");
                assert_eq!(flow.reset, Some(code));
                flow.is_over = true;
                Some(Read::Something)
            }
            Err(RecvError::Blocked) => {
                assert!(!flow.is_over);
                None
            }
            Err(error) => {
                match error {
                    RecvError::NotReceiving => assert!(flow.is_over),
                    RecvError::Closed => assert!(ended),
                    _ => {}
                }
                Some(Read::Refused)
            }
        }
    }

    fn finish(&mut self, by: Role, id: StreamId) -> bool {
        let result = self.pair.end(by).session.finish(id);
        let flow = self.model.flow(id, by);
        match (result, flow) {
            (Ok(()), Some(flow)) => {
                assert!(flow.is_open() && flow.message == 0);
                flow.finished = true;
                return true;
            }
            (Err(FinishError::MessageOpen), Some(flow)) => assert!(flow.is_open() && flow.message > 0),
            (Err(FinishError::NotSending), Some(flow)) => assert!(!flow.is_open() || flow.stopped.is_some()),
            (result, _) => assert!(result.is_err()),
        }
        false
    }

    fn reset(&mut self, by: Role, id: StreamId, code: u64) -> bool {
        let result = self.pair.end(by).session.reset(id, code);
        match (result, self.model.flow(id, by)) {
            (Ok(()), Some(flow)) => {
                assert!(flow.reset.is_none());
                flow.reset = Some(code);
                return true;
            }
            (Err(StreamError::WrongState), Some(flow)) => assert!(!flow.is_open() || flow.stopped.is_some()),
            (result, _) => assert!(result.is_err()),
        }
        false
    }

    fn stop(&mut self, by: Role, id: StreamId, code: u64) -> bool {
        let result = self.pair.end(by).session.stop(id, code);
        match (result, self.model.flow(id, by.peer())) {
            (Ok(()), Some(flow)) => {
                assert!(flow.stopped.is_none() && !flow.is_over);
                (flow.stopped, flow.is_over) = (Some(code), true);
                return true;
            }
            (Err(StreamError::WrongState), Some(flow)) => assert!(flow.is_over),
            (result, _) => assert!(result.is_err()),
        }
        false
    }

    /// Takes the events of an end; whether there were any.
    fn events(&mut self, by: Role) -> bool {
        let events = self.pair.end(by).poll_events().to_vec();
        for event in &events {
            match *event {
                Event::Stopped { stream, code } => {
                    let flow = self.model.flow(stream, by).expect("a side that sends");
                    assert!(flow.stopped == Some(code) && flow.reset.is_none() && !flow.told_stopped);
                    (flow.told_stopped, flow.reset) = (true, Some(code));
                }
                Event::Finished(stream) => {
                    let flow = self.model.flow(stream, by).expect("a side that sends");
                    assert!(flow.finished && !flow.told_finished);
                    flow.told_finished = true;
                }
                Event::Opened(stream) => assert_eq!(stream.opener(), by.peer()),
                Event::Confirmed => assert_eq!(by, Role::Initiator),
                _ => {}
            }
        }
        !events.is_empty()
    }

    /// One call with this much room; `false` if it was not enough.
    fn transmit(&mut self, by: Role, room: usize) -> bool {
        let now = self.pair.now();
        let mut buf = std::mem::take(&mut self.room);
        let result = self.pair.end(by).session.poll_transmit(now, &mut buf[..room]);
        let drained = self.pair.end(by).session.is_drained();
        let link = self.pair.link_to(by.peer());
        if let Ok(Some(transmit)) = result {
            link.write(now, &buf[..transmit.len]);
        }
        self.room = buf;
        if let Err(small) = result {
            assert!(small.needed > room && small.needed <= 1232);
            return false;
        }
        if drained {
            link.close();
        }
        true
    }

    /// Lets bytes arrive; whether there were any.
    fn deliver(&mut self, to: Role, len: usize) -> bool {
        let now = self.pair.now();
        match self.pair.link_to(to).read_up_to(now, len) {
            Some(Arrival::Bytes(bytes)) => {
                self.pair.end(to).feed(now, &bytes);
                true
            }
            Some(Arrival::End) => {
                self.pair.end(to).session.handle_link_lost(now);
                true
            }
            None => false,
        }
    }

    /// Nothing but what an operation asked for may end a session: honest ends never break a rule.
    fn check_end(&mut self) {
        for role in ROLES {
            let reason = self.pair.end(role).session.close_reason();
            match reason {
                Some(CloseReason::Misbehaved(what)) => panic!("{role:?}: honest peers do not misbehave: {what}"),
                None
                | Some(CloseReason::ShutDown)
                | Some(CloseReason::Peer { source: CloseSource::Protocol, code: 0 }) => {}
                Some(_) => self.broken = true,
            }
        }
    }

    /// Both applications end their messages, finish and read everything; bytes flow. All must come to its end: every stream done
    /// and, after a shutdown, the session.
    ///
    /// # Panics
    /// If it does not, or something is missing then.
    pub fn wind_down(&mut self) {
        for role in ROLES {
            self.pair.link_to(role).resume();
        }
        for shut_down in [false, true] {
            if shut_down {
                for role in ROLES {
                    let now = self.pair.now();
                    self.pair.end(role).session.shutdown(now);
                }
            }
            let (mut left, mut idle) = (usize::MAX, 0);
            while ROLES.map(|role| self.wind_down_end(role)).contains(&true) {
                let now_left = self.model.left();
                idle = if now_left == left { idle + 1 } else { 0 };
                left = now_left;
                assert!(idle < MAX_IDLE_ROUNDS, "there is no end to it: {:?}", self.model);
            }
            self.check_end();
            if !self.broken {
                self.check_complete();
            }
        }
        for role in ROLES {
            let end = self.pair.end(role);
            assert!(end.session.is_drained() && end.session.poll_timeout().is_none(), "{role:?} has not ended");
            assert!(matches!(end.events.last(), Some(Event::Closed(_))), "{role:?} was not told");
            let count = end.events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
            assert_eq!(count, 1, "told once");
        }
    }

    /// What a willing application and a driver do; whether there was anything to do.
    fn wind_down_end(&mut self, role: Role) -> bool {
        let now = self.pair.now();
        let mut moved = self.events(role);
        let end = self.pair.end(role);
        if end.session.handshake().is_some() && end.session.close_reason().is_none() && !end.was_established() {
            end.session.decide(now, Verdict::Accept);
            moved = true;
        }
        moved |= self.pair.end(role).sign(now).is_ok();
        for id in self.model.streams.clone() {
            if let Some(flow) = self.model.flow(id, role).filter(|flow| flow.is_open()) {
                if flow.message > 0 {
                    self.send(role, id, 0, Ending::End);
                }
                moved |= self.finish(role, id);
            }
            if self.model.flow(id, role.peer()).is_some_and(|flow| !flow.is_over) {
                while self.recv(role, id, 4096) == Some(Read::Something) {
                    moved = true;
                }
            }
        }
        let written = self.pair.link_to(role.peer()).written().len();
        self.transmit(role, 1 << 16);
        moved |= self.pair.link_to(role.peer()).written().len() > written;
        moved | self.deliver(role, usize::MAX)
    }

    fn check_complete(&mut self) {
        for (key, flow) in &self.model.flows {
            assert!(flow.is_settled(), "{key:?}: {flow:?}");
        }
        for role in ROLES {
            let stats = self.pair.end(role).session.stats();
            assert_eq!(
                (stats.streams, stats.unacknowledged, stats.unread),
                (0, 0, 0),
                "{role:?} holds on to something"
            );
        }
    }
}

/// What a call to receive gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Something,
    Refused,
}
