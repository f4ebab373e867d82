//! Feeds a session so many datagrams of a kind: for counting instructions, which has to show that no datagram costs much more than a
//! genuine one (`.ci/run instructions`).
//!
//! ```sh
//! adversarial_work KIND COUNT
//! ```

use std::error::Error;

use aitcp::{Carrier, Direction, Ending, Meta, PathId, Role, Session};
use aitcp_testkit::{Rng, Setup};

/// How many packets are made, whatever the count: so that two counts differ by the feeding alone.
const PACKETS: usize = 2_000;
const MESSAGE: usize = 1_000;

type Datagrams = Vec<Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().ok_or("which kind?")?;
    let count: usize = arguments.next().ok_or("how many?")?.parse()?;
    let (mut receiver, genuine) = established()?;
    let datagrams: Vec<Vec<u8>> = (0..PACKETS).map(|at| datagram(&kind, &genuine, at)).collect::<Result<_, _>>()?;
    let now = aitcp::Instant::ORIGIN;
    let mut room = vec![0; 1 << 16];
    for (at, mut datagram) in datagrams.into_iter().take(count).enumerate() {
        let path = if kind == "from elsewhere" { PathId(at as u64) } else { PathId::default() };
        let _ = receiver.handle_datagram(now, Meta { path, ..Meta::default() }, &mut datagram);
        while let Some(event) = receiver.poll_event() {
            if let aitcp::Event::Readable(stream) = event {
                while receiver.recv(stream, &mut room).is_ok() {}
            }
        }
        while receiver.poll_transmit(now, &mut room)?.is_some() {}
    }
    Ok(())
}

/// What an attacker makes of the genuine packet at this place.
fn datagram(kind: &str, genuine: &[Vec<u8>], at: usize) -> Result<Vec<u8>, String> {
    let mut rng = Rng::new(at as u64);
    let mut datagram = genuine[at].clone();
    match kind {
        "genuine" | "from elsewhere" => {}
        "altered" => *datagram.last_mut().ok_or("empty")? ^= 1,
        "replayed" => datagram.clone_from(&genuine[0]),
        "random body" => rng.fill(&mut datagram[24..]),
        "other link" => rng.fill(&mut datagram[8..16]),
        "unknown epoch" => datagram[4..8].fill(0xFF),
        "four in one" => {
            // The shortest Data packets, with the right header and anything behind it.
            let mut packet = datagram[..24 + 28].to_vec();
            packet[2..4].copy_from_slice(&28_u16.to_le_bytes());
            rng.fill(&mut packet[16..]);
            packet[22..24].fill(0);
            datagram = packet.repeat(4);
        }
        "noise" => datagram = rng.bytes(1_200),
        other => return Err(format!("no such kind: {other}")),
    }
    Ok(datagram)
}

/// A responder, and packets with a message each for it: those that a twin of it has got, from the same seed.
fn established() -> Result<(Session, Datagrams), Box<dyn Error>> {
    let setup = Setup { carrier: Carrier::Datagram { mtu: 1_232 }, ..Setup::default() };
    let now = aitcp::Instant::ORIGIN;
    let (mut sender, mut twin) = (setup.session(Role::Initiator, now), setup.session(Role::Responder, now));
    let mut receiver = setup.session(Role::Responder, now);
    let mut handshake = Vec::new();
    for _ in 0..4 {
        handshake.extend(exchange(&mut sender, &mut twin)?);
        exchange(&mut twin, &mut sender)?;
        while sender.poll_event().or(twin.poll_event()).is_some() {}
    }
    for mut datagram in handshake {
        let _ = receiver.handle_datagram(now, Meta::default(), &mut datagram);
        exchange(&mut receiver, &mut setup.session(Role::Initiator, now))?;
        while receiver.poll_event().is_some() {}
    }
    let stream = sender.open(Direction::Unidirectional)?;
    let mut genuine = Vec::new();
    let mut room = [0; MESSAGE];
    while genuine.len() < PACKETS {
        sender.send(stream, &[7; MESSAGE], Ending::End)?;
        genuine.extend(exchange(&mut sender, &mut twin)?.into_iter().filter(|datagram| datagram.len() > MESSAGE));
        while twin.recv(stream, &mut room).is_ok() {}
        exchange(&mut twin, &mut sender)?;
        while sender.poll_event().or(twin.poll_event()).is_some() {}
    }
    Ok((receiver, genuine))
}

/// Moves what one has to send to the other, and keeps it.
fn exchange(from: &mut Session, to: &mut Session) -> Result<Datagrams, Box<dyn Error>> {
    let now = aitcp::Instant::ORIGIN;
    let mut room = vec![0; 1_232];
    let mut datagrams = Vec::new();
    while let Some(transmit) = from.poll_transmit(now, &mut room)? {
        datagrams.push(room[..transmit.len].to_vec());
        let _ = to.handle_datagram(now, Meta::default(), &mut room[..transmit.len]);
    }
    Ok(datagrams)
}
