//! What an application has heard of each session, and what it may still hear.

use std::collections::{BTreeMap, BTreeSet};

use aitcp::{Endpoint, Event, Handle, Instant, PeerId};

/// Every handle that there has ever been.
#[derive(Debug, Default)]
pub(super) struct KnownHandles {
    all: BTreeMap<Handle, Known>,
    order: Vec<Handle>,
    pub(super) revoked: BTreeSet<PeerId>,
}

/// One of them.
#[derive(Debug, Default)]
struct Known {
    is_established: bool,
    is_closed: bool,
    /// Its carrier is to be ended.
    is_ended: bool,
    /// It finds nothing any more.
    is_gone: bool,
    is_on_stream: bool,
    /// The application wants to find it also when it is over.
    is_held: bool,
}

impl KnownHandles {
    /// The application has begun a session.
    pub(super) fn begun(&mut self, handle: Handle, is_on_stream: bool) {
        let known = Known { is_on_stream, ..Known::default() };
        assert!(self.all.insert(handle, known).is_none(), "{handle:?} was given out before");
        self.order.push(handle);
    }

    /// One of them, also of those that are gone.
    pub(super) fn pick(&self, number: u8) -> Option<Handle> {
        self.order.get(usize::from(number) % self.order.len().max(1)).copied()
    }

    pub(super) fn on_stream(&self) -> Vec<Handle> {
        self.order.iter().copied().filter(|handle| self.all[handle].is_on_stream).collect()
    }

    /// The application has held a session, or let go of it.
    pub(super) fn held(&mut self, handle: Handle, is_held: bool) {
        self.all.get_mut(&handle).expect("it was picked from these").is_held = is_held;
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = Handle> {
        self.all.iter().filter(|(_, known)| !known.is_gone).map(|(handle, _)| *handle)
    }

    pub(super) fn told(&mut self, endpoint: &Endpoint<u64>, handle: Handle, event: Event) {
        if !self.all.contains_key(&handle) {
            let begins = matches!(event, Event::Established | Event::PeerIdentified(_) | Event::Closed(_));
            assert!(begins, "the first that is heard of {handle:?} is {event:?}");
            self.begun(handle, false);
        }
        let session = endpoint.session(handle);
        let known = self.all.get_mut(&handle).expect("known by now");
        assert!(!known.is_closed && !known.is_gone, "{event:?} of {handle:?} after its end");
        match event {
            Event::Closed(_) => known.is_closed = true,
            Event::Established => {
                assert!(!known.is_established, "{handle:?} is established twice");
                known.is_established = true;
                let peer = session.and_then(|session| session.handshake()).map(|info| info.peer);
                assert!(peer.is_some_and(|peer| !self.revoked.contains(&peer)), "established with {peer:?}");
            }
            _ => assert!(session.is_some(), "{event:?} of {handle:?}, which is not there"),
        }
    }

    /// The carrier of a session is to be ended.
    pub(super) fn ended(&mut self, handle: Handle) {
        let known = self.all.get_mut(&handle).expect("it was begun by the application");
        assert!(known.is_on_stream && known.is_closed && !known.is_ended, "the end of {handle:?}");
        known.is_ended = true;
    }

    /// Whoever is gone stays so, and was told of.
    pub(super) fn check(&mut self, endpoint: &mut Endpoint<u64>, now: Instant) {
        for (&handle, known) in &mut self.all {
            if endpoint.session(handle).is_some() {
                assert!(!known.is_gone && (!known.is_ended || known.is_held), "{handle:?} is back");
                continue;
            }
            assert!(
                known.is_closed && known.is_ended == known.is_on_stream,
                "{handle:?} went without a word: {known:?}"
            );
            if !std::mem::replace(&mut known.is_gone, true) {
                refuse(endpoint, handle, now);
            }
        }
    }
}

/// Every verb refuses a handle whose session is gone.
fn refuse(endpoint: &mut Endpoint<u64>, handle: Handle, now: Instant) {
    assert!(endpoint.session_mut(now, handle).is_none() && endpoint.route(handle).is_none());
    assert!(!endpoint.hold(handle));
    endpoint.release(handle);
    endpoint.handle_link_lost(now, handle);
    let input = endpoint.handle_stream(now, handle, &mut [10; 30]);
    assert_eq!((input.consumed, input.needed), (30, 0));
    assert_eq!(endpoint.poll_transmit_stream(now, handle, &mut [0; 2_048]), Ok(None));
    assert!(endpoint.handles().all(|other| other != handle), "{handle:?} is still listed");
}
