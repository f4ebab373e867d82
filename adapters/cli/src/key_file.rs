//! An agent's private key in OpenSSH's format, so that `ssh-keygen` reads it and keys made by `ssh-keygen` can be used.
//!
//! Only the 32-byte seed crosses between the two worlds. The public key is always computed from it, never taken from the file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aitcp::PeerId;
use aitcp::crypto::keygen::{IdentityKey, KeyError};
use aitcp::crypto::rustcrypto::RustCrypto;
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::guarded_file::{self, GuardedFileError, Others};

/// The longest key file taken, in bytes. One of ours has about 400.
const MAX_FILE: u64 = 64 << 10;

/// A private key and what its file says about it.
#[derive(Debug)]
pub(crate) struct KeyFile {
    pub(crate) identity: IdentityKey,
    pub(crate) comment: String,
}

impl KeyFile {
    /// Makes a new key with the operating system's randomness.
    pub(crate) fn generate(comment: String) -> Result<Self, KeyFileError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(KeyFileError::Randomness)?;
        let identity = IdentityKey::from_seed(&RustCrypto, *seed).map_err(KeyFileError::Key)?;
        Ok(Self { identity, comment })
    }

    /// Reads a key that nobody but its owner can read.
    pub(crate) fn read(path: &Path) -> Result<Self, KeyFileError> {
        let pem = guarded_file::read(path, Others::Nothing, MAX_FILE).map_err(KeyFileError::File)?;
        Self::parse(&pem).map_err(|what| KeyFileError::Content { path: path.to_owned(), what })
    }

    /// Writes the key to a file that did not exist before and that nobody else can read.
    pub(crate) fn create(&self, path: &Path) -> Result<(), KeyFileError> {
        let io = |error| KeyFileError::Write { path: path.to_owned(), error };
        let pem = self.to_openssh().map_err(|error| KeyFileError::Content { path: path.to_owned(), what: error })?;
        let mut file = create_private(path).map_err(io)?;
        let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| {
            // Half a key is of no use to anyone, and its name must be free for the next try.
            let _ = std::fs::remove_file(path);
            io(error)
        })
    }

    fn parse(pem: &[u8]) -> Result<Self, ContentError> {
        let key = PrivateKey::from_openssh(pem).map_err(ContentError::Format)?;
        if key.is_encrypted() {
            return Err(ContentError::Encrypted);
        }
        let KeypairData::Ed25519(pair) = key.key_data() else {
            return Err(ContentError::NotEd25519(key.algorithm()));
        };
        let seed = Zeroizing::new(pair.private.to_bytes());
        let identity = IdentityKey::from_seed(&RustCrypto, *seed).map_err(ContentError::Key)?;
        // With the feature `ed25519` off, `ssh-key` does not compare the halves itself.
        if identity.peer_id().as_bytes() != &pair.public.0 {
            return Err(ContentError::PublicKey);
        }
        Ok(Self { identity, comment: key.comment().to_owned() })
    }

    fn to_openssh(&self) -> Result<Zeroizing<String>, ContentError> {
        let pair = Ed25519Keypair {
            public: Ed25519PublicKey(*self.identity.peer_id().as_bytes()),
            private: Ed25519PrivateKey::from_bytes(self.identity.seed()),
        };
        let key = PrivateKey::new(KeypairData::Ed25519(pair), self.comment.as_str()).map_err(ContentError::Format)?;
        key.to_openssh(LineEnding::LF).map_err(ContentError::Format)
    }
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Elsewhere the file gets what its folder hands down: on Windows a user's own folders are closed to others.
#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// The fingerprint that `ssh-keygen -l` shows for the key.
pub(crate) fn fingerprint(peer: &PeerId) -> String {
    openssh_public(peer).fingerprint(HashAlg::Sha256).to_string()
}

/// The public key as a line of OpenSSH's, without a comment.
pub(crate) fn public_line(peer: &PeerId) -> String {
    // Only a comment with a line break could make this fail, and there is none.
    PublicKey::new(openssh_public(peer), "").to_openssh().unwrap_or_default()
}

fn openssh_public(peer: &PeerId) -> KeyData {
    KeyData::Ed25519(Ed25519PublicKey(*peer.as_bytes()))
}

/// Why a key was not made, read or written.
#[derive(Debug)]
pub(crate) enum KeyFileError {
    Randomness(getrandom::Error),
    Key(KeyError),
    File(GuardedFileError),
    Content { path: PathBuf, what: ContentError },
    Write { path: PathBuf, error: io::Error },
}

/// Why the content of a file is not a key to use.
#[derive(Debug)]
pub(crate) enum ContentError {
    Format(ssh_key::Error),
    Encrypted,
    NotEd25519(Algorithm),
    Key(KeyError),
    PublicKey,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Randomness(error) => write!(f, "the operating system's random generator failed: {error}"),
            Self::Key(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
            Self::Content { path, what } => write!(f, "{}: {what}", path.display()),
            Self::Write { path, error } if error.kind() == io::ErrorKind::AlreadyExists => {
                write!(f, "{}: exists already, and keys are never overwritten", path.display())
            }
            Self::Write { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => write!(f, "not a private key in OpenSSH's format: {error}"),
            Self::Encrypted => {
                f.write_str("the key has a passphrase, which is not supported: ssh-keygen -p removes it from a copy")
            }
            Self::NotEd25519(algorithm) => write!(f, "the key is of type {algorithm}; an agent's key is ssh-ed25519"),
            Self::Key(error) => error.fmt(f),
            Self::PublicKey => f.write_str("the file's public key is not that of its private key"),
        }
    }
}

impl std::error::Error for KeyFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(comment: &str) -> KeyFile {
        KeyFile { identity: IdentityKey::from_seed(&RustCrypto, [7; 32]).unwrap(), comment: comment.to_owned() }
    }

    #[test]
    fn a_key_survives_its_file() {
        let directory = tempfile::tempdir().unwrap();
        for (index, comment) in ["", "ann@example", "Zürich, the second"].into_iter().enumerate() {
            let path = directory.path().join(index.to_string());
            key(comment).create(&path).unwrap();
            let read = KeyFile::read(&path).unwrap();
            assert_eq!(read.identity.seed(), &[7; 32]);
            assert_eq!(read.comment, comment);
        }
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "precious").unwrap();
        assert!(key("").create(&path).unwrap_err().to_string().contains("never overwritten"));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_file_with_the_public_key_of_another_is_refused() {
        let other = IdentityKey::from_seed(&RustCrypto, [8; 32]).unwrap().peer_id();
        let pair = Ed25519Keypair {
            public: Ed25519PublicKey(*other.as_bytes()),
            private: Ed25519PrivateKey::from_bytes(&[7; 32]),
        };
        let pem = PrivateKey::new(KeypairData::Ed25519(pair), "").unwrap().to_openssh(LineEnding::LF).unwrap();
        assert!(matches!(KeyFile::parse(pem.as_bytes()), Err(ContentError::PublicKey)));
    }

    #[test]
    fn every_cut_and_every_changed_byte_of_a_file_is_refused_or_the_same_key() {
        let key = key("comment");
        let pem = key.to_openssh().unwrap();
        for length in 0..pem.trim_end().len() {
            assert!(KeyFile::parse(&pem.as_bytes()[..length]).is_err(), "{length}");
        }
        for place in 0..pem.len() {
            let mut changed = pem.as_bytes().to_vec();
            changed[place] ^= 1;
            if let Ok(read) = KeyFile::parse(&changed) {
                assert_eq!(read.identity.peer_id(), key.identity.peer_id(), "{place}");
            }
        }
    }
}
