//! The responder's configuration.
#![forbid(unsafe_code)]

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

#[cfg(feature = "keylog")]
use super::KeyLog;
use super::{
    Admission, Carrier, CryptoProvider, Limits, Shared, Signer, Suite, Timeouts, shared_setters, validate_app_protocol,
    validate_realm,
};
use crate::error::ConfigError;
use crate::role::Role;

/// What a responder is told: who it is, what it serves, and whom it lets in.
///
/// Checked as a whole by [`Session::accept`](crate::Session::accept).
///
/// ```
/// # #[cfg(feature = "rustcrypto")] {
/// use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
/// use aitcp::{Admission, ServerConfig};
///
/// let friend = IdentityKey::from_seed(&RustCrypto, [1; 32])?.peer_id();
/// let key = IdentityKey::from_seed(&RustCrypto, [2; 32])?;
/// let config = ServerConfig::new(key, Admission::Only([friend].into()), &["echo/1", "echo/2"]);
/// # }
/// # Ok::<(), aitcp::crypto::keygen::KeyError>(())
/// ```
#[derive(Debug)]
pub struct ServerConfig {
    pub(crate) shared: Shared,
    pub(crate) admission: Admission,
    pub(crate) app_protocols: Vec<String>,
    pub(crate) realms: Vec<String>,
    pub(crate) require_tag: bool,
    /// The policy epoch of the tickets that are taken; `None` if none are.
    pub(crate) tickets: Option<u64>,
}

impl ServerConfig {
    /// A configuration with the built-in provider, serving these application protocols to whom `admission` lets in.
    #[cfg(feature = "rustcrypto")]
    #[must_use]
    pub fn new(signer: impl Into<Signer>, admission: Admission, app_protocols: &[&str]) -> Self {
        Self::with_provider(Arc::new(crate::crypto::rustcrypto::RustCrypto), signer, admission, app_protocols)
    }

    /// A configuration with a crypto provider of the caller's.
    #[must_use]
    pub fn with_provider(
        provider: Arc<dyn CryptoProvider>,
        signer: impl Into<Signer>,
        admission: Admission,
        app_protocols: &[&str],
    ) -> Self {
        Self {
            shared: Shared::new(provider, signer.into()),
            admission,
            app_protocols: app_protocols.iter().map(ToString::to_string).collect(),
            realms: Vec::from([String::new()]),
            require_tag: false,
            tickets: None,
        }
    }

    /// Sets the realms that are served, in place of the one without a name.
    #[must_use]
    pub fn with_realms(mut self, realms: &[&str]) -> Self {
        self.realms = realms.iter().map(ToString::to_string).collect();
        self
    }

    /// Answers nothing at all to an initiator that does not show that it knows this identity (R-6.3-2): scanners find silence.
    #[must_use]
    pub fn with_required_tag(mut self, require_tag: bool) -> Self {
        self.require_tag = require_tag;
        self
    }

    /// Lets initiators resume sessions with tickets, which spare both ends a signature and its check. Off by default.
    ///
    /// A ticket counts only under the policy epoch that it was made under: another number makes all earlier ones worthless. Who is let in
    /// is asked again in any case. Whoever has the [`TicketKeys`](crate::TicketKeys) opens tickets and makes them: an
    /// [`Endpoint`](crate::Endpoint) does by itself; the owner of a bare session answers
    /// [`Event::TicketPresented`](crate::Event::TicketPresented).
    #[must_use]
    pub fn with_tickets(mut self, policy_epoch: u64) -> Self {
        self.tickets = Some(policy_epoch);
        self
    }

    shared_setters!();

    pub(crate) fn validate(&self, carrier: Carrier) -> Result<(), ConfigError> {
        if self.app_protocols.is_empty() {
            return Err(ConfigError::AppProtocol);
        }
        if self.realms.is_empty() {
            return Err(ConfigError::Realm);
        }
        self.app_protocols.iter().try_for_each(|name| validate_app_protocol(name))?;
        self.realms.iter().try_for_each(|name| validate_realm(name))?;
        self.shared.validate(carrier, Role::Responder)
    }
}
