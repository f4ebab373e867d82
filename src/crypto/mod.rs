//! Cryptography without protocol state: the provider's traits, the built-in provider, and what is made from them.

pub mod provider;
