//! Which datagrams get lost.

use super::conditions::Probability;
use crate::Rng;

/// What a path loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    #[default]
    None,
    /// Each datagram with the same probability, independent of all others.
    Random(Probability),
    /// Bursts, after Gilbert and Elliott: the path is in a good or a bad state, and may change it before each datagram. With
    /// `bad: Probability::ALWAYS` and `good: Probability::NEVER`, bursts have a mean length of 1 / `recover`.
    GilbertElliott {
        /// How often the good state turns bad.
        worsen: Probability,
        /// How often the bad state turns good.
        recover: Probability,
        /// How often a datagram is lost in the good state.
        good: Probability,
        /// How often a datagram is lost in the bad state.
        bad: Probability,
    },
}

/// What loss depends on beyond chance.
#[derive(Clone, Debug, Default)]
pub(super) struct LossState {
    /// Whether a path with bursts is in its bad state.
    is_bad: bool,
}

impl LossState {
    /// Whether the next datagram is lost.
    pub(super) fn draw(&mut self, loss: Loss, rng: &mut Rng) -> bool {
        match loss {
            Loss::None => false,
            Loss::Random(probability) => probability.draw(rng),
            Loss::GilbertElliott { worsen, recover, good, bad } => {
                let change = if self.is_bad { recover } else { worsen };
                self.is_bad ^= change.draw(rng);
                if self.is_bad { bad.draw(rng) } else { good.draw(rng) }
            }
        }
    }
}
