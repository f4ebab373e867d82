//! TCP connections of an endpoint, and their threads: one that waits for bytes and one that writes, so that neither a peer that says nothing
//! nor one that takes nothing stops anybody else.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, PoisonError};
use std::thread;
use std::time::Duration;

use aitcp::{BeginError, Carrier, Handle, Instant, ServerConfig, Session, StreamTask};
use aitcp_io::{is_timeout, misuse, seed};

use super::hub::{Hub, State};
use super::spawn;
use super::udp::reachable;

/// How long a write may take before it is asked whether there is still a session, and how long the peer's last words are waited for: closing
/// a socket with unread bytes resets a TCP connection, and what was written last is lost.
const LINGER: Duration = Duration::from_secs(1);
/// How long to wait when the system has no more connections to give, before asking again.
const PAUSE: Duration = Duration::from_millis(100);
/// Room for the longest packet and more.
const BUFFER: usize = 32 << 10;

/// The TCP connections that there are, by session.
#[derive(Default)]
pub(super) struct Carriers(BTreeMap<Handle, Connected>);

struct Connected {
    remote: SocketAddr,
    /// Something here has changed.
    changed: Arc<Condvar>,
    /// There may be something to write.
    has_output: bool,
    /// The session is over.
    is_over: bool,
    /// Nothing more will come from the peer.
    read_ended: bool,
}

impl Carriers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, handle: Handle) -> bool {
        self.0.contains_key(&handle)
    }

    pub(super) fn remote(&self, handle: Handle) -> Option<SocketAddr> {
        self.0.get(&handle).map(|connected| connected.remote)
    }

    fn change(&mut self, handle: Handle, change: impl FnOnce(&mut Connected)) {
        if let Some(connected) = self.0.get_mut(&handle) {
            change(connected);
            connected.changed.notify_all();
        }
    }
}

impl State {
    /// Tells the threads of TCP connections what there is to do.
    pub(super) fn tend_carriers(&mut self) {
        while let Some(task) = self.endpoint.poll_stream() {
            match task {
                StreamTask::Transmit(handle) => self.carriers.change(handle, |connected| connected.has_output = true),
                StreamTask::End(handle) => self.carriers.change(handle, |connected| connected.is_over = true),
            }
        }
    }
}

impl Hub {
    pub(super) fn listen(self: &Arc<Self>, listener: TcpListener, server: Arc<ServerConfig>) -> io::Result<()> {
        // What is wrong with the configuration is said now, and not to whoever calls.
        Session::accept(Instant::ORIGIN, Arc::clone(&server), Carrier::Stream, seed()?).map_err(misuse)?;
        let own = reachable(listener.local_addr()?);
        let mut state = self.lock();
        if !state.accepts {
            return Err(misuse(BeginError::ShuttingDown));
        }
        let hub = Arc::clone(self);
        spawn("aitcp-listener", move || hub.take_from(&listener, &server))?;
        state.listeners.push(own);
        Ok(())
    }

    /// What a listener's thread does.
    fn take_from(self: &Arc<Self>, listener: &TcpListener, server: &Arc<ServerConfig>) {
        loop {
            let connection = listener.accept();
            let mut state = self.lock();
            if !state.accepts {
                return;
            }
            match connection {
                Ok((socket, _)) => {
                    // Whom there is no room for, or no thread, finds the connection closed.
                    if let Ok(handle) = state.endpoint.accept_stream(self.clock.now(), Arc::clone(server)) {
                        let _ = self.attach(&mut state, handle, socket);
                    }
                    self.serve(&mut state);
                }
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(_) => {
                    drop(state);
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Gives a session its carrier.
    pub(super) fn attach(self: &Arc<Self>, state: &mut State, handle: Handle, socket: TcpStream) -> io::Result<()> {
        let started = self.start_threads(state, handle, socket);
        if started.is_err() {
            state.carriers.0.remove(&handle);
            state.endpoint.handle_link_lost(self.clock.now(), handle);
        }
        started
    }

    fn start_threads(self: &Arc<Self>, state: &mut State, handle: Handle, socket: TcpStream) -> io::Result<()> {
        let (remote, changed) = (socket.peer_addr()?, Arc::new(Condvar::new()));
        let connected =
            Connected { remote, changed: Arc::clone(&changed), has_output: true, is_over: false, read_ended: false };
        state.carriers.0.insert(handle, connected);
        socket.set_nodelay(true)?; // packets are made for whole buffers: there is nothing to collect
        socket.set_write_timeout(Some(LINGER))?;
        let reader = (Arc::clone(self), socket.try_clone()?);
        let hub = Arc::clone(self);
        spawn("aitcp-writer", move || hub.write(handle, &socket, &changed))?;
        // Without a reader the writer ends as well, since there is no session.
        spawn("aitcp-reader", move || reader.0.read(handle, &reader.1))
    }

    /// What the thread does that waits for bytes.
    fn read(&self, handle: Handle, mut socket: &TcpStream) {
        let (mut inbox, mut piece) = (Vec::new(), vec![0; BUFFER]);
        loop {
            match socket.read(&mut piece) {
                Ok(len) if len > 0 => {
                    inbox.extend_from_slice(piece.get(..len).unwrap_or_default());
                    let mut state = self.lock();
                    let input = state.endpoint.handle_stream(self.clock.now(), handle, &mut inbox);
                    self.serve(&mut state);
                    drop(state);
                    inbox.drain(..input.consumed);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        let mut state = self.lock();
        state.endpoint.handle_link_lost(self.clock.now(), handle);
        state.carriers.change(handle, |connected| connected.read_ended = true);
        self.serve(&mut state);
    }

    /// What the thread does that writes. When the session is over, it ends the connection.
    fn write(&self, handle: Handle, socket: &TcpStream, changed: &Condvar) {
        let mut outbox = vec![0; BUFFER];
        let mut is_broken = false;
        while let Some(len) = self.next_output(handle, changed, &mut outbox) {
            // After a write that failed nothing is written any more; what the peer has said last can still be read.
            is_broken = is_broken || self.put(handle, socket, outbox.get(..len).unwrap_or_default()).is_err();
        }
        let _ = socket.shutdown(Shutdown::Write);
        let deadline = self.clock.now() + LINGER;
        let mut state = self.lock();
        while state.carriers.0.get(&handle).is_some_and(|connected| !connected.read_ended)
            && self.clock.now() < deadline
        {
            state = changed.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner).0;
        }
        let _ = socket.shutdown(Shutdown::Both);
        state.carriers.0.remove(&handle);
        self.ended.notify_all();
        if let Some(seat) = state.seats.get(&handle) {
            seat.changed.notify_all();
        }
    }

    /// Waits for something to write; `None` if nothing more will come.
    fn next_output(&self, handle: Handle, changed: &Condvar, outbox: &mut [u8]) -> Option<usize> {
        let mut state = self.lock();
        loop {
            let transmit = state.endpoint.poll_transmit_stream(self.clock.now(), handle, outbox).ok().flatten();
            self.serve(&mut state);
            if let Some(transmit) = transmit {
                return Some(transmit.len);
            }
            let connected = state.carriers.0.get_mut(&handle).filter(|connected| !connected.is_over)?;
            if !std::mem::take(&mut connected.has_output) {
                state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Writes all of it, however long a peer that has a session takes.
    fn put(&self, handle: Handle, mut socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match socket.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
                Err(error) if is_timeout(&error) => {
                    if self.lock().carriers.0.get(&handle).is_none_or(|connected| connected.is_over) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
