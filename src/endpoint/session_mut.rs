//! A session in the hands of the application.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::{Deref, DerefMut};

use super::agenda::Agenda;
use super::slab::Handle;
use super::{Address, Hosted};
use crate::session::Session;

/// A session of an [`Endpoint`](super::Endpoint) with all its verbs. When it is let go, the endpoint takes note that there may be something
/// to send, to tell, or to wait for.
///
/// Leave the wire, time and [`poll_event`](Session::poll_event) to the endpoint, and do not put another session in the place of this one.
pub struct SessionMut<'a, A: Address> {
    handle: Handle,
    hosted: &'a mut Hosted<A>,
    agenda: &'a mut Agenda,
}

impl<'a, A: Address> SessionMut<'a, A> {
    pub(super) fn new(handle: Handle, hosted: &'a mut Hosted<A>, agenda: &'a mut Agenda) -> Self {
        Self { handle, hosted, agenda }
    }
}

impl<A: Address> Deref for SessionMut<'_, A> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.hosted.session
    }
}

impl<A: Address> DerefMut for SessionMut<'_, A> {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.hosted.session
    }
}

impl<A: Address> Drop for SessionMut<'_, A> {
    /// What changes for the endpoint, it finds out when the session's turn in the queue of events comes.
    fn drop(&mut self) {
        self.agenda.wake(self.handle.index, &self.hosted.session);
    }
}

impl<A: Address> fmt::Debug for SessionMut<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hosted.session.fmt(f)
    }
}
