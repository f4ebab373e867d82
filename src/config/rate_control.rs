//! The choice of a rate controller.
#![forbid(unsafe_code)]

/// How a sender on a datagram carrier finds the rate that the path can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateControl {
    /// CUBIC (RFC 9438), what TCP does nearly everywhere: soon back at the rate at which packets were lost, on long paths too.
    #[default]
    Cubic,
    /// NewReno (RFC 9002, section 7): the plainest. Slow to fill long paths.
    NewReno,
}
