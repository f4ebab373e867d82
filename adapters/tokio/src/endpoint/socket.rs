//! A UDP socket, in batches.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::task::{Context, Poll, ready};

use aitcp::{EcnCodepoint, Route, Transmit};
use quinn_udp::{RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tracing::trace;

/// How many buffers are received into at a time.
const BATCH: usize = 8;
/// Each takes the longest datagram there is, or several that the operating system has put together.
const INCOMING: usize = 64 << 10;
/// What is sent at a time, in several datagrams: less than the longest one, as which the operating system treats them.
const OUTGOING: usize = 60 << 10;
/// How much waits in the operating system, in bytes: handshakes of a thousand peers at once, or ten milliseconds of a gigabit link.
const BUFFERS: usize = 2 << 20;

/// The socket of an endpoint, and what has been written and not been sent.
pub(super) struct Socket {
    socket: UdpSocket,
    os: UdpSocketState,
    /// The socket's port, if it has more than one address: then it matters from which of them is answered.
    port: Option<u16>,
    inbox: Box<[u8]>,
    outbox: Box<[u8]>,
    /// What of the outbox has still to be sent.
    unsent: Option<Batch>,
}

/// Datagrams of one length, the last one perhaps shorter, to one address.
struct Batch {
    range: Range<usize>,
    segment: usize,
    to: Route<SocketAddr>,
    ecn: EcnCodepoint,
}

impl Socket {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let local = socket.local_addr()?;
        Ok(Self {
            os: UdpSocketState::new((&socket).into())?,
            socket,
            port: local.ip().is_unspecified().then_some(local.port()),
            inbox: vec![0; BATCH.saturating_mul(INCOMING)].into(),
            outbox: vec![0; OUTGOING].into(),
            unsent: None,
        })
    }

    /// Asks for larger buffers; the operating system gives what it likes.
    pub(super) fn enlarge_buffers(&self) {
        let _ = self.os.set_recv_buffer_size((&self.socket).into(), BUFFERS);
        let _ = self.os.set_send_buffer_size((&self.socket).into(), BUFFERS);
    }

    /// Receives what is there, up to a batch; `each` gets every datagram. Not ready if nothing is there.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        mut each: impl FnMut(Route<SocketAddr>, EcnCodepoint, &mut [u8]),
    ) -> Poll<io::Result<()>> {
        let mut metas = [RecvMeta::default(); BATCH];
        let received = loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            let mut buffers = self.inbox.chunks_exact_mut(INCOMING);
            let mut slices: [_; BATCH] = std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
            let receive = || self.os.recv((&self.socket).into(), &mut slices, &mut metas);
            match self.socket.try_io(Interest::READABLE, receive) {
                Ok(received) => break received,
                // The latter is somebody's answer to what was sent there, and may be forged.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        };
        for (meta, buffer) in metas.iter().zip(self.inbox.chunks_exact_mut(INCOMING)).take(received) {
            let from = Route { remote: meta.addr, local: local(self.port, meta.dst_ip) };
            let ecn = EcnCodepoint::from_bits(meta.ecn.map_or(0, |ecn| ecn as u8));
            let datagrams = buffer.get_mut(..meta.len).unwrap_or_default().chunks_mut(meta.stride.max(1));
            datagrams.for_each(|datagram| each(from, ecn, datagram));
        }
        Poll::Ready(Ok(()))
    }

    /// Where the next datagrams are to be written; `None` while others have still to be sent.
    pub(super) fn outbox(&mut self) -> Option<&mut [u8]> {
        self.unsent.is_none().then_some(&mut self.outbox)
    }

    /// Takes what was written to the outbox.
    pub(super) fn load(&mut self, to: Route<SocketAddr>, transmit: Transmit) {
        let segment = transmit.segment.unwrap_or(transmit.len).max(1);
        self.unsent = Some(Batch { range: 0..transmit.len, segment, to, ecn: transmit.ecn });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unsent.is_none()
    }

    /// Sends what has been loaded. Not ready if the operating system takes no more now; what it refuses is lost, as it might be on its
    /// way.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(batch) = &mut self.unsent {
            let Ok(()) = ready!(self.socket.poll_send_ready(cx)) else { break };
            let most = batch.segment.saturating_mul(self.os.max_gso_segments().max(1));
            let end = batch.range.start.saturating_add(most).min(batch.range.end);
            let transmit = quinn_udp::Transmit {
                destination: batch.to.remote,
                ecn: quinn_udp::EcnCodepoint::from_bits(batch.ecn.bits()),
                contents: self.outbox.get(batch.range.start..end).unwrap_or_default(),
                segment_size: Some(batch.segment),
                src_ip: batch.to.local.map(|local| local.ip()),
            };
            let send = || self.os.try_send((&self.socket).into(), &transmit);
            match self.socket.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => trace!(%error, to = %batch.to.remote, "not sent"),
                Ok(()) => {}
            }
            batch.range.start = end;
            if batch.range.is_empty() {
                break;
            }
        }
        self.unsent = None;
        Poll::Ready(())
    }
}

/// The address to which a datagram has come, if that matters.
fn local(port: Option<u16>, ip: Option<IpAddr>) -> Option<SocketAddr> {
    Some(SocketAddr::new(ip?, port?))
}
