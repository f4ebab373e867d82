//! Both ends of a transfer over real sessions, with peers that keep to the protocol and others.

use std::fs;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{Direction, Expect, Verdict};
use aitcp_std::{Connection, Stream};

use super::checksum::Checksum;
use super::inbox::Inbox;
use super::message::{APP_PROTOCOL, Code, Header, Receipt};
use super::receiver::{self, ReceiveError, StoredFile};
use super::sender::{self, SendFileError};
use super::{PeerCode, send_json};
use crate::session;

const LIMIT: u64 = 3 << 20;

/// What two ends of one stream make of each other.
fn over_a_stream<A, B: Send>(
    sending: impl FnOnce(&mut Stream) -> A,
    receiving: impl FnOnce(&mut Stream) -> B + Send,
) -> (A, B) {
    let [client, server] = [1, 2].map(|seed| IdentityKey::from_seed(&RustCrypto, [seed; 32]).unwrap());
    let expect = Expect::Pinned(server.peer_id());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = session::server(server);
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let received = scope.spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let connection = Connection::accept(socket, server, &mut |_: &_| Verdict::Accept).unwrap();
            let mut stream = connection.accept_stream().unwrap().unwrap();
            let received = receiving(&mut stream);
            drop(stream);
            // The end belongs to the sender. Until then this side keeps the connection going.
            let _ = connection.accept_stream();
            received
        });
        let socket = TcpStream::connect(address).unwrap();
        let config = session::client(client, APP_PROTOCOL);
        let connection = Connection::connect(socket, config, expect, &mut ()).unwrap();
        let mut stream = connection.open(Direction::Bidirectional).unwrap();
        let sent = sending(&mut stream);
        drop(stream);
        connection.shutdown().unwrap();
        (sent, received.join().unwrap())
    })
}

fn receive_into(folder: &Path) -> impl FnOnce(&mut Stream) -> Result<StoredFile, ReceiveError> + Send + use<> {
    let inbox = Inbox::open(folder, false).unwrap();
    move |stream| receiver::receive(stream, &inbox, LIMIT)
}

fn header(size: Option<u64>) -> Header {
    Header { name: "a.bin".to_owned(), size }
}

/// Whether the other end gave up with this code.
fn is_code(code: PeerCode, expected: Code) -> bool {
    code.to_string() == expected.to_string()
}

fn assert_empty(folder: &Path) {
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "something was left behind");
}

#[test]
fn files_of_all_sizes_arrive_and_are_receipted() {
    for size in [0, 1, 1 << 20, (1 << 20) + 1, LIMIT] {
        for announced in [Some(size), None] {
            let folder = tempfile::tempdir().unwrap();
            let content: Vec<u8> = (0..size).map(|index| ((index * 31) >> 3) as u8).collect();
            let mut seen = 0;
            let (sent, stored) = over_a_stream(
                |stream| sender::send(stream, &header(announced), &content[..], |bytes| seen += bytes),
                receive_into(folder.path()),
            );
            let (sent, stored) = (sent.unwrap(), stored.unwrap());
            assert_eq!(sent, Checksum::of(&content[..]).unwrap());
            assert_eq!(stored.receipt, sent);
            assert_eq!(fs::read(&stored.path).unwrap(), content);
            assert_eq!(seen, size);
        }
    }
}

#[test]
fn what_cannot_be_stored_is_refused_with_its_reason() {
    for (name, size, content, code) in [
        ("../a", Some(3), &b"abc"[..], Code::BadName),
        ("there", Some(3), b"abc", Code::Exists),
        ("a", Some(LIMIT + 1), b"abc", Code::TooLarge),
        ("a", None, &vec![0; LIMIT as usize + 1], Code::TooLarge),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("there"), "precious").unwrap();
        let header = Header { name: name.to_owned(), size };
        // The sender reads on past what was announced, as if the file did not change: it is the receiver's word that counts here.
        let padded = content.chain(io::repeat(0).take(size.unwrap_or(0).saturating_sub(3)));
        let (sent, stored) =
            over_a_stream(|stream| sender::send(stream, &header, padded, |_| {}), receive_into(folder.path()));
        assert!(matches!(sent, Err(SendFileError::Peer(given)) if is_code(given, code)), "{code}: {sent:?}");
        assert!(
            matches!(stored, Err(ReceiveError::Refused { code: given, .. }) if given == code),
            "{code}: {stored:?}"
        );
        assert_eq!(fs::read(folder.path().join("there")).unwrap(), b"precious");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_header_that_is_none_is_refused() {
    for bytes in [&b""[..], b"name", b"{}", b"[1]", &[b' '; 5000], b"\xFF"] {
        let folder = tempfile::tempdir().unwrap();
        let (answer, stored) = over_a_stream(
            |stream| {
                // The receiver may have turned it away already.
                let _ = stream.sender.send(bytes);
                stream.receiver.recv_message(100).unwrap_err()
            },
            receive_into(folder.path()),
        );
        let code = super::given_up(&answer).unwrap();
        assert!(is_code(code, Code::BadHeader), "{code}");
        assert!(matches!(stored, Err(ReceiveError::Refused { code: Code::BadHeader, .. })), "{stored:?}");
        assert_empty(folder.path());
    }
}

#[test]
fn content_of_another_length_than_announced_is_not_kept() {
    for content in [&b"ab"[..], b"abcd"] {
        let folder = tempfile::tempdir().unwrap();
        let (answer, stored) = over_a_stream(
            |stream| {
                send_json(&mut stream.sender, &header(Some(3))).unwrap();
                let _ = stream.sender.send(content).and_then(|()| stream.sender.finish());
                stream.receiver.recv_message(100).unwrap_err()
            },
            receive_into(folder.path()),
        );
        assert!(is_code(super::given_up(&answer).unwrap(), Code::WrongSize));
        assert!(matches!(stored, Err(ReceiveError::Refused { code: Code::WrongSize, .. })), "{stored:?}");
        assert_empty(folder.path());
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_given_up() {
    for content in [&b"ab"[..], b"abcd"] {
        let folder = tempfile::tempdir().unwrap();
        let (sent, stored) = over_a_stream(
            |stream| sender::send(stream, &header(Some(3)), content, |_| {}),
            receive_into(folder.path()),
        );
        assert!(matches!(sent, Err(SendFileError::Length)), "{sent:?}");
        assert!(matches!(stored, Err(ReceiveError::Peer(code)) if is_code(code, Code::WrongSize)), "{stored:?}");
        assert_empty(folder.path());
    }
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_is_given_up() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::NotConnected.into())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let content = b"the beginning".chain(Broken);
    let (sent, stored) =
        over_a_stream(|stream| sender::send(stream, &header(None), content, |_| {}), receive_into(folder.path()));
    assert!(matches!(sent, Err(SendFileError::Content(_))), "{sent:?}");
    assert!(matches!(stored, Err(ReceiveError::Peer(code)) if is_code(code, Code::Abandoned)), "{stored:?}");
    assert_empty(folder.path());
}

#[test]
fn only_the_right_receipt_is_one() {
    let right = Checksum::of(&b"abc"[..]).unwrap();
    let other = Receipt { sha256: Checksum::of(&b"abd"[..]).unwrap().sha256, ..right.clone() };
    let answers: [&(dyn Fn(&mut Stream) + Sync); 5] = [
        &|_| {},
        &|stream| stream.sender.send(b"ok").unwrap(),
        &|stream| send_json(&mut stream.sender, &other).unwrap(),
        &|stream| send_json(&mut stream.sender, &Receipt { bytes: 4, ..right.clone() }).unwrap(),
        &|stream| {
            send_json(&mut stream.sender, &right).unwrap();
            send_json(&mut stream.sender, &right).unwrap();
        },
    ];
    for answer in answers {
        let (sent, ()) = over_a_stream(
            |stream| sender::send(stream, &header(None), &b"abc"[..], |_| {}),
            |stream| {
                while stream.receiver.recv_message(1 << 10).unwrap().is_some() {}
                answer(stream);
            },
        );
        assert!(matches!(sent, Err(SendFileError::Receipt)), "{sent:?}");
    }
}
