//! One whole session between two real ends, recorded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, Direction, Ending, Expect, Instant, KeyLog, Limits, RecvError, Role, Seed,
    ServerConfig, Session, StreamId, Suite, Timeouts, Verdict,
};

use crate::schedule::{HEADER_LEN, sha256};

const APP_PROTOCOL: &str = "vectors/1";
const NOW: Instant = Instant::ORIGIN;

/// The labels and contexts of keying material that both ends export, and how much of it.
pub(crate) const EXPORTS: [(&str, &[u8], usize); 3] =
    [("label", b"context", 32), ("", b"", 16), ("a longer label", &[0; 200], 500)];

/// What a session was made from, and all that it sent.
pub(crate) struct Recording {
    pub(crate) suite: Suite,
    pub(crate) realm: &'static str,
    pub(crate) pinned: bool,
    pub(crate) initiator: End,
    pub(crate) responder: End,
    pub(crate) packets: Vec<Sent>,
    /// By the label of the key log; the same at both ends.
    pub(crate) secrets: BTreeMap<&'static str, [u8; 32]>,
    /// One value for each of [`EXPORTS`]; the same at both ends.
    pub(crate) exports: Vec<Vec<u8>>,
}

/// What one end was made from.
pub(crate) struct End {
    pub(crate) seed: [u8; 32],
    pub(crate) identity_seed: [u8; 32],
    pub(crate) credentials: Vec<u8>,
}

/// A whole packet as it went over the carrier.
pub(crate) struct Sent {
    pub(crate) sender: Role,
    pub(crate) wire: Vec<u8>,
}

/// Runs a session of `suite` from beginning to end. The four differ in more than the suite: what is optional is there in one of them
/// and missing in another.
pub(crate) fn record(suite: Suite) -> Recording {
    let pinned = suite.id() != 2;
    let realm = if suite.id() == 1 { "" } else { "realm" };
    let end = |role| End {
        seed: fixed(suite, role, "seed"),
        identity_seed: fixed(suite, role, "identity"),
        credentials: if suite.id() == 4 { Vec::new() } else { fixed(suite, role, "credentials")[..20].to_vec() },
    };
    let (initiator, responder) = (end("initiator"), end("responder"));
    let mut pair = Pair::new(suite, realm, pinned, &initiator, &responder);
    pair.establish();
    pair.talk(&fixed(suite, "initiator", "message").repeat(150));
    let exports = pair.exports();
    if suite.is_hybrid() {
        pair.initiator.close(NOW, 7, "the end");
    } else {
        pair.responder.shutdown(NOW);
    }
    pair.settle();
    let [of_initiator, of_responder] = pair.logs.map(|log| log.0.lock().unwrap().clone());
    assert_eq!(of_initiator, of_responder, "both ends have the same secrets");
    Recording { suite, realm, pinned, initiator, responder, packets: pair.packets, secrets: of_initiator, exports }
}

/// Bytes that no one has to believe in: the hash of their name.
fn fixed(suite: Suite, role: &str, what: &str) -> [u8; 32] {
    sha256(format!("suite {} {role} {what}", suite.id()).as_bytes())
}

#[derive(Debug, Default)]
struct Log(Mutex<BTreeMap<&'static str, [u8; 32]>>);

impl KeyLog for Log {
    fn log(&self, label: &'static str, _random: &[u8; 32], secret: &[u8; 32]) {
        let known = self.0.lock().unwrap().insert(label, *secret);
        assert_eq!(known, None, "{label} is logged once");
    }
}

struct Pair {
    initiator: Session,
    responder: Session,
    logs: [Arc<Log>; 2],
    packets: Vec<Sent>,
}

impl Pair {
    fn new(suite: Suite, realm: &str, pinned: bool, initiator: &End, responder: &End) -> Self {
        let key = |end: &End| IdentityKey::from_seed(&RustCrypto, end.identity_seed).unwrap();
        let logs: [Arc<Log>; 2] = Default::default();

        let mut limits = Limits::default();
        limits.max_packet = 2_088;
        limits.stream_window = 64 << 10;
        limits.peer_bidirectional_streams = 10;
        limits.peer_unidirectional_streams = 10;
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(Duration::from_secs(30));
        // An offer that leads to `suite`, whatever the processor, and has others in it where it can.
        let offer: &[Suite] = match suite {
            Suite::HybridChaCha20Poly1305 => &[suite, Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm],
            Suite::HybridAes256Gcm => &[Suite::X25519Aes256Gcm, suite],
            _ => &[suite],
        };
        let client = ClientConfig::new(key(initiator), APP_PROTOCOL)
            .with_realm(realm)
            .with_credentials(&initiator.credentials)
            .with_suites(offer)
            .with_limits(limits)
            .with_timeouts(timeouts)
            .with_key_log(logs[0].clone());

        let mut limits = Limits::default();
        limits.max_packet = 4_096;
        let server = ServerConfig::new(key(responder), Admission::Any, &["other", APP_PROTOCOL])
            .with_realms(&["", "realm"])
            .with_credentials(&responder.credentials)
            .with_limits(limits)
            .with_compression(suite.id() == 3)
            .with_key_log(logs[1].clone());

        let expect = if pinned { Expect::Pinned(key(responder).peer_id()) } else { Expect::Ask };
        let seed = |end: &End| Seed::new(end.seed).unwrap();
        let initiator = Session::connect(NOW, Arc::new(client), expect, Carrier::Stream, seed(initiator)).unwrap();
        let responder = Session::accept(NOW, Arc::new(server), Carrier::Stream, seed(responder)).unwrap();
        Self { initiator, responder, logs, packets: Vec::new() }
    }

    fn establish(&mut self) {
        self.carry(Role::Initiator);
        self.carry(Role::Responder);
        self.initiator.decide(NOW, Verdict::Accept); // without effect where the responder is pinned
        self.settle();
    }

    /// Messages of several sizes on several streams, an echo, an end of each kind.
    fn talk(&mut self, long: &[u8]) {
        let echoed = self.initiator.open(Direction::Bidirectional).unwrap();
        for message in [b"first", &b""[..], long] {
            assert_eq!(self.initiator.send(echoed, message, Ending::End), Ok(message.len()));
        }
        self.initiator.finish(echoed).unwrap();
        let one_way = self.initiator.open(Direction::Unidirectional).unwrap();
        self.initiator.send(one_way, b"one way", Ending::End).unwrap();
        self.initiator.finish(one_way).unwrap();
        let given_up = self.initiator.open(Direction::Unidirectional).unwrap();
        self.initiator.send(given_up, b"half of a mess", Ending::More).unwrap();
        self.carry(Role::Initiator);

        read_to_end(&mut self.responder, one_way, |_, _, _| {});
        read_to_end(&mut self.responder, echoed, |responder, bytes, ending| {
            assert_eq!(responder.send(echoed, bytes, ending), Ok(bytes.len()));
        });
        self.responder.finish(echoed).unwrap();
        self.carry(Role::Responder);
        self.initiator.reset(given_up, 42).unwrap();
        self.settle();
        read_to_end(&mut self.initiator, echoed, |_, _, _| {});
        assert_eq!(self.responder.recv(given_up, &mut [0; 32]), Err(RecvError::Reset(42)));
        self.settle();
    }

    fn exports(&self) -> Vec<Vec<u8>> {
        let export = |session: &Session, (label, context, len): (&str, &[u8], usize)| {
            let mut out = vec![0; len];
            session.export(label.as_bytes(), context, &mut out).unwrap();
            out
        };
        EXPORTS
            .iter()
            .map(|sample| {
                let exported = export(&self.initiator, *sample);
                assert_eq!(exported, export(&self.responder, *sample));
                exported
            })
            .collect()
    }

    /// Carries what either end has to send until there is nothing more.
    fn settle(&mut self) {
        while self.carry(Role::Initiator) | self.carry(Role::Responder) {}
    }

    /// Carries what `sender` has to send; false if there is nothing. Events say nothing that the recording does not show.
    fn carry(&mut self, sender: Role) -> bool {
        let (from, to) = match sender {
            Role::Initiator => (&mut self.initiator, &mut self.responder),
            Role::Responder => (&mut self.responder, &mut self.initiator),
        };
        let mut buf = vec![0; 64 << 10];
        let mut carried = false;
        while let Some(transmit) = from.poll_transmit(NOW, &mut buf).unwrap() {
            let bytes = &mut buf[..transmit.len];
            self.packets.extend(split(bytes).map(|packet| Sent { sender, wire: packet.to_vec() }));
            assert_eq!(to.handle_stream(NOW, bytes).consumed, transmit.len);
            while to.poll_event().is_some() {}
            carried = true;
        }
        while from.poll_event().is_some() {}
        carried
    }
}

/// Reads a stream to its end and shows each piece.
fn read_to_end(session: &mut Session, stream: StreamId, mut show: impl FnMut(&mut Session, &[u8], Ending)) {
    let mut buf = [0; 1_000];
    loop {
        let received = session.recv(stream, &mut buf).unwrap();
        if received.len > 0 || received.end_of_message {
            let ending = if received.end_of_message { Ending::End } else { Ending::More };
            show(session, &buf[..received.len], ending);
        }
        if received.end_of_stream {
            break;
        }
    }
}

/// The packets that follow each other in `bytes`.
fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length: [u8; 2] = bytes.get(2..4)?.try_into().ok()?;
        let (packet, rest) = bytes.split_at(HEADER_LEN + usize::from(u16::from_le_bytes(length)));
        bytes = rest;
        Some(packet)
    })
}
