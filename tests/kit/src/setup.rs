//! Two agents, and how they are configured.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, Expect, Instant, KeyLog, Limits, PeerId, Role, Seed, ServerConfig, Session,
    Signer, Suite, Timeouts,
};

use crate::{Pair, Rng};

/// What a [`Pair`] starts from. A plain value: change what the test is about and leave the rest.
///
/// ```
/// use aitcp::{Expect, Suite};
/// use aitcp_testkit::Setup;
///
/// let mut setup = Setup { seed: 7, expect: Expect::Ask, ..Setup::default() };
/// setup.responder.limits.stream_window = 100;
/// setup.set_suite(Suite::X25519Aes256Gcm);
/// ```
#[derive(Clone, Debug)]
pub struct Setup {
    /// What both sessions draw their randomness from.
    pub seed: u64,
    /// What the sessions run over.
    pub carrier: Carrier,
    /// The agent that connects.
    pub initiator: Agent,
    /// The agent that accepts.
    pub responder: Agent,
    /// Whom the initiator expects. By default the responder.
    pub expect: Expect,
    /// Whom the responder admits. By default the initiator alone.
    pub admission: Admission,
    /// What the initiator wants to speak.
    pub app_protocol: String,
    /// In which realm.
    pub realm: String,
    /// What the responder serves.
    pub served_protocols: Vec<String>,
    /// In which realms.
    pub served_realms: Vec<String>,
    /// Whether the responder is silent to those who do not know its identity.
    pub require_tag: bool,
}

/// One end of a [`Setup`].
#[derive(Clone, Debug)]
pub struct Agent {
    /// The private key.
    pub identity_seed: [u8; 32],
    /// Whether signatures come from outside of the session. [`End::sign`](crate::End::sign) gives them.
    pub external_signer: bool,
    /// What is shown to the peer beside the identity.
    pub credentials: Vec<u8>,
    /// The suites that may be used.
    pub suites: Vec<Suite>,
    /// Bounds.
    pub limits: Limits,
    /// Times.
    pub timeouts: Timeouts,
    /// Whether messages may be compressed.
    pub compression: bool,
    /// The secrets that this end's sessions log.
    pub secrets: Secrets,
}

impl Agent {
    fn new(identity: u8) -> Self {
        Self {
            identity_seed: [identity; 32],
            external_signer: false,
            credentials: Vec::new(),
            suites: vec![Suite::X25519ChaCha20Poly1305],
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            compression: false,
            secrets: Secrets::default(),
        }
    }

    /// The key pair.
    #[must_use]
    pub fn key(&self) -> IdentityKey {
        IdentityKey::from_seed(&RustCrypto, self.identity_seed).expect("a seed that is not zero")
    }

    /// The identity.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.key().peer_id()
    }

    fn signer(&self) -> Signer {
        if self.external_signer { Signer::External(self.id()) } else { Signer::Key(self.key()) }
    }
}

impl Default for Setup {
    fn default() -> Self {
        let (initiator, responder) = (Agent::new(0xA1), Agent::new(0xB0));
        Self {
            seed: 1,
            carrier: Carrier::Stream,
            expect: Expect::Pinned(responder.id()),
            admission: Admission::Only([initiator.id()].into()),
            initiator,
            responder,
            app_protocol: "test/1".into(),
            realm: String::new(),
            served_protocols: vec!["test/1".into()],
            served_realms: vec![String::new()],
            require_tag: false,
        }
    }
}

impl Setup {
    /// Every suite.
    pub const SUITES: [Suite; 4] =
        [Suite::HybridChaCha20Poly1305, Suite::X25519ChaCha20Poly1305, Suite::HybridAes256Gcm, Suite::X25519Aes256Gcm];

    /// The default with another suite.
    #[must_use]
    pub fn with_suite(suite: Suite) -> Self {
        let mut setup = Self::default();
        setup.set_suite(suite);
        setup
    }

    /// Lets both ends use this suite alone.
    pub fn set_suite(&mut self, suite: Suite) {
        self.initiator.suites = vec![suite];
        self.responder.suites = vec![suite];
    }

    /// Gives both ends the same limits.
    pub fn set_limits(&mut self, limits: Limits) {
        self.initiator.limits = limits;
        self.responder.limits = limits;
    }

    /// The agent with this role.
    #[must_use]
    pub fn agent(&self, role: Role) -> &Agent {
        match role {
            Role::Initiator => &self.initiator,
            Role::Responder => &self.responder,
        }
    }

    /// The agent with this role.
    pub fn agent_mut(&mut self, role: Role) -> &mut Agent {
        match role {
            Role::Initiator => &mut self.initiator,
            Role::Responder => &mut self.responder,
        }
    }

    /// The initiator's configuration.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let Agent { credentials, suites, limits, timeouts, compression, secrets, .. } = &self.initiator;
        ClientConfig::new(self.initiator.signer(), &self.app_protocol)
            .with_realm(&self.realm)
            .with_credentials(credentials)
            .with_suites(suites)
            .with_limits(*limits)
            .with_timeouts(*timeouts)
            .with_compression(*compression)
            .with_key_log(Arc::new(secrets.clone()))
    }

    /// The responder's configuration.
    #[must_use]
    pub fn server_config(&self) -> ServerConfig {
        let Agent { credentials, suites, limits, timeouts, compression, secrets, .. } = &self.responder;
        let protocols: Vec<_> = self.served_protocols.iter().map(String::as_str).collect();
        let realms: Vec<_> = self.served_realms.iter().map(String::as_str).collect();
        ServerConfig::new(self.responder.signer(), self.admission.clone(), &protocols)
            .with_realms(&realms)
            .with_required_tag(self.require_tag)
            .with_credentials(credentials)
            .with_suites(suites)
            .with_limits(*limits)
            .with_timeouts(*timeouts)
            .with_compression(*compression)
            .with_key_log(Arc::new(secrets.clone()))
    }

    /// A fresh session in this role. Each call gives the same.
    ///
    /// # Panics
    /// If the configuration is refused.
    #[must_use]
    pub fn session(&self, role: Role, now: Instant) -> Session {
        let mut seed = [0; 32];
        Rng::new(self.seed.wrapping_mul(2) + u64::from(role == Role::Responder)).fill(&mut seed);
        let seed = Seed::new(seed).expect("not all zeros");
        let session = match role {
            Role::Initiator => Session::connect(now, Arc::new(self.client_config()), self.expect, self.carrier, seed),
            Role::Responder => Session::accept(now, Arc::new(self.server_config()), self.carrier, seed),
        };
        session.expect("a configuration that can work")
    }

    /// A fresh session of the initiator's with another configuration.
    ///
    /// # Panics
    /// If the configuration is refused.
    #[must_use]
    pub fn connect_with(&self, config: ClientConfig, now: Instant) -> Session {
        let session =
            Session::connect(now, Arc::new(config), self.expect, self.carrier, self.session_seed(Role::Initiator));
        session.expect("a configuration that can work")
    }

    fn session_seed(&self, role: Role) -> Seed {
        let mut seed = [0; 32];
        Rng::new(self.seed.wrapping_mul(2) + u64::from(role == Role::Responder)).fill(&mut seed);
        Seed::new(seed).expect("not all zeros")
    }

    /// Both sessions, connected by links without latency.
    #[must_use]
    pub fn pair(&self) -> Pair {
        Pair::new(self)
    }
}

/// Secrets that sessions have logged, the latest of each label. Clones share them.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<BTreeMap<&'static str, [u8; 32]>>>);

impl Secrets {
    /// The secret with this label: `I_HS`, `R_HS`, `I_AUTH`, `I_AP_3`, `R_AP_3` or `EXPORTER`.
    ///
    /// # Panics
    /// If no session has come so far.
    #[must_use]
    pub fn get(&self, label: &str) -> [u8; 32] {
        self.find(label).unwrap_or_else(|| panic!("{label} was not logged"))
    }

    /// The secret with this label, if it was logged.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<[u8; 32]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(label).copied()
    }

    /// Forgets what was logged.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &'static str, _random: &[u8; 32], secret: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(label, *secret);
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}
