//! What must be delivered, and a pair of sessions that is held to it.

mod checked_pair;
mod flow;

use std::collections::BTreeMap;

use aitcp::{Direction, Role, StreamId};

pub use checked_pair::CheckedPair;
use flow::Flow;

/// The reference: for each direction of each stream, a queue of bytes and ends of messages. What was sent comes out once, in order, in
/// the same messages, unless it was reset or nobody wanted it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// All streams ever opened, in order.
    streams: Vec<StreamId>,
    /// By stream and sender.
    flows: BTreeMap<(StreamId, bool), Flow>,
}

impl Model {
    fn opened(&mut self, stream: StreamId, by: Role) {
        self.streams.push(stream);
        self.flows.insert(key(stream, by), Flow::default());
        if stream.direction() == Direction::Bidirectional {
            self.flows.insert(key(stream, by.peer()), Flow::default());
        }
    }

    /// One of the latest streams.
    fn pick(&self, stream: u8) -> Option<StreamId> {
        let latest = &self.streams[self.streams.len().saturating_sub(8)..];
        latest.get(usize::from(stream).checked_rem(latest.len())?).copied()
    }

    /// How much there is still to do for the applications.
    fn left(&self) -> usize {
        self.flows.values().map(Flow::left).sum()
    }

    /// What `sender` sends on `stream`, if it can send on it.
    fn flow(&mut self, stream: StreamId, sender: Role) -> Option<&mut Flow> {
        self.flows.get_mut(&key(stream, sender))
    }
}

fn key(stream: StreamId, sender: Role) -> (StreamId, bool) {
    (stream, sender == Role::Initiator)
}
