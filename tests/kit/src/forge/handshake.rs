//! Handshake tables with any values (specification, section 4).

use super::header::{Header, Kind};
use super::table::Table;

/// A Hello. The default is one that a responder of the default [`Setup`](crate::Setup) accepts.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Hello {
    pub versions: Vec<u16>,
    pub suites: Vec<u8>,
    pub random: [u8; 32],
    pub key_share: [u8; 32],
    pub connection_id: u64,
    pub app_protocol: Vec<u8>,
    pub realm: Option<Vec<u8>>,
    pub ticket: Option<Vec<u8>>,
    pub padding: Option<Vec<u8>>,
    pub cookie: [u8; 32],
    pub peer_tag: [u8; 32],
    pub binder: [u8; 32],
}

impl Default for Hello {
    fn default() -> Self {
        let mut key_share = [0; 32];
        key_share[0] = 9; // X25519's base point: as good a public key as any
        Self {
            versions: vec![10],
            suites: vec![1, 2, 3, 4],
            random: [7; 32],
            key_share,
            connection_id: 0x1234_5678_9ABC_DEF0,
            app_protocol: b"test/1".to_vec(),
            realm: None,
            ticket: None,
            padding: None,
            cookie: [0; 32],
            peer_tag: [0; 32],
            binder: [0; 32],
        }
    }
}

impl Hello {
    /// The table.
    #[must_use]
    pub fn table(&self) -> Table {
        let versions: Vec<_> = self.versions.iter().flat_map(|version| version.to_le_bytes()).collect();
        let mut table = Table::new()
            .vector(0, 2, self.versions.len(), &versions)
            .bytes(1, &self.suites)
            .inline(2, 1, &self.random)
            .inline(3, 1, &self.key_share)
            .u64(4, self.connection_id)
            .string(5, &self.app_protocol);
        if let Some(realm) = &self.realm {
            table = table.string(6, realm);
        }
        if let Some(ticket) = &self.ticket {
            table = table.bytes(7, ticket);
        }
        if let Some(padding) = &self.padding {
            table = table.bytes(8, padding);
        }
        table
    }

    /// The whole packet.
    #[must_use]
    pub fn packet(&self) -> Vec<u8> {
        let body = [&self.table().build()[..], &self.cookie, &self.peer_tag, &self.binder].concat();
        Header::new(Kind::Hello, 0).packet(&body)
    }
}

/// An Accept.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Accept {
    pub version: u16,
    pub suite: u8,
    pub random: [u8; 32],
    pub key_share: [u8; 32],
    pub connection_id: u64,
    pub resumed: u8,
    pub early_accepted: u8,
}

impl Default for Accept {
    fn default() -> Self {
        let Hello { key_share, connection_id, .. } = Hello::default();
        Self { version: 10, suite: 2, random: [8; 32], key_share, connection_id, resumed: 0, early_accepted: 0 }
    }
}

impl Accept {
    /// The table.
    #[must_use]
    pub fn table(&self) -> Table {
        Table::new()
            .u16(0, self.version)
            .u8(1, self.suite)
            .inline(2, 1, &self.random)
            .inline(3, 1, &self.key_share)
            .u64(4, self.connection_id)
            .u8(5, self.resumed)
            .u8(6, self.early_accepted)
    }
}

/// A Refuse.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Refuse {
    pub hello_hash: [u8; 32],
    pub code: u16,
    pub versions: Option<Vec<u16>>,
    pub suites: Option<Vec<u8>>,
}

impl Refuse {
    /// The table.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new().inline(0, 1, &self.hello_hash).u16(1, self.code);
        if let Some(versions) = &self.versions {
            let bytes: Vec<_> = versions.iter().flat_map(|version| version.to_le_bytes()).collect();
            table = table.vector(2, 2, versions.len(), &bytes);
        }
        if let Some(suites) = &self.suites {
            table = table.bytes(3, suites);
        }
        table
    }
}

/// Parameters. What is `None` is absent.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Params {
    pub max_packet: Option<u16>,
    pub session_credit: Option<u64>,
    pub stream_credit: Option<u64>,
    pub bidirectional_streams: Option<u64>,
    pub unidirectional_streams: Option<u64>,
    pub max_message: Option<u64>,
    pub idle_timeout_ms: Option<u32>,
    pub compression: Option<u8>,
    pub receipts: Option<u8>,
    pub max_datagram: Option<u16>,
    pub max_ack_delay_ms: Option<u16>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            max_packet: Some(16_424),
            session_credit: Some(1 << 20),
            stream_credit: Some(1 << 18),
            bidirectional_streams: Some(100),
            unidirectional_streams: Some(100),
            max_message: Some(1 << 24),
            idle_timeout_ms: None,
            compression: None,
            receipts: None,
            max_datagram: None,
            max_ack_delay_ms: None,
        }
    }
}

impl Params {
    /// The table.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        let longs = [
            (1, self.session_credit),
            (2, self.stream_credit),
            (3, self.bidirectional_streams),
            (4, self.unidirectional_streams),
            (5, self.max_message),
        ];
        for (id, value) in longs {
            if let Some(value) = value {
                table = table.u64(id, value);
            }
        }
        for (id, value) in [(0, self.max_packet), (9, self.max_datagram), (10, self.max_ack_delay_ms)] {
            if let Some(value) = value {
                table = table.u16(id, value);
            }
        }
        for (id, value) in [(7, self.compression), (8, self.receipts)] {
            if let Some(value) = value {
                table = table.u8(id, value);
            }
        }
        if let Some(idle) = self.idle_timeout_ms {
            table = table.u32(6, idle);
        }
        table
    }
}

/// A ResponderAuth or InitiatorAuth without its trailer. What is `None` is absent.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Auth {
    pub params: Params,
    /// By default the identity of the key that signs.
    pub identity: Option<[u8; 32]>,
    pub credentials: Option<Vec<u8>>,
    pub claim: Option<[u8; 72]>,
}

impl Auth {
    /// The table.
    #[must_use]
    pub fn table(&self, identity: &[u8; 32]) -> Table {
        let mut table =
            Table::new().table(0, self.params.table()).inline(1, 1, self.identity.as_ref().unwrap_or(identity));
        if let Some(credentials) = &self.credentials {
            table = table.bytes(2, credentials);
        }
        if let Some(claim) = &self.claim {
            table = table.inline(3, 8, claim);
        }
        table
    }
}
