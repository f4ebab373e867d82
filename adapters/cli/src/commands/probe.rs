//! `aitcp probe`: who answers at an address, and how the handshake goes.
//!
//! It drives the core itself, to see each step of the handshake when it happens.

use std::fmt;
use std::io::ErrorKind::{self, BrokenPipe, ConnectionRefused, ConnectionReset};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use aitcp::{Carrier, CloseReason, EcnCodepoint, Event, Expect, Meta, PathId, PeerId, Session, Suite, Verdict};
use serde::Serialize;

use crate::address::HostPort;
use crate::args;
use crate::commands::key;
use crate::exit::{Exit, Failure};
use crate::key_file::{self, KeyFile};
use crate::output::Output;
use crate::session;

/// More than any packet of a handshake takes.
const BUFFER: usize = 4 << 10;
/// The longest datagram that every path carries.
const MTU: u16 = 1_232;

pub(crate) fn run(args: args::Probe, output: Output) -> Result<(), Failure> {
    let wants_in = args.key.is_some();
    let key = match args.key {
        Some(file) => key::read(Some(file))?.0,
        None => KeyFile::generate(String::new())?,
    };
    let begun = Instant::now();
    let socket = if args.udp { Wire::udp(&args.to.place)? } else { Wire::Tcp(session::reach(&args.to.place)?) };
    let connected = begun.elapsed();
    let address = socket.peer_addr().map_err(|error| session::failure(error, Exit::Unreachable))?;

    let config = session::client(key.identity, &args.app_protocol);
    let expect = args.to.peer.map_or(Expect::Ask, Expect::Pinned);
    let seed = aitcp_io::seed().map_err(|error| Failure::new(Exit::Local, error))?;
    let session = Session::connect(aitcp::Instant::ORIGIN, config, expect, socket.carrier(), seed)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let probe = Probe { session, socket, begun: Instant::now(), answered: None };
    let Found { answer, admission } = probe.follow().map_err(|error| session::failure(error, Exit::Unreachable))?;

    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    output.report(&Report::Probed {
        address,
        id: answer.peer.to_string(),
        fingerprint: key_file::fingerprint(&answer.peer),
        suite: answer.suite.to_string(),
        connect_milliseconds: (!args.udp).then(|| milliseconds(connected)),
        handshake_milliseconds: milliseconds(answer.after),
        admitted: admission.is_ok(),
        reason: admission.err().map(|reason| reason.to_string()),
    })?;
    match admission {
        // Nobody expects a key that was made a moment ago to be let in.
        Err(reason) if wants_in => Err(Failure::new(Exit::Refused, reason)),
        _ => Ok(()),
    }
}

/// A handshake under way.
struct Probe {
    session: Session,
    socket: Wire,
    begun: Instant,
    answered: Option<Answer>,
}

/// Somebody has proved an identity.
#[derive(Clone, Copy)]
struct Answer {
    peer: PeerId,
    suite: Suite,
    after: Duration,
}

/// What came out: who answered, and whether this agent was let in.
struct Found {
    answer: Answer,
    admission: Result<(), CloseReason>,
}

impl Probe {
    /// Goes on until the peer has decided, or nobody has proved anything: then the error has the reason as its source.
    fn follow(mut self) -> io::Result<Found> {
        let mut packets = Vec::new();
        loop {
            self.send()?;
            while let Some(event) = self.session.poll_event() {
                match (event, self.answered) {
                    (Event::PeerIdentified(_), _) => self.session.decide(self.now(), Verdict::Accept),
                    (Event::Established, _) => self.answered = self.answer(),
                    (Event::Confirmed, Some(answer)) => {
                        self.session.close(self.now(), 0, "");
                        // It has told what it was asked; how it takes the end does not matter.
                        let _ = self.send();
                        return Ok(Found { answer, admission: Ok(()) });
                    }
                    (Event::Closed(reason), Some(answer)) => return Ok(Found { answer, admission: Err(reason) }),
                    (Event::Closed(reason), None) => return Err(io::Error::other(reason)),
                    _ => {}
                }
            }
            // An event can have left something to say.
            self.send()?;
            self.receive(&mut packets)?;
        }
    }

    fn now(&self) -> aitcp::Instant {
        aitcp::Instant::ORIGIN + self.begun.elapsed()
    }

    fn answer(&self) -> Option<Answer> {
        let info = self.session.handshake()?;
        Some(Answer { peer: info.peer, suite: info.suite, after: self.begun.elapsed() })
    }

    fn send(&mut self) -> io::Result<()> {
        // Over UDP, there is room for one datagram at a time.
        let mut buffer = vec![0; if self.socket.is_udp() { MTU.into() } else { BUFFER }];
        let now = self.now();
        while let Some(transmit) = self.session.poll_transmit(now, &mut buffer).map_err(io::Error::other)? {
            match self.socket.send(&buffer[..transmit.len]) {
                Ok(()) => {}
                // The peer's last words may still be there to be read.
                Err(error) if matches!(error.kind(), BrokenPipe | ConnectionReset | ConnectionRefused) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for bytes or for the session's deadline, and hands on what there is.
    fn receive(&mut self, packets: &mut Vec<u8>) -> io::Result<()> {
        let wait = self.session.poll_timeout().map(|at| (at - self.now()).max(Duration::from_millis(1)));
        self.socket.set_read_timeout(wait)?;
        let mut buffer = [0; BUFFER];
        match self.socket.receive(&mut buffer) {
            Ok(length) if self.socket.is_udp() => {
                let meta = Meta { path: PathId::default(), ecn: EcnCodepoint::NotEct };
                self.session.handle_datagram(self.now(), meta, &mut buffer[..length]);
            }
            Ok(0) => self.session.handle_link_lost(self.now()),
            Ok(length) => {
                packets.extend_from_slice(&buffer[..length]);
                let input = self.session.handle_stream(self.now(), packets);
                packets.drain(..input.consumed);
            }
            Err(error) if is_no_end(&error) => {}
            Err(_) => self.session.handle_link_lost(self.now()),
        }
        self.session.handle_timeout(self.now());
        Ok(())
    }
}

/// What the packets travel over.
enum Wire {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl Wire {
    /// A socket for the first address of the host.
    fn udp(place: &HostPort) -> Result<Self, Failure> {
        let not_found = || session::unreachable(place, ErrorKind::NotFound.into());
        let address = session::addresses(place)?.next().ok_or_else(not_found)?;
        let socket = UdpSocket::bind(session::any_port(address)).map_err(|error| Failure::new(Exit::Local, error))?;
        socket.connect(address).map_err(|error| session::unreachable(place, error))?;
        Ok(Self::Udp(socket))
    }

    const fn is_udp(&self) -> bool {
        matches!(self, Self::Udp(_))
    }

    const fn carrier(&self) -> Carrier {
        match self {
            Self::Tcp(_) => Carrier::Stream,
            Self::Udp(_) => Carrier::Datagram { mtu: MTU },
        }
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.peer_addr(),
            Self::Udp(socket) => socket.peer_addr(),
        }
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_read_timeout(timeout),
            Self::Udp(socket) => socket.set_read_timeout(timeout),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.write_all(bytes),
            Self::Udp(socket) => socket.send(bytes).map(drop),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Udp(socket) => socket.recv(buffer),
        }
    }
}

fn is_no_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Report {
    /// `connect_milliseconds` is TCP's part; `handshake_milliseconds` is from the first packet to the proof of the peer's identity.
    Probed {
        address: SocketAddr,
        id: String,
        fingerprint: String,
        suite: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        connect_milliseconds: Option<f64>,
        handshake_milliseconds: f64,
        admitted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Probed {
            address,
            id,
            fingerprint,
            suite,
            connect_milliseconds,
            handshake_milliseconds,
            admitted: _,
            reason,
        } = self;
        writeln!(f, "address      {address}")?;
        writeln!(f, "id           {id}")?;
        writeln!(f, "fingerprint  {fingerprint}")?;
        writeln!(f, "suite        {suite}")?;
        if let Some(connect_milliseconds) = connect_milliseconds {
            writeln!(f, "connected    in {connect_milliseconds:.1} ms")?;
        }
        writeln!(f, "proved       in {handshake_milliseconds:.1} ms")?;
        match reason {
            None => f.write_str("admitted     yes"),
            Some(reason) => write!(f, "admitted     no: {reason}"),
        }
    }
}
