//! Best-effort datagrams: each arrives whole and once, or not at all, in any order; nothing is sent again.
#![forbid(unsafe_code)]

use crate::config::Limits;
use crate::crypto::provider::TAG_LEN;
use crate::error::{RecvDatagramError, SendDatagramError};
use crate::event::ProtocolCode;
use crate::session::datagram_queue::DatagramQueue;
use crate::session::{Phase, Session};
use crate::wire::HEADER_LEN;
use crate::wire::payload::PayloadWriter;

/// What a packet has besides a datagram that is alone in it.
const OVERHEAD: usize = HEADER_LEN + PayloadWriter::DATAGRAM_OVERHEAD + TAG_LEN;

/// The datagrams of one session, both ways.
#[derive(Debug, Default)]
pub(crate) struct BestEffort {
    pub(super) outgoing: DatagramQueue,
    incoming: DatagramQueue,
    /// The longest that the peer takes.
    peer_max: u16,
    /// Some have come that the application has not been told of.
    is_news: bool,
}

impl BestEffort {
    pub(super) fn set_peer(&mut self, max: u16) {
        self.peer_max = max;
    }

    /// One has come (R-8.10-8).
    pub(super) fn receive(&mut self, datagram: &[u8], limits: &Limits) -> Result<(), ProtocolCode> {
        if limits.max_datagram == 0 || datagram.len() > limits.max_datagram.into() {
            return Err(ProtocolCode::Forbidden);
        }
        self.incoming.push(datagram, limits.datagram_queue.into());
        self.is_news = true;
        Ok(())
    }

    /// Whether there is something to say about datagrams that was not said.
    pub(in crate::session) fn take_news(&mut self) -> bool {
        core::mem::take(&mut self.is_news) && !self.incoming.is_empty()
    }

    /// How many were dropped for want of room: to be sent, and received.
    pub(in crate::session) fn dropped(&self) -> (u64, u64) {
        (self.outgoing.dropped(), self.incoming.dropped())
    }

    /// What is still to be sent will not be.
    pub(super) fn end(&mut self) {
        self.outgoing.clear();
    }
}

impl Session {
    /// Sends a datagram at best effort: it arrives whole and once, or not at all, and other things may overtake it. Where more wait than
    /// [`Limits::datagram_queue`], the oldest are dropped and counted in
    /// [`Stats::datagrams_dropped`](crate::Stats::datagrams_dropped).
    ///
    /// # Errors
    /// [`SendDatagramError`]; nothing was taken.
    pub fn send_datagram(&mut self, datagram: &[u8]) -> Result<(), SendDatagramError> {
        match self.phase {
            Phase::Handshake(_) | Phase::Undecided(_) => return Err(SendDatagramError::NotEstablished),
            Phase::Closing(..) | Phase::Closed => return Err(SendDatagramError::Closed),
            Phase::Open(_) => {}
        }
        let max = self.max_datagram().ok_or(SendDatagramError::Unsupported)?;
        if datagram.len() > max {
            return Err(SendDatagramError::TooLarge { max });
        }
        let limit = self.config.shared().limits.datagram_queue;
        if let Some(side) = &mut self.datagrams {
            side.best_effort.outgoing.push(datagram, limit.into());
        }
        Ok(())
    }

    /// The longest datagram that can be sent now, in bytes; it changes with what the path is found to carry. `None` if none can: on a
    /// stream carrier, before the session is established, or if one of the ends takes none.
    #[must_use]
    pub fn max_datagram(&self) -> Option<usize> {
        let side = self.datagrams.as_ref()?;
        let delivery = side.delivery.as_ref()?;
        let packet = usize::from(delivery.recovery.stats().mtu).saturating_sub(OVERHEAD);
        let agreed = side.best_effort.peer_max.min(self.config.shared().limits.max_datagram);
        (agreed > 0).then(|| packet.min(agreed.into()))
    }

    /// Copies the oldest datagram that has come to the front of `buf`, and returns its length. Still possible when the session has
    /// ended. Where more wait than [`Limits::datagram_queue`], the oldest are dropped.
    ///
    /// # Errors
    /// [`RecvDatagramError`]; after [`RecvDatagramError::Blocked`] comes an
    /// [`Event::DatagramsReadable`](crate::Event::DatagramsReadable).
    pub fn recv_datagram(&mut self, buf: &mut [u8]) -> Result<usize, RecvDatagramError> {
        let takes_any = self.config.shared().limits.max_datagram > 0;
        let (is_admitted, has_ended) = (self.is_admitted(), matches!(self.phase, Phase::Closing(..) | Phase::Closed));
        let side = self.datagrams.as_mut().filter(|_| takes_any).ok_or(RecvDatagramError::Unsupported)?;
        let nothing = if has_ended { RecvDatagramError::Closed } else { RecvDatagramError::Blocked };
        let incoming = &mut side.best_effort.incoming;
        let needed = incoming.front_len().filter(|_| is_admitted).ok_or(nothing)?;
        incoming.pop(buf).ok_or(RecvDatagramError::BufferTooSmall { needed })
    }
}
