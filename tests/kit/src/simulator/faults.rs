//! What tests do to nodes and to what lies between them.

use std::time::Duration;

use super::{Adversary, Node, NodeId, Simulator};
use crate::{Address, Conditions, Datagram};

impl<N: Node> Simulator<N> {
    /// Sets what all paths do, those to nodes to come as well.
    pub fn set_all_conditions(&mut self, conditions: Conditions) {
        self.network.paths.set_all(conditions);
    }

    /// Sets what the path from one node to another does. The way back is a path of its own.
    pub fn set_conditions(&mut self, from: NodeId, to: NodeId, conditions: Conditions) {
        self.network.paths.link(from, to).set_conditions(conditions);
    }

    /// Blocks all paths between the nodes of two groups, both ways.
    pub fn partition(&mut self, group: &[NodeId], other: &[NodeId]) {
        self.set_blocked(group, other, true);
    }

    /// Opens all paths between the nodes of two groups again.
    pub fn heal(&mut self, group: &[NodeId], other: &[NodeId]) {
        self.set_blocked(group, other, false);
    }

    fn set_blocked(&mut self, group: &[NodeId], other: &[NodeId], blocked: bool) {
        for one in group {
            for another in other {
                self.network.paths.link(*one, *another).set_blocked(blocked);
                self.network.paths.link(*another, *one).set_blocked(blocked);
            }
        }
    }

    /// Gives a node fresh addresses in the place of those that others know, as a NAT does that forgets. The node does not notice: it
    /// goes on with its own. What was sent to the old ones, or will be, is undeliverable.
    pub fn rebind(&mut self, node: NodeId) {
        self.network.addresses.rebind(node);
    }

    /// Gives a node one address more, which the node and all others know by the same number. It uses the one first that it has longest.
    pub fn add_address(&mut self, node: NodeId) -> Address {
        self.network.addresses.add(node)
    }

    /// Takes an address away, given as all others know it. What is sent to it or from it is undeliverable from now on.
    ///
    /// # Panics
    /// If nobody has it.
    pub fn remove_address(&mut self, address: Address) {
        assert!(self.network.addresses.remove(address), "nobody has {address:?}");
    }

    /// Sets a node's clock forward. Deadlines that lie in between fall due now.
    pub fn jump_clock_forward(&mut self, node: NodeId, by: Duration) {
        self.nodes[node.0].clock.jump_forward(by);
        self.poll_soon(node);
    }

    /// Sets a node's clock back, no further than to [`Instant::ORIGIN`](aitcp::Instant::ORIGIN). Deadlines fall due when it shows them.
    pub fn jump_clock_back(&mut self, node: NodeId, by: Duration) {
        self.nodes[node.0].clock.jump_back(by);
        self.poll_soon(node);
    }

    /// Ends a node without a word, and gives what is left of it; `None` if it has crashed before. What arrives for it is undeliverable
    /// until it [restarts](Self::restart).
    pub fn crash(&mut self, node: NodeId) -> Option<N> {
        self.nodes[node.0].node.take()
    }

    /// Puts a fresh node into the place of one that has crashed, or crashes now, and gives what is left of that. Addresses, the clock
    /// and datagrams on their way stay.
    pub fn restart(&mut self, node: NodeId, fresh: N) -> Option<N> {
        self.poll_soon(node);
        self.nodes[node.0].node.replace(fresh)
    }

    /// Puts an adversary on all paths, in the place of an earlier one.
    pub fn set_adversary(&mut self, adversary: impl Adversary + 'static) {
        self.network.adversary = Some(Box::new(adversary));
    }

    /// Takes the adversary away. What it has injected still arrives.
    pub fn remove_adversary(&mut self) {
        self.network.adversary = None;
    }

    /// Lets a datagram arrive after so much time that no node has sent, from any address, whatever the conditions of any path are.
    pub fn inject(&mut self, after: Duration, datagram: Datagram) {
        self.network.inject(self.now + after, datagram);
    }
}
