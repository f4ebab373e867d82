//! One end: a session with the buffers that a driver keeps for it.

use aitcp::crypto::keygen::IdentityKey;
use aitcp::{
    CloseReason, Event, Instant, PeerMisbehaved, ProtocolCode, RecvError, Role, SendError, Session, SignatureRejected,
    StreamId, StreamInput, testing,
};

use crate::Setup;

/// How much is written to the carrier at once.
const TRANSMIT_ROOM: usize = 64 << 10;

/// A session, what its carrier gave that it has not consumed, and what it has told.
#[derive(Debug)]
pub struct End {
    /// The session itself.
    pub session: Session,
    /// Every event so far, in order.
    pub events: Vec<Event>,
    key: IdentityKey,
    inbox: Vec<u8>,
    room: Vec<u8>,
}

impl End {
    /// A fresh session in this role.
    #[must_use]
    pub fn new(setup: &Setup, role: Role, now: Instant) -> Self {
        Self {
            session: setup.session(role, now),
            events: Vec::new(),
            key: setup.agent(role).key(),
            inbox: Vec::new(),
            room: Vec::new(),
        }
    }

    /// Gives the session bytes from its carrier, behind those that it has not consumed.
    pub fn feed(&mut self, now: Instant, bytes: &[u8]) {
        let _ = self.show(now, bytes);
    }

    /// The same; what the session says about them.
    ///
    /// # Panics
    /// If that is against its contract.
    pub fn show(&mut self, now: Instant, bytes: &[u8]) -> StreamInput {
        self.inbox.extend_from_slice(bytes);
        let tail_before = self.inbox.clone();
        let input = self.session.handle_stream(now, &mut self.inbox);
        let ended = self.session.close_reason().is_some();
        let rest = self.inbox.len().checked_sub(input.consumed).expect("no more is consumed than there is");
        assert_eq!(self.inbox[input.consumed..], tail_before[input.consumed..], "what is not consumed stays untouched");
        assert_eq!(input.needed == 0, ended, "a session needs bytes until it ends");
        assert!(rest == 0 || !ended, "a session that has ended consumes everything");
        assert!(ended || rest + input.needed <= self.session.max_packet(), "a buffer of one packet suffices");
        self.inbox.drain(..input.consumed);
        input
    }

    /// Takes everything that waits to be sent.
    ///
    /// # Panics
    /// If there is no end to it.
    pub fn transmit(&mut self, now: Instant) -> Vec<u8> {
        let mut bytes = Vec::new();
        for round in 0.. {
            assert!(round < 10_000, "there is no end to what is sent");
            let more = self.transmit_once(now);
            if more.is_empty() {
                break;
            }
            bytes.extend(more);
        }
        bytes
    }

    /// Takes what one call to [`Session::poll_transmit`] gives with plenty of room.
    ///
    /// # Panics
    /// If that is not enough.
    pub fn transmit_once(&mut self, now: Instant) -> Vec<u8> {
        self.room.resize(TRANSMIT_ROOM, 0);
        let transmit = self.session.poll_transmit(now, &mut self.room).expect("room enough");
        transmit.map_or_else(Vec::new, |transmit| {
            assert!(transmit.len > 0, "nothing was sent");
            self.room[..transmit.len].to_vec()
        })
    }

    /// Serves deadlines that are due.
    ///
    /// # Panics
    /// If one that was served is still there.
    pub fn serve_timeouts(&mut self, now: Instant) {
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
            assert!(self.session.poll_timeout().is_none_or(|at| at > now), "a served deadline is gone");
        }
    }

    /// Takes all events, and gives those that are new.
    ///
    /// # Panics
    /// If there is no end to them, or something comes after the last.
    pub fn poll_events(&mut self) -> &[Event] {
        let before = self.events.len();
        while let Some(event) = self.session.poll_event() {
            assert!(!self.has_told_close(), "nothing comes after Closed, but {event:?}");
            self.events.push(event);
            assert!(self.events.len() - before < 100_000, "there is no end to events");
        }
        &self.events[before..]
    }

    fn has_told_close(&self) -> bool {
        matches!(self.events.last(), Some(Event::Closed(_)))
    }

    /// Whether this event has been told, now or before.
    pub fn saw(&mut self, event: Event) -> bool {
        self.poll_events();
        self.events.contains(&event)
    }

    /// Whether the session was ever established.
    pub fn was_established(&mut self) -> bool {
        self.saw(Event::Established)
    }

    /// Whether the session ended because the peer broke this rule.
    #[must_use]
    pub fn ended_for(&self, code: ProtocolCode) -> bool {
        self.session.close_reason() == Some(CloseReason::Misbehaved(PeerMisbehaved::Rule(code)))
    }

    /// Whether the session ended because of a packet that cannot be answered.
    #[must_use]
    pub fn misbehaved(&self) -> Option<PeerMisbehaved> {
        match self.session.close_reason() {
            Some(CloseReason::Misbehaved(what)) => Some(what),
            _ => None,
        }
    }

    /// Signs what the session wants signed.
    ///
    /// # Errors
    /// What [`Session::provide_signature`] says.
    pub fn sign(&mut self, now: Instant) -> Result<(), SignatureRejected> {
        let message = self.session.to_sign().ok_or(SignatureRejected::NotWanted)?;
        let signature = self.key.sign(message);
        self.session.provide_signature(now, &signature)
    }

    /// Sends a whole message. `false` if there was not room for all of it.
    ///
    /// # Errors
    /// What [`Session::send`] says.
    pub fn send_message(&mut self, stream: StreamId, message: &[u8]) -> Result<bool, SendError> {
        self.session.send(stream, message, aitcp::Ending::End).map(|taken| taken == message.len())
    }

    /// Reads the rest of a message that is there completely; `None` if there is none, and what was read is lost then.
    pub fn recv_message(&mut self, stream: StreamId) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        let mut buf = [0; 1024];
        loop {
            let received = self.session.recv(stream, &mut buf).ok()?;
            message.extend_from_slice(&buf[..received.len]);
            if received.end_of_message {
                return Some(message);
            }
            if received.end_of_stream {
                return None;
            }
        }
    }

    /// Reads everything that is there, as messages; the last may be incomplete. And how it ended: `None` at the end of the stream.
    pub fn recv_all(&mut self, stream: StreamId) -> (Vec<Vec<u8>>, Option<RecvError>) {
        let mut messages = vec![Vec::new()];
        let mut buf = [0; 1024];
        loop {
            match self.session.recv(stream, &mut buf) {
                Err(error) => {
                    if messages.last().is_some_and(Vec::is_empty) {
                        messages.pop();
                    }
                    return (messages, Some(error));
                }
                Ok(received) => {
                    messages.last_mut().expect("there is one").extend_from_slice(&buf[..received.len]);
                    if received.end_of_message {
                        messages.push(Vec::new());
                    }
                    if received.end_of_stream {
                        messages.pop();
                        return (messages, None);
                    }
                }
            }
        }
    }

    /// A hash of the session's whole state.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        testing::state_digest(&self.session)
    }

    /// A hash of the state of its streams.
    #[must_use]
    pub fn streams_digest(&self) -> [u8; 32] {
        testing::streams_digest(&self.session)
    }
}
