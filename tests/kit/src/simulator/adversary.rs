//! Who sits on every path.

use std::time::Duration;

use aitcp::Instant;

use crate::Datagram;

/// What becomes of a datagram that an [`Adversary`] has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on, as the adversary has left it.
    Pass,
    /// It is gone.
    Drop,
    /// It arrives so much later than it would have.
    Delay(Duration),
}

/// Datagrams that an adversary sends, with how long they take.
#[derive(Debug, Default)]
pub struct Injections {
    pub(super) pending: Vec<(Duration, Datagram)>,
}

impl Injections {
    /// Lets a datagram arrive after so much time, whatever the conditions of any path are. It is not shown to the adversary.
    pub fn add(&mut self, after: Duration, datagram: Datagram) {
        self.pending.push((after, datagram));
    }
}

/// An attacker on all paths: sees each datagram as its sender lets it go, before the conditions of the path.
///
/// It can change the bytes, the ECN bits and both addresses in place, [turn the datagram around](Datagram::reflect), keep a copy to
/// show again later, and inject others. Closures are adversaries too:
///
/// ```
/// use aitcp::Instant;
/// use aitcp_testkit::simulator::{Adversary, Fate, Injections};
/// use aitcp_testkit::Datagram;
/// use std::time::Duration;
///
/// /// Shows everything twice.
/// fn replayer() -> impl Adversary {
///     |_: Instant, datagram: &mut Datagram, injections: &mut Injections| {
///         injections.add(Duration::from_millis(50), datagram.clone());
///         Fate::Pass
///     }
/// }
/// # let _ = replayer();
/// ```
pub trait Adversary {
    /// Sees, changes and decides.
    fn intercept(&mut self, now: Instant, datagram: &mut Datagram, injections: &mut Injections) -> Fate;
}

impl<F: FnMut(Instant, &mut Datagram, &mut Injections) -> Fate> Adversary for F {
    fn intercept(&mut self, now: Instant, datagram: &mut Datagram, injections: &mut Injections) -> Fate {
        self(now, datagram, injections)
    }
}
