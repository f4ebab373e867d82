//! What a path does to datagrams.

use std::time::Duration;

use super::loss::Loss;
use crate::Rng;

/// How likely something is, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probability(u32);

impl Probability {
    const SCALE: u32 = 1_000_000;

    /// It never happens.
    pub const NEVER: Self = Self(0);
    /// It always happens.
    pub const ALWAYS: Self = Self(Self::SCALE);

    /// So many times in a million; more than that is always.
    #[must_use]
    pub const fn per_million(parts: u32) -> Self {
        if parts < Self::SCALE { Self(parts) } else { Self::ALWAYS }
    }

    /// So many times in a hundred; more than that is always.
    #[must_use]
    pub const fn percent(parts: u32) -> Self {
        Self::per_million(parts.saturating_mul(10_000))
    }

    /// Whether it happens this time. What is certain takes nothing from the generator.
    pub fn draw(self, rng: &mut Rng) -> bool {
        match self {
            Self::NEVER => false,
            Self::ALWAYS => true,
            Self(parts) => rng.below(Self::SCALE as usize) < parts as usize,
        }
    }
}

/// What a path does to the ECN bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ecn {
    /// Nothing.
    #[default]
    Pass,
    /// It clears them, as some routers do.
    Bleach,
    /// It marks capable datagrams that find more than so many bytes waiting before them. Needs a [`Conditions::rate`], since nothing
    /// waits without one.
    MarkAbove(usize),
}

/// What one direction of a path does to datagrams. The default is a perfect one: no delay, no loss, no limit.
///
/// A datagram meets them in this order: partition, MTU, queue and marking, loss; then duplication, and for each copy on its own
/// truncation, corruption, delay and reordering.
///
/// ```
/// use aitcp_testkit::{Conditions, Loss, Probability};
/// use std::time::Duration;
///
/// let satellite = Conditions {
///     latency: Duration::from_millis(280),
///     loss: Loss::Random(Probability::percent(2)),
///     rate: Some(10_000_000),
///     queue: Some(64 * 1024),
///     ..Conditions::default()
/// };
/// # let _ = satellite;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The delay of every datagram.
    pub latency: Duration,
    /// The most that comes on top of it, by chance. It never lets a datagram overtake another: that is what [`reorder`](Self::reorder)
    /// is for.
    pub jitter: Duration,
    /// What gets lost.
    pub loss: Loss,
    /// How often a datagram leaves its place in the order.
    pub reorder: Probability,
    /// How much later it arrives then, so that those behind it can overtake it.
    pub reorder_delay: Duration,
    /// How often a datagram arrives twice.
    pub duplicate: Probability,
    /// How often it loses its tail: what is left has any length below its own, 0 as well.
    pub truncate: Probability,
    /// How often one of its bits is flipped.
    pub corrupt: Probability,
    /// Bits per second that the narrowest place lets through, at least 1; `None` for any number of them.
    pub rate: Option<u64>,
    /// How many bytes can wait behind the datagram that is just passing it. What does not fit is dropped. `None` for any number.
    pub queue: Option<usize>,
    /// Datagrams above so many bytes are dropped without a word.
    pub mtu: Option<usize>,
    /// What happens to ECN bits.
    pub ecn: Ecn,
    /// Whether everything is lost that is sent now. What is on its way still arrives.
    pub blocked: bool,
}
