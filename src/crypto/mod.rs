//! Cryptography without protocol state: the provider's traits, the built-in provider, and what is made from them.

pub(crate) mod aead;
#[cfg(feature = "compression")]
pub(crate) mod compression;
pub(crate) mod generator;
pub(crate) mod hash;
pub(crate) mod key_exchange;
pub(crate) mod key_schedule;
pub mod keygen;
pub mod provider;
#[cfg(feature = "rustcrypto")]
pub mod rustcrypto;
pub(crate) mod signature;
