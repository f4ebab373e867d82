//! What happens in a session, told to the tasks that it concerns.
//!
//! A task that waits on a stream is woken by events of that stream. Of the tasks that wait for the same thing, a stream to accept or
//! the right to open one, one is woken, and wakes the next when it has got something: a thousand that wait cost one that goes on nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use aitcp::{Direction, Event, HandshakeInfo, Instant, Ledger, Session, StreamId};
use tokio::sync::Notify;
use tracing::{Span, debug, debug_span, field, trace};

/// Everything that somebody can wait for.
#[derive(Debug)]
pub(crate) struct News {
    /// Steps of the handshake.
    pub(crate) handshake: Notify,
    /// Streams that the peer has opened.
    pub(crate) incoming: Notify,
    /// Room for streams of one's own.
    bidirectional: Notify,
    unidirectional: Notify,
    /// Best-effort datagrams.
    pub(crate) datagrams: Notify,
    /// The session has ended, or nobody drives it any more.
    pub(crate) ended: Notify,
    board: Mutex<Board>,
    span: Span,
}

/// What events have told and nobody has asked for yet. Its lock is only taken by those who hold the session's.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) ledger: Ledger,
    /// The handshake waits for a verdict on the peer.
    pub(crate) peer_in_question: bool,
    /// Streams that the peer opens are not wanted any more.
    pub(crate) turns_away: bool,
    /// Nobody drives the session any more.
    pub(crate) is_over: bool,
    readers: HashMap<StreamId, Waker>,
    writers: HashMap<StreamId, Waker>,
}

/// One of the two halves of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Receiving,
    Sending,
}

impl News {
    pub(crate) fn new(session: &Session) -> Self {
        Self {
            handshake: Notify::new(),
            incoming: Notify::new(),
            bidirectional: Notify::new(),
            unidirectional: Notify::new(),
            datagrams: Notify::new(),
            ended: Notify::new(),
            board: Mutex::default(),
            span: debug_span!("session", role = ?session.role(), peer = field::Empty),
        }
    }

    /// A panic leaves the board whole, since nothing on it is changed half-way.
    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for streams in this direction.
    pub(crate) fn available(&self, direction: Direction) -> &Notify {
        match direction {
            Direction::Bidirectional => &self.bidirectional,
            Direction::Unidirectional => &self.unidirectional,
        }
    }

    /// Takes all events that are pending and wakes those whom they concern.
    pub(crate) fn tell(&self, session: &mut Session, now: Instant) {
        while let Some(event) = session.poll_event() {
            if event == Event::TicketPresented {
                session.answer_ticket(now, None); // there are no keys for tickets here
            }
            self.note(event, session.handshake());
            self.turn_away(session);
        }
    }

    /// Takes one event, of the session whose handshake came to `info`.
    pub(crate) fn note(&self, event: Event, info: Option<&HandshakeInfo>) {
        trace!(parent: &self.span, ?event, "told");
        if let (Event::Established | Event::PeerIdentified(_), Some(info)) = (event, info) {
            self.span.record("peer", field::display(info.peer));
        }
        let mut board = self.board();
        board.ledger.note(event);
        self.wake(&mut board, event);
    }

    /// Turns away what the peer has opened, if it is not wanted any more.
    pub(crate) fn turn_away(&self, session: &mut Session) {
        let mut board = self.board();
        if board.turns_away {
            board.ledger.turn_away(session);
        }
    }

    fn wake(&self, board: &mut Board, event: Event) {
        match event {
            Event::PeerIdentified(_) => {
                board.peer_in_question = true;
                self.handshake.notify_waiters();
            }
            Event::Opened(_) => self.incoming.notify_one(),
            Event::Readable(stream) => board.wake(stream, Half::Receiving),
            Event::Writable(stream) | Event::Finished(stream) | Event::Stopped { stream, .. } => {
                board.wake(stream, Half::Sending);
            }
            Event::StreamsAvailable(direction) => self.available(direction).notify_one(),
            Event::DatagramsReadable => self.datagrams.notify_one(),
            Event::PeerShutdown => self.no_more_streams(),
            Event::Closed(reason) => {
                debug!(parent: &self.span, %reason, "closed");
                self.wake_all(board);
            }
            _ => self.handshake.notify_waiters(),
        }
    }

    /// One of the ends has shut down.
    pub(crate) fn no_more_streams(&self) {
        self.incoming.notify_waiters();
        self.bidirectional.notify_waiters();
        self.unidirectional.notify_waiters();
    }

    fn wake_all(&self, board: &mut Board) {
        self.no_more_streams();
        self.handshake.notify_waiters();
        self.datagrams.notify_waiters();
        self.ended.notify_waiters();
        let readers = board.readers.drain();
        readers.chain(board.writers.drain()).for_each(|(_, waker)| waker.wake());
    }

    /// Nobody drives the session any more.
    pub(crate) fn over(&self) {
        let mut board = self.board();
        board.is_over = true;
        self.wake_all(&mut board);
    }
}

impl Board {
    /// Remembers who waits for news of a half of a stream.
    pub(crate) fn park(&mut self, stream: StreamId, half: Half, waker: &Waker) {
        self.parked(half).entry(stream).and_modify(|parked| parked.clone_from(waker)).or_insert_with(|| waker.clone());
    }

    /// Forgets it: the handle is gone.
    pub(crate) fn unpark(&mut self, stream: StreamId, half: Half) {
        self.parked(half).remove(&stream);
    }

    fn wake(&mut self, stream: StreamId, half: Half) {
        if let Some(waker) = self.parked(half).remove(&stream) {
            waker.wake();
        }
    }

    fn parked(&mut self, half: Half) -> &mut HashMap<StreamId, Waker> {
        match half {
            Half::Receiving => &mut self.readers,
            Half::Sending => &mut self.writers,
        }
    }
}
