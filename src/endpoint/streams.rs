//! Sessions on stream carriers: the driver has one carrier for each, and asks for bytes when that one takes some.
#![forbid(unsafe_code)]

use super::slab::Handle;
use super::{Address, Endpoint};
use crate::error::BufferTooSmall;
use crate::session::{StreamInput, Transmit};
use crate::time::Instant;

/// What is to be done about the carrier of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamTask {
    /// There may be something to send: ask [`Endpoint::poll_transmit_stream`] as often as it gives something and the carrier takes it.
    /// Remember the handle if the carrier is full: it is not named again before something more happens to the session.
    Transmit(Handle),
    /// The session is over: end the carrier, once it has taken everything. Each session on a stream carrier is named here once, and is gone
    /// then, unless it is [held](Endpoint::hold).
    End(Handle),
}

impl<A: Address> Endpoint<A> {
    /// Takes bytes from the stream carrier of a session, as [`Session::handle_stream`](crate::Session::handle_stream) does. Bytes for a
    /// session that is gone are consumed without a look.
    pub fn handle_stream(&mut self, now: Instant, handle: Handle, bytes: &mut [u8]) -> StreamInput {
        self.advance(now);
        let hosted = self.sessions.get_mut(handle).filter(|hosted| !hosted.session.is_on_datagrams());
        let Some(hosted) = hosted else { return StreamInput { consumed: bytes.len(), needed: 0 } };
        let input = hosted.session.handle_stream(self.now, bytes);
        self.answer_ticket(handle);
        self.touched(handle);
        input
    }

    /// The stream carrier of a session has ended, in whatever way: see
    /// [`Session::handle_link_lost`](crate::Session::handle_link_lost).
    pub fn handle_link_lost(&mut self, now: Instant, handle: Handle) {
        self.advance(now);
        if let Some(hosted) = self.sessions.get_mut(handle) {
            hosted.session.handle_link_lost(self.now);
            self.touched(handle);
        }
    }

    /// Writes what the session has to send on its stream carrier to the front of `buf`; `None` if there is nothing, or no such session.
    ///
    /// # Errors
    /// [`BufferTooSmall`], as with [`Session::poll_transmit`](crate::Session::poll_transmit).
    pub fn poll_transmit_stream(
        &mut self,
        now: Instant,
        handle: Handle,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        self.advance(now);
        self.meet(handle);
        let hosted = self.sessions.get_mut(handle).filter(|hosted| !hosted.session.is_on_datagrams());
        let Some(hosted) = hosted else { return Ok(None) };
        let transmit = hosted.session.poll_transmit(self.now, buf)?;
        self.settle(handle);
        Ok(transmit)
    }

    /// What is to be done next about any stream carrier; `None` if nothing is.
    pub fn poll_stream(&mut self) -> Option<StreamTask> {
        loop {
            let handle = self.sessions.handle_at(self.agenda.streams.pop()?);
            let Some((handle, hosted)) = handle.and_then(|handle| Some((handle, self.sessions.get_mut(handle)?)))
            else {
                continue;
            };
            if !hosted.session.is_finished() {
                return Some(StreamTask::Transmit(handle));
            }
            if !core::mem::replace(&mut hosted.has_ended_carrier, true) {
                self.settle(handle);
                return Some(StreamTask::End(handle));
            }
        }
    }
}
