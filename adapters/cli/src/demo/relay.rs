//! A hostile relay: it stands between two agents on the wire, passes their packets on, and strikes once.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;

/// The clear header in front of every packet, and where in it kind and length of the body are (specification, section 3).
const HEADER: usize = 24;
const KIND: usize = 1;
const LENGTH: usize = 2;
/// The kind of the packets that carry what applications send.
const DATA: u8 = 9;

/// The demonstration hangs no longer than this, whatever goes wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the relay does to the initiator's first data packet. It sees headers, lengths and ciphertext, and holds no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Attack {
    /// Puts a packet of its own making in front of it.
    Forge,
    /// Passes on its first half, with a header that says that this is all.
    Truncate,
    /// Passes it on twice.
    Replay,
    /// Cuts the connection in the middle of it.
    Cut,
}

impl Attack {
    pub(crate) const ALL: [Self; 4] = [Self::Forge, Self::Truncate, Self::Replay, Self::Cut];
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forge => "to forge a packet",
            Self::Truncate => "to truncate a packet",
            Self::Replay => "to replay a packet",
            Self::Cut => "to cut the connection mid-packet",
        })
    }
}

/// A relay for one connection.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    thread: JoinHandle<io::Result<bool>>,
}

impl Relay {
    /// Listens on a loopback port of its own for the initiator, and connects to the responder on its behalf.
    pub(crate) fn start(attack: Attack, responder: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let thread = thread::spawn(move || {
            let (initiator, _) = listener.accept()?;
            relay(attack, initiator, TcpStream::connect(responder)?)
        });
        Ok(Self { address, thread })
    }

    /// Where the initiator finds what it takes for the responder.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the end of the connection; whether the relay has struck.
    pub(crate) fn join(self) -> io::Result<bool> {
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the relay panicked")))
    }
}

fn relay(attack: Attack, mut initiator: TcpStream, mut responder: TcpStream) -> io::Result<bool> {
    for side in [&initiator, &responder] {
        side.set_read_timeout(Some(PATIENCE))?;
        side.set_write_timeout(Some(PATIENCE))?;
        side.set_nodelay(true)?;
    }
    let (mut back_from, mut back_to) = (responder.try_clone()?, initiator.try_clone()?);
    let back = thread::spawn(move || {
        // How the answers end does not matter: the agents say themselves what became of the session.
        let _ = io::copy(&mut back_from, &mut back_to);
        let _ = back_to.shutdown(Shutdown::Write);
    });
    let mut struck = false;
    while let Some(packet) = read_packet(&mut initiator)? {
        let strike = !struck && packet[KIND] == DATA;
        let bytes = if strike { attack.apply(&packet) } else { packet };
        struck |= strike;
        // Once it has been attacked, the responder may be gone at any moment.
        if responder.write_all(&bytes).is_err() || (strike && attack == Attack::Cut) {
            break;
        }
    }
    let _ = responder.shutdown(Shutdown::Write);
    let _ = back.join();
    Ok(struck)
}

impl Attack {
    /// What goes out in place of `packet`.
    fn apply(self, packet: &[u8]) -> Vec<u8> {
        let (header, body) = packet.split_at(HEADER);
        match self {
            Self::Forge => {
                let forged = [header, &vec![0x5A; body.len()]].concat();
                [&forged, packet].concat()
            }
            Self::Truncate => {
                let half = &body[..body.len() / 2];
                let mut shortened = [header, half].concat();
                shortened[LENGTH..LENGTH + 2].copy_from_slice(&(half.len() as u16).to_le_bytes());
                shortened
            }
            Self::Replay => [packet, packet].concat(),
            Self::Cut => packet[..HEADER + body.len() / 2].to_vec(),
        }
    }
}

/// The next packet, header and body; `None` at the end of the stream or when its reader has gone.
fn read_packet(from: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut packet = vec![0; HEADER];
    match from.read_exact(&mut packet) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let length = u16::from_le_bytes([packet[LENGTH], packet[LENGTH + 1]]);
    packet.resize(HEADER + usize::from(length), 0);
    from.read_exact(&mut packet[HEADER..])?;
    Ok(Some(packet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![7; HEADER];
        packet[KIND] = kind;
        packet[LENGTH..LENGTH + 2].copy_from_slice(&(body.len() as u16).to_le_bytes());
        packet.extend_from_slice(body);
        packet
    }

    /// What comes out at the responder when the initiator sends `sent` and ends.
    fn through(attack: Attack, sent: &[u8]) -> (Vec<u8>, bool) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Relay::start(attack, listener.local_addr().unwrap()).unwrap();
        let mut initiator = TcpStream::connect(relay.address()).unwrap();
        initiator.write_all(sent).unwrap();
        initiator.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
        (received, relay.join().unwrap())
    }

    #[test]
    fn each_attack_strikes_the_first_data_packet_and_nothing_else() {
        let hello = packet(1, b"hello");
        let [first, second] = [packet(DATA, b"first!"), packet(DATA, b"second")];
        let sent = [&hello[..], &first, &second].concat();
        let forged = packet(DATA, &[0x5A; 6]);
        let half = packet(DATA, b"fir");
        for (attack, expected) in [
            (Attack::Forge, [&hello[..], &forged, &first, &second].concat()),
            (Attack::Truncate, [&hello[..], &half, &second].concat()),
            (Attack::Replay, [&hello[..], &first, &first, &second].concat()),
            (Attack::Cut, [&hello[..], &first[..HEADER + 3]].concat()),
        ] {
            assert_eq!(through(attack, &sent), (expected, true), "{attack}");
        }
    }

    #[test]
    fn without_a_data_packet_nothing_is_touched() {
        let sent = [packet(1, b"hello"), packet(8, b"auth")].concat();
        for attack in Attack::ALL {
            assert_eq!(through(attack, &sent), (sent.clone(), false));
        }
    }
}
