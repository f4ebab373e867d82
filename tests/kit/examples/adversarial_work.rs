//! Feeds so many datagrams of a kind: for counting instructions, which has to show that no datagram costs much more than a genuine one of
//! the same kind (`.ci/run instructions`).
//!
//! ```sh
//! adversarial_work KIND COUNT
//! ```

use std::error::Error;
use std::sync::Arc;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, Direction, EcnCodepoint, Ending, Endpoint, EndpointConfig, EndpointLimits, Instant, Meta,
    PathId, Rate, Retry, Role, Seed, ServerConfig, Session, Suite,
};
use aitcp_testkit::forge::{
    Accept, Control, Fragment, HEADER_LEN, Header, Hello, HostileDatagrams, Kind, Payload, read_u64,
};
use aitcp_testkit::{Rng, Setup};

/// How many packets are made, whatever the count: so that two counts differ by the feeding alone.
const PACKETS: usize = 600;
/// The same where each packet takes a session of its own to make.
const ANSWERS: usize = 60;
const MESSAGE: usize = 1_000;
const NOW: Instant = Instant::ORIGIN;

type Datagrams = Vec<Vec<u8>>;
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().ok_or("which kind?")?;
    let count: usize = arguments.next().ok_or("how many?")?.parse()?;
    match kind.split_once(": ").ok_or("which family?")? {
        ("data", kind) => to_an_established_session(kind, count),
        ("sealed", kind) => sealed_by_the_peer(kind, count),
        ("hello", kind) => to_an_endpoint(kind, count),
        ("accept" | "auth", _) => to_initiators(&kind, count),
        (other, _) => Err(format!("no such family: {other}").into()),
    }
}

/// Lets a session have a datagram, and answer; its application reads what there is.
fn feed(session: &mut Session, path: PathId, datagram: &mut [u8], room: &mut [u8]) -> Result<()> {
    let _ = session.handle_datagram(NOW, Meta { path, ..Meta::default() }, datagram);
    while let Some(event) = session.poll_event() {
        if let aitcp::Event::Readable(stream) = event {
            while session.recv(stream, room).is_ok() {}
        }
    }
    while session.poll_transmit(NOW, room)?.is_some() {}
    Ok(())
}

// ---- by somebody on the path ------------------------------------------------------------------------------------------------------

fn to_an_established_session(kind: &str, count: usize) -> Result<()> {
    let (mut receiver, genuine) = established()?;
    let datagrams: Datagrams = (0..PACKETS).map(|at| altered(kind, &genuine, at)).collect::<Result<_>>()?;
    let mut room = vec![0; 1 << 16];
    for (at, mut datagram) in datagrams.into_iter().take(count).enumerate() {
        let path = if kind == "from elsewhere" { PathId(at as u64) } else { PathId::default() };
        feed(&mut receiver, path, &mut datagram, &mut room)?;
    }
    Ok(())
}

/// What an attacker makes of the genuine packet at this place.
fn altered(kind: &str, genuine: &[Vec<u8>], at: usize) -> Result<Vec<u8>> {
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
        other => return Err(format!("no such kind: {other}").into()),
    }
    Ok(datagram)
}

fn setup() -> Setup {
    Setup { carrier: Carrier::Datagram { mtu: 1_232 }, ..Setup::default() }
}

/// A responder, and packets with a message each for it: those that a twin of it has got, from the same seed.
fn established() -> Result<(Session, Datagrams)> {
    let setup = setup();
    let (mut sender, mut twin) = (setup.session(Role::Initiator, NOW), setup.session(Role::Responder, NOW));
    let mut receiver = setup.session(Role::Responder, NOW);
    let mut handshake = Vec::new();
    for _ in 0..4 {
        handshake.extend(exchange(&mut sender, &mut twin)?);
        exchange(&mut twin, &mut sender)?;
        while sender.poll_event().or(twin.poll_event()).is_some() {}
    }
    for mut datagram in handshake {
        let _ = receiver.handle_datagram(NOW, Meta::default(), &mut datagram);
        exchange(&mut receiver, &mut setup.session(Role::Initiator, NOW))?;
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
fn exchange(from: &mut Session, to: &mut Session) -> Result<Datagrams> {
    let mut room = vec![0; 1_232];
    let mut datagrams = Vec::new();
    while let Some(transmit) = from.poll_transmit(NOW, &mut room)? {
        datagrams.push(room[..transmit.len].to_vec());
        let _ = to.handle_datagram(NOW, Meta::default(), &mut room[..transmit.len]);
    }
    Ok(datagrams)
}

// ---- by a peer who means ill ------------------------------------------------------------------------------------------------------

fn sealed_by_the_peer(kind: &str, count: usize) -> Result<()> {
    let mut hostile = HostileDatagrams::established(&setup(), Role::Responder);
    // What the victim has sent, so that it can be acknowledged.
    for _ in 0..200 {
        hostile.send(&Payload::control(Control { code: Control::PING, ..Control::default() }));
        hostile.receive();
    }
    let mut sent: Vec<_> = hostile.received.iter().rev().map(|packet| (packet.number, packet.number)).collect();
    sent.dedup_by(|lower, higher| higher.0 < lower.0 + 2);
    let payloads = (0..PACKETS as u64).map(|at| payload(kind, at, &sent)).collect::<Result<Vec<_>>>()?;
    let datagrams: Datagrams = payloads.iter().map(|payload| hostile.seal_next(payload)).collect();
    let mut room = vec![0; 1 << 16];
    for mut datagram in datagrams.into_iter().take(count) {
        feed(&mut hostile.victim, PathId::default(), &mut datagram, &mut room)?;
    }
    assert!(hostile.victim.close_reason().is_none(), "{kind}: {:?}", hostile.victim.close_reason());
    Ok(())
}

/// As much of it as a packet of about the same length as a genuine one holds.
fn payload(kind: &str, at: u64, sent: &[(u64, u64)]) -> Result<Payload> {
    let many = |count: u64, control: &dyn Fn(u64) -> Control| Payload {
        controls: (0..count).map(control).collect(),
        ..Payload::default()
    };
    Ok(match kind {
        "ranges" => Payload { acks: sent.get(..32).ok_or("few")?.to_vec(), ack_delay: Some(0), ..Payload::default() },
        "challenges" => {
            many(30, &|more| Control { code: Control::PATH_CHALLENGE, a: at * 30 + more, ..Control::default() })
        }
        "pings" => many(30, &|_| Control { code: Control::PING, ..Control::default() }),
        "resets" => many(30, &|_| Control { code: Control::RESET, stream: 4, ..Control::default() }),
        "gaps" => {
            // Single bytes with a gap before each, the same places by turns.
            let fragment = |more| Fragment {
                stream: 4,
                offset: 1 + 2 * ((at * 40 + more) % 60_000),
                length: 1,
                ..Fragment::default()
            };
            Payload { fragments: (0..40).map(fragment).collect(), data: vec![0x5A; 40], ..Payload::default() }
        }
        other => return Err(format!("no such kind: {other}").into()),
    })
}

// ---- Hellos -----------------------------------------------------------------------------------------------------------------------

fn to_an_endpoint(kind: &str, count: usize) -> Result<()> {
    let mut limits = EndpointLimits::default();
    let unlimited = Rate { per_second: 1 << 30, burst: 1 << 30 };
    (limits.without_cookie, limits.half_opens_per_address) = (unlimited, 2_048);
    limits.retry = if kind.starts_with("with") { Retry::Always } else { Retry::Never };
    let key = IdentityKey::from_seed(&RustCrypto, [1; 32])?;
    let server = ServerConfig::new(key, Admission::Any, &["test/1"]).with_suites(&[Suite::X25519ChaCha20Poly1305]);
    let config = EndpointConfig::new().with_server(Arc::new(server)).with_limits(limits);
    let mut endpoint = Endpoint::<u64>::new(NOW, config, Seed::new([1; 32])?)?;
    let datagrams = (0..PACKETS).map(|at| hello(kind, at)).collect::<Result<Vec<_>>>()?;
    let mut room = vec![0; 1 << 16];
    for mut datagram in datagrams.into_iter().take(count) {
        endpoint.handle_datagram(NOW, 7, EcnCodepoint::NotEct, &mut datagram);
        while endpoint.poll_transmit(NOW, &mut room)?.is_some() {}
        while endpoint.poll_event().is_some() {}
    }
    Ok(())
}

fn hello(kind: &str, at: usize) -> Result<Vec<u8>> {
    let mut rng = Rng::new(at as u64);
    let mut hello = Hello { padding: Some(vec![0; 700]), ..Hello::default() };
    if kind != "again" {
        rng.fill(&mut hello.random);
        hello.connection_id = rng.next_u64() | 1;
    }
    match kind {
        "genuine" | "again" | "without a cookie" | "cut" => {}
        "with a wrong cookie" => rng.fill(&mut hello.cookie),
        "weak share" => hello.key_share = [0; 32],
        "many suites" => hello.suites = (100..228).collect(),
        other => return Err(format!("no such kind: {other}").into()),
    }
    // As long as every Hello is in a datagram.
    let missing = 1_232_usize.checked_sub(hello.packet().len()).ok_or("too long")?;
    hello.padding = Some(vec![0; 700 + missing]);
    let mut packet = hello.packet();
    if kind == "cut" {
        packet.pop();
    }
    Ok(packet)
}

// ---- answers to Hellos ------------------------------------------------------------------------------------------------------------

/// Each datagram meets an initiator of its own, which has said Hello.
fn to_initiators(kind: &str, count: usize) -> Result<()> {
    let mut room = vec![0; 1 << 16];
    let mut pairs = (0..ANSWERS).map(|at| answer(kind, at)).collect::<Result<Vec<_>>>()?;
    for (initiator, datagram) in pairs.iter_mut().take(count) {
        feed(initiator, PathId::default(), datagram, &mut room)?;
    }
    Ok(())
}

/// An initiator, and what is to answer it.
fn answer(kind: &str, at: usize) -> Result<(Session, Vec<u8>)> {
    let setup = Setup { seed: at as u64, ..setup() };
    let (mut initiator, mut responder) = (setup.session(Role::Initiator, NOW), setup.session(Role::Responder, NOW));
    let hello = exchange(&mut initiator, &mut responder)?.remove(0);
    let id = read_u64(&hello[HEADER_LEN..], 4).ok_or("no id")?;
    let flight = exchange(&mut responder, &mut setup.session(Role::Initiator, NOW))?.concat();
    let accept_len = HEADER_LEN + usize::from(Header::read(&flight).length);
    let (accept, auth) = flight.split_at(accept_len);
    let mut rng = Rng::new(at as u64);
    let mut forged = || {
        let mut accept = Accept::default();
        rng.fill(&mut accept.random);
        Header::new(Kind::Accept, id).packet(&accept.table().build())
    };
    let mut show = |mut datagram: Vec<u8>| _ = initiator.handle_datagram(NOW, Meta::default(), &mut datagram);
    let mut datagram = match kind {
        "accept: genuine" => accept.to_vec(),
        "accept: forged" => forged(),
        "accept: ninth" => {
            (0..8).for_each(|_| show(forged()));
            forged()
        }
        _ => auth.to_vec(),
    };
    if kind.starts_with("auth") {
        // Up to eight candidates, each of which may be the one that this packet belongs to.
        let forgeries = if kind.ends_with("eight candidates") { 7 } else { 0 };
        (0..forgeries).for_each(|_| show(forged()));
        show(accept.to_vec());
    }
    match kind {
        "auth: altered" | "auth: altered, eight candidates" => *datagram.last_mut().ok_or("empty")? ^= 1,
        "accept: genuine"
        | "accept: forged"
        | "accept: ninth"
        | "auth: genuine"
        | "auth: genuine, eight candidates" => {}
        other => return Err(format!("no such kind: {other}").into()),
    }
    Ok((initiator, datagram))
}
