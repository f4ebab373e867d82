//! How many streams either end may open, and has open (specification, section 8.6). Indices count from 1, so that a limit on the
//! number of streams is the highest index that may be used.

#![forbid(unsafe_code)]

use super::peer_limits::PeerLimits;
use crate::config::Limits;
use crate::session::flow_control::{RecvCredit, SendCredit};
use crate::stream_id::{Direction, StreamId};

#[derive(Clone, Copy, Debug)]
struct PerDirection<T> {
    bidirectional: T,
    unidirectional: T,
}

impl<T> PerDirection<T> {
    const fn get(&self, direction: Direction) -> &T {
        match direction {
            Direction::Bidirectional => &self.bidirectional,
            Direction::Unidirectional => &self.unidirectional,
        }
    }

    const fn get_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Bidirectional => &mut self.bidirectional,
            Direction::Unidirectional => &mut self.unidirectional,
        }
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::Bidirectional, Direction::Unidirectional];

/// Opening streams, as credit: a stream that is opened is received, one that is done is consumed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    own: PerDirection<Own>,
    own_open: u64,
    own_max: u64,
    peer: PerDirection<RecvCredit>,
    /// The limit was lost on its way to the peer and has to be told again.
    again: PerDirection<bool>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Own {
    credit: SendCredit,
    /// The application was refused a stream and waits for one.
    waiting: bool,
}

impl Opening {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            own: PerDirection { bidirectional: Own::default(), unidirectional: Own::default() },
            own_open: 0,
            own_max: limits.own_streams.into(),
            peer: PerDirection {
                bidirectional: RecvCredit::new(limits.peer_bidirectional_streams.into()),
                unidirectional: RecvCredit::new(limits.peer_unidirectional_streams.into()),
            },
            again: PerDirection { bidirectional: false, unidirectional: false },
        }
    }

    pub(super) fn set_peer(&mut self, peer: &PeerLimits) {
        self.raise(Direction::Bidirectional, peer.bidirectional_streams);
        self.raise(Direction::Unidirectional, peer.unidirectional_streams);
    }

    /// Takes the peer's grant.
    pub(super) fn raise(&mut self, direction: Direction, limit: u64) {
        self.own.get_mut(direction).credit.raise(limit.min(StreamId::MAX_INDEX));
    }

    /// The index of the next stream of one's own (R-8.2-1), if there may be one (R-8.6-1).
    pub(super) fn open(&mut self, direction: Direction) -> Option<u64> {
        let allowed = self.can_open(direction);
        let own = self.own.get_mut(direction);
        own.waiting = !allowed;
        if !allowed {
            return None;
        }
        own.credit.spend(1);
        self.own_open = self.own_open.saturating_add(1);
        Some(own.credit.spent())
    }

    fn can_open(&self, direction: Direction) -> bool {
        self.own_open < self.own_max && self.own.get(direction).credit.available() > 0
    }

    /// How many streams of one's own have been opened.
    pub(super) const fn opened(&self, direction: Direction) -> u64 {
        self.own.get(direction).credit.spent()
    }

    /// Whether a stream of one's own has been opened.
    pub(super) const fn has_opened(&self, direction: Direction, index: u64) -> bool {
        index <= self.own.get(direction).credit.spent()
    }

    /// A direction in which the application can now open what it could not before. Told once.
    pub(super) fn poll_available(&mut self) -> Option<Direction> {
        let direction =
            DIRECTIONS.into_iter().find(|&direction| self.own.get(direction).waiting && self.can_open(direction))?;
        self.own.get_mut(direction).waiting = false;
        Some(direction)
    }

    /// Whether the peer may open the stream with this index.
    pub(super) const fn peer_may_open(&self, direction: Direction, index: u64) -> bool {
        index <= self.peer.get(direction).limit()
    }

    /// The index of the next stream up to `index` that the peer has opened by naming `index`, if there is one left.
    pub(super) fn open_by_peer(&mut self, direction: Direction, index: u64) -> Option<u64> {
        let credit = self.peer.get_mut(direction);
        if credit.received() >= index {
            return None;
        }
        credit.receive(1);
        Some(credit.received())
    }

    /// A stream is done: there is room for another (R-8.6-2).
    pub(super) fn close(&mut self, own: bool, direction: Direction) {
        if own {
            self.own_open = self.own_open.saturating_sub(1);
        } else {
            self.peer.get_mut(direction).consume(1);
        }
    }

    pub(super) const fn wants_update(&self) -> bool {
        self.is_due(Direction::Bidirectional) || self.is_due(Direction::Unidirectional)
    }

    const fn is_due(&self, direction: Direction) -> bool {
        self.peer.get(direction).wants_update() || *self.again.get(direction)
    }

    /// What was told of a limit was lost.
    pub(super) fn tell_again(&mut self, direction: Direction) {
        *self.again.get_mut(direction) = true;
    }

    /// A limit to tell the peer.
    pub(super) fn poll_update(&mut self) -> Option<(Direction, u64)> {
        let direction = DIRECTIONS.into_iter().find(|&direction| self.is_due(direction))?;
        *self.again.get_mut(direction) = false;
        Some((direction, self.peer.get_mut(direction).announce()))
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn digest(&self, sink: &mut impl FnMut(&[u8])) {
        for direction in DIRECTIONS {
            let (own, peer) = (self.own.get(direction), self.peer.get(direction));
            for number in [
                own.credit.spent(),
                own.credit.limit(),
                own.waiting.into(),
                peer.received(),
                peer.consumed(),
                peer.limit(),
            ] {
                sink(&number.to_le_bytes());
            }
        }
        sink(&self.own_open.to_le_bytes());
    }
}
