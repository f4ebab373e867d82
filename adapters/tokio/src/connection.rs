//! Connections: handshakes, streams opened and accepted, datagrams, ends.

use std::io;
use std::sync::Arc;

use aitcp::{
    Carrier, ClientConfig, CloseReason, ConfigError, Direction, Expect, HandshakeInfo, Instant, OpenError, Owner,
    RecvDatagramError, SendDatagramError, ServerConfig, Session, StreamId,
};
use aitcp_io::{Attempt, attempt, closed, misuse, seed};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};

use crate::driver;
use crate::handle::Handle;
use crate::news::Board;
use crate::recv_stream::RecvStream;
use crate::send_stream::SendStream;

/// An established session with a peer. Cheap to clone; any number of tasks can use it and its streams at the same time.
///
/// When the session has ended, calls fail with the [`CloseReason`] behind the error; what came before can still be received. Dropping
/// the last handle, streams included, of a session that has not ended closes it with code 0: what the peer has not received by then is
/// lost. End it with [`shutdown`](Self::shutdown) or, with a code that says why, [`close`](Self::close).
#[derive(Clone, Debug)]
pub struct Connection {
    handle: Arc<Handle>,
    handshake: Arc<HandshakeInfo>,
}

/// A stream of messages. Its halves can go to different tasks. The half that a unidirectional stream does not have refuses every call
/// with [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput).
#[derive(Debug)]
pub struct Stream {
    /// What this end sends.
    pub sender: SendStream,
    /// What this end receives.
    pub receiver: RecvStream,
}

impl Connection {
    /// Connects to a TCP address, and does the handshake as with [`connect`](Self::connect).
    ///
    /// # Cancellation
    /// The connection is given up.
    ///
    /// # Errors
    /// Those of [`TcpStream::connect`], and those of [`connect`](Self::connect).
    pub async fn connect_tcp(
        addr: impl ToSocketAddrs,
        config: Arc<ClientConfig>,
        peer: Expect,
        owner: &mut (dyn Owner + Send),
    ) -> io::Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?; // packets are made for whole buffers: there is nothing to collect
        Self::connect(socket, config, peer, owner).await
    }

    /// Does the handshake as initiator on an ordered carrier that has just come up, and waits to be admitted. A TCP socket is better
    /// off with [`set_nodelay`](TcpStream::set_nodelay).
    ///
    /// `owner` answers in this task. One that takes its time keeps a thread of the runtime from other work.
    ///
    /// # Cancellation
    /// The connection is given up.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`ConfigError`] for a configuration that cannot work, or the
    /// [`SignatureRejected`](aitcp::SignatureRejected) for a signature of the owner's; else the [`CloseReason`].
    pub async fn connect<IO>(
        io: IO,
        config: Arc<ClientConfig>,
        peer: Expect,
        owner: &mut (dyn Owner + Send),
    ) -> io::Result<Self>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::establish(io, Session::connect(Instant::ORIGIN, config, peer, Carrier::Stream, seed()?), owner).await
    }

    /// Does the handshake as responder on an ordered carrier that has just come up. It takes as long as the peer makes it, up to
    /// [`Timeouts::handshake`](aitcp::Timeouts::handshake): a [`TcpListener`](crate::TcpListener) does many at a time.
    ///
    /// # Cancellation
    /// The connection is given up.
    ///
    /// # Errors
    /// As with [`connect`](Self::connect).
    pub async fn accept<IO>(io: IO, config: Arc<ServerConfig>, owner: &mut (dyn Owner + Send)) -> io::Result<Self>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::establish(io, Session::accept(Instant::ORIGIN, config, Carrier::Stream, seed()?), owner).await
    }

    async fn establish<IO>(
        io: IO,
        session: Result<Session, ConfigError>,
        owner: &mut (dyn Owner + Send),
    ) -> io::Result<Self>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handle = driver::spawn(io, session.map_err(misuse)?);
        Self::confirmed(handle, owner).await
    }

    /// Waits until each end has admitted the other, and has `owner` answer on the way: never under a lock, since that may take long.
    pub(crate) async fn confirmed(handle: Arc<Handle>, owner: &mut (dyn Owner + Send)) -> io::Result<Self> {
        loop {
            match handle.wait(&handle.news.handshake, |session, board, _| Ok(step(session, board))).await? {
                Step::Verdict(peer) => {
                    let verdict = owner.verdict(&peer);
                    handle.with(|session, _, now| session.decide(now, verdict));
                }
                Step::Sign(to_sign) => match owner.sign(&to_sign) {
                    Some(signature) => {
                        handle.with(|session, _, now| session.provide_signature(now, &signature)).map_err(misuse)?
                    }
                    None => handle.with(|session, _, now| session.close(now, 0, "")),
                },
                Step::Done(handshake) => return Ok(Self { handle, handshake: Arc::new(handshake) }),
            }
        }
    }

    /// Who the peer is, and what both ends agreed on.
    #[must_use]
    pub fn handshake(&self) -> &HandshakeInfo {
        &self.handshake
    }

    /// Shows the session to `look`: for [`Session::stats`], [`Session::export`], [`Session::close_reason`], [`Session::close_text`].
    /// The session waits meanwhile.
    pub fn inspect<T>(&self, look: impl FnOnce(&Session) -> T) -> T {
        self.handle.with(|session, _, _| look(session))
    }

    /// Opens a stream; waits while as many are open as are allowed. The peer hears of it with the first that is sent on it.
    ///
    /// # Cancellation
    /// No stream has been opened.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`OpenError`] if one of the ends is shutting down.
    pub async fn open(&self, direction: Direction) -> io::Result<Stream> {
        let to_wait = [OpenError::Blocked, OpenError::Closed];
        let available = self.handle.news.available(direction);
        let id = self.handle.wait(available, |session, _, _| attempt(session.open(direction), &to_wait)).await?;
        available.notify_one(); // there may be room for another
        Ok(self.stream(id))
    }

    /// Waits for a stream that the peer opens. `None` if no more will come, since one of the ends has shut down.
    ///
    /// # Cancellation
    /// No stream has been accepted.
    ///
    /// # Errors
    /// When the session has ended in another way.
    pub async fn accept_stream(&self) -> io::Result<Option<Stream>> {
        let incoming = &self.handle.news.incoming;
        let id = self.handle.wait(incoming, |session, board, _| {
            let no_more = session.is_shutting_down().then_some(None);
            Ok(board.ledger.accept().map(Some).or(no_more))
        });
        let id = id.await?;
        incoming.notify_one(); // there may be another
        Ok(id.map(|id| self.stream(id)))
    }

    fn stream(&self, id: StreamId) -> Stream {
        self.handle.with(|_, board, _| board.ledger.watch(id));
        Stream {
            sender: SendStream::new(Arc::clone(&self.handle), id),
            receiver: RecvStream::new(Arc::clone(&self.handle), id),
        }
    }

    /// Sends a datagram at best effort: it arrives whole and once, or not at all. See [`Session::send_datagram`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`SendDatagramError`]: on a stream carrier for every datagram.
    pub fn send_datagram(&self, datagram: &[u8]) -> io::Result<()> {
        self.handle
            .attempt(|session, _, _| attempt(session.send_datagram(datagram), &[SendDatagramError::Closed]))
            .map(drop)
    }

    /// Waits for a best-effort datagram.
    ///
    /// # Cancellation
    /// No datagram has been taken.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`RecvDatagramError`] on a stream carrier, and where the
    /// configuration allows none; else when the session has ended, and nothing is left to fetch.
    pub async fn recv_datagram(&self) -> io::Result<Vec<u8>> {
        let datagrams = &self.handle.news.datagrams;
        let datagram = self.handle.wait(datagrams, |session, _, _| fetch_datagram(session)).await?;
        datagrams.notify_one(); // there may be another
        Ok(datagram)
    }

    /// Ends the session in order: no new streams, and a close once those that are open are done at both ends. It waits for that, so
    /// this end's streams have to be read to their ends, finished or dropped. Streams that nobody has accepted are turned away.
    ///
    /// # Cancellation
    /// The session goes on shutting down; call again to wait for it.
    ///
    /// # Errors
    /// When the session ended in another way: not everything may have arrived.
    pub async fn shutdown(&self) -> io::Result<()> {
        self.handle.with(|session, board, now| {
            session.shutdown(now);
            board.turns_away = true;
            board.ledger.turn_away(session);
        });
        self.handle.news.no_more_streams();
        let reason = self.closed().await;
        let lost = self.inspect(|session| session.stats().unacknowledged); // on streams that a shutdown of the peer crossed
        if reason.is_orderly() && lost == 0 { Ok(()) } else { Err(closed(reason)) }
    }

    /// Ends the session at once: the peer is told `code` and up to 256 bytes of `text`, and what it has not received is lost.
    /// [`closed`](Self::closed) waits until that is done.
    pub fn close(&self, code: u64, text: &str) {
        self.handle.with(|session, _, now| session.close(now, code, text));
    }

    /// Waits until the session has ended, for whatever reason, and nothing more has to be sent: a runtime can be shut down after that.
    /// If the peer does not listen, the latter takes a second or two.
    ///
    /// # Cancellation
    /// Nothing has happened.
    pub async fn closed(&self) -> CloseReason {
        loop {
            let notified = self.handle.news.ended.notified();
            let reason = self.handle.with(|session, board, _| session.close_reason().filter(|_| board.is_over));
            match reason {
                Some(reason) => return reason,
                None => notified.await,
            }
        }
    }
}

impl Stream {
    /// Its number, the same at both ends.
    #[must_use]
    pub fn id(&self) -> StreamId {
        self.sender.id()
    }
}

/// What a handshake waits for.
enum Step {
    Verdict(Box<HandshakeInfo>),
    Sign(Vec<u8>),
    Done(HandshakeInfo),
}

fn step(session: &Session, board: &mut Board) -> Option<Step> {
    let info = session.handshake();
    if std::mem::take(&mut board.peer_in_question) {
        return info.cloned().map(Box::new).map(Step::Verdict);
    }
    if let Some(to_sign) = session.to_sign() {
        return Some(Step::Sign(to_sign.to_vec()));
    }
    info.filter(|_| session.is_confirmed()).cloned().map(Step::Done)
}

/// Takes the oldest datagram, in a buffer of its size.
fn fetch_datagram(session: &mut Session) -> Attempt<Vec<u8>> {
    let mut datagram = Vec::new();
    loop {
        match session.recv_datagram(&mut datagram) {
            Ok(_) => return Ok(Some(datagram)),
            Err(RecvDatagramError::BufferTooSmall { needed }) => datagram.resize(needed, 0),
            Err(error) => return attempt(Err(error), &[RecvDatagramError::Blocked, RecvDatagramError::Closed]),
        }
    }
}
