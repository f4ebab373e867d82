//! Who has sent how much to whom.

use std::collections::HashMap;

use super::NodeId;
use crate::Address;

/// Bytes of datagrams between a node and an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// What the node has received from the address, or what seemed to come from it.
    pub received: u64,
    /// What the node has sent to the address, whether or not it arrived.
    pub sent: u64,
}

impl Traffic {
    /// How many times more the node has sent than received: infinity if it has sent without having received.
    #[must_use]
    pub fn amplification(&self) -> f64 {
        match self.sent {
            0 => 0.0,
            sent => sent as f64 / self.received as f64,
        }
    }
}

/// The traffic of each node with each address. Only looked up, never walked, so the order of the table cannot matter.
#[derive(Debug, Default)]
pub(super) struct TrafficTable(HashMap<(NodeId, Address), Traffic>);

impl TrafficTable {
    pub(super) fn count_sent(&mut self, node: NodeId, to: Address, len: usize) {
        self.0.entry((node, to)).or_default().sent += len as u64;
    }

    pub(super) fn count_received(&mut self, node: NodeId, from: Address, len: usize) {
        self.0.entry((node, from)).or_default().received += len as u64;
    }

    pub(super) fn get(&self, node: NodeId, address: Address) -> Traffic {
        self.0.get(&(node, address)).copied().unwrap_or_default()
    }

    pub(super) fn forget(&mut self) {
        self.0 = HashMap::new();
    }
}
