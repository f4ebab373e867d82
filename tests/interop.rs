//! Sessions over real TCP with the peer in Python that was written from the specification alone (`tests/interop.py`): each end in each
//! role, with every suite.
//!
//! Run by `AITCP_PYTHON=python3 cargo test --test interop -- --ignored`, with a Python that has the packages of
//! `.ci/requirements.txt`.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, CloseReason, CloseSource, Direction, Ending, Event, Expect, Instant, PeerId,
    RecvError, Seed, SendError, ServerConfig, Session, StreamId, Suite,
};

const SUITES: [Suite; 4] =
    [Suite::HybridChaCha20Poly1305, Suite::X25519ChaCha20Poly1305, Suite::HybridAes256Gcm, Suite::X25519Aes256Gcm];
const APP_PROTOCOL: &str = "echo/1";
/// Nothing here waits for time to pass: a carrier that is silent for too long fails by its own timeout.
const NOW: Instant = Instant::ORIGIN;

#[test]
#[ignore = "needs Python: AITCP_PYTHON names it"]
fn a_peer_in_python_dials_in_with_each_suite() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let key = identity(1);
    let mut arguments = vec!["127.0.0.1".to_owned(), listener.local_addr().unwrap().port().to_string()];
    arguments.push(key.peer_id().to_string());
    let config = Arc::new(ServerConfig::new(key, Admission::Any, &[APP_PROTOCOL]));
    let python = Python::start(&arguments);
    for suite in SUITES {
        let session = Session::accept(NOW, config.clone(), Carrier::Stream, seed(1)).unwrap();
        let mut echo = Echo::default();
        let session = drive(session, listener.accept().unwrap().0, |session| echo.act(session));
        assert_eq!(session.close_reason(), Some(CloseReason::Peer { source: CloseSource::Application, code: 0 }));
        assert_eq!(session.close_text(), "done");
        let info = session.handshake().unwrap();
        assert_eq!((info.suite, &info.credentials[..]), (suite, &b"from Python"[..]));
    }
    assert!(python.succeeds());
}

#[test]
#[ignore = "needs Python: AITCP_PYTHON names it"]
fn a_peer_in_python_is_dialled_with_each_suite() {
    let mut python = Python::start(&["--listen".to_owned(), "0".to_owned()]);
    let greeting = python.first_line();
    let words: Vec<&str> = greeting.split_whitespace().collect();
    let ["listening", "on", port, "as", peer] = words[..] else { panic!("Python said: {greeting}") };
    let (port, peer): (u16, PeerId) = (port.parse().unwrap(), peer.parse().unwrap());
    for suite in SUITES {
        let config = Arc::new(ClientConfig::new(identity(2), APP_PROTOCOL).with_suites(&[suite]));
        let session = Session::connect(NOW, config, Expect::Pinned(peer), Carrier::Stream, seed(2)).unwrap();
        let mut dialogue = Dialogue::new();
        let carrier = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let session = drive(session, carrier, |session| dialogue.act(session));
        assert_eq!(session.close_reason(), Some(CloseReason::Local));
        assert_eq!(dialogue.echoed, dialogue.messages);
        assert!(dialogue.confirmed);
    }
    assert!(python.succeeds());
}

/// Runs a session to its end. The application acts after each turn; whoever waits on whom, neither end sends more than the other's
/// credit, which the sockets' own buffers hold.
fn drive(mut session: Session, mut carrier: TcpStream, mut act: impl FnMut(&mut Session)) -> Session {
    carrier.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut out = vec![0; 64 << 10];
    let mut waiting = Vec::new();
    loop {
        act(&mut session);
        while let Some(transmit) = session.poll_transmit(NOW, &mut out).unwrap() {
            carrier.write_all(&out[..transmit.len]).unwrap();
        }
        if session.is_drained() {
            return session;
        }
        let mut chunk = [0; 5_000];
        match carrier.read(&mut chunk).unwrap() {
            0 => session.handle_link_lost(NOW),
            len => {
                waiting.extend_from_slice(&chunk[..len]);
                let consumed = session.handle_stream(NOW, &mut waiting).consumed;
                waiting.drain(..consumed);
            }
        }
    }
}

/// Sends back what comes, on the stream on which it comes.
#[derive(Default)]
struct Echo {
    /// A piece of a message that has still to be sent.
    pending: Option<(StreamId, Vec<u8>, Ending)>,
}

impl Echo {
    fn act(&mut self, session: &mut Session) {
        while let Some(event) = session.poll_event() {
            if let Event::Readable(stream) | Event::Writable(stream) = event {
                while self.flush(session) && self.fetch(session, stream) {}
            }
        }
    }

    /// Sends what is pending; false if it has to wait.
    fn flush(&mut self, session: &mut Session) -> bool {
        let Some((stream, mut bytes, ending)) = self.pending.take() else { return true };
        match session.send(stream, &bytes, ending) {
            Ok(sent) if sent == bytes.len() => return true,
            Ok(sent) => drop(bytes.drain(..sent)),
            Err(SendError::Blocked) => {}
            Err(error) => panic!("{error}"),
        }
        self.pending = Some((stream, bytes, ending));
        false
    }

    /// Fetches the next piece; false if there is none.
    fn fetch(&mut self, session: &mut Session, stream: StreamId) -> bool {
        let mut buf = [0; 3_000];
        let received = match session.recv(stream, &mut buf) {
            Ok(received) => received,
            Err(RecvError::Blocked | RecvError::NotReceiving | RecvError::UnknownStream) => return false,
            Err(error) => panic!("{error}"),
        };
        if received.len > 0 || received.end_of_message {
            let ending = if received.end_of_message { Ending::End } else { Ending::More };
            self.pending = Some((stream, buf[..received.len].to_vec(), ending));
        }
        if received.end_of_stream {
            assert!(self.flush(session), "the echo's last piece fits");
            session.finish(stream).unwrap();
        }
        true
    }
}

/// Sends messages, collects what comes back, and closes.
struct Dialogue {
    messages: Vec<Vec<u8>>,
    echoed: Vec<Vec<u8>>,
    confirmed: bool,
    stream: Option<StreamId>,
    /// Which message is being sent, and how much of it has gone.
    sent: (usize, usize),
    partial: Vec<u8>,
}

impl Dialogue {
    fn new() -> Self {
        let messages =
            vec![Vec::new(), b"hello".to_vec(), (0..200_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect()];
        Self { messages, echoed: Vec::new(), confirmed: false, stream: None, sent: (0, 0), partial: Vec::new() }
    }

    fn act(&mut self, session: &mut Session) {
        while let Some(event) = session.poll_event() {
            match event {
                Event::Established => self.stream = Some(session.open(Direction::Bidirectional).unwrap()),
                Event::Confirmed => self.confirmed = true,
                _ => {}
            }
        }
        if let (Some(stream), false) = (self.stream, session.is_drained()) {
            self.send(session, stream);
            self.receive(session, stream);
        }
    }

    fn send(&mut self, session: &mut Session, stream: StreamId) {
        while let Some(message) = self.messages.get(self.sent.0) {
            let rest = &message[self.sent.1..];
            match session.send(stream, rest, Ending::End) {
                Ok(taken) if taken < rest.len() => self.sent.1 += taken,
                Ok(_) => self.sent = (self.sent.0 + 1, 0),
                Err(SendError::Blocked) => return,
                Err(error) => panic!("{error}"),
            }
            if self.sent.0 == self.messages.len() {
                session.finish(stream).unwrap();
            }
        }
    }

    fn receive(&mut self, session: &mut Session, stream: StreamId) {
        let mut buf = [0; 3_000];
        while let Ok(received) = session.recv(stream, &mut buf) {
            self.partial.extend_from_slice(&buf[..received.len]);
            if received.end_of_message {
                self.echoed.push(std::mem::take(&mut self.partial));
            }
            if received.end_of_stream {
                session.close(NOW, 0, "done");
            }
        }
    }
}

fn identity(number: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [number; 32]).unwrap()
}

/// A test may use a seed twice: nobody is to be kept from reading.
fn seed(number: u8) -> Seed {
    Seed::new([number; 32]).unwrap()
}

/// A running `interop.py`, which does not outlive its test.
struct Python(Child);

impl Python {
    fn start(arguments: &[String]) -> Self {
        let python = env::var_os("AITCP_PYTHON").expect("AITCP_PYTHON names the Python to run");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop.py");
        Self(Command::new(python).arg(script).args(arguments).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }

    fn succeeds(mut self) -> bool {
        let mut output = String::new(); // read to its end, so that nothing blocks what writes it
        self.0.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        print!("{output}");
        self.0.wait().unwrap().success()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}
