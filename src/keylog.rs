//! Handing secrets out, for those who debug with captures.

use core::fmt;

/// Takes every traffic secret of the sessions whose configuration names it.
///
/// Lines in the shape of the well-known key log files can be made as `AITCP_{label} {random} {secret}`, both in hexadecimal
/// (specification, section 5.7). Whoever has them reads the sessions: never in production.
pub trait KeyLog: fmt::Debug + Send + Sync {
    /// Called once for each secret. `label` is one of `I_HS`, `R_HS`, `I_AUTH`, `I_AP_3`, `R_AP_3`, `EXPORTER`; `random` is the
    /// initiator's random from its Hello, which names the link.
    fn log(&self, label: &'static str, random: &[u8; 32], secret: &[u8; 32]);
}
