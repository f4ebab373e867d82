//! The links between nodes.

use std::collections::HashMap;

use super::NodeId;
use super::schedule::Alarm;
use crate::{Conditions, DatagramLink, LinkStats, Rng};

/// A link, and when it is looked at next.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) link: DatagramLink,
    pub(super) alarm: Alarm,
}

/// All links, made when they are first needed. Each has its own seed, which depends on its ends alone: so no link's luck hangs on what
/// happens elsewhere.
#[derive(Debug)]
pub(super) struct Paths {
    seed: u64,
    /// What links do that are made from now on.
    conditions: Conditions,
    list: Vec<Path>,
    /// The place in the list, by sender and receiver. Only looked up, never walked.
    by_ends: HashMap<(NodeId, NodeId), usize>,
}

impl Paths {
    /// The place of the link for what no node has sent.
    pub(super) const INJECTED: usize = 0;

    pub(super) fn new(seed: u64) -> Self {
        let injected = Path { link: DatagramLink::new(seed, Conditions::default()), alarm: None };
        Self { seed, conditions: Conditions::default(), list: vec![injected], by_ends: HashMap::new() }
    }

    /// The place of the link from one node to another.
    pub(super) fn place(&mut self, from: NodeId, to: NodeId) -> usize {
        *self.by_ends.entry((from, to)).or_insert_with(|| {
            let link = DatagramLink::new(link_seed(self.seed, from, to), self.conditions);
            self.list.push(Path { link, alarm: None });
            self.list.len() - 1
        })
    }

    pub(super) fn at(&mut self, place: usize) -> &mut Path {
        &mut self.list[place]
    }

    pub(super) fn link(&mut self, from: NodeId, to: NodeId) -> &mut DatagramLink {
        let place = self.place(from, to);
        &mut self.at(place).link
    }

    pub(super) fn conditions(&self, from: NodeId, to: NodeId) -> Conditions {
        self.made(from, to).map_or(self.conditions, |link| *link.conditions())
    }

    pub(super) fn stats(&self, from: NodeId, to: NodeId) -> LinkStats {
        self.made(from, to).map(DatagramLink::stats).unwrap_or_default()
    }

    /// A link, if it was needed yet.
    fn made(&self, from: NodeId, to: NodeId) -> Option<&DatagramLink> {
        self.by_ends.get(&(from, to)).map(|place| &self.list[*place].link)
    }

    /// Sets what all links do, those to come as well.
    pub(super) fn set_all(&mut self, conditions: Conditions) {
        self.conditions = conditions;
        self.list.iter_mut().skip(Self::INJECTED + 1).for_each(|path| path.link.set_conditions(conditions));
    }
}

fn link_seed(seed: u64, from: NodeId, to: NodeId) -> u64 {
    let ends = (from.0 as u64) << 32 | to.0 as u64;
    Rng::new(Rng::new(seed).next_u64() ^ Rng::new(ends).next_u64()).next_u64()
}
