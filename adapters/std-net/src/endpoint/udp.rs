//! The UDP socket of an endpoint, and the thread that waits for datagrams.
//!
//! Where it can, the thread keeps time as well: it waits until the next deadline, and an empty datagram from the socket to itself wakes it
//! when one has come nearer. Nothing else ends a wait for datagrams on every system. A connected socket does not hear itself; beside its
//! thread there is [another](super::clock_thread) that keeps time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use aitcp::{EcnCodepoint, Instant};
use aitcp_io::is_timeout;

use super::hub::Hub;

/// How long the thread waits at most.
const LOOK_UP: Duration = Duration::from_secs(1);
/// The shortest wait: sockets take no timeout of zero.
const MOMENT: Duration = Duration::from_micros(100);
/// How long the thread does nothing when the socket gives an error, lest it does nothing else.
const PAUSE: Duration = Duration::from_millis(1);
/// More than the longest datagram that UDP carries.
const BUFFER: usize = 64 << 10;

/// A UDP socket, connected or not.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UdpSocket,
    reach: Reach,
}

#[derive(Clone, Copy, Debug)]
enum Reach {
    /// Everybody, itself under this address.
    All { own: SocketAddr },
    /// The one that it is connected to.
    One { peer: SocketAddr },
}

impl Socket {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let reach = match socket.peer_addr() {
            Ok(peer) => Reach::One { peer },
            Err(_) => Reach::All { own: reachable(socket.local_addr()?) },
        };
        Ok(Self { socket, reach })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn reaches(&self, addr: SocketAddr) -> bool {
        match self.reach {
            Reach::All { .. } => true,
            Reach::One { peer } => peer == addr,
        }
    }

    /// Whether [`wake`](Self::wake) has an effect.
    pub(super) const fn hears_itself(&self) -> bool {
        matches!(self.reach, Reach::All { .. })
    }

    /// Ends the wait for datagrams. If there is no room for one more, there is something to wake up for.
    pub(super) fn wake(&self) {
        if let Reach::All { own } = self.reach {
            let _ = self.socket.send_to(&[], own);
        }
    }

    /// What cannot be sent is lost, as on the way.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) {
        let _ = match self.reach {
            Reach::All { .. } => self.socket.send_to(datagram, to),
            Reach::One { .. } => self.socket.send(datagram),
        };
    }

    /// Waits for a datagram. What goes wrong with one says nothing about others: sessions find out by themselves whether any come.
    fn receive<'a>(&self, wait: Duration, buffer: &'a mut [u8]) -> Option<(&'a mut [u8], SocketAddr)> {
        self.socket.set_read_timeout(Some(wait.max(MOMENT))).ok()?;
        let (len, from) = match self.socket.recv_from(buffer) {
            Ok(received) => received,
            Err(error) if is_timeout(&error) => return None,
            Err(_) => {
                thread::sleep(wait.min(PAUSE));
                return None;
            }
        };
        Some((buffer.get_mut(..len).filter(|datagram| !datagram.is_empty())?, from))
    }
}

impl Hub {
    /// What the socket's thread does.
    pub(super) fn serve_socket(&self, socket: &Socket) {
        let mut buffer = vec![0; BUFFER];
        loop {
            let mut state = self.lock();
            self.serve(&mut state);
            if state.is_over() {
                return;
            }
            let mut wait = LOOK_UP;
            if socket.hears_itself() {
                let (until, now) = (state.next_deadline(), self.clock.now());
                state.waits_until = until;
                wait = until.saturating_duration_since(now).min(LOOK_UP);
            }
            drop(state);
            let received = socket.receive(wait, &mut buffer);
            let mut state = self.lock();
            if socket.hears_itself() {
                state.waits_until = Instant::ORIGIN;
            }
            if let Some((datagram, from)) = received {
                state.endpoint.handle_datagram(self.clock.now(), from, EcnCodepoint::NotEct, datagram);
            }
        }
    }
}

/// Where a socket that is bound to `bound` is reached from the same machine: one that listens at all addresses, at the loopback one.
pub(super) fn reachable(mut bound: SocketAddr) -> SocketAddr {
    match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => bound.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => bound.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    bound
}
