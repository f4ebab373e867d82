//! `ID@HOST:PORT`: whom to reach, and where.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use aitcp::{PeerId, PeerIdError};

/// A place to connect to, without a word on who should answer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// An agent and where it is to be found: `ID@HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentAddress {
    pub(crate) peer: PeerId,
    pub(crate) place: HostPort,
}

/// A place and, if it is known, the agent that should answer there: `[ID@]HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeAddress {
    pub(crate) peer: Option<PeerId>,
    pub(crate) place: HostPort,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(AddressError::Bracket)?;
                // A zone (`fe80::1%eth0`) is the resolver's business.
                let literal = host.split_once('%').map_or(host, |(literal, _zone)| literal);
                literal.parse::<Ipv6Addr>().map_err(|_| AddressError::Ipv6)?;
                (host, rest.strip_prefix(':').ok_or(AddressError::NoPort)?)
            }
            None => text.rsplit_once(':').ok_or(AddressError::NoPort)?,
        };
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        if !text.starts_with('[') && host.contains(':') {
            return Err(AddressError::NoBrackets);
        }
        // `u16::from_str` takes a sign, which no port has.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AddressError::Port);
        }
        let port = port.parse().map_err(|_| AddressError::Port)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl FromStr for AgentAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let ProbeAddress { peer, place } = text.parse()?;
        Ok(Self { peer: peer.ok_or(AddressError::NoPeer)?, place })
    }
}

impl FromStr for ProbeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (peer, place) = match text.split_once('@') {
            Some((peer, place)) => (Some(peer.parse().map_err(AddressError::Peer)?), place),
            None => (None, text),
        };
        let place: HostPort = place.parse()?;
        // Port 0 asks for any free port when listening and is nowhere to connect to.
        if place.port == 0 {
            return Err(AddressError::Port);
        }
        Ok(Self { peer, place })
    }
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressError {
    NoPeer,
    Peer(PeerIdError),
    NoHost,
    NoPort,
    Port,
    Bracket,
    NoBrackets,
    Ipv6,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPeer => "who should answer there? expected ID@HOST:PORT",
            Self::Peer(error) => return write!(f, "before the @: {error}"),
            Self::NoHost => "there is no host before the port",
            Self::NoPort => "there is no port: expected HOST:PORT",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::Bracket => "[ without ]",
            Self::NoBrackets => "an IPv6 address goes in brackets: [::1]:7410",
            Self::Ipv6 => "not an IPv6 address between the brackets",
        })
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use aitcp::crypto::keygen::IdentityKey;
    use aitcp::crypto::rustcrypto::RustCrypto;

    use super::*;

    fn place(text: &str) -> Result<(String, u16), AddressError> {
        text.parse().map(|HostPort { host, port }| (host, port))
    }

    #[test]
    fn names_and_both_kinds_of_ip_addresses_are_taken() {
        for (text, host, port) in [
            ("localhost:7410", "localhost", 7410),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("agent.example:65535", "agent.example", 65535),
            ("[::1]:1", "::1", 1),
            ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ] {
            assert_eq!(place(text), Ok((host.to_owned(), port)), "{text}");
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_an_address_is_told_apart() {
        for (text, error) in [
            ("", AddressError::NoPort),
            ("localhost", AddressError::NoPort),
            (":1", AddressError::NoHost),
            ("localhost:", AddressError::Port),
            ("localhost:+1", AddressError::Port),
            ("localhost:65536", AddressError::Port),
            ("localhost:ssh", AddressError::Port),
            ("::1:7410", AddressError::NoBrackets),
            ("[::1", AddressError::Bracket),
            ("[::1]", AddressError::NoPort),
            ("[::1]7410", AddressError::NoPort),
            ("[localhost]:1", AddressError::Ipv6),
        ] {
            assert_eq!(place(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_agent_has_an_id_and_a_probe_may_have_one() {
        let peer = IdentityKey::from_seed(&RustCrypto, [1; 32]).unwrap().peer_id();
        let full = format!("{peer}@[::1]:7410");
        let agent: AgentAddress = full.parse().unwrap();
        assert_eq!(agent, AgentAddress { peer, place: HostPort { host: "::1".to_owned(), port: 7410 } });
        assert_eq!("localhost:1".parse::<AgentAddress>(), Err(AddressError::NoPeer));
        assert_eq!("localhost:0".parse::<ProbeAddress>(), Err(AddressError::Port));
        assert_eq!(full.parse::<ProbeAddress>().unwrap().peer, Some(peer));
        assert_eq!("localhost:1".parse::<ProbeAddress>().unwrap().peer, None);
        assert_eq!("somebody@localhost:1".parse::<ProbeAddress>(), Err(AddressError::Peer(PeerIdError::Text)));
    }
}
