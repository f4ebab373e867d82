//! Who has which address.

use super::NodeId;
use crate::Address;

/// The node that has an address, and what it calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) node: NodeId,
    pub(super) local: Address,
}

/// One of a node's addresses: as it knows it, and as all others do. They differ behind a NAT that was rebound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) local: Address,
    pub(super) public: Address,
}

/// All addresses, whose numbers run from 1 and are never used again.
#[derive(Debug)]
pub(super) struct Addresses {
    /// By public address.
    owners: Vec<Option<Owner>>,
    /// By node, the one it uses first.
    interfaces: Vec<Vec<Interface>>,
}

impl Addresses {
    pub(super) fn new() -> Self {
        Self { owners: vec![None], interfaces: Vec::new() }
    }

    /// Adds a node with its first address.
    pub(super) fn add_node(&mut self) {
        let node = NodeId(self.interfaces.len());
        self.interfaces.push(Vec::new());
        self.add(node);
    }

    /// Gives a node one address more.
    pub(super) fn add(&mut self, node: NodeId) -> Address {
        let public = self.allot(node, None);
        self.interfaces[node.0].push(Interface { local: public, public });
        public
    }

    /// Takes a public address away; whether anyone had it.
    pub(super) fn remove(&mut self, public: Address) -> bool {
        let Some(owner) = self.owner(public) else { return false };
        self.interfaces[owner.node.0].retain(|interface| interface.public != public);
        self.forget(public);
        true
    }

    /// Replaces all public addresses of a node.
    pub(super) fn rebind(&mut self, node: NodeId) {
        for place in 0..self.interfaces[node.0].len() {
            let Interface { local, public } = self.interfaces[node.0][place];
            self.forget(public);
            self.interfaces[node.0][place].public = self.allot(node, Some(local));
        }
    }

    pub(super) fn owner(&self, public: Address) -> Option<Owner> {
        *self.owners.get(usize::try_from(public.0).ok()?)?
    }

    /// A node's addresses, the one it uses first at the front.
    pub(super) fn of(&self, node: NodeId) -> &[Interface] {
        &self.interfaces[node.0]
    }

    /// As whom others see what a node sends from one of its addresses.
    pub(super) fn public(&self, node: NodeId, local: Option<Address>) -> Option<Address> {
        let mut interfaces = self.of(node).iter();
        let interface = match local {
            Some(local) => interfaces.find(|interface| interface.local == local),
            None => interfaces.next(),
        };
        interface.map(|interface| interface.public)
    }

    /// The next public address, for a node that calls it `local`, or the same if that is `None`.
    fn allot(&mut self, node: NodeId, local: Option<Address>) -> Address {
        let public = Address(self.owners.len() as u64);
        self.owners.push(Some(Owner { node, local: local.unwrap_or(public) }));
        public
    }

    fn forget(&mut self, public: Address) {
        if let Some(owner) = self.owners.get_mut(public.0 as usize) {
            *owner = None;
        }
    }
}
