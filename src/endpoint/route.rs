//! Between whom datagrams travel, and which of a session's paths that is.
#![forbid(unsafe_code)]

use alloc::vec;
use alloc::vec::Vec;

use crate::session::{PathId, Session};

/// Where a datagram comes from and where it has arrived, or where one goes and from where. A driver tells its own addresses always or
/// never: each pair of addresses is a path of its own, which a peer that changes to it has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route<A> {
    /// The peer's address.
    pub remote: A,
    /// One's own. `None` where there is only one, or the driver is not told: the operating system chooses.
    pub local: Option<A>,
}

/// To and from this peer's address, by whichever of one's own.
impl<A> From<A> for Route<A> {
    fn from(remote: A) -> Self {
        Self { remote, local: None }
    }
}

impl<A: Eq> Route<A> {
    /// Whether a datagram that came by `other` came by this one. A route without an own address takes any.
    fn covers(&self, other: &Self) -> bool {
        self.remote == other.remote && (self.local.is_none() || self.local == other.local)
    }
}

/// The routes that a session knows as paths: those that it may still send to. There are six at most (the present one, the one before, and
/// four with a challenge to be answered), so that it does not matter from how many addresses others send copies of its packets.
#[derive(Debug)]
pub(super) struct KnownPaths<A> {
    known: Vec<(PathId, Route<A>)>,
    /// What the next one is called. Never used again.
    next: u64,
}

impl<A: Copy + Eq> KnownPaths<A> {
    /// None: a session on a stream carrier.
    pub(super) const fn none() -> Self {
        Self { known: Vec::new(), next: 0 }
    }

    /// One, by the name that a new session gives its first.
    pub(super) fn new(first: Route<A>) -> Self {
        Self { known: vec![(PathId::default(), first)], next: 1 }
    }

    /// The path by which a datagram has come. One that is not known gets a name; see [`learn`](Self::learn).
    pub(super) fn of(&self, route: &Route<A>) -> PathId {
        let known = self.known.iter().find(|(_, known)| known.covers(route));
        known.map_or(PathId(self.next), |(path, _)| *path)
    }

    /// Keeps a path that was named for a datagram, if the session will send to it, and drops those to which it will not.
    pub(super) fn learn(&mut self, path: PathId, route: Route<A>, session: &Session) {
        if path.0 != self.next || !session.uses_path(path) {
            return;
        }
        self.known.retain(|(known, _)| session.uses_path(*known));
        self.known.push((path, route));
        self.next = self.next.saturating_add(1);
    }

    pub(super) fn route(&self, path: PathId) -> Option<Route<A>> {
        self.known.iter().find(|(known, _)| *known == path).map(|(_, route)| *route)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Where the session began.
    pub(super) fn first(&self) -> Option<Route<A>> {
        self.known.first().map(|(_, route)| *route)
    }
}
