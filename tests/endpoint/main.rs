//! Many sessions behind one socket.
#![cfg(all(feature = "rustcrypto", feature = "hybrid", feature = "endpoint"))]

mod admission;
mod carriers;
mod life;
mod network;
mod tickets;

use std::sync::Arc;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, ClientConfig, EcnCodepoint, Endpoint, EndpointConfig, EndpointLimits, Event, Expect, Handle, Instant,
    PeerId, Seed, ServerConfig, Suite,
};

const NOW: Instant = Instant::ORIGIN;
/// Where the server of [`Two`] is, and where its clients.
const SERVER: u64 = 1;
const CLIENT: u64 = 2;

fn key(identity: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [identity; 32]).unwrap()
}

fn id(identity: u8) -> PeerId {
    key(identity).peer_id()
}

fn seed(number: u64) -> Seed {
    let mut bytes = [0xA5; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Seed::new(bytes).unwrap()
}

fn server(identity: u8) -> ServerConfig {
    ServerConfig::new(key(identity), Admission::Any, &["test/1"]).with_suites(&[Suite::X25519ChaCha20Poly1305])
}

fn client(identity: u8) -> Arc<ClientConfig> {
    Arc::new(ClientConfig::new(key(identity), "test/1").with_suites(&[Suite::X25519ChaCha20Poly1305]))
}

fn serving(limits: EndpointLimits) -> EndpointConfig {
    EndpointConfig::new().with_server(Arc::new(server(1))).with_limits(limits)
}

/// A server and a client with a network between them that does what the test does.
struct Two {
    server: Endpoint<u64>,
    client: Endpoint<u64>,
    now: Instant,
}

impl Two {
    fn new(config: EndpointConfig) -> Self {
        let server = Endpoint::new(NOW, config, seed(1)).unwrap();
        let client = Endpoint::new(NOW, EndpointConfig::new(), seed(2)).unwrap();
        Self { server, client, now: NOW }
    }

    fn connect(&mut self, identity: u8) -> Handle {
        self.client.connect(self.now, client(identity), Expect::Pinned(id(1)), SERVER).unwrap()
    }

    /// Everything that the client has to send now.
    fn said_by_client(&mut self) -> Vec<Vec<u8>> {
        sent(&mut self.client, self.now).into_iter().map(|(_, bytes)| bytes).collect()
    }

    /// Everything that the server has to send now, and where to.
    fn said_by_server(&mut self) -> Vec<(u64, Vec<u8>)> {
        sent(&mut self.server, self.now)
    }

    fn up(&mut self, from: u64, datagram: &[u8]) -> aitcp::Disposition {
        self.server.handle_datagram(self.now, from, EcnCodepoint::NotEct, &mut datagram.to_vec())
    }

    fn down(&mut self, datagram: &[u8]) -> aitcp::Disposition {
        self.client.handle_datagram(self.now, SERVER, EcnCodepoint::NotEct, &mut datagram.to_vec())
    }

    /// Carries datagrams until there are none.
    fn carry(&mut self) {
        loop {
            let (up, down) = (self.said_by_client(), self.said_by_server());
            if up.is_empty() && down.is_empty() {
                return;
            }
            up.iter().for_each(|datagram| _ = self.up(CLIENT, datagram));
            down.iter().for_each(|(_, datagram)| _ = self.down(datagram));
        }
    }

    /// Serves the next deadline that there is.
    fn wait(&mut self) {
        let next = [self.server.poll_timeout(), self.client.poll_timeout()].into_iter().flatten().min();
        self.now = self.now.max(next.expect("something to wait for"));
        self.server.handle_timeout(self.now);
        self.client.handle_timeout(self.now);
        self.carry();
    }
}

fn sent(endpoint: &mut Endpoint<u64>, now: Instant) -> Vec<(u64, Vec<u8>)> {
    let mut room = vec![0; 1_452];
    let mut all = Vec::new();
    while let Some((to, transmit)) = endpoint.poll_transmit(now, &mut room).unwrap() {
        let datagrams = room[..transmit.len].chunks(transmit.segment.unwrap_or(transmit.len));
        all.extend(datagrams.map(|datagram| (to.remote, datagram.to_vec())));
    }
    all
}

fn events(endpoint: &mut Endpoint<u64>) -> Vec<(Handle, Event)> {
    std::iter::from_fn(|| endpoint.poll_event()).collect()
}
