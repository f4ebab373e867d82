//! The task of an endpoint: datagrams in, datagrams out, time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{self, Sleep};
use tracing::debug;

use super::hosting::Hosting;
use super::socket::Socket;

/// How often the task receives and sends before others get their turn.
const ROUNDS: usize = 16;
/// How often it sends before it looks for what has come.
const SENDS: usize = 32;

pub(super) fn spawn(socket: Socket, hosting: &Arc<Hosting>) {
    let sleep = Box::pin(time::sleep(Duration::ZERO));
    tokio::spawn(Driver { socket, hosting: Arc::clone(hosting), sleep });
}

struct Driver {
    socket: Socket,
    hosting: Arc<Hosting>,
    sleep: Pin<Box<Sleep>>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..ROUNDS {
            let Ok(has_received) = this.receive(cx) else { return Poll::Ready(()) };
            this.serve(cx);
            let has_sent = this.send(cx);
            if this.socket.is_empty() && this.hosting.lock().is_done() {
                return Poll::Ready(());
            }
            if !has_received && !has_sent && !this.is_due(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Driver {
    /// Receives a batch, if one is there. Whether it was; an error is the end of the socket.
    fn receive(&mut self, cx: &mut Context<'_>) -> Result<bool, ()> {
        let Self { socket, hosting, .. } = self;
        let mut state = None;
        let received = socket.poll_receive(cx, |from, ecn, datagram| {
            let state = state.get_or_insert_with(|| hosting.lock());
            state.endpoint.handle_datagram(hosting.clock.now(), from, ecn, datagram);
        });
        match received {
            Poll::Ready(Err(error)) => debug!(%error, "the socket is broken"),
            Poll::Ready(Ok(())) => return Ok(true),
            Poll::Pending => return Ok(false),
        }
        Err(())
    }

    /// Serves the sessions' timers and tells their news.
    fn serve(&mut self, cx: &mut Context<'_>) {
        let mut state = self.hosting.lock();
        let now = self.hosting.clock.now();
        state.driver = Some(cx.waker().clone());
        state.endpoint.handle_timeout(now);
        self.hosting.tell(&mut state, now);
    }

    /// Sends what there is to send, some at a time. Whether there was anything.
    fn send(&mut self, cx: &mut Context<'_>) -> bool {
        for sends in 0..SENDS {
            let is_loaded = !self.socket.is_empty() || self.load();
            if !is_loaded || self.socket.poll_send(cx).is_pending() {
                return sends > 0;
            }
        }
        true
    }

    /// Has the sessions write what they have to send. Whether that is anything.
    fn load(&mut self) -> bool {
        let Self { socket, hosting, .. } = self;
        let Some(outbox) = socket.outbox() else { return true };
        let mut state = hosting.lock();
        let now = hosting.clock.now();
        let mut may_have_more = true;
        while may_have_more {
            if let Ok(Some((to, transmit))) = state.endpoint.poll_transmit(now, outbox) {
                drop(state);
                socket.load(to, transmit);
                return true;
            }
            may_have_more = hosting.tell(&mut state, now); // which can be a reason to send
        }
        hosting.all_said(&mut state);
        false
    }

    /// Whether it is time for something to be done. If not, the task is woken when it is.
    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.hosting.lock().endpoint.poll_timeout();
        let Some(timer) = timer.and_then(|timer| self.hosting.clock.at(timer)) else { return false };
        if self.sleep.deadline() != timer {
            self.sleep.as_mut().reset(timer);
        }
        self.sleep.as_mut().poll(cx).is_ready()
    }
}

/// However the task ends, be it with its runtime: nobody waits for it any more.
impl Drop for Driver {
    fn drop(&mut self) {
        self.hosting.over();
    }
}
