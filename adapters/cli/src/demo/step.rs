//! What the demonstration says: one step after the other, each with its own check.

use std::fmt;

use aitcp::PeerId;
use console::style;
use indicatif::HumanBytes;
use serde::Serialize;

use super::bad_network::Counts;
use super::relay::Attack;
use crate::key_file;

/// One of the two agents.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Agent {
    pub(crate) name: &'static str,
    pub(crate) id: String,
    pub(crate) fingerprint: String,
}

impl Agent {
    pub(crate) fn new(name: &'static str, id: &PeerId) -> Self {
        Self { name, id: id.to_string(), fingerprint: key_file::fingerprint(id) }
    }
}

/// One line of `--json`, one paragraph for people.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Step {
    Agents {
        initiator: Agent,
        responder: Agent,
    },
    /// `same_keys`: both ends exported the same keying material.
    Handshake {
        ok: bool,
        address: String,
        suite: String,
        milliseconds: f64,
        initiator_saw: String,
        responder_saw: String,
        same_keys: bool,
    },
    Message {
        ok: bool,
        from: &'static str,
        to: &'static str,
        sent: String,
        received: String,
    },
    File {
        ok: bool,
        bytes: u64,
        seconds: f64,
        sha256_sent: String,
        sha256_stored: String,
    },
    /// Over UDP. `relay`: what the network did to datagrams; `packets_lost`: how many Alice found lost, and `discarded`: how many both
    /// found altered, doubled or too late.
    Datagrams {
        ok: bool,
        bytes: usize,
        seconds: f64,
        sha256_sent: String,
        sha256_received: String,
        relay: Counts,
        packets_lost: u64,
        discarded: u64,
        round_trip_ms: f64,
        mtu: u16,
    },
    /// `delivered`: how many messages the responder's application got before its session ended, and `reason` is why it did.
    Attack {
        ok: bool,
        attack: Attack,
        delivered: usize,
        reason: String,
    },
    Demo {
        ok: bool,
        checks: usize,
        failed: usize,
        seconds: f64,
    },
}

impl Step {
    /// Whether what the step checks came out as it must; `None` if it checks nothing of its own.
    pub(crate) const fn verdict(&self) -> Option<bool> {
        match self {
            Self::Agents { .. } | Self::Demo { .. } => None,
            Self::Handshake { ok, .. }
            | Self::Message { ok, .. }
            | Self::File { ok, .. }
            | Self::Datagrams { ok, .. }
            | Self::Attack { ok, .. } => Some(*ok),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agents { initiator, responder } => {
                writeln!(f, "{}", heading("Two agents, each with a key of its own"))?;
                for (index, Agent { name, id, fingerprint }) in [initiator, responder].into_iter().enumerate() {
                    let separator = if index == 0 { "\n" } else { "" };
                    write!(
                        f,
                        "  {:<5}  {}\n         {}{separator}",
                        style(name).bold(),
                        style(id).cyan(),
                        style(fingerprint).dim()
                    )?;
                }
                Ok(())
            }
            Self::Handshake { ok, address, suite, milliseconds, same_keys, .. } => {
                writeln!(f, "\n{}", heading(&format!("Handshake over TCP, {address}")))?;
                let known = if *ok { "each has proved its key to the other" } else { "somebody else answered" };
                let keys = if *same_keys { "the same keys at both ends" } else { "different keys at the ends" };
                writeln!(f, "  {} {known}, in {milliseconds:.1} ms", mark(*ok))?;
                write!(f, "  {} {suite}: {keys}", mark(*same_keys))
            }
            Self::Message { ok, from, to, received, .. } => {
                write!(f, "  {} {from:<5} → {to:<5}  {received}", mark(*ok))
            }
            Self::File { ok, bytes, seconds, sha256_sent, sha256_stored } => {
                let rate = HumanBytes((*bytes as f64 / seconds) as u64);
                writeln!(f, "  {} {} in {seconds:.2} s ({rate}/s), safe on the disk", mark(*ok), HumanBytes(*bytes))?;
                writeln!(f, "    sent    {}", style(sha256_sent).dim())?;
                write!(f, "    stored  {}", style(sha256_stored).dim())
            }
            Self::Datagrams {
                ok,
                bytes,
                seconds,
                sha256_sent,
                sha256_received,
                relay,
                packets_lost,
                discarded,
                round_trip_ms,
                mtu,
            } => {
                let rate = HumanBytes((*bytes as f64 / seconds) as u64);
                let Counts { passed, lost, doubled, reordered, altered } = relay;
                writeln!(f, "  {} {} in {seconds:.2} s ({rate}/s), intact", mark(*ok), HumanBytes(*bytes as u64))?;
                let network = format!(
                    "of {} datagrams: {lost} lost, {doubled} doubled, {reordered} reordered, {altered} altered",
                    passed + lost + reordered
                );
                let session = format!(
                    "{packets_lost} packets found lost, {discarded} discarded; {round_trip_ms:.2} ms, {mtu} bytes a datagram"
                );
                writeln!(f, "    {}\n    {}", style(network).yellow(), style(session).yellow())?;
                writeln!(f, "    sent      {}", style(sha256_sent).dim())?;
                write!(f, "    received  {}", style(sha256_received).dim())
            }
            Self::Attack { ok, attack, delivered, reason } => {
                let delivered = match delivered {
                    0 => "nothing",
                    1 => "Alice's message once",
                    _ => "Alice's message more than once",
                };
                writeln!(f, "  {} {attack}: Bob gets {delivered}, and his session ends", mark(*ok))?;
                write!(f, "    {}", style(reason).yellow())
            }
            Self::Demo { ok: true, checks, seconds, .. } => {
                write!(f, "\n{}", style(format!("All {checks} checks passed in {seconds:.1} s.")).green().bold())
            }
            Self::Demo { ok: false, checks, failed, .. } => {
                write!(f, "\n{}", style(format!("{failed} of {checks} checks failed.")).red().bold())
            }
        }
    }
}

pub(crate) fn heading(text: &str) -> impl fmt::Display {
    style(text.to_owned()).bold().underlined()
}

fn mark(ok: bool) -> impl fmt::Display {
    if ok { style("✓").green() } else { style("✗").red() }
}
