//! The initiator's configuration.
#![forbid(unsafe_code)]

use alloc::string::{String, ToString};
use alloc::sync::Arc;

#[cfg(feature = "keylog")]
use super::KeyLog;
use super::{
    Carrier, CryptoProvider, Limits, Shared, Signer, Suite, Timeouts, shared_setters, validate_app_protocol,
    validate_realm,
};
use crate::error::ConfigError;
use crate::role::Role;

/// What an initiator is told: who it is, which application protocol it speaks, in which realm.
///
/// Checked as a whole by [`Session::connect`](crate::Session::connect).
///
/// ```
/// # #[cfg(feature = "rustcrypto")] {
/// use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
/// use aitcp::ClientConfig;
///
/// let key = IdentityKey::from_seed(&RustCrypto, [1; 32])?; // a real seed comes from a key file or a generator
/// let config = ClientConfig::new(key, "echo/1").with_realm("staging");
/// # }
/// # Ok::<(), aitcp::crypto::keygen::KeyError>(())
/// ```
#[derive(Debug)]
pub struct ClientConfig {
    pub(crate) shared: Shared,
    pub(crate) app_protocol: String,
    pub(crate) realm: String,
}

impl ClientConfig {
    /// A configuration with the built-in provider. `app_protocol` has 1 to [`MAX_APP_PROTOCOL`](crate::MAX_APP_PROTOCOL) bytes and
    /// names, with its version, what the applications at both ends speak.
    #[cfg(feature = "rustcrypto")]
    #[must_use]
    pub fn new(signer: impl Into<Signer>, app_protocol: &str) -> Self {
        Self::with_provider(Arc::new(crate::crypto::rustcrypto::RustCrypto), signer, app_protocol)
    }

    /// A configuration with a crypto provider of the caller's.
    #[must_use]
    pub fn with_provider(provider: Arc<dyn CryptoProvider>, signer: impl Into<Signer>, app_protocol: &str) -> Self {
        Self {
            shared: Shared::new(provider, signer.into()),
            app_protocol: app_protocol.to_string(),
            realm: String::new(),
        }
    }

    /// Sets the realm: which of several separate worlds (tenants, stages) behind one responder is meant. Up to
    /// [`MAX_REALM`](crate::MAX_REALM) bytes; empty by default.
    #[must_use]
    pub fn with_realm(mut self, realm: &str) -> Self {
        self.realm = realm.to_string();
        self
    }

    shared_setters!();

    pub(crate) fn validate(&self, carrier: Carrier) -> Result<(), ConfigError> {
        validate_app_protocol(&self.app_protocol)?;
        validate_realm(&self.realm)?;
        self.shared.validate(carrier, Role::Initiator)
    }
}
